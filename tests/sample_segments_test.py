"""The rows that packing is compared on are short, exactly full, overfull and empty."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from exporter import sample_segments, token_rows


@pytest.mark.parametrize(("number", "length"), [(1, 3), (2, 13), (2, 512), (3, 33)])
def test_rows_are_around_what_fits(number: int, length: int) -> None:
    segments = sample_segments.make(number, length, [7, 8, 9])
    budget = length - number - 1
    counts = np.stack([segment.row_lengths() for segment in segments])
    totals = set(counts.sum(axis=0).tolist())
    assert {budget, max(budget - 1, 0), budget + 1, budget + 2} <= totals
    assert max(totals) > budget + 2
    assert {*segments[0].flat_values.numpy().tolist()} <= {7, 8, 9}
    if number > 1:
        assert 0 in counts


def test_they_are_always_the_same() -> None:
    first, again = (sample_segments.make(2, 16, list(range(50))) for _ in range(2))
    assert [s.to_list() for s in first] == [s.to_list() for s in again]


def test_words_are_of_two_tokens() -> None:
    segment = tf.ragged.constant([[1, 2, 3], [], [4]], tf.int32)
    words = sample_segments.by_words(segment)
    assert token_rows.to_lists(words) == [[[1, 2], [3]], [], [[4]]]
    assert words.merge_dims(1, 2).to_list() == segment.to_list()
