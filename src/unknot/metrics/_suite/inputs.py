"""What several measures need, computed once and when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import Array
from .._shared.distances import Consumer, Sample, scan_distances, stratified_sample
from .._shared.moments import ClassMoments, class_moments, resampled_moments
from ..capacity import ManifoldCapacity, capacity_from_points
from ..clusters import DistanceSums, compare_centroid_distances, consistency_shares
from ..faithfulness import NeighborRanks
from .clock import Clock
from .permuted import permuted_moments

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph

NULL_SAMPLES = 512


class Space:
    """The points in one space, native or on the map, with the labels of the moment."""

    def __init__(
        self,
        inputs: Inputs,
        points: Rows,
        graph: Callable[[], NeighborGraph],
        name: str,
    ) -> None:
        self.inputs = inputs
        self.points = points
        self.name = name
        self._graph = graph

    @property
    def graph(self) -> NeighborGraph:
        """The nearest neighbors; they do not depend on the labels."""
        return self._graph()

    @property
    def codes(self) -> Array:
        """The labels, 0..C-1."""
        return self.inputs.codes

    @property
    def classes(self) -> Array:
        """The class values."""
        return self.inputs.classes

    @cached_property
    def moments(self) -> ClassMoments:
        """Means and spreads of the classes."""
        if self.inputs.root is not self.inputs:
            return self._permuted[0]
        with self.inputs.clock.shared(f"class moments{self.name}"):
            return class_moments(self.points, self.codes, len(self.classes), self.inputs.n_jobs)

    @cached_property
    def resampled(self) -> list[ClassMoments]:
        """Means and spreads of the classes in every resample."""
        moments = self.moments
        with self.inputs.clock.shared(f"resampled class moments{self.name}"):
            return list(
                resampled_moments(
                    self.points,
                    self.codes,
                    moments,
                    self.inputs.weights,
                    self.inputs.n_jobs,
                )
            )

    @cached_property
    def consistent(self) -> Array:
        """Share of each point whose own class centroid is the nearest."""
        if self.inputs.root is not self.inputs:
            return self._permuted[1]
        return consistency_shares(self.nearer)

    @property
    def _permuted(self) -> tuple[ClassMoments, Array]:
        """Moments and consistency with permuted labels, computed for all permutations together."""
        root = self.inputs.root
        space = root.native if self is self.inputs.native else root.map
        assert space is not None
        return space._all_permuted[root.permuted.index(self.inputs)]

    @cached_property
    def _all_permuted(self) -> list[tuple[ClassMoments, Array]]:
        moments = self.moments
        with self.inputs.clock.shared(f"class moments, labels permuted{self.name}"):
            return list(
                permuted_moments(
                    self.points,
                    [other.codes for other in self.inputs.permuted],
                    moments,
                    self.inputs.n_jobs,
                )
            )

    @cached_property
    def nearer(self) -> Array:
        """Comparisons of each point's distances to its own and to every class centroid."""
        moments = self.moments
        with self.inputs.clock.shared(f"distances to centroids{self.name}"):
            return compare_centroid_distances(self.points, self.codes, moments, self.inputs.n_jobs)

    @property
    def sums(self) -> Array:
        """Sums of the sampled points' distances to each class."""
        return self._scan[0][:, 0]

    @cached_property
    def permuted_distance_sums(self) -> tuple[Sample, Array]:
        """Sampled points, and sums of their distances to each class of every permutation."""
        inputs = self.inputs
        sample = inputs.null_sample
        if sample is inputs.sample:
            return sample, self._scan[0][:, 1:]
        shuffled = [other.codes for other in inputs.permuted]
        sums = DistanceSums(shuffled, len(sample.rows), len(self.classes))
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, sample.rows, [sums], inputs.n_jobs)
        return sample, sums.sums

    @property
    def ranks(self) -> Array | None:
        """Ranks here of the other space's neighbors; they do not depend on the labels."""
        root = self.inputs.root
        space = root.native if self is self.inputs.native else root.map
        assert space is not None
        return space._scan[1]

    @cached_property
    def _scan(self) -> tuple[Array, Array | None]:
        """Sums of every labeling, and ranks, from one pass over the distances."""
        inputs = self.inputs
        rows = inputs.sample.rows
        labelings = [self.codes]
        if inputs.null_sample is inputs.sample:
            # Distances to so few points say what permuted labels would give as well.
            labelings += [permuted.codes for permuted in inputs.permuted]
        sums = DistanceSums(labelings, len(rows), len(self.classes))
        consumers: list[Consumer] = [sums]
        other = inputs.other(self)
        ranks = None
        if other is not None and inputs.k_faithful:
            ranks = NeighborRanks(rows, other.graph.indices[rows, : inputs.k_faithful])
            consumers.append(ranks)
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, rows, consumers, inputs.n_jobs)
        return sums.sums, None if ranks is None else ranks.ranks


