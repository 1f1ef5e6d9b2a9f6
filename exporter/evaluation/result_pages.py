"""What an evaluation found as a page of HTML that needs nothing else, with learning curves."""

from __future__ import annotations

import html
import math
import statistics as python_statistics
from collections.abc import Iterable, Sequence

from exporter import pages, report_pages, svg_plots
from exporter.evaluation import records, result_tables

_STYLE = "svg { display: block; margin-bottom: 1.5em; }\n"


def page(evaluation: records.Evaluation) -> str:
    """Returns the page."""
    sections = [
        _list(result_tables.verdicts(evaluation)),
        _section("Scores", _table(result_tables.scores(evaluation), numbers_from=2)),
        _section("Learning curves", "".join(plots(evaluation.runs))),
        _section("Speed and memory", _table(result_tables.speed(evaluation), numbers_from=1)),
        _section("Checks", report_pages.table(evaluation.checks) if evaluation.checks else ""),
        _section("What was run", _table([["what", "value"], *result_tables.settings(evaluation)])),
    ]
    return pages.page(
        result_tables.title(evaluation.export_path, evaluation.task),
        result_tables.examples(evaluation.examples),
        "".join(sections),
        _STYLE,
    )


def plots(runs: Sequence[records.ArmRun]) -> list[str]:
    """Returns plots of the training loss and of each metric, of all arms in one.

    Lines are means over the seeds, and bands go from the smallest to the largest.

    Args:
      runs: The runs; those without a curve are left out.
    """
    curves = [(run.arm, run.curve) for run in runs if run.curve is not None]
    metrics = dict.fromkeys(name for _, curve in curves for name in curve.validation)
    losses = [(arm, curve.steps, curve.train_loss) for arm, curve in curves]
    wanted = {"training loss": losses} | {
        f"validation: {name}": [
            (arm, curve.validation_steps, curve.validation[name])
            for arm, curve in curves
            if name in curve.validation
        ]
        for name in metrics
    }
    return [
        svg_plots.plot(title, _lines(found), x_label="step", y_label="")
        for title, found in wanted.items()
        if any(steps for _, steps, _ in found)
    ]


def _lines(
    curves: Iterable[tuple[str, Sequence[int], Sequence[float]]],
) -> list[svg_plots.Line]:
    arms: dict[str, dict[int, list[float]]] = {}
    for arm, steps, values in curves:
        for step, value in zip(steps, values, strict=True):
            if math.isfinite(value):
                arms.setdefault(arm, {}).setdefault(step, []).append(value)
    return [_line(arm, arms[arm]) for arm in records.ARMS if arm in arms]


def _line(arm: str, values: dict[int, list[float]]) -> svg_plots.Line:
    steps = sorted(values)
    return svg_plots.Line(
        arm,
        steps,
        [python_statistics.fmean(values[step]) for step in steps],
        low=[min(values[step]) for step in steps],
        high=[max(values[step]) for step in steps],
    )


def _section(heading: str, inner: str) -> str:
    return f"<h2>{heading}</h2>\n{inner}" if inner else ""


def _table(table: result_tables.Table, *, numbers_from: int | None = None) -> str:
    return pages.table(table[0], table[1:], numbers_from=numbers_from) if table[1:] else ""


def _list(lines: Iterable[str]) -> str:
    items = "\n".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>\n{items}\n</ul>\n"
