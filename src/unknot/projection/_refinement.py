"""Refine maps of the same samples together, so that what stayed in the data stays on the maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._io.temporary import TemporaryFolder
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float64, Map
from .._validation.numbers import check_number, memory_budget
from .._validation.points import check_points
from ..neighbors import NeighborGraph
from ._affinities import Affinities, joint, thin_joint
from ._alignment import align_map
from ._coherence import by_chance, kept_share, proximal_step, turned, weights_of
from ._copies import Representatives
from ._descent import Engine, ExactEngine, MeshEngine, Phase, Report
from ._parameters import check_parameters
from ._progress import progress_bar
from ._start import curve_order
from ._tsne import TSNE

COHERENCE: Final = 0.1
"""The coupling of a study's maps; measured in docs/coherence.md."""
MOST: Final = 1.0
# Iterations between two steps of the coupling. With ten, the divergence is 2 % higher for the same
# movement.
EVERY = 5
# Iterations; momentum; coarsening of the mesh and thin attraction; and the coupling. It is stronger
# at first, when the maps find places that suit all, and weaker at last, when details settle: with
# the same one throughout, the divergence is .5 % higher for the same movement.
PHASES: Final = (
    (100, 0.9, 2.0, True, 2.0),
    (60, 0.9, 2.0, True, 0.7),
    (40, 0.8, 1.0, False, 0.4),
)
ITERATIONS: Final = sum(phase[0] for phase in PHASES)
# The momentum whose steps the coupling is given for.
MOMENTUM = 0.8
# A map whose divergence grows by more than this is coupled more weakly.
WORSE = 0.01
# Each time by this factor, and after so many times not at all.
WEAKER = 0.4
ATTEMPTS = 3
# Affinities of all maps above this size are kept in files.
MOST_BYTES = 2**30

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


def refine_maps(
    graphs: Any,
    maps: Any,
    *,
    coherence: float = COHERENCE,
    accept: Accept | None = None,
    max_memory: int | str | None = None,
    **settings: Any,
) -> Any:
    r"""Refine maps of the same samples together, so that only what changed moves between them.

    Two hundred more iterations of all maps in turns. After every five, each sample's positions on
    maps that follow one another attract each other, the more, the more of its neighbors it kept:
    maps minimize

    .. math:: \sum_t KL_t + \frac{\lambda}{2n} \sum_t \sum_i w_{it} |u_{it} - u_{i,t+1}|^2

    where u is a map in units of its radius, turned onto the one before, and w the weight. On a grid
    of layers and epochs, maps of the same epoch attract each other along the layers, and those of
    the same layer along the epochs.

    No map may pay for it: if the KL divergence grows by more than 1 %, or ``accept`` refuses the
    map, it starts again with a weaker coupling, or stays as it was; its `RefinedMap.note` says so.

    Parameters
    ----------
    graphs : mapping of str to NeighborGraph or None, or sequence of these
        The nearest neighbors of each layer, in order, three times the perplexity for each sample.
        None where a layer has no map; those beside it then follow one another. A sequence of
        mappings is a grid: one for each epoch, in order.
    maps : mapping of str to array-like (n_samples, n_components), or sequence of these
        The maps of the layers in ``graphs``, computed one after another (`map_layers`): coupled
        maps that were computed independently end worse.
    coherence : float, default=0.1
        The strength of the coupling, from 0 to 1. More leaves less movement, and higher KL
        divergences.
    accept : callable, optional
        Called with (number of the mapping, name), the map before and the map after; returns why the
        new map must not be, such as that it shows the classes better than the layer has them, or
        None.
    max_memory : int, str or None, default=None
        Affinities of all maps that need more than this are kept in temporary files. None is 1 GB.
    **settings
        Parameters of `TSNE` that the maps were computed with, as for `map_after`.

    Returns
    -------
    dict of str to RefinedMap, or list of these
        As ``maps``; None where a layer has none.

    Raises
    ------
    TypeError, ValueError
        If coherence is no number from 0 to 1, or graphs and maps are not of the same samples.

    See Also
    --------
    map_layers : Computes maps one after another, and refines them.
    unknot.study : Does so for all layers of a model.

    References
    ----------
    The objective is that of dynamic t-SNE [Rauber2016]_, with weights, turned maps and radii.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.projection import displacement, map_layers, refine_maps
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat(5 * np.eye(3), 40, axis=0) + rng.normal(size=(120, 3))
    >>> layers = {"one": points, "two": points + 0.3 * rng.normal(size=points.shape)}
    >>> graphs = {name: unknot.nearest_neighbors(x, 15) for name, x in layers.items()}
    >>> options = dict(perplexity=5, random_state=0)
    >>> found = dict(map_layers(graphs, points=layers, coherence=0, **options))
    >>> before = {name: each.map_ for name, each in found.items()}
    >>> after = {n: each.map_ for n, each in refine_maps(graphs, before, **options).items()}
    >>> displacement(after["two"], after["one"]) < displacement(before["two"], before["one"])
    True
    """
    check_coherence(coherence)
    is_grid = not isinstance(graphs, Mapping)
    grid_graphs = list(graphs) if is_grid else [graphs]
    grid_maps = list(maps) if is_grid else [maps]
    cells = _check_cells(grid_graphs, grid_maps)
    n_threads = resolve_n_jobs(settings.get("n_jobs"))
    budget = MOST_BYTES if max_memory is None else memory_budget(max_memory)
    settings = {name: value for name, value in settings.items() if name != "init"}
    with ExitStack() as stack:
        # Nothing refers to files that the stack removes when this has run.
        found = _Together(cells, coherence, settings, n_threads, budget, stack).run(accept)
    result = [
        {name: found.get((number, name)) for name in chain}
        for number, chain in enumerate(grid_graphs)
    ]
    return result if is_grid else result[0]


