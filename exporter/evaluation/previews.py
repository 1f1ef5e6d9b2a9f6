"""What an evaluation would do, without doing it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from exporter import plans
from exporter.evaluation import (
    beginnings,
    examples,
    methods,
    records,
    result_tables,
    settings,
)


def of_fine_tuning(
    plan: plans.Plan,
    path: str,
    task: examples.Examples,
    options: settings.FineTuning,
    seeds: Sequence[int],
    folder: str,
) -> str:
    """Returns what a fine-tuning of both arms would do.

    Args:
      plan: What the export was made from.
      path: The export.
      task: The examples.
      options: How.
      seeds: One fine-tuning of each arm for each.
      folder: Where checkpoints and results would be written.

    Raises:
      UserError: The folder has an evaluation of other things, as far as can be told now.
    """
    used = beginnings.of_options(task, options)
    beginnings.require(folder, {**used, **beginnings.of_plan(plan, path, task)})
    runs = [records.folder(folder, arm, seed) for seed in seeds for arm in records.ARMS]
    complete = sum(os.path.exists(os.path.join(run, records.DONE)) for run in runs)
    steps = used.pop("steps")
    epochs = steps * options.batch_size / len(task.train)
    rows = {
        "steps": f"{steps:,} of {options.batch_size} examples: {epochs:.2g} epochs",
        "runs": f"{len(runs)}, of which {complete} are complete",
    }
    return _text(path, task, {**rows, **used}, seeds, folder)


def of_method(
    path: str,
    task: examples.Examples,
    method: methods.LinearProbe | methods.MaskedWords,
    seeds: Sequence[int],
    folder: str,
) -> str:
    """Returns what a scoring of both arms would do.

    Args:
      path: The export.
      task: The examples.
      method: How they are scored.
      seeds: The scores are taken once for each.
      folder: Where results would be written.
    """
    rows: dict[str, Any] = {"method": methods.name(method), **dataclasses.asdict(method)}
    if method.seq_length is None:
        rows["seq_length"] = f"{methods.DEFAULT_SEQ_LENGTH}, or all positions of the encoder"
    return _text(path, task, {"classes": list(task.classes), **rows}, seeds, folder)


def _text(
    path: str, task: examples.Examples, rows: dict[str, Any], seeds: Sequence[int], folder: str
) -> str:
    counts = {name: len(split) for name, split in task.splits.items()}
    table = [
        ["export", path],
        ["examples", result_tables.examples(counts)],
        *([name, str(value)] for name, value in rows.items()),
        ["seeds", str(list(seeds))],
        ["output", folder],
    ]
    title = f"{result_tables.title(path, task.task)}, not begun: a dry run"
    return "\n".join([title, *result_tables.aligned(table)]) + "\n"
