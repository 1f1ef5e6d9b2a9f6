from __future__ import annotations

import math
import statistics as python_statistics

import hypothesis
import pytest
from hypothesis import strategies as st
from scipy import stats

from exporter.evaluation import records, statistics

Outcome = statistics.Outcome
# The hours of sleep that Student's paper compares, of which R's `t.test(paired = TRUE)` says a mean
# difference of 1.58 and an interval of 0.7001142 to 2.4598858.
_SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
_FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
_SCORES = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8
)  # Of export and baseline, for each seed.


def _by_seed(scores: tuple[float, ...] | list[float]) -> dict[int, float]:
    return dict(enumerate(scores))


def _compare(
    export: tuple[float, ...], baseline: tuple[float, ...], metric: str = "accuracy"
) -> statistics.Comparison:
    return statistics.compare(metric, _by_seed(export), _by_seed(baseline))


def test_the_interval_is_students() -> None:
    found = _compare(_SECOND, _FIRST)

    assert found.difference == pytest.approx(1.58)
    assert found.spread == pytest.approx(1.229995, abs=1e-6)
    assert found.interval == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert found.outcome is Outcome.BETTER
    assert found.verdict == ("the export is better by 1.5800, 95% interval +0.7001 to +2.4599")


def test_the_interval_of_three_seeds_by_hand() -> None:
    # Differences 0.01, 0.02 and 0.06: mean 0.03, standard deviation sqrt(0.0007), and 4.302653 is
    # Student's quantile with 2 degrees of freedom.
    found = _compare((0.81, 0.82, 0.86), (0.80, 0.80, 0.80))

    half = 4.302653 * math.sqrt(0.0007 / 3)
    assert found.interval == pytest.approx((0.03 - half, 0.03 + half), abs=1e-8)
    assert found.outcome is Outcome.WITHIN_NOISE
    assert found.verdict == (
        "no difference beyond the seeds' noise: +0.0300, 95% interval -0.0357 to +0.0957"
    )


def test_mean_and_spread_of_an_arm() -> None:
    found = _compare((0.81, 0.82, 0.86), (0.80, 0.80, 0.80))

    assert found.export.mean == pytest.approx(0.83)
    assert found.export.spread == pytest.approx(math.sqrt(0.0007))
    assert found.baseline == statistics.Summary({0: 0.80, 1: 0.80, 2: 0.80}, 0.80, 0.0)


def test_equal_scores() -> None:
    found = _compare((0.9, 0.8), (0.9, 0.8))

    assert (found.difference, found.spread, found.interval) == (0.0, 0.0, None)
    assert found.outcome is Outcome.EQUAL
    assert found.verdict == "no difference: the scores are equal for each of 2 seeds"


def test_rounding_is_no_difference() -> None:
    found = _compare((0.9, 0.8 + 5e-8), (0.9 - 1e-7, 0.8))

    assert found.difference == 0.0
    assert found.outcome is Outcome.EQUAL


def test_a_constant_difference_has_no_interval() -> None:
    found = _compare((0.85, 0.75, 0.95), (0.80, 0.70, 0.90))

    assert found.interval is None
    assert found.outcome is Outcome.BETTER
    assert found.verdict == "the export is better by 0.0500 for each of 3 seeds alike"


def test_a_difference_that_can_be_but_rounding() -> None:
    scores = _by_seed((1.22373,) * 3), _by_seed((1.2237,) * 3)

    found = statistics.compare("mean_squared_error", *scores, only_rounding=True)

    assert found.outcome is Outcome.EQUAL
    assert found.verdict == "no difference but for rounding: +3e-05"


def test_one_seed_has_no_interval() -> None:
    found = _compare((0.75,), (0.80,))

    assert (found.export.spread, found.spread, found.interval) == (None, None, None)
    assert found.outcome is Outcome.UNKNOWN
    assert found.verdict == (
        "the export is worse by 0.0500 with the only seed; what is noise takes more seeds to tell"
    )


def test_equal_scores_of_one_seed() -> None:
    found = _compare((0.8,), (0.8,))

    assert found.outcome is Outcome.EQUAL
    assert found.verdict == "no difference: the scores are equal for the only seed"


def test_two_seeds_must_differ_much_to_tell() -> None:
    # Student's quantile with one degree of freedom is 12.7062.
    found = _compare((0.80, 0.84), (0.70, 0.70))

    half = 12.7062047 * 0.02
    assert found.interval == pytest.approx((0.12 - half, 0.12 + half), abs=1e-7)
    assert found.outcome is Outcome.WITHIN_NOISE


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        ("loss", True),
        ("label_mse", True),
        ("mean_squared_error", True),
        ("pseudo_perplexity", True),
        ("Matched/Loss", True),
        ("accuracy", False),
        ("cls_accuracy", False),
        ("f1", False),
        ("lossless", False),
        ("pearson_spearman_corr", False),
    ],
)
def test_which_metrics_are_better_when_lower(metric: str, less: bool) -> None:
    found = _compare(_SECOND, _FIRST, metric)

    assert found.less_is_better is less
    assert found.outcome is (Outcome.WORSE if less else Outcome.BETTER)


