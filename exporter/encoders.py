"""Builds the encoder and its masked-language-model head with TF-NLP's own code."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import layers as tfnlp_layers
from official.nlp.modeling import networks
from official.projects.bigbird import encoder as bigbird
from tensorflow.python.ops import resource_variable_ops

from exporter import (
    builders,
    encoder_calls,
    encoder_configs,
    errors,
    used_bindings,
    used_fields,
)


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder as TF-NLP builds it, and what the exporter needs to know of it.

    Attributes:
      network: The Keras model or layer.
      masked_lm: The masked-language-model head, or None.
      architecture: What it was built from.
      held: Which stored values the variables have in memory, by the variables' references.
      functions: Traced functions of it, for all modules that it is a part of, by what they compute.
    """

    network: tf_keras.layers.Layer
    masked_lm: tfnlp_layers.MaskedLM | None
    architecture: encoder_configs.Architecture
    held: dict[Any, Hashable] = dataclasses.field(default_factory=dict)
    functions: dict[Hashable, Any] = dataclasses.field(default_factory=dict)

    @property
    def pooler_layer(self) -> tf_keras.layers.Layer | None:
        """The dense layer that makes `pooled_output`, or None where there is none."""
        pooler = getattr(self.network, "pooler_layer", None)
        if pooler is None:  # AlbertEncoder has one, and no property for it.
            named = (m for m in self.modules if m.name == "pooler_transform")
            pooler = next(named, None)
        # MobileBERT's is an EinsumDense, with the same kernel and bias.
        return pooler if hasattr(pooler, "kernel") and hasattr(pooler, "bias") else None

    @functools.cached_property
    def modules(self) -> tuple[tf.Module, ...]:
        """The network's layers and what is in them; TensorFlow takes its time to list them."""
        return tuple(self.network.submodules)

    @property
    def vocab_size(self) -> int:
        """The number of rows of the word embedding table."""
        return _embedding_table(self.network).shape[0]

    @property
    def type_vocab_size(self) -> int:
        """How many values `input_type_ids` may take."""
        return getattr(self.architecture.encoder, "type_vocab_size", 2)

    @property
    def num_outputs(self) -> int:
        """How many layers there are in `encoder_outputs`."""
        return len(_outputs(self.network, self.architecture)["encoder_outputs"])

    @property
    def max_seq_length(self) -> int | None:
        """The longest sequence that the encoder takes; None for no limit."""
        return self.architecture.max_seq_length

    @property
    def variables(self) -> list[tf.Variable]:
        """The variables of the encoder and then of the head, each once, in the source's order."""
        return _once(self.network.variables + (self.masked_lm.variables if self.masked_lm else []))

    @property
    def common_variables(self) -> list[tf.Variable]:
        """Those that all exports have in common, whatever their pooler and head."""
        pooler = self._pooler_references
        return [v for v in _once(self.network.variables) if v.ref() not in pooler]

    @property
    def own_variables(self) -> list[tf.Variable]:
        """Those of the pooler and the head, which exports of one checkpoint may have or not."""
        common = {variable.ref() for variable in self.common_variables}
        return [variable for variable in self.variables if variable.ref() not in common]

    @property
    def _pooler_references(self) -> set[Any]:
        layer = self.pooler_layer
        return set() if layer is None else {variable.ref() for variable in layer.variables}

    @property
    def mlm_trainable_variables(self) -> list[tf.Variable]:
        """The trainable ones of the encoder and the head, each once, in the source's order."""
        head = self.masked_lm.trainable_variables if self.masked_lm else []
        return _once(self.network.trainable_variables + head)

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
        """Runs TF-NLP's encoder, with the interface that all types of encoders share.

        Args:
          inputs: int32 `[B, L]` each, by `encoder_calls.INPUT_NAMES` (B: batch size, L: sequence
            length).
          training: Whether dropout is active.

        Returns:
          `pooled_output` and its alias `default` `[B, D]`, `sequence_output` `[B, L, D]` and
          `encoder_outputs`, a list of `[B, L, D]` (D: hidden size), and what else the configuration
          asks for.
        """
        return encoder_calls.call(self.network, self.architecture, inputs, training)


def build(architecture: encoder_configs.Architecture, *, with_mlm: bool) -> Encoder:
    """Builds an encoder whose variables have no values yet.

    They get them from a checkpoint; random ones would only cost time and memory.

    Args:
      architecture: What to build.
      with_mlm: Whether to build the masked-language-model head, too.

    Raises:
      UserError: TF-NLP cannot build it, or what gin or the configuration says has no effect.
    """
    # Layers are numbered anew, so that what was built before does not show in an export's names.
    tf_keras.backend.reset_uids()
    with _variables_without_values(), used_fields.recorded(architecture.config) as asked:
        try:
            # AutoGraph would look through each layer's code for what Keras layers do not need.
            network, masked_lm, pooling = tf.autograph.experimental.do_not_convert(_build)(
                architecture, with_mlm
            )
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            # Gin adds which configurable it was called by.
            reason = str(error).partition("\n  In call to configurable")[0]
            is_own = architecture.type == "any"
            raise errors.UserError(
                f"TF-NLP must be able to build the encoder of type {architecture.type!r}; it says: "
                f"{reason}",
                example=builders.EXAMPLE if is_own else None,
                received=architecture.source,
                where=builders.place(architecture.encoder) if is_own else None,
            ) from error
    mistakes = used_bindings.check(network, with_mlm=with_mlm)
    mistakes += used_fields.check(architecture, asked)
    if architecture.pooled_output is not None and pooling is None:
        mistakes.append(_has_pooler(architecture))
    errors.raise_all(mistakes)
    built = dataclasses.replace(used_fields.as_built(architecture), pooled_output=pooling)
    return Encoder(network, masked_lm, built)


