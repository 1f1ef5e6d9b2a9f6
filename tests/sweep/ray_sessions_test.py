"""What does without Ray: it is missing, or where modules are found."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import pytest

from exporter import gin_files
from exporter.sweep import ray_sessions
from tests.sweep import launcher_cases


def test_without_ray(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name)
    )
    launcher_cases.write_sweep(tmp_path, "sweep.launcher = @ray()")
    assert launcher_cases.run_sweep(tmp_path) == 2
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err == (
        "error: The launcher @ray() needs Ray, which is not installed here.\n"
        f"  where:    {tmp_path}/sweep.gin:2\n"
        "  example:  make .venv-ray, then .venv-ray/bin/python launch.py ...; elsewhere "
        "pip install 'ray>=2.40'\n"
    )


def test_paths_are_those_that_are_no_part_of_this_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(gin_files.PROJECT_FOLDER)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    paths = ray_sessions._paths()
    assert paths[:2] == [str(gin_files.PROJECT_FOLDER), str(tmp_path)]
    assert not [path for path in paths if path.endswith(("lib-dynload", ".zip", "/encodings"))]
    assert str(pathlib.Path(importlib.util.__file__).parents[1]) not in paths
