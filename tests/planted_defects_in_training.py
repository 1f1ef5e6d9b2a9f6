"""Encoders broken on purpose where only those see it who train them, or at some lengths alone."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tests import encoder_exports, testing
from tests.planted_defects import EMBEDDING, ENCODER, Defect, Plant, Right, changed, encoder

_IDS, _MASK, _TYPES = testing.INPUT_NAMES
_OUTPUTS = "outputs in training at length 16"
_MLM_OUTPUTS = "mlm outputs in training at length 16"

Outputs = dict[str, Any]
Inputs = dict[str, tf.Tensor]


def _in_training(change: Callable[[Outputs], Mapping[str, Any]]) -> Callable[..., Outputs]:
    """Returns a call that changes some of its outputs in training."""

    def call(right: Any, inputs: Inputs, training: bool) -> Outputs:
        outputs = right(inputs, training)
        return {**outputs, **change(outputs)} if training else outputs

    return call


def _on_other_inputs(name: str, change: Callable[[tf.Tensor], tf.Tensor]) -> Callable[..., Outputs]:
    """Returns a call that changes one of its inputs in training."""

    def call(right: Any, inputs: Inputs, training: bool) -> Outputs:
        changed = {**inputs, name: change(inputs[name])}
        return right(changed if training else inputs, training)

    return call


def _with_rates(**rates: float) -> Plant:
    """Returns what writes the same encoder with other dropout."""

    def plant(right: Right, path: pathlib.Path) -> None:
        case = encoder_exports.with_config(right.files.case, **rates)
        encoder_exports.make(dataclasses.replace(right.files, case=case), with_mlm=False).write(
            path
        )

    return plant


def _unscaled(outputs: Outputs) -> Outputs:
    kept = tf.random.uniform(tf.shape(outputs["sequence_output"])) >= 0.1
    return {"sequence_output": outputs["sequence_output"] * tf.cast(kept, tf.float32)}


def _without_dropout(right: Any, inputs: Inputs, training: bool) -> Outputs:
    del training
    return right(inputs, False)


def _trained_by_default(module: Any) -> None:
    right = module.mlm.__call__.python_function
    module.mlm.__call__ = tf.function(
        lambda inputs, training=True: right(inputs, training), autograph=False
    )


def _unmasked_between(right: Any, inputs: Inputs, training: bool) -> Outputs:
    """Ignores the mask at some lengths alone."""
    length = tf.shape(inputs[_MASK])[1]
    ignored = (length > 20) & (length < 30)
    mask = tf.where(ignored, tf.ones_like(inputs[_MASK]), inputs[_MASK])
    return right({**inputs, _MASK: mask}, training)


def _pooled_before(change: Callable[[tf.Tensor], tf.Tensor]) -> Callable[..., Outputs]:
    def call(right: Any, inputs: Inputs, training: bool) -> Outputs:
        outputs = right(inputs, training)
        return {**outputs, **{n: change(outputs[n]) for n in ("pooled_output", "default")}}

    return call


def _of_doubled_gradients(value: tf.Tensor) -> tf.Tensor:
    return value + (value - tf.stop_gradient(value))


def _stopped_logits(outputs: Outputs) -> Outputs:
    """What the sums of all gradients do not show: the other outputs have theirs."""
    return {"mlm_logits": tf.stop_gradient(outputs["mlm_logits"])}


def _stopped_pooled(outputs: Outputs) -> Outputs:
    pooled = tf.stop_gradient(outputs["pooled_output"])
    return {"pooled_output": pooled, "default": outputs["default"]}


def _regularized(module: Any) -> None:
    kernel = module.variables[0]
    loss = tf.function(lambda: tf.reduce_sum(kernel**2), autograph=False, input_signature=[])
    module.regularization_losses = [loss]


_WITH_SOURCE = (
    ("mask ignored in training", encoder(_on_other_inputs(_MASK, tf.ones_like)), _OUTPUTS),
    ("types ignored in training", encoder(_on_other_inputs(_TYPES, tf.zeros_like)), _OUTPUTS),
    ("another dropout rate", _with_rates(dropout_rate=0.25), _OUTPUTS),
    ("no dropout of attention", _with_rates(attention_dropout_rate=0.0), _OUTPUTS),
    ("more dropout, unscaled", encoder(_in_training(_unscaled)), _OUTPUTS),
    ("no dropout in .mlm", encoder(mlm=_without_dropout), _MLM_OUTPUTS),
    (
        "logits doubled in training",
        encoder(mlm=_in_training(lambda o: {"mlm_logits": 2 * o["mlm_logits"]})),
        _MLM_OUTPUTS,
    ),
    (
        "gradients doubled",
        encoder(_pooled_before(_of_doubled_gradients)),
        "gradients of pooled_output in training",
    ),
    ("regularized", encoder(edit=_regularized), "regularization losses"),
    ("mask ignored at length 24", encoder(_unmasked_between), "outputs at lengths 7, 24"),
)
_BY_ITSELF = (
    (
        "gradients of logits stopped",
        encoder(mlm=_in_training(_stopped_logits)),
        "mlm variables: gradients of mlm_logits alone reach the encoder",
    ),
    (
        "gradients of pooled_output stopped",
        encoder(_in_training(_stopped_pooled)),
        "variables: gradients of pooled_output alone reach the encoder",
    ),
    (
        ".mlm trained by default",
        encoder(edit=_trained_by_default, with_mlm=True),
        "mlm: training is optional",
    ),
)


def _cut_in_training(module: Any) -> None:
    right = module.__call__.python_function

    def call(text: tf.Tensor, training: bool = False) -> tf.Tensor:
        return right(tf.strings.substr(text, 0, 5) if training else text, training)

    module.__call__ = tf.function(call, autograph=False)


DEFECTS = (
    Defect(
        "texts cut in training (embedding)",
        EMBEDDING,
        changed(EMBEDDING, _cut_in_training),
        "vectors in training",
        with_source=True,
    ),
    *(Defect(*row[:1], ENCODER, *row[1:], with_source=True) for row in _WITH_SOURCE),
    *(Defect(*row[:1], ENCODER, *row[1:]) for row in _BY_ITSELF),
)
