"""One fine-tuning of one arm by TF-NLP's trainer, which goes on where it was interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import json
import logging
import math
import os
import time
import warnings
from collections.abc import Mapping
from typing import Any

import orbit
import tensorflow as tf
import tf_keras
from official.core import base_trainer, train_lib, train_utils
from official.core import config_definitions as cfg
from official.modeling import optimization
from official.nlp.tasks import sentence_prediction

from exporter.evaluation import arms, memory, records, settings

_logger = logging.getLogger(__name__)
# How often the training loss is taken between two validations.
_LOSSES = 5
_CURVE = "curve.jsonl"
_CHECKPOINTS = ("checkpoint", "ckpt-")
_STEP = "global_step/.ATTRIBUTES/VARIABLE_VALUE"


class Trainer(base_trainer.Trainer):
    """TF-NLP's trainer with a stop watch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        # Steps, seconds, and seconds of waiting for inputs, of each call of `train`.
        self.loops: list[tuple[int, float, float]] = []

    def train(self, num_steps: tf.Tensor) -> Any:
        """Trains for some steps, and notes how long that takes."""
        self._waited.assign(0.0)
        start = time.perf_counter()
        logs = super().train(num_steps)
        seconds = time.perf_counter() - start
        self.loops.append((int(num_steps), seconds, float(self._waited)))
        return logs

    # No step has conditions on tensors, for which AutoGraph would look through all layers' code.

    @tf.autograph.experimental.do_not_convert
    def train_step(self, iterator: Any) -> None:
        """Trains for a step."""
        super().train_step(iterator)

    @tf.autograph.experimental.do_not_convert
    def eval_step(self, iterator: Any) -> Any:
        """Validates a batch."""
        return super().eval_step(iterator)

    def next_train_inputs(self, iterator: Any) -> Any:
        """Takes a batch, and adds up how long that takes."""
        start = tf.timestamp()
        batch = super().next_train_inputs(iterator)
        with tf.control_dependencies(tf.nest.flatten(batch)):
            self._waited.assign_add(tf.timestamp() - start)
        return batch

    def speed(self) -> tuple[float, float]:
        """Returns steps a second and the part of the time that was spent waiting for inputs.

        The first call, which traces, is left out, unless it is the only one.
        """
        steps, seconds, waited = (
            sum(column) for column in zip(*(self.loops[1:] or self.loops), strict=True)
        )
        return steps / seconds, min(1.0, waited / seconds)


