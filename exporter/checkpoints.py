"""Finds each variable's value in a checkpoint, and accounts for every value there.

A checkpoint is read as a table of tensors and a graph of objects (TF2). The graph is matched with
the encoder's as `tf.train.Checkpoint.restore` does it, but nothing is restored: the result says
which stored tensor belongs to which variable, so that the exporter may copy it from file to file.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from exporter import encoders, errors, poolers, tensor_bundles

_SETTING = "checkpoint.model_checkpoint_path"
_OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

# What a checkpoint may hold that is no part of an export, and why. Tried in this order.
_IGNORED = (
    (r"_CHECKPOINTABLE_OBJECT_GRAPH$", "graph of the checkpoint's objects"),
    (r".*/\.OPTIMIZER_SLOT/", "optimizer slot"),
    (r"(.*/)?_?optimizer/", "optimizer state"),
    (r"(save_counter|global_step|iterations)/", "step counter"),
    (r".*/\.ATTRIBUTES/OBJECT_CONFIG_JSON$", "Keras configuration"),
    (r"(model/|pretrainer/)?masked_lm/", "masked-language-model head, not exported"),
    (r"(model/|pretrainer/)?classification_heads/", "classification head, not exported"),
    (r"[\w-]+\.\.\w+/", "classification head, not exported"),
)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's table of contents.

    Attributes:
      prefix: The path without ".index".
      entries: The stored tensors by key.
      graph: The graph of the objects that were saved.
    """

    prefix: str
    entries: Mapping[str, tensor_bundles.Entry]
    graph: trackable_object_graph_pb2.TrackableObjectGraph

    @property
    def items(self) -> dict[str, int]:
        """The named objects given to `tf.train.Checkpoint(...)`, as node ids of the graph."""
        return {child.local_name: child.node_id for child in self.graph.nodes[0].children}

    @property
    def has_masked_lm(self) -> bool:
        """Whether it holds a masked-language-model head."""
        holders = [0, *(self.items[name] for name in ("pretrainer", "model") if name in self.items)]
        return any("masked_lm" in self.children(holder) for holder in holders)

    def children(self, node_id: int) -> dict[str, int]:
        """The named children of an object."""
        return {child.local_name: child.node_id for child in self.graph.nodes[node_id].children}

    def key(self, node_id: int) -> str | None:
        """The key of a variable's value, or None for other objects."""
        for attribute in self.graph.nodes[node_id].attributes:
            if attribute.name == "VARIABLE_VALUE":
                return attribute.checkpoint_key
        return None


@dataclasses.dataclass(frozen=True)
class Restoration:
    """Where each variable's value comes from, and what became of each value of the checkpoint.

    Attributes:
      checkpoint: The checkpoint.
      kind: How the checkpoint holds the encoder.
      objects: The encoder and its head, by their names in the checkpoint.
      pooler: Where the pooler's values come from.
      keys: The key of the stored value for each variable, by the variable's reference.
      ignored: How many values were left out for which reason.
    """

    checkpoint: Checkpoint
    kind: str
    objects: Mapping[str, Any]
    pooler: poolers.Pooler
    keys: Mapping[Any, str]
    ignored: Mapping[str, int]

    def entry(self, variable: tf.Variable) -> tensor_bundles.Entry | None:
        """The stored value of a variable, or None where it has none in the checkpoint."""
        key = self.keys.get(variable.ref())
        return None if key is None else self.checkpoint.entries[key]

    def summary(self) -> str:
        """One line for the log."""
        ignored = ", ".join(f"{count} {reason}" for reason, count in self.ignored.items())
        return f"{len(self.keys)} values restored ({self.kind}); ignored: {ignored or 'none'}"


def read(prefix: str, *, setting: str = _SETTING) -> Checkpoint:
    """Reads a checkpoint's table of contents.

    Args:
      prefix: The path without ".index".
      setting: The gin name that the path was bound to, for errors.

    Raises:
      UserError: There is no complete TF2 checkpoint of that name.
    """
    _check_prefix(prefix, setting)
    try:
        entries = tensor_bundles.read_entries(prefix)
    except tensor_bundles.BundleFormatError as error:
        raise errors.UserError(
            f"The checkpoint must be complete and undamaged: {error}.",
            received=prefix,
            setting=setting,
        ) from None
    if _OBJECT_GRAPH_KEY not in entries:
        raise errors.UserError(
            "The checkpoint must be object-based (TF2); this one has names only (TF1).",
            example="convert it with official/nlp/tools/tf2_bert_encoder_checkpoint_converter.py",
            received=prefix,
            setting=setting,
        )
    serialized = tf.train.load_checkpoint(prefix).get_tensor(_OBJECT_GRAPH_KEY)
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)
    return Checkpoint(prefix, entries, graph)


