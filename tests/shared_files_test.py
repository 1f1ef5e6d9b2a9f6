"""Files of equal content stored once."""

from __future__ import annotations

import errno
import fcntl
import os
import pathlib
from typing import Any

import pytest

from exporter import folder_locks, manifests, shared_files, sharing


def _write(path: pathlib.Path, **contents: bytes) -> shared_files.Digests:
    for name, content in contents.items():
        file = path / "assets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return manifests.digests(str(path))


def _inode(path: pathlib.Path, name: str) -> int:
    return (path / "assets" / name).stat().st_ino


def test_equal_files_become_one(tmp_path: pathlib.Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    for path in (first, second):
        digests = _write(path, vocab=b"words", own=path.name.encode())
        shared_files.add(str(shared), str(path), digests)
    assert _inode(first, "vocab") == _inode(second, "vocab")
    assert (second / "assets" / "own").read_bytes() == b"second"
    assert len(os.listdir(shared)) == 3
    assert sorted(os.listdir(second / "assets")) == ["own", "vocab"]
    shared_files.remove(str(shared))
    (first / "assets" / "vocab").unlink()
    assert (second / "assets" / "vocab").read_bytes() == b"words"
    assert (second / "assets" / "vocab").stat().st_nlink == 1


def test_files_are_placed(tmp_path: pathlib.Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words", own=b"own")
    shared_files.add_all(str(shared), [(str(first), digests)] * 2)
    second.mkdir()
    assert shared_files.place(str(shared), str(second), digests)
    assert manifests.digests(str(second)) == digests
    assert _inode(first, "own") == _inode(second, "own")


def test_nothing_is_placed_if_something_is_missing(tmp_path: pathlib.Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words", own=b"own")
    shared_files.add_all(str(shared), [(str(first), digests)])
    (shared / digests["assets/vocab"]["sha256"]).unlink()
    assert not shared_files.place(str(shared), str(second), digests)
    assert not second.exists()


def test_what_was_damaged_is_not_placed(tmp_path: pathlib.Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words", own=b"own")
    shared_files.add(str(shared), str(first), digests)
    second.mkdir()
    with sharing.results(str(shared)):
        assert shared_files.place(str(shared), str(second), digests)
        # Read once, and again when it was written to.
        damaged = first / "assets" / "vocab"
        damaged.write_bytes(b"sword")
        os.utime(damaged, ns=(1, 1))
        assert not shared_files.place(str(shared), str(tmp_path / "third"), digests)
    assert not (tmp_path / "third").exists()
    assert os.listdir(shared) == [digests["assets/own"]["sha256"]]


def test_what_keeps_its_time_is_read_by_each_process(tmp_path: pathlib.Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words")
    shared_files.add_all(str(shared), [(str(first), digests)])
    status = (first / "assets" / "vocab").stat()
    (first / "assets" / "vocab").write_bytes(b"sword")
    os.utime(first / "assets" / "vocab", ns=(status.st_atime_ns, status.st_mtime_ns))
    with sharing.results(str(shared)):
        assert not shared_files.place(str(shared), str(second), digests)
        # Nor does it replace what is made again, which is known from now on.
        shared_files.add_all(str(shared), [(str(first), digests)])
        assert _write(second, vocab=b"words") == digests
        shared_files.add(str(shared), str(second), digests)
        assert (second / "assets" / "vocab").read_bytes() == b"words"
        assert (shared / digests["assets/vocab"]["sha256"]).samefile(second / "assets" / "vocab")


def test_what_cannot_be_read_is_not_placed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, shared = tmp_path / "first", tmp_path / "shared"
    digests = _write(first, vocab=b"words")
    shared_files.add(str(shared), str(first), digests)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("builtins.open", refuse)
    assert not shared_files.place(str(shared), str(tmp_path / "second"), digests)
    assert os.listdir(shared) == []


def test_links_of_a_killed_command_are_not_taken(tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "shared"
    (shared / "folder").mkdir(parents=True)
    (shared / "left").touch()
    with shared_files.kept(str(shared)):
        assert os.listdir(shared) == []
        (shared / "mine").touch()
        with shared_files.kept(str(shared)):
            assert os.listdir(shared) == ["mine"]
        assert os.listdir(shared) == ["mine"]
    assert not shared.exists()


def test_the_last_command_removes_the_links(tmp_path: pathlib.Path) -> None:
    shared = str(tmp_path / "shared")
    first, second = shared_files.kept(shared), shared_files.kept(shared)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert os.path.isdir(shared)
    second.__exit__(None, None, None)
    assert not os.path.exists(shared)


def test_a_folder_that_another_command_has_just_removed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, share = tmp_path / "shared", folder_locks.share
    removals = iter([True, False])

    def share_late(folder: str) -> int:
        held = share(folder)
        if next(removals):
            shared.rmdir()
        return held

    monkeypatch.setattr(folder_locks, "share", share_late)
    with shared_files.kept(str(shared)):
        assert shared.is_dir()
        held = folder_locks.lock(str(shared))
        assert held is None


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMLINK, errno.EXDEV])
def test_where_there_are_no_links_files_stay(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    first, shared = tmp_path / "first", tmp_path / "shared"
    digests = _write(first, vocab=b"words")

    def refuse(*arguments: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    shared_files.add(str(shared), str(first), digests)
    shared_files.add_all(str(shared), [(str(first), digests)])
    assert manifests.digests(str(first)) == digests
    assert os.listdir(shared) == []


def test_where_a_file_has_too_many_links_it_is_copied(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words")
    shared_files.add(str(shared), str(first), digests)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    assert shared_files.place(str(shared), str(second), digests)
    assert manifests.digests(str(second)) == digests
    assert _inode(first, "vocab") != _inode(second, "vocab")


def test_where_blocks_can_be_shared_that_is_tried_before_copying(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    digests = _write(first, vocab=b"words")
    shared_files.add(str(shared), str(first), digests)
    asked = []

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EXDEV, "Another file system")

    def clone(target: Any, request: int, source: int) -> int:
        asked.append(request)
        return target.write(os.pread(source, 100, 0))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(fcntl, "ioctl", clone)
    assert shared_files.place(str(shared), str(second), digests)
    assert asked == [0x40049409]  # FICLONE.
    assert (second / "assets" / "vocab").read_bytes() == b"words"


def test_other_errors_are_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, shared = tmp_path / "first", tmp_path / "shared"
    digests = _write(first, vocab=b"words")

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="Input/output"):
        shared_files.add(str(shared), str(first), digests)
