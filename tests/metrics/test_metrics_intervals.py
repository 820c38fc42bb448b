import numpy as np
import pytest
from metrics_oracles import permuted_hits

import unknot
from unknot import metrics
from unknot.metrics import measure
from unknot.metrics._shared.intervals import from_influence, of_share, wilson
from unknot.metrics._shared.moment_influence import MomentInfluence
from unknot.metrics._shared.moments import class_moments
from unknot.metrics._shared.neighbor_influence import count_returned, null_of_hits
from unknot.metrics.dimension import dimension_influence, estimate_dimension

FUNCTIONS = {
    "class_distance_variance": metrics.class_distance_variance,
    "davies_bouldin": metrics.davies_bouldin,
    "calinski_harabasz": metrics.calinski_harabasz,
    "nc1": metrics.nc1,
    "nc2": metrics.nc2,
}


def mixture(rng, n=400, features=6, apart=1.5, shares=(0.4, 0.3, 0.2, 0.1)):
    fixed = np.random.default_rng(5)
    means = apart * fixed.normal(size=(len(shares), features))
    labels = rng.choice(len(shares), size=n, p=shares)
    return rng.normal(size=(n, features)) + means[labels], labels


def deleted(function, points, labels):
    """By how much each point shifts a measure, by leaving it out: the jackknife's values."""
    n = len(labels)
    everything = np.arange(n)
    without = [function(points[everything != i], labels[everything != i]).value for i in range(n)]
    return (n - 1) / n * (np.mean(without) - np.array(without))


# With fewer features than directions between four means, and with more.
@pytest.mark.parametrize("features", [2, 6])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_influence_on_class_moments_is_what_leaving_a_point_out_shows(name, features):
    points, labels = mixture(np.random.default_rng(0), features=features)
    moments = class_moments(points.astype(np.float32), labels, 4)
    influence = getattr(MomentInfluence(points.astype(np.float32), labels, moments), name)()
    jackknife = deleted(FUNCTIONS[name], points.astype(np.float32), labels)
    assert np.corrcoef(influence, jackknife)[0, 1] > 0.998
    # The influence has the degree of freedom of the class means, 1 to 1.3 % of the smaller ones.
    assert influence.std() == pytest.approx(jackknife.std(), rel=0.02)


def test_the_silhouettes_influence_is_what_leaving_a_point_out_shows():
    points, labels = mixture(np.random.default_rng(1), n=300)
    score = measure(points, labels, measures="silhouette", n_permutations=0)["silhouette"]
    jackknife = deleted(metrics.silhouette, points.astype(np.float32), labels)
    assert np.corrcoef(score.influence, jackknife)[0, 1] > 0.999
    assert score.influence.std() == pytest.approx(jackknife.std(), rel=0.03)


def test_the_influence_of_a_sampled_silhouette_is_that_of_the_sample_and_of_its_neighbors():
    points, labels = mixture(np.random.default_rng(2), n=900)
    whole = measure(points, labels, measures="silhouette", n_permutations=0)["silhouette"]
    errors = []
    for seed in range(5):
        part = measure(
            points, labels, measures="silhouette", n_permutations=0, max_samples=300,
            random_state=seed,
        )["silhouette"]  # fmt: skip
        errors.append(part.standard_error)
    # A third of the points: the sampling adds to the variance, but does not triple it.
    assert whole.standard_error < np.mean(errors) < 1.6 * whole.standard_error


def test_the_dimensions_influence_is_its_derivative_by_the_weight_of_a_ratio():
    ratios = np.random.default_rng(3).exponential(size=60)
    order = np.argsort(ratios)
    value = estimate_dimension(ratios[order], np.ones((1, 60)), 0.1, "fit")[0]
    psi = dimension_influence(ratios, float(value), 0.1)
    # Many copies of the data, so that the weight of one ratio changes continuously.
    copies = 400
    repeated = np.repeat(ratios[order], copies)
    plain = estimate_dimension(repeated, np.ones((1, len(repeated))), 0.1, "fit")[0]
    shifts = []
    for place in range(60):
        more = np.insert(repeated, place * copies, np.full(8, ratios[order][place]))
        changed = estimate_dimension(more, np.ones((1, len(more))), 0.1, "fit")[0]
        shifts.append((changed - plain) / 8 * copies)
    shifts = np.array(shifts) - np.mean(shifts)
    assert np.corrcoef(shifts, psi[order])[0, 1] > 0.99


