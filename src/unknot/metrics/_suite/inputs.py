"""Inputs that several measures need, each computed once, when first used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._parallel.cached import cached_property
from ..._typing import Array
from .._shared.distances import (
    Consumer,
    Sample,
    scan_distances,
    stratified_sample,
    systematic_sample,
)
from .._shared.many import MANY_CLASSES, TABLE_CLASSES, ClassPairs
from .._shared.metric import COSINE, EUCLIDEAN, graph_of
from .._shared.moment_influence import MomentInfluence
from .._shared.moments import ClassMoments, class_moments
from ..capacity import N_SUBSETS, ManifoldCapacity, capacity_from_points
from ..clusters import (
    Silhouettes,
    centroid_shares,
    compare_centroid_distances,
    compare_some_classes,
    consistency_shares,
)
from ..faithfulness import NeighborRanks
from ..glue import Glue, glue_from_points
from ..heads import Head
from ..transition import Previous
from .clock import Clock
from .permuted import MANY_NULL_RUNS, MANY_NULL_SAMPLES, permuted_moments
from .shared_transition import SharedTransition

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph

# Points for the silhouette with permuted labels: its distribution is narrow.
NULL_SAMPLES = 512
# The default number of points of the linear probe, and how many logits these may have.
PROBE_SAMPLES = 10_000
MOST_LOGITS = 3_000_000


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
    def influence(self) -> MomentInfluence:
        """Influence of the points on measures of class moments."""
        moments, pairs = self.moments, self.inputs.pairs if self.inputs.many else None
        with self.inputs.clock.shared(f"influence on class moments{self.name}"):
            return MomentInfluence(self.points, self.codes, moments, pairs, self.inputs.n_jobs)

    @cached_property
    def consistency(self) -> Array:
        """For each point, 1 if its own class centroid is the nearest, and less for ties."""
        if self.inputs.original is not self.inputs:
            return self._permuted[1]
        if not self.inputs.many:
            return consistency_shares(self.centroid_comparisons)
        moments = self.moments
        with self.inputs.clock.shared(f"distances to centroids{self.name}"):
            return centroid_shares(self.points, self.codes, moments, self.inputs.n_jobs)

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
            if self.inputs.many:
                return self._all_permuted_of_many()
            return list(
                permuted_moments(
                    self.points,
                    [permuted.codes for permuted in self.inputs.permuted],
                    moments,
                    self.inputs.n_jobs,
                )
            )

    def _all_permuted_of_many(self) -> list[tuple[ClassMoments, Array]]:
        """Moments, and the consistency of sampled points, for a few permutations."""
        inputs, found = self.inputs, []
        rows = systematic_sample(inputs.codes, MANY_NULL_SAMPLES, inputs.random_state).rows
        for permuted in inputs.permuted[:MANY_NULL_RUNS]:
            own = class_moments(self.points, permuted.codes, len(self.classes), inputs.n_jobs)
            shares = centroid_shares(self.points, permuted.codes, own, inputs.n_jobs, rows)
            found.append((own, shares))
        return found

    @cached_property
    def drawn_comparisons(self) -> tuple[Array, Array, Array]:
        """`compare_some_classes` for the classes drawn among many."""
        moments = self.moments
        with self.inputs.clock.shared(f"distances to centroids{self.name}"):
            return compare_some_classes(
                self.points, self.codes, moments, self.inputs.pairs.drawn, self.inputs.n_jobs
            )

    @cached_property
    def centroid_comparisons(self) -> Array:
        """Each point's distance to its own class centroid compared with that to every other."""
        moments = self.moments
        with self.inputs.clock.shared(f"distances to centroids{self.name}"):
            return compare_centroid_distances(self.points, self.codes, moments, self.inputs.n_jobs)

    @property
    def cosine(self) -> bool:
        """Whether distances are 1 - cos, half the squared Euclidean ones of the points."""
        return self is self.inputs.native and self.inputs.metric == COSINE

    @property
    def silhouettes(self) -> Silhouettes:
        """The silhouette of each sampled point."""
        return self._scan[0]

    @cached_property
    def permuted_silhouettes(self) -> Array:
        """The silhouettes of sampled points with permuted labels (n_permutations, n_rows)."""
        inputs = self.inputs
        sample = inputs.null_sample
        if sample is inputs.sample:
            return self._scan[0].shares[1:]
        runs = inputs.permuted[: MANY_NULL_RUNS if inputs.many else None]
        labelings = [permuted.codes for permuted in runs]
        found = Silhouettes(labelings, sample, len(self.classes), cosine=self.cosine)
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, sample.rows, [found], inputs.n_jobs)
        return found.shares

    @property
    def ranks(self) -> NeighborRanks | None:
        """Ranks in this space of the other space's neighbors; independent of the labels.

        Their weights are those in the score that counts all neighbors, and in the class-aware one.
        """
        original = self.inputs.original
        space = original.native if self is self.inputs.native else original.map
        assert space is not None
        return space._scan[1]

    @cached_property
    def _scan(self) -> tuple[Silhouettes, NeighborRanks | None]:
        """Silhouettes for every labeling, and ranks, from one pass over the distances."""
        inputs = self.inputs
        rows = inputs.sample.rows
        with_influence = inputs.original is inputs and inputs.settings["n_resamples"] > 0
        labelings = [self.codes]
        if inputs.null_sample is inputs.sample:
            # The sample is small enough for the permuted labels to share its distances.
            labelings += [permuted.codes for permuted in inputs.permuted]
        found = Silhouettes(
            labelings,
            inputs.sample,
            len(self.classes),
            cosine=self.cosine,
            with_influence=with_influence,
        )
        consumers: list[Consumer] = [found]
        other = inputs.counterpart(self)
        ranks = None
        if other is not None and inputs.k_faithfulness:
            neighbors = other.graph.indices[rows, : inputs.k_faithfulness]
            weights = None
            if with_influence:
                same = self.codes[neighbors] == self.codes[rows][:, None]
                counted = same != (self is inputs.native)
                weights = np.stack([np.ones(counted.shape), counted.astype(np.float64)])
                weights *= inputs.sample.weights[:, None]
            ranks = NeighborRanks(rows, neighbors, weights)
            consumers.append(ranks)
        with inputs.clock.shared(f"distances of sampled points{self.name}"):
            scan_distances(self.points, rows, consumers, inputs.n_jobs)
        return found, ranks


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
    raw, raw_map : array or StoredPoints, optional
        The points and the map for the user's own measures: neither moved nor scaled.
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
        raw: Rows | None = None,
        raw_map: Array | None = None,
    ) -> None:
        self.raw = points if raw is None else raw
        self.raw_map = map_ if raw_map is None else raw_map
        self.points, self.map_points = points, map_
        self.codes, self.classes = codes, classes
        # The numbers of the points, where these are the labels; codes are then of one class.
        self.values: Array | None = None
        # The classifier's last linear layer, if it is known.
        self.head: Head | None = None
        # What is known of the layer before.
        self.previous: Previous | None = None
        self.settings = settings
        self.k: int = settings["k"]
        self.k_faithfulness: int = settings["k_faithfulness"]
        self.n_jobs: int | None = settings["n_jobs"]
        self.random_state: int = settings["random_state"]
        self.metric: str = settings["metric"]
        self.many = len(classes) > MANY_CLASSES
        self.tables = len(classes) <= TABLE_CLASSES
        self.clock = Clock()
        # Relabeled inputs refer to the inputs with the true labels, which hold what is shared.
        self.original = self
        self.given_graph = graph
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
            # Twice the neighbors that count: the interval compares with those that come next.
            k = min(max(2 * self.k, self.k_faithfulness, 2), len(points) - 1)
            with self.clock.shared(f"nearest neighbors{name}"):
                graph = graph_of(points, k, EUCLIDEAN if name else self.metric, self.n_jobs)
            self._graphs[name] = graph
        return graph

    @property
    def known_head(self) -> Head:
        """The classifier's head, for measures that are only computed if there is one."""
        assert self.original.head is not None
        return self.original.head

    @cached_property
    def transition(self) -> SharedTransition:
        """What measures of the transition share, which are only computed if there is one."""
        assert self.previous is not None
        return SharedTransition(self, self.previous)

    def counterpart(self, space: Space) -> Space | None:
        """Return the map for the native space, and the native space for the map."""
        return self.map if space is self.native else self.native

    def relabeled(self, codes: Array) -> Inputs:
        """Return the same points with other labels; neighbors and settings are shared."""
        other = Inputs(
            self.points,
            codes,
            self.classes,
            self.map_points,
            settings=self.settings,
            raw=self.raw,
            raw_map=self.raw_map,
        )
        other._graphs = self._graphs
        other.clock = self.clock
        other.original = self.original
        return other

    def points_for_functions(self, space: Space) -> tuple[Array, Array, str]:
        """Return copies of the points and labels for a user's function, and a note on sampling.

        The points are those that were given, preprocessed, but neither moved nor scaled.
        """
        points: Any = self.raw_map if space is self.map else self.raw
        if not isinstance(points, StoredPoints):
            return points.copy(), self.codes, ""
        n_samples = len(points)
        limit = max(4, points.rows_in(points.max_memory // 4))
        rows = np.arange(n_samples)
        note = ""
        if limit < n_samples:
            rows = stratified_sample(self.original.codes, limit, self.random_state).rows
            note = (
                f"computed from a stratified sample of {len(rows)} of {n_samples} points, which "
                "fits in max_memory"
            )
        found = points[rows].astype(np.float64)
        if points.origin is not None:
            found += points.origin
        return (
            found.astype(np.float32 if points.origin is None else np.float64),
            self.codes[rows],
            note,
        )

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
        if requested == PROBE_SAMPLES:
            # With many classes; whoever asks for another number gets it.
            requested = min(requested, MOST_LOGITS // len(self.classes))
        if not isinstance(self.points, StoredPoints):
            return requested
        limit = max(4, self.points.rows_in(self.points.max_memory, itemsize=8))
        return limit if requested is None else min(requested, limit)

    @cached_property
    def sample(self) -> Sample:
        """The points that measures of all pairs evaluate, each against all points."""
        if self.original is not self:
            drawn = self.original.sample
            return Sample(
                drawn.rows, drawn.weights, self.codes[drawn.rows], drawn.sizes, drawn.by_class
            )
        return stratified_sample(self.codes, self.settings["max_samples"], self.random_state)

    @cached_property
    def null_sample(self) -> Sample:
        """The points that the silhouette with permuted labels evaluates."""
        limit = self.settings["max_samples"]
        if self.many:
            return systematic_sample(self.codes, NULL_SAMPLES, self.random_state)
        if limit is not None and limit <= NULL_SAMPLES:
            return self.sample
        return stratified_sample(self.codes, NULL_SAMPLES, self.random_state)

    @cached_property
    def resample_counts(self) -> Array:
        """How often each point is drawn in each resample, uint8 (n_resamples, n_samples)."""
        rng = np.random.default_rng([self.random_state, 1])
        n_samples = len(self.codes)
        counts = np.empty((self.settings["n_resamples"], n_samples), dtype=np.uint8)
        for row in counts:
            drawn = np.bincount(rng.integers(n_samples, size=n_samples), minlength=n_samples)
            row[:] = np.minimum(drawn, 255)
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
    def pairs(self) -> ClassPairs:
        """The pairs and classes that are evaluated where there are many."""
        return ClassPairs.draw(len(self.classes), self.random_state)

    @cached_property
    def capacity(self) -> ManifoldCapacity:
        """The manifold capacity, which several scores are part of."""
        # The moments of permuted labels are computed together, but not those of many classes.
        known = None if self.many else self.native.moments
        with self.clock.shared("manifold capacity"):
            return capacity_from_points(
                self.points,
                self.codes,
                self.classes,
                n_draws=self.settings["n_draws"],
                random_state=self.random_state,
                max_samples_per_class=self.settings["capacity_max_samples_per_class"],
                max_classes=MANY_CLASSES,
                n_jobs=self.n_jobs,
                # Permuted labels are averaged over permutations.
                n_subsets=N_SUBSETS if self.original is self else 1,
                interval=self.original is self and self.settings["capacity_interval"],
                means=None if known is None else known.means + known.origin,
            )

    @cached_property
    def glue(self) -> Glue:
        """GLUE of the points where they were given, which several scores are part of."""
        with self.clock.shared("GLUE"):
            return glue_from_points(
                self.raw,
                self.codes,
                self.classes,
                n_draws=self.settings["n_draws"],
                max_samples_per_class=self.settings["capacity_max_samples_per_class"],
                random_state=self.random_state,
                n_jobs=self.n_jobs,
            )
