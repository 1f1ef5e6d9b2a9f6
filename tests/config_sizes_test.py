"""Numbers in an encoder's configuration that no encoder can have."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from official.nlp.configs import encoders as tfnlp_encoders

import launch
from exporter import checkpoints, config_sizes, encoder_configs
from tests import testing
from tests.conformance import goldens

_RUN = testing.TESTDATA / "bert_tiny"
_NAN, _INFINITE = float("nan"), float("inf")


def _architecture(encoder_type: str, **values: Any) -> encoder_configs.Architecture:
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    for name, value in values.items():
        setattr(config.get(), name, value)
    return encoder_configs.Architecture(config, None, "FILE")


def _told(encoder_type: str, **values: Any) -> list[str]:
    found = config_sizes.mistakes(_architecture(encoder_type, **values), "the.setting")
    assert all(mistake.setting == "the.setting" for mistake in found)
    return [mistake.rule for mistake in found]


@pytest.mark.parametrize(
    ("encoder_type", "name", "value", "rule"),
    [
        ("bert", "num_layers", 200000000, "must be from 0 to 1000"),
        ("mobilebert", "num_blocks", 1001, "must be from 0 to 1000"),
        ("mobilebert", "num_feedforward_networks", 10**9, "must be from 0 to 1000"),
        ("xlnet", "num_layers", -1, "must be from 0 to 1000"),
        ("bert", "dropout_rate", _NAN, "must be a number from 0 to 1"),
        ("fnet", "attention_dropout", 1.5, "must be a number from 0 to 1"),
        ("mobilebert", "hidden_dropout_prob", -0.1, "must be a number from 0 to 1"),
        ("albert", "initializer_range", _INFINITE, "must be a finite number"),
        ("bigbird", "num_attention_heads", 0, "must be at least 1"),
        ("kernel", "hidden_size", 0, "must be at least 1"),
        ("mobilebert", "word_vocab_size", 0, "must be at least 1"),
    ],
)
def test_mistakes(encoder_type: str, name: str, value: Any, rule: str) -> None:
    told = _told(encoder_type, **{name: value})
    assert told == [f"{name} in the encoder's configuration {rule}."]


def test_what_may_be() -> None:
    assert _told("bert", num_layers=0, dropout_rate=1, attention_dropout_rate=0.0) == []
    assert _told("bert", num_layers=1000, embedding_size=None) == []
    assert _told("fnet", num_attention_heads=0) == []  # It has no attention.
    assert _told("fnet", num_attention_heads=0, attention_layers=(1,)) != []
    assert _told("xlnet", clamp_length=-1) == []


@goldens.each((*goldens.ALL, *goldens.RARE))
def test_right_encoders(case: testing.Case) -> None:
    architecture = encoder_configs.Architecture(case.encoder_config(), None, "FILE")
    if architecture.type != "any":
        assert config_sizes.mistakes(architecture, "the.setting") == []


def test_what_no_checkpoint_has() -> None:
    checkpoint = checkpoints.read(str(_RUN / "ckpt-6000"))
    count = len(checkpoint.entries)
    told = {}
    for name, value in {
        "num_layers": count + 1,
        "intermediate_size": 10**9,
        "max_position_embeddings": 10**9,
        "hidden_size": 10**6,  # Not beyond everything: to be compared value by value.
    }.items():
        found = config_sizes.misfits(_architecture("bert", **{name: value}), checkpoint, "a.b")
        told[name] = [mistake.rule for mistake in found]
    start, largest = "in the encoder's configuration must not be larger than the", 3391 * 64
    assert told == {
        "num_layers": [f"num_layers {start} number of values in the checkpoint, {count}."],
        "intermediate_size": [
            f"intermediate_size {start} largest value in the checkpoint, {largest} numbers."
        ],
        "max_position_embeddings": [
            f"max_position_embeddings {start} largest value in the checkpoint, {largest} numbers."
        ],
        "hidden_size": [],
    }
    albert = _architecture("albert", num_layers=count + 1)
    assert config_sizes.misfits(albert, checkpoint, "a.b") == []  # Its layers share their values.


def test_a_dry_run_tells_where(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = (_RUN / "params.yaml").read_text()
    assert "num_layers: 2\n" in params
    file = tmp_path / "params.yaml"
    file.write_text(params.replace("num_layers: 2\n", "num_layers: 200000000\n"))
    arguments = [
        "launch.py",
        f"--encoder_config_file={file}",
        f"--model_checkpoint_path={_RUN}/ckpt-6000",
        f"--vocab_file={_RUN}/vocab.txt",
        "--do_lower_case=true",
        f"--export_path={tmp_path}/out",
    ]
    for more in ([], ["--dry_run"]):
        assert launch.run([*arguments, *more]) == 2
        assert capsys.readouterr().err.endswith(
            "error: num_layers in the encoder's configuration must be from 0 to 1000.\n"
            f"  received: num_layers: 200000000 in {file}\n"
            f"  where:    --encoder_config_file={file}\n"
            "  example:  num_layers: 12\n"
        )
