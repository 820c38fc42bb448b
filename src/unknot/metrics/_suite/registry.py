"""The list of all measures that `measure` knows, each in one line or a few."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import Array
from .._shared.results import ClassResult, Result, UndefinedMeasureError
from ..clusters import (
    calinski_harabasz_from_moments,
    consistency_from_shares,
    davies_bouldin_from_moments,
    silhouette_from_sums,
)
from ..collapse import cdnv_from_moments, nc1_from_moments, nc2_from_moments
from ..dimension import participation_from_points, two_nn_from_distances
from ..faithfulness import excess_ranks, faithfulness_from_ranks
from ..label_faithfulness import faithfulness_from_pairs
from ..linear import probe
from ..neighborhood import confusion_from_graph, hit_from_graph
from ..shapes import ellipses_from_map, hulls_from_map
from ..similarity import cka_from_points
from . import uncertainty

if TYPE_CHECKING:
    from ..dimension import ParticipationRatio
    from ..similarity import Similarity
    from .inputs import Inputs, Space

Null = Callable[["Inputs", "Space"], Array]
Compute = Callable[["Inputs", "Space"], Result]
Spaces = Literal["native", "both", "map", "pair"]

# Why a score has no interval, or no null, where a measure has none.
NOT_RESAMPLED = (
    "a hull is made of its extreme points, which a resample of the points cannot go beyond"
)
LABEL_FREE = "it does not depend on the labels"
NO_DRAWS = "the centers are those of the points used, and no draw is made"
NULL_CAPACITY_RUNS = 5
NOTHING_TO_LOSE = "permuted classes are nowhere apart, and the map has nothing to lose or to add"


@dataclass(frozen=True)
class Measure:
    """One measure: what it is called, how it is computed, and what its numbers mean.

    Attributes
    ----------
    name, family, title
        Its name, the heading it stands under, and what a person calls it.
    compute
        From the shared inputs and a space, its result.
    higher_is_better : bool or None
        Whether a higher value means more untangled; None where neither end is better.
    low, high
        Its range.
    spaces : {"native", "both", "map", "pair"}
        Where it is taken: in the representation, there and on the map, on the map, or between the
        two.
    replicate
        Its values in each resample, or why there are none.
    null
        Its values with permuted labels, None for the general way to these, which is to compute it
        anew, or why there are none.
    null_runs
        Compute it anew for so many permutations at most, where one takes long.
    """

    name: str
    family: str
    title: str
    compute: Compute
    higher_is_better: bool | None = True
    low: float = 0.0
    high: float = 1.0
    spaces: Spaces = "native"
    replicate: uncertainty.Replicate | str = uncertainty.resample_point_scores
    null: Null | str | None = None
    null_runs: int | None = None

    def chance(self, inputs: Inputs, space: Space) -> Array | str:
        """Values with permuted labels, or why there are none."""
        if isinstance(self.null, str):
            return self.null
        if self.null is not None:
            return self.null(inputs, space)
        values = []
        for other in inputs.permuted[: self.null_runs]:
            there = other.native if space is inputs.native else other.map
            assert there is not None
            values.append(float(self.compute(other, there)))
        return np.array(values)


def _moment_measure(
    name: str,
    family: str,
    title: str,
    compute: Callable[..., Result],
    higher_is_better: bool = False,
    high: float = np.inf,
) -> Measure:
    """Describe a measure that is made of the class means and spreads."""
    return Measure(
        name,
        family,
        title,
        lambda inputs, space: compute(space.moments, space.classes),
        higher_is_better,
        high=high,
        replicate=uncertainty.recompute_from_moments(compute),
    )


def _shape_measure(
    name: str,
    title: str,
    compute: Callable[[Array, Array, Array], Result],
    replicate: uncertainty.Replicate | str | None = None,
) -> Measure:
    """Describe the overlap of the classes' shapes on the map."""

    def of_points(points: Rows, codes: Array, classes: Array) -> Result:
        assert not isinstance(points, StoredPoints)
        if points.shape[1] != 2:
            raise UndefinedMeasureError(
                f"shapes are of two-dimensional maps; the map has {points.shape[1]} components"
            )
        return compute(points.astype(np.float64), codes, classes)

    return Measure(
        name,
        "shape",
        title,
        lambda inputs, space: of_points(space.points, space.codes, space.classes),
        higher_is_better=False,
        spaces="map",
        replicate=replicate or uncertainty.recompute_from_points(of_points),
    )


def _hit(inputs: Inputs, space: Space) -> Result:
    return hit_from_graph(space.graph, inputs.k, space.codes, space.classes)


def _confusion(inputs: Inputs, space: Space) -> Result:
    return confusion_from_graph(space.graph, inputs.k, space.codes, space.classes)


def _edges(hit: bool) -> Callable[[Inputs, Space], tuple[Array, Array, Array]]:
    """Neighbors of each point, and whether they are of its class, or of another."""

    def edges(inputs: Inputs, space: Space) -> tuple[Array, Array, Array]:
        neighbors = space.graph.indices[:, : inputs.k]
        same = space.codes[neighbors] == space.codes[:, None]
        return np.arange(len(same)), neighbors, (same == hit).astype(np.float32)

    return edges


