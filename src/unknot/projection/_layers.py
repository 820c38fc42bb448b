"""Maps of successive layers that can be followed, each started from the previous one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._io.stored_points import StoredPoints, opened
from .._io.transformed import unit_stored
from .._parallel.n_jobs import resolve_n_jobs
from .._typing import Array, Float64, Map
from .._validation.arrays import as_numbers
from .._validation.points import scale_free
from ..neighbors import METRICS, NeighborGraph, SearchSpace
from ._alignment import align_map, displacement, radius_of
from ._coupled import ITERATIONS, Accept, Computed, CoupledMaps, Key
from ._estimators import random_of
from ._problem import Problem
from ._refinement import COHERENCE, check_coherence, shelf_of
from ._start import SPREAD, starting_map
from ._tsne import TSNE

# The standard deviation, along its wider axis, to which the previous map is scaled for a start.
# Unscaled, some neighbors never meet: the KL divergence is 4 % higher on LeNet's layers.
_START_SPREAD = 1.0
# If more than this share of a layer's neighbors are far apart on the previous map, the descent
# cannot bring them together without exaggeration. Between successive layers of LeNet the share is
# at most 0.046; from the map of a network's output to its input 0.13; on a random map 0.6.
_FAR_SHARE = 0.08


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The map of a layer, and how it was computed.

    Attributes
    ----------
    map_ : ndarray of shape (n_samples, n_components), float32
        The map, aligned with the previous one.
    kl_divergence : float
        As `TSNE.kl_divergence_`.
    n_iter : int
        Number of iterations run.
    start : {"points", "random", "previous", "previous, exaggerated"}
        The initial map. "previous, exaggerated": the previous map did not fit this layer's
        neighbors, so that it was scaled down and exaggerated.
    displacement : float or None
        The mean distance of a sample from its position on the previous map, in units of this map's
        radius (see `displacement`); None without a previous map.
    n_copies_left_out : int
        As `TSNE.n_copies_left_out_`.
    coherence : float
        The coupling with the maps beside it that was used; see `refine_maps`.
    note : str
        Why it is weaker than asked for; else empty.

    See Also
    --------
    map_after, map_layers : Compute such maps.
    """

    map_: Map
    kl_divergence: float
    n_iter: int
    start: str
    displacement: float | None
    n_copies_left_out: int = 0
    coherence: float = 0.0
    note: str = ""


def map_after(
    graph: NeighborGraph,
    previous: ArrayLike | None = None,
    *,
    points: Any = None,
    metric: str | None = None,
    **settings: Any,
) -> LayerMap:
    """Compute the t-SNE map of a layer so that it can be followed from the previous layer's map.

    The descent starts from the previous map, and the result is aligned with it (`align_map`). The
    start is the previous map scaled to standard deviation 1, without early exaggeration, which
    would destroy its shape. If the previous map does not fit the layer (more than 8 % of the
    layer's neighbors are farther apart there than the map's radius), the start is scaled down to
    the usual 1e-4 and exaggerated instead. In both cases the KL divergence is within 2 % of an
    independent run's; on LeNet's layers it is lower, after 225 iterations.

    Parameters
    ----------
    graph : NeighborGraph
        The layer's nearest neighbors, three times the perplexity for each sample.
    previous : array-like of shape (n_samples, n_components), optional
        The map of the previous layer. If None, or if all its points are equal, the map is
        independent.
    points : array-like of shape (n_samples, n_features), optional
        The layer's points. An independent map starts from their principal components; without them,
        at random. They may be an array on disk; if it exceeds 256 MB, the components are those of
        an evenly spaced subset. For a graph of the cosine they are those of the points scaled to
        length 1.
    metric : {"euclidean", "cosine"}, optional
        The metric of the graph, which must have been computed with it; by default that of the
        graph.
    **settings
        Parameters of `TSNE`, such as ``perplexity``, ``max_iter`` and ``random_state``, except
        ``init``. ``n_jobs=None`` means every core (in scikit-learn, one).

    Returns
    -------
    LayerMap
        The map, its divergence, and its displacement from the previous map.

    Raises
    ------
    TypeError, ValueError
        If the previous map or the points do not match the graph's samples, the graph has another
        metric, or as for `TSNE`.

    See Also
    --------
    map_layers : Do this for a sequence of layers.
    align_map : Align independent maps.
    nearest_neighbors : Compute the graph.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.projection import map_after
    >>> points = np.repeat(np.eye(3), 20, axis=0) + np.arange(60)[:, None] / 1000
    >>> graph = unknot.nearest_neighbors(points, n_neighbors=15)
    >>> first = map_after(graph, points=points, perplexity=5, random_state=0)
    >>> second = map_after(graph, first.map_, perplexity=5, random_state=0)
    >>> first.start, second.start, second.displacement < 0.3
    ('points', 'previous', True)
    """
    return _map_after(graph, previous, points, metric, settings)[0]


