"""What is drawn in Python and in a SavedModel is the same, each time."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from exporter import loaded_models, repeated_draws
from tests import encoder_exports, testing

_DRAWS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "dropout": lambda x: tf.nn.dropout(x, 0.5),
    "Keras's dropout": lambda x: tf_keras.layers.Dropout(0.5)(x, training=True),
    "dropout in half precision": lambda x: tf.nn.dropout(tf.cast(x, tf.bfloat16), 0.5),
    "uniform": lambda x: tf.random.uniform(tf.shape(x), 0.9, 1.1),
    "normal": lambda x: tf.random.normal(tf.shape(x)),
    "truncated normal": lambda x: tf.random.truncated_normal(tf.shape(x)),
    "integers": lambda x: tf.random.uniform(tf.shape(x), 0, 999, tf.int32),
    "stateless": lambda x: tf.random.stateless_uniform(tf.shape(x), [1, 2]),
    "stateless integers": lambda x: tf.random.stateless_uniform(
        tf.shape(x), [1, 2], 0, 999, tf.int32
    ),
    "a generator's": lambda x: tf.random.get_global_generator().normal(tf.shape(x)),
    "dropout by a generator": lambda x: tf.nn.experimental.stateless_dropout(
        x, 0.5, tf.random.get_global_generator().make_seeds(1)[:, 0]
    ),
}
_INPUT = tf.ones([3, 50])


def _values(tensor: tf.Tensor) -> np.ndarray:
    return np.asarray(tf.cast(tensor, tf.float64))


@pytest.fixture(name="saved", scope="module")
def _saved(tmp_path_factory: pytest.TempPathFactory) -> loaded_models.Model:
    """A SavedModel of all that is drawn."""
    module = tf.Module()
    module.generator = tf.random.get_global_generator()

    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        # In functions of their own, too, which layers that share a trace are.
        inner = {
            name: tf.function(draw, autograph=False) if "in" in name else draw
            for name, draw in _DRAWS.items()
        }
        return {name: draw(x) for name, draw in inner.items()}

    spec = tf.TensorSpec([None, None], tf.float32)
    module.draw = tf.function(call, autograph=False, input_signature=[spec])
    path = str(tmp_path_factory.mktemp("drawing") / "saved")
    tf.saved_model.save(module, path)
    return loaded_models.Model("drawing", path, loaded_models.ENCODER, tf.saved_model.load(path))


@pytest.mark.parametrize("name", _DRAWS)
def test_python_repeats(name: str) -> None:
    draw = _DRAWS[name]
    with repeated_draws.in_python():
        first, second = (_values(draw(_INPUT)) for _ in range(2))
        traced = _values(tf.function(draw, autograph=False)(_INPUT))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, traced)
    assert len(np.unique(first)) > 1
    if "stateless" not in name:
        assert np.any(_values(draw(_INPUT)) != _values(draw(_INPUT)))  # As it was.


def test_saved_models_draw_what_python_draws(saved: loaded_models.Model) -> None:
    repeated = repeated_draws.of(saved)
    first, second = (repeated.loaded.draw(_INPUT) for _ in range(2))
    with repeated_draws.in_python():
        expected = {name: draw(_INPUT) for name, draw in _DRAWS.items()}
    for name, value in expected.items():
        np.testing.assert_array_equal(_values(first[name]), _values(value), err_msg=name)
        np.testing.assert_array_equal(_values(second[name]), _values(value), err_msg=name)
    own = [saved.loaded.draw(_INPUT)["dropout"] for _ in range(2)]
    assert np.any(_values(own[0]) != _values(own[1]))  # As it was.


def test_dropout_is_that_of_its_rate() -> None:
    ones = tf.ones([100, 100])
    with repeated_draws.in_python():
        dropped = {rate: tf.nn.dropout(ones, rate).numpy() for rate in (0.1, 0.4)}
    for rate, values in dropped.items():
        assert abs(np.mean(values == 0.0) - rate) < 0.02
        np.testing.assert_allclose(values[values != 0.0], 1 / (1 - rate), rtol=1e-6)


def test_what_draws_nothing_is_not_copied(tmp_path: pathlib.Path) -> None:
    rates = {"dropout_rate": 0.0, "attention_dropout_rate": 0.0}
    case = encoder_exports.with_config(encoder_exports.BERT, num_layers=1, **rates)
    files = testing.write_files(case, tmp_path / "source")
    path = encoder_exports.make(files, with_mlm=False).write(tmp_path / "export")
    model = loaded_models.load(path)
    assert repeated_draws.of(model) is model
