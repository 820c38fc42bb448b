"""Neighborhood and linear R²: by hand, against scikit-learn, by chance, and their intervals."""

import numpy as np
import pytest

import unknot
from unknot.metrics import UndefinedMeasureError, linear_r2, neighborhood_r2


def test_neighborhood_r2_by_hand():
    # One neighbor each: 0 and 1, 10 and 11. Residuals are -1, 1, -2, 2: squares sum to 10.
    points = np.array([[0.0], [1.0], [10.0], [11.0]])
    values = np.array([1.0, 2.0, 5.0, 7.0])
    # The mean is 3.75; squares about it: 7.5625 + 3.0625 + 1.5625 + 10.5625 = 22.75.
    found = neighborhood_r2(points, values, k=1)
    assert found.value == pytest.approx(1 - 10 / 22.75)
    assert found.predictions.tolist() == [2.0, 1.0, 7.0, 5.0]


def test_values_at_random_are_worth_minus_one_over_k():
    rng = np.random.default_rng(0)
    found = [
        neighborhood_r2(rng.normal(size=(300, 3)), rng.normal(size=300), k=5).value
        for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(-1 / 5, abs=0.05)


@pytest.mark.parametrize("shape", [(200, 5), (60, 150)])
def test_linear_r2_is_that_of_ridge_with_the_best_penalty(shape):
    linear = pytest.importorskip("sklearn.linear_model")
    n, d = shape
    rng = np.random.default_rng(3)
    points = rng.normal(size=shape)
    values = points @ rng.normal(size=d) + rng.normal(size=n)
    found = linear_r2(points, values, random_state=0)
    # The folds as they are drawn; the penalties are relative to the mean eigenvalue.
    folds = np.random.default_rng(0).permutation(np.arange(n) % 5)
    expected = np.empty(n)
    for fold in range(5):
        train = folds != fold
        centered = points[train] - points[train].mean(axis=0)
        rank = min(train.sum(), d) if d <= n else train.sum()
        penalties = 10.0 ** np.arange(-6, 3) * np.square(centered).sum() / rank
        model = linear.RidgeCV(alphas=penalties).fit(points[train], values[train])
        expected[~train] = model.predict(points[~train])
    np.testing.assert_allclose(found.predictions, expected, rtol=1e-5, atol=1e-5)
    assert found.value == pytest.approx(1 - np.mean((values - expected) ** 2) / values.var())


def test_what_is_not_defined_or_not_numbers():
    points = np.arange(8.0)[:, None]
    with pytest.raises(UndefinedMeasureError, match="variance"):
        neighborhood_r2(points, np.ones(8))
    with pytest.raises(UndefinedMeasureError, match="at least four"):
        linear_r2(points[:3], [1.0, 2.0, 3.0], n_folds=3)
    with pytest.raises(ValueError, match="1 missing values"):
        linear_r2(points, [*range(7), np.nan])
    with pytest.raises(ValueError, match="1 infinite values"):
        linear_r2(points, [*range(7), np.inf])
    with pytest.raises(ValueError, match="one number for each of the 8 samples"):
        linear_r2(points, [1.0, 2.0])
    with pytest.raises(TypeError, match="must be numbers"):
        linear_r2(points, list("abcdefgh"))
    # Points that coincide predict the mean.
    assert linear_r2(np.zeros((8, 2)), np.arange(8.0)).value <= 0


def test_measure_tells_numbers_from_classes():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(80, 4))
    values = points[:, 0] + 0.1
    scores = unknot.measure(points, values, points[:, :2])
    assert {score.family for score in scores.values()} == {
        "faithfulness", "dimension", "similarity", "regression",
    }  # fmt: skip
    assert scores["linear_r2"].value > 0.99
    assert scores["linear_r2"].null < 0.1
    assert scores.n_samples == 80
    ages = np.round(10 * values).astype(int)
    by_family = unknot.measure(points, ages, measures="regression")
    by_kind = unknot.measure(points, ages, label_kind="values")
    assert by_family["linear_r2"].value == by_kind["linear_r2"].value
    classes = unknot.measure(points, ages > 0)
    assert "linear_r2" not in classes
    assert "linear_r2" not in classes.skipped
    named = unknot.measure(points, values, measures=["linear_r2", "nc1"], n_resamples=0)
    assert named.skipped["nc1"] == "the labels are numbers"
    with pytest.raises(ValueError, match="label_kind must be"):
        unknot.measure(points, values, label_kind="number")


@pytest.mark.slow
def test_intervals_are_as_wide_as_the_scatter_over_data_sets():
    found = {"neighborhood_r2": [], "linear_r2": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        points = rng.normal(size=(400, 3))
        values = np.sin(points[:, 0]) + 0.3 * rng.normal(size=400)
        scores = unknot.measure(points, values, measures="regression", n_permutations=0)
        for name, rows in found.items():
            low, high = scores[name].interval
            rows.append((scores[name].value, high - low))
    for rows in found.values():
        values, widths = np.array(rows).T
        assert 0.7 < widths.mean() / (3.92 * values.std()) < 1.6
