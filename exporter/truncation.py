"""How much of each segment is kept where a row has no room for all of their tokens.

All of it is arithmetic on lengths. B: batch size, N: number of segments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

# Given the segments' lengths, int32 [B, N], and the number of tokens that a row has room for, an
# int32 scalar or [B, 1], negative for none, returns how many tokens of each to keep, int32 [B, N].
Lengths = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# A segment's tokens from its start and from its end, int32 [B, N]; None for no tokens from the end.
Ends = tuple[tf.Tensor, tf.Tensor | None]

_ALL_PERCENT = 100


def equal_size(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Truncates to the same length all segments that have to be truncated.

    This is what handing out the room one token at a time, round robin, comes to: there is a length
    that all segments may have, and what is left of the room then goes to the first segments that
    are longer, a token each. As `tensorflow_text.RoundRobinTrimmer`.

    Args:
      lengths: int32 `[B, N]`, the lengths of N segments.
      budget: int32 scalar or `[B, 1]`, the tokens that a row has room for. Negative is none.

    Returns:
      int32 `[B, N]`, the lengths to keep.
    """
    budget = tf.maximum(budget, 0)
    num_segments = lengths.shape[1]
    if num_segments == 1:
        return tf.minimum(lengths, budget)
    if num_segments == 2:  # Without the sort, which costs as much as all the rest of packing.
        first, second = lengths[:, :1], lengths[:, 1:]
        half = budget // 2
        first_kept = tf.minimum(first, tf.maximum(budget - half, budget - second))
        return tf.concat([first_kept, tf.minimum(second, tf.maximum(half, budget - first))], axis=1)
    # If the k shortest segments are kept whole, the others may have an equal share of the rest.
    # The right k gives the largest share.
    shortest = tf.cumsum(tf.sort(lengths, axis=1), axis=1, exclusive=True)
    sharing = tf.range(num_segments, 0, -1)
    share = tf.reduce_max((budget - shortest) // sharing, axis=1, keepdims=True)
    kept = tf.minimum(lengths, tf.maximum(share, 0))
    rest = budget - tf.reduce_sum(kept, axis=1, keepdims=True)
    longer = tf.cast(lengths > kept, tf.int32)
    return kept + longer * tf.cast(tf.cumsum(longer, axis=1) <= rest, tf.int32)


def longest_first(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Takes the last token of the longest segment, of equal ones the first, until all fit.

    As `tensorflow_text.ShrinkLongestTrimmer`. It differs from `equal_size` in which of the
    truncated segments may keep a token more: the last ones.

    Args:
      lengths: int32 `[B, N]`.
      budget: int32 scalar or `[B, 1]`.

    Returns:
      int32 `[B, N]`, the lengths to keep.
    """
    return tf.reverse(equal_size(tf.reverse(lengths, [1]), budget), [1])


def first_only(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Truncates the first segment alone, and the others, by equal size, should they not fit.

    As `only_first` of Hugging Face's tokenizers, which refuses where nothing of the first segment
    would be left.

    Args:
      lengths: int32 `[B, N]`.
      budget: int32 scalar or `[B, 1]`.

    Returns:
      int32 `[B, N]`, the lengths to keep.
    """
    first, others = lengths[:, :1], lengths[:, 1:]
    if others.shape[1] == 0:
        return equal_size(lengths, budget)
    room = tf.maximum(budget - tf.reduce_sum(others, axis=1, keepdims=True), 0)
    first = tf.minimum(first, room)
    return tf.concat([first, equal_size(others, budget - first)], axis=1)


def waterfall(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Gives each segment, from the first on, as much of the room as it can use.

    As `tensorflow_text.WaterfallTrimmer`.

    Args:
      lengths: int32 `[B, N]`.
      budget: int32 scalar or `[B, 1]`.

    Returns:
      int32 `[B, N]`, the lengths to keep.
    """
    before = tf.cumsum(lengths, axis=1, exclusive=True)
    return tf.minimum(lengths, tf.maximum(budget - before, 0))


@dataclasses.dataclass(frozen=True)
class Truncation:
    """Which tokens are kept of segments that do not fit into a row together.

    Attributes:
      lengths: How many of each segment.
      head_percent: How many percent of what is kept of a truncated segment, rounded to the nearest
        number of tokens, are from its start; the others are from its end.
    """

    lengths: Lengths = equal_size
    head_percent: int = _ALL_PERCENT

    def ends(self, lengths: tf.Tensor, budget: tf.Tensor) -> Ends:
        """Returns how many tokens to keep from each segment's start and end.

        Args:
          lengths: int32 `[B, N]`, the segments' lengths.
          budget: int32 scalar, the tokens that a row has room for.
        """
        kept = self.lengths(lengths, budget)
        if self.head_percent == _ALL_PERCENT:
            return kept, None
        head = (kept * self.head_percent + _ALL_PERCENT // 2) // _ALL_PERCENT
        head = tf.where(kept < lengths, head, kept)
        return head, kept - head


_BY_NAME: dict[str, Lengths] = {
    "equal_size": equal_size,
    "longest_first": longest_first,
    "first_only": first_only,
    "waterfall": waterfall,
}
HEAD_AND_TAIL = "head_and_tail"
NAMES = (*_BY_NAME, HEAD_AND_TAIL)


def make(name: str, head_percent: int) -> Truncation:
    """Returns the truncation of a name.

    Args:
      name: One of `NAMES`. "head_and_tail" keeps the lengths of "equal_size", of each truncated
        segment its start and its end (Sun et al. 2019, arxiv.org/abs/1905.05583, section 5.3.1).
      head_percent: How many percent of those tokens are from the start, 1 to 99.
    """
    if name == HEAD_AND_TAIL:
        return Truncation(equal_size, head_percent)
    return Truncation(_BY_NAME[name])
