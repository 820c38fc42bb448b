"""Points of many features, rotated into the few axes that they span."""

from __future__ import annotations

import numpy as np

from ..._typing import Array, Float64

# Features at a time in the products of all samples, in values.
VALUES = 2**24


def centered_unit(points: Array) -> Float64[Array, "samples features"]:
    """Return points centered and divided by their Frobenius norm; zeros if they all coincide."""
    found: Array = points - points.mean(axis=0, dtype=np.float64)
    if (points == points[0]).all():
        return np.zeros_like(found)
    # Squares of the largest float32 values do not overflow in float64.
    found /= np.linalg.norm(found)
    return found


def products_of(points: Float64[Array, "samples features"]) -> Float64[Array, "samples samples"]:
    """Return the inner products of all samples, a part of the features at a time."""
    n_samples, n_features = points.shape
    products = np.zeros((n_samples, n_samples))
    step = max(1, VALUES // n_samples)
    for start in range(0, n_features, step):
        part = points[:, start : start + step]
        products += part @ part.T
    return products


def rotated(points: Float64[Array, "samples features"]) -> Float64[Array, "samples axes"]:
    """Return the points with at most as many features as samples, and the same inner products.

    Singular values below 1e-7 of the largest are lost: they are of the square root of the matrix of
    inner products.
    """
    from scipy import linalg

    if points.shape[1] <= points.shape[0]:
        return points
    values, vectors = linalg.eigh(products_of(points), overwrite_a=True, check_finite=False)
    kept = values > 1e-14 * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def nuclear_norm(first: Array, second: Array) -> float:
    """Return the sum of the singular values of X'Y."""
    from scipy import linalg

    cross = first.T @ second
    return float(linalg.svdvals(cross, overwrite_a=True, check_finite=False).sum())
