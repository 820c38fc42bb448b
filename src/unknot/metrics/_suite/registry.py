"""Registry of all measures that `measure` computes, one entry each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import Array
from .._shared.intervals import Interval
from .._shared.metric import euclidean_distances
from .._shared.results import ClassResult, Result, UndefinedMeasureError
from ..clusters import consistency_from_shares, silhouette_from_shares
from ..collapse import cdnv_from_moments, cdnv_from_pairs, nc1_from_moments, nc2_from_moments
from ..dimension import participation_from_points, two_nn_of_distinct
from ..faithfulness import excess_ranks, faithfulness_from_ranks
from ..heads import nc3_from_moments, nc4_from_points
from ..label_faithfulness import faithfulness_from_pairs
from ..linear import probe
from ..neighborhood import confusion_from_graph, confusion_without_table, hit_from_graph
from ..regression import FAMILY, linear_null, linear_of, neighborhood_null, neighborhood_of
from ..separation import (
    calinski_harabasz_from_moments,
    davies_bouldin_from_classes,
    davies_bouldin_from_moments,
)
from ..shapes import ConvexHulls, Ellipses, ellipses_from_map, hulls_from_map
from ..similarity import cka_from_points
from . import uncertainty
from .entry import LABEL_FREE, Compute, Measure
from .more import MORE_MEASURES
from .transitions import TRANSITION_MEASURES

if TYPE_CHECKING:
    from ..dimension import ParticipationRatio
    from ..similarity import Similarity
    from .inputs import Inputs, Space

# Reasons why a measure has no interval, or no null.
NOT_RESAMPLED = "a hull depends on extreme points, and no resample reaches beyond them"
NO_DRAWS = "it is computed from the class centers without random draws"
NULL_CAPACITY_RUNS = 5
NULL_CAPACITY_CLASSES = 200
NULL_HEAD_RUNS = 3
NOTHING_TO_LOSE = "permuted classes overlap everywhere, so the map has no separation to lose or add"


def _moment_measure(
    name: str,
    family: str,
    title: str,
    compute: Callable[..., Result],
    higher_is_better: bool = False,
    high: float = np.inf,
    of_pairs: Callable[..., Result] | None = None,
    interval: uncertainty.Estimate | None = None,
) -> Measure:
    """Return the entry of a measure that is a function of the class moments.

    With many classes ``of_pairs``, a function of a part of their pairs, takes its place.
    """

    def from_moments(inputs: Inputs, space: Space) -> Result:
        if inputs.many and of_pairs is not None:
            return of_pairs(space.moments, inputs.classes, inputs.original.pairs)
        return compute(space.moments, inputs.classes)

    return Measure(
        name,
        family,
        title,
        from_moments,
        higher_is_better,
        high=high,
        interval=interval or uncertainty.of_moments(name),
        grows_with_classes=True,
    )


def _shape_measure(
    name: str,
    title: str,
    compute: Callable[[Array, Array, Array], ConvexHulls | Ellipses],
    interval: uncertainty.Estimate | str | None = None,
) -> Measure:
    """Return the entry of an overlap of the classes' shapes on the map."""

    def checked(points: Rows, codes: Array, classes: Array) -> ConvexHulls | Ellipses:
        assert not isinstance(points, StoredPoints)
        if points.shape[1] != 2:
            raise UndefinedMeasureError(
                f"shapes need a two-dimensional map; this one has {points.shape[1]} components"
            )
        return compute(points.astype(np.float64), codes, classes)

    def of_drawn(points: Rows, codes: Array, classes: Array) -> ConvexHulls | Ellipses:
        """Compute it of the classes that occur; the drawn ones, where there are many."""
        present, own = np.unique(codes, return_inverse=True)
        return checked(points, own, classes[present])

    def of_inputs(inputs: Inputs, space: Space) -> Result:
        if not inputs.many:
            return checked(space.points, space.codes, space.classes)
        rows = np.flatnonzero(np.isin(space.codes, inputs.original.pairs.drawn))
        found = of_drawn(space.points[rows], space.codes[rows], space.classes)
        pairs = inputs.original.pairs
        note = pairs.note_on_classes(title, pairs.error_of_table(found.overlap))
        return Result(value=found.value, higher_is_better=False, notes=(note, *found.notes))

    return Measure(
        name,
        "shape",
        title,
        of_inputs,
        higher_is_better=False,
        spaces="map",
        interval=interval or uncertainty.of_resampled_points(of_drawn),
        grows_with_classes=True,
    )


