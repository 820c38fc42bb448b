"""What of a study goes into its page: which samples, and how many neighbors of each."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._typing import Array
from .._validation.numbers import check_integer
from ..neighbors import NeighborGraph
from ..studies import Study

MAX_POINTS = 100_000
# Neighbors that are stored by default: fewer where they would take more than so many bytes, and
# fewer than the fewest only where these would take more than most of a large page.
NEIGHBORS, _NEIGHBOR_BYTES = 8, 4_000_000
_FEWEST_NEIGHBORS, _MOST_NEIGHBOR_BYTES = 3, 16_000_000


class KeptMoments:
    """Entries of epochs of a page that grows, so that an update costs what is new.

    Attributes
    ----------
    studied : dict of int to object
        Of each epoch an object that is another one when the epoch was studied anew. Set it before
        each page; epochs that are not in it are built each time.
    """

    def __init__(self) -> None:
        self.studied: dict[int, Any] = {}
        self._entries: dict[tuple[Any, ...], tuple[Any, dict[str, Any]]] = {}

    def entry(
        self, epoch: int, options: tuple[Any, ...], build: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the entry of an epoch, built with these options, or else build it."""
        studied = self.studied.get(epoch)
        if studied is None:
            return build()
        known = self._entries.get((epoch, *options))
        if known is None or known[0] is not studied:
            known = self._entries[epoch, *options] = studied, build()
        return known[1]


@dataclass(frozen=True)
class Options:
    """What goes into a page.

    Attributes
    ----------
    n_neighbors : int
        Stored neighbors of each sample.
    n_jobs : int or None
        Number of threads.
    points : ndarray of int64, or None
        Sorted indices of the samples that the page shows; None for all.
    map_graphs : dict
        Neighbors on maps that were found before, by the map's identity.
    kept : KeptMoments
        Entries of epochs that were built before.
    """

    n_neighbors: int
    n_jobs: int | None = None
    points: Array | None = None
    map_graphs: dict[int, NeighborGraph] = field(default_factory=dict)
    kept: KeptMoments = field(default_factory=KeptMoments)

    def shown(self, values: Array) -> Array:
        """Return the rows of the samples that the page shows."""
        return values if self.points is None else np.asarray(values)[self.points]


def options_of(
    studies: Sequence[Study], n_neighbors: int | None, max_points: int | None, n_jobs: int | None
) -> Options:
    """Validate the arguments of a page, and draw its samples."""
    if n_neighbors is not None and n_neighbors < 0:
        raise ValueError(f"n_neighbors must be 0 or more; got {n_neighbors}")
    if max_points is not None:
        check_integer(max_points, "max_points", 1, bounds="of at least 1, or None for all")
    points = _drawn(studies[0], max_points)
    n_shown = len(studies[0].labels) if points is None else len(points)
    if n_neighbors is None:
        n_neighbors = _usual_neighbors(studies, n_shown)
    return Options(n_neighbors, n_jobs, points)


def _drawn(study: Study, max_points: int | None) -> Array | None:
    """Draw samples in proportion to their classes, the same ones each time.

    Samples are ordered by class, in random order within each, and taken at equal distances.
    """
    n_samples = len(study.labels)
    if max_points is None or n_samples <= max_points:
        return None
    shuffled = np.random.default_rng(0).permutation(n_samples)
    ordered = shuffled[np.argsort(study.labels[shuffled], kind="stable")]
    places = ((np.arange(max_points) + 0.5) * n_samples / max_points).astype(np.int64)
    return np.sort(ordered[places])


def _usual_neighbors(studies: Sequence[Study], n_shown: int) -> int:
    moments = [each for study in studies for each in (study, *(study.epochs or {}).values())]
    n_graphs = sum(layer.graph is not None for each in moments for layer in each.layers.values())
    width = 1 if n_shown < 2**8 else 2 if n_shown < 2**16 else 4
    bytes_of_one = math.ceil(n_graphs * n_shown * width * 4 / 3)  # in base64
    fewest = min(_FEWEST_NEIGHBORS, _MOST_NEIGHBOR_BYTES // max(1, bytes_of_one))
    return int(np.clip(_NEIGHBOR_BYTES // max(1, bytes_of_one), fewest, NEIGHBORS))


def rows_among(indices: Array, kept: Array, k: int) -> Array:
    """Return the first k kept neighbors of each row, numbered among the kept.

    Rows that hold fewer of them end in the number of kept points.

    Examples
    --------
    >>> import numpy as np
    >>> kept = np.array([True, False, True, True])
    >>> rows_among(np.array([[1, 2, 3], [1, 0, 1]]), kept, 2).tolist()
    [[1, 2], [0, 3]]
    """
    numbers = np.where(kept, np.cumsum(kept) - 1, int(kept.sum()))
    # A stable sort moves the kept to the front, nearest first.
    order = np.argsort(~kept[indices], axis=1, kind="stable")[:, :k]
    return np.asarray(numbers[np.take_along_axis(indices, order, axis=1)])
