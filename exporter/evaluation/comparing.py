"""Runs an evaluation: checks first, then each seed's fine-tuning of both arms, then the results."""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from official.core import config_definitions as cfg

from exporter import ingredients, plans, progress, reports, restorations
from exporter.evaluation import (
    arms,
    beginnings,
    examples,
    first_steps,
    inputs,
    records,
    seeding,
    settings,
    training,
)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Experiment:
    """All that the runs have in common.

    Attributes:
      path: The export.
      task: The examples.
      files: The examples' files, by split.
      options: The numbers of fine-tuning.
      folder: Where the runs are kept.
      made: What the arms are made of.
    """

    path: str
    task: examples.Examples
    files: Mapping[str, str]
    options: settings.FineTuning
    folder: str
    made: arms.Export

    @property
    def steps(self) -> int:
        """How many steps are trained."""
        return self.options.steps(len(self.task.train))

    def data(self, split: str, training_seed: int | None = None) -> cfg.DataConfig:
        """Returns TF-NLP's configuration of a split."""
        return inputs.config(
            self.task,
            self.files[split],
            batch_size=self.options.batch_size,
            seq_length=self.options.seq_length,
            training_seed=training_seed,
        )

    def params(self, seed: int) -> Any:
        """Returns TF-NLP's configuration of the task, with a seed's order of examples."""
        return arms.config(
            self.task,
            self.data("train", seed),
            self.data(next(iter(self.task.validation))),
            use_encoder_pooler=self.options.use_encoder_pooler,
        )

    def check(self, made: arms.Arms, seed: int) -> list[reports.Check]:
        """Compares the arms before they are trained."""
        datasets = {split: self.data(split) for split in self.task.splits}
        return first_steps.check(made, self.params(seed), datasets, seed=seed)

    def run(self, arm: str, seed: int) -> records.ArmRun:
        """Fine-tunes an arm, unless that was completed before."""
        folder = records.folder(self.folder, arm, seed)
        found = training.done(folder)
        if found is not None:
            _logger.info("%s, seed %d: complete", arm, seed)
            return found
        more = list(self.task.validation)[1:]
        run = training.Run(
            arm,
            seed,
            folder,
            self.params(seed),
            {name: self.data(name) for name in more},
            self.options,
            self.steps,
        )
        with tempfile.TemporaryDirectory() as seeded, progress.step(f"{run.name}: fine-tuning"):
            made = self.made
            if arm == records.EXPORT:
                copied = os.path.join(seeded, "encoder")
                seeding.copy(made.encoder_path, copied, seed)
                made = dataclasses.replace(made, encoder_path=copied)
            return training.train(run, made)


def run(
    plan: plans.Plan,
    path: str,
    task: examples.Examples,
    options: settings.FineTuning,
    seeds: Sequence[int],
    folder: str,
    *,
    check: bool,
) -> records.Evaluation:
    """Evaluates an export.

    Args:
      plan: What it was made from.
      path: The export.
      task: What to fine-tune on.
      options: How.
      seeds: One fine-tuning of each arm for each.
      folder: Where checkpoints and results are written.
      check: Whether the arms are compared before training.

    Returns:
      What was found.

    Raises:
      UserError: The source is not right, or the folder has an evaluation of other things.
      VerificationError: The arms differ before training.
    """
    built = _build(plan)
    settings_used = beginnings.of_options(task, options)
    begun_with = {
        **settings_used,
        **beginnings.of_plan(plan, path, task),
        **beginnings.of_encoder(built),
    }
    beginnings.require(folder, begun_with)
    made = _arms(plan, built, path, options)
    with tempfile.TemporaryDirectory() as data:
        files = examples.write(task, data)
        experiment = _Experiment(path, task, files, options, folder, made)
        checks: list[reports.Check] = []
        if check:
            with progress.step("comparing both arms before training"):
                checks = experiment.check(made, seeds[0])
            report = reports.Report(first_steps.SUBJECT, tuple(checks))
            report.require()  # Its error has the same text.
            _logger.info("%s", report.text())
        beginnings.note(folder, begun_with)  # Only now: a wrong export is made again in its place.
        runs = [
            experiment.run(arm, seed)
            for number, seed in enumerate(seeds)
            # In turn, so that none is always the one that a warm or a full process helps or harms.
            for arm in (records.ARMS if number % 2 == 0 else records.ARMS[::-1])
        ]
    return records.Evaluation(
        task=task.task,
        export_path=path,
        examples={name: len(split) for name, split in task.splits.items()},
        settings={**settings_used, "seeds": list(seeds)},
        checks=checks,
        runs=runs,
    )


def scores(
    path: str, task: examples.Examples, options: settings.FineTuning, seeds: Sequence[int]
) -> list[records.ArmRun]:
    """Fine-tunes an export alone.

    Args:
      path: The export.
      task: What to fine-tune on.
      options: How.
      seeds: One fine-tuning for each.
    """
    exported = inputs.exported(os.path.join(path, "preprocessing"), options.seq_length)
    made = arms.Export(os.path.join(path, "encoder"), exported)
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        files = examples.write(task, data)
        experiment = _Experiment(path, task, files, options, folder, made)
        return [experiment.run(records.EXPORT, seed) for seed in seeds]


def _build(plan: plans.Plan) -> ingredients.Built:
    assert plan.source is not None  # Of `all`, there is one.
    return ingredients.build(plan, dataclasses.replace(plan.source, with_mlm=False))


def _arms(
    plan: plans.Plan, built: ingredients.Built, path: str, options: settings.FineTuning
) -> arms.Arms:
    text = ingredients.text_of(plan, built)

    def restore() -> None:
        built.encoder.held.clear()  # Training changes what was restored before.
        restorations.restore(built.restoration, built.encoder)

    with progress.step("loading the preprocessing"):
        exported = inputs.exported(os.path.join(path, "preprocessing"), options.seq_length)
    return arms.Arms(
        encoder_path=os.path.join(path, "encoder"),
        exported=exported,
        source=built.encoder,
        restore=restore,
        reference=lambda: inputs.reference(text.source, options.seq_length),
    )
