"""Compares tensors that should be equal but for rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import reports

# The largest difference of float32 outputs, relative to the largest expected value above 1.
LIMIT = 1e-5
# The same by what is computed in.
LIMITS = {"float64": LIMIT, "float32": LIMIT, "float16": 1e-2, "bfloat16": 5e-2}
_LOOK_AT = (
    "weights in another order, another configuration, or another checkpoint than the export's"
)


def compare(
    name: str,
    expected: Mapping[str, Any],
    got: Mapping[str, Any],
    *,
    look_at: str = _LOOK_AT,
) -> reports.Check:
    """Compares nested outputs by name.

    Args:
      name: What is compared, for the report.
      expected: The source's outputs.
      got: The export's.
      look_at: What to look at if they are not.

    Returns:
      The check, which fails where names, shapes or dtypes differ, too.
    """
    if set(expected) != set(got):
        return reports.Check(name, False, f"{sorted(got)} instead of {sorted(expected)}")
    passed, largest, where = True, 0.0, "all equal"
    for key in sorted(expected):
        ours, theirs = tf.nest.flatten(expected[key]), tf.nest.flatten(got[key])
        if len(ours) != len(theirs):
            found = f"{len(theirs)} tensors instead of {len(ours)} in {key}"
            return reports.Check(name, False, found)
        for one, other in zip(ours, theirs, strict=True):
            difference = _difference(one, other)
            if difference > largest or np.isnan(difference):
                largest, where = difference, f"largest difference {difference:.1e} in {key}"
            passed = passed and difference <= _limit(one)
    return reports.Check(name, passed, where, difference=largest, look_at=look_at)


def _limit(expected: tf.Tensor | None) -> float:
    """The largest difference that counts as none; zero of integers."""
    return 0.0 if expected is None else LIMITS.get(expected.dtype.name, 0.0)


def _difference(expected: tf.Tensor | None, got: tf.Tensor | None) -> float:
    """The largest difference, relative to the largest expected value above 1; NaN if undefined."""
    if expected is None or got is None:
        return 0.0 if expected is got else float("nan")
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return float("nan")
    if expected.dtype == tf.bfloat16:  # Which NumPy does not know.
        expected, got = tf.cast(expected, tf.float32), tf.cast(got, tf.float32)
    expected_values, got_values = np.asarray(expected), np.asarray(got)
    scale = max(1.0, float(np.max(np.abs(expected_values), initial=0.0)))
    return float(np.max(np.abs(expected_values - got_values), initial=0.0)) / scale
