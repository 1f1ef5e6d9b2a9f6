"""From byte offsets in normalized text back to byte offsets in the original.

Normalization changes lengths: it removes accents, unfolds ligatures, drops invisible characters.
TensorFlow Text keeps account of that for few of the normalizations used here. So the text is cut
into units that are normalized alone as they are in context, and the units' lengths tell which of
them a position belongs to. A text where that does not come out even is taken as one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Characters that normalization may join with what is before them, or move: marks, the vowels and
# final consonants of Hangul in all their forms, and the voice marks of halfwidth Katakana.
_JOINING = (
    r"[\p{M}\x{1160}-\x{11FF}\x{D7B0}-\x{D7FF}\x{FF9E}\x{FF9F}"
    r"\x{3133}\x{3135}\x{3136}\x{313A}-\x{313F}\x{314F}-\x{3164}\x{3187}-\x{318E}"
    r"\x{FFA0}\x{FFA3}\x{FFA5}\x{FFA6}\x{FFAA}-\x{FFAF}\x{FFC2}-\x{FFDC}]"
)
_SPACE = ord(" ")


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
    *,
    without_spaces: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Maps the spans of tokens in normalized texts to spans in the texts.

    Args:
      text: string `[B]`.
      normalize: Normalizes texts, string `[N]` to string `[N]`.
      starts: int64 `[T]`, where tokens start in the normalized texts, put together, in bytes.
      limits: int64 `[T]`, where they end.
      without_spaces: Whether `starts` and `limits` count no spaces in the normalized texts.

    Returns:
      Where the tokens start and end in their texts, int64 `[T]` each. A token that is part of what
      a character became gets the whole character.
    """
    units = _units(text, normalize, without_spaces)
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


def _units(
    text: tf.Tensor, normalize: Callable[[tf.Tensor], tf.Tensor], without_spaces: bool
) -> _Units:
    rows, starts, clusters = _clusters(text)
    # Most are letters: few different ones.
    unique_parts, index = tf.unique(clusters, out_idx=tf.int64)
    unique_normalized = normalize(unique_parts)
    # What vanishes belongs to what is before it.
    visible = tf.where(tf.gather(_length(unique_normalized) > 0, index))[:, 0]
    rows, starts, index = (tf.gather(tensor, visible) for tensor in (rows, starts, index))
    text_lengths = _length(text)
    ends_text = tf.concat([tf.not_equal(rows[1:], rows[:-1]), [True]], axis=0)[: tf.size(rows)]
    next_starts = tf.concat([starts, [0]], axis=0)[1:]
    limits = tf.where(ends_text, tf.gather(text_lengths, rows), next_starts)

    normalized = normalize(text)
    unchanged = tf.equal(unique_parts, unique_normalized)
    if without_spaces:
        normalized = tf.strings.regex_replace(normalized, " ", "")
        unique_normalized = tf.strings.regex_replace(unique_normalized, " ", "")
    normalized_parts = tf.gather(unique_normalized, index)
    lengths = tf.gather(_length(unique_normalized), index)
    by_text = tf.RaggedTensor.from_value_rowids(
        normalized_parts, rows, nrows=tf.size(text, out_type=tf.int64), validate=False
    )
    aligned = tf.equal(tf.strings.reduce_join(by_text, axis=1), normalized)
    # Counted anew in each text, so that one that is not aligned shifts no other.
    text_bases = tf.cumsum(_length(normalized), exclusive=True)
    bases = tf.cumsum(tf.concat([[0], lengths], axis=0))
    shifts = text_bases - tf.gather(bases, by_text.row_starts())
    parts = _Units(
        start=starts,
        limit=limits,
        normalized_start=bases[:-1] + tf.gather(shifts, rows),
        unchanged_length=tf.where(tf.gather(unchanged, index), lengths, 0),
    )
    none = tf.zeros_like(text_lengths)
    whole_texts = _Units(none, text_lengths, text_bases, none)
    return _merge(
        _pick(parts, tf.gather(aligned, rows) & (lengths > 0)),
        _pick(whole_texts, ~aligned & (_length(normalized) > 0)),
    )


def _pick(units: _Units, mask: tf.Tensor) -> _Units:
    picked = tf.where(mask)[:, 0]
    return _Units(*(tf.gather(tensor, picked) for tensor in units))


def _merge(first: _Units, second: _Units) -> _Units:
    both = _Units(*(tf.concat(pair, axis=0) for pair in zip(first, second, strict=True)))
    order = tf.argsort(both.normalized_start, stable=True)
    return _Units(*(tf.gather(tensor, order) for tensor in both))


def _clusters(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts texts before each character that does not join what is before it.

    Returns:
      For each cluster its text's index and where it starts there, int64, and itself, string.
    """
    codes, starts = tf.strings.unicode_decode_with_offsets(text, "UTF-8")
    rows = codes.value_rowids()
    unique_codes, index = tf.unique(codes.values)
    characters = tf.strings.unicode_encode(unique_codes[:, tf.newaxis], "UTF-8")
    joins = tf.gather(tf.strings.regex_full_match(characters, _JOINING), index)
    # Nothing joins a space.
    follows = tf.equal(rows[1:], rows[:-1]) & tf.not_equal(codes.values[:-1], _SPACE)
    follows = tf.concat([[False], follows], axis=0)[: tf.size(rows)]
    first = tf.where(~(joins & follows))[:, 0]
    rows, starts = tf.gather(rows, first), tf.gather(starts.values, first)

    # Put together from bytes: decoding hides those that are not valid UTF-8.
    parts = tf.strings.bytes_split(text)
    begins = tf.scatter_nd(
        (starts + tf.gather(parts.row_starts(), rows))[:, tf.newaxis],
        tf.ones_like(starts),
        tf.shape(parts.values, out_type=tf.int64),
    )
    clusters = tf.RaggedTensor.from_value_rowids(
        parts.values,
        tf.cumsum(begins) - 1,
        nrows=tf.size(starts, out_type=tf.int64),
        validate=False,
    )
    return rows, starts, tf.strings.reduce_join(clusters, axis=1)


def _length(strings: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(strings), tf.int64)
