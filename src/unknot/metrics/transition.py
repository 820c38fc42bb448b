"""Transitions from layer to layer: which neighbors a sample keeps, and how far it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import StoredPoints
from .._typing import AnyArray, Array
from .._validation.arrays import as_numbers
from .._validation.points import as_points, check_labels
from ._shared.metric import check_metric, in_metric
from ._shared.results import warn_notes
from ._shared.transitions import (
    KeptNeighbors,
    Transition,
    correlation_of_moves,
    kept_of_graphs,
    mean_of_moves,
    mean_of_needless,
    misaligned_note,
    moves,
)
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

FAMILY = "transition"
# Neighbors that tell whether a neighborhood changed. With half as many, the shares are coarse.
NEIGHBORS = 30


@dataclass(frozen=True, eq=False)
class Previous:
    """What is known of the layer before, for measures of the transition.

    Parameters
    ----------
    graph : NeighborGraph
        Its nearest neighbors, of the same samples in the same order, by the same metric.
    map : array-like (n_samples, n_components), optional
        Its map, aligned with the layer's. Measures of movement need it.
    name : str, default=""
        Its name, for ``settings`` of the scores.

    Raises
    ------
    TypeError
        If the graph is no NeighborGraph, or the map is not of real numbers.
    ValueError
        If the map has another number of samples, or a value is NaN or infinite.

    See Also
    --------
    measure : Takes it as ``previous``.
    unknot.projection.align_map : Aligns a map with the one before.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.metrics import Previous
    >>> before = np.random.default_rng(0).normal(size=(50, 4))
    >>> previous = Previous(unknot.nearest_neighbors(before, 40), before[:, :2])
    >>> after = before + [[1.0, 0.0, 0.0, 0.0]]
    >>> scores = unknot.measure(
    ...     after, np.arange(50) % 2, after[:, :2], "transition", previous=previous
    ... )
    >>> scores["kept_neighbors"].value
    1.0
    """

    graph: NeighborGraph
    map: Any = None
    name: str = ""

    def __post_init__(self) -> None:
        if not hasattr(self.graph, "indices") or not hasattr(self.graph, "distances"):
            raise TypeError(
                f"Previous: graph must be a NeighborGraph; got {type(self.graph).__name__}. "
                "Compute one with nearest_neighbors(points_before, 40)"
            )
        if self.map is None:
            return
        checked = as_points(self.map, name="Previous: map")
        if len(checked) != len(self.graph.indices):
            raise ValueError(
                f"Previous: map must hold the {len(self.graph.indices)} samples of the graph; it "
                f"holds {len(checked)}"
            )
        object.__setattr__(self, "map", checked)


def kept_neighbors(
    points: AnyArray,
    previous: AnyArray,
    labels: AnyArray | None = None,
    k: int = NEIGHBORS,
    *,
    metric: str = "euclidean",
    graph: NeighborGraph | None = None,
    previous_graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> KeptNeighbors:
    r"""Kept neighbors: the share of its neighbors that a sample keeps from one layer to the next.

    .. math:: \frac1n \sum_i \frac{|N_k(i) \cap N'_k(i)|}{k}

    with the k nearest neighbors N in the layer and N' in the one before. In [0, 1], neither end is
    better: 1 if no neighborhood changes, k / (n - 1) by chance.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        The representation of a layer.
    previous : array-like (n_samples, n_features_before)
        That of the layer before, of the same samples in the same order.
    labels : array-like (n_samples,), optional
        The class of each sample, for ``per_class``.
    k : int, default=30
        The number of neighbors, less than n_samples. Increase it for coarser structure; only
        compare values of the same k.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance between points, in both layers.
    graph, previous_graph : NeighborGraph, optional
        Precomputed nearest neighbors in the layer and in the one before, at least k of each.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    KeptNeighbors
        ``value``, ``per_point``, ``per_class``, ``classes``, ``k`` and ``chance``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, k is not possible, or a graph does not fit.

    See Also
    --------
    mutual_knn : The same of any two representations, for 10 neighbors.
    needless_movement, movement_correlation : Compare it with what moved on the maps.

    Examples
    --------
    The points 0, 1, 3, 7 have the nearest neighbors 1, 0, 1, 3. When the last moves next to the
    first, they are 7, 0, 1, 0: two samples keep theirs.

    >>> from unknot.metrics import kept_neighbors
    >>> before, after = [[0.0], [1.0], [3.0], [7.0]], [[0.0], [1.0], [3.0], [-0.5]]
    >>> found = kept_neighbors(after, before, ["a", "a", "b", "b"], k=1)
    >>> found.value, found.per_point.tolist(), found.per_class.tolist()
    (0.5, [0.0, 1.0, 1.0, 0.0], [0.5, 0.5])
    """
    metric = check_metric(metric)
    found, _ = in_metric(points, metric, min_samples=2)
    before, _ = in_metric(previous, metric, name="previous", min_samples=2)
    assert not isinstance(found, StoredPoints)
    assert not isinstance(before, StoredPoints)
    if len(found) != len(before):
        raise ValueError(
            "points and previous must have the same samples; got "
            f"{len(found)} and {len(before)} of them"
        )
    codes, classes = _labeled(labels, len(found))
    graphs = (
        check_graph(found, k, graph, n_jobs, metric, further=1),
        check_graph(before, k, previous_graph, n_jobs, metric, further=1),
    )
    return warn_notes(kept_of_graphs(*graphs, k, codes, classes))


def displacement(
    map_: AnyArray, previous_map: AnyArray, labels: AnyArray | None = None
) -> Transition:
    r"""Displacement: how far samples move from one map to the next, in radii of the map.

    .. math:: \frac{1}{n r} \sum_i |y_i - y'_i|

    with the positions y on the map and y' on the one before, and r the root mean square distance of
    the y from their center. From 0 up, neither end is better: a sample may have reason to move.
    About 1.3 for unrelated maps.

    Parameters
    ----------
    map_ : array-like (n_samples, n_components)
        The map of a layer.
    previous_map : array-like (n_samples, n_components)
        That of the layer before, aligned with it, of the same samples in the same order.
    labels : array-like (n_samples,), optional
        The class of each sample, for ``per_class``.

    Returns
    -------
    Transition
        ``value``, ``per_point``, the displacement of each sample, ``per_class`` and ``classes``.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN or infinite.
    UndefinedMeasureError
        If all points of the map coincide.

    See Also
    --------
    needless_movement : Of samples whose neighborhoods hardly changed.
    unknot.projection.align_map : Aligns the maps.
    unknot.projection.displacement : The same number alone.

    Notes
    -----
    Maps are not aligned here. If turning one onto the other would make the displacement much
    smaller, ``notes`` say so.

    Examples
    --------
    >>> from unknot.metrics import displacement
    >>> found = displacement([[0.0, 1.0], [0.0, -1.0]], [[0.5, 1.0], [0.0, -1.0]])
    >>> found.value, found.per_point.tolist()
    (0.25, [0.5, 0.0])
    """
    there, before = _maps(map_, previous_map)
    codes, classes = _labeled(labels, len(there))
    notes = misaligned_note(there, before)
    return warn_notes(mean_of_moves(moves(there, before), codes, classes, notes))


def needless_movement(
    map_: AnyArray,
    previous_map: AnyArray,
    kept: KeptNeighbors | AnyArray,
    labels: AnyArray | None = None,
) -> Transition:
    """Needless movement: how far the samples move whose neighborhoods changed least.

    The mean displacement, in radii of the map, of the quarter of the samples that kept the largest
    share of their neighbors. From 0 up, lower is better: where nothing changed in the data, nothing
    should move on the map. About 1.3 for unrelated maps.

    Parameters
    ----------
    map_ : array-like (n_samples, n_components)
        The map of a layer.
    previous_map : array-like (n_samples, n_components)
        That of the layer before, aligned with it, of the same samples in the same order.
    kept : KeptNeighbors or array-like (n_samples,)
        The share of its neighbors that each sample kept, in [0, 1]: `kept_neighbors`.
    labels : array-like (n_samples,), optional
        The class of each sample, for ``per_class``: of the quarter of each class.

    Returns
    -------
    Transition
        ``value``, ``per_point``, which is NaN for samples that do not count, ``per_class`` and
        ``classes``.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN, infinite or out of its range.
    UndefinedMeasureError
        If all points of the map coincide.

    See Also
    --------
    displacement : Of all samples.
    movement_correlation : Whether those move that changed.

    Notes
    -----
    Samples with the same share as the last of the quarter count alike, for what is left of it.

    Examples
    --------
    >>> from unknot.metrics import needless_movement
    >>> map_ = [[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]]
    >>> before = [[0.0, 1.5], [0.0, 0.0], [2.0, 0.0], [-3.0, 0.0]]
    >>> needless_movement(map_, before, [0.9, 0.2, 0.2, 0.1]).value
    0.5
    """
    there, before = _maps(map_, previous_map)
    shares = _shares(kept, len(there))
    codes, classes = _labeled(labels, len(there))
    notes = misaligned_note(there, before)
    return warn_notes(mean_of_needless(moves(there, before), shares, codes, classes, notes))


def movement_correlation(
    map_: AnyArray,
    previous_map: AnyArray,
    kept: KeptNeighbors | AnyArray,
    labels: AnyArray | None = None,
) -> Transition:
    """Movement correlation: whether those samples move whose neighborhoods change.

    Spearman's rank correlation of the displacement on the map with the share of neighbors that a
    sample did not keep. In [-1, 1], higher is better: 1 if the map moves samples in the order in
    which the data changed, 0 if movement has nothing to do with it.

    Parameters
    ----------
    map_ : array-like (n_samples, n_components)
        The map of a layer.
    previous_map : array-like (n_samples, n_components)
        That of the layer before, aligned with it, of the same samples in the same order.
    kept : KeptNeighbors or array-like (n_samples,)
        The share of its neighbors that each sample kept, in [0, 1]: `kept_neighbors`.
    labels : array-like (n_samples,), optional
        The class of each sample, for ``per_class``: the correlation within each class.

    Returns
    -------
    Transition
        ``value``; ``per_point``, the products of both standardized ranks, whose mean is the value;
        ``per_class`` and ``classes``.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN, infinite or out of its range.
    UndefinedMeasureError
        If there are fewer than three samples, or all move alike or change alike.

    See Also
    --------
    needless_movement : How far those move that did not change.

    References
    ----------
    [Spearman1904]_; of the changes of a sequence of maps [Vernier2020]_, with the distance moved in
    the data in place of the share of neighbors, which layers of any width have.

    Examples
    --------
    >>> from unknot.metrics import movement_correlation
    >>> map_ = [[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]]
    >>> before = [[0.0, 1.5], [0.0, 0.0], [2.0, 0.0], [-3.0, 0.0]]
    >>> round(movement_correlation(map_, before, [0.9, 0.5, 0.2, 0.1]).value, 3)
    0.949
    """
    there, before = _maps(map_, previous_map)
    shares = _shares(kept, len(there))
    codes, classes = _labeled(labels, len(there))
    notes = misaligned_note(there, before)
    return warn_notes(correlation_of_moves(moves(there, before), shares, codes, classes, notes))


def check_previous(previous: Any, n_samples: int, metric: str, map_: Array | None) -> None:
    """Raise an error if what is known of the layer before does not fit the layer.

    Raises
    ------
    TypeError
        If it is no `Previous`.
    ValueError
        If it has other samples, another metric, or a map of other dimensions.
    """
    if not isinstance(previous, Previous):
        raise TypeError(
            "previous must be an unknot.metrics.Previous, of a graph and a map; got "
            f"{type(previous).__name__}"
        )
    graph = previous.graph
    if len(graph.indices) != n_samples:
        raise ValueError(
            f"previous must hold the same {n_samples} samples; its graph holds {len(graph.indices)}"
        )
    if graph.metric != metric and graph.metric in ("euclidean", "cosine"):
        raise ValueError(
            f"previous: its graph must be of the metric {metric!r}; got one of {graph.metric!r}. "
            f"Pass metric={graph.metric!r}, or compute it with nearest_neighbors(points_before, "
            f"40, {metric!r})"
        )
    if previous.map is not None and map_ is not None and previous.map.shape != map_.shape:
        raise ValueError(
            f"previous: its map must have the shape of map, {map_.shape}; got {previous.map.shape}"
        )


def _maps(map_: AnyArray, previous_map: AnyArray) -> tuple[Array, Array]:
    there = as_points(map_, name="map_").astype(np.float64)
    before = as_points(previous_map, name="previous_map").astype(np.float64)
    if there.shape != before.shape:
        raise ValueError(
            "map_ and previous_map must hold the same samples and have as many components; got "
            f"the shapes {there.shape} and {before.shape}"
        )
    return there, before


def _shares(kept: KeptNeighbors | AnyArray, n_samples: int) -> Array:
    given = kept.per_point if isinstance(kept, KeptNeighbors) else kept
    shares: Array = as_numbers(given, "kept").astype(np.float64)
    if shares.shape != (n_samples,):
        raise ValueError(
            f"kept must have the shape ({n_samples},), one share for each sample; got "
            f"{shares.shape}"
        )
    if not ((shares >= 0.0) & (shares <= 1.0)).all():
        row = int(np.argmin((shares >= 0.0) & (shares <= 1.0)))
        raise ValueError(
            f"kept must be from 0 to 1; sample {row} has {shares[row]}. Pass the result of "
            "kept_neighbors"
        )
    return shares


def _labeled(labels: AnyArray | None, n_samples: int) -> tuple[Array | None, Array | None]:
    return (None, None) if labels is None else check_labels(labels, n_samples)
