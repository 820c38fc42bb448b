import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unknot.metrics import MeasureWarning, UndefinedMeasureError, linear_cka


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_cka(x, y, debiased):
    """From the full kernel matrices, by the published formulas."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(x)

    def hsic(a, b):
        k, m = a @ a.T, b @ b.T
        if not debiased:
            h = np.eye(n) - 1 / n
            return np.trace(k @ h @ m @ h) / n**2
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        one = np.ones(n)
        return (
            np.trace(k @ m)
            + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * (one @ k @ m @ one)
        ) / (n * (n - 3))

    return hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))


@pytest.mark.filterwarnings("ignore:the debiased estimate")
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    first=st.sampled_from([1, 4, 60]),
    second=st.sampled_from([2, 50]),
    debiased=st.booleans(),
)
def test_it_is_the_slow_form(seed, first, second, debiased):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(25, 3))
    x = (shared @ rng.normal(size=(3, first)) + 0.3 * rng.normal(size=(25, first)) + 5).astype("f4")
    y = (shared @ rng.normal(size=(3, second)) + 0.3 * rng.normal(size=(25, second))).astype("f4")
    expected = slow_cka(x, y, debiased)
    result = linear_cka(x, y, debiased=debiased)
    assert result.estimate == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert result.value == min(max(result.estimate, 0), 1)


@pytest.mark.filterwarnings("ignore:the debiased estimate")
def test_independent_inputs_are_near_zero_only_without_the_bias(rng):
    pairs = [(rng.normal(size=(32, 10)), rng.normal(size=(32, 10))) for _ in range(200)]
    debiased = np.array([linear_cka(x, y).estimate for x, y in pairs])
    biased = np.array([linear_cka(x, y, debiased=False).value for x, y in pairs])
    # About 10 * 10 / 32 of a sum of 10 + 10 * 10/32 ...: .2 and more.
    assert biased.mean() > 0.2
    assert abs(debiased.mean()) < 4 * debiased.std() / np.sqrt(200) + 0.005
    assert (debiased < 0).any()


def test_a_negative_estimate_is_given_as_zero_and_said():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(32, 10)), rng.normal(size=(32, 10))
        if slow_cka(x.astype("f4"), y.astype("f4"), True) < -0.01:
            break
    with pytest.warns(MeasureWarning, match="which is clipped to 0"):
        result = linear_cka(x, y)
    assert result.value == 0.0
    assert result.estimate < -0.01


def test_rotation_scale_and_translation_change_nothing(rng):
    x = rng.normal(size=(60, 8))
    y = x[:, :4] + 0.5 * rng.normal(size=(60, 4))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    before = linear_cka(x, y).value
    assert 0.3 < before < 0.95
    assert linear_cka(100 * x @ turn + 7, y).value == pytest.approx(before, rel=1e-4)
    assert linear_cka(x, 5 * x @ turn - 1).value == pytest.approx(1, abs=1e-6)
    assert linear_cka(y, x).value == pytest.approx(before, rel=1e-9)
    # A stretch of one axis is no rotation.
    assert linear_cka(x, x * ([10] + [1] * 7)).value < 0.9


@pytest.mark.parametrize("features", [3, 60])
def test_the_influence_is_the_derivative_by_a_samples_weight(rng, features):
    x = rng.normal(size=(40, features)).astype("f4").astype(float)
    y = (x[:, :3] + rng.normal(size=(40, 3))).astype("f4").astype(float)
    result = linear_cka(x, y, debiased=False)

    def weighted(weights):
        weights = weights / weights.sum()
        a, b = x - weights @ x, y - weights @ y

        def hsic(p, q):
            return np.square(p.T @ (q * weights[:, None])).sum()

        return hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))

    h = 1e-4
    for i in (0, 9, 33):
        up, down = np.ones(40), np.ones(40)
        up[i] += h
        down[i] -= h
        slope = (weighted(up) - weighted(down)) / (2 * h)
        assert slope == pytest.approx(result.influence[i] / 40, rel=1e-3, abs=1e-7)


def test_no_variance_is_named(rng):
    with pytest.raises(
        UndefinedMeasureError, match="divides by the variance, which is 0 for second"
    ):
        linear_cka(rng.normal(size=(10, 3)), np.ones((10, 2)))


def test_other_samples_are_refused(rng):
    with pytest.raises(ValueError, match="same samples; got 10 and 11"):
        linear_cka(rng.normal(size=(10, 3)), rng.normal(size=(11, 3)))


def test_fewer_than_four_samples_are_refused(rng):
    with pytest.raises(ValueError, match="first must have at least 4 samples; got 3"):
        linear_cka(np.eye(3), np.eye(3))


def test_too_few_samples_for_the_dimension_are_named():
    # The corners of a simplex: all products of different samples are equal, and nothing is left.
    with pytest.raises(UndefinedMeasureError, match="not positive: 6 samples are too few"):
        linear_cka(np.eye(6), np.arange(6.0)[:, None])
