"""What the measures of one transition share, each computed once, when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._parallel.cached import cached_property
from ..._typing import Array
from .._shared.metric import graph_of
from .._shared.transition_influence import LeastChanged, NeighborChanges
from .._shared.transitions import (
    KeptNeighbors,
    kept_of_graphs,
    misaligned_note,
    moves,
    squares_about_center,
)
from ..transition import NEIGHBORS, Previous

if TYPE_CHECKING:
    from .inputs import Inputs

# Neighbors that are searched: the next ones tell what would take a neighbor's place.
SEARCHED = 40
# Permutations for the nulls of movements, and how many movements these are together, about.
NULL_RUNS = 100
NULL_MOVES = 500_000
FEWEST_NULL_RUNS = 10


class SharedTransition:
    """What the measures of one transition share.

    Parameters
    ----------
    inputs : Inputs
    previous : Previous
        Checked to be of the same samples.
    """

    def __init__(self, inputs: Inputs, previous: Previous) -> None:
        self._inputs, self._previous = inputs, previous

    @cached_property
    def graphs(self) -> tuple[Any, Any]:
        """The neighbors in the layer, and in the one before."""
        inputs = self._inputs
        graph = inputs.given_graph
        if graph is None:
            k = min(SEARCHED, len(inputs.codes) - 1)
            with inputs.clock.shared("nearest neighbors (transition)"):
                graph = graph_of(inputs.points, k, inputs.metric, inputs.n_jobs)
        return graph, self._previous.graph

    @cached_property
    def kept(self) -> KeptNeighbors:
        """The share of 30 neighbors that samples keep, or of as many as there are."""
        k = min(NEIGHBORS, *(each.indices.shape[1] for each in self.graphs))
        return kept_of_graphs(*self.graphs, k, *self.classes)

    @cached_property
    def changes(self) -> NeighborChanges:
        """By how much samples change the shares of others."""
        with self._inputs.clock.shared("influence on kept neighbors"):
            first, second = (each.indices for each in self.graphs)
            return NeighborChanges(first, second, self.kept.k)

    @property
    def classes(self) -> tuple[Array | None, Array | None]:
        """The classes of the samples, and their values; None where labels are numbers."""
        inputs = self._inputs
        return (None, None) if inputs.values is not None else (inputs.codes, inputs.classes)

    @cached_property
    def maps(self) -> tuple[Array, Array]:
        """The map, and the one before."""
        map_ = self._inputs.raw_map
        assert map_ is not None
        return map_.astype(np.float64), self._previous.map.astype(np.float64)

    @cached_property
    def moved(self) -> Array:
        """How far each sample moved, in radii of the map."""
        return moves(*self.maps)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What must be said of the maps."""
        return misaligned_note(*self.maps)

    @cached_property
    def squares(self) -> Array:
        """The squared distances of the samples from the map's center, in radii."""
        squares = squares_about_center(self.maps[0])
        return np.asarray(squares / squares.mean())

    @cached_property
    def least(self) -> LeastChanged:
        """The quarter of the samples that changed least."""
        return LeastChanged.of(self.kept.per_point)

    @cached_property
    def permuted(self) -> Array:
        """Displacement and needless movement, the previous map permuted (2, n_runs)."""
        (map_, before), weights = self.maps, self.least.weights
        n_samples = len(map_)
        runs = int(np.clip(NULL_MOVES // n_samples, FEWEST_NULL_RUNS, NULL_RUNS))
        rng = np.random.default_rng([self._inputs.random_state, 8])
        found = np.empty((2, runs))
        for run in range(runs):
            apart = map_ - before[rng.permutation(n_samples)]
            moved = np.sqrt(np.square(apart).sum(axis=1))
            found[:, run] = moved.mean(), weights @ moved / weights.sum()
        return np.asarray(found / np.sqrt(squares_about_center(map_).mean()))
