"""Evaluates arms without training: linear probes of their vectors, and masked words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from exporter import comparison, errors, plans, progress, reports
from exporter.evaluation import (
    examples,
    frozen_arms,
    linear_probes,
    masked_words,
    methods,
    records,
    scoring,
)

_TRAIN = "train"
_DRAWN = 20201012
_CHECKS = "before scoring"
_LOOK_AT = "the vocabulary, --do_lower_case, the checkpoint and the pooler of the export"


def run(
    plan: plans.Plan,
    path: str,
    task: examples.Examples,
    method: methods.LinearProbe | methods.MaskedWords,
    seeds: Sequence[int],
    *,
    check: bool,
) -> records.Evaluation:
    """Evaluates an export and the encoder from Python code.

    Args:
      plan: What the export was made from.
      path: The export.
      task: The examples.
      method: How.
      seeds: The scores are taken once for each.
      check: Whether what the arms make of the examples is compared before.

    Raises:
      UserError: The export lacks what is to be evaluated, or the task does not fit.
      VerificationError: The arms differ.
    """
    with progress.step("loading the export"):
        exported = frozen_arms.exported(path, method.seq_length)
    _require(exported, path, method)
    made = frozen_arms.baseline(plan, exported.seq_length, trims=exported.trims)
    _require(made, "the checkpoint", method)
    arms = {records.EXPORT: exported, records.BASELINE: made}
    found = _scored(arms, task, method, seeds)
    if check:
        reports.Report(_CHECKS, tuple(found.checks)).require()
    return records.Evaluation(
        task=task.task,
        export_path=path,
        examples={split: len(chosen) for split, chosen in _splits(task, method).items()},
        settings={
            "method": methods.name(method),
            **dataclasses.asdict(method),
            "seq_length": exported.seq_length,
            "seeds": list(seeds),
        },
        checks=found.checks if check else [],
        runs=found.runs,
        only_rounding=check,  # Or an error was raised.
    )


def scores(
    path: str,
    task: examples.Examples,
    method: methods.LinearProbe | methods.MaskedWords,
    seeds: Sequence[int],
) -> list[records.ArmRun]:
    """Evaluates an export alone.

    Args:
      path: The export.
      task: The examples.
      method: How.
      seeds: The scores are taken once for each.

    Raises:
      UserError: The export lacks what is to be evaluated, or the task does not fit.
    """
    exported = frozen_arms.exported(path, method.seq_length)
    _require(exported, path, method)
    return _scored({records.EXPORT: exported}, task, method, seeds).runs


@dataclasses.dataclass(frozen=True)
class _Found:
    """What was found of arms."""

    checks: list[reports.Check]
    runs: list[records.ArmRun]


def _scored(
    arms: Mapping[str, frozen_arms.Arm],
    task: examples.Examples,
    method: methods.LinearProbe | methods.MaskedWords,
    seeds: Sequence[int],
) -> _Found:
    if isinstance(method, methods.LinearProbe):
        return _probed(arms, task, method, seeds)
    return _guessed(arms, task, method, seeds)


def _probed(
    arms: Mapping[str, frozen_arms.Arm],
    task: examples.Examples,
    method: methods.LinearProbe,
    seeds: Sequence[int],
) -> _Found:
    splits = _splits(task, method)
    vectors = {
        arm: {split: _vectors(arm, split, made, chosen, method) for split, chosen in splits.items()}
        for arm, made in arms.items()
    }
    checks = [
        check
        for split in splits
        for check in _same(
            f"vectors of {split}", {arm: found[split] for arm, found in vectors.items()}
        )
    ]
    runs = [
        _probe_run(arm, seed, found, splits, task)
        for seed in seeds
        for arm, found in vectors.items()
    ]
    return _Found(checks, runs)


def _vectors(
    arm: str,
    split: str,
    made: frozen_arms.Arm,
    chosen: examples.Split,
    method: methods.LinearProbe,
) -> np.ndarray:
    with progress.step(f"{arm}: vectors of {len(chosen):,} examples of {split}"):
        return made.vectors(chosen.texts, method.vector)


def _probe_run(
    arm: str,
    seed: int,
    vectors: Mapping[str, np.ndarray],
    splits: Mapping[str, examples.Split],
    task: examples.Examples,
) -> records.ArmRun:
    labels = {split: np.array(chosen.labels) for split, chosen in splits.items()}
    with progress.step(f"{arm}, seed {seed}: fitting the linear model"):
        probe = linear_probes.fit(
            linear_probes.Examples(vectors[_TRAIN], labels[_TRAIN]),
            num_classes=len(task.classes),
            seed=seed,
        )
    run = records.ArmRun(arm, seed, {})
    for split in task.validation:
        predicted = probe.predict(vectors[split])
        found = scoring.score(_metrics(task), labels[split], predicted, seed=seed)
        _add(run, task, split, *found)
    return run


def _metrics(task: examples.Examples) -> list[str]:
    if task.is_regression:
        return ["mean_squared_error", task.metric]
    return list(dict.fromkeys(["accuracy", task.metric]))


def _add(
    run: records.ArmRun,
    task: examples.Examples,
    split: str,
    scores: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
) -> None:
    """Adds scores; names of those of further splits begin with theirs."""
    prefix = "" if split == next(iter(task.validation)) else f"{split}/"
    run.metrics.update({f"{prefix}{name}": score for name, score in scores.items()})
    run.intervals.update({f"{prefix}{name}": found for name, found in intervals.items()})


def _guessed(
    arms: Mapping[str, frozen_arms.Arm],
    task: examples.Examples,
    method: methods.MaskedWords,
    seeds: Sequence[int],
) -> _Found:
    splits = _splits(task, method)
    checks: list[reports.Check] = []
    runs: list[records.ArmRun] = []
    for seed in seeds:
        found = {arm: records.ArmRun(arm, seed, {}) for arm in arms}
        for split, chosen in splits.items():
            losses = {}
            for arm, made in arms.items():
                with progress.step(f"{arm}, seed {seed}: guessing masked words of {split}"):
                    guesses = _guesses(made, chosen, seed)
                losses[arm] = guesses.losses
                _add(found[arm], task, split, guesses.scores(), guesses.intervals(seed))
            checks += _same(f"losses of masked words of {split}, seed {seed}", losses)
        runs += found.values()
    return _Found(checks, runs)


def _guesses(made: frozen_arms.Arm, chosen: examples.Split, seed: int) -> masked_words.Guesses:
    try:
        return made.guesses(chosen.texts, seed)
    except masked_words.NothingToMaskError as error:
        raise errors.UserError(
            "The examples to validate on must have words of the vocabulary.",
            received=f"{len(chosen)} examples without any",
            setting="evaluate.task",
        ) from error


def _splits(
    task: examples.Examples, method: methods.LinearProbe | methods.MaskedWords
) -> dict[str, examples.Split]:
    """Returns what is taken of the splits that a method looks at."""
    wanted = task.splits if isinstance(method, methods.LinearProbe) else task.validation
    return {split: _some(found, method.max_examples) for split, found in wanted.items()}


def _some(split: examples.Split, most: int) -> examples.Split:
    """Returns examples that are the same whatever the seed, so that arms and seeds share them."""
    if len(split) <= most:
        return split
    random = np.random.default_rng(_DRAWN)
    rows = sorted(random.choice(len(split), most, replace=False).tolist())
    return examples.Split([split.texts[i] for i in rows], [split.labels[i] for i in rows])


def _same(name: str, found: Mapping[str, np.ndarray]) -> list[reports.Check]:
    """Compares what the arms made, if there are two."""
    if len(found) < len(records.ARMS):
        return []
    ours, theirs = (
        {"export": tf.constant(found[arm], tf.float32)}
        for arm in (records.BASELINE, records.EXPORT)
    )
    return [comparison.compare(name, ours, theirs, look_at=_LOOK_AT)]


def _require(
    arm: frozen_arms.Arm, subject: str, method: methods.LinearProbe | methods.MaskedWords
) -> None:
    """Requires what a method needs.

    Raises:
      UserError: The arm does not have it.
    """
    setting = f"{methods.name(method)}.seq_length"
    methods.require_positions(setting, arm.seq_length, arm.longest)
    if isinstance(method, methods.MaskedWords):
        missing = [
            what
            for what, part in (("head", arm.mlm), ("[MASK] in its vocabulary", arm.tokens))
            if part is None
        ]
        if missing:
            raise errors.UserError(
                "Masked words need an encoder with its masked-language-model head, and [MASK].",
                received=f"{subject} without {' and '.join(missing)}",
                setting="export.export_path",
            )
    elif method.vector == methods.TEXT_EMBEDDING and arm.embed is None:
        raise errors.UserError(
            "Vectors of the text embedding need an export that has it, as --export_type=all "
            "makes it.",
            example="linear_probe.vector = 'pooled_output'",
            received=subject,
            setting="linear_probe.vector",
        )