class Inputs:
    """Checked data and settings of one call, and what is shared between its measures."""

    def __init__(
        self,
        points: Rows,
        codes: Array,
        classes: Array,
        map_: Array | None,
        *,
        settings: dict[str, Any],
        graph: NeighborGraph | None = None,
        map_graph: NeighborGraph | None = None,
    ) -> None:
        self.points, self.map_points = points, map_
        self.codes, self.classes = codes, classes
        self.settings = settings
        self.k: int = settings["k"]
        self.k_faithful: int = settings["k_faithful"]
        self.n_jobs: int | None = settings["n_jobs"]
        self.random_state: int = settings["random_state"]
        self.clock = Clock()
        # Relabeled inputs refer to those with the true labels, which hold what is shared.
        self.root = self
        self._graphs = {"": graph, " (map)": map_graph}
        self.native = Space(self, points, lambda: self._graph(points, ""), "")
        self.map = (
            None
            if map_ is None
            else Space(self, map_, lambda: self._graph(map_, " (map)"), " (map)")
        )

    def _graph(self, points: Rows, name: str) -> NeighborGraph:
        graph = self._graphs[name]
        if graph is None:
            from ...neighbors import nearest_neighbors

            wanted = max(self.k, self.k_faithful, min(2, len(points) - 1))
            with self.clock.shared(f"nearest neighbors{name}"):
                graph = nearest_neighbors(points, wanted, n_jobs=self.n_jobs)
            self._graphs[name] = graph
        return graph

    def other(self, space: Space) -> Space | None:
        """Return the map for the native space, and the native space for the map."""
        return self.map if space is self.native else self.native

    def relabeled(self, codes: Array) -> Inputs:
        """Return the same points with other labels; neighbors and settings are shared."""
        other = Inputs(self.points, codes, self.classes, self.map_points, settings=self.settings)
        other._graphs = self._graphs
        other.clock = self.clock
        other.root = self.root
        return other

    def fits(self, points: Rows) -> bool:
        """Whether a table of all features by all features may be held."""
        if not isinstance(points, StoredPoints):
            return True
        return 8 * min(points.shape) * points.shape[1] <= points.max_memory

    @cached_property
    def memory_sample(self) -> Sample:
        """Points that can be held, and computed with in float64, where all of them cannot."""
        assert isinstance(self.points, StoredPoints)
        most = max(4, self.points.rows_in(self.points.max_memory // 4, itemsize=8))
        return stratified_sample(self.codes, most, self.random_state)

    @property
    def probe_max_samples(self) -> int | None:
        """How many points the linear probe may use."""
        asked: int | None = self.settings["probe_max_samples"]
        if not isinstance(self.points, StoredPoints):
            return asked
        most = max(4, self.points.rows_in(self.points.max_memory, itemsize=8))
        return most if asked is None else min(asked, most)

    @cached_property
    def sample(self) -> Sample:
        """The points that stand for all where each is compared with all others."""
        if self.root is not self:
            drawn = self.root.sample
            return Sample(drawn.rows, drawn.weights, self.codes[drawn.rows], drawn.sizes)
        return stratified_sample(self.codes, self.settings["max_samples"], self.random_state)

    @cached_property
    def null_sample(self) -> Sample:
        """Points that are enough for the silhouette by chance: this is narrow."""
        asked = self.settings["max_samples"]
        if asked is not None and asked <= NULL_SAMPLES:
            return self.sample
        return stratified_sample(self.codes, NULL_SAMPLES, self.random_state)

    @cached_property
    def weights(self) -> Array:
        """How often each point is in each resample, uint8 (n_resamples, n_samples).

        Each class is resampled by itself, so that none is empty in any.
        """
        rng = np.random.default_rng([self.random_state, 1])
        count = self.settings["n_resamples"]
        weights = np.zeros((count, len(self.codes)), dtype=np.uint8)
        for c in range(len(self.classes)):
            own = np.flatnonzero(self.codes == c)
            for b in range(count):
                drawn = rng.integers(len(own), size=len(own))
                weights[b, own] = np.minimum(np.bincount(drawn, minlength=len(own)), 255)
        return weights

    @cached_property
    def permuted(self) -> list[Inputs]:
        """The same points with their labels permuted, several times."""
        rng = np.random.default_rng([self.random_state, 2])
        return [
            self.relabeled(rng.permutation(self.codes))
            for _ in range(self.settings["n_permutations"])
        ]

    @cached_property
    def capacity(self) -> ManifoldCapacity:
        """The manifold capacity, whose parts are scores of their own."""
        with self.clock.shared("manifold capacity"):
            return capacity_from_points(
                self.points,
                self.codes,
                self.classes,
                n_draws=self.settings["n_draws"],
                random_state=self.random_state,
                max_samples_per_class=self.settings["capacity_max_samples_per_class"],
                n_jobs=self.n_jobs,
            )
