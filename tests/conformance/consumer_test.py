"""Exports are used in fresh processes, moved, with all that they were made from out of reach."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from tests import testing
from tests.conformance import comparison, consumer, exports, goldens

_CASES = tuple(
    goldens.named(name)
    for name in ("bert", "bert_json", "albert", "funnel", "kernel", "mobilebert")
)
# Costs seconds each: one of layers that share a trace, and one of others.
_TRAINED = tuple(goldens.named(name) for name in ("bert", "mobilebert"))


@contextlib.contextmanager
def _out_of_reach(folder: pathlib.Path) -> Iterator[None]:
    """While open, nothing in a folder can be found by its path."""
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(folder)


def _prepare(export: exports.Export, folder: pathlib.Path) -> None:
    folder.mkdir()
    exports.copied(export.path, folder / "model")
    if export.case in _TRAINED:
        (folder / "train").touch()
    inputs = comparison.inputs(export.case, 6, 5)
    np.savez(folder / "inputs.npz", **inputs)
    if export.case.has_masked_lm:
        sequence_output = export.source(inputs)["sequence_output"]
        np.savez(folder / "mlm_inputs.npz", **comparison.with_positions(inputs, sequence_output))


@pytest.fixture(scope="module", name="outputs")
def _outputs(
    export_golden: exports.ExportCase, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """What a process for each version of Keras got from the exports."""
    folder, outputs = (tmp_path_factory.mktemp(name) for name in ("exports", "outputs"))
    for case in _CASES:
        export = export_golden(case)
        _prepare(export, folder / case.name)
    with _out_of_reach(export.path.parent.parent):
        for keras in consumer.WAYS:
            environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
            process = subprocess.run(
                [sys.executable, consumer.__file__, keras, str(folder), str(outputs)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert process.returncode == 0, process.stdout[-8000:]
    return outputs


def _read(outputs: pathlib.Path, case: testing.Case, way: str) -> dict[str, np.ndarray]:
    with np.load(outputs / f"{case.name}.{way}.npz") as arrays:
        return dict(arrays)


@goldens.each(_CASES)
@pytest.mark.parametrize(
    "way",
    [
        way
        for ways in consumer.WAYS.values()
        for way in ways
        if not way.endswith(("_mlm", "_training", "_strategy"))
    ],
)
def test_outputs(
    way: str, case: testing.Case, export_golden: exports.ExportCase, outputs: pathlib.Path
) -> None:
    expected = export_golden(case).source(comparison.inputs(case, 6, 5))
    got = _read(outputs, case, way)
    comparison.assert_same_outputs(expected, got)
    assert set(got) == set(comparison.flat(expected))


@goldens.each([case for case in _CASES if case.has_masked_lm])
@pytest.mark.parametrize("way", ["hub_load_mlm", "saved_model_cli_mlm", "tfsm_layer_mlm"])
def test_masked_lm(
    way: str, case: testing.Case, export_golden: exports.ExportCase, outputs: pathlib.Path
) -> None:
    source = export_golden(case).source
    inputs = comparison.inputs(case, 6, 5)
    expected = source(comparison.with_positions(inputs, source(inputs)["sequence_output"]))
    got = _read(outputs, case, way)
    comparison.assert_same_outputs(expected, got)
    assert set(got) == set(comparison.flat(expected))


@goldens.each(_CASES)
def test_replicas(
    case: testing.Case, export_golden: exports.ExportCase, outputs: pathlib.Path
) -> None:
    inputs = comparison.inputs(case, 6, 5)
    divided = {name: tf.concat([v[::2], v[1::2]], axis=0) for name, v in inputs.items()}
    expected = export_golden(case).source(divided)
    comparison.assert_same_outputs(expected, _read(outputs, case, "mirrored_strategy"))


@goldens.each(_TRAINED)
def test_training_on_replicas(
    case: testing.Case, export_golden: exports.ExportCase, outputs: pathlib.Path
) -> None:
    export = export_golden(case)
    inputs = comparison.inputs(case, 6, 5)
    variables = export.source.trainable_variables(with_mlm=False)
    with tf.GradientTape() as tape:
        pooled = export.source(inputs, training=True)["pooled_output"]
        loss = tf.reduce_sum(tf.square(pooled))
    gradients = tape.gradient(loss, variables)
    before = export.source(inputs)["pooled_output"]
    try:
        for variable, gradient in zip(variables, gradients, strict=True):
            dense = tf.convert_to_tensor(gradient)
            variable.assign_sub(consumer.LEARNING_RATE * dense)
        expected = export.source(inputs)
    finally:
        export.files.restore()
    assert np.max(np.abs(before - expected["pooled_output"])) > 0.01
    got = _read(outputs, case, "mirrored_strategy_training")
    comparison.assert_same_outputs(expected, got, limit=1e-4)


def test_signatures_as_the_command_line_shows_them(export_golden: exports.ExportCase) -> None:
    """`saved_model_cli show` names inputs and outputs as the dicts do."""
    export = export_golden(goldens.named("bert"))
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "show"]
    shown = subprocess.run(
        [*command, f"--dir={export.path}", "--tag_set=serve", "--signature_def=mlm"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in (*testing.INPUT_NAMES, testing.POSITIONS_NAME):
        assert f"inputs['{name}']" in shown
    inputs = comparison.inputs(export.case, 1, 1)
    outputs = export.source(
        comparison.with_positions(inputs, export.source(inputs)["sequence_output"])
    )
    for name in comparison.flat(outputs):
        assert f"outputs['{name}']" in shown
