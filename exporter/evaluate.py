"""The root configurable of `--mode=evaluate`: an export, a task, and how well it fine-tunes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import gin

from exporter import choices, errors, export, poolers, progress
from exporter.evaluation import glue, methods, packages, settings, text_files

_EXPORT = "exporter.export"
TASKS = (text_files.TextFiles, glue.Glue)


@gin.configurable(module="exporter")
def evaluate(
    task: Any = gin.REQUIRED,
    method: Any = None,
    output_dir: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    check: bool = True,
) -> None:
    """Compares an export with the same encoder from Python code: both fine-tuned, or as they are.

    What is evaluated is `export.export_path`, a folder with `encoder` and `preprocessing`. What it
    was made from is given as for an export: `checkpoint`, `encoder`, `pretraining`, `tokenizer`,
    `export.pooler`. How it is fine-tuned is `fine_tuning`. The same command goes on where it was
    interrupted. With `export.dry_run`, no more is done than to check settings and files, and to say
    what would be done.

    Args:
      task: What to fine-tune on: `@text_files()` or `@glue()`.
      method: What is quick and takes no fine-tuning: `@linear_probe()` on frozen vectors, or
        `@masked_words()` for an encoder with its head. None fine-tunes.
      output_dir: Where checkpoints and results are written; None for the export's path with
        ".evaluation" behind, or with the method's name.
      seeds: One fine-tuning of each arm for each: of the head's initial values, the order of
        examples and dropout; or one scoring: of how examples are divided, and of what is masked.
      check: Whether inputs, outputs and gradients of both arms are compared before training, or
        what is scored before it is.

    Raises:
      UserError: A choice is wrong, or a file is.
      VerificationError: The arms differ before training.
    """
    bound = gin.get_bindings(_EXPORT)
    path = (bound.get("export_path") or "").rstrip("/")
    options = settings.FineTuning()
    chosen = choices.from_gin("all", "quick", bound.get("pooler", poolers.restored_pooler))
    mistakes = _wrong(path, task, method, seeds) + options.mistakes() + choices.wrong(chosen)
    mistakes += [mistake for one in (task, method) for mistake in _own_mistakes(one)]
    from_run = chosen.pretraining.pretraining_dir is not None
    errors.raise_all(mistakes + ([] if from_run else choices.missing(chosen)))
    if method is None or isinstance(task, glue.Glue):
        packages.require()
    folder = output_dir or f"{path}.{methods.name(method) if method else 'evaluation'}"
    export.import_tensorflow()
    from exporter import plans

    if from_run:
        chosen = choices.completed(chosen)
        errors.raise_all(choices.missing(chosen))
    plan = plans.plan(chosen)
    with progress.step("reading the examples"):
        examples = task.read()
    plan.check()
    how = options if method is None else method
    _require_positions(plan, how)
    given = _Given(plan, path, examples, how, list(seeds), folder)
    if bound.get("dry_run"):
        print(given.preview(), end="")
        return
    found = given.run(check=check)
    from exporter.evaluation import results

    results.write(found, folder)
    print(results.text(found), end="")


@dataclasses.dataclass(frozen=True)
class _Given:
    """All that an evaluation is of."""

    plan: Any
    path: str
    task: Any
    how: Any
    seeds: list[int]
    folder: str

    def preview(self) -> str:
        """Returns what would be done."""
        from exporter.evaluation import previews

        if isinstance(self.how, settings.FineTuning):
            return previews.of_fine_tuning(
                self.plan, self.path, self.task, self.how, self.seeds, self.folder
            )
        return previews.of_method(self.path, self.task, self.how, self.seeds, self.folder)

    def run(self, *, check: bool) -> Any:
        """Evaluates."""
        if isinstance(self.how, settings.FineTuning):
            with progress.step("importing what TF-NLP trains with"):
                from exporter.evaluation import comparing
            return comparing.run(
                self.plan, self.path, self.task, self.how, self.seeds, self.folder, check=check
            )
        from exporter.evaluation import quick_checks

        return quick_checks.run(self.plan, self.path, self.task, self.how, self.seeds, check=check)


def _require_positions(plan: Any, how: Any) -> None:
    """Raises where the inputs of fine-tuning or of a method are too long for the encoder."""
    name = "fine_tuning" if isinstance(how, settings.FineTuning) else methods.name(how)
    longest = plan.source.architecture.max_seq_length
    methods.require_positions(f"{name}.seq_length", how.seq_length, longest)


def _own_mistakes(chosen: Any) -> list[errors.UserError]:
    """What tasks and methods say is wrong with themselves."""
    return chosen.mistakes() if isinstance(chosen, (*TASKS, *methods.METHODS)) else []


def _wrong(path: str, task: Any, method: Any, seeds: Sequence[int]) -> list[errors.UserError]:
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
    if method is not None and not isinstance(method, methods.METHODS):
        mistakes.append(
            errors.UserError(
                "evaluate.method must be the call of a method, or None to fine-tune.",
                example="evaluate.method = @linear_probe()",
                received=repr(method),
                setting="evaluate.method",
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
