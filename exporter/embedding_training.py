"""Compares text embeddings in training with where they came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from exporter import comparison, contracts, loaded_models, repeated_draws, reports

NAME = "vectors in training"
_LOOK_AT = "dropout rates, and what else the call for training does"


def check(
    model: loaded_models.Model, texts: Sequence[str], expect: Callable[[], tf.Tensor]
) -> reports.Check:
    """Compares vectors of texts in training, where both repeat what they draw.

    Args:
      model: The text embedding.
      texts: Texts of which one is as long as any may be: what is drawn depends on the shapes.
      expect: Makes the source's vectors in training.
    """
    with repeated_draws.in_python():
        expected, again = expect(), expect()
    if not np.array_equal(expected, again):
        return reports.Check(NAME, None, "the source draws numbers that cannot be repeated")

    def compare() -> reports.Check:
        repeated = repeated_draws.of(model)
        got = repeated.loaded(tf.constant(texts), training=True)
        if repeated is not model:
            loaded_models.release(repeated)
        return comparison.compare(NAME, {"vectors": expected}, {"vectors": got}, look_at=_LOOK_AT)

    return contracts.attempt(NAME, compare)
