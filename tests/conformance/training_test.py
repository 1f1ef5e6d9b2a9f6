"""An export is trained as its source is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from tests import testing
from tests.conformance import comparison, exports, goldens

# One of layers that share a trace, one whose layers share their weights, and one of neither.
_FINE_TUNED = tuple(goldens.named(name) for name in ("bert", "albert", "mobilebert"))
_LEARNING_RATE = 0.05


def _weighted_sum(outputs: Mapping[str, Any]) -> tf.Tensor:
    """A scalar in which every number of every output has a weight of its own."""
    total = tf.constant(0.0)
    for name in sorted(outputs):
        for output in tf.nest.flatten(outputs[name]):
            counter = tf.range(tf.size(output), dtype=tf.float32)
            weights = tf.reshape(tf.cos(1.0 + counter**1.5), tf.shape(output))
            total += tf.reduce_sum(weights * output)
    return total


def _gradients(
    call: exports.Call,
    variables: Sequence[tf.Variable],
    inputs: Mapping[str, tf.Tensor],
    training: bool,
) -> list[np.ndarray | None]:
    with tf.GradientTape() as tape:
        outputs = call(inputs, training=training)
        loss = _weighted_sum({name: outputs[name] for name in comparison.interface(outputs)})
    gradients = tape.gradient(loss, variables)
    return [
        None if value is None else np.asarray(tf.convert_to_tensor(value)) for value in gradients
    ]


def _assert_same_gradients(export: exports.Export, *, training: bool) -> None:
    inputs = comparison.inputs(export.case, 3, 7)
    loaded = export.loaded
    if export.case.has_masked_lm:
        outputs = export.source(inputs)
        inputs = comparison.with_positions(inputs, outputs["sequence_output"])
        loaded = loaded.mlm
    variables = export.source.trainable_variables(with_mlm=export.case.has_masked_lm)
    expected = _gradients(export.source, variables, inputs, training)
    got = _gradients(loaded, loaded.trainable_variables, inputs, training)
    for variable, ours, theirs in zip(variables, got, expected, strict=True):
        assert (ours is None) == (theirs is None), variable.name
        if theirs is not None:
            limit = 2e-5 * max(1.0, float(np.max(np.abs(theirs))))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=limit, err_msg=variable.name)


@goldens.each(goldens.WITH_DROPOUT)
def test_gradients_in_inference(case: testing.Case, export_golden: exports.ExportCase) -> None:
    _assert_same_gradients(export_golden(case), training=False)


@goldens.each(goldens.EXACT)
def test_gradients_in_training(case: testing.Case, export_golden: exports.ExportCase) -> None:
    _assert_same_gradients(export_golden(case), training=True)


class _Classifier:
    """Logits from an encoder's pooled output, and training by gradient descent."""

    def __init__(self, call: exports.Call, variables: Sequence[tf.Variable], width: int) -> None:
        self._call = call
        kernel = np.cos(np.arange(2 * width, dtype=np.float32)).reshape(width, 2)
        self._kernel = tf.Variable(kernel)
        self._variables = [*variables, self._kernel]

    def step(self, inputs: Mapping[str, tf.Tensor], labels: tf.Tensor) -> float:
        """Trains on a batch and returns the loss before."""
        with tf.GradientTape() as tape:
            pooled = self._call(inputs, training=True)["pooled_output"]
            logits = tf.matmul(pooled, self._kernel)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self._variables)
        for variable, gradient in zip(self._variables, gradients, strict=True):
            if gradient is not None:
                dense = tf.convert_to_tensor(gradient)
                variable.assign_sub(_LEARNING_RATE * dense)
        return float(loss)


def _batches(case: testing.Case) -> list[tuple[dict[str, tf.Tensor], tf.Tensor]]:
    """Batches of all positions and types, so that every embedding is trained."""
    return [(comparison.inputs(case, 8, case.max_length), tf.constant([0, 1] * 4))] * 4


def _assert_trained_alike(
    expected: Sequence[tf.Variable], got: Sequence[tf.Variable], before: Sequence[np.ndarray]
) -> None:
    for theirs, ours, start in zip(expected, got, before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5, err_msg=theirs.name)
        moved = np.max(np.abs(theirs.numpy() - start))
        # What is added to all keys changes no attention: their biases stay.
        assert moved > 1e-5 or "key/bias" in theirs.name, theirs.name


