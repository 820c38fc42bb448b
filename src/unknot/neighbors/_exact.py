"""Exact search by tiles: a matrix product bounds every distance, few are computed in full.

Points are ordered by a tree of median splits, so that a tile's points share their candidates;
tiles meet the nearest first, so that the k-th distances shrink at once. Two tiles of the points
searched meet once, for both: half the products suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32
from ._axes import Axes
from ._tiles import Heaps, Meeting, Tiles

# Queries farther away, in units of the points' extent, are measured by a frame of their own: in the
# points' their squares overflow.
FAR = 2.0**30
# Centers and radii are rounded.
SLACK = 1e-5


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    queries: Float32[Array, "queries features"] | None = None,
    half_square: bool = False,
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query, ties by index.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features), float32
        C-contiguous and finite.
    k : int
        At most n_samples, and less if the points are the queries.
    n_threads : int
        The result does not depend on it.
    queries : ndarray of shape (n_queries, n_features), float32, optional
        By default the points themselves, none of which is then its own neighbor.
    half_square : bool
        Return half the squared distance, which for unit vectors is ``1 - cos``.

    Returns
    -------
    indices, distances : ndarrays of shape (n_queries, k)
    """
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        axes = Axes.principal(points, team)
        if queries is None:
            return _search(points, None, k, axes, half_square, team)
        reach = np.abs(queries - axes.origin).max(axis=1) * axes.scale
        far = reach > FAR
        if not far.any():
            return _search(points, queries, k, axes, half_square, team)
        indices = np.empty((len(queries), k), np.int32)
        distances = np.empty((len(queries), k), np.float32)
        for some in (far, ~far):
            if some.any():
                nearer = 2.0 ** -np.ceil(np.log2(reach[some].max())) if some is far else 1.0
                frame = replace(axes, scale=axes.scale * nearer)
                found = _search(points, queries[some], k, frame, half_square, team)
                indices[some], distances[some] = found
    return indices, distances


def _search(
    points: Float32[Array, "samples features"],
    queries: Float32[Array, "queries features"] | None,
    k: int,
    axes: Axes,
    half_square: bool,
    team: ThreadTeam,
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Search in a frame."""
    base = Tiles.along_tree(points, axes.coordinates(points, team), team)
    if queries is None:
        asked = base
        heaps = search_all_pairs(base, k, axes.scale, team)
    else:
        asked = Tiles.along_tree(queries, axes.coordinates(queries, team), team)
        meeting = Meeting(asked, base)
    indices = np.empty((len(asked.order), k), np.int32)
    distances = np.empty((len(asked.order), k), np.float32)

    def answer(block: int) -> None:
        rows = asked.slices[block]
        some = heaps.of(rows) if queries is None else search_block(meeting, block, k, axes.scale)
        some.empty_into(asked.order[rows], half_square, distances, indices)

    team.run(answer, len(asked.slices))
    return indices, distances


def search_block(
    meeting: Meeting, block: int, k: int, scale: float, max_tiles: int | None = None
) -> Heaps:
    """Fill one heap for each query of a block; other queries are left alone.

    With ``max_tiles`` only so many of the nearest tiles are visited: no longer exact.
    """
    asked, base = meeting.asked, meeting.base
    errors = asked.coordinates.errors[asked.slices[block]] + base.slack
    heaps = Heaps.unfilled(errors, k, scale)
    apart = base.distances_to(asked.centers[block])
    gaps = (apart - asked.radii[block] - base.radii) * (1 - SLACK)
    for tile in np.argsort(apart, kind="stable")[:max_tiles]:
        if gaps[tile] <= heaps.reach():
            meeting.meet(block, int(tile), heaps, None)
    return heaps


def search_all_pairs(tiles: Tiles, k: int, scale: float, team: ThreadTeam) -> Heaps:
    """Fill a heap for each of the points of all tiles, in the tiles' order."""
    heaps = Heaps.unfilled(tiles.coordinates.errors + tiles.slack, k, scale)
    meet_all(tiles, heaps, tiles, heaps, team)
    return heaps


def meet_all(asked: Tiles, near: Heaps, base: Tiles, far: Heaps, team: ThreadTeam) -> None:
    """Let every tile meet every other, or those of another set of points, nearest ones first.

    Pairs that have no tile in common meet at the same time; nothing is changed by two threads.
    """
    same = asked is base
    apart = np.stack([base.distances_to(center) for center in asked.centers])
    gaps = (apart - asked.radii[:, None] - base.radii) * (1 - SLACK)
    meeting = Meeting(asked, base)
    near_of = [near.of(rows) for rows in asked.slices]
    far_of = near_of if same else [far.of(rows) for rows in base.slices]
    for batch in _batches(apart, same):
        wanted = []
        for block, tile in batch:
            gap = gaps[block, tile]
            one = near_of[block] if gap <= near_of[block].reach() else None
            other = far_of[tile] if gap <= far_of[tile].reach() else None
            if same and block == tile:
                other = None
            if one is not None or other is not None:
                wanted.append(partial(meeting.meet, block, tile, one, other))

        def meet(number: int, calls: Sequence[Callable[[], None]] = wanted) -> None:
            calls[number]()

        team.run(meet, len(wanted))


def _batches(apart: Array, same: bool) -> list[list[tuple[int, int]]]:
    """Put pairs of tiles into batches in which no tile stands twice.

    For each tile the batches come in about the order of distance: a pair's place in the order is
    the better of the two ranks that its tiles have for each other.
    """
    ranks = np.minimum(_ranks(apart), _ranks(apart.T).T)
    first, second = np.triu_indices(len(apart)) if same else np.indices(apart.shape).reshape(2, -1)
    in_order = np.argsort(ranks[first, second], kind="stable")
    free = [0] * len(apart)
    free_too = free if same else [0] * apart.shape[1]
    batches: list[list[tuple[int, int]]] = []
    for one, other in zip(first[in_order].tolist(), second[in_order].tolist(), strict=True):
        turn = max(free[one], free_too[other])
        if turn == len(batches):
            batches.append([])
        batches[turn].append((one, other))
        free[one] = free_too[other] = turn + 1
    return batches


def _ranks(apart: Array) -> Array:
    """Rank the entries of every row, the smallest first."""
    order = np.argsort(apart, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(apart.shape[1])[None], axis=1)
    return ranks
