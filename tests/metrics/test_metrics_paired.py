"""Differences of two scores: intervals, p values, and their correction."""

from dataclasses import replace

import numpy as np
import pytest

import unknot
from unknot.metrics import difference_p, holm, independent_interval, paired_interval
from unknot.metrics._shared.intervals import Interval, Z


@pytest.fixture(scope="module")
def labels():
    return np.repeat(np.arange(4), 50)


def layers_of(labels, seed, n_features=10, shared=1.0):
    """Return two layers of one distribution that share a part of what varies."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(0).normal(size=(4, n_features))
    common = shared * rng.normal(size=(len(labels), 4))
    weights = np.random.default_rng(1).normal(size=(4, n_features))
    first, second = (
        means[labels] + common @ weights + rng.normal(size=(len(labels), n_features))
        for _ in range(2)
    )
    return first.astype(np.float32), second.astype(np.float32)


def scores_of(points, labels, measures):
    return unknot.measure(points, labels, measures=measures, n_permutations=0)


def compared(first, second, codes=None):
    return paired_interval(first, second, (first.influence, second.influence), codes)


def p_of(first, second, found):
    return difference_p(first.value, second.value, found)


@pytest.fixture(scope="module")
def score(labels):
    first, _ = layers_of(labels, 0)
    return scores_of(first, labels, "class_distance_variance")["class_distance_variance"]


def test_the_interval_of_a_difference_is_the_formula(score):
    # delta = 1, 0, -1, 0: squares sum to 2, times n / (n - 1) = 4/3. The stated variances are those
    # of the terms, so that they change nothing: 2/3 + 2/3 = 4/3 for phi = +-1/2 and psi = -phi.
    phi = np.array([0.5, 0.0, -0.5, 0.0])
    stated = np.sqrt(0.5 * 4 / 3)
    one = replace(score, value=2.0, standard_error=stated, df=None)
    two = replace(one, value=5.0)
    found = paired_interval(one, two, (-phi, phi))
    assert found.standard_error == pytest.approx(np.sqrt(8 / 3))
    assert (found.low, found.high) == pytest.approx(
        (3 - Z * np.sqrt(8 / 3), 3 + Z * np.sqrt(8 / 3))
    )
    # 3 / sqrt(8/3) = 1.837: two-sided p of the normal distribution .0662.
    assert p_of(one, two, found) == pytest.approx(0.0662, abs=1e-4)


def test_uncorrelated_scores_have_the_sum_of_their_variances(score):
    phi, psi = np.array([0.2, -0.2, 0.2, -0.2]), np.array([0.1, 0.1, -0.1, -0.1])
    one = replace(score, standard_error=0.6, df=None)
    two = replace(score, standard_error=0.8, df=None)
    assert paired_interval(one, two, (phi, psi)).standard_error == pytest.approx(1.0)
    assert independent_interval(one, two).standard_error == pytest.approx(1.0)


def test_degrees_of_freedom_are_those_of_the_differences(score):
    one = replace(score, value=1.0, standard_error=1.0, df=50.0)
    two = replace(one, value=2.0)
    # One point of ten carries all: kurtosis sum (d^2 / sum d^2)^2 is near 1, df is about 2.
    phi = np.zeros(10)
    psi = np.where(np.arange(10) == 0, 0.9, -0.1)
    found = paired_interval(one, two, (phi, psi))
    squares = np.array([0.81, *[0.01] * 9]) / 0.9
    assert found.df == pytest.approx(2 / (np.sum(squares**2) - 0.1))
    assert found.notes == (
        "a few points carry this difference (3 degrees of freedom); its interval may be too narrow",
    )


def test_welch_degrees_of_independent_scores(score):
    one = replace(score, value=1.0, standard_error=3.0, df=10.0)
    two = replace(score, value=2.0, standard_error=4.0, df=20.0)
    found = independent_interval(one, two)
    # (9 + 16)^2 / (81 / 10 + 256 / 20) = 625 / 20.9
    assert found.df == pytest.approx(625 / 20.9)
    assert found.standard_error == 5.0
    with pytest.raises(ValueError, match="has no standard error"):
        independent_interval(one, replace(two, standard_error=None))


def share(score, value, error, n):
    return replace(score, value=value, standard_error=error, df=None, range=(0.0, 1.0), n_samples=n)


def test_shares_at_the_ceiling_differ_by_nothing_and_not_surely(score):
    one = share(score, 1.0, 0.0, 100)
    found = paired_interval(one, one, (np.zeros(100), np.zeros(100)))
    # As if two of the 100 points had changed: V = 2 / 100^2.
    assert (found.low, found.high) == pytest.approx((-Z * np.sqrt(2) / 100, Z * np.sqrt(2) / 100))
    assert p_of(one, one, found) == 1.0


def test_few_discordant_points_are_as_sure_as_in_mcnemars_test(score):
    # Six of 200 points change, all in one direction: McNemar's exact p is 2 / 2^6 = .031.
    n, changed = 200, 6
    hits = np.ones(n), np.arange(n) >= changed
    values = [each.mean() for each in hits]
    phi = [(each - value) / n for each, value in zip(hits, values, strict=True)]
    one, two = (share(score, value, np.sqrt(value * (1 - value) / n), n) for value in values)
    found = paired_interval(one, two, tuple(phi))
    assert p_of(one, two, found) == pytest.approx(0.031, abs=0.006)


def test_equal_values_up_to_rounding_do_not_differ():
    sure = Interval(0.0, 0.0, 1e-12)
    assert difference_p(1.0, 1.0 + 1e-8, sure) == 1.0
    assert difference_p(1.0, 1.01, sure) < 1e-6
    assert difference_p(1.0, 1.01, replace(sure, standard_error=0.0)) == 0.0


def test_the_same_points_twice_have_no_variance(labels):
    first, _ = layers_of(labels, 0)
    for score in scores_of(first, labels, ["neighborhood_hit", "two_nn", "silhouette"]).values():
        found = compared(score, score, labels)
        assert (found.low, found.high, found.standard_error) == (0.0, 0.0, 0.0)
        assert p_of(score, score, found) == 1.0


def test_moved_turned_and_scaled_points_do_not_differ(labels):
    first, _ = layers_of(labels, 0)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))
    measures = ["class_distance_variance", "neighborhood_hit", "nc1"]
    before = scores_of(first, labels, measures)
    after = scores_of(3 * first @ turn.astype(np.float32) + 5, labels, measures)
    for name in measures:
        one, two = before[name], after[name]
        assert p_of(one, two, compared(one, two, labels)) == pytest.approx(1.0)


def test_a_swap_turns_the_interval_round(labels):
    first, second = layers_of(labels, 3)
    names = ["neighborhood_hit", "nc1", "two_nn"]
    one, two = (scores_of(points, labels, names) for points in (first, second))
    for name in names:
        there, back = compared(one[name], two[name]), compared(two[name], one[name])
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
        p_values = p_of(one[name], two[name], there), p_of(two[name], one[name], back)
        assert p_values[0] == pytest.approx(p_values[1])


def test_what_layers_share_cancels(labels):
    first, second = layers_of(labels, 0, shared=2.0)
    for name in ("class_distance_variance", "participation_ratio", "davies_bouldin"):
        one, two = (scores_of(points, labels, name)[name] for points in (first, second))
        paired = compared(one, two, labels).standard_error
        assert paired < 0.75 * independent_interval(one, two).standard_error


def test_one_sample_is_too_few(score):
    with pytest.raises(ValueError, match="at least 2 labeled samples; got 1"):
        paired_interval(score, score, (np.zeros(1), np.zeros(1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["neighborhood_hit", "class_distance_variance", "two_nn", "participation_ratio"]
)
def test_p_values_are_below_5_percent_as_often_as_they_say(name):
    labels = np.random.default_rng(7).integers(0, 4, size=200)
    repeats = 200
    p_values = []
    for seed in range(repeats):
        one, two = (
            scores_of(points, labels, name)[name] for points in layers_of(labels, 100 + seed)
        )
        p_values.append(p_of(one, two, compared(one, two, labels)))
    # Of 200 repeats at 5 %, 95 of 100 runs lie within 2 to 8 %.
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.09
    # They are no lower than a uniform distribution, nor far above.
    assert 0.4 <= np.mean(p_values) <= 0.65


def test_a_real_difference_is_found(labels):
    first, _ = layers_of(labels, 0)
    better = first + np.random.default_rng(5).normal(size=(4, 10)).astype(np.float32)[labels]
    for name in ("neighborhood_hit", "class_distance_variance"):
        one, two = (scores_of(points, labels, name)[name] for points in (first, better))
        found = compared(one, two, labels)
        assert p_of(one, two, found) < 1e-3
        assert found.low > 0 if name == "neighborhood_hit" else found.high < 0


def test_holm_by_hand():
    # Sorted .01, .02, .03, .2: times 4, 3, 2, 1 is .04, .06, .06, .2; never below the one before.
    assert holm([0.03, 0.01, 0.2, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.3]).tolist() == [0.3]
    assert holm([]).tolist() == []


def test_holm_keeps_the_family_wise_rate():
    rng = np.random.default_rng(0)
    wrong = [np.min(holm(rng.uniform(size=20))) < 0.05 for _ in range(2000)]
    # 5 %, with a standard error of .5 % over 2,000 tables; without correction 64 %.
    assert 0.035 < np.mean(wrong) < 0.065
