"""What both arms must agree in before they are trained: inputs, outputs, gradients."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg
from official.nlp.tasks import sentence_prediction

from exporter import comparison, encoder_calls, loaded_models, reports
from exporter.evaluation import arms, dropout, examples, records

SUBJECT = "before training"
# Of examples of each split whose inputs are compared.
_COMPARED = 10_000
# What is compared of the encoder itself, which the head's small values would hide.
_OUTPUTS = ("pooled_output", "sequence_output")
# Gradients are compared relative to the largest of their variable, or to this part of the largest
# of all: some are nothing but rounding, as those of a bias before a softmax.
_SMALLEST = 0.05
_PREPROCESSING = "the vocabulary, --do_lower_case and truncation of the export"
_ENCODER = "the checkpoint, the configuration and the pooler of the export"
_NAMES = "the names of the export's variables, by which the optimizer chooses what decays"


@dataclasses.dataclass(frozen=True)
class _Arm:
    """An arm with its model, and what it makes of the first batch."""

    task: arms.Task
    model: tf_keras.Model
    batch: dict[str, tf.Tensor]

    def outputs(self) -> dict[str, tf.Tensor]:
        encoded = self.encode(self.given(), training=False)
        return {
            "logits": self.model(self.given(), training=False),
            **{name: encoded[name] for name in _OUTPUTS},
        }

    @property
    def encode(self) -> tf_keras.Model:
        """The encoder without the head."""
        return self.model.checkpoint_items["encoder"]

    def given(self) -> dict[str, tf.Tensor]:
        return {name: self.batch[name] for name in encoder_calls.INPUT_NAMES}

    def gradients(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the loss, and its gradients in the order of the variables, dropout off."""
        with tf.GradientTape() as tape:
            outputs = self.model(self.given(), training=False)
            loss = self.task.build_losses(self.batch, outputs, self.model.losses)
        # Of what the loss does not depend on, a SavedModel has zeros, and Python code nothing.
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, self.model.trainable_variables, unconnected_gradients=zero)
        return loss, list(map(tf.convert_to_tensor, gradients))

    def dropout(self) -> dropout.Encoder:
        """Returns what its dropout is compared by."""
        return dropout.encoder(self.encode, _OUTPUTS, self.given())


def check(
    made: arms.Arms,
    params: sentence_prediction.SentencePredictionConfig,
    datasets: dict[str, cfg.DataConfig],
    *,
    seed: int,
) -> list[reports.Check]:
    """Compares the arms.

    Args:
      made: What they are made of.
      params: TF-NLP's configuration of the task.
      datasets: What inputs are compared of, by name.
      seed: Of the head.

    Returns:
      The checks.
    """
    tf_keras.utils.set_random_seed(seed)
    tasks = {arm: made.task(arm, params, head_seed=seed) for arm in records.ARMS}
    checks = [_same_inputs(name, data, tasks) for name, data in datasets.items()]
    with loaded_models.called_once(True):
        ours, theirs = (_arm(tasks[arm], params) for arm in (records.BASELINE, records.EXPORT))
        checks.append(_named("first outputs", ours.outputs(), theirs.outputs()))
        checks.append(_same_gradients(ours, theirs))
        checks.append(_same_decay(ours, theirs))
        checks += dropout.compare(ours.dropout(), theirs.dropout())
    return checks


def _arm(task: arms.Task, params: sentence_prediction.SentencePredictionConfig) -> _Arm:
    model = task.build_model()
    task.initialize(model)
    return _Arm(task, model, next(iter(task.build_inputs(params.train_data))))


def _same_inputs(split: str, data: cfg.DataConfig, tasks: dict[str, arms.Task]) -> reports.Check:
    """Compares inputs and labels of both arms token by token, in the order of training."""
    name = f"inputs of {split}"
    first, second = (tasks[arm].build_inputs(data) for arm in (records.BASELINE, records.EXPORT))
    number = 0
    batches = -(-_COMPARED // data.global_batch_size)
    for ours, theirs in itertools.islice(zip(first, second, strict=True), batches):
        for key in (*encoder_calls.INPUT_NAMES, examples.LABEL):
            found = _first_difference(key, ours[key].numpy(), theirs[key].numpy())
            if found is not None:
                row, what = found
                text = f"example {number + row + 1}: {what}"
                return reports.Check(name, False, text, look_at=_PREPROCESSING)
        number += len(ours[examples.LABEL])
    return reports.Check(name, True, f"equal in {number} examples")


def _first_difference(key: str, ours: np.ndarray, theirs: np.ndarray) -> tuple[int, str] | None:
    if ours.shape != theirs.shape:
        return 0, f"{key} of shape {theirs.shape} instead of {ours.shape}"
    places = np.argwhere(ours != theirs)
    if not len(places):
        return None
    place = tuple(places[0])
    where = f"{key}[{place[1]}]" if len(place) > 1 else key
    return int(place[0]), f"{where} is {theirs[place]} instead of {ours[place]}"


def _named(name: str, expected: dict[str, Any], got: dict[str, Any]) -> reports.Check:
    return comparison.compare(name, expected, got, look_at=_ENCODER)


def _same_gradients(ours: _Arm, theirs: _Arm) -> reports.Check:
    """Compares the loss, and gradients relative to what is large for their variable."""
    (loss, expected), (other_loss, got) = ours.gradients(), theirs.gradients()
    sizes = [float(tf.reduce_max(tf.abs(gradient))) for gradient in expected]
    smallest = _SMALLEST * max(sizes) or 1.0
    named: tuple[dict[str, Any], ...] = ({"loss": loss}, {"loss": other_loss})
    for found, gradients in zip(named, (expected, got), strict=True):
        # What there is more than in Python code has no name, and fails for that.
        for variable, size, gradient in itertools.zip_longest(
            ours.model.trainable_variables, sizes, gradients
        ):
            name = "more" if variable is None else variable.name.removesuffix(":0")
            if gradient is not None:
                found.setdefault(f"the gradient of {name}", []).append(
                    gradient / max(size or 0.0, smallest)
                )
    return _named("first loss and gradients", *named)


def _same_decay(ours: _Arm, theirs: _Arm) -> reports.Check:
    """Compares which variables the optimizer's patterns of names find."""
    found = [
        sum(any(word in v.name for word in arms.NOT_DECAYED) for v in arm.model.trainable_variables)
        for arm in (ours, theirs)
    ]
    expected, got = found
    text = f"{got} of {len(theirs.model.trainable_variables)} variables"
    return reports.Check(
        "left out of weight decay",
        got == expected,
        text if got == expected else f"{text}, not {expected}",
        look_at=_NAMES,
    )
