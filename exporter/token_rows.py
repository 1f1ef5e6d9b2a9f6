"""Ragged tokens as lists and back, and where two of them differ."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_SHOWN_TOKENS, _SHOWN_BYTES = 8, 40


@dataclasses.dataclass(frozen=True)
class Difference:
    """How tokens of texts differ.

    Attributes:
      count: In how many texts.
      text: How, in words.
    """

    count: int
    text: str

    def __str__(self) -> str:
        return self.text


def to_lists(tokens: tf.RaggedTensor) -> list[Any]:
    """Does what `to_list` does, which takes seconds for a hundred thousand words."""
    values = tokens.flat_values.numpy().tolist()
    for splits in reversed(tokens.nested_row_splits):
        values = [values[a:b] for a, b in itertools.pairwise(splits.numpy().tolist())]
    return values


def from_lists(rows: Sequence[Any], ragged_rank: int) -> tf.RaggedTensor:
    """Does what `tf.ragged.constant` does, which takes seconds, too; int32."""
    lengths = tf.constant([len(row) for row in rows], tf.int64)
    values: Any = [token for row in rows for token in row]
    values = (
        from_lists(values, ragged_rank - 1) if ragged_rank > 1 else tf.constant(values, tf.int32)
    )
    return tf.RaggedTensor.from_row_lengths(values, lengths)


def flat(tokens: tf.RaggedTensor) -> list[list[int]]:
    """Returns each text's tokens, without the level of words."""
    return to_lists(tokens.merge_dims(1, 2) if tokens.ragged_rank == 2 else tokens)


def difference(
    expected: tf.RaggedTensor, got: tf.RaggedTensor, texts: Sequence[bytes]
) -> Difference | None:
    """Finds which text has other tokens first, and how many have; None if none has.

    Args:
      expected: What there should be.
      got: What there is.
      texts: The texts.
    """
    if expected.ragged_rank != got.ragged_rank:
        told = f"{got.ragged_rank} ragged dimensions, not {expected.ragged_rank}"
        return Difference(len(texts), told)
    parts = zip(expected.nested_row_splits, got.nested_row_splits, strict=True)
    if np.array_equal(expected.flat_values, got.flat_values) and all(
        np.array_equal(one, other) for one, other in parts
    ):
        return None
    return _first_other(to_lists(expected), to_lists(got), texts)


def flat_difference(
    expected: list[list[int]], got: tf.RaggedTensor, texts: Sequence[bytes]
) -> Difference | None:
    """Does what `difference` does with what has no level of words.

    Args:
      expected: What there should be, as lists.
      got: What there is, whose words do not matter.
      texts: The texts.
    """
    return _first_other(expected, flat(got), texts)


def _first_other(expected: list[Any], got: list[Any], texts: Sequence[bytes]) -> Difference | None:
    rows = zip(expected, got, texts, strict=True)
    others = [row for row in rows if row[0] != row[1]]
    if not others:
        return None
    wanted, found, text = others[0]
    where = f"in {len(others)} of {len(texts)} texts, first {shown(text)}"
    wanted, found = _without_words(wanted), _without_words(found)
    if wanted == found:
        return Difference(len(others), f"the same tokens in other words, {where}")
    pairs = enumerate(zip(wanted, found, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(wanted), len(found)))
    start = max(0, place - 2)
    piece = slice(start, start + _SHOWN_TOKENS)
    return Difference(
        len(others), f"{found[piece]} and not {wanted[piece]} from token {start} on, {where}"
    )


def _without_words(tokens: list[Any]) -> list[int]:
    if tokens and isinstance(tokens[0], list):
        return [token for word in tokens for token in word]
    return tokens


def shown(text: bytes) -> str:
    """Returns a text's beginning as it would be written in Python."""
    start = text[:_SHOWN_BYTES].decode(errors="backslashreplace")
    return f"{start!a}{'...' if len(text) > _SHOWN_BYTES else ''}"
