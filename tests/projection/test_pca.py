import numpy as np
import pytest
from sklearn import decomposition
from sklearn.utils.estimator_checks import check_estimator

import unknot


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 8)) * np.arange(8, 0, -1) + 5


def test_equals_scikit_learn(points):
    ours = unknot.PCA(3).fit(points)
    theirs = decomposition.PCA(3, svd_solver="full").fit(points)
    np.testing.assert_allclose(np.abs(ours.components_), np.abs(theirs.components_), atol=1e-4)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(
        ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-4
    )
    np.testing.assert_allclose(ours.mean_, points.mean(axis=0), rtol=1e-5)


def test_output_is_float32_and_largest_coefficients_are_positive(points):
    pca = unknot.PCA(4).fit(points)
    map_ = pca.transform(points)
    assert map_.dtype == np.float32
    assert map_.shape == (300, 4)
    for component in pca.components_:
        assert component[np.argmax(np.abs(component))] > 0
    assert pca.fit_transform(points).tobytes() == map_.tobytes()


def test_inverse_of_all_components_is_the_points(points):
    pca = unknot.PCA(8).fit(points)
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(points)), points, atol=1e-4)


def test_more_features_than_samples():
    points = np.random.default_rng(1).normal(size=(20, 3000))
    pca = unknot.PCA(2).fit(points)
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(2), atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_points_have_no_variance(value):
    pca = unknot.PCA(2)
    assert not pca.fit_transform(np.full((6, 3), value)).any()
    assert pca.explained_variance_ratio_.tolist() == [0.0, 0.0]


def test_bad_input_is_named(points):
    with pytest.raises(ValueError, match="NaN"):
        unknot.PCA().fit(np.full((4, 3), np.nan))
    with pytest.raises(ValueError, match="n_components=9"):
        unknot.PCA(9).fit(points)


# It sets SCIPY_ARRAY_API nowhere; the check that needs it is skipped with a warning.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_estimator_checks():
    check_estimator(unknot.PCA())


FAR = np.array([1e9, -1e12, 3e10, 0, 1e9, 5, 2e11, -7e9])


@pytest.mark.parametrize("place", [1e9, -1e12, FAR])
def test_components_do_not_depend_on_the_place(points, place):
    here, there = unknot.PCA(8).fit(points), unknot.PCA(8).fit(points + place)
    np.testing.assert_allclose(there.components_, here.components_, atol=1e-3)
    np.testing.assert_allclose(
        there.explained_variance_ratio_, here.explained_variance_ratio_, rtol=1e-3
    )
    np.testing.assert_allclose(there.mean_, (points + place).mean(axis=0), rtol=1e-8)
    scores = there.transform(points + place)
    np.testing.assert_allclose(scores, here.transform(points), atol=2e-2)
    back = there.inverse_transform(scores)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back - place, points, atol=2e-3)


def test_integers_beyond_the_digits_of_float64_keep_their_differences():
    steps = np.arange(40)[:, None] * np.array([[3, 4]])
    for large in (np.int64(2**62), np.uint64(2**63)):
        pca = unknot.PCA(1).fit(large + steps.astype(large.dtype))
        np.testing.assert_allclose(pca.components_, [[0.6, 0.8]], atol=1e-6)
        assert pca.transform(large + steps.astype(large.dtype)).ravel().tolist() == pytest.approx(
            5 * (np.arange(40) - 19.5), abs=1e-3
        )


def test_masked_entries_are_refused_and_nothing_masked_is_taken(points):
    pca = unknot.PCA(2).fit(np.ma.array(points))
    masked = np.ma.masked_greater(points, 9)
    for call in (unknot.PCA(2).fit, pca.transform, lambda x: pca.inverse_transform(x[:, :2])):
        with pytest.raises(ValueError, match=r"X has \d+ masked entries.*filled"):
            call(masked)
