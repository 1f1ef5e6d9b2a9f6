"""What packing is compared with: TensorFlow Text's trimmers, and the definitions of the others."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import token_rows

_TRIMMERS = {
    "equal_size": tf_text.RoundRobinTrimmer,
    "longest_first": tf_text.ShrinkLongestTrimmer,
    "waterfall": tf_text.WaterfallTrimmer,
}


def trim(
    segments: Sequence[tf.RaggedTensor], budget: int, truncation: str, head_percent: int
) -> list[tf.RaggedTensor]:
    """Truncates segments.

    Args:
      segments: N tensors int32 `[B, (tokens)]`.
      budget: How many tokens a row has room for.
      truncation: The truncation's name.
      head_percent: How many percent of a truncated segment "head_and_tail" keeps from its start.

    Returns:
      What is left of the segments.
    """
    budget = max(budget, 0)
    if truncation in _TRIMMERS:
        return list(_TRIMMERS[truncation](budget).trim(list(segments)))
    if truncation == "head_and_tail":
        kept = tf_text.RoundRobinTrimmer(budget).trim(list(segments))
        return [
            _rows([_ends(*rows, head_percent) for rows in zip(*both, strict=True)])
            for both in zip(_lists(segments), _lists(kept), strict=True)
        ]
    first, *others = segments
    if not others:
        return list(tf_text.RoundRobinTrimmer(budget).trim([first]))
    others = tf_text.RoundRobinTrimmer(budget).trim(others)
    used = [sum(map(len, rows)) for rows in zip(*_lists(others), strict=True)]
    rows = zip(token_rows.to_lists(first), used, strict=True)
    return [_rows([row[: budget - other] for row, other in rows]), *others]


def _ends(tokens: list[int], kept: list[int], head_percent: int) -> list[int]:
    if len(kept) == len(tokens):
        return tokens
    head = int(len(kept) * head_percent / 100 + 0.5)
    return tokens[:head] + tokens[len(tokens) - len(kept) + head :]


def _lists(segments: Sequence[tf.RaggedTensor]) -> list[list[list[int]]]:
    return [token_rows.to_lists(segment) for segment in segments]


def _rows(rows: list[list[int]]) -> tf.RaggedTensor:
    return token_rows.from_lists(rows, 1)
