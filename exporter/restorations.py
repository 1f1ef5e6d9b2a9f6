"""Finds each variable's value in a checkpoint, and accounts for every value there.

The checkpoint's graph of objects is matched with the encoder's as `tf.train.Checkpoint.restore`
does it, but nothing is restored: the result says which stored tensor belongs to which variable, so
that the exporter may copy it from file to file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter import (
    accounting,
    checkpoint_layouts,
    checkpoints,
    encoders,
    errors,
    misfits,
    poolers,
    sharing,
    stored_values,
    tensor_bundles,
    tf1_checkpoints,
)


@dataclasses.dataclass(frozen=True)
class Restoration:
    """Where each variable's value comes from, and what became of each value of the checkpoint.

    Attributes:
      checkpoint: The checkpoint.
      kind: How the checkpoint holds the encoder.
      objects: The encoder and its head, by their names in the checkpoint.
      pooler: Where the pooler's values come from.
      common: The variables that all exports of the encoder have in common.
      own: Those of its pooler and its head.
      keys: The key of the stored value for each variable, by the variable's reference.
      weights: "raw" or "ema": the values themselves, or their exponential moving averages.
      ignored: Why values were left out, by their keys.
      setting: The gin name that the checkpoint's path was bound to, for errors.
      watch: Sees the values when they are copied.
    """

    checkpoint: checkpoints.Checkpoint
    kind: str
    objects: Mapping[str, Any]
    pooler: poolers.Pooler
    common: Sequence[tf.Variable]
    own: Sequence[tf.Variable]
    keys: Mapping[Any, str]
    weights: str
    ignored: Mapping[str, str]
    setting: str
    watch: stored_values.Watch

    @property
    def variables(self) -> list[tf.Variable]:
        """All variables, the common ones first."""
        return [*self.common, *self.own]

    def entry(self, variable: tf.Variable) -> tensor_bundles.Entry | None:
        """The stored value of a variable, or None where it has none in the checkpoint."""
        key = self.keys.get(variable.ref())
        return None if key is None else self.checkpoint.entries[key]

    def summary(self) -> str:
        """One line for the log."""
        weights = ""
        if self.checkpoint.averages:
            weights = f"; weights: {self.weights} (it has raw ones and averages)"
        ignored = accounting.counts(self.ignored)
        return f"{len(self.keys)} values restored ({self.kind}){weights}; ignored: {ignored}"

    def require_finite(self) -> None:
        """Raises if a value that was copied is NaN or infinite.

        Raises:
          UserError: With the variables' names.
        """
        names = {
            self.checkpoint.entries[key]: reference.deref().name.removesuffix(":0")
            for reference, key in self.keys.items()
        }
        self.watch.require_finite(names, received=self.checkpoint.prefix, setting=self.setting)

    def record(self, encoder: encoders.Encoder) -> str:
        """Returns a table of what became of each value of the checkpoint.

        Args:
          encoder: The encoder for which the values were found.
        """
        names = {variable.ref(): variable.name.removesuffix(":0") for variable in encoder.variables}
        used = {key: names[reference] for reference, key in self.keys.items()}
        others = {
            name: self.pooler.name
            for reference, name in names.items()
            if reference not in self.keys
        }
        return accounting.record(self.checkpoint.entries, used, self.ignored, others)


def restoration(
    checkpoint: checkpoints.Checkpoint,
    encoder: encoders.Encoder,
    pooler: poolers.Pooler,
    *,
    weights: str = "raw",
    ignored_values: Sequence[str] = (),
    setting: str = checkpoints.SETTING,
) -> Restoration:
    """Finds the value of each variable of the encoder and its head.

    Args:
      checkpoint: The checkpoint.
      encoder: The encoder, with the head if that is to be exported.
      pooler: Where the pooler's values come from.
      weights: "raw" or "ema".
      ignored_values: Regular expressions of keys in the checkpoint that need no place.
      setting: The gin name that the checkpoint's path was bound to, for errors.

    Raises:
      UserError: A variable has no value, or one of another shape or dtype, or the checkpoint has
        values that nothing accounts for.
    """
    kind = "TF1"
    keys: dict[Any, str] = {}
    objects: dict[str, Any] = {}
    if checkpoint.is_tf1:
        keys = tf1_checkpoints.match(checkpoint, encoder, setting=setting)
        checkpoint = tf1_checkpoints.with_heads(checkpoint, keys)
    else:
        kind, objects = checkpoint_layouts.objects(checkpoint, encoder, setting)
        for name, trackable in objects.items():
            keys.update(checkpoints.match(checkpoint, trackable, checkpoint.items[name]))
    reinitialized, pooler_key = checkpoint_layouts.pooler_keys(checkpoint, encoder, pooler)
    own = {keys[ref] for ref in reinitialized if ref in keys}
    keys = {ref: key for ref, key in keys.items() if ref not in reinitialized} | pooler_key
    passed_over = set(keys.values())
    keys = _chosen(checkpoint, keys, weights)
    used = set(keys.values())
    passed_over -= used
    left = [key for key in checkpoint.entries if key not in used | own | passed_over]
    why = accounting.reasons(
        left, with_head=encoder.masked_lm is not None, also_ignored=ignored_values
    )
    ignored = {key: reason for key, reason in why.items() if reason is not None}
    unexplained = [key for key, reason in why.items() if reason is None]
    _require_one_piece(checkpoint, keys, setting)
    missing = [
        variable
        for variable in encoder.variables
        if variable.ref() not in keys.keys() | (reinitialized - pooler_key.keys())
    ]
    unfit = [v for v in encoder.variables if v.ref() in keys and not _fits(v, keys, checkpoint)]
    if missing or unfit or unexplained:
        raise misfits.Misfit(checkpoint, encoder, keys, missing, unfit, unexplained).error(setting)
    ignored |= dict.fromkeys(own, "encoder's own pooler, replaced")
    ignored |= dict.fromkeys(passed_over, "in place of which others were chosen by --weights")
    return Restoration(
        checkpoint=checkpoint,
        kind=kind,
        objects=objects,
        pooler=pooler,
        common=encoder.common_variables,
        own=encoder.own_variables,
        keys=keys,
        weights=weights,
        ignored=ignored,
        setting=setting,
        watch=_watch(checkpoint),
    )


def _watch(checkpoint: checkpoints.Checkpoint) -> stored_values.Watch:
    """Returns what has seen the checkpoint's values, of which exports may copy some only."""
    version = sharing.version(f"{checkpoint.prefix}.index")
    return sharing.once("values seen", version, stored_values.Watch)


