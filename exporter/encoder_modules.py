"""The objects that become the encoder's SavedModel: plain trackable objects, no Keras models.

They implement "Transformer encoders" of the Common SavedModel APIs for text
(tensorflow.org/hub/common_saved_model_apis/text) and the Reusable SavedModel interface
(tensorflow.org/hub/reusable_saved_models).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import tensorflow as tf
from official.nlp.modeling import networks

from exporter import encoder_calls, encoders, layer_sharing, saved_models, unpadded

POSITIONS_NAME = encoder_calls.POSITIONS_NAME


def _spec(name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, None], tf.int32, name=name)


class EncoderModule(saved_models.Exportable):
    """The root object of an encoder's SavedModel.

    Called as `encoder(inputs, training=False)` on a dict of int32 tensors `input_word_ids`,
    `input_mask` and `input_type_ids` of shape `[B, L]`, it returns a dict of `pooled_output` and
    `default` `[B, D]`, `sequence_output` `[B, L, D]` and `encoder_outputs`, a list of `[B, L, D]`,
    all float32 (B: batch size, L: sequence length, D: hidden size).

    Attributes:
      variables: The encoder's variables, in the source's order, without the head's.
      trainable_variables: Those to be trained.
      regularization_losses: Functions without arguments, of a scalar loss each.
      mlm: With the head: called on the same inputs and `masked_lm_positions` `[B, P]` (P: number
        of predictions), it returns also `mlm_logits` `[B, P, V]` (V: vocabulary size). It has
        variable lists of its own.
      vocab_file: The WordPiece vocabulary as an asset; or
      sp_model_file: the SentencePiece model.
      do_lower_case: A scalar bool variable: whether text is lower-cased before it is tokenized.
      serve: The call once more, under the name that Keras 3's TFSMLayer looks for.
    """

    def __init__(
        self,
        encoder: encoders.Encoder,
        *,
        vocab_file: str | None = None,
        sp_model_file: str | None = None,
        do_lower_case: bool,
    ) -> None:
        super().__init__()
        self._source = Source(encoder)
        self.variables = encoder.network.variables
        self.trainable_variables = encoder.network.trainable_variables
        self.regularization_losses = regularization_losses(encoder)
        self.do_lower_case = tf.Variable(do_lower_case, trainable=False, name="do_lower_case")
        if vocab_file:
            self.vocab_file = tf.saved_model.Asset(vocab_file)
        if sp_model_file:
            self.sp_model_file = tf.saved_model.Asset(sp_model_file)
        self.__call__ = tf.function(self._call, autograph=False)
        self.serve = self.__call__
        if encoder.masked_lm is not None:
            self.mlm = tf.train.Checkpoint()
            self.mlm.variables = encoder.variables
            self.mlm.trainable_variables = encoder.mlm_trainable_variables
            self.mlm.regularization_losses = self.regularization_losses
            self.mlm.__call__ = tf.function(self._call_mlm, autograph=False)

    @property
    def encoder(self) -> encoders.Encoder:
        """The source."""
        return self._source.encoder

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        """While open, equal layers are traced once."""
        with self._source.shared():
            yield

    def trace(self) -> None:
        """Traces all permitted calls."""
        for training in (False, True):
            specs = {name: _spec(name) for name in encoder_calls.INPUT_NAMES}
            self.__call__.get_concrete_function(specs, training=training)
            if self.encoder.masked_lm is not None:
                specs[POSITIONS_NAME] = _spec(POSITIONS_NAME)
                self.mlm.__call__.get_concrete_function(specs, training=training)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Returns the signatures, for users that cannot call objects.

        Inputs and outputs have the names that they have in the dicts; the list `encoder_outputs`
        becomes `encoder_outputs_0`, `encoder_outputs_1`, ...
        """
        signatures = {"serving_default": _signature(self.__call__, encoder_calls.INPUT_NAMES)}
        if self.encoder.masked_lm is not None:
            names = (*encoder_calls.INPUT_NAMES, POSITIONS_NAME)
            signatures["mlm"] = _signature(self.mlm.__call__, names)
        return signatures

    def _call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
        return self._source.call(inputs, training)

    def _call_mlm(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
        encoder_inputs = {name: inputs[name] for name in encoder_calls.INPUT_NAMES}
        outputs = self.__call__(encoder_inputs, training=training)
        masked_lm = self.encoder.masked_lm
        assert masked_lm is not None  # Else there is no `.mlm`.
        logits = masked_lm(outputs["sequence_output"], masked_positions=inputs[POSITIONS_NAME])
        return dict(outputs, mlm_logits=logits)


class Source:
    """An encoder as a module's source, which is itself no part of the SavedModel.

    Attributes:
      encoder: The encoder.
    """

    def __init__(self, encoder: encoders.Encoder) -> None:
        self.encoder = encoder
        self._shared_layers = layer_sharing.SharedLayers(encoder.network)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """While open, equal layers are traced once."""
        with self._shared_layers.shared():
            yield

    def call(self, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
        """Runs the encoder, as `encoders.Encoder` does."""
        self._shared_layers.training = training
        return self.encoder(inputs, training)

    def call_any_length(self, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
        """Runs the encoder by a function that is traced once for all lengths and modules."""

        def encode(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
            return self.call(inputs, training)

        return self._traced(("call", training), inputs, encode)

    def call_unpadded(
        self, inputs: dict[str, tf.Tensor], *, first_token_only: bool
    ) -> dict[str, Any]:
        """Runs the encoder for inference, without padding where it is one that allows that.

        As in `call_any_length`, its function is traced once.

        Args:
          inputs: As `call` takes them.
          first_token_only: Whether of the last layer the first token alone is needed.

        Returns:
          What `call` returns, except that outputs at padding can be anything and that
          `sequence_output` can be `[B, 1, D]` where only the first token is needed.
        """
        if not unpadded.is_supported(self.encoder.network):
            return self.call_any_length(inputs, training=False)

        def encode(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
            with unpadded.applied(
                self.encoder.network,
                self._shared_layers,
                num_layers=self.encoder.architecture.encoder.num_layers,
                first_token_only=first_token_only,
            ):
                return self.call(inputs, training=False)

        return self._traced(("unpadded", first_token_only), inputs, encode)

    def _traced(
        self,
        key: Hashable,
        inputs: dict[str, tf.Tensor],
        call: Callable[[dict[str, tf.Tensor]], dict[str, Any]],
    ) -> dict[str, Any]:
        functions = self.encoder.functions
        if key not in functions:
            specs = {name: _spec(name) for name in encoder_calls.INPUT_NAMES}
            functions[key] = tf.function(call, autograph=False, input_signature=[specs])
        outputs = functions[key](inputs)
        if not isinstance(self.encoder.network, networks.FunnelTransformerEncoder):  # It pools.
            length = inputs["input_word_ids"].shape[1]
            for output in (outputs["sequence_output"], *outputs["encoder_outputs"]):
                if output.shape[1] is None:
                    output.set_shape([None, length, None])
        return outputs


def _signature(function: Any, names: Iterable[str]) -> Callable[..., Any]:
    names = tuple(names)

    @tf.function(autograph=False, input_signature=[_spec(name) for name in names])
    def signature(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        # The trace that calls of the object use; tensors without names would get one of their own.
        call = function.get_concrete_function({name: _spec(name) for name in names}, training=False)
        outputs = call(dict(zip(names, tensors, strict=True)), training=False)
        flat = {}
        for name, value in outputs.items():
            if isinstance(value, list | tuple):
                flat.update({f"{name}_{i}": part for i, part in enumerate(value)})
            else:
                flat[name] = value
        return flat

    return signature


def regularization_losses(encoder: encoders.Encoder) -> list[Callable[[], tf.Tensor]]:
    """Returns functions for the network's losses that depend on variables alone.

    Args:
      encoder: The encoder.

    Returns:
      Functions without arguments, each of which returns a scalar, float32.
    """
    regularized = any(
        getattr(module, name, None) is not None
        for module in encoder.modules
        for name in ("kernel_regularizer", "bias_regularizer", "embeddings_regularizer")
    )
    if not regularized:
        return []

    def loss(index: int) -> Callable[[], tf.Tensor]:
        return tf.function(
            lambda: encoder.network.losses[index], autograph=False, input_signature=[]
        )

    probe = tf.function(lambda: encoder.network.losses, autograph=False, input_signature=[])
    return [loss(index) for index in range(len(probe.get_concrete_function().outputs))]
