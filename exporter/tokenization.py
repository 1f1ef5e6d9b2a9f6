"""What preprocessing needs of a tokenizer, and what tokenizers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

_ADDED_BY_PACKING = ("start_of_sequence_id", "end_of_segment_id", "padding_id")

Offsets = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]


class Tokenizer(Protocol):
    """What preprocessing needs of a tokenizer. To be saved with it, it is a `tf.Module`.

    Attributes:
      special_tokens: `vocab_size` and the ids `padding_id`, `start_of_sequence_id`,
        `end_of_segment_id` and, if there is one, `mask_id`.
      ragged_rank: R, the number of ragged dimensions of the tokens: 2 if they are grouped by
        words, else 1.
      vocab_file: The vocabulary as an asset, or None if it is no file in the SavedModel.
      why_slow: Why this is not the fastest way to tokenize, or None if it is.
    """

    special_tokens: Mapping[str, int]
    ragged_rank: int
    vocab_file: tf.saved_model.Asset | None
    why_slow: str | None

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns ids, int32 `[B, (words), (pieces)]` or `[B, (pieces)]`, of string `[B]`."""

    def tokenize_flat(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns the same ids without the level of words, int32 `[B, (pieces)]`."""

    def detokenize(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Returns texts, string `[B]`, of ids, int32 `[B, (pieces)]`.

        The tokens that packing adds are left out: start of sequence, end of segment, padding.
        """

    def id_to_string(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns pieces, string `[N]`, of ids, int32 `[N]`: the unknown token for what is none."""

    def string_to_id(self, pieces: tf.Tensor) -> tf.Tensor:
        """Returns ids, int32 `[N]`, of pieces, string `[N]`: else the unknown token's."""

    def tokenize_with_offsets(self, text: tf.Tensor) -> Offsets:
        """Returns ids as `tokenize` does, and where in the text the pieces start and end.

        That is in bytes, int64 of the same shape.
        """


def with_static_batch(tokens: tf.RaggedTensor, text: tf.Tensor) -> tf.RaggedTensor:
    """Gives the result the static batch size of `text`, which the ops in between forget."""
    splits = tf.reshape(tokens.row_splits, [tf.size(text) + 1])
    return tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)


def without_packing(tokens: tf.RaggedTensor, special_tokens: Mapping[str, int]) -> tf.RaggedTensor:
    """Drops the tokens that packing adds.

    Args:
      tokens: int32 `[B, (pieces)]`.
      special_tokens: The ids of special tokens, by purpose.
    """
    is_kept = tf.ones_like(tokens.values, tf.bool)
    for purpose in _ADDED_BY_PACKING:
        is_kept &= tokens.values != special_tokens[purpose]
    count = tf.cumsum(tf.cast(tf.concat([[False], is_kept], axis=0), tf.int64))
    return tf.RaggedTensor.from_row_splits(
        tf.gather(tokens.values, tf.where(is_kept)[:, 0]),
        tf.gather(count, tokens.row_splits),
        validate=False,
    )
