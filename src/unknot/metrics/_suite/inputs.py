"""Inputs that several measures need, each computed once, when first used."""

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

# Points for the silhouette with permuted labels: its distribution is narrow.
NULL_SAMPLES = 512


class Space:
    """The points in one space, native or map, with the true or permuted labels of its `Inputs`.

    Parameters
    ----------
    inputs : Inputs
        The data that this space belongs to.
    points : array or StoredPoints, (n_samples, n_features)
    graph : callable
        Returns the nearest neighbors; called when they are first used.
    name : str
        Suffix for the names of timings.
    """

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
        """The nearest neighbors, which do not depend on the labels."""
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
        """Means and variances of the classes."""
        if self.inputs.original is not self.inputs:
            return self._permuted[0]
        with self.inputs.clock.shared(f"class moments{self.name}"):
            return class_moments(self.points, self.codes, len(self.classes), self.inputs.n_jobs)

    @cached_property
    def resampled_moments(self) -> list[ClassMoments]:
        """Means and variances of the classes in each resample."""
        moments = self.moments
        with self.inputs.clock.shared(f"resampled class moments{self.name}"):
            return list(
                resampled_moments(
                    self.points,
                    self.codes,
                    moments,
                    self.inputs.resample_counts,
                    self.inputs.n_jobs,
                )
            )

    @cached_property
    def consistency(self) -> Array:
        """For each point, 1 if its own class centroid is the nearest, and less for ties."""
        if self.inputs.original is not self.inputs:
            return self._permuted[1]
        return consistency_shares(self.centroid_comparisons)

    @property
    def _permuted(self) -> tuple[ClassMoments, Array]:
        """Moments and consistency for this permutation, from the batch of all permutations."""
        original = self.inputs.original
        space = original.native if self is self.inputs.native else original.map
        assert space is not None
        return space._all_permuted[original.permuted.index(self.inputs)]

    @cached_property
    def _all_permuted(self) -> list[tuple[ClassMoments, Array]]:
        moments = self.moments
        with self.inputs.clock.shared(f"class moments, labels permuted{self.name}"):
            return list(
                permuted_moments(
                    self.points,
                    [permuted.codes for permuted in self.inputs.permuted],
                    moments,
                    self.inputs.n_jobs,
                )
            )

    @cached_property
    def centroid_comparisons(self) -> Array:
        """Each point's distance to its own class centroid compared with that to every other."""
        moments = self.moments
        with self.inputs.clock.shared(f"distances to centroids{self.name}"):
            return compare_centroid_distances(self.points, self.codes, moments, self.inputs.n_jobs)

    @property
    def distance_sums(self) -> Array:
        """Sum of distances from each sampled point to each class."""
        return self._scan[0][:, 0]

    @cached_property
    def permuted_distance_sums(self) -> tuple[Sample, Array]:
        """Sampled points, and the sums of their distances to each class of each permutation."""
        inputs = self.inputs
        sample = inputs.null_sample
        if sample is inputs.sample:
            return sample, self._scan[0][:, 1:]
        labelings = [permuted.codes for permuted in inputs.permuted]
        sums = DistanceSums(labelings, len(sample.rows), len(self.classes))
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, sample.rows, [sums], inputs.n_jobs)
        return sample, sums.sums

    @property
    def ranks(self) -> Array | None:
        """Ranks in this space of the other space's neighbors; independent of the labels."""
        original = self.inputs.original
        space = original.native if self is self.inputs.native else original.map
        assert space is not None
        return space._scan[1]

    @cached_property
    def _scan(self) -> tuple[Array, Array | None]:
        """Distance sums for every labeling, and ranks, from one pass over the distances."""
        inputs = self.inputs
        rows = inputs.sample.rows
        labelings = [self.codes]
        if inputs.null_sample is inputs.sample:
            # The sample is small enough for the permuted labels to share its distances.
            labelings += [permuted.codes for permuted in inputs.permuted]
        sums = DistanceSums(labelings, len(rows), len(self.classes))
        consumers: list[Consumer] = [sums]
        other = inputs.counterpart(self)
        ranks = None
        if other is not None and inputs.k_faithfulness:
            ranks = NeighborRanks(rows, other.graph.indices[rows, : inputs.k_faithfulness])
            consumers.append(ranks)
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, rows, consumers, inputs.n_jobs)
        return sums.sums, None if ranks is None else ranks.ranks


