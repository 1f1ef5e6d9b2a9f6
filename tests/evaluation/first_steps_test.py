"""Defects of exports are found before training, and show in the scores if nobody looks for them."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import launch
from tests import layers
from tests.evaluation import evaluating

_QUERY = "transformer/layer_{}/self_attention/query/kernel:0"
_TYPES = "type_embeddings/embeddings:0"
_ENCODER = "look at: the checkpoint, the configuration and the pooler of the export"
_RATES = "look at: the dropout rates of the configuration"
_PREPROCESSING = "look at: the vocabulary, --do_lower_case and truncation of the export"


@pytest.fixture(autouse=True, scope="module")
def _packages() -> Iterator[None]:
    with layers.added("evaluate", "tensorflow_datasets"):
        yield


@pytest.fixture(name="export", scope="module")
def _export(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return evaluating.export(tmp_path_factory.mktemp("exports") / "all")


@pytest.fixture(name="pairs", scope="module")
def _pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Writes pairs of sentences, of which the second one has the label; returns their binding.

    Single texts have no types that could be ignored.
    """
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("train", "validation"):
        text = (evaluating.DATA / f"{name}.tsv").read_text(encoding="utf-8")
        lines = text.splitlines()[1:]
        others = [line.split("\t")[0] for line in (*lines[1:], lines[0])]
        rows = [f"{other}\t{line}\n" for other, line in zip(others, lines, strict=True)]
        (folder / f"{name}.tsv").write_text("".join(rows), encoding="utf-8")
    return (
        "text_files.text_columns = [0, 1]\ntext_files.label_column = 2\n"
        f"text_files.train_file = '{folder}/train.tsv'\n"
        f"text_files.validation_file = '{folder}/validation.tsv'"
    )


def _swap(values: Mapping[str, np.ndarray]) -> None:
    one, other = (values[_QUERY.format(number)] for number in range(2))
    one[...], other[...] = other.copy(), one.copy()


def _shift(values: Mapping[str, np.ndarray]) -> None:
    values["transformer/layer_1/intermediate/kernel:0"] *= 1.0005


def _ignore_types(values: Mapping[str, np.ndarray]) -> None:
    values[_TYPES][...] = values[_TYPES][0]


def _cased(path: pathlib.Path) -> None:
    shutil.rmtree(path / "preprocessing")
    evaluating.export(
        path / "preprocessing",
        *("--export_type=preprocessing", "--do_lower_case=false"),
        "--gin_params=checks.allow_unlikely_casing = True",
    )


def _without_dropout(path: pathlib.Path, *rates: str) -> None:
    shutil.rmtree(path / "encoder")
    bindings = [f"--gin_params=BertEncoderConfig.{rate} = 0.0" for rate in rates]
    allowed = f"--gin_params=pretraining.allow_overrides = {list(rates)}"
    evaluating.export(path / "encoder", "--export_type=model", *bindings, allowed)


@dataclasses.dataclass(frozen=True)
class _Defect:
    """A way to break an export.

    Attributes:
      plant: Breaks it.
      found: What the failed checks say, a regular expression.
      in_scores: Whether it shows in the scores of ten steps, too.
    """

    plant: Callable[[pathlib.Path], None]
    found: str
    in_scores: bool = True


_DEFECTS = {
    "weights of two layers swapped": _Defect(
        lambda path: evaluating.change_values(path / "encoder", _swap),
        r"FAILED  first outputs: largest difference \S+ in \w+_output \(limit 1e-05\)\n +"
        + _ENCODER,
    ),
    "one matrix a little too large": _Defect(
        lambda path: evaluating.change_values(path / "encoder", _shift),
        r"FAILED  first outputs: largest difference \S+ in \w+_output \(limit 1e-05\)\n +"
        + _ENCODER,
        in_scores=False,
    ),
    "dropout off": _Defect(
        lambda path: _without_dropout(path, "dropout_rate", "attention_dropout_rate"),
        r"FAILED  dropout rates: none, not 0.05 in 7 places\n +" + _RATES + r"\n"
        r"(?s:.*)FAILED  dropout in pooled_output: changes outputs by 0, in Python code by 0\.\d+\n"
        r"(?s:.*)FAILED  dropout in sequence_output: changes outputs by 0, ",
        in_scores=False,
    ),
    "lower-casing off": _Defect(
        _cased,
        r"FAILED  inputs of train: example 1: input_word_ids\[1\] is 1 instead of \d+\n +"
        + _PREPROCESSING,
    ),
    "types ignored": _Defect(
        lambda path: evaluating.change_values(path / "encoder", _ignore_types),
        r"FAILED  first outputs: largest difference \S+ in \w+_output \(limit 1e-05\)\n +"
        + _ENCODER,
    ),
}


def _last(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the arms' losses after training."""
    runs = evaluating.results(folder)["runs"]
    return {run["arm"]: run["metrics"]["validation_loss"] for run in runs}


@pytest.fixture(name="right", scope="module")
def _right(
    export: pathlib.Path, pairs: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, float]:
    """The losses without a defect."""
    folder = tmp_path_factory.mktemp("right")
    assert launch.run(evaluating.arguments(export, folder, "evaluate.check = False", pairs)) == 0
    return _last(folder)


@pytest.mark.parametrize("name", _DEFECTS)
def test_a_defect_is_found_before_training_and_shows_in_the_scores(
    name: str,
    export: pathlib.Path,
    pairs: str,
    right: dict[str, float],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    defect = _DEFECTS[name]
    broken = evaluating.copied(export, tmp_path / "broken")
    defect.plant(broken)
    capsys.readouterr()
    assert launch.run(evaluating.arguments(broken, tmp_path / "checked", pairs)) == 3
    log = capsys.readouterr().err
    assert "\nbefore training:" not in log  # The error says it.
    told = log[log.index("error: before training:") :]
    assert re.search(defect.found, told)
    assert not (tmp_path / "checked" / "seed_3").exists()

    if not defect.in_scores:
        return
    bindings = (pairs, "evaluate.check = False")
    assert launch.run(evaluating.arguments(broken, tmp_path / "trained", *bindings)) == 0
    got = _last(tmp_path / "trained")
    assert got["baseline"] == right["baseline"]
    noise = abs(right["export"] - right["baseline"])
    assert abs(got["export"] - got["baseline"]) > 3 * noise
