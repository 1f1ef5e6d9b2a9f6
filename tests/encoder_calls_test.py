"""Encoders that TF-NLP makes without a pooler, or for some lengths alone."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.nlp.configs import encoders as tfnlp_encoders
from official.nlp.modeling import models as tfnlp_models

from exporter import (
    checkpoints,
    encoder_calls,
    encoder_configs,
    encoders,
    errors,
    training_evidence,
)
from tests import encoder_exports, source_calls, testing
from tests.conformance import comparison, goldens

_XLNET = goldens.named("xlnet")
_BIGBIRD = goldens.named("bigbird")
# Rows padded behind, padded before, not at all, and all padding.
_MASK = [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]


def _build(
    case: testing.Case, pooled_output: str | None = None, *, filled: bool = True, **changes: Any
) -> encoders.Encoder:
    architecture = encoder_exports.architecture(goldens.with_config(case, **changes))
    architecture = dataclasses.replace(architecture, pooled_output=pooled_output)
    encoder = encoders.build(architecture, with_mlm=False)
    if filled:
        testing.fill(encoder.variables)
    return encoder


def _inputs(mask: list[list[int]]) -> dict[str, tf.Tensor]:
    masks = np.array(mask)
    ids = masks * np.arange(5, 5 + masks.size).reshape(masks.shape)
    arrays = (ids, masks, 0 * masks)
    return {
        name: tf.constant(array, tf.int32)
        for name, array in zip(encoder_calls.INPUT_NAMES, arrays, strict=True)
    }


def _without_pooler() -> dict[str, encoders.Encoder]:
    return {
        "xlnet": _build(_XLNET),
        "mobilebert": _build(goldens.named("mobilebert"), classifier_activation=False),
        "bigbird": _build(_BIGBIRD, use_gradient_checkpointing=True),
    }


class TestPooledOutput:
    @pytest.mark.parametrize(
        ("pooled_output", "expected"),
        [
            ("first_token", [[0], [0], [0], [0]]),
            ("mean", [[0, 1, 2], [2, 3, 4], [0, 1, 2, 3, 4], []]),
            ("last_token", [[2], [4], [4], [4]]),
            (None, [[2], [4], [4], [4]]),
        ],
    )
    def test_of_xlnet(self, pooled_output: str | None, expected: list[list[int]]) -> None:
        outputs = _build(_XLNET, pooled_output)(_inputs(_MASK), training=False)
        rows = zip(outputs["sequence_output"].numpy(), expected, strict=True)
        pooled = [row[chosen].mean(axis=0) if chosen else 0 * row[0] for row, chosen in rows]
        np.testing.assert_allclose(outputs["pooled_output"], pooled, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(outputs["default"], outputs["pooled_output"])

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("xlnet", "last_token"), ("mobilebert", "first_token"), ("bigbird", "first_token")],
    )
    def test_where_there_is_no_pooler(self, name: str, expected: str) -> None:
        encoder = _without_pooler()[name]
        assert encoder.pooler_layer is None
        assert encoder.architecture.pooled_output == expected
        outputs = encoder(_inputs(_MASK[:1]), training=False)
        position = 2 if expected == "last_token" else 0
        np.testing.assert_array_equal(
            outputs["pooled_output"], outputs["sequence_output"][:, position]
        )

    def test_of_a_mobilebert_is_its_own_unless_chosen(self) -> None:
        case, inputs = goldens.named("mobilebert"), _inputs(_MASK[:3])
        plain = _build(case, classifier_activation=False)
        raw = plain.network(inputs)["pooled_output"]
        np.testing.assert_array_equal(plain(inputs, training=False)["pooled_output"], raw)
        mean = _build(case, "mean", classifier_activation=False)(inputs, training=False)
        assert not np.allclose(mean["pooled_output"], raw)

    @pytest.mark.parametrize(
        "name", ["bert", "albert", "mobilebert", "fnet", "bigbird", "scaffold"]
    )
    def test_refused_where_there_is_a_pooler(self, name: str) -> None:
        case = goldens.named(name)
        with pytest.raises(errors.UserError) as raised:
            _build(case, "mean", filled=False)
        assert str(raised.value) == (
            "encoder.pooled_output is for encoders without a pooler. This one has its own, in "
            "place of which export.pooler may choose another.\n"
            f"  received: 'mean' for an encoder of type {case.type!r}\n"
            "  example:  export.pooler = @identity_pooler"
        )
        assert raised.value.setting == "encoder.pooled_output"


def test_the_report_says_that_no_pooler_was_trained(tmp_path: pathlib.Path) -> None:
    files = testing.write_files(_XLNET, tmp_path)
    encoder, restoration = encoder_exports.restoration(files.prefix, _XLNET, with_mlm=False)
    assert "pooler: the encoder has none: pooled_output is made by last_token " in "\n".join(
        str(finding) for finding in training_evidence.find(restoration, encoder)
    )


class TestXlnetsPreTraining:
    """Its queries' stream and its reversed batches are of no use elsewhere."""

    def test_what_it_leaves_is_restored(self, tmp_path: pathlib.Path) -> None:
        case = goldens.with_config(_XLNET, two_stream=True, bi_data=True)
        network = tfnlp_encoders.build_encoder(case.encoder_config())
        ids = tf.ones([2, 4], tf.int32)
        network(ids, segment_ids=ids, masked_tokens=tf.ones([2, 4]))
        testing.fill(network.variables)
        pretrainer = tfnlp_models.XLNetPretrainer(network)
        prefix = tf.train.Checkpoint(**pretrainer.checkpoint_items).write(f"{tmp_path}/ckpt")

        encoder, restoration = encoder_exports.restoration(prefix, case, with_mlm=False)
        assert "1 queries of XLNet's pre-training" in restoration.summary()
        checkpoint = checkpoints.read(prefix)
        reader = tf.train.load_checkpoint(prefix)
        for variable in encoder.variables:
            entry = restoration.entry(variable)
            (key,) = [key for key, other in checkpoint.entries.items() if other == entry]
            variable.assign(reader.get_tensor(key))
        plain = tfnlp_encoders.build_encoder(_XLNET.encoder_config())
        inputs = comparison.inputs(_XLNET, 3, 5)
        source_calls.call(plain, inputs)  # Makes the variables.
        status = tf.train.Checkpoint(encoder=plain).read(prefix)
        status.assert_existing_objects_matched()
        comparison.assert_same_outputs(
            source_calls.call(plain, inputs), encoder(inputs, training=False)
        )


