"""Tokenizers, as TF-NLP's pre-training applies them, and their special tokens."""

from __future__ import annotations

import logging
import types
from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import (
    errors,
    findings,
    normalizers,
    offsets,
    packing,
    vocabularies,
    wordpieces,
)

_SENTENCEPIECE_SPELLINGS = {
    **vocabularies.WORDPIECE_SPELLINGS,
    vocabularies.PADDING_ID: "<pad>",
}
_logger = logging.getLogger(__name__)

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

    def tokenize_with_offsets(self, text: tf.Tensor) -> Offsets:
        """Returns ids as `tokenize` does, and where in the text the pieces start and end.

        That is in bytes, int64 of the same shape.
        """


def make(
    *,
    vocab_file: str | None = None,
    sp_model_file: str | None = None,
    do_lower_case: bool | None = None,
    special_tokens: Mapping[str, str] | None = None,
) -> Tokenizer:
    """Returns the tokenizer of a file.

    Args:
      vocab_file: A WordPiece vocabulary; or
      sp_model_file: a SentencePiece model.
      do_lower_case: Whether text is lower-cased; None guesses, see `infer_do_lower_case`.
      special_tokens: How special tokens are spelled that are not spelled as usual, by purpose.

    Raises:
      UserError: Not exactly one file is given, or it is not what it should be.
    """
    lower_case = infer_do_lower_case(do_lower_case, vocab_file, sp_model_file)
    if vocab_file:
        return WordpieceTokenizer(vocab_file, lower_case, special_tokens=special_tokens)
    assert sp_model_file
    return SentencepieceTokenizer(sp_model_file, lower_case, special_tokens=special_tokens)


def find(tokenizer: Tokenizer) -> list[findings.Finding]:
    """Lists what is to be said of a tokenizer."""
    if tokenizer.why_slow is None:
        return []
    return [
        findings.Finding(
            "tokenizer",
            f"the same ids by slower lookups, word by word: of this vocabulary there is no trie "
            f"({tokenizer.why_slow})",
        )
    ]


def infer_do_lower_case(
    do_lower_case: bool | None, vocab_file: str | None, sp_model_file: str | None
) -> bool:
    """Returns whether text is lower-cased, guessed if need be.

    Args:
      do_lower_case: The answer, or None for the guess: always for a SentencePiece model, and for a
        WordPiece vocabulary if its path, as given, contains "uncased". These are the conventions
        of ALBERT and BERT.
      vocab_file: The WordPiece vocabulary, or None.
      sp_model_file: The SentencePiece model, or None.

    Raises:
      UserError: Not exactly one of the files is given.
    """
    if bool(vocab_file) == bool(sp_model_file):
        raise errors.UserError(
            "Exactly one of vocab_file (WordPiece) and sp_model_file (SentencePiece) must be set.",
            received=f"vocab_file={vocab_file!r}, sp_model_file={sp_model_file!r}",
            example="--vocab_file=uncased_L-12_H-768_A-12/vocab.txt",
            setting="tokenizer.vocab_file",
        )
    if do_lower_case is not None:
        return do_lower_case
    if sp_model_file:
        guess, why = True, "as always with SentencePiece"
    else:
        guess = "uncased" in str(vocab_file)
        why = f"{'' if guess else 'no '}'uncased' in {vocab_file}"
    _logger.info("do_lower_case is not set: using %s (%s).", guess, why)
    return guess


def check_file(vocab_file: str | None, sp_model_file: str | None) -> None:
    """Checks that a file is a vocabulary or model, without making a tokenizer of it.

    Args:
      vocab_file: A WordPiece vocabulary; or
      sp_model_file: a SentencePiece model.

    Raises:
      UserError: It is missing, unreadable or something else.
    """
    if vocab_file:
        vocabularies.read(vocab_file)
    if sp_model_file:
        _load_sentencepiece(sp_model_file)


