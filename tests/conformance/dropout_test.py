"""Dropout is active in training alone, and independent in each layer and call."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests import testing
from tests.conformance import comparison, exports, goldens


@goldens.each(goldens.WITH_DROPOUT)
def test_calls_differ_in_training(case: testing.Case, export_golden: exports.ExportCase) -> None:
    loaded = export_golden(case).loaded
    inputs = comparison.inputs(case, 3, 5)
    calls = [loaded]
    if case.has_masked_lm:
        inputs = comparison.with_positions(inputs, loaded(inputs)["sequence_output"])
        calls.append(loaded.mlm)
    for call in calls:
        given = {name: inputs[name] for name in testing.INPUT_NAMES} if call is loaded else inputs
        first, second = (comparison.flat(call(given, training=True)) for _ in range(2))
        for name, value in first.items():
            assert np.max(np.abs(value - second[name])) > 0.01, name


@goldens.each(goldens.WITH_DROPOUT)
def test_mean_in_training_is_near_inference(
    case: testing.Case, export_golden: exports.ExportCase
) -> None:
    """Dropout scales what it keeps: without that, or at another rate, the mean would be off."""
    export = export_golden(case)
    inputs = comparison.inputs(case, 2, 3)
    many = {name: tf.repeat(value[:1], 2000, axis=0) for name, value in inputs.items()}

    def mean(call: exports.Call) -> np.ndarray:
        return np.mean(call(many, training=True)["encoder_outputs"][0], axis=0)

    np.testing.assert_allclose(mean(export.loaded), mean(export.source), rtol=0, atol=0.15)


# What a layer's second dropout gets is this constant, so that its output shows what it kept.
_CONSTANT = 1000.0
_LAYERS = 4


def _masks(export: exports.Export, call: exports.Call) -> np.ndarray:
    """Returns for each layer which elements of `[L * B * D]` its last dropout kept."""
    inputs = comparison.inputs(export.case, 8, export.case.max_length)
    outputs = call(inputs, training=True)["encoder_outputs"]
    # After the norm, what is far above the row's mean was kept.
    return np.stack([(output.numpy() > 0).ravel() for output in outputs])


def _show_dropout(source: testing.Source) -> None:
    """Makes the layers' feed-forward parts constant."""
    for variable in source.network.variables:
        name = variable.name.removesuffix(":0")
        if name.endswith(("/output/bias", "/output_dense/bias")):
            variable.assign(tf.fill(variable.shape, _CONSTANT))
        elif name.endswith("/output/kernel"):
            variable.assign(tf.zeros_like(variable))
        elif name.endswith("/output_layer_norm/gamma"):
            variable.assign(tf.ones_like(variable))
        elif name.endswith("/output_layer_norm/beta"):
            variable.assign(tf.zeros_like(variable))


@pytest.mark.parametrize("seed", [None, 7], ids=["unseeded", "seeded"])
@pytest.mark.parametrize("name", ["bert_dropout", "albert_dropout"])
def test_layers_drop_independently(name: str, seed: int | None, tmp_path: pathlib.Path) -> None:
    """Equal layers share a trace, and must not share what is random in it.

    A process that has set TensorFlow's global seed writes seeds into what it traces.
    """
    case = goldens.with_config(
        goldens.named(name), num_layers=_LAYERS, dropout_rate=0.5, attention_dropout_rate=0.0
    )
    files = testing.write_files(case, tmp_path / "source", change=_show_dropout)
    tf.random.set_seed(seed)
    try:
        path = exports.run(files, tmp_path / "export")
    finally:
        tf.random.set_seed(None)
    export = exports.Export(case, files, path)
    masks = _masks(export, export.loaded)

    assert masks.shape[0] == _LAYERS
    np.testing.assert_allclose(masks.mean(axis=1), 0.5, atol=0.1)
    for i in range(_LAYERS):
        for j in range(i):
            same = float(np.mean(masks[i] == masks[j]))
            assert abs(same - 0.5) < 0.1, f"layers {i} and {j} agree on {same:.0%}"
    again = _masks(export, export.loaded)
    assert abs(float(np.mean(masks == again)) - 0.5) < 0.1