def _hit(inputs: Inputs, space: Space) -> Result:
    return hit_from_graph(
        space.graph, inputs.k, space.codes, space.classes, space.points, inputs.n_jobs
    )


def _confusion(inputs: Inputs, space: Space) -> Result:
    compute = confusion_from_graph if inputs.tables else confusion_without_table
    return compute(space.graph, inputs.k, space.codes, space.classes, space.points, inputs.n_jobs)


@dataclass(frozen=True)
class _RankMeasure:
    """Computes trustworthiness or continuity, class-aware or not."""

    name: str
    trustworthiness: bool
    class_aware: bool

    def _ranks(self, inputs: Inputs) -> tuple[Array, Array, Array | None]:
        """Return ranks and indices of the sampled points' neighbors, and which of them count."""
        assert inputs.map is not None
        if not inputs.k_faithfulness:
            raise UndefinedMeasureError(
                f"{self.name} needs more than two points per neighbor; there are "
                f"{len(inputs.codes)} points"
            )
        # Neighbors on the map are ranked in the native space, and the reverse.
        spaces = inputs.native, inputs.map
        ranking, source = spaces if self.trustworthiness else spaces[::-1]
        rows = inputs.sample.rows
        neighbors = source.graph.indices[rows, : inputs.k_faithfulness]
        counted = None
        if self.class_aware:
            counted = (
                inputs.codes[neighbors] != inputs.codes[rows][:, None]
            ) == self.trustworthiness
        assert ranking.ranks is not None
        return ranking.ranks.ranks, neighbors, counted

    def __call__(self, inputs: Inputs, space: Space) -> Result:
        ranks, _, counted = self._ranks(inputs)
        return faithfulness_from_ranks(ranks, len(inputs.codes), inputs.sample, self.name, counted)

    def interval(self, inputs: Inputs, space: Space, result: Result) -> Interval:
        """Use the influence of points as neighbors of others, and on the ranks of these."""
        assert inputs.map is not None
        ranks, neighbors, counted = self._ranks(inputs)
        ranking = inputs.native if self.trustworthiness else inputs.map
        assert ranking.ranks is not None
        k = ranks.shape[1]
        scale = 2.0 / (2 * len(inputs.codes) - 3 * k - 1)
        closer = ranking.ranks.closer[int(self.class_aware)] * (scale / k)
        scores = 1.0 - excess_ranks(ranks, counted) * scale
        return uncertainty.of_ranks(inputs, result.value, neighbors, scores, closer)


def _faithfulness_measure(name: str, title: str, *, class_aware: bool) -> Measure:
    """Return the entry of trustworthiness or continuity, class-aware or not."""
    measure = _RankMeasure(title, name.endswith("trustworthiness"), class_aware)
    return Measure(
        name,
        "faithfulness",
        title,
        measure,
        spaces="pair",
        interval=measure.interval,
        null=None if class_aware else LABEL_FREE,
    )


