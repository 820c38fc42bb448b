"""Maps of layers that a person can follow: each started from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .._io.stored_points import StoredPoints, opened
from .._parallel.n_jobs import resolve_n_jobs
from .._typing import Array, Float64, Map
from .._validation.arrays import as_numbers
from .._validation.points import scale_free
from ..neighbors import NeighborGraph
from ._alignment import align_map, displacement, radius_of
from ._start import SPREAD, starting_map
from ._tsne import TSNE

# The standard deviation, along its wider axis, with which a map goes on from the one before. With
# that of a finished map, neighbors that must meet do not: KL is 4 % higher on LeNet's layers.
_GOING_ON = 1.0
# If more than this share of a layer's neighbors are far apart on the map before, the descent could
# not bring them together without exaggeration. Between successive layers of LeNet it is up to
# 0.046; from the map of a network's output back to its input 0.13; on a random map 0.6.
_FAR_SHARE = 0.08


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The map of a layer, and how it came from that of the layer before.

    Attributes
    ----------
    map_ : ndarray of shape (n_samples, n_components), float32
        Aligned with the map before.
    kl_divergence : float
        As `TSNE.kl_divergence_`.
    n_iter : int
        Iterations run.
    start : {"points", "random", "previous", "previous, exaggerated"}
        What the descent started from. "previous, exaggerated": the map before did not fit this
        layer's neighbors, so that they had to be gathered first.
    displacement : float or None
        The mean distance of a sample from its place on the map before, in units of this map's
        radius (root mean square); None without a map before.
    n_copies_left_out : int
        As `TSNE.n_copies_left_out_`.
    """

    map_: Map
    kl_divergence: float
    n_iter: int
    start: str
    displacement: float | None
    n_copies_left_out: int = 0


def map_after(
    graph: NeighborGraph,
    previous: ArrayLike | None = None,
    *,
    points: Any = None,
    **settings: Any,
) -> LayerMap:
    """Find the t-SNE map of a layer that a person can follow from the map of the layer before.

    The descent goes on from the previous map, and ends turned onto it (`align_map`). Its start has
    the previous map's form, with standard deviation 1, and there is no early exaggeration, which
    would take that form apart. Where the previous map does not fit the layer (more than 8 % of its
    neighbors are farther apart there than the map's radius), the start is scaled down to the
    usual 1e-4 instead and exaggerated as ever. Either way the KL divergence is that of an
    independent run to within 2 %; on LeNet's layers it is lower.

    Parameters
    ----------
    graph : NeighborGraph
        The layer's nearest neighbors, three times the perplexity for each sample.
    previous : array-like (n_samples, n_components), optional
        The map of the layer before. None, or one whose points are all equal: an independent run.
    points : array-like (n_samples, n_features), optional
        The layer's points, whose principal components an independent run starts from; without
        them it starts at random. They may lie on disk: then, if they do not fit into 256 MB, the
        components are those of some of them, evenly spaced.
    **settings
        Parameters of `TSNE`: perplexity, max_iter, random_state, ...

    Raises
    ------
    TypeError, ValueError
        If the previous map or the points are not of the graph's samples, or as for `TSNE`.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.projection import map_after
    >>> points = np.repeat(np.eye(3), 20, axis=0) + np.arange(60)[:, None] / 1000
    >>> graph = unknot.nearest_neighbors(points, n_neighbors=15)
    >>> first = map_after(graph, points=points, perplexity=5, random_state=0)
    >>> second = map_after(graph, first.map_, perplexity=5, random_state=0)
    >>> first.start, second.start, second.displacement < 0.2
    ('points', 'previous', True)
    """
    for name in ("init", "metric"):
        if name in settings:
            raise TypeError(f"map_after chooses {name} itself; got {name}={settings[name]!r}")
    tsne = TSNE(metric="precomputed", **settings)
    before = _check_previous(previous, graph, int(tsne.n_components))
    if before is None:
        if points is None:
            return _independent(tsne.set_params(init="random"), graph, "random")
        points = opened(points)
        if not isinstance(points, StoredPoints):
            numbers = as_numbers(points, "points")
            points = scale_free(numbers.reshape(len(numbers), -1) if numbers.ndim else numbers)
        if len(points) != graph.n_samples:
            raise ValueError(
                f"points must be the {graph.n_samples} samples of graph; got {len(points)}"
            )
        random = check_random_state(tsne.random_state)
        start = starting_map(
            "pca",
            points,
            graph.n_samples,
            int(tsne.n_components),
            random,
            resolve_n_jobs(tsne.n_jobs),
        )
        return _independent(tsne.set_params(init=start), graph, "points")
    fits = _far_share(before, graph) <= _FAR_SHARE
    spread = _GOING_ON if fits else SPREAD
    noise = check_random_state(tsne.random_state).standard_normal(before.shape)
    # A map on a line would stay there, and equal points together, but for a little noise.
    start = spread * (before + 0.01 * noise)
    tsne.set_params(init=start.astype(np.float32))
    if fits:
        tsne.set_params(early_exaggeration_iter=0)
    tsne._fit(graph)
    map_ = align_map(tsne.embedding_, previous)  # type: ignore[arg-type]
    return LayerMap(
        map_,
        tsne.kl_divergence_,
        tsne.n_iter_,
        "previous" if fits else "previous, exaggerated",
        displacement(map_, previous),  # type: ignore[arg-type]
        tsne.n_copies_left_out_,
    )


def map_layers(
    graphs: Mapping[str, NeighborGraph | None],
    *,
    points: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[tuple[str, LayerMap | None]]:
    """Find the maps of layers one after another, each from the one before, by `map_after`.

    Parameters
    ----------
    graphs : mapping of str to NeighborGraph or None
        The name of each layer, in order, and its neighbors. A layer with None, such as one that
        is dead, has no map, and the next goes on from the last map there is.
    points : mapping of str to array-like, optional
        The points of at least the first layer that has a graph.
    **settings
        Parameters of `TSNE`.

    Yields
    ------
    (str, LayerMap or None)
        Each layer's name and map, when it is done.
    """
    previous: Map | None = None
    for name, graph in graphs.items():
        if graph is None:
            yield name, None
            continue
        found = map_after(graph, previous, points=(points or {}).get(name), **settings)
        previous = found.map_
        yield name, found


def _independent(tsne: TSNE, graph: NeighborGraph, start: str) -> LayerMap:
    tsne._fit(graph)
    return LayerMap(
        tsne.embedding_,
        tsne.kl_divergence_,
        tsne.n_iter_,
        start,
        None,
        tsne.n_copies_left_out_,
    )


def _check_previous(
    previous: ArrayLike | None, graph: NeighborGraph, n_components: int
) -> Float64[Array, "samples components"] | None:
    """Return the previous map, centered, its wider axis of deviation 1; None if it is a point."""
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
    """Return the share of neighbors that are farther apart on a map than its radius."""
    limit = radius_of(map_) ** 2
    far = 0
    for column in graph.indices.T:
        far += int((np.square(map_ - map_[column]).sum(axis=1) > limit).sum())
    return far / graph.indices.size
