from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from exporter.evaluation import linear_probes

_SEED = 20201012


def _clusters(count: int, spread: float, *, seed: int = _SEED) -> linear_probes.Examples:
    """Three classes around corners of a triangle, in the first two of five dimensions."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    vectors = random.normal(0.0, 1.0, [count, 5])
    vectors[:, :2] = corners[labels] + spread * vectors[:, :2]
    return linear_probes.Examples(vectors, labels)


def _scores(count: int, noise: float, *, seed: int = _SEED) -> linear_probes.Examples:
    random = np.random.default_rng(seed)
    vectors = random.normal(3.0, 2.0, [count, 4])
    labels = vectors @ [1.0, -2.0, 0.5, 0.0] + 7.0 + noise * random.normal(size=count)
    return linear_probes.Examples(vectors, labels)


def test_separate_classes_are_found() -> None:
    found = linear_probes.fit(_clusters(90, 0.3), num_classes=3, seed=0)
    others = _clusters(60, 0.3, seed=1)
    assert (found.predict(others.vectors) == others.labels).all()
    assert found.strength in linear_probes.STRENGTHS


def test_what_vectors_do_not_show_is_not_found() -> None:
    examples = _clusters(300, 0.3)
    mixed = np.random.default_rng(5).permutation(examples.labels)
    blind = linear_probes.Examples(examples.vectors, mixed)
    found = linear_probes.fit(blind, num_classes=3, seed=0)
    others = _clusters(300, 0.3, seed=1)
    assert np.mean(found.predict(others.vectors) == others.labels) < 0.5
    assert found.strength >= 0.1


def test_a_linear_relation_is_found() -> None:
    found = linear_probes.fit(_scores(80, 0.0), num_classes=0, seed=0)
    others = _scores(40, 0.0, seed=1)
    assert found.strength == min(linear_probes.STRENGTHS)
    assert found.predict(others.vectors) == pytest.approx(others.labels, abs=0.02)


def test_logistic_regression_is_at_its_minimum() -> None:
    examples, strength = _clusters(90, 2.0), 0.1
    (model,) = linear_probes.Logistic(3).fit(examples, [strength])
    standard = (examples.vectors - examples.vectors.mean(axis=0)) / examples.vectors.std(axis=0)
    # What it does to the mean and to one deviation along each axis are its bias and weights.
    mean, deviation = examples.vectors.mean(axis=0), examples.vectors.std(axis=0)
    bias = model(mean[np.newaxis])[0]
    weights = model(mean + np.diag(deviation)) - bias

    slope = special.softmax(standard @ weights + bias, axis=1) - np.eye(3)[examples.labels]
    assert standard.T @ slope / 90 + strength * weights == pytest.approx(np.zeros([5, 3]), abs=1e-3)
    assert slope.sum(axis=0) / 90 == pytest.approx(np.zeros(3), abs=1e-3)
    assert np.abs(weights).max() > 0.1


def test_ridge_regression_solves_its_equations() -> None:
    examples, strength = _scores(30, 1.0), 0.5
    (model,) = linear_probes.Ridge().fit(examples, [strength])

    mean, deviation = examples.vectors.mean(axis=0), examples.vectors.std(axis=0)
    standard = (examples.vectors - mean) / deviation
    left = standard.T @ standard / 30 + strength * np.eye(4)
    weights = np.linalg.solve(left, standard.T @ (examples.labels - examples.labels.mean()) / 30)
    expected = standard @ weights + examples.labels.mean()
    assert model(examples.vectors)[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize("num_classes", [3, 0])
def test_what_is_linear_in_the_vectors_changes_nothing(num_classes: int) -> None:
    """Both models see standardized vectors: neither scale nor offset nor constants matter."""
    train, validation = _clusters(90, 3.0), _clusters(60, 3.0, seed=1)

    def changed(examples: linear_probes.Examples) -> linear_probes.Examples:
        constant = np.full([len(examples.labels), 2], 0.1)
        vectors = np.hstack([examples.vectors * [1e3, 1e-3, 1, 1, 2] + 5, constant])
        return linear_probes.Examples(vectors, examples.labels)

    plain, other = (
        linear_probes.fit(examples, num_classes=num_classes, seed=0)
        for examples in (train, changed(train))
    )
    assert other.strength == plain.strength
    expected = plain.predict(validation.vectors)
    assert other.predict(changed(validation).vectors) == pytest.approx(expected, abs=1e-6)


def test_more_dimensions_than_examples() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=[12, 50])
    examples = linear_probes.Examples(vectors, (vectors[:, 0] > 0).astype(int))
    found = linear_probes.fit(examples, num_classes=2, seed=0)

    assert set(found.predict(vectors)) == {0, 1}


def test_a_class_of_one_example() -> None:
    train = _clusters(31, 0.3)
    rare = linear_probes.Examples(train.vectors, np.where(np.arange(31) == 30, 2, train.labels % 2))
    found = linear_probes.fit(rare, num_classes=3, seed=0)

    assert np.mean(found.predict(rare.vectors) == rare.labels) > 0.5


def test_folds_have_about_the_same_labels() -> None:
    labels = np.array([0] * 50 + [1] * 10)
    parts = linear_probes.folds(labels, seed=3)

    for part in range(5):
        assert np.sum(parts == part) == 12
        assert np.sum(labels[parts == part]) == 2
    assert (linear_probes.folds(labels, seed=3) == parts).all()
    assert (linear_probes.folds(labels, seed=4) != parts).any()
    assert sorted(linear_probes.folds(np.array([1.5, 2.5]), seed=0)) == [0, 1]


def test_too_few_examples() -> None:
    with pytest.raises(ValueError, match="two examples or more of finite numbers, not to 1 with 0"):
        linear_probes.fit(_clusters(1, 1.0), num_classes=3, seed=0)


def test_vectors_that_are_no_numbers() -> None:
    examples = _clusters(9, 1.0)
    examples.vectors[3, 2] = np.nan
    with pytest.raises(ValueError, match="not to 9 with 1 others"):
        linear_probes.fit(examples, num_classes=3, seed=0)