def _label_faithfulness(*, trustworthiness: bool) -> Compute:
    def compute(inputs: Inputs, space: Space) -> Result:
        assert inputs.map is not None
        if inputs.many:
            _, own, native = inputs.native.drawn_comparisons
            found = faithfulness_from_pairs(
                native,
                inputs.map.drawn_comparisons[2],
                own,
                inputs.classes[inputs.pairs.drawn],
                trustworthiness=trustworthiness,
            )
            what = "label-trustworthiness" if trustworthiness else "label-continuity"
            error = inputs.pairs.error_of_table(found.per_pair)
            note = inputs.pairs.note_on_classes(what, error)
            return Result(value=found.value, higher_is_better=True, notes=(note, *found.notes))
        return faithfulness_from_pairs(
            inputs.native.centroid_comparisons,
            inputs.map.centroid_comparisons,
            inputs.codes,
            inputs.classes,
            trustworthiness=trustworthiness,
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
    if inputs.fits_in_memory(inputs.native.points):
        return cka_from_points(inputs.native.points, inputs.map.points)
    rows = inputs.memory_sample.rows
    return _from_memory_sample(
        inputs, cka_from_points(inputs.native.points[rows], inputs.map.points[rows])
    )


def _from_memory_sample(inputs: Inputs, result: Similarity | ParticipationRatio) -> Result:
    """Extend the influence of the memory sample to all points, and note the sampling."""
    rows, n_samples = inputs.memory_sample.rows, len(inputs.codes)
    influence = np.zeros(n_samples)
    influence[rows] = result.influence * (n_samples / len(rows))
    note = (
        f"computed from a stratified sample of {len(rows)} of {n_samples} points: the products of "
        "all features with each other would take more than max_memory"
    )
    return dataclasses.replace(result, influence=influence, notes=(*result.notes, note))


def _two_nn(inputs: Inputs, space: Space) -> Result:
    if space.graph.indices.shape[1] < 2:
        raise UndefinedMeasureError("TwoNN needs two neighbors of each point; the graph has one")
    distances = euclidean_distances(space.graph)
    return two_nn_of_distinct(space.points, distances, n_jobs=inputs.n_jobs)


def _nc3(inputs: Inputs, space: Space) -> Result:
    return nc3_from_moments(space.moments, space.classes, inputs.known_head)


def _nc4(inputs: Inputs, space: Space) -> Result:
    return nc4_from_points(
        inputs.raw, space.points, space.codes, space.classes, space.moments, inputs.known_head
    )


def _capacity(inputs: Inputs, space: Space) -> Result:
    return inputs.capacity


def _radius(inputs: Inputs, space: Space) -> Result:
    c = inputs.capacity
    return ClassResult(
        value=c.radius, higher_is_better=False, per_class=c.radius_per_class, classes=c.classes
    )


def _dimension(inputs: Inputs, space: Space) -> Result:
    c = inputs.capacity
    per_class = c.dimension_per_class
    return ClassResult(
        value=c.dimension, higher_is_better=False, per_class=per_class, classes=c.classes
    )


def _center_correlation(inputs: Inputs, space: Space) -> Result:
    return Result(value=inputs.capacity.center_correlation, higher_is_better=False)


def _silhouette(inputs: Inputs, space: Space) -> Result:
    return silhouette_from_shares(space.silhouettes, 0, inputs.sample, space.classes)


def _consistency(inputs: Inputs, space: Space) -> Result:
    return consistency_from_shares(space.consistency, space.codes, space.classes)


def _participation(inputs: Inputs, space: Space) -> Result:
    if inputs.fits_in_memory(space.points):
        return participation_from_points(space.points, inputs.n_jobs)
    return _from_memory_sample(
        inputs,
        participation_from_points(space.points[inputs.memory_sample.rows], inputs.n_jobs),
    )


def _hulls(kept: float) -> Callable[[Array, Array, Array], ConvexHulls]:
    return lambda points, codes, classes: hulls_from_map(points, codes, classes, kept)


_ENTRIES = (
    Measure(
        "neighborhood_hit", "neighborhood", "Neighborhood Hit", _hit,
        spaces="both", interval=uncertainty.of_neighbors(same_class=True),
        null=uncertainty.hit_null,
    ),
    Measure(
        "neighbor_confusion", "neighborhood", "neighbors of other classes", _confusion,
        higher_is_better=False, spaces="both",
        interval=uncertainty.of_neighbors(same_class=False), null=uncertainty.confusion_null,
    ),
    _faithfulness_measure("trustworthiness", "trustworthiness", class_aware=False),
    _faithfulness_measure("continuity", "continuity", class_aware=False),
    _faithfulness_measure("class_trustworthiness", "class-aware trustworthiness", class_aware=True),
    _faithfulness_measure("class_continuity", "class-aware continuity", class_aware=True),
    Measure(
        "label_trustworthiness", "faithfulness", "label-trustworthiness",
        _label_faithfulness(trustworthiness=True), spaces="pair",
        interval=uncertainty.of_separations(trustworthiness=True), null=NOTHING_TO_LOSE,
    ),
    Measure(
        "label_continuity", "faithfulness", "label-continuity",
        _label_faithfulness(trustworthiness=False), spaces="pair",
        interval=uncertainty.of_separations(trustworthiness=False), null=NOTHING_TO_LOSE,
    ),
    Measure(
        "distance_consistency", "clusters", "distance consistency", _consistency, spaces="both",
        interval=uncertainty.of_consistency, null=uncertainty.consistency_null,
    ),
    Measure(
        "silhouette", "clusters", "silhouette", _silhouette, low=-1.0, spaces="both",
        interval=uncertainty.of_silhouette, null=uncertainty.silhouette_null,
    ),
    _moment_measure(
        "davies_bouldin", "clusters", "Davies-Bouldin", davies_bouldin_from_moments,
        of_pairs=davies_bouldin_from_classes,
    ),
    _moment_measure(
        "calinski_harabasz", "clusters", "Calinski-Harabasz", calinski_harabasz_from_moments,
        higher_is_better=True,
    ),
    _shape_measure("convex_hulls", "overlap of convex hulls", _hulls(1.0), NOT_RESAMPLED),
    _shape_measure("peeled_hulls", "overlap of peeled hulls", _hulls(0.95)),
    _shape_measure("best_ellipses", "overlap of ellipses", ellipses_from_map),
    Measure(
        "linear_probe", "linear", "linear probe accuracy", _probe,
        interval=uncertainty.of_probe, null=uncertainty.probe_null,
    ),
    _moment_measure("nc1", "collapse", "NC1, spread within classes", nc1_from_moments),
    _moment_measure(
        "nc2", "collapse", "NC2, means from a simplex", nc2_from_moments, high=np.sqrt(2.0)
    ),
    _moment_measure(
        "class_distance_variance", "collapse", "class-distance variance", cdnv_from_moments,
        of_pairs=cdnv_from_pairs,
    ),
    Measure(
        "nc3", "collapse", "NC3, head from the means", _nc3,
        higher_is_better=False, high=2.0, interval=uncertainty.of_head, null_runs=NULL_HEAD_RUNS,
        of_head=True,
    ),
    Measure(
        "nc4", "collapse", "NC4, head against the nearest mean", _nc4,
        higher_is_better=False, null_runs=NULL_HEAD_RUNS, of_head=True,
    ),
    Measure(
        "two_nn", "dimension", "intrinsic dimension (TwoNN)", _two_nn,
        higher_is_better=None, high=np.inf, interval=uncertainty.of_dimension, null=LABEL_FREE,
    ),
    Measure(
        "participation_ratio", "dimension", "participation ratio", _participation,
        higher_is_better=None, low=1.0, high=np.inf,
        interval=uncertainty.of_influence(1.0), null=LABEL_FREE,
    ),
    Measure(
        "linear_cka", "similarity", "linear CKA of points and map", _cka,
        higher_is_better=None, spaces="pair",
        interval=uncertainty.of_influence(0.0, 1.0), null=LABEL_FREE,
    ),
    Measure(
        "manifold_capacity", "capacity", "manifold capacity", _capacity, high=2.0,
        interval=uncertainty.of_capacity("interval"),
        null_runs=NULL_CAPACITY_RUNS, null_classes=NULL_CAPACITY_CLASSES,
    ),
    Measure(
        "manifold_radius", "capacity", "manifold radius", _radius,
        higher_is_better=False, high=np.inf,
        interval=uncertainty.of_capacity("radius_interval"),
        null_runs=NULL_CAPACITY_RUNS, null_classes=NULL_CAPACITY_CLASSES,
    ),
    Measure(
        "manifold_dimension", "capacity", "manifold dimension", _dimension,
        higher_is_better=False, high=np.inf,
        interval=uncertainty.of_capacity("dimension_interval"),
        null_runs=NULL_CAPACITY_RUNS, null_classes=NULL_CAPACITY_CLASSES,
    ),
    Measure(
        "center_correlation", "capacity", "correlation of class centers", _center_correlation,
        higher_is_better=False, interval=NO_DRAWS,
        null_runs=NULL_CAPACITY_RUNS, null_classes=NULL_CAPACITY_CLASSES,
    ),
    *TRANSITION_MEASURES,
    Measure(
        "neighborhood_r2", FAMILY, "neighborhood R²", neighborhood_of,
        low=-np.inf, spaces="both",
        interval=uncertainty.of_influence(-np.inf, 1.0), null=neighborhood_null,
    ),
    Measure(
        "linear_r2", FAMILY, "linear R²", linear_of,
        low=-np.inf, interval=uncertainty.of_influence(-np.inf, 1.0), null=linear_null,
    ),
    *MORE_MEASURES,
)  # fmt: skip

_FAMILIES = list(dict.fromkeys(entry.family for entry in _ENTRIES))
MEASURES = tuple(sorted(_ENTRIES, key=lambda entry: _FAMILIES.index(entry.family)))
