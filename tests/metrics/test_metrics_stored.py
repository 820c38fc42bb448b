"""Measures of points on disk: those of the same points in memory, a part at a time."""

import numpy as np
import pytest
import zarr

import unknot
from unknot._io.stored_points import StoredPoints

QUICK = {"n_resamples": 12, "n_permutations": 3, "n_draws": 20, "max_samples": 150, "n_jobs": 2}
# Scores of which only some points are used where not all fit.
PARTIAL = {"linear_probe", "participation_ratio", "linear_cka"}


def clouds(n, d, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(5, size=n)
    points = rng.normal(size=(5, d))[labels] * 0.7 + rng.normal(size=(n, d)) + 3
    return points.astype(np.float32), labels


def stored_in(folder, points, chunk=37):
    array = zarr.create_array(
        store=str(folder), shape=points.shape, chunks=(chunk, *points.shape[1:]), dtype="f4"
    )
    array[:] = points
    return array


def assert_same_score(found, wanted):
    assert found.value == pytest.approx(wanted.value, rel=1e-6, abs=1e-9), wanted.name
    for field in ("interval", "null", "null_interval", "per_class", "per_pair"):
        a, b = getattr(found, field), getattr(wanted, field)
        assert (a is None) == (b is None), (wanted.name, field)
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7, err_msg=wanted.name)


@pytest.mark.parametrize(
    ("n", "d", "budget"),
    # More points than features, and the reverse; a third and a twelfth of the bytes of the points.
    [(600, 20, 16_000), (600, 20, 4_000), (200, 300, 80_000)],
)
def test_scores_are_those_in_memory(tmp_path, n, d, budget):
    points, labels = clouds(n, d)
    map_ = points[:, :2] + 0.1
    wanted = unknot.measure(points, labels, map_, **QUICK)
    shaped = points.reshape(n, 2, -1)
    stored = stored_in(tmp_path / "points", shaped)
    found = unknot.measure(stored, labels, map_, max_memory=budget, **QUICK)
    assert list(found) == list(wanted)
    assert found.n_features == d
    for name, score in found.items():
        if name not in PARTIAL:
            assert_same_score(score, wanted[name])
            assert score.notes == wanted[name].notes


def test_measures_of_all_points_where_they_fit(tmp_path):
    points, labels = clouds(500, 30)
    stored = stored_in(tmp_path / "points", points)
    found = unknot.measure(
        stored, labels, points[:, :2], max_memory=40_000, probe_max_samples=80, **QUICK
    )
    wanted = unknot.measure(points, labels, points[:, :2], probe_max_samples=80, **QUICK)
    for name in PARTIAL:
        assert_same_score(found[name], wanted[name])
        assert found[name].notes == wanted[name].notes


def test_what_does_not_fit_is_estimated_and_said(tmp_path):
    points, labels = clouds(500, 100)
    stored = stored_in(tmp_path / "points", points)
    # The products of 100 features are 80,000 bytes; 60,000 / 4 / 800 = 18 points fit in float64.
    found = unknot.measure(stored, labels, points[:, :2], max_memory=60_000, **QUICK)
    wanted = unknot.measure(points, labels, points[:, :2], **QUICK)
    for name in ("participation_ratio", "linear_cka"):
        note = found[name].notes[0]
        assert "of 18 of 500 points" in note or "of 19 of 500 points" in note
        assert "more than max_memory" in note
        assert found[name].interval is not None
    ratio = found["participation_ratio"]
    assert 1 < ratio.value < wanted["participation_ratio"].value
    assert "trained and tested on 75 of 500" in found["linear_probe"].notes[0]


def test_memory_can_be_given_as_text(tmp_path):
    points, labels = clouds(300, 100)
    stored = stored_in(tmp_path / "points", points)
    options = {"measures": "participation_ratio", **QUICK}
    number, text, room = (
        unknot.measure(stored, labels, max_memory=limit, **options)["participation_ratio"]
        for limit in (60_000, "60 kB", "2 GB")
    )
    assert_same_score(number, text)
    assert "more than max_memory" in text.notes[0]
    assert room.notes == ()
    with pytest.raises(ValueError, match=r'text such as "2 GB"; got .lots.'):
        unknot.measure(stored, labels, max_memory="lots")