class WordpieceTokenizer(tf.Module):
    """WordPiece, as `tensorflow_text.BertTokenizer` does it, with the same ids.

    The attributes are those of `Tokenizer`.
    """

    ragged_rank = 2

    def __init__(
        self,
        vocab_file: str,
        lower_case: bool,
        *,
        special_tokens: Mapping[str, str] | None = None,
        unknown_token: str = "[UNK]",
    ) -> None:
        """Reads and checks the vocabulary.

        Args:
          vocab_file: A path that `tf.io.gfile` can read.
          lower_case: Whether text is folded to lower case and stripped of accents.
          special_tokens: How special tokens are spelled that are not spelled as BERT does, by
            purpose: `{"padding_id": "<pad>"}`.
          unknown_token: How the token is spelled that stands for words that cannot be split.

        Raises:
          UserError: The file is not a vocabulary, or lacks tokens that inputs are packed with.
        """
        super().__init__()
        spellings = vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, special_tokens)
        vocabulary = vocabularies.read(vocab_file)
        ids = {piece: i for i, piece in enumerate(vocabulary.pieces)}
        self.special_tokens = types.MappingProxyType(
            vocabularies.special_ids(ids, spellings, path=vocab_file, vocab_size=len(ids))
        )
        self.vocab_file = tf.saved_model.Asset(vocab_file)
        self._normalize = normalizers.WordpieceNormalizer(
            lower_case=lower_case, strip_accents=lower_case
        )
        self.why_slow = None
        self._way: wordpieces.QuickWay | wordpieces.GeneralWay
        try:
            self._way = wordpieces.QuickWay(vocabulary, unknown_token, self._normalize)
        except ValueError as error:
            self.why_slow = str(error)
            self._way = wordpieces.GeneralWay(vocabulary, unknown_token)

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts, string `[B]`, to ids, int32 `[B, (words), (pieces)]`."""
        text = tf.convert_to_tensor(text, tf.string)
        if isinstance(self._way, wordpieces.QuickWay):
            return _with_static_batch(self._way.tokenize_by_words(text), text)
        words = self._words(text)
        return words.with_values(self._way.tokenize_words(words.values)[0])

    def tokenize_flat(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts, string `[B]`, to ids, int32 `[B, (pieces)]`."""
        if not isinstance(self._way, wordpieces.QuickWay):
            return packing.flatten(self.tokenize(text))
        text = tf.convert_to_tensor(text, tf.string)
        return _with_static_batch(self._way.tokenize(text), text)

    def tokenize_with_offsets(self, text: tf.Tensor) -> Offsets:
        """Tokenizes texts and says where the tokens are, as `Tokenizer` describes it."""
        words = self._words(text)
        ids, starts_in_word = self._way.tokenize_words(words.values)
        # Without spaces, words follow each other as the pieces in them do.
        word_lengths = tf.cast(tf.strings.length(words.values), tf.int64)
        word_starts = tf.cumsum(word_lengths, exclusive=True)
        starts = starts_in_word.values + tf.gather(word_starts, ids.value_rowids())
        limits = tf.concat([starts, [tf.reduce_sum(word_lengths)]], axis=0)[1:]
        spans = offsets.in_source(text, self._normalize, starts, limits, without_spaces=True)
        source_starts, source_limits = (words.with_values(ids.with_values(s)) for s in spans)
        return words.with_values(ids), source_starts, source_limits

    def _words(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.convert_to_tensor(text, tf.string)
        # No white space but the space is left to split at.
        words = tf.strings.split(wordpieces.spaced(self._normalize(text)))
        return _with_static_batch(words, text)


class SentencepieceTokenizer(tf.Module):
    """SentencePiece, on text normalized as ALBERT's.

    The attributes are those of `Tokenizer`.
    """

    ragged_rank = 1
    vocab_file = None
    why_slow = None

    def __init__(
        self,
        sp_model_file: str,
        lower_case: bool,
        *,
        strip_diacritics: bool = True,
        special_tokens: Mapping[str, str] | None = None,
    ) -> None:
        """Reads and checks the model.

        Args:
          sp_model_file: A path that `tf.io.gfile` can read.
          lower_case: Whether text is folded to lower case.
          strip_diacritics: Whether accents are removed.
          special_tokens: How special tokens are spelled that are not spelled as ALBERT does, by
            purpose: `{"padding_id": "[PAD]"}`.

        Raises:
          UserError: The file is not a SentencePiece model, or lacks tokens that inputs are packed
            with.
        """
        super().__init__()
        spellings = vocabularies.spellings(_SENTENCEPIECE_SPELLINGS, special_tokens)
        self._normalize = normalizers.SentencepieceNormalizer(
            lower_case=lower_case, strip_accents=strip_diacritics
        )
        self._tokenizer = _load_sentencepiece(sp_model_file)
        self.special_tokens = types.MappingProxyType(
            vocabularies.special_ids(
                self._ids(list(spellings.values())),
                spellings,
                path=sp_model_file,
                vocab_size=int(self._tokenizer.vocab_size()),
            )
        )

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes texts, string `[B]`, to ids, int32 `[B, (pieces)]`."""
        text = tf.convert_to_tensor(text, tf.string)
        return _with_static_batch(self._tokenizer.tokenize(self._normalize(text)), text)

    tokenize_flat = tokenize

    def tokenize_with_offsets(self, text: tf.Tensor) -> Offsets:
        """Tokenizes texts and says where the tokens are, as `Tokenizer` describes it."""
        text = tf.convert_to_tensor(text, tf.string)
        normalized = self._normalize(text)
        ids, starts, limits = self._tokenizer.tokenize_with_offsets(normalized)
        ids = _with_static_batch(ids, text)
        lengths = tf.cast(tf.strings.length(normalized), tf.int64)
        base = tf.gather(tf.cumsum(lengths, exclusive=True), ids.value_rowids())
        spans = offsets.in_source(text, self._normalize, base + starts.values, base + limits.values)
        return ids, ids.with_values(spans[0]), ids.with_values(spans[1])

    def _ids(self, pieces: list[str]) -> dict[str, int]:
        """Returns the ids of those pieces that there are."""
        ids = self._tokenizer.string_to_id(tf.constant(pieces))
        # Of others, the unknown token's.
        found = tf.equal(self._tokenizer.id_to_string(ids), pieces)
        return {piece: int(i) for piece, i, there in zip(pieces, ids, found, strict=True) if there}


def _load_sentencepiece(path: str) -> tf_text.SentencepieceTokenizer:
    setting = "tokenizer.sp_model_file"
    data = vocabularies.read_bytes(path, setting=setting)
    try:
        return tf_text.SentencepieceTokenizer(data, out_type=tf.int32)
    except tf.errors.OpError as error:
        raise errors.UserError(
            "sp_model_file takes a SentencePiece model; a WordPiece vocabulary, text with one "
            "piece a line, goes to vocab_file.",
            received=f"{path} ({error.message.strip()})",
            example="--sp_model_file=30k-clean.model",
            setting=setting,
        ) from None


def _with_static_batch(tokens: tf.RaggedTensor, text: tf.Tensor) -> tf.RaggedTensor:
    """Gives the result the static batch size of `text`, which the ops in between forget."""
    splits = tf.reshape(tokens.row_splits, [tf.size(text) + 1])
    return tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)
