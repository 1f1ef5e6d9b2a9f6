"""Writes SavedModels so that a name is only ever that of a complete one.

A SavedModel is written in a staging folder beside its target and gets its name by a rename when it
is complete and verified. Killed at any moment there is the old state or the new one; what is left
in staging is removed by the next export to the same target.
"""

from __future__ import annotations

import collections
import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exporter import canonical, checkpoints, folders, restorations, tensor_bundles


class Exportable(tf.train.Checkpoint):
    """The root object of a SavedModel to be written. It is traced when it is saved, not before."""

    def trace(self) -> None:
        """Traces the functions to be saved."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Returns the signatures to be saved."""
        raise NotImplementedError

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        """Is open while functions and signatures are traced and saved."""
        yield

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        # TensorFlow asks this when it begins to save. Functions traced earlier would be traced
        # again then: what it looks traces up by includes whether it is saving.
        if save_type == "savedmodel":
            self.trace()
        return super()._trackable_children(save_type, **kwargs)


def write(
    module: Exportable, path: str, *, restoration: restorations.Restoration | None = None
) -> None:
    """Writes a SavedModel.

    Args:
      module: The root object. Its variables have values in memory, or `restoration` has them.
      path: Where to write it; nobody may be using that yet.
      restoration: The stored values, copied from file to file. Variables that it has none for have
        values in memory.

    Raises:
      UserError: A stored value is NaN or infinite.
    """
    with module.tracing(), _left_out(restoration), folders.temporary_in(path):
        tf.saved_model.save(module, path, signatures=module.signatures())
    if restoration is not None:
        _append_stored_values(module, path + "/variables/variables", restoration)
    canonical.canonicalize(path)
    # Functions and graphs are full of cycles; a sweep would pile them up.
    gc.collect()


@contextlib.contextmanager
def _left_out(restoration: restorations.Restoration | None) -> Iterator[None]:
    """While open, TensorFlow does not save the variables that a checkpoint has values for.

    Saving asks each variable whether it has a value. Whether one was restored since, to verify an
    export of the same encoder, must not change the order of what is written.
    """
    variables = [] if restoration is None else [ref.deref() for ref in restoration.keys]
    for variable in variables:
        variable.is_initialized = lambda: False
    try:
        yield
    finally:
        for variable in variables:
            del variable.is_initialized


def _append_stored_values(
    module: Exportable, prefix: str, restoration: restorations.Restoration
) -> None:
    """Adds the values that TensorFlow was made to leave out."""
    written = checkpoints.read(prefix)
    tensors = {}
    for reference, key in checkpoints.match(written, module).items():
        if key not in written.entries:
            entry = restoration.entry(reference.deref())
            if entry is None:
                raise ValueError(f"{key} has a value neither in memory nor in the checkpoint")
            tensors[key] = entry
    tensor_bundles.append(prefix, tensors, restoration.watch)
    restoration.require_finite()


def read_graph(path: str) -> saved_model_pb2.SavedModel:
    """Reads a SavedModel's graph.

    Args:
      path: The SavedModel's folder.
    """
    with tf.io.gfile.GFile(path + "/saved_model.pb", "rb") as file:
        return saved_model_pb2.SavedModel.FromString(file.read())


def ops(path: str) -> collections.Counter[str]:
    """Counts the ops in a SavedModel's graph and functions, by name.

    Args:
      path: The SavedModel's folder.
    """
    saved_model = read_graph(path)
    counter: collections.Counter[str] = collections.Counter()
    for meta_graph in saved_model.meta_graphs:
        counter.update(node.op for node in meta_graph.graph_def.node)
        for function in meta_graph.graph_def.library.function:
            counter.update(node.op for node in function.node_def)
    return counter
