"""The object that becomes the preprocessing SavedModel: text in, an encoder's inputs out.

It implements the "preprocessor" of the Common SavedModel APIs for text
(tensorflow.org/hub/common_saved_model_apis/text).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from exporter import errors, packing, saved_models, tokenizers

# [CLS], a token, [SEP].
_MIN_SEQ_LENGTH = 3

_TEXT = tf.TensorSpec([None], tf.string, name="text")
_SENTENCES = tf.TensorSpec([None], tf.string, name="sentences")
_SEQ_LENGTH = tf.TensorSpec([], tf.int32, name="seq_length")
_TRAINING = tf.TensorSpec([], tf.bool, name="training")


class _Callable:
    """Lets Python code call an object as the loaded one is called.

    The function to be saved is an attribute of the object; Python itself looks at the class.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return vars(self)["__call__"](*args, **kwargs)

    def trace_call(self, *args: Any, **kwargs: Any) -> None:
        """Traces the call with these arguments."""
        vars(self)["__call__"].get_concrete_function(*args, **kwargs)


class _Part(_Callable, tf.train.Checkpoint):
    """A callable part of the root object."""

    def __init__(
        self, function: Callable[..., Any], tokenizer: tokenizers.Tokenizer | None = None
    ) -> None:
        super().__init__()
        # Keeps alive what it needs if the root is dropped.
        self._tokenizer = tokenizer
        self.__call__ = tf.function(function, autograph=False)  # type: ignore[method-assign]


class Preprocessing(_Callable, saved_models.Exportable):
    """The root object of a preprocessing SavedModel.

    Called as `preprocess(text, seq_length=..., training=False)` on strings `[B]`, it returns a dict
    of int32 tensors `[B, L]`: `input_word_ids`, `input_mask` and `input_type_ids` (B: batch size,
    L: sequence length). `seq_length` is a Python integer or an int32 scalar; `training` changes
    nothing. Batch size and sequence length are static where they are given statically.

    Attributes:
      tokenize: Called on strings `[B]`, it returns ids, int32 `[B, (words), (pieces)]`, or
        `[B, (pieces)]` for a tokenizer that does not tell words apart. Its attribute
        `get_special_tokens_dict`, called without arguments, returns a dict of int32 scalars:
        `vocab_size`, `padding_id`, `start_of_sequence_id`, `end_of_segment_id` and, if there is
        one, `mask_id`.
      tokenize_with_offsets: If wanted: called on strings `[B]`, it returns a list of the ids and
        of where in the string the pieces start and end, in bytes, int64 of the same shape. It has
        `get_special_tokens_dict` as well.
      bert_pack_inputs: Called as `bert_pack_inputs([segment, ...], seq_length=...)` on one to
        `max_segments` tensors as `tokenize` returns them, trimmed or not, with or without the
        dimension of words, it returns what the root object returns.
      detokenize: Called on tokens, int32 `[B, (pieces)]` or as `tokenize` returns them, or on
        packed ids `[B, L]`, it returns texts, string `[B]`, without the special tokens that packing
        adds.
      vocab: Has `id_to_string`, called on ids, int32 of any shape, and `string_to_id`, called on
        pieces, strings of any shape. What is no piece is the unknown token.
      serve: The root object's call once more, under the name that Keras 3's TFSMLayer looks for.
      vocab_file: The WordPiece vocabulary as an asset.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        default_seq_length: int = 128,
        tokenize_with_offsets: bool = False,
        max_segments: int = 2,
        options: packing.Options | None = None,
    ) -> None:
        """Puts a tokenizer and packing together. Nothing is traced yet.

        Args:
          tokenizer: The tokenizer.
          default_seq_length: The length of the packed sequences where the caller gives none.
          tokenize_with_offsets: Whether there is `.tokenize_with_offsets`.
          max_segments: How many segments `bert_pack_inputs` takes in the SavedModel. In Python code
            there is no limit.
          options: How segments are packed. None for `packing.Options()`.

        Raises:
          UserError: `default_seq_length` leaves no room for a token.
        """
        super().__init__()
        if default_seq_length < _MIN_SEQ_LENGTH:
            raise errors.UserError(
                f"default_seq_length must be at least {_MIN_SEQ_LENGTH}, for a token and the two "
                "special tokens around it.",
                received=str(default_seq_length),
                example="128",
                setting="preprocessing.default_seq_length",
            )
        self._default_seq_length, self._max_segments = default_seq_length, max_segments
        options = options or packing.Options()
        ids = packing.PackingIds.from_special_tokens(tokenizer.special_tokens)
        if tokenizer.vocab_file is not None:
            self.vocab_file = tokenizer.vocab_file

        # Functions of their own, so that what calls them does not trace them again.
        tokens = tf.function(tokenizer.tokenize, autograph=False)
        flat_tokens = tf.function(tokenizer.tokenize_flat, autograph=False)

        pack_flat = pack_text = _packer(ids, options)
        if options.for_xla:  # Which takes longer; and text cannot be compiled.
            pack_text = _packer(ids, dataclasses.replace(options, for_xla=False))

        def pack(
            inputs: list[tf.RaggedTensor], seq_length: int | tf.Tensor = default_seq_length
        ) -> dict[str, tf.Tensor]:
            return pack_flat([packing.flatten(segment) for segment in inputs], seq_length)

        def preprocess(
            text: tf.Tensor,
            seq_length: int | tf.Tensor = default_seq_length,
            training: bool | tf.Tensor = False,
        ) -> dict[str, tf.Tensor]:
            del training
            return pack_text([flat_tokens(text)], seq_length)

        self.__call__ = tf.function(  # type: ignore[method-assign]
            preprocess, autograph=False
        )
        self.serve = vars(self)["__call__"]
        self.tokenize = _Tokenization(tokenizer, tokens)
        if tokenize_with_offsets:
            self.tokenize_with_offsets = _Tokenization(
                tokenizer, lambda text: list(tokenizer.tokenize_with_offsets(text))
            )
        self.bert_pack_inputs = _Part(pack)
        texts = tf.function(tokenizer.detokenize, autograph=False)
        self.detokenize = _Part(lambda tokens: texts(_ragged(tokens)), tokenizer)
        self.vocab = _Vocabulary(tokenizer)

    def trace(self) -> None:
        """Traces the calls to be saved."""
        seq_lengths = (self._default_seq_length, _SEQ_LENGTH)
        for seq_length in seq_lengths:
            self.trace_call(_TEXT, seq_length=seq_length, training=_TRAINING)
        self.tokenize.trace()
        if hasattr(self, "tokenize_with_offsets"):
            self.tokenize_with_offsets.trace()
        ragged = [tf.RaggedTensorSpec([None] * rank, tf.int32) for rank in (2, 3)]
        for tokens in (*ragged, tf.TensorSpec([None, None], tf.int32)):
            self.detokenize.trace_call(tokens)
        self.vocab.trace()
        for num_segments in range(1, self._max_segments + 1):
            for tokens in ragged:
                for seq_length in seq_lengths:
                    self.bert_pack_inputs.trace_call([tokens] * num_segments, seq_length=seq_length)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Returns the signatures, for users that cannot call objects.

        `serving_default` takes `sentences`, strings `[B]`, and returns what the root object does.
        """

        @tf.function(autograph=False, input_signature=[_SENTENCES])
        def serving_default(sentences: tf.Tensor) -> dict[str, tf.Tensor]:
            # With arguments as traced already.
            return self(sentences, training=tf.constant(False))

        return {"serving_default": serving_default}