def _require_one_piece(
    checkpoint: checkpoints.Checkpoint, keys: Mapping[Any, str], setting: str
) -> None:
    sliced = [key for key in keys.values() if not checkpoint.entries[key].is_plain]
    if sliced:
        raise errors.UserError(
            "Values must be stored in one piece, not in slices as partitioned variables are.",
            example="restore it and save it again without a partitioner",
            received=f"{checkpoint.prefix}: {', '.join(map(accounting.shown, sliced))}",
            setting=setting,
        )


def _fits(
    variable: tf.Variable, keys: Mapping[Any, str], checkpoint: checkpoints.Checkpoint
) -> bool:
    entry = checkpoint.entries[keys[variable.ref()]]
    return entry.shape == tuple(variable.shape) and entry.dtype == variable.dtype


def _chosen(
    checkpoint: checkpoints.Checkpoint, keys: dict[Any, str], weights: str
) -> dict[Any, str]:
    """Returns the keys of the raw values or of their averages."""
    averages = checkpoint.averages
    if weights == "ema" and not averages:
        raise errors.UserError(
            "--weights=ema needs a checkpoint of a run with exponential moving averages.",
            example="--weights=raw",
            received=f"{checkpoint.prefix} without averages",
            setting="checkpoint.weights",
        )
    if (weights == "ema") == checkpoint.is_swapped:
        return keys
    return {ref: averages.get(key, key) for ref, key in keys.items()}


