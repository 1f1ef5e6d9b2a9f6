"""What an evaluation found as verdicts and tables, which its text and its page show alike."""

from __future__ import annotations

import math
import os
import statistics as python_statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter import reports
from exporter.evaluation import records, statistics

_MEGABYTE = 1e6
_NONE = "-"
Table = list[list[str]]


def title(export_path: str, task: str) -> str:
    """Returns what is evaluated, in one line."""
    return f"Evaluation of {os.path.basename(export_path.rstrip('/'))} on {task}"


def examples(counts: Mapping[str, int]) -> str:
    """Returns how many examples there are: "800 of train, 100 of validation"."""
    return ", ".join(f"{count:,} of {split}" for split, count in counts.items())


def verdicts(evaluation: records.Evaluation) -> list[str]:
    """Returns a sentence for each metric, and one for the checks."""
    found = [f"{one.metric}: {one.verdict}" for one in statistics.compare_all(evaluation)] or [
        "nothing was scored"
    ]
    if not evaluation.checks:
        return [*found, "checks: not run"]
    return [*found, f"checks: {reports.Report('', tuple(evaluation.checks)).counts()}"]


def scores(evaluation: records.Evaluation) -> Table:
    """Returns the scores of each metric, arm and seed below a row of what the columns are."""
    seeds = sorted({run.seed for run in evaluation.runs})
    rows = [
        row
        for one in statistics.compare_all(evaluation)
        for row in _scores_of(one, seeds, _intervals(evaluation.runs, one.metric))
    ]
    return [["metric", "arm", "mean", "spread", *(f"seed {seed}" for seed in seeds)], *rows]


def _intervals(
    runs: Iterable[records.ArmRun], metric: str
) -> dict[tuple[str, int], tuple[float, float]]:
    return {(run.arm, run.seed): run.intervals[metric] for run in runs if metric in run.intervals}


def _scores_of(
    one: statistics.Comparison,
    seeds: Sequence[int],
    intervals: Mapping[tuple[str, int], tuple[float, float]],
) -> Table:
    rows = []
    for arm, summary in zip(records.ARMS, (one.export, one.baseline), strict=True):
        cells = [
            _score(summary.scores.get(seed)) + _between(intervals.get((arm, seed)))
            for seed in seeds
        ]
        if summary.scores:
            rows.append([one.metric, arm, _score(summary.mean), _score(summary.spread), *cells])
    if one.difference is not None:
        export, baseline = one.export.scores, one.baseline.scores
        cells = [
            _score(export[seed] - baseline[seed] if seed in export and seed in baseline else None)
            for seed in seeds
        ]
        rows.append([one.metric, "difference", _score(one.difference), _score(one.spread), *cells])
    return rows


def _score(score: float | None) -> str:
    return _NONE if score is None else statistics.number(score)


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({_score(interval[0])} to {_score(interval[1])})"


def speed(evaluation: records.Evaluation) -> Table:
    """Returns what each arm took, below a row of what the columns are; [] where nothing did."""
    rows, rates = [], []
    for arm in records.ARMS:
        runs = [run for run in evaluation.runs if run.arm == arm]
        rate = _of(runs, lambda run: run.steps_per_second, python_statistics.fmean)
        if rate is not None:
            memory = _of(runs, lambda run: run.peak_memory_bytes, max)
            share = _of(runs, lambda run: run.input_share, python_statistics.fmean)
            rates.append(rate)
            rows.append(
                [
                    arm,
                    f"{rate:.2f}",
                    _NONE if memory is None else f"{memory / _MEGABYTE:,.0f} MB",
                    _NONE if share is None else f"{share:.1%}",
                ]
            )
    if len(rates) == len(records.ARMS) and rates[1]:
        rows.append(["export / baseline", f"{rates[0] / rates[1]:.2f}", "", ""])
    head = ["arm", "steps a second", "largest memory", "time waiting for inputs"]
    return [head, *rows] if rows else []


def _of(
    runs: Iterable[records.ArmRun],
    get: Callable[[records.ArmRun], float | None],
    join: Callable[[list[float]], float],
) -> float | None:
    found = [value for run in runs if (value := get(run)) is not None]
    values = [value for value in found if math.isfinite(value)]
    return join(values) if values else None


def settings(evaluation: records.Evaluation) -> Table:
    """Returns what was evaluated and what the arms had in common, by name."""
    return [
        ["export", evaluation.export_path],
        *([["examples", examples(evaluation.examples)]] if evaluation.examples else []),
        *([name, str(value)] for name, value in evaluation.settings.items()),
    ]


def aligned(table: Table) -> list[str]:
    """Returns a table as lines of text."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