def map_layers(
    graphs: Mapping[str, NeighborGraph | None],
    *,
    points: Mapping[str, Any] | None = None,
    metric: str | None = None,
    coherence: float = COHERENCE,
    accept: Accept | None = None,
    **settings: Any,
) -> Iterator[tuple[str, LayerMap | None]]:
    """Compute the maps of successive layers, each started from the previous one (`map_after`).

    Then they are refined together (`refine_maps`), so that what moves from map to map is what
    changed from layer to layer.

    Parameters
    ----------
    graphs : mapping of str to NeighborGraph or None
        The neighbors of each layer, by name, in order. A layer with None, such as a dead one, has
        no map; the next layer starts from the last map before it.
    points : mapping of str to array-like, optional
        The points of layers by name. Only those of the first layer with a graph are used, for its
        start.
    metric : {"euclidean", "cosine"}, optional
        The metric of all graphs, as for `map_after`.
    coherence : float, default=0.1
        The strength of the coupling of maps that follow one another, from 0 to 1. With 0 each map
        depends on those before it alone, and is yielded as soon as it is computed.
    accept : callable, optional
        Refuses maps that the coupling changed too much, as for `refine_maps`.
    **settings
        Parameters of `TSNE`, as for `map_after`.

    Yields
    ------
    (str, LayerMap or None)
        Each layer's name and map.

    See Also
    --------
    map_after : One layer.
    refine_maps : Refines maps that were computed before, also those of several epochs.
    unknot.study : Extract, map and measure all layers of a model.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.projection import map_layers
    >>> points = np.repeat(np.eye(3), 20, axis=0) + np.arange(60)[:, None] / 1000
    >>> graph = unknot.nearest_neighbors(points, n_neighbors=15)
    >>> layers = {"input": graph, "dead": None, "output": graph}
    >>> maps = dict(map_layers(layers, points={"input": points}, perplexity=5, random_state=0))
    >>> maps["input"].start, maps["dead"], maps["output"].start
    ('points', None, 'previous')
    """
    check_coherence(coherence)
    if coherence == 0.0:
        for name, layer, _ in _one_after_another(graphs, points or {}, metric, settings):
            yield name, layer
        return
    layers: dict[str, LayerMap | None] = {}
    computed: dict[Key, Computed] = {}
    with ExitStack() as stack:
        shelf = shelf_of(None, stack)
        for name, layer, problem in _one_after_another(graphs, points or {}, metric, settings):
            layers[name] = layer
            if layer is not None and problem is not None:
                computed[0, name] = Computed(layer.kl_divergence, shelf.put(problem))
        maps = {name: None if layer is None else layer.map_ for name, layer in layers.items()}
        together = CoupledMaps(coherence, settings, shelf, stack)
        together.add([graphs], [maps], computed=computed)
        (refined,) = together.run(accept)
    previous: Map | None = None
    for name, layer in layers.items():
        if layer is None:
            yield name, None
            continue
        new = refined[name]
        assert new is not None
        yield (
            name,
            replace(
                layer,
                map_=new.map_,
                kl_divergence=new.kl_divergence,
                n_iter=layer.n_iter + (ITERATIONS if new.coherence else 0),
                displacement=None if previous is None else displacement(new.map_, previous),
                coherence=new.coherence,
                note=new.note,
            ),
        )
        previous = new.map_


