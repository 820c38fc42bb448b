"""Payload entry of one layer: map, points, neighbors, shapes and scores."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array, Labels
from ..metrics import Score, Scores
from ..metrics.neighborhood import confusion_from_graph, hit_from_graph
from ..metrics.shapes import EllipseAxes, class_outlines, ellipse_axes
from ..neighbors import NeighborGraph, nearest_neighbors
from ..representations import describe_reduction
from ..studies import LayerStudy, MapDensity
from ._labelings import labeled_rows
from ._options import Options, rows_among
from ._packing import pack, pack_confusion, pack_map, pack_shares

_DEFAULT_K = 6  # of the Neighborhood Hit, for layers without scores
_PEELED_DEPTH = 0.95


def layer_entry(
    layer: LayerStudy,
    labels: Labels,
    n_classes: int,
    options: Options,
) -> dict[str, Any]:
    """Build the entry of a layer. A view of another layer has no data of its own.

    Scores, confusion and shapes are of all samples, maps and neighbors of those that are shown.

    Parameters
    ----------
    labels : ndarray of int64 (n_samples,)
        -1 where a sample is unlabeled: what is of classes is of the others alone.
    """
    entry: dict[str, Any] = {
        "name": str(layer.name),
        "kind": str(layer.kind),
        "shape": [int(size) for size in layer.shape],
        "sameAs": None if layer.same_as is None else str(layer.same_as),
        "notes": [str(note) for note in layer.notes],
        "reduction": describe_reduction(layer.reduction) if layer.reduction else None,
        "klDivergence": finite(layer.kl_divergence),
        **dict.fromkeys(("map", "hits", "mapHits", "neighbors", "confusion")),
        **dict.fromkeys(("hulls", "peeled", "ellipses")),
        "scores": {},
    }
    if layer.pool is not None:
        entry["pool"] = str(layer.pool)
    if layer.same_as is not None:
        return entry
    if layer.scores is not None:
        entry["scores"] = scores_entry(layer.scores, n_classes)
        entry["notes"] += [str(note) for note in layer.scores.notes if note not in entry["notes"]]
    labeled = labels >= 0
    present, codes = np.unique(labels[labeled], return_inverse=True)
    k = min(_hit_k(layer), max(int(labeled.sum()), 1) - 1)
    entry["hitK"] = k
    if layer.graph is not None:
        entry["neighbors"] = _neighbors_entry(layer.graph, options)
        graph = _among_labeled(layer.graph, labeled, k)
        if graph is not None and len(present):
            hits = hit_from_graph(graph, k, codes, present).per_point
            entry["hits"] = pack_shares(options.shown(_for_all(hits, labeled)))
            entry["confusion"] = _confusion_entry(graph, codes, present, n_classes, k)
    if layer.map is not None:
        map_ = checked_map(layer.map, layer.name, len(labels))
        entry["map"] = pack_map(options.shown(map_))
        if layer.density is not None:
            entry["density"] = _density_entry(layer.density, present, n_classes)
        if not len(present):
            return entry
        shown = map_[labeled]
        entry.update(_shapes_entry(shown.astype(np.float64), codes, present, n_classes))
        if k >= 1:
            # Those of points without a label have no place in a cache of all points.
            graphs = options.map_graphs if labeled.all() else {}
            map_graph = graphs.get(id(layer.map))
            if map_graph is None or map_graph.n_neighbors < k:
                # One more than is counted tells whether others are as near as the last.
                n_found = min(k + 1, len(shown) - 1)
                map_graph = nearest_neighbors(shown, n_found, n_jobs=options.n_jobs)
                graphs[id(layer.map)] = map_graph
            hits = hit_from_graph(map_graph, k, codes, present, shown).per_point
            entry["mapHits"] = pack_shares(options.shown(_for_all(hits, labeled)))
    return entry


def _density_entry(density: MapDensity, present: Array, n_classes: int) -> dict[str, Any]:
    """Build the entry of the density of all samples, without its empty cells."""
    size = density.counts.shape[1]
    flat = density.counts.reshape(len(density.counts), -1)
    # Classes that do not occur have no cells; the unlabeled are last.
    rows = [*present.tolist(), n_classes]
    lengths = np.zeros(n_classes + 1, dtype=np.int64)
    cells = [np.flatnonzero(own) for own in flat]
    for row, found in zip(rows, cells, strict=True):
        lengths[row] = len(found)
    x0, x1, y0, y1 = density.bounds
    return {
        "samples": density.n_samples,
        "size": size,
        "xRange": [x0, x1],
        "yRange": [y0, y1],
        "lengths": pack(lengths),
        "cells": pack(np.concatenate(cells)),
        "counts": pack(flat[flat > 0]),
    }


def _for_all(hits: Array, labeled: Array) -> Array:
    """Return shares of all points, 0 for the unlabeled, which the page does not show."""
    shares = np.zeros(len(labeled), dtype=hits.dtype)
    shares[labeled] = hits
    return shares


def _among_labeled(graph: NeighborGraph, labeled: Array, k: int) -> NeighborGraph | None:
    """Return the neighbors among labeled points alone; None if the graph holds too few."""
    if k < 1 or k > graph.n_neighbors:
        return None
    if labeled.all():
        return graph
    indices = labeled_rows(graph.indices, labeled, k)
    if indices is None:
        return None
    distances = np.zeros(indices.shape, dtype=np.float32)  # of which shares know nothing
    return NeighborGraph(indices.astype(graph.indices.dtype), distances, graph.metric, graph.recall)


def scores_entry(scores: Scores, n_classes: int) -> dict[str, Any]:
    """Build the scores of a layer, with the reason for each skipped measure."""
    class_codes = np.asarray(scores.classes).astype(np.int64)
    entry = {name: _score_entry(score, class_codes, n_classes) for name, score in scores.items()}
    for name, reason in scores.skipped.items():
        entry[name] = {
            **dict.fromkeys(("value", "interval", "null", "nullInterval", "perClass")),
            "reason": str(reason),
            "notes": [],
        }
    return entry


def checked_map(map_: Any, name: str, n_samples: int) -> Array:
    """Validate a map and return it as float32 (n_samples, 2).

    Raises
    ------
    ValueError
        If it has a different shape or non-finite values.
    """
    array = np.asarray(map_, dtype=np.float32)
    if array.shape != (n_samples, 2) or not np.isfinite(array).all():
        raise ValueError(
            f"the map of {name!r} must be finite and have the shape ({n_samples}, 2); "
            f"got {array.shape} with {int((~np.isfinite(array)).sum())} non-finite values"
        )
    return array


def finite(value: Any) -> float | None:
    """Return a float, or None for values that JSON cannot represent: NaN, infinity, None."""
    return float(value) if value is not None and math.isfinite(value) else None


def _hit_k(layer: LayerStudy) -> int:
    settings: Mapping[str, Any] = {} if layer.scores is None else layer.scores.settings
    return int(settings.get("k", _DEFAULT_K))


def _neighbors_entry(graph: NeighborGraph, options: Options) -> dict[str, Any] | None:
    """Build the nearest neighbors among the samples shown; the number of these where one lacks."""
    n_stored = min(options.n_neighbors, graph.n_neighbors)
    if not n_stored:
        return None
    indices = graph.indices[:, :n_stored]
    if options.points is not None:
        kept = np.zeros(len(graph.indices), dtype=bool)
        kept[options.points] = True
        indices = rows_among(graph.indices[options.points], kept, n_stored)
    return {"k": n_stored, "indices": pack(np.ascontiguousarray(indices).ravel())}


def _confusion_entry(
    graph: NeighborGraph, codes: Labels, present: Array, n_classes: int, k: int
) -> dict[str, Any]:
    table = np.zeros((n_classes, n_classes))
    table[np.ix_(present, present)] = confusion_from_graph(graph, k, codes, present).per_pair
    return dict(pack_confusion(table))


def _shapes_entry(
    map_: Array, codes: Labels, present: Array, n_classes: int
) -> dict[str, list[Any]]:
    """Build the hulls and ellipses of every class; empty for classes without points."""
    entry: dict[str, list[Any]] = {
        "hulls": [[] for _ in range(n_classes)],
        "peeled": [[] for _ in range(n_classes)],
        "ellipses": [None] * n_classes,
    }
    for name, depth in (("hulls", 1.0), ("peeled", _PEELED_DEPTH)):
        outlines = class_outlines(map_, codes, len(present), depth)
        for code, outline in zip(present, outlines, strict=True):
            entry[name][code] = [[[_rounded(x), _rounded(y)] for x, y in outline.tolist()]]
    ellipses = ellipse_axes(map_, codes, len(present))
    for index, code in enumerate(present):
        entry["ellipses"][code] = _ellipse(ellipses, index)
    return entry


def _ellipse(ellipses: EllipseAxes, index: int) -> dict[str, Any]:
    return {
        "center": [_rounded(value) for value in ellipses.means[index].tolist()],
        "axes": [_rounded(value) for value in ellipses.semi_axes[index].tolist()],
        "angle": _rounded(float(ellipses.angles[index])),
    }


def _score_entry(score: Score, class_codes: Array, n_classes: int) -> dict[str, Any]:
    value = finite(score.value)
    entry: dict[str, Any] = {
        "value": value,
        "interval": _bounds(score.interval),
        "null": finite(score.null),
        "nullInterval": _bounds(score.null_interval),
        "perClass": None,
        "notes": [str(note) for note in score.notes],
    }
    if score.n_samples is not None:
        entry["nSamples"] = score.n_samples
    if score.given_map and entry["interval"] is not None:
        entry["givenMap"] = True
    if value is None:
        entry["reason"] = f"it came out as {score.value}"
    if score.no_interval:
        entry["notes"].append(f"no interval: {score.no_interval}")
    if score.no_null:
        entry["notes"].append(f"no value by chance: {score.no_null}")
    if score.per_class is not None:
        per_class: list[float | None] = [None] * n_classes
        for code, class_value in zip(class_codes, score.per_class, strict=True):
            per_class[code] = finite(class_value)
        entry["perClass"] = per_class
    return entry


def _bounds(bounds: Any) -> list[float] | None:
    if bounds is None or not all(map(math.isfinite, bounds)):
        return None
    return [float(bound) for bound in bounds]


def _rounded(value: float) -> float:
    """Round to five significant digits, enough for any screen."""
    return float(f"{value:.5g}")