def _packer(
    ids: packing.PackingIds, options: packing.Options
) -> Callable[[list[tf.RaggedTensor], int | tf.Tensor], dict[str, tf.Tensor]]:
    @tf.function(autograph=False)
    def pack_flat(
        segments: list[tf.RaggedTensor], seq_length: int | tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return packing.pack(segments, seq_length, ids, options)

    def pack(segments: list[tf.RaggedTensor], seq_length: int | tf.Tensor) -> dict[str, tf.Tensor]:
        if options.for_xla or not isinstance(seq_length, int):
            return pack_flat(segments, seq_length)
        # One trace serves all lengths; XLA alone must know them.
        packed = pack_flat(segments, tf.constant(seq_length))
        if not options.pad_to_longest:
            for tensor in packed.values():
                tensor.set_shape([None, seq_length])
        return packed

    return pack


class _Tokenization(_Part):
    """`.tokenize`, or the like."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, function: Callable[..., Any]) -> None:
        special_tokens = tokenizer.special_tokens

        def tokenize(text: tf.Tensor, training: bool | tf.Tensor = False) -> Any:
            del training
            return function(text)

        def get_special_tokens_dict() -> dict[str, tf.Tensor]:
            return {name: tf.constant(i, tf.int32) for name, i in special_tokens.items()}

        super().__init__(tokenize, tokenizer)
        self.get_special_tokens_dict = _Part(get_special_tokens_dict)

    def trace(self) -> None:
        """Traces the calls to be saved."""
        self.trace_call(_TEXT, training=_TRAINING)
        self.get_special_tokens_dict.trace_call()


class _Vocabulary(tf.train.Checkpoint):
    """`.vocab`."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        super().__init__()
        self.id_to_string = _Part(_of_any_shape(tokenizer.id_to_string), tokenizer)
        self.string_to_id = _Part(_of_any_shape(tokenizer.string_to_id), tokenizer)

    def trace(self) -> None:
        """Traces the calls to be saved."""
        self.id_to_string.trace_call(tf.TensorSpec(None, tf.int32, name="ids"))
        self.string_to_id.trace_call(tf.TensorSpec(None, tf.string, name="pieces"))


def _of_any_shape(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    def call(keys: tf.Tensor) -> tf.Tensor:
        keys = tf.convert_to_tensor(keys)
        values = tf.reshape(function(tf.reshape(keys, [-1])), tf.shape(keys))
        values.set_shape(keys.shape)
        return values

    return call


def _ragged(tokens: tf.RaggedTensor | tf.Tensor) -> tf.RaggedTensor:
    """Returns tokens, ragged or of shape `[B, L]`, as int32 `[B, (pieces)]`."""
    if isinstance(tokens, tf.RaggedTensor):
        return packing.flatten(tokens)
    batch_size, length = tf.unstack(tf.shape(tokens, out_type=tf.int64))
    return tf.RaggedTensor.from_row_splits(
        tf.reshape(tokens, [-1]), tf.range(batch_size + 1) * length, validate=False
    )