def test_a_graph_and_settings_are_taken_as_ever(tmp_path):
    points, labels = clouds(300, 12)
    stored = stored_in(tmp_path / "points", points)
    graph = unknot.nearest_neighbors(points, 12)
    options = {"measures": ["neighborhood_hit", "two_nn"], "graph": graph, **QUICK}
    found = unknot.measure(stored, labels, max_memory=3000, **options)
    wanted = unknot.measure(points, labels, **options)
    for name, score in wanted.items():
        assert_same_score(found[name], score)
    # Points that fit are read whole: the same bytes as in memory.
    whole = unknot.measure(stored, labels, **QUICK)
    assert {n: s.value for n, s in whole.items()} == {
        n: s.value for n, s in unknot.measure(points, labels, **QUICK).items()
    }


def test_same_scores_for_any_number_of_threads(tmp_path):
    points, labels = clouds(400, 15)
    stored = stored_in(tmp_path / "points", points)
    one, two = (
        unknot.measure(stored, labels, max_memory=5000, **{**QUICK, "n_jobs": n_jobs})
        for n_jobs in (1, 3)
    )
    assert [score.value for score in one.values()] == [score.value for score in two.values()]
    assert [score.interval for score in one.values()] == [s.interval for s in two.values()]


def test_dead_features_and_bad_values_are_found(tmp_path):
    points, labels = clouds(200, 8)
    points[:, 2] = 1
    stored = stored_in(tmp_path / "points", points)
    found = unknot.measure(stored, labels, measures="nc1", max_memory=1000, **QUICK)
    assert found.notes == ("1 of 8 features are constant and have no effect",)
    points[150, 3] = np.inf
    bad = stored_in(tmp_path / "bad", points)
    with pytest.raises(ValueError, match=r"points must be finite in float32.* sample 150"):
        unknot.measure(bad, labels, max_memory=1000)
    with pytest.raises(ValueError, match="one label for each of the 200 samples"):
        unknot.measure(stored, labels[:-1], max_memory=1000)


def test_stored_points_can_be_given_as_they_are(tmp_path):
    points, labels = clouds(200, 8)
    stored = StoredPoints(stored_in(tmp_path / "points", points), 2000)
    found = unknot.measure(stored, labels, measures="silhouette", **QUICK)
    wanted = unknot.measure(points, labels, measures="silhouette", **QUICK)
    assert_same_score(found["silhouette"], wanted["silhouette"])


@pytest.mark.parametrize("place", [1e9, np.array([1e9, -1e12, 5.0, 1e6]), "1e-50", "1e300"])
def test_float64_on_disk_gives_what_it_gives_near_0(tmp_path, place):
    points, labels = clouds(120, 4)
    points = points.astype(np.float64)
    given = points * float(place) if isinstance(place, str) else points + np.asarray(place)
    stored = zarr.create_array(
        store=str(tmp_path / "far.zarr"), shape=given.shape, chunks=(37, 4), dtype="f8"
    )
    stored[:] = given
    options = {
        "measures": ["neighborhood_hit", "silhouette", "nc1", "distance_consistency"],
        "n_permutations": 0,
        "n_resamples": 3,
    }
    near = unknot.measure(points, labels, **options)
    for max_memory in (500, None):
        found = unknot.measure(stored, labels, **options, max_memory=max_memory)
        for name, score in found.items():
            assert score.value == pytest.approx(near[name].value, rel=1e-3), name
    if isinstance(place, str):
        with pytest.raises(ValueError, match="in float32"):
            unknot.nearest_neighbors(stored, 5, max_memory=500)
    else:
        graph = unknot.nearest_neighbors(stored, 5, max_memory=500)
        assert graph.indices.tolist() == unknot.nearest_neighbors(given, 5).indices.tolist()


def test_rows_that_come_masked_from_disk_are_refused():
    class Masked:  # as a NetCDF variable whose rows have missing values
        shape, dtype = (60, 2), np.dtype("f4")
        chunks = None

        def __getitem__(self, rows):
            return np.ma.masked_less(np.arange(120.0).reshape(60, 2), 100)[rows]

    for max_memory in (100, None):
        with pytest.raises(ValueError, match=r"points has .* masked entries"):
            unknot.measure(Masked(), np.arange(60) % 2, max_memory=max_memory)