def check_coherence(coherence: Any) -> float:
    """Return a coupling as a float.

    Raises
    ------
    TypeError, ValueError
        If it is no number from 0 to 1.
    """
    return float(
        check_number(
            coherence,
            "coherence",
            0.0,
            MOST,
            bounds=f"from 0, for maps that are not coupled, to {MOST:g}; by default {COHERENCE:g}",
        )
    )


def _check_cells(
    graphs: Sequence[Mapping[str, NeighborGraph | None]], maps: Sequence[Mapping[str, Any]]
) -> dict[Key, tuple[NeighborGraph, Map]]:
    if len(graphs) != len(maps):
        raise ValueError(
            f"maps must have as many mappings as graphs, one for each epoch; got {len(maps)} for "
            f"{len(graphs)}"
        )
    cells: dict[Key, tuple[NeighborGraph, Map]] = {}
    shape: tuple[int, ...] | None = None
    for number, chain in enumerate(graphs):
        for name, graph in chain.items():
            if graph is None:
                continue
            given = maps[number].get(name)
            if given is None:
                raise ValueError(f"maps: the layer {name!r} has a graph, but no map")
            map_: Map = check_points(given, name=f"the map of {name!r}")
            shape = map_.shape if shape is None else shape
            if map_.shape != shape or len(map_) != graph.n_samples:
                raise ValueError(
                    f"the map of {name!r} must be of the same samples as its graph and as the "
                    f"other maps; got the shape {map_.shape}, a graph of {graph.n_samples} samples "
                    f"and another map of the shape {shape}"
                )
            cells[number, name] = graph, map_
    return cells


@dataclass(eq=False)
class _Cell:
    """A map that is refined, its engine, and how strongly it may be coupled."""

    before: Map
    representatives: Representatives
    order: Array
    engine: Engine
    factor: float = 1.0
    kl_before: float = math.nan
    why: str = ""

    def set_map(self, map_: Array) -> None:
        kept = map_[self.representatives.kept]
        self.engine.set_embedding(kept[self.order].astype(np.float32))

    def map_(self, of_engine: Array | None = None) -> Map:
        rows = self.engine.map_() if of_engine is None else of_engine
        kept = np.empty_like(rows)
        kept[self.order] = rows
        result: Map = kept[self.representatives.place]
        return result

    def restart(self) -> None:
        self.set_map(self.before)
        self.engine.restart()

    def measure(self, learning_rate: float) -> tuple[Map, float]:
        """Return the map and its divergence; takes a step."""
        kl, norm = self.engine.step_and_measure(Phase(1, 1.0, MOMENTUM, learning_rate))
        report = Report(0, kl, norm, self.engine.map_(before=True))
        return self.map_(report.map_), self.engine.kl_of(report)


