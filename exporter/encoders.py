"""Builds the encoder and its masked-language-model head with TF-NLP's own code."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import layers as tfnlp_layers
from tensorflow.python.ops import resource_variable_ops

from exporter import encoder_configs, errors

INPUT_NAMES = ("input_word_ids", "input_mask", "input_type_ids")


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder as TF-NLP builds it, and what the exporter needs to know of it.

    Attributes:
      network: The Keras model or layer. Called on a dict of int32 `[B, L]` tensors named as
        `INPUT_NAMES` (B: batch size, L: sequence length) it returns a dict with `sequence_output`
        `[B, L, D]`, `pooled_output` `[B, D]` and `encoder_outputs`, a list of `[B, L, D]` (D:
        hidden size).
      masked_lm: The masked-language-model head, or None.
      architecture: What it was built from.
    """

    network: tf_keras.layers.Layer
    masked_lm: tfnlp_layers.MaskedLM | None
    architecture: encoder_configs.Architecture

    @property
    def pooler_layer(self) -> tf_keras.layers.Dense | None:
        """The dense layer that makes `pooled_output`, or None where there is none."""
        pooler = getattr(self.network, "pooler_layer", None)
        if pooler is None:  # AlbertEncoder has one, and no property for it.
            named = (m for m in self.network.submodules if m.name == "pooler_transform")
            pooler = next(named, None)
        return pooler if isinstance(pooler, tf_keras.layers.Dense) else None

    @property
    def vocab_size(self) -> int:
        """The number of rows of the word embedding table."""
        return self.network.get_embedding_table().shape[0]

    @property
    def type_vocab_size(self) -> int:
        """How many values `input_type_ids` may take."""
        return self.architecture.encoder.type_vocab_size

    @property
    def max_seq_length(self) -> int:
        """The longest sequence that the encoder takes."""
        config = self.architecture.encoder
        names = ("max_position_embeddings", "max_sequence_length")
        return next(getattr(config, name) for name in names if hasattr(config, name))

    @property
    def variables(self) -> list[tf.Variable]:
        """The variables of the encoder and then of the head, each once, in the source's order."""
        return _once(self.network.variables + (self.masked_lm.variables if self.masked_lm else []))

    @property
    def mlm_trainable_variables(self) -> list[tf.Variable]:
        """The trainable ones of the encoder and the head, each once, in the source's order."""
        head = self.masked_lm.trainable_variables if self.masked_lm else []
        return _once(self.network.trainable_variables + head)

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
        """Runs TF-NLP's encoder and adds `default`, the alias of `pooled_output`."""
        outputs = self.network(inputs, training=training)
        return dict(outputs, default=outputs["pooled_output"])


def build(architecture: encoder_configs.Architecture, *, with_mlm: bool) -> Encoder:
    """Builds an encoder whose variables have no values yet.

    They get them from a checkpoint; random ones would only cost time and memory.

    Args:
      architecture: What to build.
      with_mlm: Whether to build the masked-language-model head, too.

    Raises:
      UserError: TF-NLP cannot build it.
    """
    with _variables_without_values():
        try:
            # AutoGraph would look through each layer's code for what Keras layers do not need.
            network, masked_lm = tf.autograph.experimental.do_not_convert(_build)(
                architecture, with_mlm
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise errors.UserError(
                f"TF-NLP must be able to build the encoder of type {architecture.type!r}; it says: "
                f"{error}",
                received=architecture.source,
            ) from error
    return Encoder(network, masked_lm, architecture)


def _build(
    architecture: encoder_configs.Architecture, with_mlm: bool
) -> tuple[tf_keras.layers.Layer, tfnlp_layers.MaskedLM | None]:
    network = tfnlp_encoders.build_encoder(architecture.config)
    width = _outputs(network)["sequence_output"].shape[-1]
    return network, _build_masked_lm(network, architecture, width) if with_mlm else None


def _outputs(network: tf_keras.layers.Layer) -> dict[str, Any]:
    """Returns symbolic outputs. A network that is no functional model creates its variables."""
    if isinstance(network.inputs, list):
        return network.output
    return network(network.inputs)


def _build_masked_lm(
    network: tf_keras.layers.Layer, architecture: encoder_configs.Architecture, width: int
) -> tfnlp_layers.MaskedLM:
    activation = architecture.mlm_activation
    masked_lm = tfnlp_layers.MaskedLM(
        embedding_table=network.get_embedding_table(),
        activation=tf_utils.get_activation(activation) if activation else None,
        name="cls/predictions",
    )
    masked_lm(
        tf_keras.Input([None, width]),
        masked_positions=tf_keras.Input([None], dtype=tf.int32),
    )
    return masked_lm


@contextlib.contextmanager
def _variables_without_values() -> Iterator[None]:
    def create(next_creator: Any, **kwargs: Any) -> tf.Variable:
        # Keras gives the shape and a function for the value. All else (a metric's counter, say)
        # is made as usual.
        if not callable(kwargs["initial_value"]) or kwargs.get("shape") is None:
            return next_creator(**kwargs)
        names = ("trainable", "name", "shape", "dtype", "constraint")
        return resource_variable_ops.UninitializedVariable(
            **{name: kwargs.get(name) for name in names}
        )

    with tf.variable_creator_scope(create):
        yield


def _once(variables: list[tf.Variable]) -> list[tf.Variable]:
    return list({id(variable): variable for variable in variables}.values())
