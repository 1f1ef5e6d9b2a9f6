"""Each choice of a pooler gives the `pooled_output` that it promises."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conformance import comparison, exports, goldens

# AlbertEncoder has its pooler elsewhere than the others.
names = pytest.mark.parametrize("name", ["bert", "albert"])


def _pooled(export: exports.Export, folder: pathlib.Path, *flags: str) -> dict[str, Any]:
    """Exports anew and returns what comes out, its pooler's kernel and bias, and an expectation.

    All but the pooled output must be the source's.
    """
    loaded = tf.saved_model.load(str(exports.run(export.files, folder, *flags)))
    inputs = comparison.inputs(export.case, 3, 5)
    outputs, expected = loaded(inputs), export.source(inputs)
    for name in ("sequence_output", "encoder_outputs"):
        comparison.assert_same_outputs({name: expected[name]}, {name: outputs[name]})
    first_tokens = expected["sequence_output"][:, 0]
    named = {variable.name: variable for variable in loaded.variables}
    kernel = next(v for name, v in named.items() if name.endswith("pooler_transform/kernel:0"))
    bias = next(v for name, v in named.items() if name.endswith("pooler_transform/bias:0"))
    comparison.assert_same_outputs(
        {"pooled_output": tf.tanh(first_tokens @ kernel + bias)}, outputs
    )
    comparison.assert_same_outputs({"default": outputs["pooled_output"]}, outputs, limit=0)
    return {"kernel": kernel.numpy(), "bias": bias.numpy()}


@names
def test_next_sentence(
    name: str, export_golden: exports.ExportCase, tmp_path: pathlib.Path
) -> None:
    export = export_golden(goldens.named(name))
    pooler = _pooled(export, tmp_path / "export", "--copy_pooler_dense_to_encoder")
    head = export.source.next_sentence.dense
    np.testing.assert_array_equal(pooler["kernel"], head.kernel)
    np.testing.assert_array_equal(pooler["bias"], head.bias)


@names
def test_restored(name: str, export_golden: exports.ExportCase, tmp_path: pathlib.Path) -> None:
    export = export_golden(goldens.named(name))
    flag = "--gin_params=export.pooler = @restored_pooler"
    pooler = _pooled(export, tmp_path / "export", flag)
    head = export.source.next_sentence.dense
    assert not np.array_equal(pooler["kernel"], head.kernel)
    inputs = comparison.inputs(export.case, 3, 5)
    comparison.assert_same_outputs(export.source(inputs), export.loaded(inputs))


@names
def test_identity(name: str, export_golden: exports.ExportCase, tmp_path: pathlib.Path) -> None:
    export = export_golden(goldens.named(name))
    flag = "--gin_params=export.pooler = @identity_pooler"
    pooler = _pooled(export, tmp_path / "export", flag)
    np.testing.assert_array_equal(pooler["kernel"], np.eye(8))
    np.testing.assert_array_equal(pooler["bias"], np.zeros(8))


def test_initialized(export_golden: exports.ExportCase, tmp_path: pathlib.Path) -> None:
    export = export_golden(goldens.named("bert"))
    flags = [
        "--gin_params=export.pooler = @initialized_pooler",
        "--gin_params=initialized_pooler.initializer = 'random_uniform'",
        "--gin_params=initialized_pooler.config = {'minval': 2.0, 'maxval': 3.0}",
    ]
    first, second, other = (
        _pooled(export, tmp_path / folder, *flags, f"--gin_params=initialized_pooler.seed = {seed}")
        for folder, seed in (("first", 1), ("second", 1), ("other", 2))
    )
    np.testing.assert_array_equal(first["kernel"], second["kernel"])
    assert not np.array_equal(first["kernel"], other["kernel"])
    assert np.all((first["kernel"] >= 2.0) & (first["kernel"] < 3.0))
    expected = tf_keras.initializers.RandomUniform(2.0, 3.0, seed=1)((8, 8))
    np.testing.assert_array_equal(first["kernel"], expected)
    np.testing.assert_array_equal(first["bias"], np.zeros(8))
