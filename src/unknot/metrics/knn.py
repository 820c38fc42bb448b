"""Accuracy of the k-nearest-neighbor classifier, each point predicted without itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float32, Float64
from .._validation.points import check_labels
from ._shared.intervals import sum_of_squares
from ._shared.many import TABLE_CLASSES
from ._shared.metric import check_metric, in_metric
from ._shared.results import ClassResult, format_names, warn_notes
from ._shared.ties import FEW, tied_neighbors
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# Votes counted at a time.
BLOCK_VOTES = 2**22
# Further neighbors that are tried in the place of one that votes, for its influence.
REPLACEMENTS = 6
# Shares of votes are equal that differ by less, relative to the largest.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class KNNAccuracy(ClassResult):
    """The leave-one-out accuracy of the k-nearest-neighbor classifier.

    Attributes
    ----------
    value : float
        Mean over the points, in [0, 1].
    k : int
        Number of neighbors that vote. Report it with the value, which depends on it.
    per_class : array of float64 (n_classes,)
        Mean over the points of each class.
    per_point : array of float32 (n_samples,)
        1 if most of the point's neighbors are of its class, 0 if most are of another, and 1/m if
        its class is one of m with the most votes.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    knn_accuracy : Computes it.
    """

    k: int
    per_point: Float32[Array, " samples"]
    higher_is_better: bool | None = True


def knn_accuracy(
    points: AnyArray,
    labels: AnyArray,
    k: int = 6,
    *,
    metric: str = "euclidean",
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> KNNAccuracy:
    r"""k-NN accuracy: how often the majority of a point's k nearest neighbors is of its own class.

    .. math:: A_k = \frac{1}{N} \sum_i
              \frac{[y_i \in \operatorname{argmax}_c v_{ic}]}{|\operatorname{argmax}_c v_{ic}|},
              \quad v_{ic} = |\{j \in kNN(i) : y_j = c\}|

    Each point is classified by all others (leave-one-out). Classes with equally many votes share
    the prediction: the value is the expected accuracy of a fair draw between them, and does not
    depend on the order of the points. In [0, 1], higher is better: random labels give about the
    fraction of the largest class, or less.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k : int, default=6
        Number of neighbors that vote, from 1 to n_samples - 1. Increase it for noisy labels;
        self-supervised learning often takes 20. Only compare values of the same k.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance by which neighbors are nearest.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least k of each; better k + 1, see
        `neighborhood_hit`.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    KNNAccuracy
        ``value``, ``per_class``, ``per_point``, ``k`` and ``classes``.

    Raises
    ------
    ValueError
        If k is not from 1 to n_samples - 1, or the graph has another number of points or too few
        neighbors.

    See Also
    --------
    neighborhood_hit : The fraction of neighbors of the class, not only whether it is the largest.
    linear_probe : Accuracy of hyperplanes.
    sklearn.neighbors.KNeighborsClassifier : The same classifier; gives ties to the first class.

    Notes
    -----
    Above the Neighborhood Hit wherever most neighbors are of the right class: a majority forgives
    the rest. So it saturates earlier.

    Where several points are as far as the k-th neighbor, as in rounded data, they share the votes
    that are left; above 256 classes, those in the graph vote.

    References
    ----------
    [Cover1967]_; as a probe of representations: [Caron2021]_.

    Examples
    --------
    Two groups of three points on a line; the last point has the other group's label. The neighbors
    of each point of the right-hand group are one of each class:

    >>> from unknot.metrics import knn_accuracy
    >>> points = [[0.0], [1.0], [2.5], [10.0], [11.0], [12.5]]
    >>> accuracy = knn_accuracy(points, ["a", "a", "a", "b", "b", "a"], k=2)
    >>> accuracy.per_point
    array([1. , 1. , 1. , 0.5, 0.5, 0. ], dtype=float32)
    >>> accuracy.value
    0.6666666666666666
    """
    found, _ = in_metric(points, check_metric(metric), min_samples=2)
    codes, classes = check_labels(labels, len(found))
    graph = check_graph(found, k, graph, n_jobs, metric, further=1)
    return warn_notes(knn_accuracy_from_graph(graph, k, codes, classes, found, n_jobs))


def knn_accuracy_from_graph(
    graph: NeighborGraph,
    k: int,
    codes: Array,
    classes: Array,
    points: Rows | None = None,
    n_jobs: int | None = None,
) -> KNNAccuracy:
    """Compute the accuracy of the majority of the first k neighbors; ties as `tied_neighbors`."""
    indices = graph.indices
    scores = np.empty(len(codes))
    small = codes.astype(np.int32)
    step = max(1, BLOCK_VOTES // k)
    for start in range(0, len(codes), step):
        rows = slice(start, start + step)
        scores[rows] = _majority_scores(small[indices[rows, :k]], small[rows])
    notes = []
    if 1 < len(classes) <= TABLE_CLASSES:
        tied = tied_neighbors(graph, k, codes, points, by_class=True, n_jobs=n_jobs)
        votes = tied.expected
        most = votes.max(axis=1, initial=0.0) * (1.0 - ROUNDING)
        mine = votes[np.arange(len(votes)), codes[tied.rows]]
        winners = np.maximum((votes >= most[:, None]).sum(axis=1), 1)
        scores[tied.rows] = (mine >= most) / winners
        if len(tied.rows) > FEW * len(codes):
            notes.append(
                f"{len(tied.rows)} of {len(codes)} points have more neighbors at the distance of "
                f"their k-th than k = {k} counts; these share the votes that are left"
            )
    counts = np.bincount(codes)
    if len(classes) == 1:
        notes.append(f"there is only one class ({classes[0]}): every neighbor is of that class")
    elif (counts == 1).any():
        single = counts == 1
        notes.append(
            f"{int(single.sum())} of {len(classes)} classes have one point, which has no neighbor "
            f"of its class and is always classified wrongly: {format_names(classes[single])}"
        )
    return KNNAccuracy(
        value=float(scores.mean()),
        k=k,
        per_class=np.bincount(codes, weights=scores) / counts,
        per_point=scores.astype(np.float32),
        classes=classes,
        notes=tuple(notes),
    )


def vote_influence(
    neighbors: Array, codes: Array, k: int, per_point: Array
) -> tuple[Float64[Array, " samples"], float]:
    r"""Return the influence of each point on the k-NN accuracy, and the accuracy's variance.

    A point has a score of its own, and changes those of the points it votes for: by s_i less what
    it is on average with the next neighbors in its place,

    .. math:: n \phi_j = s_j - A + \sum_{i : j \in N_k(i)} (s_i - \bar s_i^{(-j)}),
              \quad V = \sum_j \phi_j^2 - \sum_{i, j} (s_i - \bar s_i^{(-j)})^2 / n^2

    What a vote does to s_i is also in the variance of s_i itself, so it is taken off once.

    Parameters
    ----------
    neighbors : array of int (n_samples, K)
        The nearest neighbors, more than k of them; those beyond k take the places.
    per_point : array (n_samples,)
        The score s of each point; the accuracy A is their mean.
    """
    n = len(codes)
    own = codes.astype(np.int32)
    width = min(neighbors.shape[1], k + REPLACEMENTS)
    changes = np.zeros((n, k))
    step = max(1, BLOCK_VOTES // width)
    for start in range(0, n if width > k else 0, step):
        rows = np.arange(start, min(start + step, n))
        votes = own[neighbors[rows, :width]]
        # A vote that another one of its class replaces changes nothing.
        mixed = (votes != votes[:, :1]).any(axis=1)
        rows, votes = rows[mixed], votes[mixed]
        scores = _majority_scores(votes[:, :k], own[rows])
        for place in range(k):
            for further in range(k, width):
                replaced = votes[:, :k].copy()
                replaced[:, place] = votes[:, further]
                changes[rows, place] += scores - _majority_scores(replaced, own[rows])
    changes /= n * max(width - k, 1)
    through_votes = np.bincount(neighbors[:, :k].ravel(), weights=changes.ravel(), minlength=n)
    per_point = np.asarray(per_point, np.float64)
    influence = (per_point - per_point.mean()) / n + through_votes - through_votes.mean()
    both = sum_of_squares(influence)
    return influence, max(both - float(np.square(changes).sum()), 0.5 * both)


def _majority_scores(votes: Array, own: Array) -> Array:
    """Return 1/m for each row of votes whose own class is one of the m largest, otherwise 0."""
    n_rows, k = votes.shape
    mine = (votes == own[:, None]).sum(axis=1)
    # Equal votes form runs once sorted: the length of a run is the number of votes of its class.
    ordered = np.sort(votes, axis=1)
    begins = np.ones((n_rows, k), dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=n_rows * k)
    row = starts // k
    first_of_row = np.searchsorted(row, np.arange(n_rows))
    most = np.maximum.reduceat(lengths, first_of_row)
    winners = np.add.reduceat(lengths == most[row], first_of_row, dtype=np.int64)
    return np.where(mine == most, 1.0 / winners, 0.0)
