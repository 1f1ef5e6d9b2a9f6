"""Segments of tokens in, encoder inputs out: truncated, joined by special tokens, padded.

All of it is arithmetic on lengths and one gather of runs of tokens, without loops over rows and
without Assert ops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

INPUT_WORD_IDS = "input_word_ids"
INPUT_MASK = "input_mask"
INPUT_TYPE_IDS = "input_type_ids"

# Given the segments' lengths, int32 [B, N], and the number of tokens that a row has room for, an
# int32 scalar, returns how many tokens from the start of each segment to keep, int32 [B, N].
Truncation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class PackingIds:
    """The ids of the tokens that packing adds.

    Attributes:
      start_of_sequence: Before the first segment ([CLS]).
      end_of_segment: After every segment ([SEP]).
      padding: After the last ([PAD]).
    """

    start_of_sequence: int
    end_of_segment: int
    padding: int

    @classmethod
    def from_special_tokens(cls, special_tokens: Mapping[str, int]) -> PackingIds:
        """Picks the ids out of a tokenizer's special tokens."""
        return cls(
            start_of_sequence=special_tokens["start_of_sequence_id"],
            end_of_segment=special_tokens["end_of_segment_id"],
            padding=special_tokens["padding_id"],
        )


def equal_size(lengths: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Truncates to the same length all segments that have to be truncated.

    This is what handing out the room one token at a time, round robin, comes to: there is a length
    that all segments may have, and what is left of the room then goes to the first segments that
    are longer, a token each.

    Args:
      lengths: int32 `[B, N]`, the lengths of N segments.
      budget: int32 scalar, the number of tokens that a row has room for. Negative is none.

    Returns:
      int32 `[B, N]`, the lengths to keep.
    """
    budget = tf.maximum(budget, 0)
    num_segments = lengths.shape[1]
    if num_segments == 1:
        return tf.minimum(lengths, budget)
    # If the k shortest segments are kept whole, the others may have an equal share of the rest.
    # The right k gives the largest share.
    shortest = tf.cumsum(tf.sort(lengths, axis=1), axis=1, exclusive=True)
    sharing = tf.range(num_segments, 0, -1)
    share = tf.reduce_max((budget - shortest) // sharing, axis=1, keepdims=True)
    kept = tf.minimum(lengths, tf.maximum(share, 0))
    rest = budget - tf.reduce_sum(kept, axis=1, keepdims=True)
    longer = tf.cast(lengths > kept, tf.int32)
    return kept + longer * tf.cast(tf.cumsum(longer, axis=1) <= rest, tf.int32)


def flatten(segment: tf.RaggedTensor) -> tf.RaggedTensor:
    """Drops the level of words.

    Args:
      segment: `[B, (tokens)]` or `[B, (words), (tokens)]`.

    Returns:
      `[B, (tokens)]`.
    """
    splits = segment.row_splits
    for inner in segment.nested_row_splits[1:]:
        splits = tf.gather(inner, splits)
    return tf.RaggedTensor.from_row_splits(segment.flat_values, splits, validate=False)


def pack(
    segments: Sequence[tf.RaggedTensor],
    seq_length: int | tf.Tensor,
    ids: PackingIds,
    truncate: Truncation = equal_size,
) -> dict[str, tf.Tensor]:
    """Packs segments of tokens into an encoder's inputs.

    A row is `[CLS] segment [SEP] segment [SEP] [PAD] ...`, cut off at `seq_length` should not even
    the special tokens fit.

    Args:
      segments: N int32 tensors, all `[B, (tokens)]` or `[B, (words), (tokens)]`.
      seq_length: L, the length of the packed rows, as a Python integer or an int32 scalar. A
        Python integer gives results of static shape.
      ids: The ids of the tokens to be added.
      truncate: Which tokens are dropped where there are too many.

    Returns:
      A dict of int32 tensors `[B, L]`: `input_word_ids`; `input_mask`, 1 where there is a token
      and 0 where there is padding; `input_type_ids`, the index of the token's segment, 0 for [CLS]
      and padding.

    Raises:
      ValueError: `segments` is empty.
    """
    if not segments:
        raise ValueError("Packing needs a list of at least one segment, received: []")
    segments = [flatten(segment) for segment in segments]
    splits = tf.stack([tf.cast(s.row_splits, tf.int32) for s in segments], axis=1)
    budget = tf.convert_to_tensor(seq_length - len(segments) - 1, tf.int32)
    kept = truncate(splits[1:] - splits[:-1], budget)
    ends = tf.cumsum(kept + 1, axis=1) + 1
    lengths = ends[:, -1]
    tokens = tf.RaggedTensor.from_row_splits(
        _join(segments, splits[:-1], kept, ids),
        tf.concat([[0], tf.cumsum(lengths)], axis=0),
        validate=False,
    )
    mask = tf.sequence_mask(lengths, seq_length, tf.int32)
    # One for each segment that ended before the position, where there is a token.
    type_ids = tf.zeros_like(mask)
    for i in range(len(segments) - 1):
        type_ids += mask - tf.sequence_mask(ends[:, i], seq_length, tf.int32)
    # Padding forgets the static batch size, also where a loaded function is called.
    word_ids = tf.reshape(_pad(tokens, seq_length, ids.padding), tf.shape(mask))
    packed = {
        INPUT_WORD_IDS: word_ids,
        INPUT_MASK: mask,
        INPUT_TYPE_IDS: type_ids,
    }
    for tensor in packed.values():
        tensor.set_shape([segments[0].shape[0], None])
    return packed


def _join(
    segments: Sequence[tf.RaggedTensor], starts: tf.Tensor, kept: tf.Tensor, ids: PackingIds
) -> tf.Tensor:
    """Joins truncated segments.

    Args:
      segments: N tensors `[B, (tokens)]`.
      starts: int32 `[B, N]`, where a row's tokens start among a segment's values.
      kept: int32 `[B, N]`, how many of them are kept.
      ids: The ids of the special tokens.

    Returns:
      The tokens of all rows, int32 `[T]`, with special tokens and without padding.
    """
    values = [segment.flat_values for segment in segments]
    sizes = tf.stack([tf.size(v) for v in values])
    starts += tf.cumsum(sizes, exclusive=True)
    # All values as one list of parts: for each segment and row what is kept and what is dropped,
    # then [CLS], then [SEP]. Picking parts copies whole runs of tokens.
    bounds = tf.transpose(tf.stack([starts, starts + kept], axis=2), [1, 0, 2])
    bounds = tf.concat([tf.reshape(bounds, [-1]), tf.reduce_sum(sizes) + tf.range(3)], axis=0)
    special = tf.constant([ids.start_of_sequence, ids.end_of_segment], tf.int32)
    parts = tf.RaggedTensor.from_row_splits(
        tf.concat([*values, special], axis=0), bounds, validate=False
    )
    row = tf.range(tf.shape(kept)[0])
    num_parts = tf.size(bounds) - 3
    end = tf.fill(tf.shape(row), num_parts + 1)
    picked = [tf.fill(tf.shape(row), num_parts)]
    for i in range(len(segments)):
        picked += [2 * (i * tf.size(row) + row), end]
    return tf.gather(parts, tf.reshape(tf.stack(picked, axis=1), [-1])).values


def _pad(tokens: tf.RaggedTensor, seq_length: int | tf.Tensor, padding: int) -> tf.Tensor:
    """Pads `[B, (tokens)]`, or cuts it off, to `[B, L]`."""
    return tf.raw_ops.RaggedTensorToTensor(
        shape=tf.stack([-1, seq_length]),
        values=tokens.values,
        default_value=tf.constant(padding, tf.int32),
        row_partition_tensors=[tokens.row_splits],
        row_partition_types=["ROW_SPLITS"],
    )