@dataclass(frozen=True)
class _Ranked:
    """Trustworthiness (of what is shown) or continuity, class-aware or not."""

    name: str
    shown: bool
    aware: bool

    def _ranks(self, inputs: Inputs) -> tuple[Array, Array, Array | None]:
        """Ranks of the neighbors of the points looked at, these, and which can do harm."""
        assert inputs.map is not None
        if not inputs.k_faithful:
            raise UndefinedMeasureError(
                f"{self.name} needs more than two points to each neighbor, and there are "
                f"{len(inputs.codes)} points"
            )
        # The ranks of neighbors on the map are taken in the native space, and the reverse.
        spaces = inputs.native, inputs.map
        where, source = spaces if self.shown else spaces[::-1]
        rows = inputs.sample.rows
        neighbors = source.graph.indices[rows, : inputs.k_faithful]
        counted = None
        if self.aware:
            counted = (inputs.codes[neighbors] != inputs.codes[rows][:, None]) == self.shown
        ranks = where.ranks
        assert ranks is not None
        return ranks, neighbors, counted

    def __call__(self, inputs: Inputs, space: Space) -> Result:
        ranks, _, counted = self._ranks(inputs)
        return faithfulness_from_ranks(ranks, len(inputs.codes), inputs.sample, self.name, counted)

    def edges(self, inputs: Inputs, space: Space) -> tuple[Array, Array, Array]:
        """Score of each neighbor; the score of a point is their mean."""
        ranks, neighbors, counted = self._ranks(inputs)
        k = ranks.shape[1]
        excess = excess_ranks(ranks, counted) * (2.0 / (2 * len(inputs.codes) - 3 * k - 1))
        return inputs.sample.rows, neighbors, (1.0 - excess).astype(np.float32)


def _faithfulness_measure(name: str, title: str, *, shown: bool, aware: bool) -> Measure:
    ranked = _Ranked(title, shown, aware)
    return Measure(
        name,
        "faithfulness",
        title,
        ranked,
        spaces="pair",
        replicate=uncertainty.resample_edge_scores(ranked.edges),
        null=None if aware else LABEL_FREE,
    )


def _label_faithfulness(*, lost: bool) -> Compute:
    def compute(inputs: Inputs, space: Space) -> Result:
        assert inputs.map is not None
        return faithfulness_from_pairs(
            inputs.native.nearer, inputs.map.nearer, inputs.codes, inputs.classes, lost=lost
        )

    return compute


def _probe(inputs: Inputs, space: Space) -> Result:
    return probe(
        space.points,
        space.codes,
        space.classes,
        max_samples=inputs.probe_max_samples,
        random_state=inputs.random_state,
        n_jobs=inputs.n_jobs,
    )


def _cka(inputs: Inputs, space: Space) -> Result:
    assert inputs.map is not None
    if len(inputs.codes) < 4:
        raise UndefinedMeasureError("debiased CKA needs at least four points")
    if inputs.fits(inputs.native.points):
        return cka_from_points(inputs.native.points, inputs.map.points)
    rows = inputs.memory_sample.rows
    return _from_memory_sample(
        inputs, cka_from_points(inputs.native.points[rows], inputs.map.points[rows])
    )


def _from_memory_sample(inputs: Inputs, result: Similarity | ParticipationRatio) -> Result:
    """Spread the influence of a few points over all, and say that there were few."""
    rows, n_samples = inputs.memory_sample.rows, len(inputs.codes)
    influence = np.zeros(n_samples)
    influence[rows] = result.influence * (n_samples / len(rows))
    note = (
        f"it is of {len(rows)} of {n_samples} points, drawn from each class in its share: the "
        "products of all features with each other would take more than max_memory"
    )
    return dataclasses.replace(result, influence=influence, notes=(*result.notes, note))


def _two_nn(inputs: Inputs, space: Space) -> Result:
    if space.graph.indices.shape[1] < 2:
        raise UndefinedMeasureError(
            "TwoNN needs two neighbors of each point, and the graph has one"
        )
    return two_nn_from_distances(space.graph.distances)


def _capacity(inputs: Inputs, space: Space) -> Result:
    return inputs.capacity


def _radius(inputs: Inputs, space: Space) -> Result:
    c = inputs.capacity
    return ClassResult(
        value=c.radius, higher_is_better=False, per_class=c.radius_per_class, classes=c.classes
    )


def _dimension(inputs: Inputs, space: Space) -> Result:
    c = inputs.capacity
    return ClassResult(
        value=c.dimension,
        higher_is_better=False,
        per_class=c.dimension_per_class,
        classes=c.classes,
    )


def _center_correlation(inputs: Inputs, space: Space) -> Result:
    return Result(value=inputs.capacity.center_correlation, higher_is_better=False)


