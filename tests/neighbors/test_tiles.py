import numpy as np
import pytest
from numba import njit

from unknot._parallel.thread_team import ThreadTeam
from unknot.neighbors import _exact
from unknot.neighbors._axes import Axes
from unknot.neighbors._kernels_rules import CLASSES
from unknot.neighbors._kernels_tiles import collect, nearly_sort
from unknot.neighbors._tiles import KNearest, TilePair, Tiles


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 70), (130, 64), (40, 200)])
@pytest.mark.parametrize("own", [-512, 0, 3])
def test_collect_equals_slow_twin(height, width, own):
    rng = np.random.default_rng(height * width)
    products = rng.normal(size=(height, width)).astype(np.float32)
    row_norms, column_norms = (rng.uniform(1, 3, n).astype(np.float32) for n in (height, width))
    row_limits, column_limits = (
        rng.choice(np.float32([-np.inf, 0.5, 2, np.inf]), n) for n in (height, width)
    )
    size = height * width
    places, row_members, column_members = (np.empty(size, np.int32) for _ in range(3))
    values, row_bounds, column_bounds = (np.empty(size, np.float32) for _ in range(3))
    row_starts, column_starts = np.empty(height + 1, np.int32), np.empty(width + 1, np.int32)
    collect(
        products,
        row_norms,
        column_norms,
        row_limits,
        column_limits,
        own,
        np.empty(width, np.float32),
        places,
        values,
        row_starts,
        row_members,
        row_bounds,
        column_starts,
        column_members,
        column_bounds,
    )
    bounds = row_norms[:, None] + column_norms - 2 * products
    slack = 1e-5
    for limits, starts, members, found, table in (
        (row_limits, row_starts, row_members, row_bounds, bounds),
        (column_limits, column_starts, column_members, column_bounds, bounds.T),
    ):
        for b, limit in enumerate(limits):
            there = members[starts[b] : starts[b + 1]]
            assert np.all(np.diff(there) > 0)
            np.testing.assert_allclose(found[starts[b] : starts[b + 1]], table[b, there], atol=1e-6)
            wanted = set(np.flatnonzero(table[b] <= limit - slack))
            allowed = set(np.flatnonzero(table[b] <= limit + slack))
            if table is bounds:
                wanted -= {own + b}
                allowed -= {own + b}
            assert wanted <= set(there) <= allowed


@pytest.mark.parametrize("same", [True, False])
def test_batches_hold_every_pair_once_and_a_tile_at_most_once(same):
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(9, 3))
    others = centers if same else rng.normal(size=(5, 3))
    apart = np.linalg.norm(centers[:, None] - others, axis=2)
    batches = _exact._batches(apart, same)
    pairs = [pair for batch in batches for pair in batch]
    expected = {(i, j) for i in range(9) for j in range(len(others)) if not same or i <= j}
    assert sorted(pairs) == sorted(expected)
    for batch in batches:
        tiles = [(0, i) for i, _ in batch] + [(int(not same), j) for i, j in batch if i != j]
        if not same:
            tiles = [(0, i) for i, _ in batch] + [(1, j) for _, j in batch]
        assert len(tiles) == len(set(tiles))
    turn = {pair: number for number, batch in enumerate(batches) for pair in batch}
    for i in range(9):
        nearest = int(np.argmin(np.where(np.arange(len(others)) == i, np.inf, apart[i])))
        pair = (min(i, nearest), max(i, nearest)) if same else (i, nearest)
        assert turn[pair] < len(batches) / 2


def test_one_update_serves_both_tiles():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(1000, 40)).astype(np.float32)
    with ThreadTeam(1) as team:
        axes = Axes.principal(points, team)
        keys = np.arange(1000, dtype=np.uint64)
        tiles = Tiles.along_tree(points, axes.coordinates(points, team), keys, team)
    errors = tiles.coordinates.errors + tiles.slack
    found = KNearest.empty(errors, 4, axes.scale, tiles.keys, keys)
    first, second = tiles.slices
    TilePair(tiles, tiles).update(0, 1, found.view(first), found.view(second))
    ordered = points[tiles.order].astype(np.float64)
    squares = ((ordered[:, None] - ordered) ** 2).sum(axis=2)
    for rows, columns in ((first, second), (second, first)):
        block = squares[rows, columns]
        np.testing.assert_allclose(
            np.sort(found.distances[rows], axis=1), np.sort(block, axis=1)[:, :4], rtol=1e-12
        )
        nearest = tiles.order[columns][np.argsort(block, axis=1)[:, :4]]
        np.testing.assert_array_equal(
            np.sort(found.indices[rows], axis=1), np.sort(nearest, axis=1)
        )
    kth = found.distances[:, 0] ** 0.5 * axes.scale + errors
    np.testing.assert_allclose(found.limits, kth**2, rtol=1e-6)


@pytest.mark.parametrize("limit", [np.inf, 7.0, 0.5, -1.0])
@pytest.mark.parametrize("spread", [10.0, 0.0, 1e-30, 1e30])
def test_bounds_are_bucket_sorted(spread, limit):
    @njit
    def run(bounds, places, limit, counts, near_bounds, near_places):
        nearly_sort(bounds, places, limit, counts, near_bounds, near_places)

    n = 400
    rng = np.random.default_rng(0)
    bounds = (spread * rng.uniform(0, 1, n)).astype(np.float32)
    places = rng.permutation(n).astype(np.int32)
    near_bounds, near_places = np.empty(n, np.float32), np.full(n, -1, np.int32)
    scratch = (np.empty(CLASSES + 1, np.int32), near_bounds, near_places)
    run(bounds, places, np.float32(limit), *scratch)
    # Each is there once, with its place.
    assert sorted(near_places) == list(range(n))
    np.testing.assert_array_equal(near_bounds, bounds[np.argsort(places)][near_places])
    # None comes before one that is smaller by more than the width of a class.
    least = bounds.min()
    width = max(min(bounds.max(), limit) - least, 0) / (CLASSES - 1)
    before = np.maximum.accumulate(near_bounds)
    counted = (before - near_bounds)[before <= limit]
    assert (counted <= 1.01 * width).all()
