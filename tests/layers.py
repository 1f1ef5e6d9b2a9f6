"""Packages that the exporter does without, in tests: they are in layers over the environment."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

_ROOT = pathlib.Path(__file__).parent.parent


@contextlib.contextmanager
def added(group: str, module: str, root: pathlib.Path = _ROOT) -> Iterator[None]:
    """While open, the packages of a layer are found, by processes started meanwhile as well.

    With Bazel they are found already, by tests that depend on them; and by the layer's interpreter.
    Where the layer is not installed the test is skipped.

    Args:
      group: The layer's name: `make .venv-GROUP` installs it.
      module: A module that it has.
      root: The folder of the environments.
    """
    if importlib.util.find_spec(module) is not None:
        yield
        return
    if not (root / f".venv-{group}" / "installed.stamp").exists():
        pytest.skip(f"{module} is not installed: make .venv-{group}")
    (folder,) = root.glob(f".venv-{group}/lib/python*/site-packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(folder)])
        paths = [str(folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield
