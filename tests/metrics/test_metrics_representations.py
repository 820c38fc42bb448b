"""RSA, Procrustes similarity, mutual nearest neighbors and canonical correlations."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist

from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    mutual_knn,
    procrustes,
    pwcca,
    rsa,
    svcca,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def related(rng, n=120, p=9, q=7):
    """Two representations that share three directions."""
    shared = rng.normal(size=(n, 3))
    x = shared @ rng.normal(size=(3, p)) + 0.5 * rng.normal(size=(n, p)) + 2
    y = shared @ rng.normal(size=(3, q)) + 0.5 * rng.normal(size=(n, q))
    return x.astype("f4"), y.astype("f4")


def turned(rng, points):
    return points @ np.linalg.qr(rng.normal(size=(points.shape[1],) * 2))[0]


def all_measures():
    def euclidean_rsa(x, y):
        return rsa(x, y, distance="euclidean")

    return [euclidean_rsa, procrustes, mutual_knn, svcca]


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("correlation", ["spearman", "pearson"])
@pytest.mark.parametrize("wide", [False, True])
def test_rsa_is_the_correlation_of_scipys_distances(rng, distance, correlation, wide):
    x, y = related(rng, 40, 70 if wide else 9)
    expected = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}[correlation](
        pdist(x.astype(float), distance), pdist(y.astype(float), distance)
    ).statistic
    found = rsa(x, y, distance=distance, correlation=correlation)
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert found.n_pairs == 40 * 39 // 2
    assert found.chance == 0.0


def test_rsa_gives_tied_distances_one_rank(rng):
    # Rounded points have many distances that are equal but for rounding.
    x, y = rng.integers(0, 3, size=(2, 50, 4)).astype(float)
    expected = stats.spearmanr(
        pdist(x, "sqeuclidean").round(9), pdist(y, "sqeuclidean").round(9)
    ).statistic
    found = rsa(x * 0.1 + 7, y, distance="euclidean").value
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("q", [7, 9, 60])
def test_procrustes_leaves_the_distance_of_the_best_rotation(rng, q):
    x, y = related(rng, 50, 9, q)

    def unit(points):
        points = points.astype(float) - points.mean(axis=0, dtype=float)
        return points / np.linalg.norm(points)

    width = max(9, q)
    a, b = (np.pad(unit(each), ((0, 0), (0, width - each.shape[1]))) for each in (x, y))
    turn, scale = orthogonal_procrustes(a, b)
    found = procrustes(x, y)
    assert found.distance == pytest.approx(np.linalg.norm(a @ turn - b), rel=1e-7)
    assert found.value == pytest.approx(scale, rel=1e-7)
    # Scipy's function also scales: what is left is 1 - S^2.
    assert scipy_procrustes(a, b)[2] == pytest.approx(1 - found.value**2, rel=1e-6)
    assert found.angle == pytest.approx(np.arccos(scale), rel=1e-6)


def test_procrustes_of_independent_features_is_what_the_docstring_says(rng):
    x, y = rng.normal(size=(2, 1500, 30))
    expected = 8 / (3 * np.pi) * np.sqrt(30 / 1500)
    found = procrustes(x, y, n_permutations=3)
    assert found.value == pytest.approx(expected, rel=0.05)
    assert found.chance == pytest.approx(expected, rel=0.05)


def test_the_angle_of_procrustes_is_a_metric(rng):
    for _ in range(20):
        x, y, z = (rng.normal(size=(12, p)) for p in (2, 3, 5))
        xy, yz, xz = (procrustes(a, b).angle for a, b in ((x, y), (y, z), (x, z)))
        assert xz <= xy + yz + 1e-12


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 5, 119])
def test_mutual_neighbors_are_those_of_a_brute_force_search(rng, metric, k):
    x, y = related(rng)

    def neighbors(points):
        name = "cosine" if metric == "cosine" else "euclidean"
        full = np.zeros((len(points), len(points)))
        full[np.triu_indices(len(points), 1)] = pdist(points.astype(float), name)
        full += full.T
        np.fill_diagonal(full, np.inf)
        return np.argsort(full, axis=1)[:, :k]

    shares = [
        len(set(a) & set(b)) / k
        for a, b in zip(neighbors(x).tolist(), neighbors(y).tolist(), strict=True)
    ]
    found = mutual_knn(x, y, k=k, metric=metric)
    np.testing.assert_allclose(found.per_point, shares)
    assert found.value == pytest.approx(np.mean(shares))
    assert found.chance == pytest.approx(k / 119)
    if k == 119:
        assert found.value == 1.0


def test_mutual_neighbors_by_chance(rng):
    found = [mutual_knn(*rng.normal(size=(2, 100, 5)), k=10).value for _ in range(40)]
    error = np.std(found) / np.sqrt(40)
    assert np.mean(found) == pytest.approx(10 / 99, abs=4 * error)


def slow_cca(x, y):
    """By the inverse roots of the covariances."""
    x, y = (each.astype(float) - each.mean(axis=0, dtype=float) for each in (x, y))

    def inverse_root(points):
        values, vectors = np.linalg.eigh(points.T @ points)
        return vectors / np.sqrt(values) @ vectors.T

    a = inverse_root(x)
    turn, rho, _ = np.linalg.svd(a @ (x.T @ y) @ inverse_root(y))
    weights = np.abs((x @ a @ turn).T @ x).sum(axis=1)[: len(rho)]
    return rho, weights


def test_canonical_correlations_are_those_of_whitened_features(rng):
    x, y = related(rng)
    rho, weights = slow_cca(x, y)
    found = svcca(x, y, variance=1.0)
    np.testing.assert_allclose(found.correlations, rho, atol=1e-6)
    assert found.value == pytest.approx(rho.mean(), abs=1e-6)
    assert found.n_components == (9, 7)
    assert pwcca(x, y).value == pytest.approx(np.average(rho, weights=weights), abs=1e-6)


def test_svcca_compares_the_components_that_hold_the_variance(rng):
    x, y = related(rng)
    x = np.concatenate([x, 1e-3 * rng.normal(size=(120, 4))], axis=1)
    found = svcca(x, y, variance=0.9)
    variances = np.cumsum(np.linalg.svd(x - x.mean(axis=0))[1] ** 2)
    kept = int((variances < 0.9 * variances[-1]).sum()) + 1
    assert found.n_components[0] == kept < 9
    u = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[0][:, :kept]
    rho, _ = slow_cca(u, np.linalg.svd(y - y.mean(axis=0), full_matrices=False)[0][:, :5])
    assert found.n_components[1] != 5 or found.value == pytest.approx(rho.mean(), abs=1e-5)


def test_independent_data_have_the_stated_canonical_correlations(rng):
    squares = [
        np.square(svcca(*rng.normal(size=(2, 200, 10)), variance=1.0).correlations).mean()
        for _ in range(30)
    ]
    error = np.std(squares) / np.sqrt(30)
    assert np.mean(squares) == pytest.approx(10 / 199, abs=4 * error)


def test_too_few_samples_for_canonical_correlations_are_noted(rng):
    # 15 + 12 directions in the 19 dimensions of 20 centered samples share 8 of them.
    with pytest.warns(MeasureWarning, match="8 of the 12 canonical correlations are 1 for any"):
        found = svcca(rng.normal(size=(20, 15)), rng.normal(size=(20, 12)), variance=1.0)
    np.testing.assert_allclose(found.correlations[:8], 1.0)
    assert found.correlations[8] < 0.999


def test_wide_points_give_what_their_span_gives(rng):
    x, y = related(rng, 60)
    wide = x @ np.linalg.qr(rng.normal(size=(200, 9)))[0].T
    assert procrustes(wide, y).value == pytest.approx(procrustes(x, y).value, rel=1e-6)
    assert svcca(wide, y).value == pytest.approx(svcca(x, y).value, rel=1e-6)
    by_distance = [rsa(each, y, distance="euclidean").value for each in (wide, x)]
    assert by_distance[0] == pytest.approx(by_distance[1], abs=1e-5)
    # The features of PWCCA are those that were given.
    plain = np.concatenate([x, np.zeros((60, 200))], axis=1)
    assert pwcca(plain, y).value == pytest.approx(pwcca(x, y).value, rel=1e-6)


@pytest.mark.parametrize("measure", all_measures())
def test_rotation_scale_translation_and_order_change_nothing(rng, measure):
    x, y = related(rng)
    before = measure(x, y).value
    assert 0.05 < before < 0.99
    assert measure(100 * turned(rng, x) + 7, y).value == pytest.approx(before, abs=1e-4)
    assert measure(x, 1e-3 * turned(rng, y) - 1).value == pytest.approx(before, abs=1e-4)
    order = rng.permutation(len(x))
    assert measure(x[order], y[order]).value == pytest.approx(before, abs=1e-9)
    assert measure(y, x).value == pytest.approx(before, abs=1e-9)
    assert measure(x, turned(rng, x) * 3 + 5).value == pytest.approx(1, abs=2e-3)
    # The control: other samples beside each other.
    assert measure(x[order], y).value < 0.8 * before


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_values_of_any_size(rng, scale):
    x, y = related(rng)
    for measure in (*all_measures(), pwcca, rsa):
        before = measure(x.astype(float), y).value
        assert measure(x.astype(float) * scale, y).value == pytest.approx(before, abs=1e-5)


def test_a_sample_is_drawn_and_said(rng):
    x, y = related(rng)
    for measure in (procrustes, rsa):
        with pytest.warns(MeasureWarning, match="computed from 50 of 120 samples"):
            found = measure(x, y, max_samples=50)
        with pytest.warns(MeasureWarning):
            assert measure(x, y, max_samples=50).value == found.value
        whole = measure(x, y, max_samples=None)
        assert found.value != whole.value
        assert whole.notes == ()


@pytest.mark.filterwarnings("ignore:60 of 60 samples have more neighbors")
def test_duplicates_and_constant_features_are_no_trouble(rng):
    x, y = related(rng, 30)
    x = np.concatenate([x, np.ones((30, 2), "f4")], axis=1).repeat(2, axis=0)
    y = y.repeat(2, axis=0)
    for measure in (*all_measures(), pwcca, rsa):
        assert 0 < measure(x, y).value <= 1


@pytest.mark.parametrize("measure", [procrustes, svcca, pwcca, rsa])
def test_no_variance_is_named(rng, measure):
    with pytest.raises(UndefinedMeasureError, match="second"):
        measure(rng.normal(size=(20, 5)), np.full((20, 5), 7.0))


def test_points_at_one_place_have_neighbors_drawn_at_random(rng):
    with pytest.warns(MeasureWarning, match="which of them count is drawn at random"):
        found = mutual_knn(rng.normal(size=(20, 5)), np.ones((20, 5)), k=3)
    assert found.value < 0.6


def test_samples_without_a_direction_are_noted(rng):
    x, y = related(rng)
    x[:3] = 5
    with pytest.warns(MeasureWarning, match="3 of 120 samples of first have the same value in all"):
        rsa(x, y)
    x[:3] = 0
    with pytest.warns(MeasureWarning, match="3 of 120 samples of first have zero in all features"):
        rsa(x, y, distance="cosine")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rsa(x, x[1:]), "first and second must have the same samples; got 20 and 19"),
        (lambda x: procrustes(x, x[1:]), "must have the same samples; got 20 and 19"),
        (lambda x: mutual_knn(x, x[1:]), "must have the same samples; got 20 and 19"),
        (lambda x: svcca(x, x[1:]), "must have the same samples; got 20 and 19"),
        (lambda x: rsa(x, x, distance="angle"), "distance must be one of correlation, euclidean"),
        (lambda x: rsa(x, x, correlation="tau"), "correlation must be one of spearman, pearson"),
        (lambda x: rsa(x[:2], x[:2]), "first must have at least 3 samples; got 2"),
        (lambda x: mutual_knn(x, x, k=20), "k must be an integer from 1 to n_samples - 1 = 19"),
        (lambda x: mutual_knn(x, x, metric="l1"), "metric must be 'euclidean' or 'cosine'"),
        (lambda x: svcca(x, x, variance=0), "variance must be a number above 0, up to 1; got 0"),
        (lambda x: procrustes(x, x, n_permutations=-1), "n_permutations must be an integer from 0"),
    ],
)
def test_what_is_not_possible_is_refused(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng.normal(size=(20, 4)))


def test_two_features_have_no_correlation_distance(rng):
    with pytest.raises(UndefinedMeasureError, match="needs at least three features; first has 2"):
        rsa(rng.normal(size=(20, 2)), rng.normal(size=(20, 5)))
