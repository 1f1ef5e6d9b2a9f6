"""Exports are scored without training, and like the encoder that TF-NLP's code builds."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import launch
from exporter import choices, errors, plans, settings
from exporter.evaluation import examples, frozen_arms, methods, quick_checks
from tests.evaluation import evaluating

_RUN = evaluating.RUN
_NOUNS = ("name", "value", "file", "line", "string", "object", "method", "class", "number", "list")
_KINDS = (
    "The function returns a {} of the module that is given.",
    "If the {} is not found, an error is raised and the program ends.",
)


def _split(start: int, count: int) -> examples.Split:
    """Sentences of two kinds in turn."""
    numbers = range(start, start + count)
    texts = [(_KINDS[n % 2].format(f"{_NOUNS[n % 10]} or {_NOUNS[n % 7]}"),) for n in numbers]
    return examples.Split(texts, [n % 2 for n in numbers])


_TASK = examples.Examples(
    "kinds",
    _split(0, 40),
    {"validation": _split(40, 20), "later": _split(60, 10)},
    ("returns", "raises"),
    "f1",
)
_PROBE = methods.LinearProbe(seq_length=24)
_WORDS = methods.MaskedWords(seq_length=24)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(evaluating.export(tmp_path_factory.mktemp("export") / "all"))


@pytest.fixture(scope="module")
def plan() -> plans.Plan:
    chosen = dataclasses.replace(
        choices.from_gin("all", "off"),
        encoder=settings.EncoderSettings(encoder_config_file=f"{_RUN}/params.yaml"),
        checkpoint=settings.CheckpointSettings(model_checkpoint_path=str(_RUN)),
        tokenizer=settings.TokenizerSettings(vocab_file=f"{_RUN}/vocab.txt", do_lower_case=True),
    )
    return plans.plan(chosen)


@pytest.fixture(autouse=True, scope="module")
def _loaded_once() -> Iterator[None]:
    """Exports are loaded once for all tests, which do not change them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen_arms, "exported", functools.cache(frozen_arms.exported))
        yield


def test_masked_words_of_both_arms(path: str, plan: plans.Plan) -> None:
    words = dataclasses.replace(_WORDS, max_examples=8)
    found = quick_checks.run(plan, path, _TASK, words, [3], check=True)

    assert [check.name for check in found.checks] == [
        "losses of masked words of validation, seed 3",
        "losses of masked words of later, seed 3",
    ]
    assert found.only_rounding
    assert found.examples == {"validation": 8, "later": 8}
    assert found.settings == {
        "method": "masked_words",
        "seq_length": 24,
        "max_examples": 8,
        "seeds": [3],
    }
    export, baseline = found.runs
    assert (export.arm, baseline.arm) == ("export", "baseline")
    for name, low, high in (
        ("top_1_accuracy", 0.05, 1.0),
        ("top_5_accuracy", 0.1, 1.0),
        ("pseudo_perplexity", 1.0, 1000.0),
        ("later/pseudo_perplexity", 1.0, 1000.0),
    ):
        assert low < export.metrics[name] < high, name
        assert export.metrics[name] == pytest.approx(baseline.metrics[name], rel=1e-4)
        assert export.intervals[name][0] <= export.metrics[name] <= export.intervals[name][1]
    alone, again = quick_checks.scores(path, _TASK, words, [3, 3])
    assert again == alone == export


def test_a_regression_of_vectors_of_the_text_embedding(path: str) -> None:
    """How many letters a text of two has is found in its vectors, roughly."""
    random = np.random.default_rng(1)

    def split(count: int) -> examples.Split:
        sizes = random.integers(1, 8, [count, 2])
        texts = [tuple("value " * size for size in pair) for pair in sizes.tolist()]
        return examples.Split(texts, sizes.sum(axis=1).astype(float).tolist())

    task = examples.Examples(
        "lengths", split(60), {"validation": split(30)}, (), "pearson_spearman_corr"
    )
    probe = methods.LinearProbe(vector="text_embedding", seq_length=24, max_examples=50)
    (run,) = quick_checks.scores(path, task, probe, [0])

    assert list(run.metrics) == ["mean_squared_error", "pearson_spearman_corr"]
    assert run.metrics["pearson_spearman_corr"] > 0.9


