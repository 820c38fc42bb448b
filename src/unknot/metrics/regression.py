"""Measures of points with a number each: how well neighbors, or a linear map, predict it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import Rows, StoredPoints
from .._parallel.thread_team import single_threaded_blas
from .._typing import AnyArray, Array, Float64
from .._validation.label_values import label_values
from .._validation.numbers import check_integer, random_generator
from ._shared.among import check_limit
from ._shared.metric import check_metric, in_metric
from ._shared.results import Result, UndefinedMeasureError, warn_notes
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
    from ._suite.inputs import Inputs, Space
else:  # importing it would import Numba
    NeighborGraph = Any

FAMILY = "regression"
N_FOLDS = 5
# Strengths of the ridge penalty, times the mean eigenvalue of the points' products.
PENALTIES = 10.0 ** np.arange(-6.0, 3.0)
# Features whose products are summed at a time, where there are more of them than points.
FEATURES_AT_ONCE = 4096
# Points and permutations for the null of the linear regression: its distribution is narrow.
NULL_SAMPLES = 500
NULL_RUNS = 20


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Regression(Result):
    """How well the numbers of points are predicted.

    Attributes
    ----------
    value : float
        The coefficient of determination R², at most 1; 0 is what the mean predicts.
    predictions : array of float64 (n_samples,)
        The number predicted for each point from others; NaN for points that were not used.
    influence : array of float64 (n_samples,)
        How the value changes, to first order, with the weight of each point.

    See Also
    --------
    neighborhood_r2, linear_r2 : Compute it.
    """

    predictions: Float64[Array, " samples"]
    influence: Float64[Array, " samples"]
    higher_is_better: bool | None = True


def neighborhood_r2(
    points: AnyArray,
    values: AnyArray,
    k: int = 6,
    *,
    metric: str = "euclidean",
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> Regression:
    r"""Neighborhood R²: how well the mean of a point's k nearest neighbors predicts its number.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}, \quad
              \hat y_i = \frac{1}{k} \sum_{j \in kNN(i)} y_j

    A point is never its own neighbor, so that every prediction is made without it. At most 1,
    higher is better; 0 is what the mean of all numbers predicts, and numbers at random give about
    -1/k.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    values : array-like (n_samples,)
        The number of each point, finite.
    k : int, default=6
        Number of neighbors, from 1 to n_samples - 1. Only compare values of the same k.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance between points.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least k of each.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Regression
        ``value``, ``predictions`` and ``influence``.

    Raises
    ------
    ValueError
        If there is not one finite number for each point, or k is not from 1 to n_samples - 1.
    UndefinedMeasureError
        If all numbers are the same.

    See Also
    --------
    linear_r2 : What a linear map predicts.
    neighborhood_hit : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import neighborhood_r2
    >>> x = np.linspace(0, 1, 101)
    >>> round(neighborhood_r2(x[:, None], x, k=2).value, 2)
    1.0
    """
    checked, _ = in_metric(points, check_metric(metric), min_samples=2)
    numbers = check_values(values, len(checked))
    found = check_graph(checked, k, graph, n_jobs, metric)
    return warn_notes(r2_from_graph(found, k, numbers))


def linear_r2(
    points: AnyArray,
    values: AnyArray,
    *,
    n_folds: int = N_FOLDS,
    max_samples: int | None = None,
    random_state: int | None = 0,
) -> Regression:
    r"""Linear R²: the cross-validated R² of ridge regression.

    Each fold is predicted by a linear map trained on the other folds, which minimizes

    .. math:: \sum_i (y_i - w^\top x_i - b)^2 + \lambda \|w\|^2

    The penalty is chosen, of nine from 1e-6 to 100 times the mean eigenvalue of the centered
    points' products, by the leave-one-out error among the training points. At most 1, higher is
    better; 0 is what the mean predicts, and numbers at random give slightly less.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    values : array-like (n_samples,)
        The number of each point, finite.
    n_folds : int, default=5
        Number of folds, from 2 to the number of points.
    max_samples : int, optional
        Train and test on a random sample of this many points; all by default. R² grows with the
        number of points, so only compare those of the same number.
    random_state : int or None, default=0
        Seed of the folds and of the sample. None draws differently each time.

    Returns
    -------
    Regression
        ``value``, ``predictions`` and ``influence``.

    Raises
    ------
    ValueError
        If there is not one finite number for each point.
    UndefinedMeasureError
        If all numbers are the same, or there are fewer than four points.

    See Also
    --------
    neighborhood_r2 : What nearest neighbors predict, which may be nonlinear.
    linear_probe : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import linear_r2
    >>> points = np.random.default_rng(0).normal(size=(200, 3))
    >>> round(linear_r2(points, points @ [1.0, 2.0, 3.0]).value, 3)
    1.0
    """
    checked, _ = in_metric(points, "euclidean", min_samples=2)
    numbers = check_values(values, len(checked))
    n_folds = check_integer(n_folds, "n_folds", 2, len(checked), f"from 2 to {len(checked)}")
    limit = check_limit(max_samples)
    return warn_notes(ridge_r2(checked, numbers, n_folds, limit, random_state))


def check_values(values: Any, n_samples: int, name: str = "values") -> Array:
    """Return one finite float64 for each of the samples."""
    taken = label_values(values, name)
    if taken.values.shape != (n_samples,):
        raise ValueError(
            f"{name} must hold one number for each of the {n_samples} samples; "
            f"got the shape {taken.values.shape}"
        )
    if missing := int(taken.missing.sum()):
        raise ValueError(
            f"{name} has {missing} missing values (NaN, None or NA); leave out those samples"
        )
    if taken.values.dtype.kind not in "biufO":
        raise TypeError(f"{name} must be numbers; got dtype {taken.values.dtype}")
    numbers = taken.values.astype(np.float64)
    if infinite := int(np.isinf(numbers).sum()):
        raise ValueError(f"{name} has {infinite} infinite values; leave out those samples")
    return np.asarray(numbers)


def takes_values(
    labels: Any, label_kind: str | None, names: tuple[str, ...] | None, own: tuple[Any, ...]
) -> bool:
    """Whether labels are numbers: as said, by the measures asked for, or by their fractions."""
    if label_kind not in (None, "classes", "values"):
        raise ValueError(f"label_kind must be 'classes' or 'values'; got {label_kind!r}")
    if label_kind is not None:
        return label_kind == "values"
    of_numbers = {FAMILY, "neighborhood_r2", "map_neighborhood_r2", "linear_r2"}
    if names and not own and of_numbers.issuperset(names):
        return True
    return are_values(labels)


def are_values(labels: Any) -> bool:
    """Whether labels are numbers with fractions, rather than classes."""
    taken = label_values(labels, "labels")
    present = taken.present
    if taken.values.ndim != 1 or taken.categories is not None:
        return False
    if present.dtype.kind == "O":
        kinds = set(map(type, present.tolist()))
        if not kinds or not all(issubclass(kind, int | float | np.number) for kind in kinds):
            return False
        present = present.astype(np.float64)
    if present.dtype.kind != "f":
        return False
    finite = present[np.isfinite(present)]
    return bool((finite != np.round(finite)).any())


def r2_from_graph(graph: Any, k: int, values: Array) -> Regression:
    """Compute the neighborhood R² from a graph with at least k neighbors."""
    neighbors = graph.indices[:, :k]
    around = values[neighbors]
    predicted = around.mean(axis=1)
    residuals = values - predicted
    # A point's weight acts on its own residual, and on the predictions it is part of.
    moved = -2.0 * residuals[:, None] * (around - predicted[:, None]) / k
    through = np.bincount(neighbors.ravel(), weights=moved.ravel(), minlength=len(values))
    return _regression(values, predicted, np.arange(len(values)), through, ())


def ridge_r2(
    points: Rows,
    values: Array,
    n_folds: int = N_FOLDS,
    max_samples: int | None = None,
    random_state: int | None = 0,
) -> Regression:
    """Compute the linear R² of checked points."""
    rng = random_generator(random_state)
    n_samples = len(values)
    rows, notes = np.arange(n_samples), tuple[str, ...]()
    if max_samples is not None and max_samples < n_samples:
        rows = np.sort(rng.choice(n_samples, size=max(4, max_samples), replace=False))
        notes = (
            f"the linear regression is trained and tested on {len(rows)} of {n_samples} points, a "
            "random sample; its R² would be higher with all of them",
        )
    if len(rows) < 4:
        raise UndefinedMeasureError(
            f"the linear regression trains and tests on different points: it needs at least four; "
            f"there are {len(rows)}"
        )
    folds = rng.permutation(np.arange(len(rows)) % min(n_folds, len(rows)))
    used = np.asarray(points[rows])
    predicted = _ridge_predictions(used, values[rows, None], folds)[:, 0]
    return _regression(values, predicted, rows, np.zeros(len(rows)), notes)


def _regression(
    values: Array, predicted: Array, rows: Array, through: Array, notes: tuple[str, ...]
) -> Regression:
    """Return R² with the influence of each point on it."""
    used = values[rows]
    scatter = np.square(used - used.mean())
    total = float(scatter.mean())
    if total == 0.0:
        raise UndefinedMeasureError("R² compares with the variance of the numbers, which is 0")
    errors = np.square(used - predicted)
    ratio = float(errors.mean()) / total
    moved = (errors + through - errors.mean()) - ratio * (scatter - total)
    n_samples = len(values)
    influence, of_all = np.zeros(n_samples), np.full(n_samples, np.nan)
    influence[rows] = -moved / total * (n_samples / len(rows))
    of_all[rows] = predicted
    return Regression(value=1.0 - ratio, predictions=of_all, influence=influence, notes=notes)


def _ridge_predictions(points: Array, values: Array, folds: Array) -> Array:
    """Predict each fold from the others, (n_samples, n_targets); a penalty for each target."""
    predicted = np.empty_like(values)
    origin = points.mean(axis=0, dtype=np.float64)
    dual = points.shape[1] > len(points)
    with single_threaded_blas():
        # Of more features than points only the products of points are needed.
        known = _gram(points, origin) if dual else points - origin
        for fold in range(int(folds.max()) + 1):
            test = folds == fold
            train = ~test
            level = values[train].mean(axis=0)
            if dual:
                found = _ridge_dual(known, train, test, values[train] - level)
            else:
                found = _ridge_primal(known[train], known[test], values[train] - level)
            predicted[test] = level + found
    return predicted


def _gram(points: Array, origin: Array) -> Array:
    """Return the products of all points, relative to an origin, a block of features at a time."""
    products = np.zeros((len(points), len(points)))
    for start in range(0, points.shape[1], FEATURES_AT_ONCE):
        part = slice(start, start + FEATURES_AT_ONCE)
        block = points[:, part] - origin[part]
        products += block @ block.T
    return products


def _ridge_dual(products: Array, train: Array, test: Array, targets: Array) -> Array:
    own, other = products[np.ix_(train, train)], products[np.ix_(test, train)]
    means = own.mean(axis=0)
    squares, left = _axes(own - means - means[:, None] + means.mean(), len(products))
    weights = _best_weights(squares, left, targets, min(len(own), len(products)))
    to_train = other - means - other.mean(axis=1, keepdims=True) + means.mean()
    return np.asarray(to_train @ (left @ (weights / np.sqrt(squares)[:, None])))


def _ridge_primal(train: Array, test: Array, targets: Array) -> Array:
    mean = train.mean(axis=0)
    centered = train - mean
    squares, axes = _axes(centered.T @ centered, len(train))
    left = centered @ (axes / np.sqrt(squares))
    weights = _best_weights(squares, left, targets, min(centered.shape))
    return np.asarray(((test - mean) @ axes) @ weights)


def _axes(products: Array, size: int) -> tuple[Array, Array]:
    """Return the eigenvalues and eigenvectors of products, without those of no variance."""
    squares, vectors = np.linalg.eigh(products)
    kept = squares > max(float(squares.max(initial=0.0)), 0.0) * 1e-12 * max(size, len(products))
    return squares[kept], vectors[:, kept]


def _best_weights(squares: Array, left: Array, targets: Array, rank: int) -> Array:
    """Return the weight of each axis, with the penalty of the least leave-one-out error."""
    projected = left.T @ targets
    best = np.full(targets.shape[1], np.inf)
    weights = np.zeros(projected.shape)
    for penalty in PENALTIES * (float(squares.sum()) / max(rank, 1)):
        shrunk = squares / (squares + penalty)
        residuals = targets - left @ (shrunk[:, None] * projected)
        leverages = np.square(left) @ shrunk + 1.0 / len(left)
        errors = np.square(residuals / np.maximum(1.0 - leverages, 1e-9)[:, None]).mean(axis=0)
        better = errors < best
        best[better] = errors[better]
        weights[:, better] = (np.sqrt(squares) / (squares + penalty))[:, None] * projected[
            :, better
        ]
    return weights


def neighborhood_null(inputs: Inputs, space: Space) -> Array:
    """Neighborhood R² of permuted numbers."""
    return np.array(
        [
            float(r2_from_graph(space.graph, inputs.k, permuted))
            for permuted in _permuted(inputs, inputs.settings["n_permutations"])
        ]
    )


def linear_null(inputs: Inputs, space: Space) -> Array:
    """Linear R² of permuted numbers, of a sample, all permutations together."""
    n_samples = len(inputs.codes)
    rng = np.random.default_rng([inputs.random_state, 4])
    n_used = min(NULL_SAMPLES, n_samples)
    rows = np.sort(rng.choice(n_samples, size=n_used, replace=False))
    assert inputs.values is not None
    used = inputs.values[rows]
    if float(used.var()) == 0.0:
        raise UndefinedMeasureError("the variance of the numbers is 0")
    runs = min(NULL_RUNS, inputs.settings["n_permutations"])
    permuted = np.stack([rng.permutation(used) for _ in range(runs)], axis=1)
    folds = rng.permutation(np.arange(n_used) % min(N_FOLDS, n_used))
    predicted = _ridge_predictions(np.asarray(space.points[rows]), permuted, folds)
    return np.asarray(1.0 - np.square(permuted - predicted).mean(axis=0) / used.var())


def _permuted(inputs: Inputs, runs: int) -> list[Array]:
    rng = np.random.default_rng([inputs.random_state, 2])
    assert inputs.values is not None
    return [rng.permutation(inputs.values) for _ in range(runs)]


def neighborhood_of(inputs: Inputs, space: Space) -> Result:
    """Compute the neighborhood R² of shared inputs."""
    assert inputs.values is not None
    return r2_from_graph(space.graph, inputs.k, inputs.values)


def linear_of(inputs: Inputs, space: Space) -> Result:
    """Compute the linear R² of shared inputs; of as many points as fit in memory."""
    assert inputs.values is not None
    limit = inputs.settings["probe_max_samples"]
    if isinstance(space.points, StoredPoints):
        fitting = max(4, space.points.rows_in(space.points.max_memory, itemsize=8))
        limit = fitting if limit is None else min(limit, fitting)
    return ridge_r2(space.points, inputs.values, N_FOLDS, limit, inputs.random_state)
