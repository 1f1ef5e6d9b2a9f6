"""Reads checkpoints: what they hold, under which names, and where a directory has which.

A TF2 checkpoint is a table of tensors and a graph of the objects that they belong to.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from exporter import checkpoint_folders, errors, findings, sharing, tensor_bundles

SETTING = "checkpoint.model_checkpoint_path"
_OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's table of contents.

    Attributes:
      prefix: The path without ".index".
      entries: The stored tensors by key.
      graph: The graph of the objects that were saved; without nodes if it is a TF1 checkpoint.
    """

    prefix: str
    entries: Mapping[str, tensor_bundles.Entry]
    graph: trackable_object_graph_pb2.TrackableObjectGraph

    @property
    def items(self) -> dict[str, int]:
        """The named objects given to `tf.train.Checkpoint(...)`, as node ids of the graph."""
        return {} if self.is_tf1 else self.children(0)

    @property
    def is_tf1(self) -> bool:
        """Whether it holds values by name, without objects."""
        return not self.graph.nodes

    @property
    def has_masked_lm(self) -> bool:
        """Whether it holds a masked-language-model head."""
        if self.is_tf1:
            return any(name.startswith("cls/predictions/") for name in self.entries)
        holders = [0, *(self.items[name] for name in ("pretrainer", "model") if name in self.items)]
        return any("masked_lm" in self.children(holder) for holder in holders)

    @property
    def encoder_nodes(self) -> tuple[int, int | None]:
        """The nodes of the encoder and of the masked-language-model head; None for no head."""
        names = self.items
        if "encoder" in names:
            return names["encoder"], names.get("masked_lm")
        holder = names.get("pretrainer", names.get("model", 0))
        children = self.children(holder)
        if "encoder_network" in children:
            return children["encoder_network"], children.get("masked_lm")
        return holder, names.get("masked_lm")

    @property
    def named_step(self) -> int | None:
        """The global step that the files are named after, or None."""
        match = re.fullmatch(r"(.*\.)?ckpt-(\d+)", os.path.basename(self.prefix))
        return int(match[2]) if match else None

    @functools.cached_property
    def stored_step(self) -> int | None:
        """The global step that is stored, or None."""
        suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
        for name in (f"global_step{suffix}", "global_step", f"optimizer/iter{suffix}"):
            entry = self.entries.get(name)
            if entry is not None and entry.is_plain and entry.dtype.is_integer:
                data = b"".join(tensor_bundles.read_slices(entry))
                return int.from_bytes(data, "little", signed=True)
        return None

    @property
    def step(self) -> int | None:
        """The global step, or None where neither a value nor the files' name tells it."""
        return self.named_step if self.stored_step is None else self.stored_step

    @functools.cached_property
    def slots(self) -> dict[str, list[str]]:
        """The keys of what the optimizer keeps of each value but averages, by the value's key."""
        slots: dict[str, list[str]] = {}
        for slot in (slot for node in self.graph.nodes for slot in node.slot_variables):
            own = self.key(slot.original_variable_node_id)
            kept = self.key(slot.slot_variable_node_id)
            if slot.slot_name != "average" and own is not None and kept is not None:
                slots.setdefault(own, []).append(kept)
        return slots

    @functools.cached_property
    def averages(self) -> dict[str, str]:
        """The keys of exponential moving averages, by the keys of the values they belong to.

        The optimizer (`official.modeling.optimization.ema_optimizer`) has them in its slots.
        """
        averages = {}
        for slot in (slot for node in self.graph.nodes for slot in node.slot_variables):
            own = self.key(slot.original_variable_node_id)
            average = self.key(slot.slot_variable_node_id)
            if slot.slot_name == "average" and own is not None and average is not None:
                averages[own] = average
        return averages

    @property
    def is_swapped(self) -> bool:
        """Whether averages and raw values have changed places.

        They have in what the trainer saves while it evaluates the averages, best or not.
        """
        return os.path.basename(self.prefix).startswith(("best_ckpt-", "average_weights-"))

    def children(self, node_id: int) -> dict[str, int]:
        """The named children of an object."""
        return {child.local_name: child.node_id for child in self.graph.nodes[node_id].children}

    def key(self, node_id: int) -> str | None:
        """The key of a variable's value, or None for other objects."""
        for attribute in self.graph.nodes[node_id].attributes:
            if attribute.name == "VARIABLE_VALUE":
                return attribute.checkpoint_key
        return None


def read(prefix: str, *, setting: str = SETTING) -> Checkpoint:
    """Reads a checkpoint's table of contents.

    Args:
      prefix: The path without ".index".
      setting: The gin name that the path was bound to, for errors.

    Raises:
      UserError: There is no complete TF2 checkpoint of that name.
    """
    key = (sharing.version(f"{prefix}.index"), prefix, setting)
    return sharing.once("checkpoint", key, lambda: _read(prefix, setting))


def _read(prefix: str, setting: str) -> Checkpoint:
    try:
        _check_prefix(prefix, setting)
        entries = tensor_bundles.read_entries(prefix)
    except tensor_bundles.BundleFormatError as error:
        raise _damaged(prefix, str(error), setting) from None
    except tf.errors.OpError as error:
        raise errors.UserError(
            "The checkpoint must be readable.",
            received=f"{prefix} ({error.message})",
            setting=setting,
        ) from None
    if _OBJECT_GRAPH_KEY not in entries:
        if not any(name.startswith("bert/") for name in entries):
            raise errors.UserError(
                "A checkpoint must be object-based (TF2), or an original BERT's or ALBERT's (TF1), "
                "whose names start with bert/.",
                received=f"{prefix} with {', '.join(sorted(entries)[:3])}, ...",
                setting=setting,
            )
        return Checkpoint(prefix, entries, trackable_object_graph_pb2.TrackableObjectGraph())
    try:
        serialized = tf.compat.v1.train.NewCheckpointReader(prefix).get_tensor(_OBJECT_GRAPH_KEY)
    except tf.errors.OpError as error:
        raise _damaged(prefix, f"the table of its objects: {error.message}", setting) from None
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)
    return Checkpoint(prefix, entries, graph)


