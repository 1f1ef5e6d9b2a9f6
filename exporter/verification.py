"""Compares what was written with where it came from.

The source is TF-NLP's encoder, run by Keras, with the checkpoint restored by TensorFlow; the
export is loaded from its files. Nothing that the exporter did on its way (copying values between
files, sharing traces) is used on the source's side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    encoder_calls,
    encoder_modules,
    encoders,
    errors,
    reports,
    restorations,
)

_SEED = 20201012


def verify_encoder(
    path: str,
    module: encoder_modules.EncoderModule,
    restoration: restorations.Restoration,
    *,
    level: str,
) -> reports.Report:
    """Compares an encoder's SavedModel with its source.

    Args:
      path: The SavedModel.
      module: What it was written from; its variables get their values here.
      restoration: Where the values come from.
      level: "quick": one batch, outputs for inference. "full": several lengths, gradients and
        dropout, too.

    Returns:
      The report; the caller decides what a failure means.
    """
    source = module.encoder
    restorations.restore(restoration, source)
    try:
        loaded = tf.saved_model.load(path)
    except (tf.errors.OpError, OSError, ValueError) as error:
        return reports.Report("encoder", (reports.Check("loading", False, str(error)),))
    checks = [_same_variables(module, loaded)]
    for inputs in _batches(source, level):
        checks += _same_outputs(source, loaded, inputs)
    if level == "full":
        inputs = next(iter(_batches(source, level)))
        checks += [_same_gradients(source, loaded, inputs), _dropout(source, loaded, inputs)]
    return reports.Report("encoder", tuple(checks))


def _batches(source: encoders.Encoder, level: str) -> Iterable[dict[str, tf.Tensor]]:
    """Yields random inputs: padded and full rows, several types, several lengths if asked."""
    random = np.random.default_rng(_SEED)
    longest = source.max_seq_length or 64
    lengths = {min(16, longest)} if level == "quick" else {1, min(16, longest), longest}
    for length in sorted(lengths, reverse=True):
        ids = random.integers(0, source.vocab_size, [3, length])
        mask = np.arange(length) < np.array([[length], [max(1, length // 2)], [length]])
        types = np.arange(length) >= np.array([[length], [length], [length // 2]])
        arrays = (ids * mask, mask, types % source.type_vocab_size)
        yield {
            name: tf.constant(array, tf.int32)
            for name, array in zip(encoder_calls.INPUT_NAMES, arrays, strict=True)
        }


def _same_variables(module: encoder_modules.EncoderModule, loaded: Any) -> reports.Check:
    """Compares all values bit by bit: not each of them shows in some batch's outputs."""
    name = "variables in the source's order"
    for attribute in ("variables", "trainable_variables"):
        expected, got = getattr(module, attribute), getattr(loaded, attribute)
        if len(expected) != len(got):
            return reports.Check(name, False, f"{len(got)} {attribute}, not {len(expected)}")
        for ours, theirs in zip(expected, got, strict=True):
            if ours.shape != theirs.shape or not np.array_equal(ours.numpy(), theirs.numpy()):
                return reports.Check(name, False, f"another value of {ours.name}")
    return reports.Check(name, True, f"{len(loaded.variables)} variables")


def _same_outputs(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> list[reports.Check]:
    length = inputs["input_word_ids"].shape[1]
    expected = _expected(source, inputs)
    checks = [
        comparison.compare(f"outputs at length {length}", expected, loaded(inputs, training=False)),
    ]
    if source.masked_lm is not None:
        name = f"mlm outputs at length {length}"
        if not hasattr(loaded, "mlm"):
            return [*checks, reports.Check(name, False, "there is no .mlm")]
        last = expected["sequence_output"].shape[1] - 1  # Funnel Transformers shorten sequences.
        positions = tf.constant([[0, last], [last // 2, 0], [0, 0]])
        logits = source.masked_lm(expected["sequence_output"], masked_positions=positions)
        got = loaded.mlm({**inputs, encoder_modules.POSITIONS_NAME: positions}, training=False)
        checks.append(comparison.compare(name, {**expected, "mlm_logits": logits}, got))
    return checks


def _expected(source: encoders.Encoder, inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Runs the source, which a user's own BUILDER may have made for some lengths only."""
    try:
        return source(inputs, training=False)
    except tf.errors.InvalidArgumentError as error:
        length = inputs["input_word_ids"].shape[1]
        reason = error.message.partition("}} ")[2].partition(" [Op:")[0] or error.message
        raise errors.UserError(
            "An encoder must take sequences of any length up to its longest. The source itself "
            f"fails at length {length}; it says: {reason}.",
            example="encoder.type = 'bert_v2', if it is a plain BERT after training",
            received=f"an encoder of type {source.architecture.type!r} of "
            f"{source.architecture.source}",
        ) from error


def _same_gradients(
    source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]
) -> reports.Check:
    def gradients(call: Any, variables: list[tf.Variable]) -> dict[str, tf.Tensor | None]:
        with tf.GradientTape() as tape:
            outputs = call(inputs, training=False)
            loss = tf.reduce_mean(outputs["pooled_output"]) + tf.reduce_mean(
                tf.square(outputs["sequence_output"])
            )
        values = tape.gradient(loss, variables)
        return {
            str(index): None if value is None else tf.convert_to_tensor(value)
            for index, value in enumerate(values)
        }

    return comparison.compare(
        "gradients of a scalar loss",
        gradients(source, source.network.trainable_variables),
        gradients(loaded, loaded.trainable_variables),
    )


def _dropout(source: encoders.Encoder, loaded: Any, inputs: dict[str, tf.Tensor]) -> reports.Check:
    def varies(call: Any) -> bool:
        first, second = (call(inputs, training=True)["sequence_output"] for _ in range(2))
        return bool(tf.reduce_any(first != second))

    expected, got = varies(source), varies(loaded)
    return reports.Check("dropout in training", expected == got, "active" if got else "inactive")
