"""Linear probes: how much of what is asked for a linear model finds in frozen vectors.

A logistic regression predicts classes, a ridge regression scores, as in SentEval (Conneau and
Kiela, 2018, arxiv.org/abs/1803.05449): vectors are standardized, and how strongly the model is held
back is chosen by cross-validation on the examples to train on.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import special

# Of the penalty, from the strongest, which is quickest to fit: each begins where the last ended.
STRENGTHS = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
_FOLDS = 5
_ITERATIONS = 300
_TOLERANCE = 1e-7  # Of the loss, in parts of it.
_REMEMBERED = 10  # Steps.
_ARMIJO = 1e-4  # Which part of what the slope promises a step must gain.
_TINY = 1e-12
# Less than this is rounding: the column is constant.
_LEAST_DEVIATION = 1e-7

Model = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Vectors and what is to be predicted of them.

    Attributes:
      vectors: Float `[N, D]` (N: how many examples, D: length of a vector).
      labels: The numbers of the classes or the scores, `[N]`.
    """

    vectors: np.ndarray
    labels: np.ndarray

    def rows(self, chosen: np.ndarray) -> Examples:
        """Returns some of the examples."""
        return Examples(self.vectors[chosen], self.labels[chosen])


@dataclasses.dataclass(frozen=True)
class Probe:
    """A linear model that was fitted.

    Attributes:
      strength: The penalty that was chosen, one of `STRENGTHS`.
      family: What it is.
      model: What it makes of vectors.
    """

    strength: float
    family: Logistic | Ridge
    model: Model

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Returns classes or scores `[N]` of vectors `[N, D]`."""
        return self.family.predicted(self.model(vectors))


def fit(train: Examples, *, num_classes: int, seed: int) -> Probe:
    """Fits a linear model.

    Args:
      train: What it is fitted to.
      num_classes: How many classes there are; 0 where scores are predicted.
      seed: Of how `train` is divided to choose the penalty.

    Raises:
      ValueError: There are fewer than two examples, or a vector is not finite.
    """
    if len(train.labels) < 2 or not np.isfinite(train.vectors).all():
        raise ValueError(
            "A linear model is fitted to two examples or more of finite numbers, not to "
            f"{len(train.labels)} with {np.sum(~np.isfinite(train.vectors))} others."
        )
    family = Logistic(num_classes) if num_classes else Ridge()
    strength = _best_strength(train, family, seed)
    *_, model = family.fit(train, STRENGTHS[: STRENGTHS.index(strength) + 1])
    return Probe(strength, family, model)


def _best_strength(train: Examples, family: Logistic | Ridge, seed: int) -> float:
    """The strength of the smallest loss on parts of the examples that were left out in turn.

    Weaker ones, which take longest, are tried only while the loss becomes less.
    """
    parts = folds(train.labels, seed)
    left_out = [train.rows(parts == number) for number in range(parts.max() + 1)]
    fitted = [family.fit(train.rows(parts != number), STRENGTHS) for number in range(len(left_out))]
    best, least = STRENGTHS[0], math.inf
    for strength, *models in zip(STRENGTHS, *fitted, strict=True):
        loss = sum(
            family.loss(model(part.vectors), part.labels)
            for model, part in zip(models, left_out, strict=True)
        )
        if loss >= least:
            break
        best, least = strength, loss
    return best


def folds(labels: np.ndarray, seed: int) -> np.ndarray:
    """Divides examples into parts that have about the same labels.

    Args:
      labels: The labels, `[N]`.
      seed: Of the order among equal labels.

    Returns:
      The number of each example's part, int `[N]`.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    parts = np.empty(len(labels), int)
    parts[order] = np.arange(len(labels)) % min(_FOLDS, len(labels))
    return parts


@dataclasses.dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression, penalized by half the squared length of its weights.

    Attributes:
      num_classes: How many classes there are.
    """

    num_classes: int

    def fit(self, train: Examples, strengths: Sequence[float]) -> Iterator[Model]:
        """Yields a model that makes logits `[N, C]` (C: how many classes) for each strength."""
        standardize = _standardizer(train.vectors)
        inputs = standardize(train.vectors)
        wanted = np.eye(self.num_classes)[train.labels.astype(int)]
        weights = np.zeros([inputs.shape[1] + 1, self.num_classes])
        for strength in strengths:
            weights = _minimized(inputs, wanted, strength, weights)
            yield _linear(standardize, weights[:-1], weights[-1])

    def loss(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """Returns the sum of the cross entropies."""
        logs = special.log_softmax(outputs, axis=1)
        return float(-np.sum(logs[np.arange(len(labels)), labels.astype(int)]))

    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the most likely classes, `[N]`."""
        return np.argmax(outputs, axis=1)


