"""Segments of tokens that packing is compared on: rows that are short, full and overfull."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from exporter import token_rows

_SEED = 20201012
_ROWS = 24
# Sequence lengths, with budgets odd and even; the longest is above what encoders are trained for.
LENGTHS = (3, 4, 5, 8, 13, 33, 64, 100, 128, 200, 256, 384, 512, 1024, 2100)


def make(number: int, length: int, ids: list[int]) -> list[tf.RaggedTensor]:
    """Returns segments of rows of tokens, int32 `[B, (tokens)]` each.

    Args:
      number: How many segments.
      length: The sequence length that they are to be packed to.
      ids: What tokens are taken from.
    """
    random = np.random.default_rng([_SEED, number, length])
    budget = max(length - number - 1, 0)
    counts = np.array([_counts(row, number, budget, random) for row in range(_ROWS)])
    return [
        token_rows.from_lists([random.choice(ids, count).tolist() for count in of_segment], 1)
        for of_segment in counts.T
    ]


def _counts(row: int, number: int, budget: int, random: np.random.Generator) -> list[int]:
    """Returns how many tokens each segment of a row has."""
    kind = row % 8
    if kind < 4:  # Full, one token short of it, one or two too many.
        total = max(budget + (0, -1, 1, 2)[kind], 0)
        cuts = np.sort(random.integers(0, total + 1, number - 1))
        return np.diff(np.concatenate([[0], cuts, [total]])).tolist()
    if kind == 4:  # Each has its share or nearly so.
        return (budget // number + random.integers(-1, 3, number)).clip(0).tolist()
    if kind == 5:  # One is long.
        counts = random.integers(0, 3, number)
        counts[row // 8 % number] = 2 * budget + row
        return counts.tolist()
    if kind == 6:  # All are.
        return (budget + random.integers(0, 9, number)).tolist()
    return random.integers(0, 2 * budget + 2, number).tolist()


def by_words(segment: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns a segment `[B, (tokens)]` as words of two tokens, `[B, (words), (tokens)]`."""
    rows = [[row[i : i + 2] for i in range(0, len(row), 2)] for row in token_rows.to_lists(segment)]
    return token_rows.from_lists(rows, 2)
