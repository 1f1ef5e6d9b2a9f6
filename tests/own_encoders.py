"""What a user's own package holds: encoders that TF-NLP has not, and what builds them.

Token dropping is as in TF-NLP's project of that name (Hou et al., 2022, "Token Dropping for
Efficient BERT Pretraining"): its checkpoints fit a plain BERT, but for what it knows of each token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gin
import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.modeling.hyperparams import base_config
from official.nlp.configs import encoders
from official.nlp.modeling import layers, networks


@dataclasses.dataclass
class GainConfig(encoders.BertEncoderConfig):
    """A BERT with a gain for each hidden unit."""

    initial_gain: float = 1.5


@dataclasses.dataclass
class TokenDroppingConfig(encoders.BertEncoderConfig):
    """A BERT that passes only the tokens that matter through its middle layers."""

    token_loss_init_value: float = 10.0
    token_loss_beta: float = 0.995
    token_keep_k: int = 256
    token_allow_list: tuple[int, ...] = (100, 101, 102, 103)
    token_deny_list: tuple[int, ...] = (0,)


@gin.configurable
class GainEncoder(networks.BertEncoderV2):
    """Multiplies the last layer by a trained gain, and by one that only gin knows."""

    def __init__(self, initial_gain: float, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._initial_gain = initial_gain
        self._strength = strength
        self._width = kwargs["hidden_size"]

    def build(self, input_shape: Any) -> None:
        """Makes the gain."""
        initializer = tf_keras.initializers.Constant(self._initial_gain)
        self._gain = self.add_weight("gain", [self._width], initializer=initializer)
        super().build(input_shape)

    def call(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Returns BERT's outputs, all but the layers' made of the multiplied last layer."""
        outputs = super().call(inputs)
        last = outputs["sequence_output"] * self._gain * self._strength
        return {**outputs, "sequence_output": last, "pooled_output": self._pooler_layer(last[:, 0])}


class TokenDroppingEncoder(networks.BertEncoderV2):
    """The first and the last layer see all tokens, those between see the most important ones."""

    def __init__(self, config: TokenDroppingConfig) -> None:
        super().__init__(**_arguments(config))
        importance = tf.fill([config.vocab_size], config.token_loss_init_value)
        for ids, value in ((config.token_allow_list, 1e4), (config.token_deny_list, -1e4)):
            indices = [[i] for i in ids]
            importance = tf.tensor_scatter_nd_update(importance, indices, [value] * len(ids))
        self._token_importance_embed = layers.TokenImportanceWithMovingAvg(
            config.vocab_size, importance, config.token_loss_beta
        )
        self._token_separator = layers.SelectTopK(top_k=config.token_keep_k)

    def call(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Returns BERT's outputs; those of the layers between are of fewer tokens."""
        word_ids, mask = inputs["input_word_ids"], inputs["input_mask"]
        words = self._embedding_layer(word_ids)
        embedded = words + self._position_embedding_layer(words)
        embedded += self._type_embedding_layer(inputs["input_type_ids"])
        x = self._embedding_dropout(self._embedding_norm_layer(embedded))
        whole_mask = self._attention_mask_layer(x, mask)
        first, *between, last = self._transformer_layers
        outputs = [first([x, whole_mask])]
        kept, dropped = self._token_separator(self._token_importance_embed(word_ids))
        some, others = (tf.gather(outputs[0], i, batch_dims=1, axis=1) for i in (kept, dropped))
        some_mask = self._attention_mask_layer(some, tf.gather(mask, kept, batch_dims=1, axis=1))
        for layer in between:
            some = layer([some, some_mask])
            outputs.append(some)
        order = tf.argsort(tf.concat([kept, dropped], axis=1))
        x = tf.gather(tf.concat([some, others], axis=1), order, batch_dims=1, axis=1)
        outputs.append(last([x, whole_mask]))
        return {
            "sequence_output": outputs[-1],
            "pooled_output": self._pooler_layer(outputs[-1][:, 0]),
            "encoder_outputs": outputs,
        }


@base_config.bind(GainConfig)
def build_gain_encoder(config: GainConfig) -> GainEncoder:
    """Builds the encoder of a run's `any`."""
    return GainEncoder(config.initial_gain, **_arguments(config))


base_config.bind(TokenDroppingConfig)(TokenDroppingEncoder)


def _arguments(config: encoders.BertEncoderConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "num_attention_heads": config.num_attention_heads,
        "inner_dim": config.intermediate_size,
        "inner_activation": tf_utils.get_activation(config.hidden_activation),
        "output_dropout": config.dropout_rate,
        "attention_dropout": config.attention_dropout_rate,
        "max_sequence_length": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
    }