class Inputs:
    """Validated data and settings of one call of `measure`, and what its measures share.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
    codes : array of int64 (n_samples,)
        The labels, 0..C-1.
    classes : array (n_classes,)
        The class values.
    map_ : array of float32 (n_samples, n_components), optional
    settings : dict
        The settings of `measure`.
    graph, map_graph : NeighborGraph, optional
        Nearest neighbors that the caller has already.
    """

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
        self.k_faithfulness: int = settings["k_faithfulness"]
        self.n_jobs: int | None = settings["n_jobs"]
        self.random_state: int = settings["random_state"]
        self.clock = Clock()
        # Relabeled inputs refer to the inputs with the true labels, which hold what is shared.
        self.original = self
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

            k = max(self.k, self.k_faithfulness, min(2, len(points) - 1))
            with self.clock.shared(f"nearest neighbors{name}"):
                graph = nearest_neighbors(points, k, n_jobs=self.n_jobs)
            self._graphs[name] = graph
        return graph

    def counterpart(self, space: Space) -> Space | None:
        """Return the map for the native space, and the native space for the map."""
        return self.map if space is self.native else self.native

    def relabeled(self, codes: Array) -> Inputs:
        """Return the same points with other labels; neighbors and settings are shared."""
        other = Inputs(self.points, codes, self.classes, self.map_points, settings=self.settings)
        other._graphs = self._graphs
        other.clock = self.clock
        other.original = self.original
        return other

    def fits_in_memory(self, points: Rows) -> bool:
        """Whether a matrix of features by features (or by samples, if fewer) fits in memory."""
        if not isinstance(points, StoredPoints):
            return True
        return 8 * min(points.shape) * points.shape[1] <= points.max_memory

    @cached_property
    def memory_sample(self) -> Sample:
        """As many points on disk as fit in memory as float64."""
        assert isinstance(self.points, StoredPoints)
        limit = max(4, self.points.rows_in(self.points.max_memory // 4, itemsize=8))
        return stratified_sample(self.codes, limit, self.random_state)

    @property
    def probe_max_samples(self) -> int | None:
        """How many points the linear probe may use."""
        requested: int | None = self.settings["probe_max_samples"]
        if not isinstance(self.points, StoredPoints):
            return requested
        limit = max(4, self.points.rows_in(self.points.max_memory, itemsize=8))
        return limit if requested is None else min(requested, limit)

    @cached_property
    def sample(self) -> Sample:
        """The points that measures of all pairs evaluate, each against all points."""
        if self.original is not self:
            drawn = self.original.sample
            return Sample(drawn.rows, drawn.weights, self.codes[drawn.rows], drawn.sizes)
        return stratified_sample(self.codes, self.settings["max_samples"], self.random_state)

    @cached_property
    def null_sample(self) -> Sample:
        """The points that the silhouette with permuted labels evaluates."""
        limit = self.settings["max_samples"]
        if limit is not None and limit <= NULL_SAMPLES:
            return self.sample
        return stratified_sample(self.codes, NULL_SAMPLES, self.random_state)

    @cached_property
    def resample_counts(self) -> Array:
        """How often each point is drawn in each resample, uint8 (n_resamples, n_samples).

        Each class is resampled separately, so that none is ever empty.
        """
        rng = np.random.default_rng([self.random_state, 1])
        n_resamples = self.settings["n_resamples"]
        counts = np.zeros((n_resamples, len(self.codes)), dtype=np.uint8)
        for c in range(len(self.classes)):
            own = np.flatnonzero(self.codes == c)
            for b in range(n_resamples):
                drawn = rng.integers(len(own), size=len(own))
                counts[b, own] = np.minimum(np.bincount(drawn, minlength=len(own)), 255)
        return counts

    @cached_property
    def permuted(self) -> list[Inputs]:
        """The same points with permuted labels, once for each permutation."""
        rng = np.random.default_rng([self.random_state, 2])
        return [
            self.relabeled(rng.permutation(self.codes))
            for _ in range(self.settings["n_permutations"])
        ]

    @cached_property
    def capacity(self) -> ManifoldCapacity:
        """The manifold capacity, which several scores are part of."""
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
