"""A sweep scores its exports, so that its results say which choice serves a task best."""

from __future__ import annotations

import csv
import math
import pathlib

import pytest

from exporter.evaluation import methods, text_files
from exporter.evaluation.records import ArmRun
from exporter.sweep import scores
from tests.sweep import launcher_cases

_DATA = launcher_cases.TESTDATA / "sentences"
_RUN = launcher_cases.TESTDATA / "bert_tiny"
_SWEEP = f"""
tokenizer.vocab_file = '{_RUN}/vocab.txt'
tokenizer.do_lower_case = True
checkpoint.model_checkpoint_path = '{_RUN}'
encoder.encoder_config_file = '{_RUN}/params.yaml'
export.export_type = 'all'
export.verify = 'off'

sweep.points = @axis()
axis.name = 'export.pooler'
axis.values = [@restored_pooler, @identity_pooler]
sweep.evaluate = @scores()
scores.task = @text_files()
scores.method = @linear_probe()
scores.seeds = [0, 1]
text_files.train_file = '{_DATA}/train.tsv'
text_files.validation_file = '{_DATA}/validation.tsv'
linear_probe.seq_length = 24
linear_probe.max_examples = 150
"""
_SCORES = [f"linear_probe.accuracy{ending}" for ending in ("", ".spread", ".low", ".high")]


def _write(folder: pathlib.Path, more: str = "") -> None:
    (folder / "sweep.gin").write_text(f"{_SWEEP}\n{more}")


class TestSweep:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
        folder = tmp_path_factory.mktemp("sweep")
        _write(folder)
        assert launcher_cases.run_sweep(folder) == 0
        return folder

    def test_scores_are_columns_of_the_results(self, folder: pathlib.Path) -> None:
        records = launcher_cases.records(folder)
        assert set(records) == {"restored_pooler", "identity_pooler"}
        for record in records.values():
            assert [name for name in record if "linear_probe" in name] == _SCORES
            accuracy, spread, low, high = (record[name] for name in _SCORES)
            assert 0.35 < low < accuracy < high < 1.0
            assert spread >= 0.0
        accuracies = {record["linear_probe.accuracy"] for record in records.values()}
        assert len(accuracies) == 2, "another pooler has another score"
        with open(folder / "out" / "results.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == list(records)
        assert {float(row["linear_probe.accuracy"]) for row in rows} == accuracies

    def test_what_was_scored_is_complete(
        self, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = launcher_cases.records(folder)
        capsys.readouterr()
        assert launcher_cases.run_sweep(folder) == 0
        assert "0 succeeded, 2 skipped, 0 failed" in capsys.readouterr().out
        assert launcher_cases.records(folder) == before

    def test_other_scores_are_to_be_taken_again(
        self, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for more in ("scores.seeds = [2]", "linear_probe.vector = 'mean'"):
            _write(folder, more)
            capsys.readouterr()
            assert launcher_cases.run_sweep(folder, "--dry_run") == 0
            assert "2 to be exported, 0 complete" in capsys.readouterr().out, more


_MISTAKES = {
    "sweep.evaluate = 'accuracy'": (
        "error: sweep.evaluate must be an object, or a list of objects, which gin makes of names "
        "with parentheses.\n"
        "  received: 'accuracy'\n"
        "  where:    {file}:21\n"
        "  example:  sweep.evaluate = [@scores(), @throughput()]\n"
    ),
    "scores.task = 'mnli'": (
        "error: scores.task must be the call of a task.\n"
        "  received: 'mnli'\n"
        "  where:    {file}:21\n"
        "  example:  scores.task = @text_files()\n"
    ),
    "scores.method = 'probe'": (
        "error: scores.method must be the call of a method.\n"
        "  received: 'probe'\n"
        "  where:    {file}:21\n"
        "  example:  scores.method = @linear_probe()\n"
    ),
    "scores.seeds = [1, 1]": (
        "error: scores.seeds must be different whole numbers from 0.\n"
        "  received: [1, 1]\n"
        "  where:    {file}:21\n"
        "  example:  scores.seeds = [0, 1, 2]\n"
    ),
    "linear_probe.vector = 'cls'": (
        "error: linear_probe.vector must be one of pooled_output, first_token, mean, "
        "text_embedding.\n"
        "  received: 'cls'\n"
        "  where:    {file}:21\n"
        "  example:  linear_probe.vector = 'mean'\n"
    ),
    "export.export_type = 'model'": (
        "error: sweep.evaluate = @scores() needs exports of the type all.\n"
        "  received: 'model' in restored_pooler\n"
        "  where:    {file}:12\n"
        "  example:  export.export_type = 'all'\n"
    ),
}


@pytest.mark.parametrize("more", _MISTAKES)
def test_mistakes_are_told_before_anything_starts(
    more: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, more)
    assert launcher_cases.run_sweep(tmp_path) == 2
    log = capsys.readouterr().err
    assert log[log.index("error: ") :] == _MISTAKES[more].format(file=tmp_path / "sweep.gin")
    assert not (tmp_path / "out").exists()


def test_an_export_that_cannot_be_scored_has_failed(
    tmp_path: pathlib.Path,
) -> None:
    _write(tmp_path, "linear_probe.seq_length = 300\naxis.values = [@identity_pooler]")
    assert launcher_cases.run_sweep(tmp_path) == launcher_cases.INCOMPLETE
    (record,) = launcher_cases.records(tmp_path).values()
    assert record["status"] == "failed"
    assert record["message"].startswith(
        "linear_probe.seq_length must not be more than the encoder has positions for."
    )


def test_scores_are_means_over_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    from exporter.evaluation import quick_checks

    runs = [
        ArmRun(
            "export",
            0,
            {"f1": 0.5, "loss": 2.0, "correlation": math.nan},
            intervals={"f1": (0.4, 0.6)},
        ),
        ArmRun(
            "export", 1, {"f1": 0.7, "loss": 4.0, "correlation": 0.5}, intervals={"f1": (0.6, 0.9)}
        ),
    ]
    monkeypatch.setattr(quick_checks, "scores", lambda *_: runs)
    task = text_files.TextFiles(f"{_DATA}/train.tsv", f"{_DATA}/validation.tsv")
    scored = scores.Scores(task, methods.MaskedWords(), (0, 1))
    assert scored.of("/export") == pytest.approx(
        {
            "masked_words.f1": 0.6,
            "masked_words.f1.spread": 0.02**0.5,
            "masked_words.f1.low": 0.5,
            "masked_words.f1.high": 0.75,
            "masked_words.loss": 3.0,
            "masked_words.loss.spread": 2**0.5,
        }
    )