def _build(
    architecture: encoder_configs.Architecture, with_mlm: bool
) -> tuple[tf_keras.layers.Layer, tfnlp_layers.MaskedLM | None, str | None]:
    with _own_dropout():
        network = tfnlp_encoders.build_encoder(_for_use(architecture.config))
    if isinstance(network, bigbird.BigBirdEncoder):
        # Its gradient checkpointing, which this leaves away, keeps state that cannot be saved.
        network = type(network).from_config(network.get_config())
    if architecture.type == "any":
        builders.check_built(network)
    for module in network.submodules:
        # Routers of sparse mixers count what they route, in variables that each call changes.
        if hasattr(module, "_export_metrics"):
            module._export_metrics = False
    outputs = _outputs(network, architecture)
    width = outputs["sequence_output"].shape[-1]
    masked_lm = _build_masked_lm(network, architecture, width) if with_mlm else None
    return network, masked_lm, _pooling(network, outputs, architecture)


def _for_use(config: tfnlp_encoders.EncoderConfig) -> tfnlp_encoders.EncoderConfig:
    """Returns the configuration without what XLNet needs in pre-training alone.

    Its second stream of queries predicts tokens; the stream of contents, which is the encoder, has
    the same weights (Yang et al., 2019, section 2.3). `bi_data` wants batches of which one half is
    reversed.
    """
    if config.type != "xlnet":
        return config
    config = copy.deepcopy(config)
    config.xlnet.two_stream = config.xlnet.bi_data = False
    return config


def _pooling(
    network: tf_keras.layers.Layer,
    outputs: Mapping[str, Any],
    architecture: encoder_configs.Architecture,
) -> str | None:
    """Returns how `pooled_output` is made, or None where the encoder's own pooler makes it."""
    if isinstance(network, networks.MobileBERTEncoder):
        own = "first_token" if network.pooler_layer is None else None
    elif isinstance(network, networks.XLNetBase):
        own = "last_token"  # [CLS] is there in its pre-training (section 2.5).
    else:
        own = None if "pooled_output" in outputs else "first_token"
    return own and (architecture.pooled_output or own)


def _has_pooler(architecture: encoder_configs.Architecture) -> errors.UserError:
    return errors.UserError(
        "encoder.pooled_output is for encoders without a pooler. This one has its own, in place of "
        "which export.pooler may choose another.",
        example="export.pooler = @identity_pooler",
        received=f"{architecture.pooled_output!r} for an encoder of type {architecture.type!r}",
        setting="encoder.pooled_output",
    )


def _outputs(
    network: tf_keras.layers.Layer, architecture: encoder_configs.Architecture
) -> dict[str, Any]:
    """Returns symbolic outputs. A network that is no functional model creates its variables."""
    inputs = {name: tf_keras.Input([None], dtype=tf.int32) for name in encoder_calls.INPUT_NAMES}
    if architecture.type == "any":
        outputs = network(inputs)
        builders.check_outputs(outputs)
        return outputs
    if hasattr(network, "inputs"):
        functional = isinstance(network.inputs, list)
        return network.output if functional else network(network.inputs)
    return encoder_calls.run(network, architecture, inputs, training=None)


def _embedding_table(network: tf_keras.layers.Layer) -> tf.Variable:
    if hasattr(network, "get_embedding_lookup_table"):  # XLNetBase
        return network.get_embedding_lookup_table()
    return network.get_embedding_table()


def _build_masked_lm(
    network: tf_keras.layers.Layer, architecture: encoder_configs.Architecture, width: int
) -> tfnlp_layers.MaskedLM:
    activation = architecture.mlm_activation
    masked_lm = tfnlp_layers.MaskedLM(
        embedding_table=_embedding_table(network),
        activation=tf_utils.get_activation(activation) if activation else None,
        name="cls/predictions",
    )
    masked_lm(
        tf_keras.Input([None, width]),
        masked_positions=tf_keras.Input([None], dtype=tf.int32),
    )
    return masked_lm


@contextlib.contextmanager
def _own_dropout() -> Iterator[None]:
    """Gives Keras its Dropout back, which BigBird's gradient checkpointing replaces for good."""
    own = tf_keras.layers.Dropout
    try:
        yield
    finally:
        tf_keras.layers.Dropout = own


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
