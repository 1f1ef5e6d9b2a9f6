"""Segments of tokens in, encoder inputs out: truncated, joined by special tokens, padded.

All of it is arithmetic on lengths and one gather of tokens, without loops over rows and without
Assert ops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from exporter import truncation as truncations

INPUT_WORD_IDS = "input_word_ids"
INPUT_MASK = "input_mask"
INPUT_TYPE_IDS = "input_type_ids"


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


@dataclasses.dataclass(frozen=True)
class Options:
    """How segments become rows.

    Attributes:
      truncation: Which tokens are dropped where there are too many.
      pad_to_longest: Whether rows are padded to the longest of the batch and not to the sequence
        length, beyond which none goes.
      for_xla: Whether XLA can compile it, with padding to the sequence length. XLA has no ragged
        ops; without them each token is gathered by itself, which takes up to four times as long
        where it is not compiled.
    """

    truncation: truncations.Truncation = dataclasses.field(default_factory=truncations.Truncation)
    pad_to_longest: bool = False
    for_xla: bool = False


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
    options: Options | None = None,
) -> dict[str, tf.Tensor]:
    """Packs segments of tokens into an encoder's inputs.

    A row is `[CLS] segment [SEP] segment [SEP] [PAD] ...`, cut off at `seq_length` should not even
    the special tokens fit.

    Args:
      segments: N int32 tensors, all `[B, (tokens)]` or `[B, (words), (tokens)]`.
      seq_length: L, the length of the packed rows, as a Python integer or an int32 scalar. A
        Python integer gives results of static shape.
      ids: The ids of the tokens to be added.
      options: How to truncate and to pad. None for `Options()`.

    Returns:
      A dict of int32 tensors `[B, L]`: `input_word_ids`; `input_mask`, 1 where there is a token
      and 0 where there is padding; `input_type_ids`, the index of the token's segment, 0 for [CLS]
      and padding.

    Raises:
      ValueError: `segments` is empty.
    """
    if not segments:
        raise ValueError("Packing needs a list of at least one segment, received: []")
    options = options or Options()
    layout = _Layout.of([flatten(segment) for segment in segments], seq_length, options.truncation)
    lengths = layout.row_lengths()
    if options.pad_to_longest:
        shortest = tf.constant([len(segments) + 1])  # Of an empty batch.
        longest = tf.reduce_max(tf.concat([lengths, shortest], axis=0))
        seq_length = tf.minimum(longest, seq_length)
    mask = tf.sequence_mask(lengths, seq_length, tf.int32)
    if options.for_xla:
        word_ids = _gathered(layout, seq_length, ids)
    else:
        # Padding forgets the static batch size, also where a loaded function is called.
        word_ids = tf.reshape(_joined(layout, seq_length, ids), tf.shape(mask))
    packed = {
        INPUT_WORD_IDS: word_ids,
        INPUT_MASK: mask,
        INPUT_TYPE_IDS: _type_ids(layout, mask),
    }
    for tensor in packed.values():
        tensor.set_shape([segments[0].shape[0], None])
    return packed


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Where the tokens are, and where they go.

    Attributes:
      values: The tokens of N segments, int32 `[tokens]` each.
      starts: Where a row's tokens start among all segments' values, int32 `[B, N]`.
      lengths: How many they are, int32 `[B, N]`.
      heads: How many of them are kept from the start, int32 `[B, N]`.
      tails: How many are kept from the end, or None for none.
      ends: The positions of the [SEP]s in the packed row, int32 `[B, N]`.
    """

    values: list[tf.Tensor]
    starts: tf.Tensor
    lengths: tf.Tensor
    heads: tf.Tensor
    tails: tf.Tensor | None
    ends: tf.Tensor

    @classmethod
    def of(
        cls,
        segments: Sequence[tf.RaggedTensor],
        seq_length: int | tf.Tensor,
        truncation: truncations.Truncation,
    ) -> _Layout:
        """Truncates segments `[B, (tokens)]`."""
        splits = tf.stack([tf.cast(s.row_splits, tf.int32) for s in segments], axis=1)
        lengths = splits[1:] - splits[:-1]
        budget = tf.convert_to_tensor(seq_length - len(segments) - 1, tf.int32)
        heads, tails = truncation.ends(lengths, budget)
        kept = heads if tails is None else heads + tails
        values = [segment.flat_values for segment in segments]
        sizes = tf.stack([tf.size(v) for v in values])
        starts = splits[:-1] + tf.cumsum(sizes, exclusive=True)
        return cls(values, starts, lengths, heads, tails, tf.cumsum(kept + 1, axis=1))

    def row_lengths(self) -> tf.Tensor:
        """Returns the lengths of packed rows, int32 `[B]`."""
        return self.ends[:, -1] + 1