def test_the_null_of_hits_is_that_of_all_permutations():
    # Six points have 6! = 720 permutations of their labels, of which 60 differ.
    neighbors = np.array([[1, 2], [0, 2], [1, 3], [4, 2], [3, 5], [4, 3]])
    codes = np.array([0, 0, 0, 1, 1, 2])
    hits = permuted_hits(neighbors, codes)
    mean, sd = null_of_hits(neighbors, codes)
    assert mean == pytest.approx(hits.mean(), abs=1e-12)
    assert sd == pytest.approx(hits.std(), abs=1e-12)
    # 0-1, 2-1, 3-4, 4-5 are mutual; 2-3, of which 3 has 2; and 5-3 and 0-2 are not returned.
    assert count_returned(neighbors).tolist() == [1, 2, 2, 2, 2, 1]


def test_a_hit_has_an_exact_null_and_its_z():
    points, labels = mixture(np.random.default_rng(4), n=200)
    score = measure(points, labels, measures="neighborhood_hit", n_permutations=5)[
        "neighborhood_hit"
    ]
    counts = np.bincount(labels)
    assert score.null == pytest.approx((counts * (counts - 1)).sum() / (200 * 199))
    assert score.z == pytest.approx((score.value - score.null) / score.null_sd)
    other = measure(points, labels, measures="neighborhood", n_permutations=1)
    assert other["neighbor_confusion"].null == pytest.approx(1 - score.null)
    assert other["neighbor_confusion"].null_sd == pytest.approx(score.null_sd)


def test_wilsons_interval():
    # At 1 of 10: 10 / (10 + 3.8415).
    assert wilson(1.0, 10) == pytest.approx((10 / 13.8414588, 1.0))
    assert wilson(0.0, 10) == pytest.approx((0.0, 3.8414588 / 13.8414588))
    low, high = wilson(0.3, 50)
    assert (low, high) == pytest.approx((0.1910, 0.4375), abs=1e-4)


def test_a_share_of_one_is_not_certain():
    found = of_share(1.0, np.zeros(100), 100)
    assert (found.low, found.high) == pytest.approx((100 / 103.8415, 1.0), abs=1e-4)
    assert "that of 100 independent points" in found.notes[0]
    # 50 of 100 independent points: Wilson's interval is not wider.
    assert of_share(0.5, np.repeat([-0.005, 0.005], 50), 100).notes == ()


def test_degrees_of_freedom_count_the_points_that_carry_a_score():
    rng = np.random.default_rng(5)
    even = from_influence(0.0, rng.normal(size=1000))
    # A normal variable has a kurtosis of 3: 1/df = (3 - 1) / 2n.
    assert even.df == pytest.approx(1000, rel=0.15)
    heavy = np.zeros(1000)
    heavy[:3] = 1.0, -2.0, 1.0
    few = from_influence(0.0, heavy)
    assert few.df < 5
    assert few.notes == (
        f"a few points carry this score ({few.df:.0f} degrees of freedom); such intervals held the "
        "mean over new samples in 72 to 92 % of trials, not in 95 %",
    )
    assert few.high > 2 * 1.96 * few.standard_error / 2


def test_small_classes_and_heavy_tails_are_said():
    rng = np.random.default_rng(6)
    points, labels = mixture(rng, n=400, shares=(0.5, 0.3, 0.19, 0.01))
    labels[:5] = 3
    notes = measure(points, labels, measures="class_distance_variance")[
        "class_distance_variance"
    ].notes
    assert any("of trials, not in 95 %" in note for note in notes)
    points = rng.standard_t(1.5, size=(500, 4)) * 3
    score = measure(points, np.arange(500) % 2, measures="participation_ratio")[
        "participation_ratio"
    ]
    assert score.df < 15
    assert any("a few points carry this score" in note for note in score.notes)


def test_scores_of_a_map_are_given_this_map():
    points, labels = mixture(np.random.default_rng(7), n=150)
    scores = measure(points, labels, points[:, :2], ["neighborhood", "trustworthiness"])
    assert not scores["neighborhood_hit"].given_map
    assert scores["map_neighborhood_hit"].given_map
    assert scores["trustworthiness"].given_map
    again = metrics.Scores.from_json(scores.to_json())
    assert again["trustworthiness"].given_map
    assert again["trustworthiness"].standard_error == scores["trustworthiness"].standard_error
    assert again["neighborhood_hit"].z == scores["neighborhood_hit"].z


def test_two_classes_have_no_interval_of_nc2():
    points, labels = mixture(np.random.default_rng(8), n=100, shares=(0.5, 0.5))
    score = measure(points, labels, measures="nc2")["nc2"]
    assert score.interval is None
    assert score.no_interval == "it has this value for every sample"