def find(path: str, *, setting: str = _SETTING) -> str:
    """Returns the prefix of the checkpoint that `path` means.

    Args:
      path: A checkpoint's prefix, or a directory, of which the newest checkpoint is taken.
      setting: The gin name that the path was bound to, for errors.

    Raises:
      UserError: The directory holds no checkpoint.
    """
    if not tf.io.gfile.isdir(path) or tf.io.gfile.exists(path + ".index"):
        return path
    newest = tf.train.latest_checkpoint(path)
    if newest is None or not tf.io.gfile.exists(newest + ".index"):
        there = prefixes_in(path)
        if len(there) == 1:
            return there[0]
        raise errors.UserError(
            "A directory given as the checkpoint must hold one, or a file `checkpoint` that names "
            "the newest.",
            example=f"--model_checkpoint_path={there[-1] if there else path + '/bert_model.ckpt'}",
            received=f"{path} with {', '.join(there) or 'no checkpoint'}",
            setting=setting,
        )
    return newest


def prefixes_in(directory: str) -> list[str]:
    """Lists the prefixes of the checkpoints in a directory, in the order of their names."""
    if not tf.io.gfile.isdir(directory):
        return []
    names = sorted(tf.io.gfile.listdir(directory))
    return [f"{directory}/{n.removesuffix('.index')}" for n in names if n.endswith(".index")]


def restoration(
    checkpoint: Checkpoint,
    encoder: encoders.Encoder,
    pooler: poolers.Pooler,
    *,
    setting: str = _SETTING,
) -> Restoration:
    """Finds the value of each variable of the encoder and its head.

    Args:
      checkpoint: The checkpoint.
      encoder: The encoder, with the head if that is to be exported.
      pooler: Where the pooler's values come from.
      setting: The gin name that the checkpoint's path was bound to, for errors.

    Raises:
      UserError: A variable has no value, or one of another shape or dtype, or the checkpoint has
        values that nothing accounts for.
    """
    kind, objects = _objects(checkpoint, encoder, setting)
    keys: dict[Any, str] = {}
    for name, trackable in objects.items():
        keys.update(match(checkpoint, trackable, checkpoint.items[name]))
    reinitialized, pooler_key = _pooler_keys(checkpoint, encoder, pooler)
    own = {keys[ref] for ref in reinitialized if ref in keys}
    keys = {ref: key for ref, key in keys.items() if ref not in reinitialized} | pooler_key
    mistakes = _mistakes(checkpoint, encoder, keys, reinitialized - pooler_key.keys(), setting)
    used = set(keys.values())
    left = [key for key in checkpoint.entries if key not in used | own]
    ignored, unexplained = _explain(left)
    if unexplained:
        mistakes.append(_unexplained(unexplained, checkpoint, setting))
    errors.raise_all(mistakes)
    if own:
        ignored["encoder's own pooler, replaced"] = len(own)
    return Restoration(checkpoint, kind, objects, pooler, keys, ignored)


def restore(restoration: Restoration, encoder: encoders.Encoder) -> None:
    """Gives the variables their values in memory, by `tf.train.Checkpoint`.

    Args:
      restoration: Where the values come from.
      encoder: The encoder for which that was found.
    """
    prefix, pooler = restoration.checkpoint.prefix, restoration.pooler
    tf.train.Checkpoint(**restoration.objects).read(prefix).expect_partial()
    layer = encoder.pooler_layer
    if pooler.checkpoint_item is not None:
        tf.train.Checkpoint(**{pooler.checkpoint_item: layer}).read(prefix).expect_partial()
    elif layer is not None:
        pooler.initialize(layer)


def _check_prefix(prefix: str, setting: str) -> None:
    if tf.io.gfile.exists(prefix + ".index"):
        return
    match = re.fullmatch(r"(.*)\.(index|data-\d+-of-\d+|meta)", prefix)
    if match and tf.io.gfile.exists(match[1] + ".index"):
        example = match[1]
    else:
        there = prefixes_in(prefix.rpartition("/")[0] or ".")
        example = there[-1] if there else None
    raise errors.UserError(
        "The checkpoint is named by the prefix of its files, without .index or .data-…; "
        "PREFIX.index must exist.",
        example=f"--model_checkpoint_path={example}" if example else None,
        received=prefix,
        setting=setting,
    )


