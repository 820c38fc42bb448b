"""The training of probes: one minimum, however its curvature is approximated."""

import numpy as np
import pytest
from scipy.optimize import minimize as reference
from scipy.special import logsumexp

from unknot._parallel.thread_team import ThreadTeam
from unknot.metrics._probe import curvature, training
from unknot.metrics._probe.softmax import FoldedSoftmax


def model_of(points, codes, team, n_folds=2, penalty=1.0):
    folds = np.arange(len(codes)) % n_folds
    held_out = folds == np.arange(n_folds)[:, None]
    labels = np.repeat(codes[None], n_folds, axis=0)
    return FoldedSoftmax(
        points.astype(np.float32), labels, held_out, penalty, team, points.shape[1]
    )


def loss_of(model, fold, weights):
    """The mean loss of a classifier and its penalty, in float64."""
    used = ~model.held_out[fold]
    x, codes = model.x[used].astype(np.float64), model.codes[fold, used]
    z = x @ weights.T
    loss = (logsumexp(z, axis=1) - z[np.arange(len(z)), codes]).mean()
    return loss + model.decay[fold] / 2 * np.square(weights[:, :-1]).sum()


def least_loss(model, fold):
    used = ~model.held_out[fold]
    x, codes = model.x[used].astype(np.float64), model.codes[fold, used]
    own = np.eye(model.n_classes)[codes]

    def objective(flat):
        weights = flat.reshape(model.n_classes, -1)
        z = x @ weights.T
        p = np.exp(z - logsumexp(z, axis=1)[:, None])
        gradient = (p - own).T @ x / len(x)
        gradient[:, :-1] += model.decay[fold] * weights[:, :-1]
        return loss_of(model, fold, weights), gradient.ravel()

    start = np.zeros(model.n_classes * x.shape[1])
    options = {"maxiter": 5000, "maxcor": 30, "ftol": 1e-12, "gtol": 1e-9}
    return reference(objective, start, jac=True, method="L-BFGS-B", options=options).fun


def clusters(apart, n=600, n_features=30, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    scales = np.exp(rng.normal(size=n_features))
    means = rng.normal(size=(n_classes, n_features))
    return (rng.normal(size=(n, n_features)) + apart * means[codes]) * scales, codes


@pytest.mark.parametrize("few_points", [False, True])
@pytest.mark.parametrize("apart", [0.0, 0.3, 1.0, 3.0])
def test_the_minimum_is_reached(monkeypatch, apart, few_points):
    if few_points:
        monkeypatch.setattr(curvature, "MOST_FEATURES", 0)
        monkeypatch.setattr(curvature, "MOST_ROWS", 100)
    points, codes = clusters(apart)
    with ThreadTeam(2) as team:
        model = model_of(points, codes, team)
        weights, converged = training.minimize(model)
        assert converged
        for fold in range(2):
            least = least_loss(model, fold)
            # The tolerance bounds the predicted decrease, not the distance from the minimum.
            assert least - 1e-6 <= loss_of(model, fold, weights[fold]) <= 1.03 * least + 1e-6


def test_points_that_are_certain_are_left_out_and_then_looked_at_again(monkeypatch):
    sizes = []
    run = training._Search.run

    def counted(self, precondition, limit):
        sizes.append(len(self.model.x))
        return run(self, precondition, limit)

    monkeypatch.setattr(training._Search, "run", counted)
    points, codes = clusters(0.8, n=2000, n_features=15)
    with ThreadTeam(2) as team:
        model = model_of(points, codes, team)
        weights, converged = training.minimize(model)
        assert converged
        assert min(sizes) < 1000
        assert sizes[-1] == 2000
        least = least_loss(model, 0)
        assert loss_of(model, 0, weights[0]) <= 1.03 * least + 1e-6


def test_the_number_of_threads_changes_nothing():
    points, codes = clusters(0.5, n=1500)
    found = []
    for n_threads in (1, 3):
        with ThreadTeam(n_threads) as team:
            found.append(training.minimize(model_of(points, codes, team))[0])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("few_points", [False, True])
def test_the_inverse_is_that_of_the_curvature_of_the_points(monkeypatch, few_points):
    if few_points:
        monkeypatch.setattr(curvature, "MOST_FEATURES", 0)
    points, codes = clusters(0.3, n=200, n_features=12)
    weights = np.random.default_rng(1).random(200)
    with ThreadTeam(2) as team:
        model = model_of(points, codes, team)
        apply = curvature.preconditioner(model, weights)
        gradient = np.random.default_rng(2).normal(size=model.shape)
        found = apply(gradient)
    x = model.x.astype(np.float64)
    hessian = (x * weights[:, None]).T @ x / 200
    hessian += model.decay.mean() * np.eye(len(hessian))
    np.testing.assert_allclose(found @ hessian, gradient, atol=2e-3)


def test_the_points_of_the_largest_curvature_are_taken(monkeypatch):
    monkeypatch.setattr(curvature, "MOST_ROWS", 3)
    np.testing.assert_array_equal(curvature._most_curved(np.array([1, 5, 2, 9, 4.0])), [1, 3, 4])
    np.testing.assert_array_equal(curvature._most_curved(np.full(9, 0.25)), [0, 3, 6])


def test_a_matrix_that_rounding_made_indefinite_gets_a_larger_ridge():
    matrix = np.diag([1.0, -1e-5, 2.0])
    factor, ridge = curvature._factor(matrix, 1e-7)
    assert ridge == pytest.approx(1e-4)
    lower = np.tril(factor)
    np.testing.assert_allclose(lower @ lower.T, matrix + ridge * np.eye(3), atol=1e-12)


@pytest.mark.parametrize("few_points", [False, True])
def test_duplicated_and_constant_features_do_no_harm(monkeypatch, few_points):
    if few_points:
        monkeypatch.setattr(curvature, "MOST_FEATURES", 0)
    points, codes = clusters(0.3, n=400, n_features=10)
    points = np.hstack([points, points, points[:, :5] * 1e-3, np.ones((400, 3))])
    with ThreadTeam(2) as team:
        model = model_of(points, codes, team)
        weights, converged = training.minimize(model)
    assert converged
    assert loss_of(model, 0, weights[0]) <= 1.03 * least_loss(model, 0) + 1e-6