def test_a_capacity_has_an_interval_if_asked():
    points, labels = mixture(np.random.default_rng(14), n=240)
    options = {"measures": "capacity", "n_permutations": 0, "n_draws": 50}
    plain = measure(points, labels, **options)
    asked = measure(points, labels, capacity_interval=True, **options)
    for name in ("manifold_capacity", "manifold_radius", "manifold_dimension"):
        assert "pass capacity_interval=True" in plain[name].no_interval
        assert asked[name].value == plain[name].value
        low, high = asked[name].interval
        assert low < asked[name].value < high


def test_influences_sum_to_nothing_and_do_not_depend_on_the_order_of_rows():
    points, labels = mixture(np.random.default_rng(9), n=300)
    order = np.random.default_rng(0).permutation(300)
    names = [*FUNCTIONS, "silhouette", "neighborhood_hit", "two_nn", "participation_ratio"]
    scores = measure(points, labels, measures=names, n_permutations=0)
    moved = measure(points[order], labels[order], measures=names, n_permutations=0)
    for name in names:
        influence = scores[name].influence
        scale = np.abs(influence).max()
        assert abs(influence.sum()) < 1e-6 * len(influence) * scale, name
        np.testing.assert_allclose(
            moved[name].influence, influence[order], atol=1e-6 * scale, err_msg=name
        )


def test_no_resamples_are_no_intervals():
    points, labels = mixture(np.random.default_rng(10), n=100)
    scores = measure(points, labels, n_resamples=0, measures=["nc1", "silhouette"])
    assert all(score.interval is None for score in scores.values())
    assert scores["nc1"].no_interval == "n_resamples is 0"


# Coverage in percent over 120 samples knows 95 % to ±2 %: three of these are allowed. The map is a
# fixed projection, so that a new sample has the same map.
@pytest.mark.slow
@pytest.mark.parametrize("apart", [0.7, 1.5])
def test_intervals_cover_and_are_as_wide_as_the_scatter_of_new_data(apart):
    names = [
        *FUNCTIONS, "neighborhood_hit", "silhouette", "distance_consistency", "two_nn",
        "participation_ratio", "linear_cka", "trustworthiness", "continuity", "linear_probe",
    ]  # fmt: skip
    found = {name: [] for name in names}
    for seed in range(120):
        points, labels = mixture(np.random.default_rng([11, seed]), n=300, apart=apart)
        scores = measure(points, labels, points[:, :2], names, n_permutations=0)
        for name in names:
            found[name].append((scores[name].value, *scores[name].interval))
    for name, rows in found.items():
        value, low, high = np.array(rows).T
        width = (high - low).mean() / (3.92 * value.std(ddof=1))
        covered = np.mean((low <= value.mean()) & (value.mean() <= high))
        assert covered >= 0.89, (name, covered, width)
        assert 0.85 < width < 1.45, (name, covered, width)


def test_a_few_points_give_intervals_or_reasons():
    for n in (4, 5, 8):
        points = np.random.default_rng(n).normal(size=(n, 3))
        scores = unknot.measure(points, np.arange(n) % 2, points[:, :2], k=1)
        for score in scores.values():
            if score.interval is not None:
                assert score.interval[0] <= score.value <= score.interval[1]


def test_refitted_maps_widen_the_intervals_of_scores_of_the_map():
    points, labels = mixture(np.random.default_rng(12), n=200)
    turns = iter(range(100))

    def refit(rows):
        # Another projection each time, so that the maps differ more than the samples.
        axes = np.random.default_rng(next(turns)).normal(size=(6, 2))
        return rows @ axes

    names = ["neighborhood_hit", "map_neighborhood_hit", "map_silhouette", "convex_hulls"]
    given = measure(points, labels, refit(points), names, n_permutations=0)
    free = measure(points, labels, refit(points), names, n_permutations=0, refit_map=refit)
    for name in names[1:]:
        assert not free[name].given_map
        assert any("10 maps of halves" in note for note in free[name].notes)
        assert free[name].df == 5
    assert free["neighborhood_hit"].interval == given["neighborhood_hit"].interval
    assert given["map_silhouette"].given_map
    assert free["map_silhouette"].standard_error > 2 * given["map_silhouette"].standard_error


def test_what_cannot_be_refitted_is_refused():
    points, labels = mixture(np.random.default_rng(13), n=60)
    with pytest.raises(ValueError, match="refit_map: there is no map"):
        measure(points, labels, refit_map=lambda rows: rows[:, :2])
    with pytest.raises(ValueError, match=r"must return a map of the shape \(30, n_components\)"):
        measure(points, labels, points[:, :2], "silhouette", refit_map=lambda rows: rows[:3, :2])
    with pytest.raises(ValueError, match="halves of 30 points are too few"):
        measure(points[:30], labels[:30], points[:30, :2], refit_map=lambda rows: rows[:, :2])
