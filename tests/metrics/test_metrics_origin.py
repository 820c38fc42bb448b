"""Scores depend neither on the origin nor on the unit of the points, in any type of numbers."""

import warnings

import numpy as np
import pytest

from unknot import metrics

LABELS = np.repeat(np.arange(5), 60)
RNG = np.random.default_rng(0)
POINTS = 1.2 * RNG.normal(size=(5, 8))[LABELS] + RNG.normal(size=(300, 8))
# A multiple of 2^-10, which float16, 64-bit integers and float64 with an offset can all hold.
EXACT = np.round(np.clip(POINTS, -1.9, 1.9) * 1024) / 1024


def scores(points):
    found = {
        "Neighborhood Hit": metrics.neighborhood_hit(points, LABELS),
        "NC1": metrics.nc1(points, LABELS),
        "Calinski-Harabasz": metrics.calinski_harabasz(points, LABELS),
        "CDNV": metrics.class_distance_variance(points, LABELS),
        "TwoNN": metrics.two_nn(points),
        "silhouette": metrics.silhouette(points, LABELS),
        "probe": metrics.linear_probe(points, LABELS),
    }
    return {name: float(score) for name, score in found.items()}


def centered(points):
    """Relative to a point, in units of the largest coordinate: float32 loses nothing of it."""
    moved = points.astype(np.longdouble) - points[0].astype(np.longdouble)
    return (moved / np.abs(moved).max()).astype(np.float64)


@pytest.mark.parametrize(
    "points",
    [
        *(POINTS + offset for offset in (1e6, 1e7, 1e8, 1e9)),
        *(POINTS * scale for scale in (1e-300, 1e-150, 1e-50, 1e50, 1e150, 1e300)),
        (POINTS + 1e7) * 1e-50,
        (EXACT * 1024).astype(np.int64) + 2**50,
        (EXACT * 1024).astype(np.int64) - 2**62,
        POINTS.astype(np.longdouble) + np.longdouble(1e9),
        EXACT.astype(np.float16),
        (POINTS + 1000).astype(np.float32),
    ],
)
def test_scores_are_those_of_the_centered_points(points):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(points)
    wanted = scores(centered(points))
    for name, score in found.items():
        assert score == pytest.approx(wanted[name], rel=1e-5), name


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_a_cast_before_centering_would_lose_them():
    spoilt = scores((POINTS + 1e8).astype(np.float32))
    assert abs(spoilt["Neighborhood Hit"] - scores(POINTS)["Neighborhood Hit"]) > 0.05