def _minimized(
    inputs: np.ndarray, wanted: np.ndarray, strength: float, start: np.ndarray
) -> np.ndarray:
    """Minimizes mean cross entropy and penalty; the last row of weights is the bias, left free."""

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(start.shape)
        logs = special.log_softmax(inputs @ weights[:-1] + weights[-1], axis=1)
        penalty = strength / 2 * np.sum(np.square(weights[:-1]))
        loss = penalty - np.sum(wanted * logs) / len(inputs)
        slope = (np.exp(logs) - wanted) / len(inputs)
        gradient = np.vstack([inputs.T @ slope + strength * weights[:-1], slope.sum(axis=0)])
        return float(loss), gradient.ravel()

    return _lbfgs(loss_and_gradient, start.ravel()).reshape(start.shape)


def _lbfgs(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]], at: np.ndarray
) -> np.ndarray:
    """Minimizes a convex function: L-BFGS (Nocedal and Wright, 2006, algorithm 7.5).

    SciPy's calls LAPACK for tiny matrices, by all threads: where these are busy with other work, it
    is a hundred times slower.

    Args:
      function: Gives its value and its gradient at a point `[P]` (P: how many parameters).
      at: Where to begin.
    """
    known: collections.deque[tuple[np.ndarray, np.ndarray]] = collections.deque(maxlen=_REMEMBERED)
    value, gradient = function(at)
    for _ in range(_ITERATIONS):
        direction = -_times_inverse_hessian(gradient, known)
        size = 1.0 if known else min(1.0, 1.0 / max(float(np.abs(gradient).sum()), _TINY))
        slope = float(gradient @ direction)
        new_value, new_gradient = function(at + size * direction)
        while new_value > value + _ARMIJO * size * slope and size > _TINY:
            size /= 2
            new_value, new_gradient = function(at + size * direction)
        if size <= _TINY:
            return at
        step, change = size * direction, new_gradient - gradient
        if step @ change > _TINY:
            known.append((step, change))
        gained = value - new_value
        at, value, gradient = at + step, new_value, new_gradient
        if gained <= _TOLERANCE * max(abs(value), _TOLERANCE):
            break
    return at


def _times_inverse_hessian(
    gradient: np.ndarray, known: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """The gradient, scaled by what steps and changes of the gradient tell (algorithm 7.4)."""
    found = gradient.copy()
    parts = []
    for step, change in reversed(known):
        part = float(step @ found) / float(step @ change)
        parts.append(part)
        found -= part * change
    if known:
        step, change = known[-1]
        found *= float(step @ change) / float(change @ change)
    for (step, change), part in zip(known, reversed(parts), strict=True):
        found += (part - float(change @ found) / float(step @ change)) * step
    return found


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Linear regression, penalized by half the squared length of its weights, in closed form."""

    def fit(self, train: Examples, strengths: Sequence[float]) -> Iterator[Model]:
        """Yields a model that makes scores `[N, 1]` for each strength."""
        standardize = _standardizer(train.vectors)
        inputs = standardize(train.vectors)
        bias = np.mean(train.labels, keepdims=True)
        sizes, directions = np.linalg.eigh(inputs.T @ inputs / len(inputs))
        along = directions.T @ (inputs.T @ (train.labels - bias)) / len(inputs)
        for strength in strengths:
            weights = directions @ (along / (sizes + strength))
            yield _linear(standardize, weights[:, np.newaxis], bias)

    def loss(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """Returns the sum of the squared errors."""
        return float(np.sum(np.square(outputs[:, 0] - labels)))

    def predicted(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the scores, `[N]`."""
        return outputs[:, 0]


def _standardizer(vectors: np.ndarray) -> Model:
    """What gives each column mean 0 and deviation 1, but for those that are constant."""
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    scale = np.where(deviation > _LEAST_DEVIATION, deviation, np.inf)
    return lambda given: (given - mean) / scale


def _linear(standardize: Model, weights: np.ndarray, bias: np.ndarray) -> Model:
    return lambda given: standardize(given) @ weights + bias