def _silhouette(inputs: Inputs, space: Space) -> Result:
    return silhouette_from_sums(space.sums, inputs.sample, space.classes)


def _consistency(inputs: Inputs, space: Space) -> Result:
    return consistency_from_shares(space.consistent, space.codes, space.classes)


def _participation(inputs: Inputs, space: Space) -> Result:
    if inputs.fits(space.points):
        return participation_from_points(space.points)
    return _from_memory_sample(
        inputs, participation_from_points(space.points[inputs.memory_sample.rows])
    )


def _whole(points: Array, codes: Array, classes: Array) -> Result:
    return hulls_from_map(points, codes, classes, 1.0)


def _peeled(points: Array, codes: Array, classes: Array) -> Result:
    return hulls_from_map(points, codes, classes, 0.95)


MEASURES = (
    Measure(
        "neighborhood_hit", "neighborhood", "Neighborhood Hit", _hit,
        spaces="both", replicate=uncertainty.resample_edge_scores(_edges(True)),
    ),
    Measure(
        "neighbor_confusion", "neighborhood", "neighbors of other classes", _confusion,
        higher_is_better=False, spaces="both",
        replicate=uncertainty.resample_edge_scores(_edges(False)),
    ),
    _faithfulness_measure("trustworthiness", "trustworthiness", shown=True, aware=False),
    _faithfulness_measure("continuity", "continuity", shown=False, aware=False),
    _faithfulness_measure(
        "class_trustworthiness", "class-aware trustworthiness", shown=True, aware=True
    ),
    _faithfulness_measure("class_continuity", "class-aware continuity", shown=False, aware=True),
    Measure(
        "label_trustworthiness", "faithfulness", "label-trustworthiness",
        _label_faithfulness(lost=True), spaces="pair",
        replicate=uncertainty.resample_comparisons(lost=True), null=NOTHING_TO_LOSE,
    ),
    Measure(
        "label_continuity", "faithfulness", "label-continuity",
        _label_faithfulness(lost=False), spaces="pair",
        replicate=uncertainty.resample_comparisons(lost=False), null=NOTHING_TO_LOSE,
    ),
    Measure(
        "distance_consistency", "clusters", "distance consistency", _consistency, spaces="both",
    ),
    Measure(
        "silhouette", "clusters", "silhouette", _silhouette, low=-1.0, spaces="both",
        null=uncertainty.silhouette_null,
    ),
    _moment_measure("davies_bouldin", "clusters", "Davies-Bouldin", davies_bouldin_from_moments),
    _moment_measure(
        "calinski_harabasz", "clusters", "Calinski-Harabasz", calinski_harabasz_from_moments,
        higher_is_better=True,
    ),
    _shape_measure("convex_hulls", "overlap of convex hulls", _whole, NOT_RESAMPLED),
    _shape_measure("peeled_hulls", "overlap of peeled hulls", _peeled),
    _shape_measure("best_ellipses", "overlap of ellipses", ellipses_from_map),
    Measure("linear_probe", "linear", "linear probe accuracy", _probe, null=uncertainty.probe_null),
    _moment_measure("nc1", "collapse", "NC1, spread within classes", nc1_from_moments),
    _moment_measure(
        "nc2", "collapse", "NC2, means from a simplex", nc2_from_moments, high=np.sqrt(2.0)
    ),
    _moment_measure(
        "class_distance_variance", "collapse", "class-distance variance", cdnv_from_moments
    ),
    Measure(
        "two_nn", "dimension", "intrinsic dimension (TwoNN)", _two_nn,
        higher_is_better=None, high=np.inf, replicate=uncertainty.resample_ratios, null=LABEL_FREE,
    ),
    Measure(
        "participation_ratio", "dimension", "participation ratio", _participation,
        higher_is_better=None, low=1.0, high=np.inf,
        replicate=uncertainty.shift_by_influence, null=LABEL_FREE,
    ),
    Measure(
        "linear_cka", "similarity", "linear CKA of points and map", _cka,
        higher_is_better=None, spaces="pair",
        replicate=uncertainty.shift_by_influence, null=LABEL_FREE,
    ),
    Measure(
        "manifold_capacity", "capacity", "manifold capacity", _capacity, high=2.0,
        replicate=uncertainty.resample_draws(0), null_runs=NULL_CAPACITY_RUNS,
    ),
    Measure(
        "manifold_radius", "capacity", "manifold radius", _radius,
        higher_is_better=False, high=np.inf,
        replicate=uncertainty.resample_draws(1), null_runs=NULL_CAPACITY_RUNS,
    ),
    Measure(
        "manifold_dimension", "capacity", "manifold dimension", _dimension,
        higher_is_better=False, high=np.inf,
        replicate=uncertainty.resample_draws(2), null_runs=NULL_CAPACITY_RUNS,
    ),
    Measure(
        "center_correlation", "capacity", "correlation of class centers", _center_correlation,
        higher_is_better=False, replicate=NO_DRAWS, null_runs=NULL_CAPACITY_RUNS,
    ),
)  # fmt: skip
