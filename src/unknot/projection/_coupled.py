"""Maps that are refined together: their engines, what couples them, and when that is weakened."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float64, Map
from .._validation.points import check_points
from ..neighbors import NeighborGraph
from ._alignment import align_map
from ._coherence import NearGraph, by_chance, kept_share, proximal_step, turned, weights_of
from ._copies import Representatives
from ._descent import Engine, Phase
from ._parameters import check_parameters
from ._problem import Problem, Shelf
from ._progress import progress_bar
from ._start import curve_order
from ._tsne import TSNE

# Iterations between two steps of the coupling. With ten, the divergence is 2 % higher for the same
# movement.
EVERY = 5
# Iterations; momentum; coarsening of the mesh and thin attraction; and the coupling. It is stronger
# at first, when the maps find places that suit all, and weaker at last, when details settle: with
# the same one throughout, the divergence is .5 % higher for the same movement. Steps with all
# affinities cost half as much on the coarse mesh, and a few at last on the fine one suffice.
PHASES: Final = (
    (70, 0.9, 2.0, True, 2.8),
    (25, 0.9, 2.0, True, 0.8),
    (50, 0.9, 2.0, False, 0.4),
    (5, 0.2, 1.0, False, 0.15),
)
ITERATIONS: Final = sum(phase[0] for phase in PHASES)
# The momentum whose steps the coupling is given for.
MOMENTUM = 0.8
# A map whose divergence grows by more than this is coupled more weakly.
WORSE = 0.01
# Each time by this factor, and after so many times not at all.
WEAKER = 0.6
ATTEMPTS = 5

Key = tuple[int, str]
"""The number of a chain, such as an epoch, and the name of a layer."""
Accept = Callable[[Key, Map, Map], str | None]
"""Told a map before and after, returns what speaks against the new one, or None."""


@dataclass(frozen=True, eq=False)
class RefinedMap:
    """A map that was refined together with others.

    Attributes
    ----------
    map_ : ndarray of shape (n_samples, n_components), float32
        The map, aligned with those before it.
    kl_divergence : float
        As `TSNE.kl_divergence_`.
    coherence : float
        The coupling that was used, less than asked for where that changed the map too much; 0 if
        it is the map as it was given.
    note : str
        Why the coupling is weaker than asked for; else empty.

    See Also
    --------
    refine_maps : Refines maps.
    """

    map_: Map
    kl_divergence: float
    coherence: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Computed:
    """What is known of a map from its own descent.

    Attributes
    ----------
    kl_divergence : float
    problem : Problem or None
        None where it was not kept, and is computed anew.
    """

    kl_divergence: float
    problem: Problem | None = None


@dataclass(eq=False)
class _Cell:
    """A map that is refined, its engine, and how strongly it may be coupled."""

    key: Key
    before: Map
    problem: Problem
    engine: Engine
    fixed: bool
    kl_before: float = math.nan
    factor: float = 1.0
    why: str = ""

    def positions(self) -> Float64[Array, "components samples"]:
        """Return the centered positions of all samples."""
        positions = np.array(self.engine.map_()[self.problem.row].T, np.float64, order="C")
        positions -= positions.mean(axis=1, keepdims=True)
        return positions

    def set_map(self, map_: Array) -> None:
        self.engine.set_embedding(map_[self.problem.source].astype(np.float32))

    def restart(self) -> None:
        self.set_map(self.before)
        self.engine.restart()

    def measure(self) -> tuple[Map, float]:
        """Return the map and its divergence; ends its motion."""
        rows = self.engine.map_()
        return self.problem.map_of(rows), self.engine.divergence()


@dataclass(frozen=True, eq=False)
class _Chain:
    """Maps that follow one another, and the weights of their links."""

    cells: tuple[_Cell, ...]
    weights: Float64[Array, "links samples"]

    def couple(
        self,
        positions: dict[int, Array],
        radius: dict[int, float],
        strength: float,
        moving: Collection[int],
    ) -> None:
        """Move the positions of some cells, by their identity, and their radii, in place."""
        fixed = [id(cell) not in moving for cell in self.cells]
        factors = [min(first.factor, second.factor) for first, second in pairwise(self.cells)]
        if all(fixed) or not any(factors):
            return
        weights = self.weights * (strength * np.array(factors))[:, None]
        moved = proximal_step(
            np.stack([positions[id(cell)] for cell in self.cells]), weights, fixed
        )
        radii = np.array([radius[id(cell)] for cell in self.cells])[:, None, None]
        sizes = proximal_step(radii, weights.mean(axis=1, keepdims=True), fixed)
        for cell, map_, size in zip(self.cells, moved, sizes.ravel(), strict=True):
            positions[id(cell)], radius[id(cell)] = map_, float(size)


class CoupledMaps:
    """All maps, and what each is coupled with."""

    def __init__(
        self,
        coherence: float,
        settings: Mapping[str, Any],
        shelf: Shelf,
        stack: ExitStack,
    ) -> None:
        settings = {name: value for name, value in settings.items() if name != "init"}
        self._coherence = coherence
        self._n_threads = resolve_n_jobs(settings.get("n_jobs"))
        self._shelf = shelf
        self._stack = stack
        self._tsne = TSNE(metric="precomputed", **settings)
        check_parameters(self._tsne)
        self._names: list[list[str]] = []
        # Of several epochs some may have the same map of a layer.
        self._cells: dict[Key, _Cell] = {}
        self._own: list[_Cell] = []
        self._directions: list[list[_Chain]] = []
        # What each map is turned onto: those before it.
        self._before: dict[int, list[_Cell]] = {}

    def add(
        self,
        graphs: Sequence[Mapping[str, Any]],
        maps: Sequence[Mapping[str, Any]],
        fixed: Collection[str] = (),
        computed: Mapping[Key, Computed] | None = None,
    ) -> None:
        """Take graphs, each of which is read once, and maps, of which those of some names stay."""
        computed = computed or {}
        self._names = [list(chain) for chain in graphs]
        keys = [
            (number, name)
            for number, chain in enumerate(graphs)
            for name in chain
            if maps[number].get(name) is not None or chain[name] is not None
        ]
        # Many maps share the threads; the threads share few maps.
        many = len(keys) >= self._n_threads
        self._outer = self._stack.enter_context(ThreadTeam(self._n_threads if many else 1))
        inner = self._stack.enter_context(ThreadTeam(1 if many else self._n_threads))
        near: dict[int, NearGraph] = {}
        given_maps = Counter(id(maps[number].get(name)) for number, name in keys)
        # Held, so that no other object gets their identity.
        shared: dict[tuple[int, int], tuple[NeighborGraph | None, _Cell]] = {}
        for key in keys:
            number, name = key
            given = maps[number].get(name)
            graph = graphs[number][name]
            same = (id(given), id(graph))
            if same in shared:
                self._cells[key] = shared[same][1]
                continue
            map_ = _check_map(name, given, graph, self._own[0].before if self._own else None)
            known = computed.get(key, Computed(math.nan))
            problem = known.problem
            if problem is None:
                problem = self._shelf.put(_problem_of(self._tsne, graph, map_, inner))
            start = map_[problem.source]
            engine = problem.engine(start, float(self._tsne.mesh_spacing), inner)
            cell = _Cell(key, map_, problem, engine, name in fixed, known.kl_divergence)
            near[id(cell)] = NearGraph.of(graph)
            self._cells[key] = cell
            if given_maps[id(given)] > 1:
                shared[same] = graph, cell
            self._own.append(cell)
            self._before[id(cell)] = []
        for axis in (0, 1):
            chains: dict[Any, dict[int, _Cell]] = {}
            for key, cell in self._cells.items():
                chains.setdefault(key[axis], {})[id(cell)] = cell
            self._directions.append([self._chain(list(c.values()), near) for c in chains.values()])

    def _chain(self, cells: Sequence[_Cell], near: Mapping[int, NearGraph]) -> _Chain:
        weights = []
        for first, second in pairwise(cells):
            one, other = near[id(first)], near[id(second)]
            weights.append(weights_of(kept_share(one, other), by_chance(one, other)))
            before, after = sorted((first, second), key=self._own.index)
            if before not in self._before[id(after)]:
                self._before[id(after)].append(before)
        n_samples = len(cells[0].before)
        return _Chain(tuple(cells), np.stack(weights) if weights else np.empty((0, n_samples)))

    def run(self, accept: Accept | None) -> list[dict[str, RefinedMap | None]]:
        """Refine all maps, weaken the coupling of those that pay for it, and align them."""
        found = self._refine(accept)
        return [
            {name: found.get((number, name)) for name in names}
            for number, names in enumerate(self._names)
        ]

    def _refine(self, accept: Accept | None) -> dict[Key, RefinedMap]:
        unknown = [cell for cell in self._own if math.isnan(cell.kl_before)]
        for cell, (_, kl) in self._measure(unknown).items():
            cell.kl_before = kl
        for cell in self._own:
            cell.restart()
        free = [cell for cell in self._own if not cell.fixed]
        if self._coherence == 0.0 or not free or len(self._own) < 2:
            alone = {id(cell): RefinedMap(cell.before, cell.kl_before, 0.0) for cell in self._own}
            return {key: alone[id(cell)] for key, cell in self._cells.items()}
        n_turns = ITERATIONS // EVERY
        with progress_bar(bool(self._tsne.progress)) as bar:
            task = None if bar is None else bar.add_task("coherence", total=n_turns, kl="")
            for phase in PHASES:
                self._advance(phase, free, bar, task)
            measured = self._measure(self._own)
            refused = self._refused(measured, accept)
            for _ in range(ATTEMPTS):
                if not refused:
                    break
                # The other maps stay as they are, and the refused ones come to them, less near.
                for cell in refused:
                    cell.factor *= WEAKER
                    cell.restart()
                for phase in PHASES:
                    self._advance(phase, refused, bar, task)
                again = self._measure(refused)
                measured |= again
                refused = self._refused(again, accept)
            for cell in refused:
                cell.factor = 0.0
        return self._aligned(measured)

    def _advance(
        self,
        phase: tuple[int, float, float, bool, float],
        cells: Sequence[_Cell],
        bar: Any,
        task: Any,
    ) -> None:
        """Refine some maps; the others stay."""
        n_steps, momentum, coarsening, is_thin, factor = phase
        # So many steps move a map as far as steps of the momentum that the coupling is given for.
        strength = self._coherence * factor * (1 - MOMENTUM) / (1 - momentum)

        def advance(number: int) -> None:
            cell = cells[number]
            steps = Phase(
                1, 1.0, momentum, self._rate(cell), coarsening=coarsening, is_thin=is_thin
            )
            cell.engine.advance(steps, EVERY)

        for _ in range(n_steps // EVERY):
            self._outer.run(advance, len(cells))
            self._couple(strength, cells)
            if bar is not None:
                bar.update(task, advance=1)

    def _couple(self, strength: float, cells: Sequence[_Cell]) -> None:
        moving = {id(cell) for cell in cells}
        radius: dict[int, float] = {}
        positions: dict[int, Array] = {}

        def read(number: int) -> None:
            cell = self._own[number]
            map_ = cell.positions()
            radius[id(cell)] = size = _radius(map_)
            map_ /= size if size > 0 else 1.0
            positions[id(cell)] = map_

        self._outer.run(read, len(self._own))
        for cell in cells:
            before = [positions[id(each)] for each in self._before[id(cell)]]
            positions[id(cell)] = turned(positions[id(cell)], before)
        for chains in self._directions:
            for chain in chains:
                chain.couple(positions, radius, strength, moving)

        def put(number: int) -> None:
            cell = cells[number]
            # Maps that disagree shrink on the way to each other, which is not meant.
            map_ = positions[id(cell)]
            size = _radius(map_)
            cell.set_map((map_ * (radius[id(cell)] / size if size > 0 else 1.0)).T)

        self._outer.run(put, len(cells))

    def _measure(self, cells: Sequence[_Cell]) -> dict[_Cell, tuple[Map, float]]:
        measured: list[Any] = [None] * len(cells)

        def measure(number: int) -> None:
            measured[number] = cells[number].measure()

        self._outer.run(measure, len(cells))
        return dict(zip(cells, measured, strict=True))

    def _refused(
        self, measured: Mapping[_Cell, tuple[Map, float]], accept: Accept | None
    ) -> list[_Cell]:
        """Return the maps that pay for their coupling, each of which knows why."""
        refused = []
        for cell, (map_, kl) in measured.items():
            why = None
            if cell.fixed:
                continue
            if not kl <= cell.kl_before * (1 + WORSE):
                why = f"the KL divergence grows by more than {100 * WORSE:g} %"
            elif accept is not None:
                why = accept(cell.key, cell.before, map_)
            if why:
                cell.why = why
                refused.append(cell)
        return refused

    def _aligned(self, measured: Mapping[_Cell, tuple[Map, float]]) -> dict[Key, RefinedMap]:
        found: dict[int, RefinedMap] = {}
        for cell, (map_, kl) in measured.items():
            if cell.fixed:
                found[id(cell)] = RefinedMap(cell.before, cell.kl_before, 0.0)
                continue
            if cell.factor == 0.0:
                map_, kl = cell.before, cell.kl_before
            before = [found[id(each)].map_.astype(np.float64) for each in self._before[id(cell)]]
            reference = np.mean(before, axis=0) if before else cell.before
            coherence = self._coherence * cell.factor
            note = ""
            if cell.why:
                note = (
                    f"the coherence of this map is {coherence:.2g} instead of "
                    f"{self._coherence:.2g}: with more, {cell.why}"
                )
            found[id(cell)] = RefinedMap(align_map(map_, reference), kl, coherence, note)
        return {key: found[id(cell)] for key, cell in self._cells.items()}

    def _rate(self, cell: _Cell) -> float:
        n = len(cell.problem.kept)
        if self._tsne.learning_rate == "auto":
            return max(float(n), 50.0)
        return float(self._tsne.learning_rate)


def _check_map(name: str, given: Any, graph: Any, other: Map | None) -> Map:
    if graph is None or given is None:
        has, lacks = ("map", "graph") if graph is None else ("graph", "map")
        raise ValueError(f"maps: the layer {name!r} has a {has}, but no {lacks}")
    if not isinstance(graph, NeighborGraph):
        raise TypeError(
            f"graphs: the layer {name!r} must have a NeighborGraph; got {type(graph).__name__}. "
            "Compute one with nearest_neighbors"
        )
    map_: Map = check_points(given, name=f"the map of {name!r}")
    shape = map_.shape if other is None else other.shape
    if map_.shape != shape or len(map_) != graph.n_samples:
        raise ValueError(
            f"the map of {name!r} must be of the same samples as its graph and as the other maps; "
            f"got the shape {map_.shape}, a graph of {graph.n_samples} samples and another map of "
            f"the shape {shape}"
        )
    return map_


def _problem_of(tsne: TSNE, graph: NeighborGraph, map_: Map, team: ThreadTeam) -> Problem:
    _, graph = tsne._neighbors(graph, None, team.n_threads)
    representatives = Representatives.of(graph)
    start = map_[representatives.kept]
    # Near points are near in memory, and need no new order.
    order = curve_order(start)
    is_exact = tsne._method(*start.shape) == "exact"
    return Problem.of(representatives, tsne.perplexity_, order, team, is_exact=is_exact)


def _radius(positions: Float64[Array, "components samples"]) -> float:
    """Return the root mean square distance of centered positions from their center."""
    return math.sqrt(float(np.einsum("cn,cn->", positions, positions)) / positions.shape[1])
