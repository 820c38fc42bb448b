"""preprocess=: each step against its definition, and what it cannot do."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from unknot._validation.preprocessing import as_steps, described, identity_of, preprocess_points
from unknot.metrics import measure

FAST = {"n_resamples": 0, "n_permutations": 0}


def cloud(n=80, features=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, features)) @ rng.normal(size=(features, features)) + 5


def done(points, *given):
    return preprocess_points(points, as_steps(list(given)))


def test_each_step_is_its_definition():
    x = cloud()
    np.testing.assert_allclose(done(x, "center")[0], x - x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        done(x, "standardize")[0], StandardScaler().fit_transform(x), atol=1e-10
    )
    lengths = np.linalg.norm(done(x, "normalize")[0], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-12)
    white, notes = done(x, "whiten")
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(6), atol=1e-8)
    assert notes == ()
    pca = PCA().fit(x)
    top = pca.components_[:2]
    wanted = (x - x.mean(axis=0)) - (x - x.mean(axis=0)) @ top.T @ top
    for name in ("remove_top_2", ("remove_top", 2)):
        np.testing.assert_allclose(done(x, name)[0], wanted, atol=1e-9)


def test_steps_follow_in_order_and_functions_take_copies():
    x = cloud()
    before = x.copy()

    def double(points):
        points *= 2
        return points

    found, _ = done(x, "center", double, "normalize")
    wanted = x - x.mean(axis=0)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True))
    assert np.array_equal(x, before)
    steps = as_steps(["center", double, ("remove_top", 3)])
    assert described(steps) == ["center", "double()", "remove_top_3"]
    assert as_steps(None) == ()
    assert described(as_steps("whiten")) == ["whiten"]


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ("sphere", ValueError, "preprocess must be 'center', .*; got 'sphere'"),
        ("remove_top_0", ValueError, "got 'remove_top_0'"),
        (("remove_top", 0), ValueError, "a number of components from 1 up; got 0"),
        (["center", 3], TypeError, r"preprocess\[1\] must be .*; got 3"),
        (7, TypeError, "preprocess must be .*; got 7"),
        ({"center": 1}, TypeError, "preprocess must be"),
        (StandardScaler, TypeError, "preprocess must be"),
        ("remove_top_6", ValueError, "leaves nothing of points of the shape .80, 6."),
        (lambda x: x[:3], ValueError, "must have the same 80 samples; got 3"),
        (lambda x: x / 0 * 0, ValueError, "must be finite"),
        (lambda x: None, ValueError, r"the result of lambda\(\)"),
        (lambda x: 1 / 0, ValueError, r"lambda\(\) failed on points of the shape .*ZeroDiv"),
    ],
)
def test_what_is_not_possible_is_named(given, error, match):
    with np.errstate(all="ignore"), pytest.raises(error, match=match):
        measure(cloud(), np.arange(80) % 2, measures="nc1", preprocess=given, **FAST)


def test_constant_features_and_zero_rows_are_noted():
    x = cloud()
    x[:, 2] = 7.25
    found, (note,) = done(x, "standardize")
    assert not found[:, 2].any()
    assert "1 of 6 features are constant" in note
    x[4] = 0
    found, (note,) = done(x, "normalize")
    assert not found[4].any()
    assert "1 of 80 samples are zero" in note
    scores = measure(x, np.arange(80) % 2, measures="nc1", preprocess="normalize", **FAST)
    assert note in scores.notes
    assert scores.settings["preprocess"] == ["normalize"]


def test_whitening_fewer_samples_than_features_says_that_all_are_equally_far():
    x = cloud(n=20, features=50)
    found, notes = done(x, "whiten")
    assert found.shape == (20, 19)
    distances = np.linalg.norm(found[:, None] - found, axis=2)[np.triu_indices(20, 1)]
    assert np.ptp(distances) < 1e-6 * distances.mean()
    assert "19 of 50 directions" in notes[0]
    assert "equally far" in notes[1]


def test_a_large_offset_costs_nothing():
    x = cloud()
    np.testing.assert_allclose(
        done(x + 1e7, "standardize")[0], done(x, "standardize")[0], atol=1e-6
    )


def test_points_on_disk_are_preprocessed_alike(tmp_path):
    x = cloud(n=200).astype(np.float32)
    labels = np.arange(200) % 3
    np.save(tmp_path / "x.npy", x)
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    for given in ("center", "standardize", "normalize", "whiten", ["remove_top_2", "normalize"]):
        kwargs = {"measures": ["neighborhood_hit", "nc1"], "preprocess": given, **FAST}
        on_disk = measure(stored, labels, max_memory=1200, **kwargs)
        here = measure(x, labels, **kwargs)
        assert on_disk["nc1"].value == pytest.approx(here["nc1"].value, rel=1e-4), given
        assert on_disk["neighborhood_hit"].value == here["neighborhood_hit"].value, given
    with pytest.raises(ValueError, match=r"takes all points at once.*Raise max_memory"):
        measure(stored, labels, max_memory=1200, preprocess=lambda p: p)


FACTOR = 2.0


def scaled(points):
    return points * FACTOR


def test_a_function_is_identified_by_what_it_computes(monkeypatch):
    def closing(value):
        return lambda points: points * value

    assert identity_of(closing(2)) == identity_of(closing(2))
    assert identity_of(closing(2)) != identity_of(closing(3))
    assert identity_of(closing(np.ones(3))) != identity_of(closing(np.zeros(3)))
    one = identity_of(scaled)
    assert one == identity_of(scaled)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert identity_of(scaled) != one
    assert identity_of(lambda p: p + 1) != identity_of(lambda p: p + 2)
    assert identity_of(lambda p, k=1: p) != identity_of(lambda p, k=2: p)
    assert identity_of(lambda p: np.sin(p)) == identity_of(lambda p: np.sin(p))
    assert identity_of(lambda p: np.sin(p)) != identity_of(lambda p: np.cos(p))


def test_what_cannot_be_told_is_never_the_same():
    class Stateful:
        def __call__(self, points):
            return points

    stateful = Stateful()

    def reads(points):
        return points * np.load("factor.npy")

    def imports(points):
        import a_module_of_mine

        return a_module_of_mine.change(points)

    for function in (stateful, lambda p: stateful(p), stateful.__call__, reads, imports):
        assert identity_of(function).startswith("drawn-")
        assert identity_of(function) != identity_of(function)
