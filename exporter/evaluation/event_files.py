"""Learning curves as TensorBoard reads them: `tensorboard --logdir=FOLDER`."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from exporter.evaluation import records


def write(runs: Iterable[records.ArmRun], folder: str) -> None:
    """Writes event files to `ARM/seed_N`, for each run.

    Args:
      runs: The runs.
      folder: Event files of an earlier evaluation are removed: TensorBoard would show them, too.
    """
    for arm in records.ARMS:
        for path in tf.io.gfile.glob(f"{folder}/{arm}/seed_*/events.out.tfevents.*"):
            tf.io.gfile.remove(path)
    for run in runs:
        writer = tf.summary.create_file_writer(f"{folder}/{run.arm}/seed_{run.seed}")
        with writer.as_default():
            _write(run)
        writer.close()


def _write(run: records.ArmRun) -> None:
    curve = run.curve or records.Curve([], [], {}, [])
    for step, loss in zip(curve.steps, curve.train_loss, strict=True):
        tf.summary.scalar("train/loss", loss, step)
    for metric, values in curve.validation.items():
        for step, value in zip(curve.validation_steps, values, strict=True):
            tf.summary.scalar(f"validation/{metric}", value, step)
    last = max([0, *curve.steps, *curve.validation_steps])
    for metric, score in run.metrics.items():
        tf.summary.scalar(f"final/{metric}", score, last)
    if run.steps_per_second is not None:
        tf.summary.scalar("final/steps_per_second", run.steps_per_second, last)
