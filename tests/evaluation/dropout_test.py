"""Dropout of two encoders: the rates in their graphs, and how far outputs are moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter.evaluation import dropout

_NAMES = ("output",)
_SHAPE = (16, 64)


def _encoder(drop: Callable[[tf.Tensor], tf.Tensor], *, batch: int = 32) -> dropout.Encoder:
    """An encoder of which nothing but dropout is left."""

    def call(inputs: Mapping[str, tf.Tensor], *, training: bool) -> dict[str, tf.Tensor]:
        given = inputs["given"]
        return {"output": drop(given) if training else given}

    tf.random.set_seed(None)  # With one, layers that share a function would drop the same units.
    random = np.random.default_rng(1)
    # Of examples that are very different in size.
    sizes = np.exp(2.0 * random.standard_normal([batch, 1, 1]))
    given = tf.constant(sizes * random.standard_normal([batch, *_SHAPE]), tf.float32)
    return dropout.encoder(call, _NAMES, {"given": given})


def _drop(rate: float) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda given: tf.nn.dropout(given, rate)


def _shared(rate: float, count: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Layers that share one function, as exports have them."""
    layer = tf.function(_drop(rate), input_signature=[tf.TensorSpec([None, *_SHAPE])])

    def call(given: tf.Tensor) -> tf.Tensor:
        for _ in range(count):
            given = layer(given)
        return given

    return call


def _rate_of_a_variable(given: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(given, tf.reduce_mean(given) * 0.0 + 0.1)


def _apart(given: tf.Tensor) -> tf.Tensor:
    """Three layers without a function of their own."""
    return _drop(0.1)(_drop(0.1)(_drop(0.1)(given)))


def _failed(ours: dropout.Encoder, theirs: dropout.Encoder) -> list[str]:
    return [check.name for check in dropout.compare(ours, theirs) if not check.passed]


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        (_drop(0.1), {0.1: 1}),
        (_shared(0.1, 3), {0.1: 3}),
        (lambda given: _drop(0.3)(_shared(0.1, 2)(given)), {0.1: 2, 0.3: 1}),
        (lambda given: tf.cast(_drop(0.1)(tf.cast(given, tf.bfloat16)), tf.float32), {0.1: 1}),
        (lambda given: tf.where(given >= 0.5, given, 0.0), {}),
        (_rate_of_a_variable, {None: 1}),
    ],
)
def test_rates_are_those_of_the_graph(drop: Any, expected: dict[float | None, int]) -> None:
    assert _encoder(drop).rates() == expected


@pytest.mark.parametrize("batch", [1, 32])
def test_equal_dropout_is_equal_whatever_is_drawn(batch: int) -> None:
    for _ in range(3):
        ours = _encoder(_apart, batch=batch)
        assert _failed(ours, _encoder(_shared(0.1, 3), batch=batch)) == []
    none = _encoder(tf.identity)
    assert _failed(none, none) == []


def test_other_dropout_is_told() -> None:
    ours = _encoder(_drop(0.1))
    both = [dropout.RATES, "dropout in output"]
    assert _failed(ours, _encoder(_drop(0.13))) == both
    assert _failed(ours, _encoder(tf.identity)) == both
    assert _failed(_encoder(tf.identity), ours) == both
    # Of no rate that is known, what it does is left to compare.
    assert _failed(ours, _encoder(_rate_of_a_variable)) == []
    # Rates are equal, but what is made of what is left is not.
    larger = _encoder(lambda given: given + 1.3 * (_drop(0.1)(given) - given))
    assert _failed(ours, larger) == ["dropout in output"]
    rates, spread = dropout.compare(ours, _encoder(_shared(0.1, 2)))
    assert rates.found == "0.1 in 2 places, not 0.1 in 1 places"
    assert spread.passed is False
