"""What the descent of a map starts from: its samples in an order, and their affinities.

Those of many maps at once may lie in files.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .._io.temporary import TemporaryFolder
from .._parallel.cached import cached_property
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


class Shelf:
    """Holds affinities in memory up to a size, and further ones in files, mapped into memory."""

    def __init__(self, n_bytes: int, stack: ExitStack) -> None:
        self._left = n_bytes
        self._stack = stack
        self._folder: Path | None = None
        self._n_files = 0

    def put(self, problem: Problem) -> Problem:
        thin = problem.thin
        return replace(
            problem,
            affinities=self._put(problem.affinities),
            thin=None if thin is None else self._put(thin),
        )

    def _put(self, affinities: Affinities) -> Affinities:
        self._left -= affinities.index.nbytes + affinities.weight.nbytes
        if self._left >= 0:
            return affinities
        return replace(
            affinities, index=self._mapped(affinities.index), weight=self._mapped(affinities.weight)
        )

    def _mapped(self, array: Array) -> Array:
        if self._folder is None:
            self._folder = self._stack.enter_context(TemporaryFolder())
        path = self._folder / f"{self._n_files}.npy"
        self._n_files += 1
        np.save(path, array)
        # Writable, as kernels are compiled for such arrays; nothing is written back.
        return np.asarray(np.load(path, mmap_mode="c"))
