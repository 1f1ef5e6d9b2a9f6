"""Whether an export's scores differ from the baseline's by more than seeds differ among themselves.

The arms of one seed have the same initial head, order of examples and dropout, so what is looked at
is their difference seed by seed. Its mean has a 95% interval by Student's t with n - 1 degrees of
freedom (n: how many seeds), as for paired observations in Student (1908), "The Probable Error of a
Mean", Biometrika 6(1), section IX. The interval is that of one metric: of twenty metrics without a
difference, one is expected to seem to have one.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from scipy import special

from exporter.evaluation import records

CONFIDENCE = 0.95
# The last words of names of metrics of which less is better.
_LESS_IS_BETTER = frozenset({"loss", "error", "perplexity", "mse", "mae", "rmse"})
# Differences that float32 makes, in parts of the scores.
_ROUNDING = 1e-6


class Outcome(enum.Enum):
    """What a comparison says of the export."""

    EQUAL = "equal"
    WITHIN_NOISE = "no difference beyond the seeds' noise"
    BETTER = "better"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Summary:
    """One arm's scores.

    Attributes:
      scores: The score of each seed.
      mean: Their mean; None where one is no finite number.
      spread: Their sample standard deviation, with n - 1; None of one score.
    """

    scores: Mapping[int, float]
    mean: float | None
    spread: float | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One metric of both arms.

    Attributes:
      metric: Its name.
      less_is_better: Whether a lower score is better.
      export: The export's scores.
      baseline: The baseline's scores.
      difference: The mean of export minus baseline over the seeds that both have; None where there
        is none.
      spread: The sample standard deviation of these differences.
      interval: Where their mean lies, with a confidence of `CONFIDENCE`; None where seeds are too
        few, or have no spread to make it of.
      outcome: What that says.
      verdict: The same as a sentence.
    """

    metric: str
    less_is_better: bool
    export: Summary
    baseline: Summary
    difference: float | None
    spread: float | None
    interval: tuple[float, float] | None
    outcome: Outcome
    verdict: str


def is_less_better(metric: str) -> bool:
    """Whether a metric's lower score is the better one, by its name."""
    return metric.lower().replace("/", "_").split("_")[-1] in _LESS_IS_BETTER


def compare_all(evaluation: records.Evaluation) -> list[Comparison]:
    """Compares the arms in each metric, in the order in which the runs have them.

    Args:
      evaluation: With the runs of both arms.
    """
    scores: dict[str, dict[str, dict[int, float]]] = {}
    for run in evaluation.runs:
        for metric, score in run.metrics.items():
            arms = scores.setdefault(metric, {arm: {} for arm in records.ARMS})
            arms[run.arm][run.seed] = score
    return [
        compare(
            metric,
            arms[records.EXPORT],
            arms[records.BASELINE],
            only_rounding=evaluation.only_rounding,
        )
        for metric, arms in scores.items()
    ]


def compare(
    metric: str,
    export: Mapping[int, float],
    baseline: Mapping[int, float],
    *,
    only_rounding: bool = False,
) -> Comparison:
    """Compares the arms in one metric.

    Args:
      metric: Its name.
      export: The export's score of each seed.
      baseline: The baseline's score of each seed.
      only_rounding: Whether what is scored is equal but for rounding.
    """
    less = is_less_better(metric)
    seeds = sorted(export.keys() & baseline.keys())
    pairs = [(export[seed], baseline[seed]) for seed in seeds]
    reason = _why_unknown(export, baseline, seeds)
    mean = spread = interval = None
    if reason is None:
        differences = _differences(pairs)
        mean, spread = _mean_and_spread(differences)
        interval = _interval(differences, scale=_scale(pairs))
        if only_rounding and mean != 0:
            outcome = Outcome.EQUAL
            verdict = f"no difference but for rounding: {number(mean, signed=True)}"
        else:
            outcome, verdict = _judge(mean, interval, len(seeds), less=less)
    else:
        outcome, verdict = Outcome.UNKNOWN, reason
    unpaired = sorted(export.keys() ^ baseline.keys())
    if unpaired and seeds:
        verdict += f"; seeds that only one arm has are left out: {_list(unpaired)}"
    return Comparison(
        metric, less, summarize(export), summarize(baseline), mean, spread, interval, outcome,
        verdict,
    )  # fmt: skip


def summarize(scores: Mapping[int, float]) -> Summary:
    """Returns mean and spread of one arm's scores, by seed."""
    values = list(scores.values())
    if not values or not all(map(math.isfinite, values)):
        return Summary(scores, None, None)
    return Summary(scores, *_mean_and_spread(values))


def _differences(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Export minus baseline, and zero where that is nothing but rounding."""
    return [
        0.0 if abs(export - baseline) <= _ROUNDING * _scale([(export, baseline)])
        else export - baseline
        for export, baseline in pairs
    ]  # fmt: skip


def _scale(pairs: Iterable[tuple[float, float]]) -> float:
    return max(1.0, *(abs(score) for pair in pairs for score in pair))


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def _interval(differences: Sequence[float], scale: float) -> tuple[float, float] | None:
    """The interval of the mean; None where there is no spread but rounding."""
    mean, spread = _mean_and_spread(differences)
    if spread is None or spread <= _ROUNDING * scale:
        return None
    count = len(differences)
    quantile = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half = quantile * spread / math.sqrt(count)
    return mean - half, mean + half


def _why_unknown(
    export: Mapping[int, float], baseline: Mapping[int, float], seeds: Sequence[int]
) -> str | None:
    if not seeds:
        return "not compared: no seed has scores of both arms"
    for arm, scores in zip(records.ARMS, (export, baseline), strict=True):
        wrong = [seed for seed in seeds if not math.isfinite(scores[seed])]
        if wrong:
            return f"not compared: the score of the {arm} is no finite number for {_list(wrong)}"
    return None


def _list(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _judge(
    mean: float, interval: tuple[float, float] | None, count: int, *, less: bool
) -> tuple[Outcome, str]:
    if interval is not None:
        return _judge_by(interval, mean, less=less)
    outcome = Outcome.BETTER if (mean < 0) == less else Outcome.WORSE
    by = f"the export is {outcome.value} by {number(abs(mean))}"
    if mean == 0:
        each = f"each of {count} seeds" if count > 1 else "the only seed"
        return Outcome.EQUAL, f"no difference: the scores are equal for {each}"
    if count == 1:
        return Outcome.UNKNOWN, f"{by} with the only seed; what is noise takes more seeds to tell"
    return outcome, f"{by} for each of {count} seeds alike"


def _judge_by(interval: tuple[float, float], mean: float, *, less: bool) -> tuple[Outcome, str]:
    low, high = interval
    told = f"95% interval {number(low, signed=True)} to {number(high, signed=True)}"
    if low <= 0 <= high:
        outcome = Outcome.WITHIN_NOISE
        return outcome, f"{outcome.value}: {number(mean, signed=True)}, {told}"
    outcome = Outcome.BETTER if (mean < 0) == less else Outcome.WORSE
    return outcome, f"the export is {outcome.value} by {number(abs(mean))}, {told}"


def number(value: float, *, signed: bool = False) -> str:
    """Returns a score as text: four decimals, or as many digits where these show nothing.

    Args:
      value: The score.
      signed: Whether a plus is written, too.
    """
    sign = "+" if signed else ""
    if abs(value) < _ROUNDING / 10:
        value = 0.0
    if value == 0 or 5e-5 <= abs(value) < 1000:
        return f"{value:{sign}.4f}"
    return f"{value:{sign}.4g}"
