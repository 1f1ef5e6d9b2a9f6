"""The root configurable, called as gin calls it, on the bundled run."""

from __future__ import annotations

import json
import logging
import pathlib
import subprocess
import sys
from typing import Any

import gin
import numpy as np
import pytest
import tensorflow as tf

from exporter import errors, export
from tests import encoder_exports, testing
from tests.conformance import comparison

_RUN = testing.TESTDATA / "bert_tiny"
_PREFIX = encoder_exports.bundled_run()[0]
_FILES = {
    "encoder.encoder_config_file": f"{_RUN}/params.yaml",
    "checkpoint.model_checkpoint_path": _PREFIX,
    "tokenizer.vocab_file": f"{_RUN}/vocab.txt",
    "tokenizer.do_lower_case": True,
}
_REFUSED_EARLY = """\
import json, sys
import gin
from exporter import errors, export

gin.parse_config(json.load(sys.stdin))
try:
    export.export()
except Exception as error:
    while error.__context__ is not None:  # Gin raises a copy.
        error = error.__context__
    print(json.dumps([type(error).__name__, str(error), "tensorflow" in sys.modules]))
"""


def _bind(folder: pathlib.Path, **changes: Any) -> pathlib.Path:
    """Binds the bundled run's files and what `changes` says of `export`; returns the target."""
    target = folder / "export"
    bindings = {**_FILES, "export.export_path": str(target)}
    bindings |= {f"export.{name}": value for name, value in changes.items()}
    for name, value in bindings.items():
        gin.bind_parameter(f"exporter.{name}", value)
    return target


def _inputs() -> dict[str, tf.Tensor]:
    case = testing.Case("", "bert", {"vocab_size": 3000, "type_vocab_size": 2})
    return comparison.inputs(case, 3, 7)


