"""Inputs for the cases' encoders, and comparison of what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tests import testing

# The largest absolute difference of float32 outputs that counts as none.
LIMIT = 1e-5


def inputs(case: testing.Case, batch: int, length: int) -> dict[str, tf.Tensor]:
    """Makes an encoder's inputs: full, padded and all-padding rows, all types.

    Args:
      case: Whose inputs.
      batch: B, the number of rows. The last of three or more rows is all padding.
      length: L, their length.

    Returns:
      int32 tensors `[B, L]` by their names.
    """
    random = np.random.default_rng([batch, length])
    lengths = np.array([length, max(1, length // 2), *random.integers(1, length + 1, batch)])
    lengths = lengths[:batch]
    if batch >= 3:
        lengths[-1] = 0
    mask = np.arange(length) < lengths[:, None]
    arrays = (
        random.integers(1, case.vocab_size, [batch, length]) * mask,
        mask,
        random.integers(0, case.type_vocab_size, [batch, length]) * mask,
    )
    return {
        name: tf.constant(array, tf.int32)
        for name, array in zip(testing.INPUT_NAMES, arrays, strict=True)
    }


def with_positions(
    inputs: Mapping[str, tf.Tensor], sequence_output: tf.Tensor, count: int = 4
) -> dict[str, tf.Tensor]:
    """Adds `masked_lm_positions`: random ones, the first and the last among them.

    Args:
      inputs: An encoder's inputs, `[B, L]`.
      sequence_output: What the encoder makes of them, `[B, L', D]`; L' is less than L in encoders
        that pool.
      count: P, the number of predictions a row.

    Returns:
      The inputs and int32 `[B, P]`.
    """
    batch, length, _ = sequence_output.shape
    positions = np.random.default_rng([batch, length]).integers(0, length, [batch, count])
    positions[:, :2] = 0, length - 1
    return {**inputs, testing.POSITIONS_NAME: tf.constant(positions, tf.int32)}


def interface(outputs: Mapping[str, Any]) -> list[str]:
    """Returns the names of the outputs that the interface names."""
    names = {*testing.OUTPUT_NAMES, "default", "mlm_logits"}
    return sorted(names & set(outputs))


def flat(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns outputs by one name each, `encoder_outputs_0` and so on for the list."""
    return dict(_flat(outputs))


def assert_same_outputs(
    expected: Mapping[str, Any], got: Mapping[str, Any], limit: float = LIMIT
) -> None:
    """Fails unless all that is expected is there, with its dtype, shape and values.

    Args:
      expected: The source's outputs, nested or flat.
      got: The export's.
      limit: The largest absolute difference.
    """
    expected, got = flat(expected), flat(got)
    assert not set(expected) - set(got)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype, name
        assert got[name].shape == value.shape, name
        assert np.all(np.isfinite(value)), name
        np.testing.assert_allclose(got[name], value, rtol=0, atol=limit, err_msg=name)


def _flat(outputs: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in outputs.items():
        if isinstance(value, list | tuple):
            for i, part in enumerate(value):
                yield f"{name}_{i}", np.asarray(part)
        else:
            yield name, np.asarray(value)
