"""Compares encoders in training with where they came from: dropout, gradients, regularization."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter import (
    comparison,
    contracts,
    encoder_batches,
    encoder_calls,
    encoder_reference,
    encoders,
    loaded_models,
    repeated_draws,
    reports,
)
from exporter.contracts_of_calls import LOGITS_NAME, OUTPUT_NAMES

_DROPOUT = "dropout in training"
_RATES = "dropout rates, where there is dropout, and what else the call for training does"
_GRADIENTS = "tf.stop_gradient, copies of variables, and what the calls compute"
_REGULARIZATION = "kernel_regularizer and the like, and what is put on the list"
_LENGTHS = (50, 128)
# They are sums over all layers and tokens, in another order in graphs than in Python.
_TOLERANCE_OF_GRADIENTS = 10.0
_UNREPEATED = "the source draws random numbers that cannot be repeated"
# Outputs of which gradients are compared, each alone: another one's would hide that it has none.
_ROOT = tuple(name for name in OUTPUT_NAMES if name != "default")


def check(source: encoders.Encoder, model: loaded_models.Model) -> list[reports.Check]:
    """Compares what matters to fine-tuning.

    Args:
      source: What it was made from; its variables have their values.
      model: The encoder.

    Returns:
      The checks.
    """
    checks = [*gradients(source, model, training=False), *dropout(source, model)]
    with repeated_draws.in_python():
        inputs = _usual(source)
        if _differ(*(source(inputs, training=True) for _ in range(2))):
            return [*checks, reports.Check("outputs in training", None, _UNREPEATED)]
        repeated = repeated_draws.of(model)
        checks += outputs(source, repeated)
        checks += gradients(source, repeated, training=True)
    return [*checks, *regularization(source, model)]


def _usual(source: encoders.Encoder) -> loaded_models.Inputs:
    return encoder_batches.of_length(source, encoder_batches.usual_length(source))


def dropout(source: encoders.Encoder, model: loaded_models.Model) -> Iterator[reports.Check]:
    """Checks that dropout is active, if it is in the source."""
    inputs = _usual(source)
    if _differ(*(source(inputs, training=True) for _ in range(2))):
        yield contracts.attempt(_DROPOUT, lambda: _active(model, inputs))


def outputs(source: encoders.Encoder, model: loaded_models.Model) -> Iterator[reports.Check]:
    """Compares outputs in training, where both repeat what they draw."""
    usual = encoder_batches.usual_length(source)
    yield from _outputs(f"at length {usual}", source, model, _usual(source))
    others = {min(length, source.max_seq_length or length) for length in _LENGTHS} - {usual}
    for length in sorted(others):
        inputs = encoder_batches.short(source, length)
        yield from _outputs(f"at length {length}", source, model, inputs)


def _active(model: loaded_models.Model, inputs: loaded_models.Inputs) -> reports.Check:
    active = _differ(*(model.loaded(inputs, training=True) for _ in range(2)))
    found = "active" if active else "inactive"
    return reports.Check(_DROPOUT, active, found, look_at="dropout rates")


def _differ(first: dict[str, Any], second: dict[str, Any]) -> bool:
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return any(bool(tf.reduce_any(one != other)) for one, other in pairs)


def _outputs(
    batch: str,
    source: encoders.Encoder,
    model: loaded_models.Model,
    inputs: loaded_models.Inputs,
) -> Iterator[reports.Check]:
    expected = encoder_reference.outputs(source, inputs, training=True)
    yield _compared(
        f"outputs in training {batch}",
        expected.encoder,
        lambda: model.loaded(inputs, training=True),
    )
    if expected.mlm is not None:
        masked = {**inputs, encoder_calls.POSITIONS_NAME: expected.positions}
        yield _compared(
            f"mlm outputs in training {batch}",
            expected.mlm,
            lambda: encoder_reference.with_default(model.loaded.mlm(masked, training=True)),
        )


def _compared(
    name: str, expected: dict[str, Any], call: Callable[[], dict[str, Any]]
) -> reports.Check:
    return contracts.attempt(
        name, lambda: comparison.compare(name, expected, call(), look_at=_RATES)
    )


def gradients(
    source: encoders.Encoder, model: loaded_models.Model, *, training: bool
) -> Iterator[reports.Check]:
    """Compares the gradients of each output alone.

    Args:
      source: What it was made from; its variables have their values.
      model: The encoder.
      training: Whether in training, where both must repeat what they draw.
    """
    inputs = _usual(source)
    where = " in training" if training else ""
    loaded = model.loaded
    with tf.GradientTape(persistent=True) as tape:
        made = encoder_reference.outputs(source, inputs, training=training)
        found = made.mlm or made.encoder
        # Of `.mlm`, the gradients in training alone: to find them takes longer than all else.
        names = (*_ROOT, LOGITS_NAME) if training else _ROOT
        losses = {name: _loss(found[name]) for name in names if name in found}
    root = _Part(lambda: loaded(inputs, training=training), lambda: loaded.trainable_variables)
    masked = {**inputs, encoder_calls.POSITIONS_NAME: made.positions}
    mlm = _Part(
        lambda: loaded.mlm(masked, training=training), lambda: loaded.mlm.trainable_variables
    )
    for name, loss in losses.items():
        part, variables = root, source.network.trainable_variables
        if name == LOGITS_NAME:
            part, variables = mlm, source.mlm_trainable_variables
        expected = _dense(tape.gradient(loss, variables), variables)
        check = f"gradients of {name}{where}"
        compare = functools.partial(_same_gradients, check, variables, expected)
        yield contracts.attempt(check, functools.partial(_called, compare, part, name))


def _called(
    compare: Callable[[list[tf.Tensor]], reports.Check], part: _Part, name: str
) -> reports.Check:
    return compare(part.gradients(name))


@dataclasses.dataclass(frozen=True)
class _Part:
    """An export's root or its `.mlm`.

    Attributes:
      call: Returns its outputs.
      variables: Returns those to be trained.
    """

    call: Callable[[], dict[str, Any]]
    variables: Callable[[], Sequence[tf.Variable]]

    def gradients(self, name: str) -> list[tf.Tensor]:
        """Returns those of an output alone, for each trainable variable."""
        # One that is used more than once would make TensorFlow build gradients of gradients.
        with tf.GradientTape() as tape:
            loss = _loss(self.call()[name])
        variables = list(self.variables())
        return _dense(tape.gradient(loss, variables), variables)


def _loss(output: Any) -> tf.Tensor:
    """A sum in which each number has a weight of its own."""
    total = tf.constant(0.0)
    for part in tf.nest.flatten(output):
        counter = tf.range(tf.size(part), dtype=tf.float32)
        weights = tf.reshape(tf.cos(1.0 + counter), tf.shape(part))
        total += tf.reduce_sum(weights * tf.cast(part, tf.float32))
    return total


def _dense(gradients: Sequence[Any], variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """Returns gradients as tensors: of what a loss does not depend on, some calls say zero."""
    return [
        tf.zeros(variable.shape, variable.dtype) if value is None else tf.convert_to_tensor(value)
        for value, variable in zip(gradients, variables, strict=True)
    ]


def _same_gradients(
    name: str,
    variables: Sequence[tf.Variable],
    expected: list[tf.Tensor],
    got: list[tf.Tensor],
) -> reports.Check:
    """Compares gradients relative to the largest of all, which may be far from one."""
    if len(expected) != len(got):
        found = f"of {len(got)} variables, not of {len(expected)}"
        return reports.Check(name, False, found, look_at=_GRADIENTS)
    largest = max((float(np.max(np.abs(value), initial=0.0)) for value in expected), default=0.0)
    names = _names(variables)
    for values in (expected, got):  # In place: they are as large as the encoder.
        for index, value in enumerate(values):
            values[index] = value / (largest or 1.0)
    ours, theirs = (dict(zip(names, values, strict=True)) for values in (expected, got))
    return comparison.compare(
        name, ours, theirs, look_at=_GRADIENTS, tolerance=_TOLERANCE_OF_GRADIENTS
    )


def _names(variables: Sequence[tf.Variable]) -> list[str]:
    """Returns a name for each variable, of which several may have the same."""
    names: list[str] = []
    for variable in variables:
        name = variable.name.partition(":")[0]
        names.append(f"{name} ({len(names)})" if name in names else name)
    return names


def regularization(source: encoders.Encoder, model: loaded_models.Model) -> Iterator[reports.Check]:
    """Compares the losses that depend on variables alone, in whatever order they are."""
    layers, loaded = source.network.submodules, model.loaded
    # Keras keeps those apart from the losses of its latest call.
    losses = [loss() for layer in layers for loss in getattr(layer, "_callable_losses", ())]
    expected = sorted(float(loss) for loss in losses if loss is not None)
    for name, part in (("", loaded), ("mlm ", getattr(loaded, "mlm", None))):
        if hasattr(part, "regularization_losses"):
            yield _same_losses(f"{name}regularization losses", expected, part)


def _same_losses(name: str, expected: list[float], part: Any) -> reports.Check:
    def compare() -> reports.Check:
        got = sorted(float(loss()) for loss in part.regularization_losses)
        if len(got) != len(expected):
            found = f"{len(got)}, not {len(expected)}"
            return reports.Check(name, False, found, look_at=_REGULARIZATION)
        ours, theirs = ({"losses": tf.constant(x, tf.float32)} for x in (expected, got))
        return comparison.compare(name, ours, theirs, look_at=_REGULARIZATION)

    return contracts.attempt(name, compare)