def _objects(
    checkpoint: Checkpoint, encoder: encoders.Encoder, setting: str
) -> tuple[str, dict[str, Any]]:
    """Returns how the checkpoint holds the encoder, and the objects by their names there.

    The objects are what `tf.train.Checkpoint(**objects)` would restore. A pretrainer stands there
    as the objects that are its parts.
    """
    items = checkpoint.items
    head = {} if encoder.masked_lm is None else {"masked_lm": encoder.masked_lm}
    pretrainer = tf.train.Checkpoint(encoder_network=encoder.network, **head)
    if "encoder" in items:
        kind, names, objects = "encoder=", items, {"encoder": encoder.network, **head}
    elif "pretrainer" in items:
        kind, names = "pretrainer=", checkpoint.children(items["pretrainer"])
        objects = {"pretrainer": pretrainer}
    elif "model" in items and "encoder_network" in checkpoint.children(items["model"]):
        kind, names = "model=pretrainer", checkpoint.children(items["model"])
        objects = {"model": pretrainer}
    elif "model" in items:
        kind, names, objects = "model=", items, {"model": encoder.network, **head}
    else:
        raise errors.UserError(
            "The checkpoint must hold the encoder as encoder=, model= or pretrainer= of "
            "tf.train.Checkpoint(...).",
            example="tf.train.Checkpoint(**BertPretrainerV2(...).checkpoint_items)",
            received=f"{checkpoint.prefix} with {', '.join(sorted(items)) or 'no named objects'}",
            setting=setting,
        )
    if head and "masked_lm" not in names:
        raise errors.UserError(
            "To export the encoder with its masked-language-model head, the checkpoint must hold "
            "the head as masked_lm=, as BertPretrainerV2 writes it.",
            example="--export_type=model exports the encoder alone",
            received=f"{checkpoint.prefix} with {', '.join(sorted(names))}",
            setting=setting,
        )
    return kind, objects


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


def _pooler_keys(
    checkpoint: Checkpoint, encoder: encoders.Encoder, pooler: poolers.Pooler
) -> tuple[set[Any], dict[Any, str]]:
    """Returns the pooler's variables that the encoder's item does not fill, and others' keys."""
    if pooler.checkpoint_item is None and pooler.make_values is None:
        return set(), {}
    layer = encoder.pooler_layer
    if layer is None:
        raise errors.UserError(
            f"An encoder without a pooler cannot take {pooler.name}.",
            example="export.pooler = @restored_pooler",
            received=f"an encoder of type {encoder.architecture.type!r}",
            setting="export.pooler",
        )
    reinitialized = {variable.ref() for variable in layer.variables}
    if pooler.checkpoint_item is None:
        return reinitialized, {}
    node_id = checkpoint.items.get(pooler.checkpoint_item)
    if node_id is None:
        raise errors.UserError(
            f"To copy the pooler of a classification head, the checkpoint must hold the head as "
            f"{pooler.checkpoint_item}.",
            example="leave --copy_pooler_dense_to_encoder unset",
            received=f"{checkpoint.prefix} with {', '.join(sorted(checkpoint.items))}",
            setting="export.pooler",
        )
    return reinitialized, match(checkpoint, layer, node_id)


def _mistakes(
    checkpoint: Checkpoint,
    encoder: encoders.Encoder,
    keys: Mapping[Any, str],
    reinitialized: set[Any],
    setting: str,
) -> list[errors.UserError]:
    """Lists variables without a value, and those whose value does not fit, in one table each."""
    missing, unfit = [], []
    for variable in encoder.variables:
        key = keys.get(variable.ref())
        if key is None:
            if variable.ref() not in reinitialized:
                missing.append(f"{variable.name.removesuffix(':0')} {tuple(variable.shape)}")
            continue
        entry = checkpoint.entries[key]
        if entry.shape != tuple(variable.shape) or entry.dtype != variable.dtype:
            unfit.append(
                f"{variable.name.removesuffix(':0')}: configured {tuple(variable.shape)} "
                f"{variable.dtype.name}, stored {entry.shape} {entry.dtype.name}"
            )
    mistakes = []
    if missing:
        mistakes.append(_table("Every variable must have a value in the checkpoint.", missing))
    if unfit:
        mistakes.append(_table("Stored values must have their variables' shapes.", unfit))
    for mistake in mistakes:
        mistake.setting = setting
        mistake.example = "the configuration that the checkpoint was trained with"
    return mistakes


def _explain(keys: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """Sorts unused keys into counts by reason to ignore them, and those without a reason."""
    ignored: collections.Counter[str] = collections.Counter()
    unexplained = []
    for key in keys:
        reason = next((why for pattern, why in _IGNORED if re.match(pattern, key)), None)
        if reason is None:
            unexplained.append(key)
        else:
            ignored[reason] += 1
    return dict(ignored), unexplained


def _unexplained(keys: list[str], checkpoint: Checkpoint, setting: str) -> errors.UserError:
    rows = [f"{key.removesuffix(_VALUE_SUFFIX)} {checkpoint.entries[key].shape}" for key in keys]
    error = _table("Every value of the checkpoint must have a place in the encoder.", rows)
    error.setting = setting
    error.example = "the configuration (and gin files) that the checkpoint was trained with"
    return error


def _table(rule: str, rows: list[str], most: int = 8) -> errors.UserError:
    more = f"; and {len(rows) - most} more" if len(rows) > most else ""
    return errors.UserError(rule, received=f"{len(rows)} values: {'; '.join(rows[:most])}{more}")
