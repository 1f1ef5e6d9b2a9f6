"""SavedModels of encoders with broken files."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from exporter import manifests, warmups
from tests import testing
from tests.planted_defects import ENCODER, PREPROCESSING, Defect, Right, copied, edit_graph, nodes


def _asset(path: pathlib.Path) -> pathlib.Path:
    return path / "assets" / "vocab.txt"


def _append(path: pathlib.Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _sentencepiece(path: pathlib.Path) -> None:
    shutil.copy(testing.TESTDATA / "spm" / "spm.model", _asset(path))


def _linked(path: pathlib.Path) -> None:
    elsewhere = path.with_name("vocabulary_elsewhere.txt")
    shutil.move(_asset(path), elsewhere)
    os.symlink(elsewhere, _asset(path))


def _leaked_path(path: pathlib.Path) -> None:
    def change(saved_model: Any) -> None:
        saved_model.meta_graphs[0].graph_def.node[0].attr["_note"].s = b"/home/someone/vocab.txt"

    edit_graph(path, change)


def _leaked_folder(path: pathlib.Path) -> None:
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "origin.txt").write_text(f"made in {pathlib.Path.cwd()}")


def _text_in_graph(text: str) -> Callable[[pathlib.Path], None]:
    def change(saved_model: Any) -> None:
        node = saved_model.meta_graphs[0].graph_def.node.add(name="text", op="Const")
        node.attr["dtype"].type = tf.string.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))

    return lambda path: edit_graph(path, change)


def _added(name: str, data: bytes = b"x") -> Callable[[pathlib.Path], None]:
    def change(path: pathlib.Path) -> None:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(data)

    return change


def _linked_folder(path: pathlib.Path) -> None:
    elsewhere = path.with_name("assets_elsewhere")
    shutil.move(path / "assets", elsewhere)
    os.symlink(elsewhere, path / "assets")


def _warmup_of_others(path: pathlib.Path) -> None:
    """Requests for inputs of another name."""
    warmups.write(str(path), batch_sizes=[1], seq_lengths=[4])
    file = path / warmups.FILE
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record.replace(b"input_mask", b"input_mark"))


def _fingerprint_of_others(right: Right, path: pathlib.Path) -> None:
    shutil.copytree(right.path(ENCODER), path)
    shutil.copy(right.path(PREPROCESSING) / "fingerprint.pb", path)


def _python_op(path: pathlib.Path) -> None:
    def change(saved_model: Any) -> None:
        node = saved_model.meta_graphs[0].graph_def.node.add()
        node.name, node.op = "python", "EagerPyFunc"

    edit_graph(path, change)


def _unknown_op(path: pathlib.Path) -> None:
    def change(saved_model: Any) -> None:
        next(node for node in nodes(saved_model) if node.op == "Tanh").op = "MyTanh"

    edit_graph(path, change)


def _truncated(name: str) -> Callable[[pathlib.Path], None]:
    def change(path: pathlib.Path) -> None:
        file = path / name
        file.write_bytes(file.read_bytes()[:-50])

    return change


def _flipped(path: pathlib.Path) -> None:
    file = path / "variables" / "variables.data-00000-of-00002"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _with_manifest(change: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
    def plant(path: pathlib.Path) -> None:
        manifests.write(str(path), {})
        change(path)

    return plant


def _other_digest(path: pathlib.Path) -> None:
    file = path / manifests.FILE
    manifest = json.loads(file.read_text())
    manifest["files"]["saved_model.pb"]["sha256"] = "0" * 64
    file.write_text(json.dumps(manifest))


_MANIFEST = "files: as the manifest has them"
_STRAY = "files: those of a SavedModel, and no others"
_SILENT = "files: graph and names tell of no machine"
_WARMUP = "files: warm-up requests can be answered"
_FILES = (
    (
        "vocabulary renamed",
        lambda path: _asset(path).rename(path / "assets" / "words.txt"),
        "assets: the vocabulary",
    ),
    ("a SentencePiece model for a vocabulary", _sentencepiece, "assets: the vocabulary"),
    ("vocabulary empty", lambda path: _asset(path).write_text(""), "assets: the vocabulary"),
    (
        "more pieces than words",
        lambda path: _append(_asset(path), "more\npieces\n"),
        "assets: as many pieces as words",
    ),
    ("a link for a file", _linked, "files: no links"),
    ("a path in the graph", _leaked_path, "files: graph and names tell of no machine"),
    ("a folder in an extra asset", _leaked_folder, "files: none tells of a machine"),
    ("a path of any root", _text_in_graph("/scratch7/someone/run"), _SILENT),
    ("a storage's address", _text_in_graph("from gs://bucket/run/ckpt-1"), _SILENT),
    ("a path of Windows", _text_in_graph(r"D:\runs\vocab.txt"), _SILENT),
    (
        "a path in the vocabulary",
        lambda path: _append(_asset(path), "/home/someone/vocab.txt\n"),
        "files: none tells of a machine",
    ),
    ("a stray asset", _added("assets/notes.sh"), _STRAY),
    ("a stray data file", _added("variables/variables.data-00003-of-00007"), _STRAY),
    ("a hidden file", _added("assets.extra/.DS_Store"), _STRAY),
    ("an empty folder", lambda path: (path / "tmp").mkdir(), _STRAY),
    ("a link for a folder", _linked_folder, "files: no links"),
    ("warm-up requests that are none", _added(warmups.FILE, b"x" * 99), _WARMUP),
    ("warm-up requests of other inputs", _warmup_of_others, _WARMUP),
    ("an op of Python", _python_op, "ops: all can be served"),
    ("an unknown op", _unknown_op, "loading"),
    ("a stray file", lambda path: (path / "notes.txt").write_text("to do"), _STRAY),
    (
        "a stray folder",
        lambda path: (path / "tmp").mkdir() or (path / "tmp" / "x").write_text("x"),
        _STRAY,
    ),
    ("a truncated graph", _truncated("saved_model.pb"), "loading"),
    ("truncated variables", _truncated("variables/variables.data-00000-of-00002"), "loading"),
    ("a flipped bit", _flipped, "loading"),
    ("no variables", lambda path: shutil.rmtree(path / "variables"), "loading"),
    (
        "a file changed after the export",
        _with_manifest(lambda path: _append(_asset(path), "x\n")),
        _MANIFEST,
    ),
    (
        "a file added after the export",
        _with_manifest(lambda path: (path / "assets" / "x").write_text("x")),
        _MANIFEST,
    ),
    ("a file lost after the export", _with_manifest(lambda path: _asset(path).unlink()), _MANIFEST),
    ("another digest", _with_manifest(_other_digest), _MANIFEST),
    (
        "a manifest of another kind",
        lambda path: manifests.write(str(path), {"kind": "preprocessing"}),
        "manifest: describes the SavedModel",
    ),
    (
        "a manifest that is none",
        _with_manifest(lambda path: (path / manifests.FILE).write_text("{}")),
        _MANIFEST,
    ),
)


DEFECTS = (
    *(Defect(n, ENCODER, copied(ENCODER, change), found_by) for n, change, found_by in _FILES),
    Defect(
        "fingerprint of another model",
        ENCODER,
        _fingerprint_of_others,
        "files: the fingerprint is no other model's",
    ),
)