@pytest.fixture(scope="module")
def damaged(path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The export with casing that the vocabulary was not made for."""
    copied = evaluating.copied(pathlib.Path(path), tmp_path_factory.mktemp("damaged") / "all")
    shutil.rmtree(copied / "preprocessing")
    evaluating.export(
        copied / "preprocessing",
        "--export_type=preprocessing",
        "--do_lower_case=False",
        "--gin_params=checks.allow_unlikely_casing = True",
    )
    return str(copied)


def test_arms_that_differ_are_found_before_scoring(damaged: str, plan: plans.Plan) -> None:
    with pytest.raises(errors.VerificationError) as raised:
        quick_checks.run(plan, damaged, _TASK, _PROBE, [0], check=True)
    assert "FAILED  vectors of train: largest difference" in str(raised.value)
    assert "look at: the vocabulary, --do_lower_case, the checkpoint" in str(raised.value)


def test_arms_that_differ_are_found_in_scores(damaged: str, plan: plans.Plan) -> None:
    found = quick_checks.run(plan, damaged, _TASK, _WORDS, [0], check=False)
    export, baseline = found.runs
    assert found.checks == []
    assert export.metrics != baseline.metrics


@pytest.fixture(scope="module")
def parts(path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder without head, and the preprocessing."""
    folder = tmp_path_factory.mktemp("parts")
    evaluating.export(folder / "encoder", "--export_type=model")
    (folder / "preprocessing").symlink_to(f"{path}/preprocessing")
    return str(folder)


_NO_HEAD = (
    "Masked words need an encoder with its masked-language-model head, and [MASK].\n"
    "  received: {path} without head"
)
_NO_EMBEDDING = (
    "Vectors of the text embedding need an export that has it, as --export_type=all makes it.\n"
    "  received: {path}\n"
    "  example:  linear_probe.vector = 'pooled_output'"
)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (_WORDS, _NO_HEAD),
        (methods.LinearProbe(vector="text_embedding", seq_length=24), _NO_EMBEDDING),
    ],
    ids=["no head", "no text embedding"],
)
def test_what_an_export_lacks(parts: str, method: Any, message: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        quick_checks.scores(parts, _TASK, method, [0])
    assert str(raised.value) == message.format(path=parts)


def test_examples_without_words(path: str) -> None:
    task = dataclasses.replace(
        _TASK, validation={"validation": examples.Split([("",), (" ",)], [0, 1])}
    )
    with pytest.raises(errors.UserError) as raised:
        quick_checks.scores(path, task, _WORDS, [0])
    assert str(raised.value) == (
        "The examples to validate on must have words of the vocabulary.\n"
        "  received: 2 examples without any"
    )


_PROBING = (
    "evaluate.method = @linear_probe()",
    "evaluate.seeds = [0, 1]",
    "linear_probe.vector = 'mean'",
    "linear_probe.seq_length = 32",
)


def test_the_mode_probes_without_what_fine_tuning_needs(
    path: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "sklearn" else find_spec(name, package),
    )
    arguments = evaluating.arguments(pathlib.Path(path), tmp_path / "out", *_PROBING)
    assert launch.run(arguments) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("Evaluation of all on sentences/train\naccuracy: no difference")
    found = evaluating.results(tmp_path / "out")
    assert found["settings"] == {
        "method": "linear_probe",
        "vector": "mean",
        "seq_length": 32,
        "max_examples": 2000,
        "seeds": [0, 1],
    }
    assert found["examples"] == {"train": 480, "validation": 160}
    assert [check["status"] for check in found["checks"]] == ["passed", "passed"]
    assert len(found["runs"]) == 4
    for run in found["runs"]:
        low, high = run["intervals"]["accuracy"]
        assert 0.6 < low < run["metrics"]["accuracy"] < high <= 1.0  # By chance: 0.35.


_MISTAKES = {
    "evaluate.method = 'linear_probe'": (
        "error: evaluate.method must be the call of a method, or None to fine-tune.\n"
        "  received: 'linear_probe'\n"
        "  where:    --gin_params=evaluate.method = 'linear_probe'\n"
        "  example:  evaluate.method = @linear_probe()\n"
    ),
    "linear_probe.vector = 'cls'": (
        "error: linear_probe.vector must be one of pooled_output, first_token, mean, "
        "text_embedding.\n"
        "  received: 'cls'\n"
        "  where:    --gin_params=linear_probe.vector = 'cls'\n"
        "  example:  linear_probe.vector = 'mean'\n"
    ),
    "linear_probe.max_examples = 1": (
        "error: linear_probe.max_examples must be a whole number, at least 2.\n"
        "  received: 1\n"
        "  where:    --gin_params=linear_probe.max_examples = 1\n"
        "  example:  linear_probe.max_examples = 64\n"
    ),
    "linear_probe.seq_length = 200": (
        "error: linear_probe.seq_length must not be more than the encoder has positions for.\n"
        "  received: 200\n"
        "  where:    --gin_params=linear_probe.seq_length = 200\n"
        "  example:  linear_probe.seq_length = 128\n"
    ),
}


@pytest.mark.parametrize("binding", _MISTAKES)
def test_mistakes_are_told(
    binding: str, path: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = evaluating.arguments(pathlib.Path(path), tmp_path / "out", *_PROBING, binding)
    assert launch.run(arguments) == 2
    log = capsys.readouterr().err
    assert log[log.index("error: ") :] == _MISTAKES[binding]
    assert not (tmp_path / "out").exists()
