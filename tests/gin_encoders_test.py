"""Encoders that a gin file composes, exported from gin files alone, equal to TF-NLP's own."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import pytest
import tensorflow as tf

import launch
from exporter import errors
from tests import testing
from tests.conformance import comparison, goldens

# The others are exported elsewhere; these two, from gin files alone.
CASES = tuple(goldens.named(name) for name in ("talking_heads_gated", "mobilebert_bypass"))
_BYPASSED = CASES[-1]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def pretrained(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[testing.Case], testing.SourceFiles]:
    """Returns a function that makes what pre-training leaves, once for each case."""
    folder = tmp_path_factory.mktemp("pretrained")
    return functools.cache(lambda case: testing.write_files(case, folder / case.name))


def _gin_file(files: testing.SourceFiles, *, forgotten: bool = False) -> str:
    """Writes a whole command as one gin file, with what pre-training had in its own or without."""
    case = files.case
    lines = [
        "export.export_type = 'model_with_mlm'",
        "export.verify = 'quick'",
        f"checkpoint.model_checkpoint_path = '{files.prefix}'",
        f"tokenizer.vocab_file = '{files.vocabulary}'",
        f"mlm.mlm_activation = '{case.mlm_activation}'",
    ]
    if case is not _BYPASSED or forgotten:
        name = type(case.encoder_config().get()).__name__
        lines += [f"encoder.type = '{case.type}'", f"encoder.config = @{name}()"]
        lines += [f"{name}.{field} = {value!r}" for field, value in case.config.items()]
    if not forgotten:
        (files.folder / "pretraining.gin").write_text("\n".join(case.gin_bindings))
        lines.append("include 'pretraining.gin'")
    path = files.folder / ("forgotten.gin" if forgotten else "export.gin")
    path.write_text("\n".join(lines))
    return str(path)


def _launch(*flags: str) -> int:
    return launch.run(["launch.py", *flags])


@each_case
def test_exports_from_gin_files_alone(
    case: testing.Case,
    pretrained: Callable[[testing.Case], testing.SourceFiles],
    tmp_path: pathlib.Path,
) -> None:
    files = pretrained(case)
    path = str(tmp_path / "export")
    assert _launch(f"--gin_file={_gin_file(files)}", f"--export_path={path}") == 0
    loaded = tf.saved_model.load(path)
    source = files.restore()
    inputs = comparison.inputs(case, batch=3, length=7)
    expected = source(inputs)
    with_positions = comparison.with_positions(inputs, expected["sequence_output"])
    comparison.assert_same_outputs(expected, loaded(inputs))
    comparison.assert_same_outputs(source(with_positions), loaded.mlm(with_positions))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("talking_heads", "talking-heads attention (was the pre-training gin file forgotten?)"),
        ("gated", "gated feed-forward (was the pre-training gin file forgotten?)"),
        ("rezero", "ReZero (was the pre-training gin file forgotten?)"),
        ("pre_norm", "output norm gamma"),
    ],
)
def test_refused_if_the_gin_file_is_forgotten(
    name: str,
    told: str,
    pretrained: Callable[[testing.Case], testing.SourceFiles],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gin_file = _gin_file(pretrained(goldens.named(name)), forgotten=True)
    path = tmp_path / "export"
    status = _launch(f"--gin_file={gin_file}", f"--export_path={path}")
    assert status == errors.EXIT_USER_ERROR
    assert told in capsys.readouterr().err
    assert not path.exists()


def test_refused_if_the_record_beside_the_checkpoint_says_otherwise(
    pretrained: Callable[[testing.Case], testing.SourceFiles],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a norm at the end, the weights of a pre-norm encoder fit those of any other."""
    bindings = (*goldens.TRANSFORMER_SCAFFOLD, "TransformerScaffold.norm_first = True")
    case = dataclasses.replace(goldens.named("pre_norm"), gin_bindings=bindings)
    files = pretrained(case)
    record = files.folder / "operative_config.train.gin"
    record.write_text("\n".join([*case.gin_bindings, "Trainer.train_dataset = None"]))
    flags = [f"--gin_file={_gin_file(files, forgotten=True)}", f"--export_path={tmp_path / 'out'}"]
    assert _launch(*flags) == errors.EXIT_USER_ERROR
    assert (
        "received: TransformerScaffold.norm_first is not set, trained with True "
        f"({record}:3)\n" in capsys.readouterr().err
    )
    assert _launch(*flags, "--gin_params=TransformerScaffold.norm_first = False") == 2
    assert "TransformerScaffold.norm_first = False, trained with True" in capsys.readouterr().err
    assert _launch(*flags, f"--gin_file={record}", "--dry_run") == 0
