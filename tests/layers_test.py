"""The environments over the exporter's own: their locks, and how tests find their packages."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import layers

_ROOT = pathlib.Path(__file__).parent.parent
_LOCKED = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ]+)", re.MULTILINE)


def _groups() -> set[str]:
    text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[dependency-groups]\n")[2].partition("\n[")[0]
    return set(re.findall(r"^([a-z]+) = \[", section, re.MULTILINE)) - {"test"}


def test_each_group_has_its_environment() -> None:
    groups = _groups()
    assert "train" in groups
    listed = re.search(r"^LAYERS := (.*)$", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    assert set(listed[1].split()) == groups
    assert {path.stem for path in _ROOT.glob("requirements-*.lock")} == {
        f"requirements-{group}" for group in groups
    }
    ignored = (_ROOT / ".bazelignore").read_text().splitlines()
    assert {f".venv-{group}" for group in groups} <= set(ignored)


@pytest.mark.parametrize("group", sorted(_groups()))
def test_what_is_in_both_locks_is_of_one_version(group: str) -> None:
    base = dict(_LOCKED.findall((_ROOT / "requirements.lock").read_text()))
    layer = dict(_LOCKED.findall((_ROOT / f"requirements-{group}.lock").read_text()))
    assert base["tensorflow"].startswith("2.")
    assert layer
    assert {name: layer[name] for name in layer.keys() & base.keys()} == {
        name: base[name] for name in layer.keys() & base.keys()
    }


def test_a_layer_is_found_while_it_is_added(tmp_path: pathlib.Path) -> None:
    packages = tmp_path / ".venv-more" / "lib" / "python3.0" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / ".venv-more" / "installed.stamp").touch()
    (packages / "of_a_layer.py").touch()
    before = (list(sys.path), os.environ.get("PYTHONPATH"))
    with layers.added("more", "of_a_layer", tmp_path):
        assert importlib.util.find_spec("of_a_layer") is not None
        subprocess.run([sys.executable, "-c", "import of_a_layer"], check=True)
    assert (list(sys.path), os.environ.get("PYTHONPATH")) == before


def test_where_there_is_none_the_test_is_skipped(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(pytest.skip.Exception, match=r"^none is not installed: make \.venv-more$"),
        layers.added("more", "none", tmp_path),
    ):
        pass
