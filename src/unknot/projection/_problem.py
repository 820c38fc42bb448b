"""What the descent of a map starts from: its samples in an order, and their affinities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float32, Int32, Int64
from ._affinities import Affinities, joint, rank_of, thin_joint
from ._copies import Representatives
from ._descent import Engine, ExactEngine, MeshEngine


@dataclass(frozen=True, eq=False)
class Problem:
    """The samples of a map in the order of an engine, and their affinities.

    Attributes
    ----------
    kept : ndarray of shape (n_kept,), int64
        The samples that are embedded; fewer than all where points have many copies.
    place : ndarray of shape (n_samples,), int64
        The row of ``kept`` whose position each sample gets.
    order : ndarray of shape (n_kept,), int32
        The row of ``kept`` at each row of the engine.
    affinities : Affinities
    thin : Affinities or None
        Of fewer neighbors; None where steps need all of them, or repulsion is exact.
    is_exact : bool
        Whether repulsion is summed over all pairs.
    """

    kept: Int64[Array, " kept"]
    place: Int64[Array, " samples"]
    order: Int32[Array, " kept"]
    affinities: Affinities
    thin: Affinities | None
    is_exact: bool

    @classmethod
    def of(
        cls,
        representatives: Representatives,
        perplexity: float,
        order: Int32[Array, " kept"],
        team: ThreadTeam,
        *,
        is_exact: bool,
    ) -> Problem:
        """Compute the affinities of samples, row r for sample ``order[r]``."""
        graph = representatives.graph
        affinities = joint(graph, perplexity, order, team)
        thin = None if is_exact else thin_joint(graph, perplexity, order, team)
        return cls(representatives.kept, representatives.place, order, affinities, thin, is_exact)

    def engine(self, rows: Array, spacing: float, team: ThreadTeam) -> Engine:
        """Return an engine with a map whose rows are in its order."""
        if self.is_exact:
            return ExactEngine(self.affinities, rows, team)
        return MeshEngine(self.affinities, rows, spacing, team, self.thin)

    @cached_property
    def source(self) -> Int64[Array, " kept"]:
        """The sample at each row of the engine."""
        return self.kept[self.order]

    @cached_property
    def row(self) -> Int32[Array, " samples"]:
        """The row of the engine with the position of each sample."""
        return rank_of(self.order)[self.place]

    def map_of(self, rows: Array) -> Float32[Array, "samples components"]:
        """Return the map of all samples, given the engine's rows."""
        map_: Float32[Array, "samples components"] = np.ascontiguousarray(rows[self.row])
        return map_
