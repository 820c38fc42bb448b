"""Approximate inverse Hessians of logistic regression, one for all classes and folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._typing import Array
from .softmax import BLOCK_ROWS, FoldedSoftmax, split_rows

# With more features, the curvature is that of the points that have most of it.
MOST_FEATURES = 3000
MOST_ROWS = 2500
# Columns per task of a thread.
BLOCK_COLUMNS = 256
# Bounds the steps along directions with almost no curvature, relative to the mean over directions.
RIDGE = 1e-6


def curvature_of_points(probabilities: Array) -> Array:
    """Return p (1 - p) of each point, its mean over classifiers and classes (n_samples,)."""
    return np.asarray((probabilities * (1.0 - probabilities)).mean(axis=(0, 1), dtype=np.float64))


def preconditioner(model: FoldedSoftmax, curvature: Array) -> Callable[[Array], Array]:
    r"""Return a function that multiplies gradients by an approximate inverse Hessian.

    .. math:: \Big(\frac1n \sum_i c_i x_i x_i' + \lambda I\Big)^{-1}

    with c the curvature of each point. Blocks of the Hessian differ between classes and folds, and
    L-BFGS learns how; what they share makes the number of steps independent of the condition number
    of the covariance, and of how few points decide.
    """
    if model.x.shape[1] > MOST_FEATURES:
        return _of_few_points(model, curvature)
    return _of_all_points(model, curvature)


def _of_all_points(model: FoldedSoftmax, curvature: Array) -> Callable[[Array], Array]:
    from scipy.linalg import lapack

    n_samples, width = model.x.shape
    moments = np.zeros((width, width))
    columns = split_rows(width, BLOCK_COLUMNS)
    scale = (curvature / n_samples).astype(np.float32)

    def add(number: int) -> None:
        # Only the lower triangle of the symmetric matrix.
        own = columns[-1 - number]
        for rows in split_rows(n_samples, 4096):
            block = model.x[rows]
            weighted = block[:, own] * scale[rows, None]
            moments[own, : own.stop] += weighted.T @ block[:, : own.stop]

    model.team.run(add, len(columns))
    factor, _ = _factor(moments, float(model.decay.mean()) + RIDGE * np.trace(moments) / width)
    lower, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(lower).astype(np.float32)
    inverse += np.tril(inverse, -1).T

    def apply(gradient: Array) -> Array:
        flat = gradient.reshape(-1, width).astype(np.float32)
        out = np.empty(flat.shape)

        def multiply(number: int) -> None:
            out[:, columns[number]] = flat @ inverse[:, columns[number]]

        model.team.run(multiply, len(columns))
        return out.reshape(gradient.shape)

    return apply


def _of_few_points(model: FoldedSoftmax, curvature: Array) -> Callable[[Array], Array]:
    r"""Take the points of the largest curvature, by the Woodbury identity.

    .. math:: (A'A + \lambda I)^{-1} = (I - A' (A A' + \lambda I)^{-1} A) / \lambda
    """
    from scipy.linalg import lapack

    rows = _most_curved(curvature)
    # The others' curvature is shared out among them.
    total = max(float(curvature[rows].sum()), np.finfo(np.float64).tiny)
    weights = curvature[rows] * (curvature.sum() / total / len(curvature))
    a = model.x[rows] * np.sqrt(weights).astype(np.float32)[:, None]
    blocks = split_rows(len(a), BLOCK_COLUMNS)
    gram = np.zeros((len(a), len(a)))

    def multiply(number: int) -> None:
        # Only the lower triangle of the symmetric matrix.
        own = blocks[-1 - number]
        gram[own, : own.stop] = a[own] @ a[: own.stop].T

    model.team.run(multiply, len(blocks))
    ridge = float(model.decay.mean()) + RIDGE * np.trace(gram) / a.shape[1]
    factor, ridge = _factor(gram, ridge)
    factor = factor.astype(np.float32)
    columns = split_rows(a.shape[1], 4 * BLOCK_ROWS)

    def apply(gradient: Array) -> Array:
        flat = gradient.reshape(-1, a.shape[1]).astype(np.float32)
        parts = np.empty((len(blocks), BLOCK_COLUMNS, len(flat)), dtype=np.float32)

        def project(number: int) -> None:
            own = blocks[number]
            parts[number, : own.stop - own.start] = a[own] @ flat.T

        model.team.run(project, len(blocks))
        along, _ = lapack.spotrs(factor, parts.reshape(-1, len(flat))[: len(a)], lower=True)
        out = np.empty(flat.shape)

        def subtract(number: int) -> None:
            own = columns[number]
            out[:, own] = (flat[:, own] - along.T @ a[:, own]) / ridge

        model.team.run(subtract, len(columns))
        return out.reshape(gradient.shape)

    return apply


def _factor(matrix: Array, ridge: float) -> tuple[Array, float]:
    """Return the Cholesky factor of a matrix plus a ridge, and the ridge that this took.

    The matrix is a sum of float32 products, whose rounding may exceed the ridge.
    """
    from scipy.linalg import lapack

    while True:
        raised = matrix.copy()
        raised[np.diag_indices(len(matrix))] += ridge
        factor, failed = lapack.dpotrf(raised, lower=True, overwrite_a=True)
        if not failed:
            return factor, ridge
        ridge *= 10.0


def _most_curved(curvature: Array) -> Array:
    """Return the points of the largest curvature, ascending; of equal ones, every so many-th."""
    n_samples = len(curvature)
    if n_samples <= MOST_ROWS:
        return np.arange(n_samples)
    if np.ptp(curvature) <= 1e-6 * curvature.max():
        return np.arange(MOST_ROWS) * n_samples // MOST_ROWS
    return np.sort(np.argsort(-curvature, kind="stable")[:MOST_ROWS])
