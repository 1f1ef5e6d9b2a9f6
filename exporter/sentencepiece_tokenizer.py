"""SentencePiece, as TF-NLP's pre-training applies it."""

from __future__ import annotations

import types
from collections.abc import Mapping

import tensorflow as tf
import tensorflow_text as tf_text

from exporter import errors, normalizers, offsets, tokenization, vocabularies


class SentencepieceTokenizer(tf.Module):
    """SentencePiece, on text normalized as ALBERT's.

    The attributes are those of `tokenization.Tokenizer`.
    """

    ragged_rank = 1
    vocab_file = None
    why_slow = None

    def __init__(
        self,
        sp_model_file: str,
        lower_case: bool,
        *,
        strip_accents: bool = True,
        special_tokens: Mapping[str, str] | None = None,
    ) -> None:
        """Reads and checks the model.

        Args:
          sp_model_file: A path that `tf.io.gfile` can read.
          lower_case: Whether text is folded to lower case.
          strip_accents: Whether accents are removed.
          special_tokens: How special tokens are spelled that are not spelled as ALBERT does, by
            purpose: `{"padding_id": "[PAD]"}`.

        Raises:
          UserError: The file is not a SentencePiece model, or lacks tokens that inputs are packed
            with.
        """
        super().__init__()
        spellings = vocabularies.spellings(vocabularies.SENTENCEPIECE_SPELLINGS, special_tokens)
        self._normalize = normalizers.SentencepieceNormalizer(
            lower_case=lower_case, strip_accents=strip_accents
        )
        self._tokenizer = load(sp_model_file)
        _store_once(self._tokenizer)
        self._unknown_id = int(self._tokenizer.string_to_id("\0"))
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
        return tokenization.with_static_batch(self._tokenizer.tokenize(self._normalize(text)), text)

    tokenize_flat = tokenize

    def tokenize_with_offsets(self, text: tf.Tensor) -> tokenization.Offsets:
        """Tokenizes texts and says where tokens are, as `tokenization.Tokenizer` describes it.

        A character that only the model's own normalization unfolds, as it does with ligatures where
        text is not lower-cased, belongs to the last of its pieces, as in the library.
        """
        text = tf.convert_to_tensor(text, tf.string)
        normalized = self._normalize(text)
        ids, starts, limits = self._tokenizer.tokenize_with_offsets(normalized)
        ids = tokenization.with_static_batch(ids, text)
        lengths = tf.cast(tf.strings.length(normalized), tf.int64)
        base = tf.gather(tf.cumsum(lengths, exclusive=True), ids.value_rowids())
        spans = offsets.in_source(text, self._normalize, base + starts.values, base + limits.values)
        return ids, ids.with_values(spans[0]), ids.with_values(spans[1])

    def detokenize(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Puts pieces together as `tokenization.Tokenizer` describes it."""
        tokens = tokenization.without_packing(tokens, self.special_tokens)
        return self._tokenizer.detokenize(tokens.with_values(self._known(tokens.values)))

    def id_to_string(self, ids: tf.Tensor) -> tf.Tensor:
        """Looks up ids as `tokenization.Tokenizer` describes it."""
        return self._tokenizer.id_to_string(self._known(ids))

    def string_to_id(self, pieces: tf.Tensor) -> tf.Tensor:
        """Looks up pieces as `tokenization.Tokenizer` describes it."""
        return self._tokenizer.string_to_id(pieces)

    def _known(self, ids: tf.Tensor) -> tf.Tensor:
        is_id = (ids >= 0) & (ids < self.special_tokens[vocabularies.VOCAB_SIZE])
        return tf.where(is_id, ids, self._unknown_id)

    def _ids(self, pieces: list[str]) -> dict[str, int]:
        """Returns the ids of those pieces that there are."""
        ids = self._tokenizer.string_to_id(tf.constant(pieces))
        # Of others, the unknown token's.
        found = tf.equal(self._tokenizer.id_to_string(ids), pieces)
        return {piece: int(i) for piece, i, there in zip(pieces, ids, found, strict=True) if there}


def _store_once(tokenizer: tf_text.SentencepieceTokenizer) -> None:
    """Has a SavedModel hold the model once.

    TensorFlow writes the op that holds it into the graph, for sessions, and into a function, for
    loading. Both now call the same function.
    """
    # Private: without it the model is there twice.
    resource = tokenizer._model_resource
    create = tf.function(resource._create_resource, autograph=False).get_concrete_function()

    def create_resource() -> tf.Tensor:
        return create()

    resource._create_resource = create_resource


def load(path: str) -> tf_text.SentencepieceTokenizer:
    """Reads a model.

    Args:
      path: A path that `tf.io.gfile` can read.

    Raises:
      UserError: It is missing, unreadable or something else.
    """
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
