from __future__ import annotations

import errno
import fcntl
import os
import pathlib

import pytest

from exporter import folder_locks


def test_one_at_a_time(tmp_path: pathlib.Path) -> None:
    first = folder_locks.lock(str(tmp_path))
    assert first is not None
    assert folder_locks.lock(str(tmp_path)) is None
    os.close(first)
    with folder_locks.alone_in(str(tmp_path)):
        assert folder_locks.lock(str(tmp_path)) is None
    last = folder_locks.lock(str(tmp_path))
    assert last is not None
    os.close(last)


def test_shared_by_some(tmp_path: pathlib.Path) -> None:
    first, second = (folder_locks.share(str(tmp_path)) for _ in range(2))
    assert folder_locks.lock(str(tmp_path)) is None
    assert not folder_locks.is_last(first)
    # Which gave up its own share.
    assert folder_locks.is_last(second)
    folder_locks.share_again(second)
    folder_locks.share_again(first)
    assert not folder_locks.is_last(second)
    os.close(first)
    os.close(second)


def test_a_file_system_without_locks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with folder_locks.alone_in(str(tmp_path)):
        descriptor = folder_locks.lock(str(tmp_path))
    assert descriptor is not None
    os.close(descriptor)


def test_a_folder_that_is_gone(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError), folder_locks.alone_in(f"{tmp_path}/gone"):
        raise AssertionError("There is nothing to be alone in.")
