from __future__ import annotations

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

from exporter.evaluation import scoring

# Two true positives, one false, three missed, four true negatives.
_LABELS = np.array([1, 1, 0, 1, 1, 1, 0, 0, 0, 0])
_PREDICTED = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])


def test_two_classes_by_hand() -> None:
    assert scoring.accuracy(_LABELS, _PREDICTED) == pytest.approx(0.6)
    # Precision 2/3 and recall 2/5.
    assert scoring.f1(_LABELS, _PREDICTED) == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    # (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))
    expected = (2 * 4 - 1 * 3) / math.sqrt(3 * 5 * 5 * 7)
    assert scoring.matthews(_LABELS, _PREDICTED) == pytest.approx(expected)


def test_correlation_of_more_classes() -> None:
    # Of 6 examples none is right, and each class is there and predicted twice: by Gorodkin
    # (0 * 6 - 3 * 2 * 2) / (6 * 6 - 3 * 2 * 2).
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 2, 0, 0, 1, 1])
    assert scoring.matthews(labels, predicted) == pytest.approx(-0.5)
    assert scoring.matthews(labels, labels) == pytest.approx(1.0)


def test_one_class_has_no_correlation() -> None:
    assert scoring.matthews(_LABELS, np.zeros(10, int)) == 0.0
    assert scoring.f1(np.zeros(10, int), np.zeros(10, int)) == 0.0


def test_scores_by_hand() -> None:
    labels, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])

    assert scoring.mean_squared_error(labels, predicted) == pytest.approx(5 / 3)
    # Means 7/3 and 2; Spearman's of the ranks (1, 2, 3) and (1, 3, 2) is 1/2.
    pearson = 1.0 / math.sqrt(14 / 3 * 2)
    assert scoring.correlation(labels, predicted) == pytest.approx((pearson + 0.5) / 2)
    assert math.isnan(scoring.correlation(labels, np.ones(3)))


def test_score_names_its_metrics() -> None:
    names = ["accuracy", "matthews_corrcoef"]
    scores, intervals = scoring.score(names, _LABELS, _PREDICTED, seed=1)

    assert list(scores) == list(intervals) == names
    assert scores["accuracy"] == pytest.approx(0.6)
    low, high = intervals["accuracy"]
    assert 0.2 <= low < 0.6 < high <= 0.9


def test_the_interval_is_that_of_the_normal_distribution_where_there_are_many() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 2000)

    low, high = scoring.interval(lambda rows: float(values[rows].mean()), len(values), seed=0)
    expected = stats.norm.interval(0.95, values.mean(), values.std() / math.sqrt(2000))
    assert (low, high) == pytest.approx(expected, abs=0.01)


def test_intervals_are_drawn_from_their_seed() -> None:
    def draw(seed: int) -> tuple[float, float]:
        return scoring.interval(lambda rows: float(_LABELS[rows].sum()), 10, seed=seed)

    assert draw(1) == draw(1)
    assert scoring.interval(lambda rows: float("nan"), 10, seed=0) == pytest.approx(
        (math.nan, math.nan), nan_ok=True
    )


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_scores_of_classes_stay_in_their_range(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T

    assert 0 <= scoring.accuracy(labels, predicted) <= 1
    assert 0 <= scoring.f1(labels, predicted) <= 1
    assert -1 - 1e-9 <= scoring.matthews(labels, predicted) <= 1 + 1e-9
    assert scoring.matthews(labels, predicted) == pytest.approx(scoring.matthews(predicted, labels))
    assert scoring.accuracy(labels, labels) == 1
