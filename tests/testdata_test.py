"""What is among the test data is what its script says, and nothing of the machine it ran on."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from tests import testing
from tests.testdata import labelled, runs

_RUNS = runs.RUNS.values()


def _vocabulary(run: runs.Run) -> tuple[pathlib.Path, int]:
    if run.vocabulary == runs.SENTENCEPIECE:
        return testing.TESTDATA / "spm" / "spm.model", 1000
    folder = run.name if run.vocabulary == runs.WORDPIECE else "uncased"
    path = testing.TESTDATA / folder / "vocab.txt"
    return path, len(path.read_text(encoding="utf-8").splitlines())


def _assert_within(part: Any, whole: Any, path: str) -> None:
    """Fails unless all that is in `part` is in `whole`, too."""
    if isinstance(part, dict):
        for name, value in part.items():
            _assert_within(value, whole[name], f"{path}.{name}")
    elif isinstance(part, list):
        for i, value in enumerate(part):
            _assert_within(value, whole[i], f"{path}[{i}]")
    else:
        assert whole == part, path


@pytest.mark.parametrize("run", _RUNS, ids=lambda run: run.name)
def test_the_trainer_was_told_this(run: runs.Run) -> None:
    path, size = _vocabulary(run)
    told = runs.experiment(run, path.name, size)
    params = (testing.TESTDATA / run.name / "params.yaml").read_text(encoding="utf-8")
    _assert_within(told, yaml.safe_load(params), run.name)


@pytest.mark.parametrize("run", _RUNS, ids=lambda run: run.name)
def test_its_gin_is_in_the_record(run: runs.Run) -> None:
    record = testing.TESTDATA / run.name / f"operative_config.{run.mode}.gin"
    lines = record.read_text(encoding="utf-8").splitlines()
    for line in run.gin.splitlines():
        assert line.startswith("#") or line in lines


@pytest.mark.parametrize("run", _RUNS, ids=lambda run: run.name)
def test_nothing_of_the_machine(run: runs.Run) -> None:
    folder = testing.TESTDATA / run.name
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if "tfevents" in path.name]
    for path in files:
        if not path.name.startswith(("ckpt-", "best_ckpt-", "average_weights-")):
            assert "/home/" not in path.read_text(encoding="utf-8")
            assert "/tmp/" not in path.read_text(encoding="utf-8")


def test_all_are_described() -> None:
    described = (testing.TESTDATA / "README.md").read_text(encoding="utf-8")
    folders = {path.name for path in testing.TESTDATA.iterdir() if path.is_dir()}
    for name in folders - {"__pycache__"}:
        assert f"| `{name}/` |" in described


@pytest.mark.parametrize("name", labelled.SIZES)
def test_labelled_sentences_are_those_that_are_written(name: str) -> None:
    text = (testing.TESTDATA / "sentences" / name).read_text(encoding="utf-8")
    assert text == labelled.tables()[name]
    assert text.count("\n") == 1 + labelled.SIZES[name]