def _source(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Runs TF-NLP's encoder and head, restored by TensorFlow, nothing of ours used."""
    architecture = encoder_exports.bundled_run()[1].config
    case = testing.Case("", architecture.type, architecture.get().as_dict())
    source = testing.build(case)
    checkpoint = tf.train.Checkpoint(**source.items("items"))
    checkpoint.read(_PREFIX).expect_partial()
    return source(inputs)


class TestRefusals:
    @pytest.mark.parametrize(
        ("bindings", "message"),
        [
            (
                ["export.export_type = 'modle'", "tokenizer.vocab_file = 'v'"],
                (
                    "--export_type must be one of model, model_with_mlm, preprocessing, "
                    "text_embedding, all.\n  received: 'modle'\n  example:  --export_type=model"
                ),
            ),
            (
                [
                    "export.export_type = 'preprocessing'",
                    "export.verify = 'fast'",
                    "tokenizer.vocab_file = 'v'",
                ],
                (
                    "--verify must be one of off, quick, full.\n  received: 'fast'\n"
                    "  example:  --verify=off"
                ),
            ),
            (
                [
                    "export.export_type = 'preprocessing'",
                    "preprocessing.truncation = 'only_first'",
                    "tokenizer.vocab_file = 'v'",
                ],
                (
                    "preprocessing.truncation must be one of equal_size, longest_first, "
                    "first_only, waterfall, head_and_tail.\n  received: 'only_first'\n"
                    "  example:  preprocessing.truncation = 'equal_size'"
                ),
            ),
            (
                [
                    "export.export_type = 'preprocessing'",
                    "tokenizer.vocab_file = 'v'",
                    "encoder.pooled_output = 'max'",
                ],
                (
                    "encoder.pooled_output must be one of first_token, mean, last_token.\n"
                    "  received: 'max'\n  example:  encoder.pooled_output = 'first_token'"
                ),
            ),
            (
                [
                    "export.export_type = 'preprocessing'",
                    "tokenizer.vocab_file = 'v'",
                    "text_embedding.vector = 'max'",
                ],
                (
                    "text_embedding.vector must be one of pooled_output, first_token, mean, "
                    "mean_of_last_layers.\n"
                    "  received: 'max'\n  example:  text_embedding.vector = 'pooled_output'"
                ),
            ),
            (
                ["export.export_type = 'preprocessing'"],
                (
                    "Exactly one of --vocab_file and --sp_model_file is needed.\n  received: none\n"
                    "  example:  --vocab_file=vocab.txt"
                ),
            ),
            (
                ["tokenizer.vocab_file = 'v'", "encoder.encoder_config_file = 'e'"],
                (
                    "An encoder needs a checkpoint.\n"
                    "  example:  --model_checkpoint_path=bert_model.ckpt"
                ),
            ),
            (
                [
                    "export.export_type = 'preprocessing'",
                    "tokenizer.vocab_file = 'v'",
                    "preprocessing.default_seq_length = 2",
                ],
                (
                    "--default_seq_length must leave room for [CLS], one token and [SEP].\n"
                    "  received: 2\n  example:  --default_seq_length=128"
                ),
            ),
        ],
    )
    def test_before_tensorflow_is_imported(self, bindings: list[str], message: str) -> None:
        process = subprocess.run(
            [sys.executable, "-c", _REFUSED_EARLY],
            input=json.dumps([*bindings, "export.export_path = '/tmp/never_written'"]),
            capture_output=True,
            check=True,
            text=True,
        )
        assert json.loads(process.stdout) == ["UserError", message, False]

    def test_all_at_once(self, tmp_path: pathlib.Path) -> None:
        gin.bind_parameter("export.export_path", f"{tmp_path}/export")
        with pytest.raises(errors.UserErrors) as raised:
            export.export(export_type="all", verify="no")
        original = raised.value.__context__ or raised.value
        assert [error.setting for error in original.errors] == [
            "export.verify",
            "tokenizer.vocab_file",
            "encoder.encoder_config_file",
            "checkpoint.model_checkpoint_path",
        ]
        assert not list(tmp_path.iterdir())

    def test_an_existing_target(self, tmp_path: pathlib.Path) -> None:
        target = _bind(tmp_path)
        target.mkdir()
        (target / "saved_model.pb").write_text("old")
        with pytest.raises(errors.UserError, match="An existing export is not overwritten unasked"):
            export.export()
        assert (target / "saved_model.pb").read_text() == "old"
        assert [path.name for path in tmp_path.iterdir()] == ["export"]

    def test_another_configuration_leaves_nothing(self, tmp_path: pathlib.Path) -> None:
        _bind(tmp_path)
        (tmp_path / "encoder.yaml").write_text("bert: {vocab_size: 3391, hidden_size: 60}")
        gin.bind_parameter("encoder.encoder_config_file", f"{tmp_path}/encoder.yaml")
        with pytest.raises(errors.UserError):
            export.export()
        assert [path.name for path in tmp_path.iterdir()] == ["encoder.yaml"]


def test_a_dry_run_writes_nothing(tmp_path: pathlib.Path) -> None:
    _bind(tmp_path, export_type="model_with_mlm", dry_run=True)
    assert export.export() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("export_type", ["model", "model_with_mlm"])
def test_the_bundled_run(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, export_type: str
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    target = _bind(tmp_path, export_type=export_type)
    assert export.export() == str(target)
    log = "\n".join(caplog.messages)
    assert " values restored (encoder=); ignored: " in log
    assert "encoder:\n  ok " in log
    assert "FAILED" not in log
    # The export, and the record beside it.
    assert {path.name for path in tmp_path.iterdir()} <= {"export", "export.record"}
    inputs = _inputs()
    loaded = tf.saved_model.load(str(target))
    assert hasattr(loaded, "mlm") == (export_type == "model_with_mlm")
    call = loaded
    if export_type == "model_with_mlm":
        inputs = comparison.with_positions(inputs, loaded(inputs)["sequence_output"])
        call = loaded.mlm
    comparison.assert_same_outputs(_source(inputs), call(inputs))
    vocabulary = pathlib.Path(loaded.vocab_file.asset_path.numpy().decode())
    assert vocabulary.read_bytes() == (_RUN / "vocab.txt").read_bytes()
    assert loaded.do_lower_case.numpy() == np.True_


def test_overwriting(tmp_path: pathlib.Path) -> None:
    target = _bind(tmp_path, overwrite=True, verify="off")
    target.mkdir()
    (target / "saved_model.pb").write_text("old")
    assert export.export() == str(target)
    assert len(tf.saved_model.load(str(target)).variables) == 39
    assert {path.name for path in tmp_path.iterdir()} <= {"export", "export.record"}
