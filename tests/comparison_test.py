from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter import comparison, reports


def _compare(expected: Any, got: Any) -> reports.Check:
    return _plain(comparison.compare("outputs", {"x": expected}, {"x": got}))


def _plain(check: reports.Check) -> reports.Check:
    """Returns a check without its difference as a number and its hint."""
    assert check.name == "outputs"
    return reports.Check(check.name, check.passed, check.found)


def test_equal_outputs() -> None:
    outputs = {"a": tf.constant([1.0, -2.0]), "b": [tf.zeros([2, 0]), tf.constant(3)]}
    check = comparison.compare("outputs", outputs, dict(outputs))
    assert check.difference == 0.0
    assert _plain(check) == reports.Check("outputs", True, "all equal")


@pytest.mark.parametrize(
    ("expected", "got", "passed", "found"),
    [
        (1.0, 1.0 + 2e-6, True, "largest difference 2.0e-06 in x"),
        (1.0, 1.0 + 2e-5, False, "largest difference 2.0e-05 in x"),
        (0.0, 2e-5, False, "largest difference 2.0e-05 in x"),
        (-0.5, 0.5, False, "largest difference 1.0e+00 in x"),
        # Relative to the largest value above 1.
        ([0.0, 100.0], [5e-4, 100.0], True, "largest difference 5.0e-06 in x"),
        ([0.0, 100.0], [5e-3, 100.0], False, "largest difference 5.0e-05 in x"),
    ],
)
def test_differences(expected: Any, got: Any, passed: bool, found: str) -> None:
    check = _compare(tf.constant(expected, tf.float64), tf.constant(got, tf.float64))
    assert check == reports.Check("outputs", passed, found)


@pytest.mark.parametrize(
    ("dtype", "least"), [(tf.float64, 2e-5), (tf.float16, 2e-2), (tf.bfloat16, 7e-2)]
)
def test_limits_are_those_of_the_precision(dtype: tf.DType, least: float) -> None:
    zero = tf.constant(0.0, dtype)
    assert _compare(zero, tf.constant(least / 4, dtype)).passed
    assert not _compare(zero, tf.constant(least, dtype)).passed


def test_the_largest_difference_is_told_by_its_name() -> None:
    check = comparison.compare(
        "outputs",
        {"a": tf.constant(1.0), "b": [tf.constant(1.0), tf.constant(1.0)], "c": tf.constant(1.0)},
        {"a": tf.constant(1.5), "b": [tf.constant(1.0), tf.constant(3.0)], "c": tf.constant(2.0)},
    )
    assert check.difference == 2.0
    assert _plain(check) == reports.Check("outputs", False, "largest difference 2.0e+00 in b")


@pytest.mark.parametrize(
    ("expected", "got", "found"),
    [
        (tf.zeros([2]), tf.zeros([1, 2]), "`x` is float32 [1, 2], not [2]"),
        (tf.zeros([2]), tf.zeros([]), "`x` is float32 [], not [2]"),
        (tf.zeros([2]), tf.zeros([2], tf.float64), "`x` is float64 [2], not float32 [2]"),
        (tf.zeros([2]), tf.zeros([3], tf.float16), "`x` is float16 [3], not float32 [2]"),
        (tf.zeros([2], tf.int32), tf.zeros([2], tf.int64), "`x` is int64 [2], not int32 [2]"),
        (tf.zeros([2]), None, "`x` is nothing, not float32 [2]"),
        (None, tf.zeros([2]), "`x` is float32 [2], not nothing"),
        (tf.zeros([2]), tf.constant([0.0, np.nan]), "largest difference nan in x"),
        # Of weights that are no numbers, no export can be right.
        (tf.constant([np.nan]), tf.constant([np.nan]), "largest difference nan in x"),
    ],
)
def test_what_cannot_be_equal(expected: Any, got: Any, found: str) -> None:
    check = comparison.compare("outputs", {"x": expected}, {"x": got})
    assert _plain(check) == reports.Check("outputs", False, found)
    assert np.isnan(check.difference or 0.0)
    assert check.look_at == comparison.WEIGHTS


def test_who_compares_says_what_to_look_at() -> None:
    for got in ({"x": tf.ones([])}, {"x": tf.ones([2])}, {"x": [tf.ones([])] * 2}, {}):
        check = comparison.compare("outputs", {"x": tf.zeros([])}, got, look_at="the vocabulary")
        assert (check.passed, check.look_at) == (False, "the vocabulary")


def test_the_limit_is_told() -> None:
    outputs = {"a": tf.constant(3), "b": tf.constant([1.0, 2.0])}
    assert comparison.compare("outputs", outputs, outputs).limit == comparison.LIMIT
    assert comparison.compare("outputs", {"a": None}, {"a": None}).limit is None
    check = comparison.compare("outputs", outputs, {**outputs, "a": tf.constant(6)})
    assert (check.difference, check.limit) == (1.0, 0.0)


@pytest.mark.parametrize(("tolerance", "passed"), [(1.0, False), (10.0, True)])
def test_limits_may_be_larger(tolerance: float, passed: bool) -> None:
    expected, got = {"x": tf.constant(1.0)}, {"x": tf.constant(1.00005)}
    check = comparison.compare("outputs", expected, got, tolerance=tolerance)
    assert (check.passed, check.limit) == (passed, tolerance * comparison.LIMIT)


def test_an_undefined_difference_is_not_hidden_by_later_ones() -> None:
    expected = [tf.zeros([2]), tf.zeros([2])]
    check = _compare(expected, [tf.constant([0.0, np.nan]), tf.ones([2])])
    assert check == reports.Check("outputs", False, "largest difference nan in x")


def test_gradients_that_neither_side_has() -> None:
    assert _compare(None, None) == reports.Check("outputs", True, "all equal")


def test_integers() -> None:
    assert _compare(tf.constant([1, 2]), tf.constant([1, 2])).passed
    assert not _compare(tf.constant([1, 2]), tf.constant([1, 3])).passed


def test_other_names() -> None:
    check = comparison.compare("outputs", {"a": tf.zeros([])}, {"b": tf.zeros([])})
    assert _plain(check) == reports.Check("outputs", False, "['b'] instead of ['a']")


@pytest.mark.parametrize("count", [1, 3])
def test_lists_of_other_lengths(count: int) -> None:
    check = _compare([tf.zeros([2])] * 2, [tf.zeros([2])] * count)
    assert _plain(check) == reports.Check("outputs", False, f"{count} tensors instead of 2 in x")
