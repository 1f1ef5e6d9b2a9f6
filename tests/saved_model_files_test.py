"""Files of an export damaged one way each, and what is said before TensorFlow sees them."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
from tensorflow.core.protobuf import saved_model_pb2

import launch
from exporter import errors, saved_model_files
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_DATA = "variables/variables.data-00000-of-00001"
_MANIFEST = "assets.extra/export_manifest.json"
_TRIE = "assets/wordpiece_trie.zlib"


@pytest.fixture(name="intact", scope="module")
def _intact(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("exports") / "bert"
    flags = [f"--vocab_file={_RUN}/vocab.txt", "--do_lower_case=True", "--verify=off"]
    command = ["launch.py", f"--export_path={path}", "--export_type=preprocessing", *flags]
    assert launch.run(command) == 0
    return path


@pytest.fixture(name="export")
def _export(intact: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return shutil.copytree(intact, tmp_path / "export")


def _name_asset(path: pathlib.Path, name: str) -> None:
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    saved_model.meta_graphs[0].asset_file_def[0].filename = name
    path.write_bytes(saved_model.SerializeToString())


def _replace(path: pathlib.Path, put: Callable[[pathlib.Path], object]) -> None:
    path.unlink()
    put(path)


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _empty(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def _pipe(path: pathlib.Path) -> None:
    _replace(path, os.mkfifo)


def _folder(path: pathlib.Path) -> None:
    _replace(path, pathlib.Path.mkdir)


def _sized(size: int) -> Callable[[pathlib.Path], None]:
    return lambda path: os.truncate(path, size)


def _link(target: str) -> Callable[[pathlib.Path], None]:
    return lambda path: _replace(path, lambda new: new.symlink_to(target))


_NOT_ORDINARY = "is no ordinary file of its kind"
_DAMAGES: dict[str, tuple[str, Callable[[pathlib.Path], object], str]] = {
    "graph cut off": ("saved_model.pb", _cut, "saved_model.pb is damaged, or no SavedModel"),
    "graph empty": ("saved_model.pb", _empty, "saved_model.pb is empty, or cut off"),
    "graph a pipe": (
        "saved_model.pb",
        _pipe,
        f"saved_model.pb {_NOT_ORDINARY} (a named pipe)",
    ),
    "graph a folder": ("saved_model.pb", _folder, "saved_model.pb is a folder"),
    "graph huge": (
        "saved_model.pb",
        _sized(3_000_000_000),
        f"saved_model.pb {_NOT_ORDINARY} (3,000.0 MB, more than 2,147.5)",
    ),
    "asset elsewhere": (
        "saved_model.pb",
        lambda path: _name_asset(path, "../../secret"),
        "saved_model.pb names an asset outside of assets/: '../../secret'",
    ),
    "asset above": (
        "saved_model.pb",
        lambda path: _name_asset(path, ".."),
        "saved_model.pb names an asset outside of assets/: '..'",
    ),
    "fingerprint cut off": (
        "fingerprint.pb",
        _cut,
        "fingerprint.pb is damaged, or no fingerprint",
    ),
    "fingerprint empty": (
        "fingerprint.pb",
        _empty,
        "fingerprint.pb is damaged, or no fingerprint",
    ),
    "fingerprint a device": (
        "fingerprint.pb",
        _link("/dev/zero"),
        f"fingerprint.pb {_NOT_ORDINARY} (a device)",
    ),
    "index empty": (
        "variables/variables.index",
        _empty,
        "variables/variables.index is not the index of a checkpoint, or is cut off",
    ),
    "values missing": (_DATA, pathlib.Path.unlink, f"{_DATA} is missing"),
    "values a link": (_DATA, _link("nothing"), f"{_DATA} is a link to nothing"),
    "asset missing": (_TRIE, pathlib.Path.unlink, f"{_TRIE} is missing"),
    "asset a folder": (_TRIE, _folder, f"{_TRIE} is a folder"),
    "asset cut off": (_TRIE, _cut, f"{_TRIE} is damaged: it cannot be decompressed"),
    "asset empty": (_TRIE, _empty, f"{_TRIE} is damaged: it cannot be decompressed"),
    "asset huge": (
        "assets/vocab.txt",
        _sized(1_000_000_000),
        f"assets/vocab.txt {_NOT_ORDINARY} (1,000.0 MB, more than 536.9)",
    ),
    "manifest cut off": (
        _MANIFEST,
        _cut,
        (
            f"{_MANIFEST} is damaged, or of another version (An export's manifest must be of "
            "version 1, with the digests of all files.)"
        ),
    ),
}


@pytest.mark.parametrize("name", _DAMAGES)
def test_the_file_is_named(export: pathlib.Path, name: str) -> None:
    file, damage, told = _DAMAGES[name]
    damage(export / file)
    assert saved_model_files.unreadable(str(export)) == [told]


def test_values_that_nothing_names(export: pathlib.Path) -> None:
    size = (export / _DATA).stat().st_size
    os.truncate(export / _DATA, 2_000_000)
    assert saved_model_files.unreadable(str(export)) == [
        f"{_DATA} has 2000000 bytes, of which {size} are values"
    ]


def test_a_folder_of_variables_that_is_a_file(export: pathlib.Path) -> None:
    shutil.rmtree(export / "variables")
    (export / "variables").touch()
    assert saved_model_files.unreadable(str(export)) == ["variables is no folder"]


def test_all_can_be_read(export: pathlib.Path) -> None:
    assert saved_model_files.unreadable(str(export)) == []
    shutil.rmtree(export / "assets.extra")
    (export / "fingerprint.pb").unlink()
    assert saved_model_files.unreadable(str(export)) == []


def test_names_of_files_do_not_leave_the_export(tmp_path: pathlib.Path) -> None:
    (tmp_path / "files").mkdir()
    shutil.copy(_RUN / "vocab.txt", tmp_path / "...words")
    flags = ["--export_type=preprocessing", "--do_lower_case=True", "--verify=off"]
    flags += [f"--vocab_file={tmp_path}/files/../...words", f"--export_path={tmp_path}/new/bert"]
    assert launch.run(["launch.py", *flags]) == 0
    names = {path.name for path in (tmp_path / "new" / "bert" / "assets").iterdir()}
    assert names == {"...words", "bert_normalizer.zlib", "wordpiece_trie.zlib"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"bert", "bert.record"}


_TOLD = {
    "a pipe": (
        lambda path: _pipe(path / "assets/vocab.txt"),
        f"FAILED  files: each can be read  assets/vocab.txt {_NOT_ORDINARY} (a named pipe)",
    ),
    "a link to nothing": (
        lambda path: _link("nothing")(path / "saved_model.pb"),
        "FAILED  files: each can be read  saved_model.pb is a link to nothing",
    ),
    "other values": (
        lambda path: (path / _DATA).write_bytes(bytes((path / _DATA).stat().st_size)),
        f"FAILED  files: each can be read  {_DATA} has other bytes",
    ),
    "other values, without a manifest": (
        lambda path: [
            (path / _DATA).write_bytes(bytes((path / _DATA).stat().st_size)),
            (path / _MANIFEST).unlink(),
        ],
        f"FAILED  files: each can be read  damaged: {_DATA}",
    ),
}


@pytest.mark.parametrize("name", _TOLD)
def test_verification_names_the_file(
    export: pathlib.Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    damage, told = _TOLD[name]
    damage(export)
    status = launch.run(["launch.py", "--mode=verify", f"--export_path={export}"])
    captured = capsys.readouterr()
    assert status == errors.EXIT_VERIFICATION_FAILED
    lines = [" ".join(line.split()) for line in captured.out.splitlines()]
    assert " ".join(told.split()) in lines
    assert "Traceback" not in captured.err
