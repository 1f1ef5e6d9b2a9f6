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
import errno
import logging
import os
import re
import secrets
from collections.abc import Iterator

import tensorflow as tf

from exporter import errors, folder_locks, folders

_SETTING = "export.export_path"
_PARTS = ("encoder", "preprocessing", "text_embedding")
# What TF Hub allows in a SavedModel's folder, and Keras's own addition.
_SAVED_MODEL_FILES = {
    *("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"),
    "keras_metadata.pb",
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

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
    if folders.is_remote(path):
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
        if tf.io.gfile.exists(path) or os.path.islink(path):  # To itself, of those that are left.
            raise errors.UserError(
                "The export's path must be a new folder, not a file.",
                received=path,
                setting=_SETTING,
            )
    elif not folders.is_remote(path) and os.path.ismount(path):
        raise errors.UserError(
            "The export's path must not be where a file system is mounted, for its folder is "
            "renamed.",
            example=f"--export_path={os.path.join(path, 'bert_model')}",
            received=path,
            setting=_SETTING,
        )
    elif tf.io.gfile.listdir(path):
        _check_replaceable(path, overwrite)
    if not folders.is_remote(path):
        _check_parent(path)
        _check_record(f"{path}.record")


@contextlib.contextmanager
def _as_user_error(path: str) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise errors.UserError(
            "The export's path must be one that TensorFlow can write to.",
            example="--export_path=/tmp/bert_model",
            received=f"{path} ({_message(error)})",
            setting=_SETTING,
        ) from error


@contextlib.contextmanager
def _writing(staging: str, path: str) -> Iterator[None]:
    """Tells as a user's mistake that there is no room or permission to write, or no folder."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        if not _is_of_writing(error, staging, path):
            raise
        raise errors.UserError(
            "There must be room and permission to write the export. What was there before is as it "
            "was.",
            received=f"{path} ({_reason(error)})",
            setting=_SETTING,
        ) from error


def _is_of_writing(error: tf.errors.OpError | OSError, staging: str, path: str) -> bool:
    if isinstance(error, OSError):
        file = str(error.filename or "")
        own = file.startswith(staging) or file in (path, os.path.dirname(path))
        return own or error.errno in _NO_ROOM
    if isinstance(error, tf.errors.DataLossError):
        return False
    return staging in error.message or any(os.strerror(n) in error.message for n in _NO_ROOM)


def _message(error: tf.errors.OpError | OSError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else error.message


def _reason(error: tf.errors.OpError | OSError) -> str:
    """Returns what the system says, without TensorFlow's names of ops and files."""
    return _message(error).rpartition("; ")[2].partition(" [Op:")[0]


@contextlib.contextmanager
def recording(path: str) -> Iterator[None]:
    """Says so where what is kept beside an export cannot be written.

    Args:
      path: The export's path, which is complete.

    Raises:
      UserError: There is no room or permission.
    """
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise errors.UserError(
            "There must be room and permission to write what is kept beside an export. The export "
            "itself is complete.",
            received=f"{path}.record ({_reason(error)})",
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
    staging = os.path.join(parent, _staging_prefix(path) + secrets.token_hex(4))
    lock = None
    made = folders.missing(parent)
    try:
        with _as_user_error(path):
            tf.io.gfile.makedirs(parent)
            with _alone_in(parent):
                folders.recover(path)
                _remove_leftovers(path)
                tf.io.gfile.makedirs(staging)
                lock = None if folders.is_remote(path) else folder_locks.lock(staging)
        with _writing(staging, path):
            yield staging
            with _alone_in(parent):
                _require_same(staging, lock)
                check(path, overwrite=overwrite)
                folders.rename(staging, path)
    finally:
        # What is there by this name now: a failed export, or the one that was replaced.
        try:
            _discard(staging)
        except KeyboardInterrupt:
            _discard(staging)
            raise
        if lock is not None:
            os.close(lock)
        folders.remove_empty(made)


def _require_same(staging: str, lock: int | None) -> None:
    """Raises an error if a folder has been removed, even if there is one of its name again."""
    if lock is not None and not os.path.samestat(os.stat(staging), os.fstat(lock)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), staging)


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
    if not os.path.isdir(parent) or not os.access(parent, os.R_OK | os.W_OK | os.X_OK):
        raise errors.UserError(
            "The folder that the export is to be written to must be writable.",
            received=parent,
            setting=_SETTING,
        )


def _check_record(record: str) -> None:
    if os.path.lexists(record) and not (
        os.path.isdir(record) and os.access(record, os.W_OK | os.X_OK)
    ):
        raise errors.UserError(
            "What is kept beside an export is written to the folder EXPORT_PATH.record, which must "
            "be writable.",
            received=record,
            setting=_SETTING,
        )


def _staging_prefix(path: str) -> str:
    return f".{os.path.basename(path)}.staging-"


def _remove_leftovers(path: str) -> None:
    parent = os.path.dirname(path)
    for name in tf.io.gfile.listdir(parent):
        leftover = os.path.join(parent, name.rstrip("/"))
        if not name.startswith(_staging_prefix(path)) or not tf.io.gfile.isdir(leftover):
            continue
        lock = None
        if not folders.is_remote(path):
            lock = folder_locks.lock(leftover)
            if lock is None:  # Another process is writing it.
                continue
        try:
            folders.remove(leftover)
            _logger.warning("Removed %s, left by an interrupted export.", leftover)
        except OSError as error:
            text = "%s, left by an interrupted export, cannot be removed (%s)."
            _logger.warning(text, leftover, _reason(error))
        if lock is not None:
            os.close(lock)


def _discard(staging: str) -> None:
    """Removes a folder that is of no use any more, or says that it is left."""
    try:
        with _alone_in(os.path.dirname(staging)):
            if tf.io.gfile.isdir(staging):
                folders.remove(staging)
    except (tf.errors.OpError, OSError) as error:
        if tf.io.gfile.isdir(staging):
            _logger.warning(
                "%s is left (%s). The next export to this path removes it.", staging, _reason(error)
            )


def _alone_in(folder: str) -> contextlib.AbstractContextManager[None]:
    """While open, no other export gets or loses a name in a folder. Others wait."""
    return contextlib.nullcontext() if folders.is_remote(folder) else folder_locks.alone_in(folder)
