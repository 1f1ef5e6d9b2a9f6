"""Where padding is said to make no difference it makes none."""

from __future__ import annotations

import gin
import numpy as np
import pytest
import tensorflow as tf

from exporter import encoders, findings, padding, settings
from tests import encoder_exports, testing
from tests.conformance import comparison, goldens

_CASES = {case.name: case for case in (*goldens.EXACT, *goldens.RARE, *goldens.GIN_BUILT)}
_IGNORED = (
    *("bert", "bert_norm_first", "bert_v2", "albert", "query_bert", "reuse", "xlnet"),
    *("scaffold", "talking_heads", "gated", "rezero", "pre_norm"),
    *("bigbird", "fnet", "sparse_mixer"),
)
_NOT_IGNORED = ("mobilebert", "mobilebert_bypass", "kernel", "funnel")


def _build(name: str) -> encoders.Encoder:
    gin.parse_config(_CASES[name].gin_bindings)
    encoder = encoders.build(encoder_exports.architecture(_CASES[name]), with_mlm=False)
    testing.fill(encoder.network.variables)
    return encoder


@pytest.mark.parametrize("name", _IGNORED)
def test_ignored(name: str) -> None:
    encoder = _build(name)
    assert padding.is_ignored(encoder)
    mask = tf.sequence_mask([8, 5, 1], 8, tf.int32)
    inputs = comparison.inputs(_CASES[name], 3, 8)
    inputs = {name: tensor * mask for name, tensor in inputs.items()} | {"input_mask": mask}
    rest = [[0, 0], [0, _CASES[name].max_length - 8]]
    padded = {name: tf.pad(tensor, rest) for name, tensor in inputs.items()}
    tokens = tf.cast(mask, tf.float32)[:, :, tf.newaxis]
    of_tokens, of_padded = (encoder(given, training=False) for given in (inputs, padded))
    limit = comparison.LIMIT
    for one, other in (
        (of_tokens["pooled_output"], of_padded["pooled_output"]),
        (of_tokens["sequence_output"] * tokens, of_padded["sequence_output"][:, :8] * tokens),
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=limit)


@pytest.mark.parametrize("name", _NOT_IGNORED)
def test_not_ignored(name: str) -> None:
    assert not padding.is_ignored(_build(name))


def test_layers_of_other_packages_may_do_anything() -> None:
    encoder = _build("bert_v2")
    block = encoder.network.transformer_layers[0]
    block.__class__ = type("Own", (type(block),), {"__module__": "my_package"})
    assert not padding.is_ignored(encoder)


def test_it_is_told() -> None:
    wanted = settings.TextEmbeddingSettings()
    encoder = _build("mobilebert")
    assert findings.text(padding.find(encoder, wanted)) == (
        "padding: the text embedding's texts are padded as preprocessing pads them, not to the "
        "longest in the batch, for this encoder's outputs depend on it or are not known not to\n"
    )
    assert padding.find(_build("bert"), wanted) == []
    assert padding.find(encoder, settings.TextEmbeddingSettings(pad_to_longest=False)) == []
