"""What happens to an export's folder while it is written, and what is then said and left."""

from __future__ import annotations

import errno
import logging
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
import tensorflow as tf

from exporter import errors, targets

_NO_ROOM = (
    "There must be room and permission to write the export. What was there before is as it was.\n"
    "  received: "
)


@pytest.fixture(name="target")
def _target(tmp_path: pathlib.Path) -> pathlib.Path:
    """An earlier export."""
    (tmp_path / "models" / "bert").mkdir(parents=True)
    (tmp_path / "models" / "bert" / "saved_model.pb").write_text("old")
    return tmp_path / "models" / "bert"


def _error(target: pathlib.Path, write: Callable[[pathlib.Path], object]) -> str:
    """Returns what a user is told when an export is written so."""
    with (
        pytest.raises(errors.UserError) as raised,
        targets.staged(str(target), overwrite=True) as staging,
    ):
        write(pathlib.Path(staging))
    assert raised.value.setting == "export.export_path"
    return str(raised.value)


def _raise(error: Exception) -> None:
    raise error


def _assert_old(target: pathlib.Path) -> None:
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert (target / "saved_model.pb").read_text() == "old"


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS], ids=errno.errorcode.get
)
@pytest.mark.parametrize("by", ["python", "tensorflow"])
def test_no_room(target: pathlib.Path, number: int, by: str) -> None:
    reason = os.strerror(number)

    def write(staging: pathlib.Path) -> None:
        if by == "python":
            raise OSError(number, reason, "/elsewhere/file")
        raise tf.errors.UnknownError(None, None, f"{{{{node}}}} {staging}/x; {reason} [Op:SaveV2]")

    assert _error(target, write) == f"{_NO_ROOM}{target} ({reason})"
    _assert_old(target)


def test_no_permission(target: pathlib.Path) -> None:
    message = _error(
        target, lambda staging: _raise(PermissionError(13, "Permission denied", f"{staging}/x"))
    )
    assert message == f"{_NO_ROOM}{target} (Permission denied)"
    _assert_old(target)


def test_the_staging_folder_is_removed_meanwhile(target: pathlib.Path) -> None:
    def write(staging: pathlib.Path) -> None:
        shutil.rmtree(staging)
        with tf.io.gfile.GFile(f"{staging}/saved_model.pb", "w") as file:
            file.write("new")

    assert _error(target, write) == f"{_NO_ROOM}{target} (No such file or directory)"
    _assert_old(target)


def test_the_parent_is_removed_meanwhile(target: pathlib.Path) -> None:
    message = _error(target, lambda staging: shutil.rmtree(staging.parent))
    assert message == f"{_NO_ROOM}{target} (No such file or directory)"
    assert not target.parent.exists()


def test_the_staging_folder_is_removed_and_made_again(target: pathlib.Path) -> None:
    """By what writes to it next: there would be a part of an export."""

    def write(staging: pathlib.Path) -> None:
        shutil.rmtree(staging)
        (staging / "assets.extra").mkdir(parents=True)

    assert _error(target, write) == f"{_NO_ROOM}{target} (No such file or directory)"
    _assert_old(target)


def test_folders_made_for_nothing_are_removed(target: pathlib.Path) -> None:
    new = target.parent / "a" / "b" / "bert"
    _error(new, lambda staging: _raise(OSError(errno.ENOSPC, "No space left on device")))
    _assert_old(target)


def test_leftovers_that_cannot_be_removed_are_named(
    target: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "exporter.targets")
    leftover = target.with_name(f".{target.name}.staging-01234567")
    leftover.mkdir()
    remove = shutil.rmtree
    monkeypatch.setattr(
        shutil,
        "rmtree",
        lambda folder: (
            _raise(OSError(1, "Operation not permitted"))
            if folder == str(leftover)
            else remove(folder)
        ),
    )
    with targets.staged(str(target), overwrite=True) as staging:
        (pathlib.Path(staging) / "saved_model.pb").write_text("new")
    assert (target / "saved_model.pb").read_text() == "new"
    assert caplog.messages == [
        f"{leftover}, left by an interrupted export, cannot be removed (Operation not permitted)."
    ]


def test_the_old_export_vanishes_meanwhile(target: pathlib.Path) -> None:
    with targets.staged(str(target), overwrite=True) as staging:
        (pathlib.Path(staging) / "saved_model.pb").write_text("new")
        shutil.rmtree(target)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert (target / "saved_model.pb").read_text() == "new"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/data/words.txt"),
        tf.errors.NotFoundError(None, None, "/data/words.txt; No such file or directory"),
        tf.errors.DataLossError(None, None, "TensorBundle at .bert.staging-0/variables"),
    ],
)
def test_what_has_nothing_to_do_with_writing_passes(target: pathlib.Path, error: Exception) -> None:
    with pytest.raises(type(error)), targets.staged(str(target), overwrite=True):
        raise error
    _assert_old(target)


def test_interrupted_twice(target: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time while what was begun is removed."""
    remove, calls = shutil.rmtree, []

    def interrupted(folder: str) -> None:
        calls.append(folder)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), targets.staged(str(target), overwrite=True):
        raise KeyboardInterrupt
    assert len(calls) == 2
    _assert_old(target)


def test_what_cannot_be_removed_is_named(
    target: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "exporter.targets")
    monkeypatch.setattr(shutil, "rmtree", lambda folder: _raise(OSError(5, "Input/output error")))
    with targets.staged(str(target), overwrite=True) as staging:
        (pathlib.Path(staging) / "saved_model.pb").write_text("new")
    assert (target / "saved_model.pb").read_text() == "new"
    assert caplog.messages == [
        f"{staging} is left (Input/output error). The next export to this path removes it."
    ]


def test_a_link_to_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(errors.UserError) as raised:
        targets.check(f"{tmp_path}/link", overwrite=True)
    assert str(raised.value) == (
        f"The export's path must be a new folder, not a file.\n  received: {tmp_path}/link"
    )


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_no_folder_where_the_record_is_to_be(tmp_path: pathlib.Path, kind: str) -> None:
    record = tmp_path / "bert.record"
    record.touch() if kind == "file" else record.symlink_to("nothing")
    with pytest.raises(errors.UserError) as raised:
        targets.check(f"{tmp_path}/bert", overwrite=False)
    assert str(raised.value) == (
        "What is kept beside an export is written to the folder EXPORT_PATH.record, which must be "
        f"writable.\n  received: {record}"
    )


def test_a_record_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError) as raised, targets.recording(f"{tmp_path}/bert"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(raised.value) == (
        "There must be room and permission to write what is kept beside an export. The export "
        f"itself is complete.\n  received: {tmp_path}/bert.record (No space left on device)"
    )
