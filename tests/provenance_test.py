"""What is recorded inside an export says what it was made from, and nothing of the machine."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import socket
from typing import Any

import pytest
import tensorflow as tf

import launch
from exporter import choices, provenance, settings
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tokenizer.vocab_file = '/home/someone/vocab.txt'", "tokenizer.vocab_file = 'vocab.txt'"),
        ("DIR = 'gs://bucket/someone/run/'", "DIR = 'run'"),
        ("a.b = [\"x/y\", '~/z']", "a.b = [\"y\", 'z']"),
        ("a.b = {'key': '/x/y'}", "a.b = {'key': 'y'}"),
        ("a.b = '/'", "a.b = '/'"),
        ("a.b = {'end_of_segment_id': '</s>'}", "a.b = {'end_of_segment_id': '</s>'}"),
        ("a.b = @scope/c()", "a.b = @scope/c()"),
        ("checks.ignored_values = ['head/.*']", "checks.ignored_values = ['head/.*']"),
    ],
)
def test_without_folders(line: str, expected: str) -> None:
    assert provenance.without_folders(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DIR = '/home/run/'", "DIR = '.'"),
        ("a.b = {'/home/run': '/home/run/x'}", "a.b = {'.': 'x'}"),
        ("a.b = 'runs'", "a.b = 'runs'"),
    ],
)
def test_not_even_the_names_of_chosen_folders(line: str, expected: str) -> None:
    assert provenance.without_folders(line, ["/home/run"]) == expected


@pytest.mark.parametrize("setting", ["pretraining.pretraining_dir", "checkpoint.checkpoint"])
def test_folders_that_were_chosen(setting: str, tmp_path: pathlib.Path) -> None:
    chosen = choices.from_gin(verify="off")
    assert provenance.folders(chosen) == ()
    run = settings.PretrainingSettings(pretraining_dir=f"{tmp_path}/")
    of_folder = settings.CheckpointSettings(model_checkpoint_path=str(tmp_path))
    of_files = settings.CheckpointSettings(model_checkpoint_path=f"{tmp_path}/ckpt-1")
    if setting == "pretraining.pretraining_dir":
        chosen = dataclasses.replace(chosen, pretraining=run, checkpoint=of_files)
        assert provenance.folders(chosen) == (f"{tmp_path}/",)
    else:
        chosen = dataclasses.replace(chosen, checkpoint=of_folder)
        assert provenance.folders(chosen) == (str(tmp_path),)


def _exported(run: pathlib.Path, path: pathlib.Path) -> dict[str, bytes]:
    flags = (f"--pretraining_dir={run}", f"--vocab_file={run}/vocab.txt", "--do_lower_case")
    command = ("launch.py", f"--export_path={path}", "--export_type=all", "--verify=off", *flags)
    assert launch.run(list(command)) == 0
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    card = path.with_name(f"{path.name}.record") / "README.md"
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in [*files, card]}


def test_the_same_bytes_whatever_the_run_is_called(tmp_path: pathlib.Path) -> None:
    found = []
    for name in ("one", "another/run"):
        run = shutil.copytree(_RUN, tmp_path / name)
        found.append(_exported(run, tmp_path / f"{name}_exports" / "all"))
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []


@pytest.fixture(name="export", scope="module")
def _export(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("someone") / "bert"
    gin_file = path.parent / "mine.gin"
    gin_file.write_text(
        f"VOCABULARY = '{_RUN}/vocab.txt'\n"
        "tokenizer.vocab_file = %VOCABULARY\n"
        "tokenizer.do_lower_case = True\n"
        f"export.export_path = '{path}'\n"
        "export.export_type = 'all'\n"
        "export.pooler = @next_sentence_pooler\n"
        "warmup.batch_sizes = [1, 2]\n"
        "warmup.seq_lengths = [8]\n"
    )
    flags = [f"--gin_file={gin_file}", f"--pretraining_dir={_RUN}", "--verify=off"]
    assert launch.run(["launch.py", *flags]) == 0
    return path


def _manifest(path: pathlib.Path) -> dict[str, Any]:
    text = (path / "assets.extra" / "export_manifest.json").read_text()
    manifest = json.loads(text)
    assert isinstance(manifest, dict)
    return manifest


def test_encoder(export: pathlib.Path) -> None:
    manifest = _manifest(export / "encoder")
    assert manifest["kind"] == "model_with_mlm"
    checkpoint = manifest["checkpoint"]
    assert len(checkpoint.pop("values_sha256")) == 64
    assert checkpoint == {
        "name": "ckpt-6000",
        "kind": "encoder=",
        "step": 6000,
        "weights": "raw",
        "num_values": 44,
        "pooler": "next_sentence_pooler",
    }
    assert manifest["encoder"]["type"] == "bert"
    assert manifest["encoder"]["mlm_activation"] == "gelu"
    assert manifest["encoder"]["config"]["hidden_size"] == 64
    assert manifest["vocabulary"] == {
        "name": "vocab.txt",
        "sha256": hashlib.sha256((_RUN / "vocab.txt").read_bytes()).hexdigest(),
        "num_pieces": 3391,
        "do_lower_case": True,
        "special_tokens": {
            "vocab_size": 3391,
            "padding_id": 0,
            "start_of_sequence_id": 2,
            "end_of_segment_id": 3,
            "mask_id": 4,
        },
    }
    assert manifest["verification"] == {
        "level": "off",
        "verdict": "not verified",
        "checks": [],
        "limit": 1e-5,
    }
    assert manifest["packages"]["tensorflow"] == importlib.metadata.version("tensorflow")
    assert manifest["gin"] == [
        "VOCABULARY = 'vocab.txt'",
        "export.export_type = 'all'",
        "export.pooler = @next_sentence_pooler",
        "pretraining.pretraining_dir = '.'",
        "tokenizer.do_lower_case = True",
        "tokenizer.vocab_file = %VOCABULARY",
        "warmup.batch_sizes = [1, 2]",
        "warmup.seq_lengths = [8]",
    ]


def test_what_has_text(export: pathlib.Path) -> None:
    assert {path.name: _manifest(path).get("seq_length") for path in export.iterdir()} == {
        "encoder": None,
        "preprocessing": 32,  # As in the run.
        "text_embedding": 32,
    }
    assert "checkpoint" not in _manifest(export / "preprocessing")
    assert _manifest(export / "text_embedding")["checkpoint"]["step"] == 6000


def test_every_file_is_listed(export: pathlib.Path) -> None:
    for path in export.iterdir():
        files = {str(f.relative_to(path)): f for f in path.rglob("*") if f.is_file()}
        files.pop("assets.extra/export_manifest.json")
        assert {name: entry["sha256"] for name, entry in _manifest(path)["files"].items()} == {
            name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()
        }
        assert "assets.extra/tf_serving_warmup_requests" in files


def test_nothing_of_the_machine(export: pathlib.Path) -> None:
    texts = [*export.rglob("*.json"), *export.rglob("*.pb"), *export.rglob("*_requests")]
    assert len(texts) == 4 * 3
    for file in texts:
        data = file.read_bytes()
        for name in (export.parent.name, str(_RUN.parent), f"/{socket.gethostname()}"):
            assert name.encode() not in data, (file, name)


def test_other_values_have_another_digest(tmp_path: pathlib.Path) -> None:
    run = testing.TESTDATA / "ema_tiny"
    digests = []
    for weights in ("raw", "ema"):
        path = tmp_path / weights
        flags = [
            f"--pretraining_dir={run}",
            f"--vocab_file={testing.TESTDATA}/uncased/vocab.txt",
            f"--weights={weights}",
            f"--export_path={path}",
            "--verify=off",
        ]
        assert launch.run(["launch.py", *flags]) == 0
        checkpoint = _manifest(path)["checkpoint"]
        assert checkpoint["weights"] == weights
        digests.append(checkpoint["values_sha256"])
    assert digests[0] != digests[1]
    tf.saved_model.load(str(tmp_path / "ema"))