def test_seeds_of_one_arm_only_are_left_out() -> None:
    found = statistics.compare("f1", {1: 0.5, 2: 0.6, 3: 0.9}, {2: 0.6, 1: 0.5, 7: 0.1})

    assert found.outcome is Outcome.EQUAL
    assert found.verdict == (
        "no difference: the scores are equal for each of 2 seeds; seeds that only one arm has are "
        "left out: seeds 3, 7"
    )


def test_no_seed_of_both_arms() -> None:
    found = statistics.compare("f1", {1: 0.5}, {})

    assert found.difference is None
    assert found.outcome is Outcome.UNKNOWN
    assert found.verdict == "not compared: no seed has scores of both arms"
    assert found.baseline == statistics.Summary({}, None, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers(value: float) -> None:
    found = _compare((0.5, 0.5), (0.5, value))

    assert (found.difference, found.spread, found.interval) == (None, None, None)
    assert (found.baseline.mean, found.baseline.spread) == (None, None)
    assert found.outcome is Outcome.UNKNOWN
    assert found.verdict == (
        "not compared: the score of the baseline is no finite number for seed 1"
    )


def _run(arm: str, seed: int, **metrics: float) -> records.ArmRun:
    return records.ArmRun(arm, seed, metrics)


def test_each_metric_is_compared_by_itself() -> None:
    runs = [
        _run("export", 1, accuracy=0.9, f1=0.8),
        _run("baseline", 1, accuracy=0.9, f1=0.7),
        _run("baseline", 2, accuracy=0.7, f1=0.6),
        _run("export", 2, accuracy=0.7, f1=0.7),
    ]
    accuracy, f1 = statistics.compare_all(
        records.Evaluation("t", "e", {}, settings={}, checks=[], runs=runs)
    )

    assert (accuracy.metric, accuracy.outcome) == ("accuracy", Outcome.EQUAL)
    assert (f1.metric, f1.outcome) == ("f1", Outcome.BETTER)
    assert f1.export.scores == {1: 0.8, 2: 0.7}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (-1e-9, "0.0000"),
        (0.91234, "0.9123"),
        (12.5, "12.5000"),
        (0.0000123, "1.23e-05"),
        (123456.0, "1.235e+05"),
        (1234.0, "1234"),
    ],
)
def test_numbers_as_text(value: float, text: str) -> None:
    assert statistics.number(value) == text
    assert statistics.number(value, signed=True) == f"+{text}"


@hypothesis.settings(deadline=None)
@hypothesis.given(_SCORES)
def test_the_interval_is_scipys(scores: list[tuple[float, float]]) -> None:
    export, baseline = zip(*scores, strict=True)
    found = _compare(export, baseline)

    assert found.difference == pytest.approx(
        python_statistics.fmean(export) - python_statistics.fmean(baseline), abs=1e-5
    )
    if found.interval is not None:
        whole = stats.ttest_rel(export, baseline).confidence_interval(0.95)
        assert found.interval == pytest.approx((whole.low, whole.high), abs=2e-5)


@hypothesis.settings(deadline=None)
@hypothesis.given(_SCORES)
def test_exchanged_arms_are_judged_the_other_way(scores: list[tuple[float, float]]) -> None:
    export, baseline = zip(*scores, strict=True)
    found, exchanged = _compare(export, baseline), _compare(baseline, export)
    opposite = {Outcome.BETTER: Outcome.WORSE, Outcome.WORSE: Outcome.BETTER}

    assert exchanged.outcome is opposite.get(found.outcome, found.outcome)
    assert exchanged.difference == pytest.approx(-(found.difference or 0.0))


@hypothesis.settings(deadline=None)
@hypothesis.given(_SCORES)
def test_less_is_better_turns_the_verdict_only(scores: list[tuple[float, float]]) -> None:
    export, baseline = zip(*scores, strict=True)
    more, less = _compare(export, baseline), _compare(export, baseline, "loss")
    opposite = {Outcome.BETTER: Outcome.WORSE, Outcome.WORSE: Outcome.BETTER}

    assert less.interval == more.interval
    assert less.outcome is opposite.get(more.outcome, more.outcome)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.dictionaries(st.integers(0, 9), st.floats(0, 1), min_size=1))
def test_an_arm_is_equal_to_itself(scores: dict[int, float]) -> None:
    assert statistics.compare("accuracy", scores, scores).outcome is Outcome.EQUAL


@hypothesis.settings(deadline=None)
@hypothesis.given(_SCORES, st.randoms())
def test_the_order_of_seeds_plays_no_part(scores: list[tuple[float, float]], random) -> None:  # noqa: ANN001
    pairs = list(enumerate(scores))
    found = statistics.compare("a", {s: e for s, (e, _) in pairs}, {s: b for s, (_, b) in pairs})
    random.shuffle(pairs)
    other = statistics.compare("a", {s: e for s, (e, _) in pairs}, {s: b for s, (_, b) in pairs})
    assert (other.difference, other.interval, other.verdict) == (
        found.difference, found.interval, found.verdict,
    )  # fmt: skip
