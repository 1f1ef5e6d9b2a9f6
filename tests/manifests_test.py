"""The manifest names each file of an export with its digest, and tells what was changed since."""

from __future__ import annotations

import hashlib
import json
import pathlib

import pytest
import tensorflow as tf

from exporter import errors, manifests

_ORIGIN = {"kind": "model", "packages": {"tensorflow": "2.20.0"}}


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "export"
    (path / "assets").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / "assets" / "vocab.txt").write_bytes(b"[PAD]\n" * 300_000)  # Of two slices.
    return path


def test_digests(path: pathlib.Path) -> None:
    assert manifests.digests(str(path)) == {
        "assets/vocab.txt": {
            "sha256": hashlib.sha256(b"[PAD]\n" * 300_000).hexdigest(),
            "size": 1_800_000,
        },
        "saved_model.pb": {
            "sha256": "eef93e1d14482804277fca0172464032d1a4fdbcc338524059fa1e861454ad4d",
            "size": 5,
        },
    }


def test_what_is_written_is_read(path: pathlib.Path) -> None:
    manifests.write(str(path), _ORIGIN)
    manifest = manifests.read(str(path))
    assert manifest is not None
    assert manifest == {
        "manifest_version": 1,
        **_ORIGIN,
        "files": manifests.digests(str(path)),
    }
    assert manifests.differences(str(path), manifest) == []
    text = (path / "assets.extra" / "export_manifest.json").read_text()
    assert json.loads(text) == manifest
    assert text.endswith("}\n")


def test_no_manifest(path: pathlib.Path) -> None:
    assert manifests.read(str(path)) is None


def _flip(file: pathlib.Path) -> None:
    file.write_bytes(b"Graph")


def _grow(file: pathlib.Path) -> None:
    file.write_bytes(b"graph and more")


def _add(file: pathlib.Path) -> None:
    (file.parent / "assets.extra" / "notes.txt").write_text("mine")


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (_flip, ["saved_model.pb has other bytes"]),
        (_grow, ["saved_model.pb has 14 bytes, not 5"]),
        (pathlib.Path.unlink, ["saved_model.pb is missing"]),
        (_add, ["assets.extra/notes.txt was added"]),
    ],
)
def test_differences(path: pathlib.Path, change: object, lines: list[str]) -> None:
    manifests.write(str(path), _ORIGIN)
    manifest = manifests.read(str(path))
    assert manifest is not None
    assert callable(change)
    change(path / "saved_model.pb")
    assert manifests.differences(str(path), manifest) == lines


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "TypeError: list indices must be integers or slices, not str"),
        ("{}", "KeyError: 'manifest_version'"),
        ('{"manifest_version": 2, "files": {}}', "2"),
        ('{"manifest_version": 1, "files": {"a": {"size": 1}}}', "1"),
        ('{"manifest_version": 1, "files": [1]}', "IndexError: list index out of range"),
        ("[" * 100_000, "RecursionError: "),
        ("\udcff", "UnicodeDecodeError: "),
    ],
)
def test_no_manifest_of_ours(path: pathlib.Path, text: str, what: str) -> None:
    file = path / "assets.extra" / "export_manifest.json"
    file.parent.mkdir()
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(errors.UserError) as raised:
        manifests.read(str(path))
    assert str(raised.value).startswith(
        "An export's manifest must be of version 1, with the digests of all files.\n"
        f"  received: {file} ({what}"
    )


def test_other_file_systems() -> None:
    path = "ram://manifests/export"
    with tf.io.gfile.GFile(f"{path}/saved_model.pb", "w") as file:
        file.write("graph")
    manifests.write(path, _ORIGIN)
    manifest = manifests.read(path)
    assert manifest is not None
    assert list(manifest["files"]) == ["saved_model.pb"]
    assert manifests.differences(path, manifest) == []
