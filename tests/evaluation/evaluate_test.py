"""`--mode=evaluate` on an export of the bundled run: results, interruption, mistakes."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

import launch
from exporter import gin_files
from tests import layers
from tests.evaluation import evaluating


@pytest.fixture(autouse=True, scope="module")
def _packages() -> Iterator[None]:
    with layers.added("evaluate", "tensorflow_datasets"):
        yield


@pytest.fixture(name="export", scope="module")
def _export(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return evaluating.export(tmp_path_factory.mktemp("exports") / "all")


def test_the_bundled_run_is_evaluated_by_one_file(
    export: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(gin_files.PROJECT_FOLDER)
    command = ("launch.py", "--mode=evaluate", "--gin_file=configs/demo_evaluation.gin")
    arguments = (f"--export_path={export}", f"--output_dir={tmp_path}")
    assert launch.run([*command, *arguments, "--gin_params=evaluate.seeds = [0]"]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("Evaluation of all on sentences/train\n")
    assert printed == (tmp_path / "results.txt").read_text(encoding="utf-8")
    found = evaluating.results(tmp_path)
    assert found["examples"] == {"train": 480, "validation": 160}
    assert [(check["name"], check["status"]) for check in found["checks"]] == [
        ("inputs of train", "passed"),
        ("inputs of validation", "passed"),
        ("first outputs", "passed"),
        ("first loss and gradients", "passed"),
        ("left out of weight decay", "passed"),
        ("dropout rates", "passed"),
        ("dropout in pooled_output", "passed"),
        ("dropout in sequence_output", "passed"),
    ]
    assert [check["found"] for check in found["checks"]][:2] == [
        "equal in 480 examples",
        "equal in 160 examples",
    ]
    runs = {run["arm"]: run for run in found["runs"]}
    assert set(runs) == {"export", "baseline"}
    for run in runs.values():
        assert run["metrics"]["cls_accuracy"] > 0.7  # By chance: 0.35.
        assert run["curve"]["validation_steps"] == [12, 24, 36, 48, 60]
        assert run["curve"]["steps"] == list(range(3, 61, 3))
        assert run["curve"]["train_loss"][-1] < 0.9 < 1.0 < run["curve"]["train_loss"][0]
        assert run["curve"]["validation"]["cls_accuracy"][-1] == run["metrics"]["cls_accuracy"]
        assert 0 < run["input_share"] < 1 < run["steps_per_second"]
        assert run["peak_memory_bytes"] > 100e6
    scores = [run["metrics"]["cls_accuracy"] for run in runs.values()]
    assert abs(scores[0] - scores[1]) < 0.1
    assert "evaluate.task = @text_files()" in (tmp_path / "parsed.gin").read_text()


def test_an_export_that_was_wrong_is_made_again_in_its_place(
    export: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = evaluating.copied(export, tmp_path / "all")
    evaluating.change_values(path / "encoder", lambda values: values[_BIAS].__iadd__(0.1))
    folder = tmp_path / "out"
    bindings = ("fine_tuning.train_steps = 1",)
    assert launch.run(evaluating.arguments(path, folder, *bindings)) == 3
    assert not folder.exists()

    evaluating.copied(export / "encoder" / "variables", path / "encoder" / "variables")
    assert launch.run(evaluating.arguments(path, folder, *bindings)) == 0
    begun = json.loads((folder / "begun_with.json").read_text(encoding="utf-8"))
    capsys.readouterr()

    # Of another baseline, what was found before says nothing.
    arguments = evaluating.arguments(path, folder, *bindings, "evaluate.check = False")
    for argument, other in _OTHER_BASELINES.items():
        assert launch.run([*arguments, argument]) == 2, argument
        assert f"  received: {folder}, with another {other}\n" in _told(capsys)
    assert json.loads((folder / "begun_with.json").read_text(encoding="utf-8")) == begun


_BIAS = "transformer/layer_1/intermediate/bias:0"
_OTHER_BASELINES = {
    "--copy_pooler_dense_to_encoder": "pooler, values of the checkpoint",
    "--gin_params=tokenizer.strip_accents = False": "casing, accents or special tokens",
    "--gin_params=preprocessing.truncation = 'first_only'": "truncation or padding",
    "--gin_params=BertEncoderConfig.dropout_rate = 0.0\npretraining.allow_overrides = "
    "['dropout_rate']": "encoder configuration",
}


def test_an_interrupted_evaluation_goes_on(
    export: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bindings = ("evaluate.check = False", "fine_tuning.validation_interval = 3")
    assert launch.run(evaluating.arguments(export, tmp_path / "whole", *bindings)) == 0
    whole = _runs(tmp_path / "whole")

    from exporter.evaluation import training

    train, calls = training.Trainer.train, []

    def interrupted(self: Any, num_steps: Any) -> Any:
        calls.append(int(num_steps))
        if len(calls) == 18:  # In the second arm, between its checkpoints of the steps 6 and 9.
            raise KeyboardInterrupt
        return train(self, num_steps)

    monkeypatch.setattr(training.Trainer, "train", interrupted)
    arguments = evaluating.arguments(export, tmp_path / "parts", *bindings)
    assert launch.run(arguments) == 130
    assert not (tmp_path / "parts" / "results.json").exists()

    assert not list((tmp_path / "parts" / "seed_3" / "export").glob("ckpt-*"))
    assert list((tmp_path / "parts" / "seed_3" / "baseline").glob("ckpt-6.*"))

    capsys.readouterr()
    assert launch.run(arguments) == 0
    log = capsys.readouterr().err
    assert "export, seed 3: complete\n" in log
    assert "baseline, seed 3: going on after step 6\n" in log
    assert calls == [1] * 22
    parts = _runs(tmp_path / "parts")
    # Another process of training is the same to the last bit, if it is not interrupted.
    for name in ("metrics", "curve"):
        assert parts["export"][name] == whole["export"][name]
    curve, expected = parts["baseline"]["curve"], whole["baseline"]["curve"]
    assert curve["steps"] == list(range(1, 11))
    assert curve["validation_steps"] == [3, 6, 9, 10]
    assert curve["train_loss"][:6] == expected["train_loss"][:6]
    # The same examples follow; only dropout is drawn anew.
    assert curve["train_loss"][6:] == pytest.approx(expected["train_loss"][6:], abs=0.1)

    capsys.readouterr()
    arguments.append("--gin_params=fine_tuning.learning_rate = 1e-4")
    assert launch.run(arguments) == 2
    folder = tmp_path / "parts"
    assert _told(capsys) == (
        "error: An evaluation goes on only with what it was begun with; another one needs another "
        "folder.\n"
        f"  received: {folder}, with another learning_rate\n"
        f"  where:    --output_dir={folder}\n"
        f"  example:  --output_dir={folder}.2\n"
    )


def _runs(folder: pathlib.Path) -> dict[str, Any]:
    return {run["arm"]: run for run in evaluating.results(folder)["runs"]}


def _told(capsys: pytest.CaptureFixture[str]) -> str:
    log = capsys.readouterr().err
    return log[log.index("error: ") :]


def test_scores_of_pairs_in_lines_of_json_by_an_albert(tmp_path: pathlib.Path) -> None:
    source = evaluating.ALBERT  # Whose SentencePiece model must outlive seeds and sessions.
    export = evaluating.export(tmp_path / "albert", source=source)
    rows = [
        {"a": f"The list has {n} names.", "b": "It has names." * (n % 3), "score": n % 5}
        for n in range(40)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    bindings = (
        f"text_files.train_file = '{path}'\ntext_files.validation_file = '{path}'",
        "text_files.text_columns = ['a', 'b']\ntext_files.label_column = 'score'",
        "text_files.kind = 'regression'",
        "fine_tuning.train_steps = 2\nfine_tuning.use_encoder_pooler = False",
    )
    command = evaluating.arguments(export, tmp_path / "out", *bindings, source=source)
    assert launch.run(command) == 0
    found = evaluating.results(tmp_path / "out")
    assert {check["status"] for check in found["checks"]} == {"passed"}
    for run in found["runs"]:
        metrics = run["metrics"]
        assert set(metrics) == {"mean_squared_error", "pearson_spearman_corr", "validation_loss"}
        # Scores are 2 in the mean, with a variance of 2; what is predicted is near 0 yet.
        assert 4 < metrics["mean_squared_error"] < 7
        # The loss is a mean of batches, of which the last has 8 examples and not 32.
        assert metrics["validation_loss"] == pytest.approx(metrics["mean_squared_error"], rel=0.2)

    # Without being told, a method takes no more tokens than there are positions.
    bindings = (*bindings[:3], "evaluate.method = @linear_probe()")
    command = evaluating.arguments(export, tmp_path / "probe", *bindings, source=source)
    assert launch.run(command) == 0
    found = evaluating.results(tmp_path / "probe")
    assert found["settings"]["seq_length"] == 64
    assert {check["status"] for check in found["checks"]} == {"passed"}


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    export: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output_dir = tmp_path / "out"
    arguments = [*evaluating.arguments(export, output_dir), "--dry_run"]
    assert launch.run(arguments) == 0
    printed = capsys.readouterr().out
    assert "fine_tuning.train_steps = 10\n" in printed
    assert printed.endswith(
        "Evaluation of all on sentences/train, not begun: a dry run\n"
        f"export               {export}\n"
        "examples             480 of train, 160 of validation\n"
        "steps                10 of 32 examples: 0.67 epochs\n"
        "runs                 2, of which 0 are complete\n"
        "classes              ['change', 'error', 'result']\n"
        "metric               accuracy\n"
        "batch_size           32\n"
        "seq_length           24\n"
        "learning_rate        0.0005\n"
        "warmup               0.1\n"
        "weight_decay         0.01\n"
        "use_encoder_pooler   True\n"
        "validation_interval  2\n"
        "seeds                [3]\n"
        f"output               {output_dir}\n"
    )
    assert not output_dir.exists()

    (output_dir / "seed_3").mkdir(parents=True)  # Begun, and nobody knows with what.
    assert launch.run(arguments) == 2
    assert f"  received: {output_dir}, whose begun_with.json cannot be read: " in _told(capsys)

    arguments.append("--gin_params=evaluate.method = @linear_probe()")
    assert launch.run(arguments) == 0
    printed = capsys.readouterr().out
    assert "\nseq_length    128, or all positions of the encoder\n" in printed


_MISTAKES: dict[str, tuple[str, str]] = {
    "another metric": (
        "text_files.metric = 'bleu'",
        (
            "error: text_files.metric must be one of accuracy, f1, matthews_corrcoef.\n"
            "  received: 'bleu'\n"
            "  where:    --gin_params=text_files.metric = 'bleu'\n"
            "  example:  text_files.metric = 'accuracy'\n"
        ),
    ),
    "no task": (
        "evaluate.task = 'mnli'",
        (
            "error: evaluate.task must be the call of a task.\n"
            "  received: 'mnli'\n"
            "  where:    --gin_params=evaluate.task = 'mnli'\n"
            "  example:  evaluate.task = @text_files()\n"
        ),
    ),
    "equal seeds": (
        "evaluate.seeds = [1, 1]",
        (
            "error: evaluate.seeds must be different whole numbers from 0.\n"
            "  received: [1, 1]\n"
            "  where:    --gin_params=evaluate.seeds = [1, 1]\n"
            "  example:  evaluate.seeds = [0, 1, 2]\n"
        ),
    ),
    "no such file": (
        "text_files.train_file = '/none/train.tsv'",
        (
            "error: The file must be there.\n"
            "  received: /none/train.tsv\n"
            "  where:    --gin_params=text_files.train_file = '/none/train.tsv'\n"
        ),
    ),
    "a rate": (
        "fine_tuning.warmup = 10",
        (
            "error: fine_tuning.warmup must be from 0 to 1.\n"
            "  received: 10\n"
            "  where:    --gin_params=fine_tuning.warmup = 10\n"
            "  example:  fine_tuning.warmup = 0.1\n"
        ),
    ),
    "too long": (
        "fine_tuning.seq_length = 256",
        (
            "error: fine_tuning.seq_length must not be more than the encoder has positions for.\n"
            "  received: 256\n"
            "  where:    --gin_params=fine_tuning.seq_length = 256\n"
            "  example:  fine_tuning.seq_length = 128\n"
        ),
    ),
}


@pytest.mark.parametrize("name", _MISTAKES)
def test_mistakes_are_told(
    name: str, export: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binding, expected = _MISTAKES[name]
    output_dir = tmp_path / "out"
    assert launch.run(evaluating.arguments(export, output_dir, binding)) == 2
    assert _told(capsys) == expected
    assert not output_dir.exists()


def test_an_export_of_one_part_is_not_enough(
    export: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch.run(evaluating.arguments(export / "encoder", tmp_path / "out")) == 2
    assert _told(capsys) == (
        "error: What is evaluated must be a folder with encoder and preprocessing, as "
        "--export_type=all makes it.\n"
        f"  received: {export}/encoder without encoder and preprocessing\n"
        f"  where:    --export_path={export}/encoder\n"
        "  example:  --export_path=/tmp/bert, with /tmp/bert/encoder/saved_model.pb\n"
    )


def test_without_its_packages_the_mode_says_how_to_get_them(
    export: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name in ("sklearn", "seqeval") else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert launch.run(evaluating.arguments(export, tmp_path / "out")) == 2
    assert _told(capsys) == (
        "error: Fine-tuning, and the tasks of GLUE, need what TF-NLP's trainer imports: the group "
        "evaluate.\n"
        "  received: a Python without scikit-learn, seqeval\n"
        "  example:  make .venv-evaluate; .venv-evaluate/bin/python launch.py --mode=evaluate ...\n"
    )
