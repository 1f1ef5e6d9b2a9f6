"""Compares what only signatures return with TF-NLP's preprocessing and encoder in Python code."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    contracts,
    encoders,
    loaded_models,
    padding,
    reports,
    sample_texts,
    text_verification,
)

NAME = "outputs beside the vectors"
_SIGNATURE, _POOLED, _TOKENS = "outputs", "pooled_output", "sequence_output"


def outputs_of_text(
    model: loaded_models.Model, source: text_verification.TextSource, encoder: encoders.Encoder
) -> list[reports.Check]:
    """Compares the outputs of the encoder that a text embedding's signature returns.

    Args:
      model: The text embedding.
      source: What text is prepared with.
      encoder: The encoder; its variables have their values.

    Returns:
      The check; none where there is no such signature.
    """
    signature = model.loaded.signatures.get(_SIGNATURE)
    if signature is None:
        return []
    texts = tf.constant(sample_texts.SHORT)
    tokenize, pack, _ = source.layers()
    inputs = pack([tokenize(texts)])
    if padding.is_ignored(encoder):
        longest = int(tf.reduce_max(tf.reduce_sum(inputs["input_mask"], axis=1)))
        inputs = {name: value[:, :longest] for name, value in inputs.items()}

    def same_outputs() -> reports.Check:
        outputs = encoder(inputs, training=False)
        mask = inputs["input_mask"].numpy()
        got = signature(sentences=texts)
        return comparison.compare(NAME, _of_tokens(outputs, mask), _of_tokens(got, mask))

    return [contracts.attempt(NAME, same_outputs)]


def _of_tokens(outputs: dict[str, Any], mask: np.ndarray) -> dict[str, tf.Tensor]:
    """Returns the outputs that are not of padding, which can be anything and of any length."""
    tokens = outputs[_TOKENS].numpy()
    if tokens.shape[1] >= mask.shape[1]:  # Funnel Transformers pool them.
        tokens = tokens[:, : mask.shape[1]] * mask[:, :, np.newaxis]
    return {_POOLED: outputs[_POOLED], _TOKENS: tf.constant(tokens)}
