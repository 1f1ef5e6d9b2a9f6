"""Scores of a sweep's exports, so that its results say which choice serves a task best."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gin

from exporter import errors
from exporter.evaluation import glue, methods, packages, settings, text_files
from exporter.sweep import jobs, throughputs

if TYPE_CHECKING:
    from exporter.evaluation.records import ArmRun

SETTING = "sweep.evaluate"
_FINE_TUNING = "fine_tuning"
_TASKS = (text_files.TextFiles, glue.Glue)
_METHODS = (*methods.METHODS, settings.FineTuning)
_ENDINGS = (".spread", ".low", ".high")


@gin.configurable("scores", module="exporter.sweep")
@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores each export when it is complete.

    Attributes:
      task: Labelled examples: `@text_files()` or `@glue()`.
      method: `@linear_probe()`, `@masked_words()` or `@fine_tuning()`.
      seeds: The scores are taken once for each; their means are the results.
    """

    EXPORT_TYPES: ClassVar = ("all",)

    task: Any = gin.REQUIRED
    method: Any = dataclasses.field(default_factory=methods.LinearProbe)
    seeds: Sequence[int] = (0, 1, 2)

    def mistakes(self) -> list[errors.UserError]:
        """Returns what can be told to be wrong without looking at exports."""
        if not isinstance(self.task, _TASKS):
            return [_mistake("scores.task must be the call of a task.", "@text_files()", self.task)]
        if not isinstance(self.method, _METHODS):
            return [
                _mistake(
                    "scores.method must be the call of a method.", "@linear_probe()", self.method
                )
            ]
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            rule = "scores.seeds must be different whole numbers from 0."
            return [_mistake(rule, "[0, 1, 2]", list(self.seeds))]
        found = [*self.task.mistakes(), *self.method.mistakes()]
        if isinstance(self.method, settings.FineTuning) or isinstance(self.task, glue.Glue):
            found += packages.missing()
        return found

    def of(self, path: str) -> dict[str, float]:
        """Scores an export.

        Args:
          path: The export, of the type `all`.

        Returns:
          For each metric its mean over the seeds as "METHOD.METRIC", with ".spread" behind the
          sample standard deviation, and with ".low" and ".high" the means of the bounds of its 95%
          intervals over the examples.

        Raises:
          UserError: The export lacks what is to be scored, or the task does not fit.
        """
        if isinstance(self.method, settings.FineTuning):
            # TF-NLP's trainer registers configurables of its own.
            with gin.unlock_config():
                from exporter.evaluation import comparing

            runs = comparing.scores(path, self.task.read(), self.method, self.seeds)
            return _joined(_FINE_TUNING, runs)
        from exporter.evaluation import quick_checks

        runs = quick_checks.scores(path, self.task.read(), self.method, self.seeds)
        return _joined(methods.name(self.method), runs)

    def files(self) -> tuple[str, ...]:
        """Returns the files that the examples are in."""
        if not isinstance(self.task, text_files.TextFiles):
            return ()
        return tuple(filter(None, (self.task.train_file, self.task.validation_file)))

    def digest(self) -> str:
        """Returns what is another for other examples or another way to score them.

        Raises:
          UserError: The examples cannot be read.
        """
        chosen = [self.task.read().digest(), repr(self.method), list(self.seeds)]
        return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()


# What a sweep finds out about its exports beside what it always knows of them.
Measure = Scores | throughputs.Throughput


def measures(evaluate: Any) -> tuple[Measure, ...]:
    """Returns what is measured of each export.

    Args:
      evaluate: What `sweep.evaluate` was set to.

    Raises:
      UserError: It is something else, or cannot be measured, as far as can be told now.
    """
    found = tuple(evaluate) if isinstance(evaluate, list | tuple) else (evaluate,)
    if evaluate is None:
        return ()
    for one in found:
        if not isinstance(one, Measure):
            raise errors.UserError(
                f"{SETTING} must be an object, or a list of objects, which gin makes of names with "
                "parentheses.",
                example=f"{SETTING} = [@scores(), @throughput()]",
                received=repr(one),
                setting=SETTING,
            )
    errors.raise_all([mistake for one in found for mistake in one.mistakes()])
    return found


def planned(exports: Sequence[jobs.Job], taken: Sequence[Measure]) -> list[jobs.Job]:
    """Returns a sweep's jobs with what is measured of their exports.

    Args:
      exports: The jobs.
      taken: What is measured.

    Raises:
      UserError: An export lacks what is measured, or the examples cannot be read.
    """
    for one in taken:
        others = [job for job in exports if job.export_type not in one.EXPORT_TYPES]
        if others:
            raise errors.UserError(
                f"{SETTING} = @{_name(one)}() needs exports of the type "
                f"{' or '.join(one.EXPORT_TYPES)}.",
                example="export.export_type = 'all'",
                received=f"{others[0].export_type!r} in {others[0].name}",
                setting=SETTING,
            )
    own = "".join(one.digest() for one in taken)
    files = [file for one in taken for file in one.files()]
    return [
        dataclasses.replace(
            job,
            measures=tuple(taken),
            digest=hashlib.sha256(f"{job.digest}{own}".encode()).hexdigest(),
            reads=(*job.reads, *files),
        )
        for job in exports
    ]


def _name(measure: Measure) -> str:
    return "scores" if isinstance(measure, Scores) else "throughput"


def _joined(method: str, runs: Sequence[ArmRun]) -> dict[str, float]:
    """What is no finite number is left out, for JSON has no number for it."""
    found: dict[str, float] = {}
    for metric in runs[0].metrics:
        name, values = f"{method}.{metric}", [run.metrics[metric] for run in runs]
        if not all(map(math.isfinite, values)):
            continue
        found[name] = statistics.fmean(values)
        if len(values) > 1:
            found[f"{name}.spread"] = statistics.stdev(values)
        intervals = [run.intervals[metric] for run in runs if metric in run.intervals]
        for bound, ends in zip(("low", "high"), zip(*intervals, strict=True), strict=False):
            found[f"{name}.{bound}"] = statistics.fmean(ends)
    return found


def _mistake(rule: str, example: str, value: object) -> errors.UserError:
    setting = rule.partition(" ")[0]
    return errors.UserError(
        rule, example=f"{setting} = {example}", received=repr(value), setting=setting
    )


def means(names: Iterable[str]) -> list[str]:
    """Returns those names of scores that are means over the seeds."""
    return sorted(name for name in names if not name.endswith(_ENDINGS))


def columns(found: Sequence[Mapping[str, float]]) -> list[str]:
    """Returns the names of all scores, in their order."""
    return list(dict.fromkeys(name for scores in found for name in scores))
