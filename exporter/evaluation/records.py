"""What an evaluation measured, as data: what is written and compared is made of it."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from exporter import reports

EXPORT, BASELINE = "export", "baseline"
ARMS = (EXPORT, BASELINE)
# What a run that is complete has left in its folder.
DONE = "run.json"


@dataclasses.dataclass(frozen=True)
class Curve:
    """How one run learned.

    Attributes:
      steps: The steps at which the training loss was taken.
      train_loss: The mean loss over the steps up to there.
      validation: The metrics' values at `validation_steps`, by the metrics' names.
      validation_steps: The steps after which the metrics were taken.
    """

    steps: list[int]
    train_loss: list[float]
    validation: dict[str, list[float]]
    validation_steps: list[int]


@dataclasses.dataclass(frozen=True)
class ArmRun:
    """One run of one arm: a fine-tuning, or a check without one, which has scores alone.

    Attributes:
      arm: EXPORT or BASELINE.
      seed: Of the head's initial values, the order of examples and dropout, or of what else is
        drawn at random.
      metrics: The metrics' values after the last step, by their names.
      curve: How it learned.
      steps_per_second: Of training, the first steps, which are traced, left out.
      peak_memory_bytes: The largest memory of the process during the run, with what it held before:
        TensorFlow, and the baseline's encoder in both arms. Where the system does not tell that (it
        does on Linux), the largest so far.
      input_share: Which part of the training time was spent waiting for inputs, 0 to 1.
      intervals: 95% intervals of metrics over the examples, where they were taken, by names.
    """

    arm: str
    seed: int
    metrics: dict[str, float]
    curve: Curve | None = None
    steps_per_second: float | None = None
    peak_memory_bytes: int | None = None
    input_share: float | None = None
    intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


def folder(parent: str, arm: str, seed: int) -> str:
    """Returns the folder of a run.

    Args:
      parent: The evaluation's.
      arm: EXPORT or BASELINE.
      seed: The run's.
    """
    return os.path.join(parent, f"seed_{seed}", arm)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, and what it was made of.

    Attributes:
      task: The task's name.
      export_path: The export that was evaluated.
      examples: The numbers of examples, by split.
      settings: What the arms had in common: lengths, rates, steps, by name.
      checks: What was compared before training; none where that was left out.
      runs: The runs of both arms.
      only_rounding: Whether all that is scored was found equal in both arms but for rounding, so
        that their scores can differ by no more.
    """

    task: str
    export_path: str
    examples: dict[str, int]
    settings: dict[str, Any]
    checks: list[reports.Check]
    runs: list[ArmRun]
    only_rounding: bool = False
