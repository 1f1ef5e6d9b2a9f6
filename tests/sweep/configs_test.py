"""The sweeps that come with the project, each on bundled runs."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

import launch
from exporter import gin_files

_CONFIGS = gin_files.PROJECT_FOLDER / "configs" / "sweeps"
_TESTDATA = gin_files.PROJECT_FOLDER / "tests" / "testdata"
_BERT, _EMA = _TESTDATA / "bert_tiny", _TESTDATA / "ema_tiny"
_VOCABULARY = f"--vocab_file={_BERT}/vocab.txt"
_SMALL_VOCABULARY = f"--vocab_file={_TESTDATA}/uncased/vocab.txt"
# Encoders' sizes as the bundled runs have them.
_SIZE = """
include 'configs/encoders/bert_tiny.gin'
BertEncoderConfig.vocab_size = {vocab_size}
BertEncoderConfig.hidden_size = {hidden_size}
BertEncoderConfig.intermediate_size = {intermediate_size}
BertEncoderConfig.max_position_embeddings = {positions}
BertEncoderConfig.dropout_rate = 0.05
BertEncoderConfig.attention_dropout_rate = 0.05
tokenizer.vocab_file = '{vocabulary}'
"""


def _run(folder: pathlib.Path, name: str, *flags: str) -> list[dict[str, Any]]:
    """Runs a sweep and returns its records."""
    arguments = [f"--gin_file={_CONFIGS}/{name}.gin", f"--export_path={folder}/out", *flags]
    assert launch.run(["launch.py", "--mode=sweep", *arguments]) == 0
    text = (folder / "out" / "results.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_each_says_what_is_to_be_bound_and_is_tested_here() -> None:
    there = {path.stem for path in _CONFIGS.glob("*.gin")}
    tested = {name.removeprefix("test_sweep_of_") for name in globals()}
    assert there <= tested
    for name in there:
        text = (_CONFIGS / f"{name}.gin").read_text()
        assert f"--gin_file=configs/sweeps/{name}.gin" in text
        assert "# Must be bound: export.export_path (--export_path)" in text
        assert "# Commonly changed: " in text


def test_sweep_of_poolers_scored(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is planned; `scores_test` scores."""
    arguments = [
        f"--gin_file={_CONFIGS}/poolers_scored.gin",
        f"--export_path={tmp_path}/out",
        f"--pretraining_dir={_BERT}",
        _VOCABULARY,
        "--do_lower_case",
        f"--gin_params=text_files.train_file = '{_TESTDATA}/sentences/train.tsv'",
        f"--gin_params=text_files.validation_file = '{_TESTDATA}/sentences/validation.tsv'",
        "--dry_run",
    ]
    assert launch.run(["launch.py", "--mode=sweep", *arguments]) == 0
    assert "3 to be exported, 0 complete\n" in capsys.readouterr().out


def test_sweep_of_poolers_lengths(tmp_path: pathlib.Path) -> None:
    records = _run(
        tmp_path,
        "poolers_lengths",
        f"--pretraining_dir={_BERT}",
        _VOCABULARY,
        "--do_lower_case",
        "--gin_params=pooler/axis.values = [@restored_pooler, @identity_pooler]",
        "--gin_params=length/axis.values = [32, 64]",
        "--verify=off",
    )
    assert [record["name"] for record in records] == [
        "restored_pooler-32",
        "restored_pooler-64",
        "identity_pooler-32",
        "identity_pooler-64",
    ]
    out = tmp_path / "out"
    encoders = [path.stat().st_ino for path in out.glob("*/encoder/saved_model.pb")]
    assert (len(encoders), len(set(encoders))) == (4, 1)
    weights = [path.stat().st_ino for path in out.glob("*/encoder/variables/variables.data*")]
    # What the poolers have in common is a file of its own.
    assert (len(weights), len(set(weights))) == (8, 3)
    texts = [path.stat().st_ino for path in out.glob("*/preprocessing/saved_model.pb")]
    assert (len(texts), len(set(texts))) == (4, 2)


def test_sweep_of_checkpoints(tmp_path: pathlib.Path) -> None:
    records = _run(tmp_path, "checkpoints", f"--pretraining_dir={_EMA}", _SMALL_VOCABULARY)
    assert [(record["name"], record["step"]) for record in records] == [
        ("step-300", 300),
        ("step-400", 400),
    ]
    assert {record["verification"] for record in records} == {"passed"}


def test_sweep_of_encoder_sizes(tmp_path: pathlib.Path) -> None:
    sizes = {
        "wide": {"hidden_size": 64, "intermediate_size": 128, "positions": 128}
        | {"vocab_size": 3391, "vocabulary": _BERT / "vocab.txt"},
        "narrow": {"hidden_size": 16, "intermediate_size": 32, "positions": 64}
        | {"vocab_size": 766, "vocabulary": _TESTDATA / "uncased" / "vocab.txt"},
    }
    for name, size in sizes.items():
        (tmp_path / f"{name}.gin").write_text(_SIZE.format(**size))
    values = [f"{tmp_path}/{name}.gin" for name in sizes]
    records = _run(
        tmp_path,
        "encoder_sizes",
        f"--gin_params=size/axis.values = {values}",
        f"--gin_params=checkpoint/axis.values = {[str(_BERT), str(_EMA)]}",
        "--export_type=model",
        "--do_lower_case",
    )
    assert [(record["name"], record["step"]) for record in records] == [
        ("wide", 6000),
        ("narrow", 400),
    ]
    assert records[0]["bytes"] > 2 * records[1]["bytes"]


def test_sweep_of_tokenizers_truncations(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vocab.txt").write_bytes((_BERT / "vocab.txt").read_bytes())
    (tmp_path / "spm.model").write_bytes((_TESTDATA / "spm" / "spm.model").read_bytes())
    monkeypatch.chdir(tmp_path)
    ways = ["first_only", "head_and_tail"]
    flag = f"--gin_params=truncation/axis.values = {ways}"
    records = _run(tmp_path, "tokenizers_truncations", flag, "--do_lower_case", "--verify=off")
    assert [(r["name"], r.get("vocab_file", None)) for r in records] == [
        ("vocab-first_only", "vocab.txt"),
        ("vocab-head_and_tail", "vocab.txt"),
        ("spm-first_only", None),
        ("spm-head_and_tail", None),
    ]
    assert all(any(path.iterdir()) for path in tmp_path.rglob("assets"))  # Links have no others.
