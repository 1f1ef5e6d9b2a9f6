"""Uses text embeddings, as `benchmarks.probes` does.

embedding  OUTPUT PREPROCESSING_PATH ENCODER_PATH TEXT_EMBEDDING_PATH
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import texts, timing

# The largest difference of two float32 encoders, by the same weights and other kernels.
_LIMIT = 1e-4
_PASSES = 2


def embedding(preprocessing: str, encoder: str, text_embedding: str) -> list[float]:
    """Returns the sentences per second that become vectors, a mean over the tokens.

    Args:
      preprocessing: A preprocessing model's path.
      encoder: An encoder's.
      text_embedding: The path of a text embedding that is made of the like.

    Returns:
      By preprocessing and encoder as they are, by both with rows cut to the longest of the batch,
      and by the text embedding; then the same per second of processor time.
    """
    import tensorflow_text  # noqa: F401  Registers the ops.

    preprocess, encode, embed = map(tf.saved_model.load, (preprocessing, encoder, text_embedding))
    ways = [
        functools.partial(_one_after_the_other, preprocess, encode, to_longest=to_longest)
        for to_longest in (False, True)
    ]
    calls: list[Callable[..., tf.Tensor]] = [*ways, embed]
    batches = [tf.constant(batch) for batch in texts.batches()]
    _check_same(calls, batches)
    passes = [functools.partial(_run, call, batches) for call in calls]
    spent = timing.in_turn(passes, calls=_PASSES)
    number = sum(batch.shape[0] for batch in batches)
    wall = [number / one.wall for one in spent]
    return wall + [number / one.processor for one in spent]


def _one_after_the_other(
    preprocess: Any, encode: Any, texts: tf.Tensor, *, to_longest: bool
) -> tf.Tensor:
    inputs = preprocess(texts)
    if to_longest:
        longest = int(tf.reduce_max(tf.reduce_sum(inputs["input_mask"], axis=1)))
        inputs = {name: value[:, :longest] for name, value in inputs.items()}
    tokens = encode(inputs)["sequence_output"]
    mask = tf.cast(inputs["input_mask"], tf.float32)[:, :, tf.newaxis]
    return tf.reduce_sum(tokens * mask, axis=1) / tf.reduce_sum(mask, axis=1)


def _check_same(calls: Sequence[Callable[..., tf.Tensor]], batches: Sequence[tf.Tensor]) -> None:
    """Warms up, too."""
    for batch in batches:
        expected, *others = [call(batch).numpy() for call in calls]
        for got in others:
            difference = float(np.max(np.abs(expected - got)))
            if not difference <= _LIMIT:
                raise ValueError(f"All must give the same vectors; they differ by {difference}.")


def _run(call: Callable[..., tf.Tensor], batches: Sequence[tf.Tensor]) -> None:
    for batch in batches:
        call(batch).numpy()
