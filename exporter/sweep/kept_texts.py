"""Texts that a sweep keeps: under their names is the old one or the new one, at any moment."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator

import tensorflow as tf

from exporter import errors, folders

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_NEW = ".new"
# Seconds after which nobody is still writing a text.
_LEFT = 60.0


def replace(path: str, text: str) -> None:
    """Writes a text over an earlier one, which others may be doing at the same time.

    Args:
      path: The file; its folder is made where there is none.
      text: What is to be in it.

    Raises:
      UserError: There is no room or permission.
    """
    folder, _, name = path.rpartition("/")
    with telling(path):
        tf.io.gfile.makedirs(folder)
        _remove_left(folder, name)
        new = f"{path}.{secrets.token_hex(4)}{_NEW}"
        try:
            with tf.io.gfile.GFile(new, "w") as file:
                file.write(text)
            tf.io.gfile.rename(new, path, overwrite=True)
        except BaseException:
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(new)
            raise


def _remove_left(folder: str, name: str) -> None:
    """Removes what processes left that were killed while they wrote this text."""
    if folders.is_remote(folder):
        return
    for entry in list(os.scandir(folder)):
        if entry.name.startswith(f"{name}.") and entry.name.endswith(_NEW):
            with contextlib.suppress(FileNotFoundError):  # Just renamed, or removed by another.
                if time.time() - entry.stat().st_mtime > _LEFT:
                    os.remove(entry.path)


@contextlib.contextmanager
def telling(path: str) -> Iterator[None]:
    """While open, it is told as one message that what a sweep keeps cannot be written.

    Args:
      path: What is written.

    Raises:
      UserError: There is no room or permission, or something is in the way.
    """
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise no_room(f"{path} ({(reason or str(error)).rpartition('; ')[2]})") from error


def no_room(received: str) -> errors.UserError:
    """Returns what is told where a sweep cannot go on since it cannot write.

    Args:
      received: What could not be written, and why.
    """
    return errors.UserError(
        "There must be room and permission to write a sweep's exports and what is known of them. "
        "What is complete stays; when there is room, the same command makes the rest.",
        received=received,
    )


def is_no_room(error: Exception) -> bool:
    """Whether an exception says that nothing more can be written."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    text = None
    if isinstance(error, errors.UserError):  # As `targets` and this module tell it.
        text = error.received
    elif isinstance(error, tf.errors.OpError):
        text = error.message
    return any(os.strerror(number) in (text or "") for number in _NO_ROOM)
