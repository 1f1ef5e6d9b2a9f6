"""A sweep fine-tunes its exports, so that its results say which choice fine-tunes better."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from exporter.evaluation import packages
from tests import layers
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
scores.method = @fine_tuning()
scores.seeds = [3]
text_files.train_file = '{_DATA}/train.tsv'
text_files.validation_file = '{_DATA}/validation.tsv'
fine_tuning.train_steps = 20
fine_tuning.seq_length = 24
fine_tuning.learning_rate = 5e-4
fine_tuning.validation_interval = 20
"""


@pytest.fixture(scope="module", name="layer")
def _layer() -> Iterator[None]:
    with layers.added("evaluate", "tensorflow_datasets"):
        yield


@pytest.mark.usefixtures("layer")
def test_scores_are_columns_of_the_results(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sweep.gin").write_text(_SWEEP)
    assert launcher_cases.run_sweep(tmp_path) == 0
    records = launcher_cases.records(tmp_path)
    accuracies = [record["fine_tuning.cls_accuracy"] for record in records.values()]
    assert list(records) == ["restored_pooler", "identity_pooler"]
    # Four classes, of which a fourth of the sentences are each.
    assert min(accuracies) > 0.3
    assert accuracies[0] != accuracies[1]
    log = (tmp_path / "out" / "identity_pooler.record" / "log.txt").read_text()
    assert "export, seed 3: step 20 of 20" in log
    assert "baseline" not in log


def test_without_the_trainers_packages(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "_MODULES", {"a-package": "no_such_module"})
    (tmp_path / "sweep.gin").write_text(_SWEEP)
    assert launcher_cases.run_sweep(tmp_path) == 2
    assert (
        "error: Fine-tuning, and the tasks of GLUE, need what TF-NLP's trainer imports: the group "
        "evaluate.\n"
        "  received: a Python without a-package\n"
    ) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
