"""The launcher that runs everything in its own process."""

from __future__ import annotations

from tests.sweep import launcher_cases
from tests.sweep.launcher_cases import single_exports, sweep_once  # noqa: F401 (fixtures)


class TestInProcess(launcher_cases.LauncherTests):
    launcher = "sweep.launcher = @in_process()"
