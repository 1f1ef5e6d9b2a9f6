"""WordPiece, as TF-NLP's pre-training applies it."""

from __future__ import annotations

import types
from collections.abc import Mapping

import tensorflow as tf

from exporter import (
    normalizers,
    offsets,
    packing,
    tokenization,
    vocabularies,
    vocabulary_tables,
    wordpieces,
    words,
)


class WordpieceTokenizer(tf.Module):
    """WordPiece, as `tensorflow_text.BertTokenizer` does it, with the same ids.

    The attributes are those of `tokenization.Tokenizer`.
    """

    ragged_rank = 2

    def __init__(
        self,
        vocab_file: str,
        lower_case: bool,
        *,
        strip_accents: bool | None = None,
        special_tokens: Mapping[str, str] | None = None,
    ) -> None:
        """Reads and checks the vocabulary.

        Args:
          vocab_file: A path that `tf.io.gfile` can read.
          lower_case: Whether text is put in lower case.
          strip_accents: Whether text is stripped of accents. None does what BERT does: so it is if
            it is put in lower case, too.
          special_tokens: How special tokens are spelled that are not spelled as BERT does, by
            purpose: `{"padding_id": "<pad>"}`.

        Raises:
          UserError: The file is not a vocabulary, or lacks tokens that inputs are packed with.
        """
        super().__init__()
        spellings = vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, special_tokens)
        vocabulary = vocabularies.read(vocab_file)
        unknown_token = spellings[vocabularies.UNKNOWN_ID]
        self.special_tokens = types.MappingProxyType(
            vocabularies.special_ids(
                {piece: i for i, piece in enumerate(vocabulary.pieces)},
                spellings,
                path=vocab_file,
                vocab_size=len(vocabulary.pieces),
                several=vocabularies.repeated(vocabulary.pieces),
            )
        )
        self._ids = vocabulary_tables.Ids(vocabulary, unknown_token)
        self._pieces = vocabulary_tables.Pieces(vocabulary, unknown_token)
        self.vocab_file = tf.saved_model.Asset(vocab_file)
        self._normalize = normalizers.WordpieceNormalizer(
            lower_case=lower_case,
            strip_accents=lower_case if strip_accents is None else strip_accents,
        )
        self.why_slow = None
        self._way: wordpieces.QuickWay | wordpieces.GeneralWay
        try:
            self._way = wordpieces.QuickWay(vocabulary, unknown_token, self._normalize)
        except ValueError as error:
            self.why_slow = str(error)
            self._way = wordpieces.GeneralWay(vocabulary, unknown_token, self._ids.table)

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts, string `[B]`, to ids, int32 `[B, (words), (pieces)]`."""
        text = tf.convert_to_tensor(text, tf.string)
        if isinstance(self._way, wordpieces.QuickWay):
            return tokenization.with_static_batch(self._way.tokenize_by_words(text), text)
        by_word = self._words(text)
        return by_word.with_values(self._way.tokenize_words(by_word.values)[0])

    def tokenize_flat(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts, string `[B]`, to ids, int32 `[B, (pieces)]`."""
        if not isinstance(self._way, wordpieces.QuickWay):
            return packing.flatten(self.tokenize(text))
        text = tf.convert_to_tensor(text, tf.string)
        return tokenization.with_static_batch(self._way.tokenize(text), text)

    def tokenize_with_offsets(self, text: tf.Tensor) -> tokenization.Offsets:
        """Tokenizes texts and says where tokens are, as `tokenization.Tokenizer` describes it."""
        by_word = self._words(text)
        ids, starts_in_word = self._way.tokenize_words(by_word.values)
        # Without spaces, words follow each other as the pieces in them do.
        word_lengths = tf.cast(tf.strings.length(by_word.values), tf.int64)
        word_starts = tf.cumsum(word_lengths, exclusive=True)
        starts = starts_in_word.values + tf.gather(word_starts, ids.value_rowids())
        limits = tf.concat([starts, [tf.reduce_sum(word_lengths)]], axis=0)[1:]
        spans = offsets.in_source(
            text, self._normalize.without_context, starts, limits, without_spaces=True
        )
        source_starts, source_limits = (by_word.with_values(ids.with_values(s)) for s in spans)
        return by_word.with_values(ids), source_starts, source_limits

    def detokenize(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Puts pieces together as `tokenization.Tokenizer` describes it, with spaces."""
        tokens = tokenization.without_packing(tokens, self.special_tokens)
        positions = tf.range(tf.size(tokens.values, out_type=tf.int64))
        rows = tf.searchsorted(tokens.row_splits, positions, side="right") - 1
        text = tf.strings.unsorted_segment_join(
            self.id_to_string(tokens.values), rows, tokens.nrows(), separator=" "
        )
        return tf.strings.regex_replace(text, f" {words.SUFFIX_INDICATOR}", "")

    def id_to_string(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks up ids as `tokenization.Tokenizer` describes it."""
        return self._pieces.table.lookup(tf.cast(ids, tf.int64))

    def string_to_id(self, pieces: tf.Tensor) -> tf.Tensor:
        """Looks up pieces as `tokenization.Tokenizer` describes it; without unknown token, -1."""
        return self._ids.lookup(pieces)

    def _words(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.convert_to_tensor(text, tf.string)
        # No white space but the space is left to split at.
        by_word = tf.strings.split(words.spaced(self._normalize(text)))
        return tokenization.with_static_batch(by_word, text)
