from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from exporter import choices, truncation


@pytest.mark.parametrize(
    ("name", "lengths", "budget", "kept"),
    [
        ("equal_size", [3, 4, 2], 5, [2, 2, 1]),
        ("equal_size", [9, 9], 5, [3, 2]),
        ("equal_size", [9, 1], 5, [4, 1]),
        ("equal_size", [1, 9], 5, [1, 4]),
        ("equal_size", [2, 3], 5, [2, 3]),
        ("equal_size", [0, 9, 0], 4, [0, 4, 0]),
        ("equal_size", [5, 5], 0, [0, 0]),
        ("equal_size", [5, 5], -2, [0, 0]),
        ("equal_size", [5], 3, [3]),
        ("longest_first", [3, 4, 4], 7, [2, 2, 3]),
        ("longest_first", [9, 9], 5, [2, 3]),
        ("longest_first", [9, 1], 5, [4, 1]),
        ("first_only", [9, 3], 5, [2, 3]),
        ("first_only", [9, 3, 2], 6, [1, 3, 2]),
        ("first_only", [9, 7], 5, [0, 5]),
        ("first_only", [9, 7, 7], 5, [0, 3, 2]),
        ("first_only", [1, 3], 5, [1, 3]),
        ("first_only", [9], 5, [5]),
        ("waterfall", [3, 4, 2], 5, [3, 2, 0]),
        ("waterfall", [9, 3], 5, [5, 0]),
        ("waterfall", [9], -1, [0]),
        ("head_and_tail", [9, 9], 5, [3, 2]),
    ],
)
def test_lengths_literally(name: str, lengths: list[int], budget: int, kept: list[int]) -> None:
    function = truncation.make(name, 25).lengths
    assert function(tf.constant([lengths]), tf.constant(budget)).numpy().tolist() == [kept]


def _one_at_a_time(lengths: Sequence[int], budget: int) -> list[int]:
    kept = [0] * len(lengths)
    while sum(kept) < budget and kept != list(lengths):
        for i, length in enumerate(lengths):
            if kept[i] < length and sum(kept) < budget:
                kept[i] += 1
    return kept


def _from_the_longest(lengths: Sequence[int], budget: int) -> list[int]:
    kept = list(lengths)
    while sum(kept) > max(budget, 0):
        kept[kept.index(max(kept))] -= 1
    return kept


def _from_the_first(lengths: Sequence[int], budget: int) -> list[int]:
    first, *others = lengths
    while first and first + sum(others) > max(budget, 0):
        first -= 1
    return [first, *_one_at_a_time(others, budget)]


def _from_the_last(lengths: Sequence[int], budget: int) -> list[int]:
    kept = list(lengths)
    while sum(kept) > max(budget, 0):
        kept[max(i for i, length in enumerate(kept) if length)] -= 1
    return kept


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (truncation.equal_size, _one_at_a_time),
        (truncation.longest_first, _from_the_longest),
        (truncation.first_only, _from_the_first),
        (truncation.waterfall, _from_the_last),
    ],
)
@pytest.mark.parametrize("num_segments", [1, 2, 3])
def test_all_small_cases(
    function: truncation.Lengths,
    reference: Callable[[Sequence[int], int], list[int]],
    num_segments: int,
) -> None:
    """Each is what its definition gives that moves one token at a time."""
    lengths = list(itertools.product(range(6), repeat=num_segments))
    for budget in range(-1, 5 * num_segments + 2):
        result = function(tf.constant(lengths), tf.constant(budget))
        assert result.numpy().tolist() == [reference(row, budget) for row in lengths]


@pytest.mark.parametrize(
    ("name", "trimmer"),
    [
        ("equal_size", tf_text.RoundRobinTrimmer),
        ("longest_first", tf_text.ShrinkLongestTrimmer),
        ("waterfall", tf_text.WaterfallTrimmer),
    ],
)
def test_equals_tensorflow_text_on_random_lengths(
    name: str, trimmer: Callable[[int], tf_text.Trimmer]
) -> None:
    random = tf.random.Generator.from_seed(1)
    for num_segments, budget in itertools.product((1, 2, 3, 5), (0, 1, 7, 30, 61, 126)):
        lengths = random.uniform([40, num_segments], 0, 90, tf.int32)
        segments = [
            tf.RaggedTensor.from_row_lengths(
                tf.range(tf.reduce_sum(column)), tf.cast(column, tf.int64)
            )
            for column in tf.unstack(lengths, axis=1)
        ]
        expected = [segment.row_lengths() for segment in trimmer(budget).trim(segments)]
        got = truncation.make(name, 25).lengths(lengths, tf.constant(budget))
        assert got.numpy().T.tolist() == [column.numpy().tolist() for column in expected]


@pytest.mark.parametrize(
    ("percent", "length", "budget", "ends"),
    [
        (25, 1000, 510, (128, 382)),  # Section 5.3.1 of the paper.
        (25, 511, 510, (128, 382)),
        (25, 510, 510, (510, 0)),
        (25, 9, 1, (0, 1)),
        (50, 9, 5, (3, 2)),
        (99, 9, 5, (5, 0)),
        (1, 9, 5, (0, 5)),
    ],
)
def test_head_and_tail(percent: int, length: int, budget: int, ends: tuple[int, int]) -> None:
    chosen = truncation.make("head_and_tail", percent)
    head, tail = chosen.ends(tf.constant([[length]]), tf.constant(budget))
    assert tail is not None
    assert (head.numpy().item(), tail.numpy().item()) == ends


def test_others_keep_no_tail() -> None:
    head, tail = truncation.make("equal_size", 25).ends(tf.constant([[9]]), tf.constant(5))
    assert head.numpy().item() == 5
    assert tail is None


def test_names_are_those_that_gin_may_choose_from() -> None:
    assert truncation.NAMES == choices.TRUNCATIONS