def _map_after(
    graph: NeighborGraph,
    previous: ArrayLike | None,
    points: Any,
    metric: str | None,
    settings: Mapping[str, Any],
) -> tuple[LayerMap, Problem]:
    """Return the map, and what its descent started from."""
    if "init" in settings:
        raise TypeError(
            f"map_after does not accept init, which it sets itself; got init={settings['init']!r}"
        )
    _check_metric(metric, graph)
    tsne = TSNE(metric="precomputed", **settings)
    before = _check_previous(previous, graph, int(tsne.n_components))
    if before is None:
        if points is None:
            tsne.init = "random"
            return _independent(tsne, graph, "random")
        points = opened(points)
        if not isinstance(points, StoredPoints):
            numbers = as_numbers(points, "points")
            points = numbers.reshape(len(numbers), -1) if numbers.ndim else numbers
            if graph.metric == "cosine":
                points = SearchSpace.of(points, "cosine").points
            else:
                points = scale_free(points)
        elif graph.metric == "cosine":
            points = unit_stored(points)[0]
        if len(points) != graph.n_samples:
            raise ValueError(
                f"points must be the {graph.n_samples} samples of graph; got {len(points)}"
            )
        random = random_of(tsne.random_state)
        start = starting_map(
            "pca",
            points,
            graph.n_samples,
            int(tsne.n_components),
            random,
            resolve_n_jobs(tsne.n_jobs),
        )
        # Not by set_params, for which scikit-learn would be imported: 100 MB in each worker.
        tsne.init = start
        return _independent(tsne, graph, "points")
    fits = _far_share(before, graph) <= _FAR_SHARE
    spread = _START_SPREAD if fits else SPREAD
    noise = random_of(tsne.random_state).standard_normal(before.shape)
    # Without a little noise, a map on a line would stay there, and equal points would not separate.
    start = spread * (before + 0.01 * noise)
    tsne.init = start.astype(np.float32)
    if fits:
        tsne.early_exaggeration_iter = 0
    problem = tsne._fit(graph)
    map_ = align_map(tsne.embedding_, previous)  # type: ignore[arg-type]
    layer = LayerMap(
        map_,
        tsne.kl_divergence_,
        tsne.n_iter_,
        "previous" if fits else "previous, exaggerated",
        displacement(map_, previous),  # type: ignore[arg-type]
        tsne.n_copies_left_out_,
    )
    return layer, problem


def _one_after_another(
    graphs: Mapping[str, NeighborGraph | None],
    points: Mapping[str, Any],
    metric: str | None,
    settings: Mapping[str, Any],
) -> Iterator[tuple[str, LayerMap | None, Problem | None]]:
    previous: Map | None = None
    for name, graph in graphs.items():
        if graph is None:
            yield name, None, None
            continue
        layer_map, problem = _map_after(graph, previous, points.get(name), metric, settings)
        previous = layer_map.map_
        yield name, layer_map, problem


def _check_metric(metric: str | None, graph: NeighborGraph) -> None:
    if metric is None:
        return
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(map(repr, METRICS))}; got {metric!r}")
    if metric != graph.metric:
        raise ValueError(
            f"graph must be of the metric {metric!r}; got one of {graph.metric!r}. Compute it with "
            f"nearest_neighbors(points, {graph.n_neighbors}, {metric!r})"
        )


def _independent(tsne: TSNE, graph: NeighborGraph, start: str) -> tuple[LayerMap, Problem]:
    problem = tsne._fit(graph)
    layer = LayerMap(
        tsne.embedding_,
        tsne.kl_divergence_,
        tsne.n_iter_,
        start,
        None,
        tsne.n_copies_left_out_,
    )
    return layer, problem


def _check_previous(
    previous: ArrayLike | None, graph: NeighborGraph, n_components: int
) -> Float64[Array, "samples components"] | None:
    """Return the previous map, centered, with standard deviation 1; None if it is one point."""
    if previous is None:
        return None
    checked = scale_free(previous, name="previous").astype(np.float64)
    if checked.shape != (graph.n_samples, n_components):
        raise ValueError(
            f"previous must be a map of the {graph.n_samples} samples of graph with {n_components} "
            f"components; got the shape {checked.shape}"
        )
    checked -= checked.mean(axis=0)
    width = float(checked.std(axis=0).max())
    return checked / width if width > 0 else None


def _far_share(map_: Float64[Array, "samples components"], graph: NeighborGraph) -> float:
    """Compute the share of neighbors that are farther apart on a map than its radius."""
    limit = radius_of(map_) ** 2
    far = 0
    for column in graph.indices.T:
        far += int((np.square(map_ - map_[column]).sum(axis=1) > limit).sum())
    return far / graph.indices.size
