"""Results that the exports of one process share, while that is asked for.

A sweep makes many exports of the same files. What is read and built for one is kept for the next,
as few of each kind as there are likely to be in turn, so that memory does not grow with their
number. A single export keeps nothing.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import os
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Kept = collections.OrderedDict[Hashable, Any]

# Gin, which says what is exported, is global, too.
_kept: dict[str, _Kept] | None = None
_folder: str | None = None
_several = False


@contextlib.contextmanager
def results(folder: str | None = None, *, several: bool = True) -> Iterator[None]:
    """While open, `once` keeps results. What was kept is dropped at the end.

    Args:
      folder: Where files are kept that several exports have, see `shared_files`; None for nowhere.
      several: Whether there are several exports, or one of several SavedModels.
    """
    global _kept, _folder, _several
    before = _kept, _folder, _several
    _kept, _folder, _several = {}, folder, several
    try:
        yield
    finally:
        _kept, _folder, _several = before
        gc.collect()


def is_open() -> bool:
    """Whether `once` keeps results."""
    return _kept is not None


def is_of_several() -> bool:
    """Whether `once` keeps results for other exports."""
    return _several


def folder() -> str | None:
    """Returns where files are kept that several exports have, or None."""
    return _folder


def once(kind: str, key: Hashable, make: Callable[[], _Result], *, keep: int = 4) -> _Result:
    """Returns what `make` returns, or what it returned before for the same key.

    Args:
      kind: What it is.
      key: All that the result depends on.
      make: Makes it.
      keep: How many results of this kind are kept: the last that were asked for. What is not kept
        any longer is dropped before a new one is made.
    """
    if _kept is None:
        return make()
    mine = _kept.setdefault(kind, collections.OrderedDict())
    if key in mine:
        mine.move_to_end(key)
        return mine[key]
    while len(mine) >= keep:
        mine.popitem(last=False)
        if keep == 1:
            gc.collect()  # Encoders are full of cycles.
    result = make()
    mine[key] = result
    return result


def drop(kind: str) -> None:
    """Drops what `once` keeps of a kind."""
    if _kept is not None and kind in _kept:
        del _kept[kind]
        gc.collect()


@functools.lru_cache(maxsize=1000)
def _plain(path: str, device: int, inode: int) -> str:
    """Returns a path without links, which planning a thousand exports asks for ten thousand times.

    As long as it leads to the same file, it is the same, or another name of that.
    """
    del device, inode
    return os.path.realpath(path)


def version(path: str) -> Hashable:
    """Returns what is another for a file that was written anew.

    Args:
      path: A file, local or one that `tf.io.gfile` knows.

    Returns:
      Path, size and time of modification; without these where there is no file.
    """
    if "://" not in path:
        try:
            status = os.stat(path)
        except OSError:
            return (path,)
        plain = _plain(path, status.st_dev, status.st_ino)
        return (plain, status.st_size, status.st_mtime_ns)
    import tensorflow as tf

    try:
        remote = tf.io.gfile.stat(path)
    except tf.errors.OpError:
        return (path,)
    return (path, remote.length, remote.mtime_nsec)
