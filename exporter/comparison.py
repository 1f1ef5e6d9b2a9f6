"""Compares tensors that should be equal but for rounding."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import reports

# The largest difference of float32 outputs, relative to the largest expected value above 1.
LIMIT = 1e-5
# The same by what is computed in.
LIMITS = {"float64": LIMIT, "float32": LIMIT, "float16": 1e-2, "bfloat16": 5e-2}
WEIGHTS = "weights in another order, another configuration, or another checkpoint than the export's"


def compare(
    name: str,
    expected: Mapping[str, Any],
    got: Mapping[str, Any],
    *,
    look_at: str = WEIGHTS,
    tolerance: float = 1.0,
) -> reports.Check:
    """Compares nested outputs by name.

    Args:
      name: What is compared, for the report.
      expected: The source's outputs.
      got: The export's.
      look_at: What to look at if they differ.
      tolerance: By what the limits are multiplied.

    Returns:
      The check, which fails where names, shapes or dtypes differ, too.
    """
    if set(expected) != set(got):
        found = f"{sorted(got)} instead of {sorted(expected)}"
        return reports.Check(name, False, found, look_at=look_at)
    passed, largest, limit, where = True, 0.0, None, "all equal"
    for key in sorted(expected):
        ours, theirs = tf.nest.flatten(expected[key]), tf.nest.flatten(got[key])
        if len(ours) != len(theirs):
            found = f"{len(theirs)} tensors instead of {len(ours)} in {key}"
            return reports.Check(name, False, found, look_at=look_at)
        for one, other in zip(ours, theirs, strict=True):
            if kind := _other_kind(key, one, other):
                nothing = float("nan")
                return reports.Check(name, False, kind, difference=nothing, look_at=look_at)
            difference = _difference(one, other)
            if difference > largest or np.isnan(difference):
                largest, limit = difference, tolerance * _limit(one)
                where = f"largest difference {difference:.1e} in {key}"
            passed = passed and difference <= tolerance * _limit(one)
    if limit is None:
        limit = max((tolerance * _limit(tensor) for tensor in _tensors(expected)), default=None)
    return reports.Check(name, passed, where, difference=largest, look_at=look_at, limit=limit)


def other_value(
    attribute: str, expected: Sequence[tf.Variable], got: Sequence[tf.Variable]
) -> str | None:
    """Compares values bit by bit.

    Args:
      attribute: What the variables are called.
      expected: The source's variables.
      got: The export's.

    Returns:
      What is different, or None.
    """
    if len(expected) != len(got):
        return f"{len(got)} {attribute}, not {len(expected)}"
    # NumPy compares on one core, and lets others run meanwhile.
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for ours, same in zip(expected, pool.map(_is_same, expected, got), strict=True):
            if not same:
                return f"another value of {ours.name}"
    return None


def _is_same(expected: tf.Variable, got: tf.Variable) -> bool:
    # Views of what TensorFlow holds: `numpy()` would copy it.
    values, others = (np.asarray(variable.read_value()) for variable in (expected, got))
    return np.array_equal(values, others)


def _tensors(outputs: Mapping[str, Any]) -> Iterator[tf.Tensor]:
    return (tensor for tensor in tf.nest.flatten(dict(outputs)) if tensor is not None)


def _limit(expected: tf.Tensor | None) -> float:
    """The largest difference that counts as none; zero of integers."""
    return 0.0 if expected is None else LIMITS.get(expected.dtype.name, 0.0)


def _other_kind(key: str, expected: tf.Tensor | None, got: tf.Tensor | None) -> str | None:
    """Tells another dtype or shape, or that there is no tensor; None where they are the same."""
    (dtype, shape), (right_dtype, right_shape) = map(_kind, (got, expected))
    if (dtype, shape) == (right_dtype, right_shape):
        return None
    right = right_shape if dtype == right_dtype else f"{right_dtype} {right_shape}".strip()
    return f"`{key}` is {f'{dtype} {shape}'.strip()}, not {right}"


def _kind(tensor: tf.Tensor | None) -> tuple[str, str]:
    return ("nothing", "") if tensor is None else (tensor.dtype.name, str(tensor.shape.as_list()))


def _difference(expected: tf.Tensor | None, got: tf.Tensor | None) -> float:
    """The largest difference, relative to the largest expected value above 1; NaN if undefined."""
    if expected is None or got is None:
        return 0.0
    if expected.dtype == tf.bfloat16:  # Which NumPy does not know.
        expected, got = tf.cast(expected, tf.float32), tf.cast(got, tf.float32)
    expected_values, got_values = np.asarray(expected), np.asarray(got)
    scale = max(1.0, float(np.max(np.abs(expected_values), initial=0.0)))
    return float(np.max(np.abs(expected_values - got_values), initial=0.0)) / scale
