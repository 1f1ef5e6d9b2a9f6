"""Writes SavedModels so that a name is only ever that of a complete one.

A SavedModel is written in a staging folder beside its target and gets its name by a rename when it
is complete and verified. Killed at any moment there is the old state or the new one; what is left
in staging is removed by the next export to the same target.
"""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exporter import (
    canonical,
    checkpoints,
    folders,
    products,
    restorations,
    shared_files,
    sharing,
    tensor_bundles,
)

_VARIABLES = "variables/variables"


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


def write_graph(
    module: Exportable, path: str, restoration: restorations.Restoration | None = None
) -> dict[str, int]:
    """Writes a SavedModel but for its fingerprint and the values of the encoder's variables.

    It is the same whatever these values are, and wherever they come from.

    Args:
      module: The root object.
      path: Where to write it.
      restoration: The encoder's variables.

    Returns:
      Which of them each value belongs to that is still to be written, by the value's key.
    """
    variables = () if restoration is None else restoration.variables
    with module.tracing(), _left_out(variables), folders.temporary_in(path):
        tf.saved_model.save(module, path, signatures=module.signatures())
    # TensorFlow makes this folder always. Where files are linked or in a storage, none is empty.
    with contextlib.suppress(OSError):  # Of assets, which stay.
        os.rmdir(f"{path}/assets")
    canonical.canonicalize(path)
    if restoration is None:
        return {}
    written = checkpoints.read(f"{path}/{_VARIABLES}")
    positions = {variable.ref(): index for index, variable in enumerate(variables)}
    matched = checkpoints.match(written, module).items()
    left = {key: reference for reference, key in matched if key not in written.entries}
    for key, reference in left.items():
        if reference not in positions:
            raise _nowhere(key)
    return {key: positions[left[key]] for key in sorted(left)}


@contextlib.contextmanager
def _left_out(variables: Iterable[tf.Variable]) -> Iterator[None]:
    """While open, TensorFlow does not save these variables.

    Saving asks each variable whether it has a value. Whether one was restored since, to verify an
    export of the same encoder, must not change what is written.
    """
    for variable in variables:
        variable.is_initialized = lambda: False
    try:
        yield
    finally:
        for variable in variables:
            del variable.is_initialized


def complete(
    path: str, keys: Mapping[str, int], restoration: restorations.Restoration | None = None
) -> None:
    """Adds what `write_graph` left out.

    Args:
      path: The SavedModel.
      keys: What `write_graph` returned.
      restoration: The encoder's variables, and the values of those that are not in memory.

    Raises:
      UserError: A stored value is NaN or infinite.
    """
    if restoration is not None:
        _write_values(path, keys, restoration)
    canonical.write_fingerprint(path)


def _write_values(
    path: str, keys: Mapping[str, int], restoration: restorations.Restoration
) -> None:
    """Adds the encoder's values as two data files.

    The first one holds what all exports of the encoder have in common and is the same in each of
    them, the second one everything else.
    """
    prefix = f"{path}/{_VARIABLES}"
    shared_files.detach([f"{prefix}.index", tensor_bundles.data_file(prefix)])
    count = len(restoration.common)
    ordered = sorted(keys, key=keys.__getitem__)
    with _stored(restoration, path) as stored:
        found = {key: stored(key, keys[key]) for key in ordered}
        own = {key: entry for key, entry in found.items() if keys[key] >= count}
        common = {key: entry for key, entry in found.items() if keys[key] < count}
        tensor_bundles.append(prefix, own, restoration.watch)
        tensor_bundles.prepend(
            prefix, common, lambda file: _write_common(file, common, restoration)
        )
    restoration.require_finite()


@contextlib.contextmanager
def _stored(
    restoration: restorations.Restoration, path: str
) -> Iterator[Callable[[str, int], tensor_bundles.Entry]]:
    """Yields a function that finds a variable's value in a file, where it is while this is open."""
    variables, values = restoration.variables, f"{path}/.values"
    there = {
        str(i): variable
        for i, variable in enumerate(variables)
        if restoration.entry(variable) is None and variable.is_initialized()
    }
    entries = {}
    if there:
        tf.raw_ops.SaveV2(
            prefix=f"{values}/own",
            tensor_names=list(there),
            shape_and_slices=[""] * len(there),
            tensors=[variable.read_value() for variable in there.values()],
        )
        entries = tensor_bundles.read_entries(f"{values}/own")

    def find(key: str, position: int) -> tensor_bundles.Entry:
        entry = restoration.entry(variables[position]) or entries.get(str(position))
        if entry is None:
            raise _nowhere(key)
        return entry

    try:
        yield find
    finally:
        if there:
            tf.io.gfile.rmtree(values)


def _write_common(
    file: str,
    tensors: Mapping[str, tensor_bundles.Entry],
    restoration: restorations.Restoration,
) -> None:
    """Writes the data file that exports have in common, or links that of another one."""
    watch = restoration.watch

    def write() -> list[list[float] | None]:
        tensor_bundles.write_data(file, tensors, watch)
        restoration.require_finite()
        return watch.told(tensors.values())

    version = sharing.version(f"{restoration.checkpoint.prefix}.index")
    folder, _, name = file.rpartition("/")
    key = (version, tuple(tensors.values()))
    made = products.make("values", key, folder, write, name=name)
    watch.tell(tensors.values(), made.said)


def _nowhere(key: str) -> ValueError:
    return ValueError(f"{key} has a value neither in memory nor in the checkpoint")


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
