"""Faults that exports meet, made in processes that have imported TensorFlow and done no more.

These are some of what `tests.faults.fault_types` and `tests.faults.corrupt_files` produce.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.faults import corrupt_files, fault_types

_FAULTS = (
    "disk full: not the variables",
    "disk full: all but the record beside it",
    "file system becomes read-only",
    "no permission: the parent",
    "no permission: the export's folders",
    "its folder vanishes",
    "what is written vanishes",
    "parents missing, and no room",
    "links in place of files of the export",
    "checkpoint is replaced meanwhile",
    "SIGKILL when TensorFlow is imported",
    "SIGKILL when the checkpoint has been read",
    "SIGKILL while it is written",
    "SIGKILL before values are copied",
    "SIGKILL after the manifest",
    "SIGKILL before the rename",
    "SIGKILL after the rename",
    "SIGTERM while it is written",
    "the current folder is removed",
    "rivals, one new name",
    "killed for too little memory",
    "TMPDIR is full",
    "a user without a name",
)
_CORRUPT_FILES = 25


def _run(module: str, *arguments: str, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(name="rows", scope="module")
def _rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of each fault, by its name."""
    folder = tmp_path_factory.mktemp("faults")
    only = [f"--only={name}" for name in _FAULTS]
    ended = _run(
        fault_types.__name__,
        "--verify=off",
        "--lightly",
        f"--rows={folder}/rows.json",
        *only,
        folder=folder,
    )
    assert (folder / "rows.json").exists(), ended.stdout
    rows = json.loads((folder / "rows.json").read_text())
    return {row["fault"]: row for row in rows}


@pytest.mark.parametrize("fault", _FAULTS)
def test_nothing_is_lost_and_all_is_told(fault: str, rows: dict[str, dict[str, Any]]) -> None:
    row = rows[fault]
    if row["why_not"] is not None:
        pytest.skip(row["why_not"])
    assert row["wrong"] == []


def test_names_are_of_faults() -> None:
    assert {*_FAULTS} <= {fault.name for fault in fault_types.ALL}


def test_damaged_files_are_told_or_do_not_matter(tmp_path: pathlib.Path) -> None:
    ended = _run(corrupt_files.__name__, f"--cases={_CORRUPT_FILES}", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout
    counts = [int(count) for count in re.findall(r"(\d+) times", ended.stdout)]
    assert sum(counts) == _CORRUPT_FILES
