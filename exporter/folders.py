"""Renames and removes folders so that nothing is lost, whenever a process is killed meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator

import tensorflow as tf

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TEMPORARY = ".temporary"

_logger = logging.getLogger(__name__)


def is_remote(path: str) -> bool:
    """Whether a path names a file system other than the local one."""
    return "://" in path


def rename(staging: str, path: str) -> None:
    """Gives a folder a name, in one step where that can be had, and its name to what had it before.

    Args:
      staging: The folder. If there is a folder of the new name it gets this one, or is removed.
      path: The new name.
    """
    if not tf.io.gfile.exists(path):
        tf.io.gfile.rename(staging, path)
    elif is_remote(path) or not _exchange(staging, path):
        replaced = _replaced_name(path)
        try:
            tf.io.gfile.rename(path, replaced)
            tf.io.gfile.rename(staging, path)
        finally:
            recover(path)


def _exchange(staging: str, path: str) -> bool:
    """Swaps two folders in one step (Linux, renameat2); false where that is not to be had."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    names = os.fsencode(staging), os.fsencode(path)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(error, os.strerror(error), path)


def _replaced_name(path: str) -> str:
    parent, name = os.path.split(path)
    return os.path.join(parent, f".{name}.replaced")


def recover(path: str) -> None:
    """Puts back an export that a process was killed in the middle of replacing in two steps."""
    replaced = _replaced_name(path)
    if not tf.io.gfile.isdir(replaced):
        return
    if tf.io.gfile.exists(path):
        remove(replaced)
    else:
        _logger.warning("Put back %s, which an interrupted export had moved away.", path)
        tf.io.gfile.rename(replaced, path)


def remove(folder: str) -> None:
    """Removes a folder with all that is in it, and nothing that links in it lead to."""
    if is_remote(folder):
        tf.io.gfile.rmtree(folder)
        return
    try:
        shutil.rmtree(folder)
    except PermissionError:
        # Folders that have been protected against changes, as those of the one above are not.
        for inner, names, _ in os.walk(folder):
            for name in (".", *names):
                path = os.path.join(inner, name)
                if not os.path.islink(path):
                    os.chmod(path, stat.S_IRWXU)
        shutil.rmtree(folder)


def remove_empty(folders: Iterable[str]) -> None:
    """Removes local folders where they are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def missing(folder: str) -> list[str]:
    """Returns the local folders that would have to be made for this one, itself first."""
    found = []
    while not is_remote(folder) and not os.path.lexists(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found


@contextlib.contextmanager
def temporary_in(folder: str) -> Iterator[None]:
    """While open, this process makes its temporary files in a folder of its own within a folder.

    So nothing of them is left where that one is removed, whenever the process is killed: AutoGraph
    removes those that it writes when Python ends. On file systems that are not local, they are made
    where they are otherwise.
    """
    if is_remote(folder):
        yield
        return
    path, before = os.path.join(folder, _TEMPORARY), tempfile.tempdir
    os.makedirs(path)
    tempfile.tempdir = path
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(path, ignore_errors=True)
