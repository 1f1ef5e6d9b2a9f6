"""Encoders built without values, against TF-NLP's own as TF-NLP builds them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import gin
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.nlp.configs import encoders as tfnlp_encoders

from exporter import encoder_calls, encoder_configs, encoders, errors
from tests import testing

_COMMON = {"hidden_size": 8, "num_attention_heads": 2}
_NO_DROPOUT = {"dropout_rate": 0.0, "attention_dropout_rate": 0.0}
_BERT = {
    **_COMMON,
    **_NO_DROPOUT,
    "vocab_size": 40,
    "num_layers": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "type_vocab_size": 3,
}
_FUNNEL = {name: value for name, value in _BERT.items() if name != "intermediate_size"}
_FNET = {
    **_COMMON,
    "vocab_size": 40,
    "num_layers": 3,
    "inner_dim": 12,
    "max_sequence_length": 16,
    "type_vocab_size": 3,
    "attention_layers": (1,),
    "output_dropout": 0.0,
    "attention_dropout": 0.0,
}
_CONFIGS: dict[str, dict[str, Any]] = {
    "albert": {**_BERT, "embedding_width": 6},
    "bert": _BERT,
    "bert_v2": {**_BERT, "embedding_size": 5},
    "bigbird": {**_BERT, "max_position_embeddings": 64, "block_size": 4, "num_rand_blocks": 1},
    "funnel": {**_FUNNEL, "inner_dim": 12},
    "kernel": {**_BERT, "num_random_features": 4},
    "mobilebert": {
        **_COMMON,
        "word_vocab_size": 40,
        "word_embed_size": 6,
        "num_blocks": 2,
        "intermediate_size": 12,
        "intra_bottleneck_size": 6,
        "max_sequence_length": 16,
        "type_vocab_size": 3,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    "reuse": {**_BERT, "max_reuse_layer_idx": 1},
    "xlnet": {
        **_COMMON,
        **_NO_DROPOUT,
        "vocab_size": 40,
        "num_layers": 2,
        "head_size": 4,
        "inner_size": 12,
        "embedding_width": 8,
    },
    "query_bert": {**_BERT, "embedding_size": 5},
    "fnet": _FNET,
    "sparse_mixer": {**_FNET, "moe_layers": (2,), "num_experts": 2},
}
_MAX_LENGTHS = dict.fromkeys(_CONFIGS, 16) | {"bigbird": 64, "xlnet": None}


def _architecture(encoder_type: str, **changes: Any) -> encoder_configs.Architecture:
    config = tfnlp_encoders.EncoderConfig(type=encoder_type)
    config.override({encoder_type: {**_CONFIGS[encoder_type], **changes}}, is_strict=True)
    return encoder_configs.Architecture(config, "gelu", "encoder.yaml")


def _inputs(length: int) -> dict[str, tf.Tensor]:
    ids = tf.random.stateless_uniform([3, length], [2, 0], 1, 40, tf.int32)
    mask = tf.sequence_mask([length, length // 2, length], length, tf.int32)
    types = tf.reverse(1 - mask, [0, 1]) + tf.one_hot([0, 1, 2], length, dtype=tf.int32)
    return dict(zip(encoder_calls.INPUT_NAMES, (ids * mask, mask, types % 2), strict=True))


def _call_plain(network: tf_keras.layers.Layer, inputs: dict[str, tf.Tensor]) -> Any:
    if not hasattr(network, "inputs"):  # XLNetBase
        ids, mask, types = (inputs[name] for name in encoder_calls.INPUT_NAMES)
        mask = tf.cast(mask, tf.float32)
        return network(input_ids=ids, input_mask=mask, segment_ids=types, training=False)[0]
    return network(inputs, training=False)["sequence_output"]


@functools.cache
def _built(encoder_type: str) -> encoders.Encoder:
    """Builds an encoder with its head, not to be changed."""
    return encoders.build(_architecture(encoder_type), with_mlm=True)


def _described(variables: list[tf.Variable]) -> list[tuple[Any, ...]]:
    return [(v.name, tuple(v.shape), v.dtype, v.trainable) for v in variables]


@pytest.mark.parametrize("encoder_type", _CONFIGS)
class TestEveryType:
    def test_it_is_the_encoder_of_tfnlp(self, encoder_type: str) -> None:
        """The same variables in the same order, and given values, the same outputs."""
        architecture = _architecture(encoder_type)
        inputs = _inputs(architecture.max_seq_length or 16)
        tf_keras.backend.reset_uids()
        plain = tfnlp_encoders.build_encoder(architecture.config)
        _call_plain(plain, inputs)
        tf_keras.backend.reset_uids()
        encoder = encoders.build(architecture, with_mlm=False)
        assert _described(encoder.network.variables) == _described(plain.variables)
        assert _described(encoder.variables) == _described(plain.variables)
        testing.fill(plain.variables)
        for ours, theirs in zip(encoder.variables, plain.variables, strict=True):
            ours.assign(theirs)
        outputs = encoder(inputs, training=False)
        np.testing.assert_array_equal(outputs["sequence_output"], _call_plain(plain, inputs))
        assert {"default", "encoder_outputs", "pooled_output"} <= set(outputs)
        np.testing.assert_array_equal(outputs["default"], outputs["pooled_output"])

    def test_no_variable_has_a_value(self, encoder_type: str) -> None:
        assert not any(variable.is_initialized() for variable in _built(encoder_type).variables)

    def test_the_head_shares_the_embedding_table(self, encoder_type: str) -> None:
        encoder = _built(encoder_type)
        assert encoder.masked_lm is not None
        table = encoder.masked_lm.embedding_table
        assert sum(variable is table for variable in encoder.network.variables) == 1
        own = encoder.variables[len(encoder.network.variables) :]
        width = table.shape[1]
        assert sorted(tuple(variable.shape) for variable in own) == sorted(
            [(8, width), (width,), (width,), (width,), (40,)]
        )
        trainable = encoder.mlm_trainable_variables
        assert [id(v) for v in trainable] == [id(v) for v in encoder.variables if v.trainable]

    def test_what_the_exporter_needs_to_know(self, encoder_type: str) -> None:
        encoder = _built(encoder_type)
        assert encoder.vocab_size == 40
        assert encoder.type_vocab_size == (2 if encoder_type == "xlnet" else 3)
        assert encoder.max_seq_length == _MAX_LENGTHS[encoder_type]

    def test_the_pooler(self, encoder_type: str) -> None:
        pooler = _built(encoder_type).pooler_layer
        if encoder_type == "xlnet":
            assert pooler is None
        else:
            assert pooler is not None
            assert [tuple(variable.shape) for variable in pooler.variables] == [(8, 8), (8,)]
            assert tf_keras.activations.serialize(pooler.activation) == "tanh"


def test_a_mobilebert_without_a_pooler() -> None:
    architecture = _architecture("mobilebert", classifier_activation=False)
    assert encoders.build(architecture, with_mlm=False).pooler_layer is None


def test_size_costs_no_memory() -> None:
    """This one has 80 TB of weights."""
    encoder = encoders.build(
        _architecture("bert", vocab_size=10**12, hidden_size=20), with_mlm=True
    )
    assert encoder.vocab_size == 10**12


def test_the_head_has_the_activation_of_the_architecture() -> None:
    for activation, expected in (("tanh", tf_keras.activations.tanh), (None, None)):
        architecture = dataclasses.replace(_architecture("bert"), mlm_activation=activation)
        masked_lm = encoders.build(architecture, with_mlm=True).masked_lm
        assert masked_lm is not None
        assert masked_lm.activation is expected


def test_what_gin_says_of_build_encoder_takes_effect() -> None:
    gin.parse_config(
        """
        build_encoder.encoder_cls = @EncoderScaffold
        EncoderScaffold.hidden_cls = @TransformerScaffold
        TransformerScaffold.attention_cls = @TalkingHeadsAttention
        """
    )
    network = encoders.build(_architecture("bert"), with_mlm=False).network
    assert type(network).__name__ == "EncoderScaffold"
    names = {type(module).__name__ for module in network.submodules}
    assert "TalkingHeadsAttention" in names


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vocab_size": -1}, "Dimension -1 must be >= 0"),
        ({"hidden_activation": "gellu"}, "Unknown activation function 'gellu' cannot be deser"),
        ({"dropout_rate": 7.0}, "Invalid value 7.0 received for `rate`, expected a value between"),
        ({"num_layers": None}, "'NoneType' object cannot be interpreted as an integer"),
        ({"num_layers": 0}, "list index out of range"),
        ({"num_attention_heads": 0}, "by zero"),
    ],
)
def test_what_tfnlp_cannot_build(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.UserError) as raised:
        encoders.build(_architecture("bert", **changes), with_mlm=False)
    message = str(raised.value)
    assert message.startswith("TF-NLP must be able to build the encoder of type 'bert'; it says: ")
    assert reason in message
    assert message.endswith("\n  received: encoder.yaml")
    assert " at 0x" not in message


def test_an_activation_of_the_head_that_there_is_not() -> None:
    architecture = dataclasses.replace(_architecture("bert"), mlm_activation="gellu")
    encoders.build(architecture, with_mlm=False)
    with pytest.raises(errors.UserError, match="Unknown activation function 'gellu' cannot be"):
        encoders.build(architecture, with_mlm=True)