def _type_ids(layout: _Layout, mask: tf.Tensor) -> tf.Tensor:
    """Returns one for each segment that ended before the position, where there is a token."""
    num_segments = len(layout.values)
    if num_segments == 1:
        return tf.zeros_like(mask)
    type_ids = mask if num_segments == 2 else mask * (num_segments - 1)
    for i in range(num_segments - 1):
        type_ids -= tf.sequence_mask(layout.ends[:, i] + 1, tf.shape(mask)[1], tf.int32)
    return type_ids


def _joined(layout: _Layout, seq_length: int | tf.Tensor, ids: PackingIds) -> tf.Tensor:
    """Returns the packed rows, int32 `[B, L]`, copying runs of tokens."""
    # All values as one list of parts: for each segment and row what is kept and what is dropped,
    # and what is kept of its end, then [CLS], then [SEP].
    bounds = [layout.starts, layout.starts + layout.heads]
    if layout.tails is not None:
        bounds.append(layout.starts + layout.lengths - layout.tails)
    parts_each, num_segments = len(bounds), len(layout.values)
    splits = tf.reshape(tf.transpose(tf.stack(bounds, axis=2), [1, 0, 2]), [-1])
    num_parts = tf.size(splits)
    num_values = tf.add_n([tf.size(values) for values in layout.values])
    special = tf.constant([ids.start_of_sequence, ids.end_of_segment], tf.int32)
    parts = tf.RaggedTensor.from_row_splits(
        tf.concat([*layout.values, special], axis=0),
        tf.concat([splits, num_values + tf.range(3)], axis=0),
        validate=False,
    )
    row = tf.range(tf.shape(layout.starts)[0])
    end = tf.fill(tf.shape(row), num_parts + 1)
    picked = [tf.fill(tf.shape(row), num_parts)]
    for i in range(num_segments):
        head = parts_each * (i * tf.size(row) + row)
        picked += [head, end] if layout.tails is None else [head, head + 2, end]
    rows = tf.gather(parts, tf.reshape(tf.stack(picked, axis=1), [-1])).values
    return tf.raw_ops.RaggedTensorToTensor(
        shape=tf.stack([-1, seq_length]),
        values=rows,
        default_value=tf.constant(ids.padding, tf.int32),
        row_partition_tensors=[tf.concat([[0], tf.cumsum(layout.row_lengths())], axis=0)],
        row_partition_types=["ROW_SPLITS"],
    )


def _gathered(layout: _Layout, seq_length: int | tf.Tensor, ids: PackingIds) -> tf.Tensor:
    """Returns the packed rows, int32 `[B, L]`, by ops that XLA compiles."""
    special = [ids.start_of_sequence, ids.end_of_segment, ids.padding]
    table = tf.concat([special, *layout.values], axis=0)
    position = tf.range(seq_length)[tf.newaxis, :]
    index = tf.where(position <= layout.ends[:, -1:], 1, 2)
    for i in range(len(layout.values)):
        starts, lengths, heads, ends = (
            tensor[:, i : i + 1]
            for tensor in (layout.starts, layout.lengths, layout.heads, layout.ends)
        )
        kept = heads if layout.tails is None else heads + layout.tails[:, i : i + 1]
        offset = position - (ends - kept)
        token = len(special) + starts + offset
        if layout.tails is not None:
            token = tf.where(offset < heads, token, token + lengths - kept)
        index = tf.where((offset >= 0) & (offset < kept), token, index)
    return tf.gather(table, tf.where(position > 0, index, 0))
