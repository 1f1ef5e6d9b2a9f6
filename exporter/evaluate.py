"""The root configurable of `--mode=evaluate`: an export, a task, and how well it fine-tunes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gin

from exporter import choices, errors, export, poolers, progress
from exporter.evaluation import glue, packages, settings, text_files

_EXPORT = "exporter.export"
TASKS = (text_files.TextFiles, glue.Glue)


@gin.configurable(module="exporter")
def evaluate(
    task: Any = gin.REQUIRED,
    output_dir: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    check: bool = True,
) -> None:
    """Fine-tunes an export, and the same encoder from Python code, and compares the two.

    What is evaluated is `export.export_path`, a folder with `encoder` and `preprocessing`. What it
    was made from is given as for an export: `checkpoint`, `encoder`, `pretraining`, `tokenizer`,
    `export.pooler`. How it is fine-tuned is `fine_tuning`. The same command goes on where it was
    interrupted. With `export.dry_run`, no more is done than to check settings and files.

    Args:
      task: What to fine-tune on: `@text_files()` or `@glue()`.
      output_dir: Where checkpoints and results are written; None for the export's path with
        ".evaluation" behind.
      seeds: One fine-tuning of each arm for each: of the head's initial values, the order of
        examples and dropout.
      check: Whether inputs, outputs and gradients of both arms are compared before training.

    Raises:
      UserError: A choice is wrong, or a file is.
      VerificationError: The arms differ before training.
    """
    bound = gin.get_bindings(_EXPORT)
    path = (bound.get("export_path") or "").rstrip("/")
    options = settings.FineTuning()
    chosen = choices.from_gin("all", "quick", bound.get("pooler", poolers.restored_pooler))
    mistakes = _wrong(path, task, seeds) + options.mistakes() + choices.wrong(chosen)
    if isinstance(task, TASKS):
        mistakes += task.mistakes()
    from_run = chosen.pretraining.pretraining_dir is not None
    errors.raise_all(mistakes + ([] if from_run else choices.missing(chosen)))
    packages.require()
    folder = output_dir or f"{path}.evaluation"
    export.import_tensorflow()
    from exporter import plans

    if from_run:
        chosen = choices.completed(chosen)
        errors.raise_all(choices.missing(chosen))
    plan = plans.plan(chosen)
    with progress.step("reading the examples"):
        examples = task.read()
    plan.check()
    if bound.get("dry_run"):
        return
    with progress.step("importing what TF-NLP trains with"):
        from exporter.evaluation import comparing, results
    found = comparing.run(plan, path, examples, options, list(seeds), folder, check=check)
    results.write(found, folder)
    print(results.text(found), end="")


def _wrong(path: str, task: Any, seeds: Sequence[int]) -> list[errors.UserError]:
    """Mistakes that can be told without TensorFlow."""
    mistakes = []
    parts = [os.path.join(path, part) for part in ("encoder", "preprocessing")]
    missing = [part for part in parts if not os.path.isfile(os.path.join(part, "saved_model.pb"))]
    if not path or missing:
        mistakes.append(
            errors.UserError(
                "What is evaluated must be a folder with encoder and preprocessing, as "
                "--export_type=all makes it.",
                example="--export_path=/tmp/bert, with /tmp/bert/encoder/saved_model.pb",
                received=f"{path} without {' and '.join(map(os.path.basename, missing))}"
                if path
                else "none",
                setting="export.export_path",
            )
        )
    if not isinstance(task, TASKS):
        mistakes.append(
            errors.UserError(
                "evaluate.task must be the call of a task.",
                example="evaluate.task = @text_files()",
                received=repr(task),
                setting="evaluate.task",
            )
        )
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        mistakes.append(
            errors.UserError(
                "evaluate.seeds must be different whole numbers from 0.",
                example="evaluate.seeds = [0, 1, 2]",
                received=repr(list(seeds)),
                setting="evaluate.seeds",
            )
        )
    return mistakes
