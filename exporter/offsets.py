"""From byte offsets in normalized text back to byte offsets in the original.

Normalization changes lengths: it removes accents, folds ligatures, drops invisible characters.
TensorFlow Text keeps account of that for few of the normalizations used here. So the text is cut
into units that are normalized alone as they are in context, and the units' lengths tell which of
them a position belongs to. A text where that fails (one that is not valid UTF-8) is one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Characters that normalization may join with what is before them, or move: marks, the vowels and
# final consonants of Hangul in all their forms, and the voice marks of halfwidth Katakana.
_JOINING = (
    r"[\p{M}\x{1160}-\x{11FF}\x{3131}-\x{318E}\x{D7B0}-\x{D7FF}\x{FF9E}\x{FF9F}\x{FFA0}-\x{FFDC}]"
)


class _Units(NamedTuple):
    """Parts of texts, in their order, each int64 `[U]`.

    Attributes:
      start: Where the unit starts in its text.
      limit: Where it ends, including what follows it and vanishes in normalization.
      normalized_start: Where it starts in all normalized texts, put together.
      unchanged_length: The unit's length if normalization leaves it as it is, else 0.
    """

    start: tf.Tensor
    limit: tf.Tensor
    normalized_start: tf.Tensor
    unchanged_length: tf.Tensor


def in_source(
    text: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.Tensor,
    limits: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Maps the spans of tokens in normalized texts to spans in the texts.

    Args:
      text: string `[B]`.
      normalize: Normalizes texts, string `[N]` to string `[N]`.
      starts: int64 `[T]`, where tokens start in the normalized texts, put together, in bytes.
      limits: int64 `[T]`, where they end.

    Returns:
      Where the tokens start and end in their texts, int64 `[T]` each. A token that is part of what
      a character became gets the whole character.
    """
    units = _units(text, normalize)
    first = tf.searchsorted(units.normalized_start, starts, side="right", out_type=tf.int64) - 1
    inside = starts - tf.gather(units.normalized_start, first)
    unchanged = tf.gather(units.unchanged_length, first) > 0
    source_starts = tf.gather(units.start, first) + tf.where(unchanged, inside, 0)

    last = tf.searchsorted(units.normalized_start, limits, side="left", out_type=tf.int64) - 1
    last = tf.maximum(last, first)
    inside = limits - tf.gather(units.normalized_start, last)
    partial = inside < tf.gather(units.unchanged_length, last)
    source_limits = tf.where(
        partial, tf.gather(units.start, last) + inside, tf.gather(units.limit, last)
    )
    return source_starts, tf.where(limits > starts, source_limits, source_starts)


def _units(text: tf.Tensor, normalize: Callable[[tf.Tensor], tf.Tensor]) -> _Units:
    rows, starts, parts = _clusters(text)
    normalized_parts = normalize(parts)
    # What vanishes belongs to what is before it.
    visible = tf.where(_length(normalized_parts) > 0)[:, 0]
    rows, starts, parts, normalized_parts = (
        tf.gather(tensor, visible) for tensor in (rows, starts, parts, normalized_parts)
    )
    text_lengths = _length(text)
    ends_text = tf.concat([tf.not_equal(rows[1:], rows[:-1]), [True]], axis=0)[: tf.size(rows)]
    next_starts = tf.concat([starts[1:], [0]], axis=0)[: tf.size(rows)]
    limits = tf.where(ends_text, tf.gather(text_lengths, rows), next_starts)

    normalized = normalize(text)
    text_bases = tf.cumsum(_length(normalized), exclusive=True)
    part_lengths = _length(normalized_parts)
    # Counted anew in each text, so that one text that is not aligned shifts no other.
    by_text = tf.RaggedTensor.from_value_rowids(
        normalized_parts, rows, nrows=tf.size(text, out_type=tf.int64), validate=False
    )
    part_bases = tf.cumsum(tf.concat([[0], part_lengths], axis=0))
    part_bases = part_bases[:-1] + tf.gather(
        text_bases - tf.gather(part_bases, by_text.row_starts()), rows
    )
    aligned = tf.equal(tf.strings.reduce_join(by_text, axis=1), normalized)
    kept = tf.where(tf.gather(aligned, rows))[:, 0]
    unchanged_lengths = tf.where(tf.equal(parts, normalized_parts), part_lengths, 0)
    units = [tf.gather(tensor, kept) for tensor in (starts, limits, part_bases, unchanged_lengths)]
    whole = tf.where(~aligned & (_length(normalized) > 0))[:, 0]
    none = tf.zeros_like(whole)
    units = [
        tf.concat([part, of_text], axis=0)
        for part, of_text in zip(
            units,
            (none, tf.gather(text_lengths, whole), tf.gather(text_bases, whole), none),
            strict=True,
        )
    ]
    order = tf.argsort(units[2], stable=True)
    return _Units(*(tf.gather(tensor, order) for tensor in units))


def _clusters(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts texts before each character that does not join what is before it.

    Returns:
      For each cluster its text's index and where it starts there, int64, and itself, string.
    """
    characters, starts = tf.strings.unicode_split_with_offsets(text, "UTF-8")
    rows = characters.value_rowids()
    begins_text = tf.concat([[True], tf.not_equal(rows[1:], rows[:-1])], axis=0)[: tf.size(rows)]
    begins = begins_text | ~tf.strings.regex_full_match(characters.values, _JOINING)
    clusters = tf.RaggedTensor.from_value_rowids(
        characters.values,
        tf.cumsum(tf.cast(begins, tf.int64)) - 1,
        nrows=tf.math.count_nonzero(begins),
        validate=False,
    )
    first = tf.where(begins)[:, 0]
    return (
        tf.gather(rows, first),
        tf.gather(starts.values, first),
        tf.strings.reduce_join(clusters, axis=1),
    )


def _length(strings: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(strings), tf.int64)
