"""Finds and reads gin files."""

from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from exporter import errors, ordinary_files

PROJECT_FOLDER = pathlib.Path(__file__).resolve().parent.parent


def find(path: str, where: str, search_paths: Sequence[str], folder: str | None = None) -> str:
    """Finds a gin file.

    Args:
      path: The file as a user gives it.
      where: Where it was given, for errors.
      search_paths: Folders for relative paths, after the current one and before the project's.
      folder: The folder of the file that includes it, which comes before all others, or None.

    Returns:
      A path that `read` can read.

    Raises:
      UserError: There is no such file.
    """
    if not path:
        raise errors.UserError(
            "A gin file's path must not be empty.",
            example="--gin_file=configs/runs/encoder.gin",
            where=where,
        )
    folders = ["", *search_paths, str(PROJECT_FOLDER)]
    if folder is not None:
        folders.insert(0, folder)
    if is_remote(path) or pathlib.PurePath(path).is_absolute():
        folders = [""]
    for name in folders:
        candidate = f"{name.rstrip('/')}/{path}" if name else path
        if _exists(candidate, where):
            return candidate
    searched = dict.fromkeys(
        name if is_remote(name) else str(pathlib.Path(name).resolve()) for name in folders
    )
    raise errors.UserError(
        "A gin file must exist."
        if folders == [""]
        else f"A gin file must exist in one of the folders searched: {', '.join(searched)}.",
        received=path,
        where=where,
    )


def identity(path: str) -> str:
    """Returns what is equal for two paths of the same file."""
    return path if is_remote(path) else str(pathlib.Path(path).resolve())


def is_remote(path: str) -> bool:
    """Whether `tf.io.gfile` must answer for a path, and TensorFlow be imported."""
    return "://" in path


def read(path: str, where: str) -> str:
    """Returns the text of a gin file, its lines ended by line feeds.

    Raises:
      UserError: It is a folder or no ordinary file, too large, not readable or not UTF-8.
    """
    unfit = ordinary_files.why_not(path, ordinary_files.CONFIGURATION_BYTES)
    if unfit is not None:
        raise errors.UserError(
            "A gin file must be an ordinary file, and not too large for what it is.",
            received=f"{path} ({unfit})",
            where=where,
        )
    with _readable(path, where):
        if is_remote(path):
            content = _gfile().GFile(path, "rb").read()
        else:
            content = pathlib.Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.UserError(
            "A gin file must be text in UTF-8.",
            received=f"{path}, of which byte {error.start} is not",
            where=where,
        ) from None
    return io.StringIO(text, newline=None).read()


def matching(folder: str, pattern: str, where: str) -> list[str] | None:
    """Lists the files in a folder whose names fit a pattern, such as "*.gin".

    Returns:
      Their paths, or None where there is no such folder.

    Raises:
      UserError: The folder cannot be read.
    """
    with _readable(
        folder, where, "A folder to look for gin files in must be one that can be read."
    ):
        if is_remote(folder):
            there = _gfile().isdir(folder)
            return sorted(_gfile().glob(f"{folder}/{pattern}")) if there else None
        if not pathlib.Path(folder).is_dir():
            return None
        return sorted(str(path) for path in pathlib.Path(folder).glob(pattern))


def _exists(path: str, where: str) -> bool:
    with _readable(path, where):
        return _gfile().exists(path) if is_remote(path) else pathlib.Path(path).exists()


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile


@contextlib.contextmanager
def _readable(
    path: str, where: str, rule: str = "A gin file must be a file that can be read."
) -> Iterator[None]:
    """Tells as a user's mistake why a path cannot be read."""
    kinds: tuple[type[Exception], ...] = (OSError,)
    if is_remote(path):
        import tensorflow as tf

        kinds += (tf.errors.OpError,)
    try:
        yield
    except kinds as error:
        reason = error.strerror if isinstance(error, OSError) else getattr(error, "message", "")
        raise errors.UserError(
            rule,
            received=f"{path} ({reason})",
            where=where,
        ) from None
