"""The values that each choice gives to a real Keras layer, and the choices as gin makes them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gin
import numpy as np
import pytest
import tf_keras

from exporter import errors, poolers


@pytest.fixture(name="layer")
def _layer() -> tf_keras.layers.Dense:
    """A pooler, `[4, 4]`, whose values are all 7."""
    layer = tf_keras.layers.Dense(4, activation="tanh", kernel_initializer="ones")
    layer.build([None, 4])
    for variable in layer.variables:
        variable.assign(np.full(variable.shape, 7.0))
    return layer


def _kernel(layer: tf_keras.layers.Dense, **arguments: Any) -> np.ndarray:
    """Returns the kernel that `initialized_pooler` gives, and checks that the bias is zero."""
    poolers.initialized_pooler(**arguments).initialize(layer)
    np.testing.assert_array_equal(layer.bias, np.zeros(4))
    return layer.kernel.numpy()


def test_restored_pooler_leaves_the_layer_alone(layer: tf_keras.layers.Dense) -> None:
    pooler = poolers.restored_pooler()
    pooler.initialize(layer)
    assert pooler == poolers.Pooler("restored_pooler")
    np.testing.assert_array_equal(layer.kernel, np.full([4, 4], 7.0))


def test_next_sentence_pooler_names_the_head_in_the_checkpoint(
    layer: tf_keras.layers.Dense,
) -> None:
    pooler = poolers.next_sentence_pooler()
    pooler.initialize(layer)
    assert pooler.checkpoint_item == "next_sentence.pooler_dense"
    assert poolers.next_sentence_pooler("sop").checkpoint_item == "sop.pooler_dense"
    np.testing.assert_array_equal(layer.kernel, np.full([4, 4], 7.0))


def test_identity_pooler(layer: tf_keras.layers.Dense) -> None:
    poolers.identity_pooler().initialize(layer)
    np.testing.assert_array_equal(layer.kernel, np.eye(4))
    np.testing.assert_array_equal(layer.bias, np.zeros(4))
    inputs = np.float32([[0.1, -2.0, 0.0, 3.0]])
    np.testing.assert_allclose(layer(inputs), np.tanh(inputs), rtol=1e-6)


class TestInitializedPooler:
    def test_default(self, layer: tf_keras.layers.Dense) -> None:
        expected = tf_keras.initializers.TruncatedNormal(seed=0)([4, 4])
        np.testing.assert_array_equal(_kernel(layer), expected)

    def test_the_same_in_each_export(self, layer: tf_keras.layers.Dense) -> None:
        first = _kernel(layer, seed=3)
        np.testing.assert_array_equal(_kernel(layer, seed=3), first)
        assert np.any(_kernel(layer, seed=4) != first)

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"initializer": "zeros"}, np.zeros([4, 4])),
            ({"initializer": "identity", "config": {"gain": 2.0}}, 2 * np.eye(4)),
            ({"initializer": tf_keras.initializers.Constant(3.0)}, np.full([4, 4], 3.0)),
            ({"initializer": lambda shape: np.full(shape, 0.5)}, np.full([4, 4], 0.5)),
        ],
    )
    def test_other_initializers(
        self, layer: tf_keras.layers.Dense, arguments: dict[str, Any], expected: np.ndarray
    ) -> None:
        np.testing.assert_array_equal(_kernel(layer, **arguments), expected)

    def test_arguments_of_an_initializer(self, layer: tf_keras.layers.Dense) -> None:
        config = {"mean": 5.0, "stddev": 0.02}
        got = _kernel(layer, initializer="RandomNormal", config=config, seed=2)
        expected = tf_keras.initializers.RandomNormal(mean=5.0, stddev=0.02, seed=2)([4, 4])
        np.testing.assert_array_equal(got, expected)

    def test_a_seed_among_the_arguments_wins(self, layer: tf_keras.layers.Dense) -> None:
        got = _kernel(layer, config={"seed": 5}, seed=2)
        np.testing.assert_array_equal(got, _kernel(layer, seed=5))

    @pytest.mark.parametrize(
        ("arguments", "received", "setting"),
        [
            (
                {"initializer": "truncated"},
                "'truncated': Unknown initializer: 'truncated'",
                "initialized_pooler.initializer",
            ),
            (
                {"initializer": 3},
                "3: 'int' object is not callable",
                "initialized_pooler.initializer",
            ),
            (
                {"config": {"stdev": 0.02}},
                "'truncated_normal' with {'stdev': 0.02}: ",
                "initialized_pooler.config",
            ),
            (
                {"initializer": "orthogonal", "config": {"gain": "big"}},
                "'orthogonal' with {'gain': 'big'}: ",
                "initialized_pooler.config",
            ),
            (
                {"initializer": lambda shape: np.zeros(7)},
                "values of shape (7,) for a kernel of shape (4, 4)",
                "initialized_pooler.initializer",
            ),
        ],
    )
    def test_mistakes(
        self,
        layer: tf_keras.layers.Dense,
        arguments: dict[str, Any],
        received: str,
        setting: str,
    ) -> None:
        with pytest.raises(errors.UserError) as raised:
            _kernel(layer, **arguments)
        assert raised.value.rule == (
            "initialized_pooler needs an initializer of Keras, and arguments that it has."
        )
        assert received in (raised.value.received or "")
        assert raised.value.example == (
            "initialized_pooler.initializer = 'truncated_normal' and "
            "initialized_pooler.config = {'stddev': 0.02}"
        )
        assert raised.value.setting == setting
        np.testing.assert_array_equal(layer.kernel, np.full([4, 4], 7.0))


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("exporter.next_sentence_pooler.head = 'sop'", "sop.pooler_dense"),
        ("next_sentence_pooler.head = 'sop'", "sop.pooler_dense"),
    ],
)
def test_gin_binds_the_head(binding: str, expected: str) -> None:
    gin.parse_config(binding)
    assert poolers.next_sentence_pooler().checkpoint_item == expected


def test_gin_binds_the_initializer(layer: tf_keras.layers.Dense) -> None:
    gin.parse_config(
        """
        initialized_pooler.initializer = "RandomUniform"
        initialized_pooler.config = {"minval": 2.0, "maxval": 3.0}
        """
    )
    kernel = _kernel(layer)
    assert np.all((kernel >= 2.0) & (kernel <= 3.0))


def test_importing_them_does_not_import_tensorflow() -> None:
    program = "import sys; from exporter import poolers; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