def _damaged(prefix: str, what: str, setting: str) -> errors.UserError:
    return errors.UserError(
        f"The checkpoint must be complete and undamaged: {what}{'' if what[-1] == '?' else '.'}",
        example="a fresh copy of the checkpoint",
        received=prefix,
        setting=setting,
    )


def find(path: str, *, setting: str = SETTING) -> str:
    """Returns the prefix of the checkpoint that `path` means.

    Args:
      path: A checkpoint's prefix, or a directory, of which the newest checkpoint is taken.
      setting: The gin name that the path was bound to, for errors.

    Raises:
      UserError: The directory holds no checkpoint.
    """
    try:
        if not tf.io.gfile.isdir(path) or tf.io.gfile.exists(path + ".index"):
            return path
    except tf.errors.UnimplementedError:  # A file system that is not there: `read` tells.
        return path
    newest = checkpoint_folders.newest(path)
    if newest is None:
        there = checkpoint_folders.prefixes_in(path)
        raise errors.UserError(
            "A directory given as the checkpoint must hold one, or a file `checkpoint` that names "
            "the newest.",
            example=f"--model_checkpoint_path={there[-1] if there else path + '/bert_model.ckpt'}",
            received=f"{path} with {', '.join(there) or 'no checkpoint'}",
            setting=setting,
        )
    findings.log(newest.found)
    return newest.prefix


@contextlib.contextmanager
def staying(checkpoint: Checkpoint, *, setting: str = SETTING) -> Iterator[None]:
    """Says so where a checkpoint's files are removed or replaced while it is read.

    Args:
      checkpoint: The checkpoint that is read in this context.
      setting: The gin name that its path was bound to, for errors.

    Raises:
      UserError: They were replaced, or reading fails and they are gone.
    """
    files = [f"{checkpoint.prefix}.index"]
    files += sorted({entry.data_file for entry in checkpoint.entries.values()})
    before = {file: _stamp(file) for file in files}
    try:
        yield
    except (tf.errors.OpError, OSError, tensor_bundles.BundleFormatError) as error:
        gone = [file for file in files if not tf.io.gfile.exists(file)]
        if gone:
            raise _not_staying(f"{', '.join(gone)} gone meanwhile", setting) from error
        _require_same(before, setting)
        raise
    except errors.VerificationError:
        _require_same(before, setting)
        raise
    _require_same(before, setting)


def _stamp(file: str) -> tuple[int, int] | None:
    """Returns a file's size and time of change, or None for one that is gone."""
    try:
        status = tf.io.gfile.stat(file)
    except tf.errors.NotFoundError:
        return None
    return status.length, status.mtime_nsec


def _require_same(before: Mapping[str, tuple[int, int] | None], setting: str) -> None:
    """Raises if files were written since; those that are gone by now were there long enough."""
    changed = [file for file, stamp in before.items() if _stamp(file) not in (stamp, None)]
    if changed:
        raise _not_staying(f"{', '.join(changed)} changed meanwhile", setting)


def _not_staying(received: str, setting: str) -> errors.UserError:
    return errors.UserError(
        "The checkpoint must stay while it is exported: a trainer that still runs removes all "
        "but the last trainer.max_to_keep ones.",
        example="the same command once more, or --checkpoint=best",
        received=received,
        setting=setting,
    )


def match(checkpoint: Checkpoint, trackable: Any, node_id: int = 0) -> dict[Any, str]:
    """Walks an object and a checkpoint's graph side by side, along children of the same names.

    Args:
      checkpoint: The checkpoint.
      trackable: The object.
      node_id: The graph's node that stands for the object.

    Returns:
      The keys of the stored values, by the variables' references.
    """
    keys: dict[Any, str] = {}
    view = tf.train.TrackableView(trackable)
    seen = {node_id}
    to_visit = collections.deque([(trackable, node_id)])
    while to_visit:
        current, current_id = to_visit.popleft()
        key = checkpoint.key(current_id)
        if key is not None and isinstance(current, tf.Variable):
            keys[current.ref()] = key
        children = view.children(current)
        for name, child_id in checkpoint.children(current_id).items():
            if name in children and child_id not in seen:
                seen.add(child_id)
                to_visit.append((children[name], child_id))
    return keys


def _check_prefix(prefix: str, setting: str) -> None:
    if tf.io.gfile.exists(prefix + ".index"):
        return
    match = re.fullmatch(r"(.*)\.(index|data-\d+-of-\d+|meta)", prefix)
    if match and tf.io.gfile.exists(match[1] + ".index"):
        example = match[1]
    else:
        there = checkpoint_folders.prefixes_in(prefix.rpartition("/")[0] or ".")
        example = there[-1] if there else None
    raise errors.UserError(
        "The checkpoint is named by the prefix of its files, without .index or .data-…; "
        "PREFIX.index must exist.",
        example=f"--model_checkpoint_path={example}" if example else None,
        received=prefix,
        setting=setting,
    )
