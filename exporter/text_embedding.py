"""The object that becomes the text-embedding SavedModel: text in, vectors out.

It implements "text embeddings from text inputs" of the Common SavedModel APIs for text
(tensorflow.org/hub/common_saved_model_apis/text) and the Reusable SavedModel interface.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from official.nlp.modeling import networks

from exporter import (
    encoder_modules,
    encoders,
    errors,
    packing,
    saved_models,
    settings,
    tokenizers,
)

_TEXT = tf.TensorSpec([None], tf.string, name="text")
_SENTENCES = tf.TensorSpec([None], tf.string, name="sentences")
# Where a norm is smaller than this, the vector stays as short as it is.
_SMALLEST_NORM = 1e-12
# Vectors that are made of no other token.
_OF_FIRST_TOKEN = ("pooled_output", "first_token")


def mistakes(
    embedding: settings.TextEmbeddingSettings, encoder: encoders.Encoder
) -> list[errors.UserError]:
    """Lists what cannot be had of an encoder.

    Args:
      embedding: What was asked for.
      encoder: The encoder.
    """
    if embedding.vector in _OF_FIRST_TOKEN:
        return []
    if isinstance(encoder.network, networks.FunnelTransformerEncoder):
        return [
            errors.UserError(
                "A mean over tokens needs an output for each; Funnel Transformers pool them.",
                example="text_embedding.vector = 'pooled_output'",
                received=f"{embedding.vector!r} with type {encoder.architecture.type!r}",
                setting="text_embedding.vector",
            )
        ]
    if embedding.vector == "mean" or embedding.layers_taken <= encoder.num_outputs:
        return []
    asked = "" if embedding.num_layers else " by default"
    return [
        errors.UserError(
            "text_embedding.num_layers must not be more than the encoder has.",
            example=f"text_embedding.num_layers = {encoder.num_outputs}",
            received=f"{embedding.layers_taken}{asked}, with {encoder.num_outputs} layers",
            setting="text_embedding.num_layers",
        )
    ]


class TextEmbedding(saved_models.Exportable):
    """The root object of a text-embedding SavedModel.

    Called as `embed(text, training=False)` on strings `[B]`, it returns vectors, float32 `[B, D]`
    (B: batch size, D: hidden size).

    Attributes:
      variables: The encoder's variables, in the source's order.
      trainable_variables: Those to be trained.
      regularization_losses: Functions without arguments, of a scalar loss each.
      serve: The call once more, under the name that Keras 3's TFSMLayer looks for.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        encoder: encoders.Encoder,
        *,
        seq_length: int,
        vector: str = "pooled_output",
        num_layers: int = 4,
        normalize: bool = False,
        options: packing.Options | None = None,
    ) -> None:
        """Puts preprocessing and encoder together. Nothing is traced yet.

        Args:
          tokenizer: The tokenizer.
          encoder: The encoder.
          seq_length: Longer texts are cut off there.
          vector: "pooled_output", "first_token" (of the last layer), "mean" (of the last layer over
            the tokens) or "mean_of_last_layers".
          num_layers: How many layers `mean_of_last_layers` takes.
          normalize: Whether vectors are scaled to length one.
          options: How texts are truncated and padded. None pads to the longest of the batch.
        """
        super().__init__()
        self._source = encoder_modules.Source(encoder)
        self._tokenizer = tokenizer
        self.variables = encoder.network.variables
        self.trainable_variables = encoder.network.trainable_variables
        self.regularization_losses = encoder_modules.regularization_losses(encoder)
        ids = packing.PackingIds.from_special_tokens(tokenizer.special_tokens)
        packed = options or packing.Options(pad_to_longest=True)

        @tf.function(autograph=False)
        def prepare(text: tf.Tensor) -> dict[str, tf.Tensor]:
            flat = tokenizer.tokenize_flat(tf.convert_to_tensor(text))
            return packing.pack([flat], seq_length, ids, packed)

        def pool(inputs: dict[str, tf.Tensor], outputs: dict[str, Any]) -> tf.Tensor:
            mask = tf.cast(inputs[packing.INPUT_MASK], tf.float32)[:, :, tf.newaxis]
            return _vector(outputs, mask, vector, num_layers, normalize)

        def embed(text: tf.Tensor, training: bool = False) -> tf.Tensor:
            inputs = prepare(text)
            if training:
                return pool(inputs, self._source.call_any_length(inputs, training))
            first = vector in _OF_FIRST_TOKEN
            return pool(inputs, self._source.call_unpadded(inputs, first_token_only=first))

        def outputs(text: tf.Tensor) -> dict[str, Any]:
            inputs = prepare(text)
            result = self._source.call_any_length(inputs, training=False)
            return dict(result, default=pool(inputs, result))

        self._outputs = _Untracked(outputs)
        self.__call__ = tf.function(embed, autograph=False)
        self.serve = self.__call__

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        """While open, equal layers are traced once."""
        with self._source.shared():
            yield

    def trace(self) -> None:
        """Traces all permitted calls."""
        for training in (False, True):
            self.__call__.get_concrete_function(_TEXT, training=training)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Returns the signatures, for users that cannot call objects.

        Both take `sentences`, strings `[B]`. `serving_default` returns `default`, the vectors;
        `outputs` returns them with the encoder's `pooled_output` and `sequence_output`.
        """

        @tf.function(autograph=False, input_signature=[_SENTENCES])
        def serving_default(sentences: tf.Tensor) -> dict[str, tf.Tensor]:
            # The trace that calls of the object use; this tensor would get one of its own.
            call = self.__call__.get_concrete_function(_TEXT, training=False)
            return {"default": call(sentences)}

        @tf.function(autograph=False, input_signature=[_SENTENCES])
        def all_outputs(sentences: tf.Tensor) -> dict[str, tf.Tensor]:
            result = self._outputs.value(sentences)
            return {name: result[name] for name in ("default", "pooled_output", "sequence_output")}

        return {"serving_default": serving_default, "outputs": all_outputs}


class _Untracked:
    """Keeps a function from becoming a part of the SavedModel."""

    def __init__(self, value: Callable[..., Any]) -> None:
        self.value = value


def _vector(
    outputs: dict[str, Any], mask: tf.Tensor, vector: str, num_layers: int, normalize: bool
) -> tf.Tensor:
    """Makes the vectors.

    Args:
      outputs: The encoder's.
      mask: float32 `[B, L, 1]`, one for tokens and zero for padding.
      vector: What they are made from.
      num_layers: How many layers `mean_of_last_layers` takes.
      normalize: Whether vectors are scaled to length one.

    Returns:
      float32 `[B, D]`.
    """
    if vector == "pooled_output":
        result = outputs["pooled_output"]
    elif vector == "first_token":
        result = outputs["sequence_output"][:, 0]
    else:
        tokens = outputs["sequence_output"]
        if vector == "mean_of_last_layers":
            tokens = tf.add_n(outputs["encoder_outputs"][-num_layers:]) / num_layers
        result = tf.reduce_sum(tokens * mask, axis=1) / tf.reduce_sum(mask, axis=1)
    if normalize:
        result = tf.math.l2_normalize(result, axis=-1, epsilon=_SMALLEST_NORM)
    return result