def restore(restoration: Restoration, encoder: encoders.Encoder) -> None:
    """Gives the variables their values in memory, by `tf.train.Checkpoint`.

    Args:
      restoration: Where the values come from.
      encoder: The encoder for which that was found.

    Raises:
      UserError: The checkpoint is damaged, or cannot be read any more.
    """
    prefix = restoration.checkpoint.prefix
    try:
        with _without_warnings():
            _restore(restoration, encoder, prefix)
    except tf.errors.OpError as error:
        if isinstance(error, tf.errors.DataLossError):
            require_undamaged(restoration)  # It names the damaged values.
        raise errors.UserError(
            "The checkpoint must be readable.",
            received=f"{prefix} ({error.message})",
            setting=restoration.setting,
        ) from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keeps TensorFlow from listing unrestored values where restoring ends early.

    It would when the last frame that refers to what was read is gone, after whatever is said of
    the end.
    """
    logger = tf.get_logger()

    def is_worse(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    logger.addFilter(is_worse)
    try:
        yield
    except BaseException as error:
        ended: BaseException | None = error
        while ended is not None:
            traceback.clear_frames(ended.__traceback__)
            ended = ended.__context__
        raise
    finally:
        logger.removeFilter(is_worse)


def require_undamaged(restoration: Restoration) -> None:
    """Reads all values that are restored, and compares their checksums.

    Args:
      restoration: Where the values come from.

    Raises:
      UserError: Some differ; their names are told.
    """
    reader = tf.compat.v1.train.NewCheckpointReader(restoration.checkpoint.prefix)
    damaged = [
        reference.deref().name.removesuffix(":0")
        for reference, key in restoration.keys.items()
        if _is_damaged(reader, key)
    ]
    if not damaged:
        return
    raise errors.UserError(
        "The checkpoint must be undamaged: the bytes of some values are not those that were "
        "written.",
        example="a fresh copy of the checkpoint",
        received=f"{restoration.checkpoint.prefix}: {', '.join(damaged[:5])}"
        + (f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""),
        setting=restoration.setting,
    )


def _is_damaged(reader: Any, key: str) -> bool:
    try:
        reader.get_tensor(key)
    except tf.errors.OpError:  # Which, the reader does not say.
        return True
    return False


def _restore(restoration: Restoration, encoder: encoders.Encoder, prefix: str) -> None:
    version = sharing.version(f"{prefix}.index")
    wanted = {reference: (version, key) for reference, key in restoration.keys.items()}
    missing = [ref for ref, value in wanted.items() if encoder.held.get(ref) != value]
    encoder.held.clear()
    if len(missing) == len(wanted):
        _restore_all(restoration, encoder, prefix)
    elif missing:  # Another pooler, say, of the same checkpoint.
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        for reference in missing:
            reference.deref().assign(reader.get_tensor(restoration.keys[reference]))
    if encoder.pooler_layer is not None:
        restoration.pooler.initialize(encoder.pooler_layer)
    encoder.held.update(wanted)


def _restore_all(restoration: Restoration, encoder: encoders.Encoder, prefix: str) -> None:
    pooler = restoration.pooler
    if restoration.checkpoint.is_tf1:
        tf1_checkpoints.restore(prefix, restoration.keys)
    else:
        tf.train.Checkpoint(**restoration.objects).read(prefix).expect_partial()
    if pooler.checkpoint_item is not None:
        layer = encoder.pooler_layer
        tf.train.Checkpoint(**{pooler.checkpoint_item: layer}).read(prefix).expect_partial()
    if restoration.checkpoint.averages:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        for reference, key in restoration.keys.items():
            reference.deref().assign(reader.get_tensor(key))


def initialize_pooler(pooler: poolers.Pooler, encoder: encoders.Encoder) -> None:
    """Gives the pooler its values, if the checkpoint is not to do that.

    Args:
      pooler: Where they come from.
      encoder: The encoder.
    """
    layer = encoder.pooler_layer
    if layer is not None and pooler.make_values is not None:
        for variable in layer.variables:
            encoder.held.pop(variable.ref(), None)
        pooler.initialize(layer)