@goldens.each(_FINE_TUNED)
def test_fine_tuning(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    loaded = tf.saved_model.load(str(export.path))
    width = case.get("hidden_size")
    variables = export.source.trainable_variables(with_mlm=False)
    before = [variable.numpy() for variable in variables]
    source = _Classifier(export.source, variables, width)
    tuned = _Classifier(loaded, loaded.trainable_variables, width)
    try:
        expected = [source.step(*batch) for batch in _batches(case)]
        got = [tuned.step(*batch) for batch in _batches(case)]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
        assert got[-1] < got[0] - 1e-3
        _assert_trained_alike(variables, loaded.trainable_variables, before)
    finally:
        export.files.restore()


def _keras_model(encoder: tf_keras.layers.Layer) -> tf_keras.Model:
    inputs = {
        name: tf_keras.Input([None], dtype=tf.int32, name=name) for name in testing.INPUT_NAMES
    }
    pooled = encoder(inputs)["pooled_output"]
    initializer = tf_keras.initializers.TruncatedNormal(stddev=0.5, seed=1)
    logits = tf_keras.layers.Dense(2, kernel_initializer=initializer)(pooled)
    model = tf_keras.Model(inputs, logits)
    model.compile(
        tf_keras.optimizers.legacy.SGD(_LEARNING_RATE),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


@goldens.each(_FINE_TUNED[:2])
def test_fine_tuning_as_keras_layer(case: testing.Case, export_golden: exports.ExportCase) -> None:
    export = export_golden(case)
    layer = hub.KerasLayer(str(export.path), trainable=True)
    variables = export.source.trainable_variables(with_mlm=False)
    before = [variable.numpy() for variable in variables]
    assert len(layer.trainable_weights) == len(variables)
    ((inputs, labels), *_) = _batches(case)
    data = tf.data.Dataset.from_tensors((inputs, labels)).repeat(4)
    try:
        expected = [
            _keras_model(encoder).fit(data, epochs=2, verbose=0).history["loss"]
            for encoder in (export.source.network, layer)
        ]
        np.testing.assert_allclose(expected[1], expected[0], rtol=0, atol=1e-5)
        assert expected[1][1] < expected[1][0] - 1e-3
        _assert_trained_alike(variables, layer.trainable_weights, before)
    finally:
        export.files.restore()


def test_keras_layer_is_frozen_unless_asked(export_golden: exports.ExportCase) -> None:
    export = export_golden(goldens.named("bert_dropout"))
    layer = hub.KerasLayer(str(export.path))
    assert layer.trainable_weights == []
    inputs = comparison.inputs(export.case, 3, 5)
    comparison.assert_same_outputs(export.source(inputs), layer(inputs, training=False))


def test_no_regularization_losses(export_golden: exports.ExportCase) -> None:
    loaded = export_golden(goldens.named("bert")).loaded
    assert list(loaded.regularization_losses) == []
    assert list(loaded.mlm.regularization_losses) == []


_REGULARIZERS = """
import gin
import tf_keras

gin.external_configurable(tf_keras.regularizers.L2, name="L2", module="regularizers_of_ours")
"""


def test_regularization_losses(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "regularizers_of_ours.py").write_text(_REGULARIZERS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    export = exports.export(goldens.REGULARIZED, tmp_path)
    losses = export.loaded.regularization_losses
    variables = export.source.trainable_variables(with_mlm=False)
    with tf.GradientTape() as tape:
        expected = tf.add_n(export.source.network.losses)
    expected_gradients = tape.gradient(expected, variables)
    with tf.GradientTape() as tape:
        got = tf.add_n([loss() for loss in losses])
    gradients = tape.gradient(got, export.loaded.trainable_variables)

    assert len(losses) == len(export.source.network.losses) > 0
    assert float(got) == pytest.approx(float(expected), rel=1e-6)
    assert len(export.loaded.mlm.regularization_losses) == len(losses)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    layer = hub.KerasLayer(str(export.path), trainable=True)
    assert float(tf.add_n(layer.losses)) == pytest.approx(float(expected), rel=1e-6)