@dataclass(frozen=True, eq=False)
class _Chain:
    """Maps that follow one another, and the weights of their links."""

    cells: tuple[_Cell, ...]
    weights: Float64[Array, "links samples"]

    def couple(self, positions: dict[int, Array], strength: float) -> None:
        """Move the positions of the chain's cells, by their identity, in place."""
        factors = [min(first.factor, second.factor) for first, second in pairwise(self.cells)]
        if not any(factors):
            return
        weights = self.weights * (strength * np.array(factors))[:, None]
        moved = proximal_step(np.stack([positions[id(cell)] for cell in self.cells]), weights)
        for cell, map_ in zip(self.cells, moved, strict=True):
            positions[id(cell)] = map_


class _Together:
    """All maps, and what each is coupled with."""

    def __init__(
        self,
        found: Mapping[Key, tuple[NeighborGraph, Map]],
        coherence: float,
        settings: Mapping[str, Any],
        n_threads: int,
        budget: int,
        stack: ExitStack,
    ) -> None:
        self._coherence = coherence
        # Many maps share the threads; the threads share few maps.
        alone = len(found) >= n_threads
        self._outer = stack.enter_context(ThreadTeam(n_threads if alone else 1))
        inner = stack.enter_context(ThreadTeam(1 if alone else n_threads))
        self._tsne = TSNE(metric="precomputed", **settings)
        check_parameters(self._tsne)
        self._cells: dict[Key, _Cell] = {}
        shelf = _Shelf(budget, stack)
        for key, (graph, map_) in found.items():
            self._cells[key] = _new_cell(self._tsne, graph, map_, inner, shelf)
        along_layers: dict[Any, list[Key]] = {}
        along_epochs: dict[Any, list[Key]] = {}
        for number, name in found:
            along_layers.setdefault(number, []).append((number, name))
            along_epochs.setdefault(name, []).append((number, name))
        graphs = {key: graph for key, (graph, _) in found.items()}
        self._directions = [
            [self._chain(keys, graphs) for keys in chains.values()]
            for chains in (along_layers, along_epochs)
        ]
        # What each map is turned onto: those before it.
        self._before: dict[Key, list[Key]] = {key: [] for key in found}
        for chains in (along_layers, along_epochs):
            for keys in chains.values():
                for before, key in pairwise(keys):
                    self._before[key].append(before)

    def _chain(self, keys: Sequence[Key], graphs: Mapping[Key, NeighborGraph]) -> _Chain:
        weights = []
        for first, second in pairwise(keys):
            kept = kept_share(graphs[first], graphs[second])
            weights.append(weights_of(kept, by_chance(graphs[first], graphs[second])))
        n_samples = graphs[keys[0]].n_samples
        return _Chain(
            tuple(self._cells[key] for key in keys),
            np.stack(weights) if weights else np.empty((0, n_samples)),
        )

    def run(self, accept: Accept | None) -> dict[Key, RefinedMap]:
        """Refine all maps, weaken the coupling of those that pay for it, and align them."""
        cells = self._cells
        if self._coherence == 0.0 or len(cells) < 2:
            measured = self._measure()
            return {
                key: RefinedMap(cell.before, measured[key][1], 0.0) for key, cell in cells.items()
            }
        for key, (_, kl) in self._measure().items():
            cells[key].kl_before = kl
            cells[key].restart()
        n_turns = ITERATIONS // EVERY
        with progress_bar(bool(self._tsne.progress)) as bar:
            task = None if bar is None else bar.add_task("coherence", total=n_turns, kl="")
            for phase in PHASES:
                self._advance(phase, bar, task)
            for attempt in range(ATTEMPTS + 1):
                measured = self._measure()
                refused = self._refused(measured, accept)
                if not refused:
                    break
                is_last = attempt == ATTEMPTS
                for key, why in refused.items():
                    cell = cells[key]
                    cell.why = why
                    cell.factor = 0.0 if is_last else cell.factor * WEAKER
                    if not is_last:
                        cell.restart()
                if is_last:
                    break
                for phase in PHASES:
                    self._advance(phase, bar, task)
        return self._aligned(measured)

    def _advance(self, phase: tuple[int, float, float, bool, float], bar: Any, task: Any) -> None:
        n_steps, momentum, coarsening, is_thin, factor = phase
        # So many steps move a map as far as steps of the momentum that the coupling is given for.
        strength = self._coherence * factor * (1 - MOMENTUM) / (1 - momentum)
        cells = list(self._cells.values())

        def advance(number: int) -> None:
            cell = cells[number]
            steps = Phase(
                1, 1.0, momentum, self._rate(cell), coarsening=coarsening, is_thin=is_thin
            )
            cell.engine.advance(steps, EVERY)

        for _ in range(n_steps // EVERY):
            self._outer.run(advance, len(cells))
            self._couple(strength)
            if bar is not None:
                bar.update(task, advance=1)

    def _couple(self, strength: float) -> None:
        radius: dict[int, float] = {}
        positions: dict[int, Array] = {}
        for key, cell in self._cells.items():
            map_ = cell.map_().astype(np.float64)
            map_ -= map_.mean(axis=0)
            size = math.sqrt(float(np.square(map_).sum(axis=1).mean()))
            radius[id(cell)] = size
            map_ /= size if size > 0 else 1.0
            onto = [positions[id(self._cells[each])] for each in self._before[key]]
            positions[id(cell)] = turned(map_, onto) if onto else map_
        for chains in self._directions:
            for chain in chains:
                chain.couple(positions, strength)

        cells = list(self._cells.values())

        def put(number: int) -> None:
            cell = cells[number]
            cell.set_map(positions[id(cell)] * radius[id(cell)])

        self._outer.run(put, len(cells))

    def _measure(self) -> dict[Key, tuple[Map, float]]:
        keys = list(self._cells)
        measured: list[Any] = [None] * len(keys)

        def measure(number: int) -> None:
            cell = self._cells[keys[number]]
            measured[number] = cell.measure(self._rate(cell))

        self._outer.run(measure, len(keys))
        return dict(zip(keys, measured, strict=True))

    def _refused(
        self, measured: Mapping[Key, tuple[Map, float]], accept: Accept | None
    ) -> dict[Key, str]:
        refused = {}
        for key, (map_, kl) in measured.items():
            cell = self._cells[key]
            if not kl <= cell.kl_before * (1 + WORSE):
                refused[key] = f"the KL divergence grows by more than {100 * WORSE:g} %"
            elif accept is not None and (why := accept(key, cell.before, map_)):
                refused[key] = why
        return refused

    def _aligned(self, measured: Mapping[Key, tuple[Map, float]]) -> dict[Key, RefinedMap]:
        found: dict[Key, RefinedMap] = {}
        for key, cell in self._cells.items():
            map_, kl = measured[key]
            if cell.factor == 0.0:
                map_, kl = cell.before, cell.kl_before
            before = [found[each].map_.astype(np.float64) for each in self._before[key]]
            reference = cell.before if not before else np.mean(before, axis=0)
            coherence = self._coherence * cell.factor
            note = ""
            if cell.why:
                note = (
                    f"the coherence of this map is {coherence:.2g} instead of "
                    f"{self._coherence:.2g}: with more, {cell.why}"
                )
            found[key] = RefinedMap(align_map(map_, reference), kl, coherence, note)
        return found

    def _rate(self, cell: _Cell) -> float:
        n = len(cell.representatives.kept)
        if self._tsne.learning_rate == "auto":
            return max(float(n), 50.0)
        return float(self._tsne.learning_rate)


class _Shelf:
    """Holds affinities in memory up to a size, and further ones in files, mapped into memory."""

    def __init__(self, n_bytes: int, stack: ExitStack) -> None:
        self._left = n_bytes
        self._stack = stack
        self._folder: Path | None = None
        self._n_files = 0

    def put(self, affinities: Affinities) -> Affinities:
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


def _new_cell(
    tsne: TSNE, graph: NeighborGraph, map_: Map, team: ThreadTeam, shelf: _Shelf
) -> _Cell:
    _, graph = tsne._neighbors(graph, None, team.n_threads)
    representatives = Representatives.of(graph)
    start = map_[representatives.kept]
    # Near points are near in memory, and need no new order.
    order = curve_order(start)
    affinities = shelf.put(joint(representatives.graph, tsne.perplexity_, order, team))
    engine: Engine
    if tsne._method(*start.shape) == "exact":
        engine = ExactEngine(affinities, start[order], team)
    else:
        thin = thin_joint(representatives.graph, tsne.perplexity_, order, team)
        engine = MeshEngine(
            affinities,
            start[order],
            float(tsne.mesh_spacing),
            team,
            None if thin is None else shelf.put(thin),
        )
    return _Cell(map_, representatives, order, engine)