class TestLengths:
    @pytest.mark.parametrize("name", ["bert", "funnel", "mobilebert", "fnet", "bigbird"])
    def test_too_long(self, name: str) -> None:
        case = goldens.named(name)
        encoder = _build(case)
        inputs = comparison.inputs(case, 2, case.max_length + 1)
        longest = case.max_length
        told = f"sequences may have at most {longest} tokens, received {longest + 1}"
        with pytest.raises(ValueError, match=told):
            encoder(inputs, training=False)

    def test_bigbird_takes_whole_blocks(self) -> None:
        """A table of 34 positions, of which blocks of 4 take 32."""
        encoder = _build(_BIGBIRD, max_position_embeddings=34)
        assert encoder.max_seq_length == 32
        inputs = comparison.inputs(_BIGBIRD, 3, 32)
        expected = encoder.network(inputs, training=False)
        got = encoder(inputs, training=False)
        comparison.assert_same_outputs(expected, got)
        with pytest.raises(ValueError, match="at most 32 tokens, received 33"):
            encoder(comparison.inputs(_BIGBIRD, 3, 33), training=False)

    def test_blocks_of_no_size(self) -> None:
        config = goldens.with_config(_BIGBIRD, block_size=0).encoder_config()
        architecture = encoder_configs.Architecture(config, None, "encoder.yaml")
        assert architecture.max_seq_length == 32
        with pytest.raises(errors.UserError, match="TF-NLP must be able to build the encoder"):
            encoders.build(architecture, with_mlm=False)


def test_gradient_checkpointing_of_one_encoder_leaves_others_alone() -> None:
    own = tf_keras.layers.Dropout
    _build(_BIGBIRD, filled=False, use_gradient_checkpointing=True)
    assert tf_keras.layers.Dropout is own
