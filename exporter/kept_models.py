"""SavedModels loaded for one export of a sweep, and given the values of the next.

Loading a SavedModel makes functions of its graph, which takes nearly all of the time, and then has
TensorFlow restore the values of its variables. Where another SavedModel's files are equal byte by
byte, but for those of the variables, the functions are equal, too: restoring is all that is left.
"""

from __future__ import annotations

import dataclasses
import os
import time
import weakref
from typing import Any

import tensorflow as tf

from exporter import canonical, folder_entries, products, sharing

_VARIABLES = "variables/variables"
_ASSETS = "assets/"

# The SavedModels of an export that are kept, one of each.
NAMES = ("encoder", "text embedding")


@dataclasses.dataclass(eq=False)
class _Kept:
    """A SavedModel that is loaded, and how long that took; when it goes, its tables go, too."""

    root: Any
    seconds: float

    def __post_init__(self) -> None:
        weakref.finalize(self, destroy_tables, tables(self.root)).atexit = False


def load(path: str, name: str) -> tuple[Any, float]:
    """Loads a SavedModel, or restores its values in the last one of its name, if that is equal.

    What was loaded is kept while `sharing.results` is open. Whoever loads the next one of that name
    must not use it any more.

    Args:
      path: Its folder.
      name: Which of `NAMES` it is.

    Returns:
      The root object, and how many seconds it took to load it or the one that is equal.

    Raises:
      What `tf.saved_model.load` raises.
    """
    files = folder_entries.read(path).files
    read = [file for file in files if file == canonical.GRAPH_FILE or file.startswith(_ASSETS)]
    key = tuple((file, products.digest(os.path.join(path, file))["sha256"]) for file in read)
    fresh = []

    def loaded() -> _Kept:
        fresh.append(load_anew(path))
        return _Kept(*fresh[0])

    kept = sharing.once(_kind(name), key, loaded, keep=1)
    if not fresh:
        found = tf.train.Checkpoint(root=kept.root).read(f"{path}/{_VARIABLES}")
        found.assert_existing_objects_matched()  # As loading does.
    return kept.root, kept.seconds


def drop() -> None:
    """Drops all that is kept: its memory is another's."""
    for name in NAMES:
        sharing.drop(_kind(name))


def load_anew(path: str) -> tuple[Any, float]:
    """Loads a SavedModel; returns the root object, and how many seconds that took."""
    start = time.perf_counter()
    root = tf.saved_model.load(path)
    return root, time.perf_counter() - start


def tables(root: Any) -> list[tf.Tensor]:
    """Returns the handles of a loaded SavedModel's tables."""
    parts = tf.train.TrackableView(root).descendants()
    handles = (getattr(p, "resource_handle", None) for p in parts if not isinstance(p, tf.Variable))
    return [handle for handle in handles if handle is not None]


def destroy_tables(handles: list[tf.Tensor]) -> None:
    """Frees tables.

    TensorFlow keeps what a SavedModel's ops have made under a name until the process ends, and
    each time that it is loaded under another one.

    Args:
      handles: What `tables` returns.
    """
    for handle in handles:
        tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)


def _kind(name: str) -> str:
    return f"loaded {name}"
