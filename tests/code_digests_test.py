"""Digests of Python code."""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest

from exporter import code_digests

_FILES = {
    "own_package_of_code/__init__.py": "",
    "own_package_of_code/builders.py": "import json\nimport numpy\nfrom . import layers\n",
    "own_package_of_code/layers.py": "import own_helper_of_code as helper\n",
    "own_package_of_code/other.py": "",
    "own_helper_of_code.py": "SIZE = 3\n",
}
_ROOT = "own_package_of_code.builders"


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name, text in _FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if "_of_code" in name]:
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module(_ROOT)
    importlib.import_module("own_package_of_code.other")
    return tmp_path


@pytest.mark.parametrize("changed", [name for name in _FILES if "other" not in name])
def test_what_a_module_is_made_of_counts(folder: pathlib.Path, changed: str) -> None:
    before = code_digests.of_imported([_ROOT])
    assert before is not None
    assert code_digests.of_imported([_ROOT]) == before
    (folder / changed).write_text(f"{_FILES[changed]}# A comment.\n")
    assert code_digests.of_imported([_ROOT]) != before


def test_what_it_does_not_import_does_not_count(folder: pathlib.Path) -> None:
    before = code_digests.of_imported([_ROOT])
    (folder / "own_package_of_code" / "other.py").write_text("# A comment.\n")
    assert code_digests.of_imported([_ROOT]) == before


def test_what_has_a_version_does_not_count() -> None:
    assert code_digests.of_imported([]) is None
    assert code_digests.of_imported(["exporter.errors", "gin", "no.such.module"]) is None


def test_installed_modules_count_if_they_are_asked_for() -> None:
    assert "pytest" in sys.modules
    assert code_digests.of_imported(["pytest"]) is not None


def test_of_the_exporter() -> None:
    assert len(code_digests.of_exporter()) == 64
