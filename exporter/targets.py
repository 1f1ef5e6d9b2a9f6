"""Gives an export its name only when it is complete.

An export is written into a staging folder beside its target and renamed. Killed at any moment,
there is the old state or the new one under the target's name; what a killed process leaves in
staging is removed by the next export to the same target. Each process holds a lock on its staging
folder, so a folder that is still being written is left alone.

On object stores such as `gs://` a rename copies file by file: there a reader may see a part of
the export while that runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterator

import tensorflow as tf

from exporter import errors

_SETTING = "export.export_path"
_PARTS = ("encoder", "preprocessing", "text_embedding")
# What TF Hub allows in a SavedModel's folder, and Keras's own addition.
_SAVED_MODEL_FILES = {
    *("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"),
    "keras_metadata.pb",
}
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_logger = logging.getLogger(__name__)


def check(path: str, *, overwrite: bool) -> str:
    """Checks that an export may get this name, and returns the name in its plain form.

    Args:
      path: The export's path, local or one that `tf.io.gfile` knows.
      overwrite: Whether an export of that name may be replaced.

    Raises:
      UserError: Something is there that may not be replaced, or no folder can be made there.
    """
    if not path:
        raise errors.UserError(
            "The export needs a path.", example="--export_path=/tmp/bert_model", setting=_SETTING
        )
    if is_remote(path):
        if not re.match(r"[^/]+://[^/]+/+[^/]", path) and not path.startswith("file:///"):
            raise errors.UserError(
                "The export's path must name a folder below a bucket or host.",
                example="--export_path=gs://bucket/bert_model",
                received=path,
                setting=_SETTING,
            )
        path = path.rstrip("/")
    else:
        path = os.path.realpath(path)
    with _as_user_error(path):
        _check_folder(path, overwrite)
    return path


def _check_folder(path: str, overwrite: bool) -> None:
    if not tf.io.gfile.isdir(path):
        if tf.io.gfile.exists(path):
            raise errors.UserError(
                "The export's path must be a new folder, not a file.",
                received=path,
                setting=_SETTING,
            )
    elif not is_remote(path) and os.path.ismount(path):
        raise errors.UserError(
            "The export's path must not be where a file system is mounted, for its folder is "
            "renamed.",
            example=f"--export_path={os.path.join(path, 'bert_model')}",
            received=path,
            setting=_SETTING,
        )
    elif tf.io.gfile.listdir(path):
        _check_replaceable(path, overwrite)
    if not is_remote(path):
        _check_parent(path)


@contextlib.contextmanager
def _as_user_error(path: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        raise errors.UserError(
            "The export's path must be one that TensorFlow can write to.",
            example="--export_path=/tmp/bert_model",
            received=f"{path} ({error.message})",
            setting=_SETTING,
        ) from error


@contextlib.contextmanager
def staged(path: str, *, overwrite: bool) -> Iterator[str]:
    """Yields a folder to write an export to, and gives it its name afterwards.

    If the block raises, the folder is removed and the target stays as it was.

    Args:
      path: The export's path, as `check` returns it.
      overwrite: Whether an export of that name may be replaced.

    Raises:
      UserError: As `check`; it is checked again before the rename.
    """
    parent = os.path.dirname(path)
    with _as_user_error(path):
        tf.io.gfile.makedirs(parent)
        with _alone_in(parent):
            _recover(path)
            _remove_leftovers(path)
            staging = os.path.join(parent, _staging_prefix(path) + secrets.token_hex(4))
            tf.io.gfile.makedirs(staging)
            lock = None if is_remote(path) else hold(staging)
    try:
        yield staging
        with _alone_in(parent):
            check(path, overwrite=overwrite)
            _rename(staging, path)
    finally:
        with _alone_in(parent):
            # What is there by this name now: a failed export, or the one that was replaced.
            if tf.io.gfile.isdir(staging):
                tf.io.gfile.rmtree(staging)
        if lock is not None:
            os.close(lock)


def is_remote(path: str) -> bool:
    """Whether a path names a file system other than the local one."""
    return "://" in path


def _check_replaceable(path: str, overwrite: bool) -> None:
    if not overwrite:
        raise errors.UserError(
            "An existing export is not overwritten unasked.",
            example="--overwrite, or another --export_path",
            received=path,
            setting=_SETTING,
        )
    contents = _contents(path)
    is_several = contents <= set(_PARTS) and all(
        _is_saved_model(os.path.join(path, name)) for name in contents
    )
    if not is_several and not _is_saved_model(path):
        raise errors.UserError(
            "--overwrite replaces an export and nothing else.",
            example="another --export_path",
            received=f"{path} with {', '.join(sorted(contents)[:5])}",
            setting=_SETTING,
        )


def _is_saved_model(path: str) -> bool:
    """Whether there is a SavedModel and nothing that would be lost with it."""
    if not tf.io.gfile.isdir(path):
        return False
    contents = _contents(path)
    return "saved_model.pb" in contents and contents <= _SAVED_MODEL_FILES


def _contents(path: str) -> set[str]:
    return {name.rstrip("/") for name in tf.io.gfile.listdir(path)}


def _check_parent(path: str) -> None:
    parent = os.path.dirname(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise errors.UserError(
            "The folder that the export is to be written to must be writable.",
            received=parent,
            setting=_SETTING,
        )


def _rename(staging: str, path: str) -> None:
    if not tf.io.gfile.exists(path):
        tf.io.gfile.rename(staging, path)
    elif is_remote(path) or not _exchange(staging, path):
        replaced = _replaced_name(path)
        tf.io.gfile.rename(path, replaced)
        tf.io.gfile.rename(staging, path)
        tf.io.gfile.rmtree(replaced)


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


def _recover(path: str) -> None:
    """Puts back an export that a process was killed in the middle of replacing in two steps."""
    replaced = _replaced_name(path)
    if not tf.io.gfile.isdir(replaced):
        return
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(replaced)
    else:
        _logger.warning("Put back %s, which an interrupted export had moved away.", path)
        tf.io.gfile.rename(replaced, path)


def _staging_prefix(path: str) -> str:
    return f".{os.path.basename(path)}.staging-"


def _remove_leftovers(path: str) -> None:
    parent = os.path.dirname(path)
    for name in tf.io.gfile.listdir(parent):
        leftover = os.path.join(parent, name.rstrip("/"))
        if not name.startswith(_staging_prefix(path)) or not tf.io.gfile.isdir(leftover):
            continue
        lock = None
        if not is_remote(path):
            lock = hold(leftover)
            if lock is None:  # Another process is writing it.
                continue
        _logger.warning("Removed %s, left by an interrupted export.", leftover)
        tf.io.gfile.rmtree(leftover)
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """While open, no other export gets or loses a name in a folder. Others wait."""
    if is_remote(folder):
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _without_locks_where_there_are_none():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def hold(folder: str, *, wait: bool = False) -> int | None:
    """Locks a local folder until the returned descriptor is closed.

    Args:
      folder: The folder.
      wait: Whether to wait while another process has it.

    Returns:
      None if another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _without_locks_where_there_are_none():
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def _without_locks_where_there_are_none() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
