"""Locks on folders, by which processes keep out of each other's way.

A lock ends with its process, however that ends. Where a file system has none, nobody is kept out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def alone_in(folder: str) -> Iterator[None]:
    """While open, no other process is here with the same folder. Others wait.

    Raises:
      OSError: The folder is not there, or cannot be read.
    """
    descriptor = _opened(folder)
    try:
        with _without_locks_where_there_are_none():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock(folder: str, *, wait: bool = False) -> int | None:
    """Locks a folder until the returned descriptor is closed.

    Args:
      folder: The folder.
      wait: Whether to wait while another process has it.

    Returns:
      None if another process has it.

    Raises:
      OSError: The folder is not there, or cannot be read.
    """
    descriptor = _opened(folder)
    try:
        with _without_locks_where_there_are_none():
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def share(folder: str) -> int:
    """Locks a folder together with others who share it, until the returned descriptor is closed.

    Waits while a process has it alone.

    Args:
      folder: The folder.

    Raises:
      OSError: The folder is not there, or cannot be read.
    """
    descriptor = _opened(folder)
    share_again(descriptor)
    return descriptor


def share_again(descriptor: int) -> None:
    """Shares a folder with others, after `is_last`."""
    with _without_locks_where_there_are_none():
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def is_last(descriptor: int) -> bool:
    """Whether no other process shares a folder; if so, none can until `share_again`.

    If not, it is not shared by this one any more.

    Args:
      descriptor: What `share` has returned.
    """
    try:
        with _without_locks_where_there_are_none():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


@contextlib.contextmanager
def _without_locks_where_there_are_none() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
