"""Blocks that work on tokens alone compute for them what TF-NLP's compute, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from exporter import encoder_modules, encoders, layer_sharing, unpadded
from tests import encoder_exports, testing
from tests.conformance import comparison, goldens

_SUPPORTED = (
    *("bert", "bert_norm_first", "bert_embedding_size", "bert_relu", "bert_v2", "albert"),
    "bert_dropout",
)
_CASES = {case.name: case for case in (*goldens.ALL, *goldens.RARE)}
_LENGTHS = [7, 1, 4, 9, 2]


def _build(case: testing.Case) -> encoders.Encoder:
    encoder = encoders.build(encoder_exports.architecture(case), with_mlm=False)
    testing.fill(encoder.network.variables)
    return encoder


def _inputs(case: testing.Case, lengths: list[int]) -> dict[str, tf.Tensor]:
    inputs = comparison.inputs(case, len(lengths), 9)
    mask = tf.sequence_mask(lengths, 9, tf.int32)
    return {**inputs, "input_mask": mask}


def _unpadded(encoder: encoders.Encoder, *, first_token_only: bool) -> Any:
    source = encoder_modules.Source(encoder)
    return tf.function(
        lambda inputs: source.call_unpadded(inputs, first_token_only=first_token_only),
        autograph=False,
    )


@pytest.mark.parametrize("case", [_CASES[name] for name in _SUPPORTED], ids=lambda case: case.name)
def test_outputs_of_tokens_are_the_source_s(case: testing.Case) -> None:
    encoder = _build(case)
    assert unpadded.is_supported(encoder.network)
    inputs = _inputs(case, _LENGTHS)
    expected = encoder(inputs, training=False)
    got = _unpadded(encoder, first_token_only=False)(inputs)
    mask = tf.cast(inputs["input_mask"], tf.float32)[:, :, tf.newaxis]
    expected["sequence_output"] *= mask
    expected["encoder_outputs"] = [output * mask for output in expected["encoder_outputs"]]
    comparison.assert_same_outputs(expected, got)


@pytest.mark.parametrize("case", [_CASES[name] for name in _SUPPORTED], ids=lambda case: case.name)
def test_first_tokens_are_the_source_s(case: testing.Case) -> None:
    encoder = _build(case)
    inputs = _inputs(case, _LENGTHS)
    expected = encoder(inputs, training=False)
    got = _unpadded(encoder, first_token_only=True)(inputs)
    assert got["sequence_output"].shape == [5, 1, 8]
    for name, value in (
        ("sequence_output", expected["sequence_output"][:, :1]),
        ("pooled_output", expected["pooled_output"]),
    ):
        np.testing.assert_allclose(got[name], value, rtol=0, atol=comparison.LIMIT, err_msg=name)


def test_nothing_is_computed_for_padding() -> None:
    """Were it, NaN of a padding's embedding would show in attention."""
    encoder = _build(_CASES["bert"])
    inputs = _inputs(_CASES["bert"], _LENGTHS)
    call = _unpadded(encoder, first_token_only=False)
    expected = call(inputs)["pooled_output"]
    table = encoder.network.get_embedding_table()
    table.scatter_nd_update([[39]], [[np.nan] * 8])
    word_ids = tf.where(inputs["input_mask"] > 0, inputs["input_word_ids"] % 39, 39)
    replaced = call({**inputs, "input_word_ids": word_ids})["pooled_output"]
    assert np.all(np.isfinite(replaced))
    same = tf.reduce_all(tf.equal(word_ids, inputs["input_word_ids"]) | (word_ids == 39), axis=1)
    np.testing.assert_array_equal(replaced[same], expected[same])


def test_no_rows() -> None:
    encoder = _build(_CASES["bert"])
    inputs = {name: value[:0] for name, value in _inputs(_CASES["bert"], _LENGTHS).items()}
    for first in (False, True):
        outputs = _unpadded(encoder, first_token_only=first)(inputs)
        assert outputs["pooled_output"].shape == [0, 8]


@pytest.mark.parametrize("name", ["kernel", "mobilebert", "reuse", "funnel", "xlnet", "fnet"])
def test_other_types_are_called_as_they_are(name: str) -> None:
    encoder = encoders.build(encoder_exports.architecture(_CASES[name]), with_mlm=False)
    assert not unpadded.is_supported(encoder.network)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_return_attention_scores", True),
        ("_use_query_residual", False),
        ("_attention_axes", (1,)),
        ("_output_range", 1),
        ("_attention_layer", tf_keras.layers.MultiHeadAttention),
        ("_attention_layer_norm", tf_keras.layers.UnitNormalization()),
        ("_dtype_policy", tf_keras.mixed_precision.Policy("mixed_bfloat16")),
    ],
)
def test_a_block_that_computes_something_else(attribute: str, value: Any) -> None:
    network = _build(_CASES["bert"]).network
    setattr(network.transformer_layers[1], attribute, value)
    assert not unpadded.is_supported(network)


def test_a_block_with_a_setting_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _build(_CASES["bert"]).network
    block = type(network.transformer_layers[1])
    known = block.get_config
    monkeypatch.setattr(block, "get_config", lambda self: {**known(self), "of_tomorrow": 1})
    assert not unpadded.is_supported(network)


def test_a_block_of_another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _build(_CASES["bert"]).network
    block = network.transformer_layers[1]
    block.__class__ = type("Other", (type(block),), {})
    assert not unpadded.is_supported(network)


def test_equal_blocks_are_traced_once_and_called_otherwise_afterwards() -> None:
    encoder = _build(_CASES["bert"])
    blocks = encoder.network.transformer_layers
    source = encoder_modules.Source(encoder)
    specs = {name: tf.TensorSpec([None, None], tf.int32) for name in testing.INPUT_NAMES}

    def call(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return source.call_unpadded(inputs, first_token_only=True)["pooled_output"]

    with source.shared():
        before = [vars(block)["call"] for block in blocks]
        traced = tf.function(call, autograph=False).get_concrete_function(specs)
        assert [vars(block)["call"] for block in blocks] == before
    assert not any("call" in vars(block) for block in blocks)
    functions = traced.graph.as_graph_def().library.function
    names = [function.signature.name for function in functions]
    # All tokens of the first two blocks, the first tokens of the last.
    assert sum("layer_function" in name for name in names) == 2


def test_without_shared_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_sharing, "is_supported", lambda: False)
    encoder = _build(_CASES["bert"])
    inputs = _inputs(_CASES["bert"], _LENGTHS)
    expected = encoder(inputs, training=False)["pooled_output"]
    got = _unpadded(encoder, first_token_only=True)(inputs)["pooled_output"]
    np.testing.assert_allclose(got, expected, rtol=0, atol=comparison.LIMIT)


def test_gradients_are_the_source_s() -> None:
    encoder = _build(_CASES["bert"])
    inputs = _inputs(_CASES["bert"], _LENGTHS)
    variables = encoder.network.trainable_variables

    def gradients(call: Any) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(call(inputs)["pooled_output"] ** 2)
        return [tf.convert_to_tensor(value) for value in tape.gradient(loss, variables)]

    expected = gradients(lambda inputs: encoder(inputs, training=False))
    got = gradients(_unpadded(encoder, first_token_only=True))
    for variable, one, other in zip(variables, expected, got, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-4, err_msg=variable.name)
