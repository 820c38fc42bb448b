"""Compiling the kernels of maps, scores and figures while the networks are trained."""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress
from typing import Final

import numpy as np

from .._prebuilt.library import variants_of
from ..datasets import Split

# Enough for every kernel that a map of more samples calls.
MOST_SAMPLES: Final = 5000
# If these are cached, so are the others: the first and the last one of those that a run calls.
_SIGNS: Final = (
    ("unknot.neighbors._kernels_tiles", "offer"),
    ("unknot.metrics._shapes.kernels_shapes", "fill_flat_overlaps"),
)


def compile_in_background(split: Split) -> threading.Thread:
    """Start a thread that compiles what maps, scores and figures would wait for in a first run.

    It maps and measures some samples of the largest map, and keeps nothing but the cached kernels.
    A kernel that is needed while it is being compiled is waited for, and compiled once.
    """

    def compile_kernels() -> None:
        # Whatever goes wrong here goes wrong again where the kernels are needed, and is raised.
        with suppress(Exception):
            if not _are_compiled():
                _map_and_measure(split)

    thread = threading.Thread(target=compile_kernels, name="unknot-compiling", daemon=True)
    thread.start()
    return thread


def _are_compiled() -> bool:
    """Whether the wheel has brought the kernels, or an earlier run has cached them."""
    if variants_of(".".join(_SIGNS[0])):
        return True
    kernels = (getattr(importlib.import_module(module), name) for module, name in _SIGNS)
    return all(kernel._cache.has_kernels() for kernel in kernels)


def _map_and_measure(split: Split) -> None:
    from ..metrics import measure
    from ..neighbors import nearest_neighbors
    from ..projection import map_after

    n = min(MOST_SAMPLES, len(split))
    points = np.ascontiguousarray(split.inputs[:n].reshape(n, -1), dtype=np.float32)
    graph = nearest_neighbors(points, 90, n_jobs=1)
    first = map_after(graph, points=points, max_iter=250, n_jobs=1)
    # The hidden layers' maps begin from those before them.
    found = map_after(graph, first.map_, max_iter=250, n_jobs=1)
    measures = ["neighborhood_hit", "map_neighborhood_hit", "neighbor_confusion", "two_nn"]
    measures += ["silhouette", "linear_probe", "peeled_hulls", "convex_hulls"]
    labels = split.labels[:n]
    # Where many points are equally far from a point, the Neighborhood Hit looks at all of them.
    measure(np.round(points[:, :: max(1, points.shape[1] // 8)]), labels, measures=measures[:1])
    measure(
        points,
        labels,
        found.map_,
        measures,
        graph=graph,
        max_samples=100,
        n_resamples=2,
        n_permutations=2,
        n_jobs=1,
    )
