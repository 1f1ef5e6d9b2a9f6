"""Scores of predictions, and how far they would differ on other examples.

The metrics are those of GLUE's tasks (Wang et al., 2018, arxiv.org/abs/1804.07461, table 1), with
the values of scikit-learn's and SciPy's functions, in NumPy. Intervals are by the percentile
bootstrap (Efron and Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13): examples are
drawn with replacement, as many as there are, a thousand times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

_DRAWS = 1000
_PERCENTILES = (2.5, 97.5)

Metric = Callable[[np.ndarray, np.ndarray], float]


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Returns which part of the predictions is right."""
    return float(np.mean(labels == predicted))


def f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the harmonic mean of precision and recall of class 1; 0 where there is none."""
    found = np.sum((labels == 1) & (predicted == 1))
    there = np.sum(labels == 1) + np.sum(predicted == 1)
    return float(2 * found / there) if there else 0.0


def matthews(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Returns Matthews' correlation; 0 where there is but one class.

    Of any number of classes, it is that of Gorodkin (2004), "Comparing two K-category assignments
    by a K-category correlation coefficient".
    """
    classes = np.union1d(labels, predicted)
    first, second = (given[:, np.newaxis] == classes for given in (labels, predicted))
    first, second = (found - found.mean(axis=0) for found in (first, second))
    size = np.sqrt(np.sum(first * first) * np.sum(second * second))
    return float(np.sum(first * second) / size) if size else 0.0


def correlation(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the mean of Pearson's and Spearman's; NaN where either side is constant."""
    if np.ptp(labels) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    pearson = stats.pearsonr(labels, predicted)[0]
    spearman = stats.spearmanr(labels, predicted)[0]
    return float(pearson + spearman) / 2


def mean_squared_error(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the mean of the squared differences."""
    return float(np.mean(np.square(labels - predicted)))


METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews_corrcoef": matthews,
    "mean_squared_error": mean_squared_error,
    "pearson_spearman_corr": correlation,
}


def score(
    names: Sequence[str], labels: np.ndarray, predicted: np.ndarray, *, seed: int
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Scores predictions.

    Args:
      names: Which of `METRICS`.
      labels: The numbers of the classes or the scores, `[N]` (N: how many examples).
      predicted: What was predicted, `[N]`.
      seed: Of the examples that are drawn.

    Returns:
      The scores and their 95% intervals over the examples, by the metrics' names.
    """
    scores = {name: METRICS[name](labels, predicted) for name in names}
    intervals = {
        name: interval(
            lambda rows, metric=METRICS[name]: metric(labels[rows], predicted[rows]),  # type: ignore[misc]
            len(labels),
            seed=seed,
        )
        for name in names
    }
    return scores, intervals


def interval(
    statistic: Callable[[np.ndarray], float], count: int, *, seed: int
) -> tuple[float, float]:
    """Returns the 95% interval of a statistic over examples.

    Args:
      statistic: Makes the number of the examples' numbers, int `[count]`; NaN is left out.
      count: How many examples there are.
      seed: Of the examples that are drawn.
    """
    random = np.random.default_rng(seed)
    drawn = np.array([statistic(random.integers(count, size=count)) for _ in range(_DRAWS)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, _PERCENTILES)
    return float(low), float(high)
