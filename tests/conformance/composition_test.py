"""Exports are used inside of other things: datasets, functions, larger models."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from tests import testing
from tests.conformance import comparison, exports, goldens

# One of each kind of layers.
_CASES = tuple(
    goldens.named(name)
    for name in ("bert_dropout", "albert", "funnel", "kernel", "mobilebert", "reuse", "scaffold")
)


@goldens.each(_CASES)
def test_in_a_dataset(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)

    def call(inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        outputs = export.loaded(inputs)
        # Of a list, a dataset would make one tensor.
        return dict(outputs, encoder_outputs=tuple(outputs["encoder_outputs"]))

    batches = tf.data.Dataset.from_tensor_slices(comparison.inputs(case, 12, 5)).batch(3)
    results = batches.map(call, num_parallel_calls=4)
    assert len(results) == 4
    for inputs, outputs in zip(batches, results, strict=True):
        comparison.assert_same_outputs(export.source(inputs), outputs)


@goldens.each(_CASES)
def test_compiled_by_xla(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    compiled = tf.function(
        lambda inputs: export.loaded(inputs, training=False), jit_compile=True, autograph=False
    )
    inputs = comparison.inputs(case, 3, 5)
    comparison.assert_same_outputs(export.source(inputs), compiled(inputs), limit=2e-5)


class _Similarity(tf.Module):
    """A larger model."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.encoder = tf.saved_model.load(path)
        self.scale = tf.Variable(3.0)

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in testing.INPUT_NAMES}
        ]
    )
    def __call__(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Compares each row with the next: `[B]`."""
        pooled = self.encoder(inputs)["pooled_output"]
        return self.scale * tf.reduce_sum(pooled * tf.roll(pooled, -1, axis=0), axis=-1)


@goldens.each(_CASES)
def test_saved_again_in_a_module(
    case: testing.Case, export_golden: exports.ExportCase, tmp_path: pathlib.Path
) -> None:
    export = export_golden(case)
    first = exports.copied(export.path, tmp_path / "first")
    tf.saved_model.save(_Similarity(str(first)), str(tmp_path / "second"))
    first.rename(tmp_path / "deleted")
    again = tf.saved_model.load(str(tmp_path / "second"))

    inputs = comparison.inputs(case, 3, 5)
    expected = export.source(inputs)
    comparison.assert_same_outputs(expected, again.encoder(inputs))
    pooled = expected["pooled_output"].numpy()
    similarity = 3.0 * np.sum(pooled * np.roll(pooled, -1, axis=0), axis=-1)
    np.testing.assert_allclose(again(inputs), similarity, rtol=0, atol=1e-4)
    asset = getattr(again.encoder, "sp_model_file" if case.sentencepiece else "vocab_file")
    content = pathlib.Path(asset.asset_path.numpy().decode()).read_bytes()
    assert content == export.files.vocabulary.read_bytes()
    if case.has_masked_lm:
        inputs = comparison.with_positions(inputs, expected["sequence_output"])
        comparison.assert_same_outputs(export.source(inputs), again.encoder.mlm(inputs))


def test_saved_again_in_a_keras_model(
    export_golden: exports.ExportCase, tmp_path: pathlib.Path
) -> None:
    case = goldens.named("bert_dropout")
    export = export_golden(case)
    first = exports.copied(export.path, tmp_path / "first")
    tokens = {
        name: tf_keras.Input([None], dtype=tf.int32, name=name) for name in testing.INPUT_NAMES
    }
    outputs: dict[str, Any] = hub.KerasLayer(str(first), trainable=True, name="encoder")(tokens)
    model = tf_keras.Model(tokens, tf_keras.layers.Dense(2)(outputs["pooled_output"]))
    model.save(tmp_path / "second", save_format="tf")
    first.rename(tmp_path / "deleted")
    again = tf_keras.models.load_model(
        tmp_path / "second", custom_objects={"KerasLayer": hub.KerasLayer}
    )

    inputs = comparison.inputs(case, 3, 5)
    dense = model.layers[-1]
    expected = tf.matmul(export.source(inputs)["pooled_output"], dense.kernel) + dense.bias
    np.testing.assert_allclose(again(inputs), expected, rtol=0, atol=1e-5)
    assert len(again.trainable_variables) == len(export.loaded.trainable_variables) + 2
