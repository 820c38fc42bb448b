"""The directions shared by class centers: every search ends in a minimum, and no seed matters."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_digits

from unknot._parallel.thread_team import ThreadTeam
from unknot.metrics import manifold_capacity
from unknot.metrics._shared import centers as shared_centers
from unknot.metrics._shared.centers import (
    find_shared_directions,
    leading_shared_directions,
    mean_correlation,
)
from unknot.metrics._shared.kernels_centers import (
    evaluate,
    minimize_correlation,
    multiply_by_inverse_hessian,
    orthonormalize,
    shared_correlation,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def class_means(points, labels):
    return np.stack([points[labels == c].mean(axis=0) for c in np.unique(labels)])


def normalized(centers):
    """Centered, in their span, of unit norm: what the search sees."""
    centered = centers - centers.mean(axis=0)
    _, s, axes = np.linalg.svd(centered, full_matrices=False)
    x = centered @ axes[s > 1e-9 * s[0]].T
    return np.ascontiguousarray(x / np.linalg.norm(x, axis=1)[:, None])


def difficult_centers():
    rng = np.random.default_rng(3)
    pixels, labels = load_digits(return_X_y=True)
    features = np.tanh(pixels / 16 @ rng.normal(size=(64, 100)))
    means = class_means(pixels, labels)
    return {
        "pixels": means,
        "tanh features": class_means(features, labels),
        "simplex": np.eye(10),
        "near simplex": np.eye(10) + 0.02 * rng.normal(size=(10, 10)),
        "5 of 8": rng.normal(size=(5, 8)),
        "heavy tails": rng.standard_t(2, size=(20, 30)),
        "tree": np.repeat(rng.normal(size=(8, 50)), 4, axis=0) + 0.4 * rng.normal(size=(32, 50)),
        "60 of 40": rng.normal(size=(60, 40)) * np.linspace(2, 0.5, 40),
        "30 of 20": rng.normal(size=(30, 20)) * np.linspace(2, 0.5, 20),
        "one scale of 1e-6": means * np.where(np.arange(10) == 0, 1e-6, 1.0)[:, None],
    }


DIFFICULT = difficult_centers()


def find(centers, n_threads=1):
    with ThreadTeam(n_threads) as team:
        return find_shared_directions(centers, team)


def remainders(centers, directions):
    centered = centers - centers.mean(axis=0)
    centered /= np.linalg.norm(centered, axis=1)[:, None]
    return centered - centered @ directions @ directions.T


def slow_cost(x, directions):
    left = x - x @ directions.T @ directions
    unit = left / np.linalg.norm(left, axis=1)[:, None]
    return 0.5 * np.square(unit @ unit.T).sum()


def slow_gradient(x, directions):
    """Backward through F = 1/2 |C|^2, C = UU', U = L / |L|, L = X (I - V'V); then tangential."""
    left = x - x @ directions.T @ directions
    norms = np.linalg.norm(left, axis=1)[:, None]
    unit = left / norms
    to_unit = 2 * unit @ unit.T @ unit
    to_left = (to_unit - (to_unit * unit).sum(axis=1, keepdims=True) * unit) / norms
    to_projection = -x.T @ to_left
    gradient = directions @ (to_projection + to_projection.T)
    return gradient - gradient @ directions.T @ directions


def start_of(x, k, rng):
    start = np.ascontiguousarray(rng.normal(size=(k, len(x))) @ x)
    orthonormalize(start)
    return start


@pytest.mark.parametrize(("count", "k"), [(5, 1), (8, 3), (12, 6)])
def test_the_cost_of_directions_and_its_gradient(rng, count, k):
    x = normalized(rng.normal(size=(count, count - 1)))
    v = start_of(x, k, rng)
    gradient = np.empty_like(v)
    along, slope = np.empty((2, k, count))
    cost = shared_correlation(x, x @ x.T, v, along, slope, np.empty((count, count)), gradient)
    assert cost == pytest.approx(slow_cost(x, v), rel=1e-12)
    gradient -= gradient @ v.T @ v
    np.testing.assert_allclose(gradient, slow_gradient(x, v), atol=1e-10)
    # Along tangents the directions stay orthonormal to first order.
    for _ in range(3):
        step = rng.normal(size=v.shape)
        step -= step @ v.T @ v
        up, down = (np.linalg.qr((v + s * step).T)[0].T for s in (1e-5, -1e-5))
        expected = (slow_cost(x, up) - slow_cost(x, down)) / 2e-5
        assert np.sum(gradient * step) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_cost_of_rows_that_are_not_orthonormal(rng):
    # The cost is that of their span; its gradient by the rows themselves, by differences.
    x = normalized(rng.normal(size=(8, 7)))
    y = rng.normal(size=(3, 7))
    space = np.empty_like(y), *np.empty((2, 3, 8)), np.empty((8, 8))

    def cost(rows):
        return evaluate(x, x @ x.T, rows, *space, np.empty_like(y))[0]

    gradient = np.empty_like(y)
    value, size, smallest = evaluate(x, x @ x.T, y, *space, gradient)
    q = np.linalg.qr(y.T)[0].T
    assert value == pytest.approx(slow_cost(x, q), rel=1e-12)
    assert size == pytest.approx(np.linalg.norm(slow_gradient(x, q)), rel=1e-9)
    assert 0 < smallest < 1
    for i in range(3):
        for j in range(7):
            step = np.zeros_like(y)
            step[i, j] = 1e-6
            expected = (cost(y + step) - cost(y - step)) / 2e-6
            assert gradient[i, j] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_quasi_newton_step_is_that_of_the_dense_updates(rng):
    # BFGS: H <- (I - r s y') H (I - r y s') + r s s', from H = I s'y / y'y of the newest pair.
    n, held = 6, 3
    hessian = np.diag(np.arange(1.0, n + 1))
    steps = rng.normal(size=(held, 1, n))
    changes = np.ascontiguousarray(steps @ hessian)
    rates = 1 / (steps * changes).sum(axis=(1, 2))
    inverse = np.eye(n) / (rates[-1] * np.square(changes[-1]).sum())
    for s, y, r in zip(steps[:, 0], changes[:, 0], rates, strict=True):
        left = np.eye(n) - r * np.outer(s, y)
        inverse = left @ inverse @ left.T + r * np.outer(s, s)
    gradient = rng.normal(size=(1, n))
    out = np.empty((1, n))
    multiply_by_inverse_hessian(steps, changes, rates, held - 1, held, gradient, out)
    np.testing.assert_allclose(out[0], -inverse @ gradient[0], atol=1e-10)


@pytest.mark.parametrize("name", DIFFICULT)
def test_every_search_ends_in_a_minimum(name, rng):
    x = normalized(DIFFICULT[name])
    products = x @ x.T
    minima = 0
    for k in range(1, min(5, x.shape[1] - 2) + 1):
        for _ in range(8):
            v = start_of(x, k, rng)
            before = slow_cost(x, v)
            cost, size, _ = minimize_correlation(x, products, v)
            np.testing.assert_allclose(v @ v.T, np.eye(k), atol=1e-12)
            left = 1 - np.square(x @ v.T).sum(axis=1)
            if size > 1e-5:
                # The cost jumps where nothing is left of a center: the search ends on that brink.
                assert left.min() < 0.02
                continue
            minima += 1
            assert np.linalg.norm(slow_gradient(x, v)) <= 1e-5
            assert cost == pytest.approx(slow_cost(x, v), rel=1e-9)
            assert cost <= before + 1e-9
    assert minima >= 8


def test_another_optimizer_finds_nothing_lower_near_a_minimum(rng):
    x = normalized(DIFFICULT["pixels"])
    for k in (1, 2):
        v = start_of(x, k, rng)
        cost, size, _ = minimize_correlation(x, x @ x.T, v)
        if size > 1e-5:
            continue
        near = v + 1e-3 * rng.normal(size=v.shape)
        polished = minimize(
            lambda a, k=k: slow_cost(x, np.linalg.qr(a.reshape(k, -1).T)[0].T), near.ravel()
        )
        assert polished.fun == pytest.approx(cost, abs=1e-6)


def test_a_start_on_a_center_is_no_minimum(rng):
    # Nothing would be left of it.
    x = normalized(rng.normal(size=(6, 5)))
    start = x[:1].copy()
    cost, size, _ = minimize_correlation(x, x @ x.T, start)
    assert cost == size == np.inf


@pytest.mark.parametrize("count", [4, 10, 30])
def test_nothing_is_removed_from_a_simplex(rng, count):
    # Its correlations are -1/(C - 1); in fewer dimensions, as many vectors lie closer.
    turn = np.linalg.qr(rng.normal(size=(count + 5, count + 5)))[0]
    shared, before = find(np.eye(count) @ turn[:count] + 3.0)
    assert shared.shape == (count + 5, 0)
    assert before == pytest.approx(1 / (count - 1))


def test_a_collapsed_layer_keeps_its_centers(rng):
    labels = np.arange(200) % 10
    points = np.eye(10)[labels] + 1e-3 * rng.normal(size=(200, 10))
    assert manifold_capacity(points, labels).shared_directions == 0
    # Negative control: a direction that all classes have in common, to either side, is removed.
    points += np.where(labels % 2, 3.0, -3.0)[:, None]
    assert manifold_capacity(points, labels).shared_directions > 0


def test_a_direction_that_all_centers_share_is_found(rng):
    # Centers at +-5 along one axis, and otherwise at random: it is that axis.
    axis = np.linalg.qr(rng.normal(size=(40, 1)))[0]
    sides = np.where(np.arange(10) % 2 == 0, 5.0, -5.0)
    centers = 0.5 * rng.normal(size=(10, 40)) + sides[:, None] * axis.T
    shared, before = find(centers, 2)
    centered = centers - centers.mean(axis=0)
    assert before == pytest.approx(mean_correlation(centered))
    assert before > 0.5
    assert np.linalg.norm(shared.T @ axis) > 0.95
    np.testing.assert_allclose(shared.T @ shared, np.eye(shared.shape[1]), atol=1e-9)
    assert mean_correlation(centered - centered @ shared @ shared.T) < 0.35


@pytest.mark.parametrize("name", ["pixels", "tanh features", "heavy tails", "30 of 20"])
def test_removal_lowers_the_correlation(name):
    centers = DIFFICULT[name]
    shared, before = find(centers)
    left = remainders(centers, shared)
    assert before == pytest.approx(mean_correlation(remainders(centers, shared[:, :0])))
    if shared.shape[1]:
        assert mean_correlation(left) < before
    assert np.square(left).sum(axis=1).min() > 1e-4


@pytest.mark.parametrize("name", ["pixels", "tanh features", "near simplex", "5 of 8"])
def test_the_directions_do_not_depend_on_the_starts(monkeypatch, name):
    found = []
    for seed in range(6):
        monkeypatch.setattr(shared_centers, "SEED", seed)
        shared, _ = find(DIFFICULT[name])
        found.append((shared.shape[1], mean_correlation(remainders(DIFFICULT[name], shared))))
    # All, or all but one: a rare minimum may be missed.
    kinds = [
        sum(k == other[0] and c == pytest.approx(other[1]) for other in found) for k, c in found
    ]
    assert max(kinds) >= 5


@pytest.mark.parametrize("name", ["pixels", "tanh features", "30 of 20"])
def test_the_directions_follow_the_centers(rng, name):
    centers = DIFFICULT[name]
    width = centers.shape[1]
    shared, before = find(centers)
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
    order = rng.permutation(len(centers))
    turned, after = find((centers @ turn * 30 + 5)[order])
    assert after == pytest.approx(before)
    np.testing.assert_allclose(turned @ turned.T, turn.T @ shared @ shared.T @ turn, atol=1e-3)


def test_the_same_bytes_for_any_number_of_threads():
    for name in ("pixels", "30 of 20"):
        np.testing.assert_array_equal(find(DIFFICULT[name], 1)[0], find(DIFFICULT[name], 3)[0])


@pytest.mark.parametrize("count", [2, 3])
def test_few_centers_share_nothing(rng, count):
    shared, before = find(rng.normal(size=(count, 10)))
    assert shared.shape == (10, 0)
    assert 0 < before <= 1 + 1e-12


def test_centers_in_a_plane_share_nothing(rng):
    # Of rank 2, less one direction leaves a line, on which all are parallel.
    shared, _ = find(rng.normal(size=(8, 2)) @ rng.normal(size=(2, 10)))
    assert shared.shape == (10, 0)


def test_leading_directions_of_many_centers(rng):
    # Two axes with ten times the spread of the others, for a hundred times the variance.
    centers = rng.normal(size=(150, 30))
    centers[:, :2] *= 10
    shared, before = leading_shared_directions(centers)
    assert shared.shape[1] >= 2
    np.testing.assert_allclose(np.square(shared[:2]).sum(axis=1), 1, atol=0.05)
    assert mean_correlation(remainders(centers, shared)) < before
    assert leading_shared_directions(np.eye(150))[0].shape == (150, 0)