class _CurveFile:
    """The points of a learning curve, kept as they come, so that an interruption leaves them."""

    def __init__(self, folder: str, until: int) -> None:
        """Reads what is there.

        Args:
          folder: The run's.
          until: The step of the checkpoint that is gone on from; later points come again.
        """
        self._path = os.path.join(folder, _CURVE)
        self._points: list[dict[str, Any]] = []
        if os.path.exists(self._path):
            with open(self._path, encoding="utf-8") as file:
                lines = [line for line in file if line.endswith("\n")]
            self._points = [p for p in map(json.loads, lines) if p["step"] <= until]
        with open(self._path, "w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(point)}\n" for point in self._points)

    def add(self, point: dict[str, Any]) -> None:
        """Adds a point."""
        self._points.append(point)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(point)}\n")

    def curve(self) -> records.Curve:
        """Returns all points."""
        losses = [point for point in self._points if "loss" in point]
        validations = [point for point in self._points if "metrics" in point]
        names = validations[0]["metrics"] if validations else ()
        return records.Curve(
            [point["step"] for point in losses],
            [point["loss"] for point in losses],
            {name: [point["metrics"][name] for point in validations] for name in names},
            [point["step"] for point in validations],
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run is.

    Attributes:
      arm: `records.EXPORT` or `records.BASELINE`.
      seed: Of head, order and dropout.
      folder: Where the trainer writes.
      params: The task's configuration, with this seed's order of examples.
      more: What else is validated on at the end, by name.
      options: The numbers of fine-tuning.
      steps: How many steps are trained.
    """

    arm: str
    seed: int
    folder: str
    params: sentence_prediction.SentencePredictionConfig
    more: Mapping[str, cfg.DataConfig]
    options: settings.FineTuning
    steps: int

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.arm}, seed {self.seed}"


def experiment(run: Run) -> cfg.ExperimentConfig:
    """Returns TF-NLP's configuration of a run.

    Args:
      run: The run.
    """
    options, interval = run.options, run.options.interval(run.steps)
    loop = next(n for n in range(math.ceil(interval / _LOSSES), 0, -1) if interval % n == 0)
    return cfg.ExperimentConfig(
        task=run.params,
        trainer=cfg.TrainerConfig(
            train_steps=run.steps,
            steps_per_loop=loop,
            summary_interval=loop,
            validation_interval=interval,
            checkpoint_interval=interval,
            max_to_keep=1,
            optimizer_config=optimizer(options, run.steps),
        ),
    )


def optimizer(options: settings.FineTuning, steps: int) -> optimization.OptimizationConfig:
    """Returns the optimizer of TF-NLP's own fine-tuning experiments, with these numbers.

    Args:
      options: The numbers.
      steps: How many steps are trained.
    """
    return optimization.OptimizationConfig(
        {
            "optimizer": {
                "type": "adamw",
                "adamw": {
                    "weight_decay_rate": options.weight_decay,
                    "exclude_from_weight_decay": list(arms.NOT_DECAYED),
                },
            },
            "learning_rate": {
                "type": "polynomial",
                "polynomial": {
                    "initial_learning_rate": options.learning_rate,
                    "decay_steps": steps,
                    "end_learning_rate": 0.0,
                },
            },
            "warmup": {
                "type": "polynomial",
                "polynomial": {"warmup_steps": round(options.warmup * steps)},
            },
        }
    )


def done(folder: str) -> records.ArmRun | None:
    """Returns what a run found that was completed before, or None.

    Args:
      folder: The run's.
    """
    path = os.path.join(folder, records.DONE)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    return records.ArmRun(**{**found, "curve": records.Curve(**found["curve"])})


def train(run: Run, made: arms.Export) -> records.ArmRun:
    """Fine-tunes an arm, from its last checkpoint if there is one.

    Args:
      run: The run.
      made: What the arm is made of.
    """
    tf_keras.backend.clear_session()
    gc.collect()
    memory.reset_peak()
    tf_keras.utils.set_random_seed(run.seed)
    os.makedirs(run.folder, exist_ok=True)
    begun = _last_step(run.folder)
    if begun:
        _logger.info("%s: going on after step %d", run.name, begun)
    task = made.task(run.arm, run.params, head_seed=run.seed, skipped_batches=begun)
    found = _trained(run, task, _CurveFile(run.folder, begun))
    temporary = os.path.join(run.folder, f"{records.DONE}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(found), file)
    os.replace(temporary, os.path.join(run.folder, records.DONE))
    for name in os.listdir(run.folder):  # Three times the weights, for going on alone.
        if name.startswith(_CHECKPOINTS):
            os.remove(os.path.join(run.folder, name))
    return found


def _trained(run: Run, task: arms.Task, curve: _CurveFile) -> records.ArmRun:
    params = experiment(run)
    trainer = train_utils.create_trainer(
        params, task, train=True, evaluate=True, trainer_cls=Trainer
    )
    # Otherwise the first step does that, for which its graph is made twice.
    trainer.optimizer._create_all_weights(trainer.model.trainable_variables)
    step = trainer.global_step

    def trained(output: Mapping[str, Any]) -> None:
        loss = float(output["training_loss"])
        curve.add({"step": int(step), "loss": loss})
        _logger.info("%s: step %d of %d, loss %.4f", run.name, step, run.steps, loss)

    def validated(output: Mapping[str, Any]) -> None:
        metrics = _numbers(output)
        curve.add({"step": int(step), "metrics": metrics})
        shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        _logger.info("%s: step %d of %d, %s", run.name, step, run.steps, shown)

    # Orbit prints what it logs, and Keras warns that batches hold labels, too.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Input dict contained keys", UserWarning)
        # Its `run` would count operations, too, for as long as such a training takes.
        runner = train_lib.OrbitExperimentRunner(
            distribution_strategy=tf.distribute.get_strategy(),
            task=task,
            mode="train_and_eval",
            params=params,
            model_dir=run.folder,
            trainer=trainer,
            train_actions=[trained],
            eval_actions=[validated],
        )
        if not int(step):  # The interval of checkpoints is counted from the first one.
            runner.checkpoint_manager.save(checkpoint_number=0)
        last = runner.controller.train_and_evaluate(
            run.steps, eval_interval=params.trainer.validation_interval
        )
        metrics = _numbers(last) if last else _validated(params, task, trainer)
        for name, data in run.more.items():
            other = dataclasses.replace(params, task=params.task.replace(validation_data=data))
            found = _validated(other, task, trainer)
            metrics |= {f"{name}/{metric}": value for metric, value in found.items()}
    steps_per_second, input_share = trainer.speed() if trainer.loops else (math.nan, math.nan)
    return records.ArmRun(
        run.arm,
        run.seed,
        metrics,
        curve.curve(),
        steps_per_second,
        memory.peak(),
        input_share,
    )


def _validated(params: cfg.ExperimentConfig, task: arms.Task, trainer: Trainer) -> dict[str, float]:
    """Validates what was trained on what `params` says."""
    validator = Trainer(params, task, trainer.model, trainer.optimizer, train=False)
    controller = orbit.Controller(evaluator=validator, global_step=trainer.global_step)
    return _numbers(controller.evaluate(steps=-1))


def _numbers(output: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in sorted(output.items())}


def _last_step(folder: str) -> int:
    prefix = tf.train.latest_checkpoint(folder)
    return 0 if prefix is None else int(tf.train.load_variable(prefix, _STEP))
