"""What a checkpoint's values tell of the training: its step, and parts that it never reached."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from exporter import encoders, findings, restorations, stored_values, tensor_bundles

# The pooler of the next-sentence head, which pre-training does train.
_HEADS_POOLER = ".pooler_dense"
_SHOWN = 3
_FEW = 10


def find(
    restoration: restorations.Restoration, encoder: encoders.Encoder
) -> list[findings.Finding]:
    """Lists what is to be said of the weights, after they were copied.

    Args:
      restoration: Where the values came from, and what was seen of them.
      encoder: The encoder for which they were found.
    """
    return [
        *_weights(restoration),
        *_pooler(restoration, encoder),
        *_untrained(restoration, encoder),
    ]


def _weights(restoration: restorations.Restoration) -> Iterator[findings.Finding]:
    checkpoint = restoration.checkpoint
    named, stored = checkpoint.named_step, checkpoint.stored_step
    step = "of an unknown step" if checkpoint.step is None else f"of step {checkpoint.step}"
    if stored is not None and named is not None and stored != named:
        yield findings.Finding(
            "checkpoint",
            f"its files are named after step {named}, its global step is {stored}: were they "
            "renamed or mixed up?",
            is_warning=True,
        )
    kind = f"raw values {step}"
    if checkpoint.averages:
        kind = (
            f"{'averages' if restoration.weights == 'ema' else 'raw values, not averages,'} {step}"
        )
    yield findings.Finding("weights", kind)


def _pooler(
    restoration: restorations.Restoration, encoder: encoders.Encoder
) -> Iterator[findings.Finding]:
    layer = encoder.pooler_layer
    pooler = restoration.pooler
    if layer is None:
        choice = encoder.architecture.pooled_output
        if choice is not None:
            yield findings.Finding(
                "pooler",
                f"the encoder has none: pooled_output is made by {choice} "
                "(encoder.pooled_output), not trained",
            )
        return
    if pooler.checkpoint_item is not None:
        yield findings.Finding("pooler", f"copied from {pooler.checkpoint_item}")
        return
    if pooler.make_values is not None:
        yield findings.Finding("pooler", f"made by {pooler.name}, not trained")
        return
    bias = _seen(restoration, layer.bias)
    if bias is None or bias.constant != 0:
        yield findings.Finding("pooler", "the encoder's own, trained")
        return
    evidence = ["its bias is all zero"]
    if _has_slots(restoration, encoder.network) and not _has_slots(restoration, layer):
        evidence.append("the optimizer has kept nothing for it")
    others = [name for name in restoration.checkpoint.items if name.endswith(_HEADS_POOLER)]
    hint = f"; --copy_pooler_dense_to_encoder takes that of {others[0]}" if others else ""
    yield findings.Finding(
        "pooler", f"the encoder's own, never trained ({' and '.join(evidence)}){hint}"
    )


def _untrained(
    restoration: restorations.Restoration, encoder: encoders.Encoder
) -> Iterator[findings.Finding]:
    """Finds values that are as no training leaves them."""
    pooler = (
        set()
        if encoder.pooler_layer is None
        else {variable.ref() for variable in encoder.pooler_layer.variables}
    )
    constants = {
        variable.name.removesuffix(":0"): (len(variable.shape), seen.constant)
        for variable in encoder.variables
        if variable.ref() not in pooler and (seen := _seen(restoration, variable)) is not None
    }
    vectors = [constant for rank, constant in constants.values() if rank == 1]
    if len(vectors) >= _FEW and all(constant in (0.0, 1.0) for constant in vectors):
        yield findings.Finding(
            "weights",
            "all biases are 0 and all norms' gammas 1, as before the first step of training",
            is_warning=True,
        )
    flat = [
        f"{name} ({constant:g})"
        for name, (rank, constant) in constants.items()
        if rank > 1 and constant is not None
    ]
    if flat:
        more = f" and {len(flat) - _SHOWN} more" if len(flat) > _SHOWN else ""
        yield findings.Finding(
            "weights",
            f"one value throughout, as no training leaves it: {', '.join(flat[:_SHOWN])}{more}",
            is_warning=True,
        )


def _seen(
    restoration: restorations.Restoration, variable: tf.Variable
) -> stored_values.Statistics | None:
    entry = restoration.entry(variable)
    return None if entry is None else restoration.watch.statistics.get(entry)


def _has_slots(restoration: restorations.Restoration, layer: tf.Module) -> bool:
    """Whether the optimizer keeps other values than zeros for a variable of the layer."""
    slots = restoration.checkpoint.slots
    keys = [restoration.keys.get(variable.ref()) for variable in layer.variables]
    entries = restoration.checkpoint.entries
    return any(
        _is_nonzero(entries[slot]) for key in keys if key is not None for slot in slots.get(key, ())
    )


def _is_nonzero(entry: tensor_bundles.Entry) -> bool:
    pieces = (np.frombuffer(piece, np.uint8) for piece in tensor_bundles.read_slices(entry))
    return any(piece.any() for piece in pieces)
