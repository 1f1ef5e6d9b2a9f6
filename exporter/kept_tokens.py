"""Special tokens written in texts, as in "The capital is [MASK].", kept whole."""

from __future__ import annotations

import re
from collections.abc import Mapping

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import packing, tokenization


class KeptTokens(tf.Module):
    """A tokenizer that keeps special tokens whole, each a word of its own.

    The attributes are those of `tokenization.Tokenizer`. What is between special tokens is
    tokenized as a text of its own.
    """

    def __init__(self, tokenizer: tokenization.Tokenizer, ids: Mapping[str, int]) -> None:
        """Takes a tokenizer for the rest.

        Args:
          tokenizer: The tokenizer.
          ids: The ids of the special tokens, by their spelling.
        """
        super().__init__()
        self.special_tokens = tokenizer.special_tokens
        self.ragged_rank = tokenizer.ragged_rank
        self.vocab_file = tokenizer.vocab_file
        self.why_slow = tokenizer.why_slow
        self.detokenize = tokenizer.detokenize
        self.id_to_string = tokenizer.id_to_string
        self.string_to_id = tokenizer.string_to_id
        self._tokenizer = tokenizer
        self._kept_ids = tuple(ids.items())
        # Of two that begin alike, the longer one.
        spellings = sorted(ids, key=len, reverse=True)
        self._pattern = "|".join(re.escape(spelling) for spelling in spellings)

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts as `tokenization.Tokenizer` describes it."""
        parts = _Parts(text, self._pattern, self._kept_ids)
        tokens = _with_kept(self._tokenizer.tokenize(parts.others), parts.kept)
        return parts.joined(tokens)

    def tokenize_flat(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts as `tokenization.Tokenizer` describes it."""
        parts = _Parts(text, self._pattern, self._kept_ids)
        return parts.joined(_with_kept(self._tokenizer.tokenize_flat(parts.others), parts.kept))

    def tokenize_with_offsets(self, text: tf.Tensor) -> tokenization.Offsets:
        """Tokenizes texts as `tokenization.Tokenizer` describes it."""
        parts = _Parts(text, self._pattern, self._kept_ids)
        tokens, starts, limits = self._tokenizer.tokenize_with_offsets(parts.others)
        tokens = _with_kept(tokens, parts.kept)
        length = tf.strings.length(parts.texts.values)
        lengths = parts.kept.with_values(tf.boolean_mask(length, parts.is_kept))
        lengths = tf.cast(lengths, tf.int64)
        starts = _with_kept(starts, tf.zeros_like(lengths))
        limits = _with_kept(limits, lengths)
        base = tf.gather(parts.starts, packing.flatten(tokens).value_rowids())
        return (
            parts.joined(tokens),
            parts.joined(starts.with_flat_values(base + starts.flat_values)),
            parts.joined(limits.with_flat_values(base + limits.flat_values)),
        )


class _Parts:
    """Texts cut around special tokens, into P parts.

    Attributes:
      texts: The parts, string `[B, (parts)]`.
      starts: Where each begins in its text, in bytes, int64 `[P]`.
      is_kept: Which are special tokens, bool `[P]`.
      kept: The special tokens' ids, int32 `[P, (one or none)]`.
      others: The parts, string `[P]`, empty where they are special tokens.
    """

    def __init__(self, text: tf.Tensor, pattern: str, ids: tuple[tuple[str, int], ...]) -> None:
        self._text = tf.convert_to_tensor(text, tf.string)
        # Which ends texts at null characters.
        splittable = tf.strings.regex_replace(self._text, r"\x00", "\x01")
        _, starts, limits = tf_text.regex_split_with_offsets(splittable, pattern, pattern)
        self.starts = starts.values
        of_part = tf.gather(self._text, starts.value_rowids())
        self.texts = starts.with_values(
            tf.strings.substr(of_part, starts.values, limits.values - starts.values)
        )
        found = tf.fill(tf.shape(self.texts.values), -1)
        for spelling, i in ids:
            found = tf.where(self.texts.values == spelling, i, found)
        self.is_kept = found >= 0
        self.kept = tf.RaggedTensor.from_row_lengths(
            tf.boolean_mask(found, self.is_kept),
            tf.cast(self.is_kept, tf.int64),
            validate=False,
        )
        self.others = tf.where(self.is_kept, "", self.texts.values)

    def joined(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """Joins the tokens of parts, `[P, ...]`, to those of texts, `[B, ...]`."""
        splits = tf.gather(tokens.row_splits, self.texts.row_splits)
        by_text = tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)
        return tokenization.with_static_batch(by_text, self._text)


def _with_kept(tokens: tf.RaggedTensor, kept: tf.RaggedTensor) -> tf.RaggedTensor:
    """Adds special tokens, `[P, (one or none)]`, to the others, of which there are none there."""
    if tokens.ragged_rank > 1:
        kept = kept.with_values(tf.RaggedTensor.from_tensor(kept.values[:, tf.newaxis]))
    return tf.concat([tokens, kept], axis=1)
