"""Runs an evaluation: checks first, then each seed's fine-tuning of both arms, then the results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import gin
import tensorflow as tf
from official.core import config_definitions as cfg

from exporter import errors, ingredients, plans, progress, reports, restorations
from exporter.evaluation import (
    arms,
    examples,
    first_steps,
    inputs,
    records,
    seeding,
    settings,
    training,
)

_logger = logging.getLogger(__name__)
_BEGUN_WITH = "begun_with.json"


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
        folder = os.path.join(self.folder, f"seed_{seed}", arm)
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
    made = _arms(plan, path, options)
    settings_used = _settings(task, options)
    _begin(folder, {**settings_used, **_origins(plan, path, task)})
    with tempfile.TemporaryDirectory() as data:
        files = examples.write(task, data)
        experiment = _Experiment(path, task, files, options, folder, made)
        checks: list[reports.Check] = []
        if check:
            with progress.step("comparing both arms before training"):
                checks = experiment.check(made, seeds[0])
            report = reports.Report(first_steps.SUBJECT, tuple(checks))
            _logger.info("%s", report.text())
            report.require()
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


def _arms(plan: plans.Plan, path: str, options: settings.FineTuning) -> arms.Arms:
    assert plan.source is not None  # Of `all`, there is one.
    built = ingredients.build(plan, dataclasses.replace(plan.source, with_mlm=False))
    text = ingredients.text_of(plan, built)
    longest = built.encoder.max_seq_length
    if longest is not None and options.seq_length > longest:
        raise errors.UserError(
            "fine_tuning.seq_length must not be more than the encoder has positions for.",
            example=f"fine_tuning.seq_length = {longest}",
            received=str(options.seq_length),
            setting="fine_tuning.seq_length",
        )

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


def _settings(task: examples.Examples, options: settings.FineTuning) -> dict[str, Any]:
    steps = options.steps(len(task.train))
    found = dataclasses.asdict(options)
    del found["epochs"], found["train_steps"]  # They are the steps.
    found["validation_interval"] = options.interval(steps)
    return {"classes": list(task.classes), "metric": task.metric, "steps": steps, **found}


def _origins(plan: plans.Plan, path: str, task: examples.Examples) -> dict[str, str]:
    """Returns digests of what the arms are made of. Indexes hold the checksums of all values."""
    assert plan.source is not None
    files = {
        "encoder": os.path.join(path, "encoder", "saved_model.pb"),
        "encoder's values": os.path.join(path, "encoder", "variables", "variables.index"),
        "preprocessing": os.path.join(path, "preprocessing", "saved_model.pb"),
        "checkpoint": f"{plan.source.checkpoint.prefix}.index",
    }
    digests = {}
    for name, file in files.items():
        with tf.io.gfile.GFile(file, "rb") as opened:
            digests[name] = hashlib.sha256(opened.read()).hexdigest()
    return {**digests, "examples": task.digest()}


def _begin(folder: str, origins: dict[str, Any]) -> None:
    """Notes what the evaluation in a folder is of, or compares that with what was noted."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, _BEGUN_WITH)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        others = sorted(name for name in origins if origins[name] != before.get(name))
        if others:
            raise errors.UserError(
                "An evaluation goes on only with what it was begun with; another one needs "
                "another folder.",
                example=f"--output_dir={folder}.2",
                received=f"{folder}, with another {', '.join(others)}",
                setting="evaluate.output_dir",
            )
        return
    with open(path, "w", encoding="utf-8") as file:
        json.dump(origins, file, indent=2)
    with open(os.path.join(folder, "parsed.gin"), "w", encoding="utf-8") as file:
        file.write(f"{gin.config_str().strip()}\n")
