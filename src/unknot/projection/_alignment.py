"""Procrustes alignment of maps, so that they can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._typing import Array, Float64, Map
from .._validation.points import BLURRED, as_points, loses_precision, placed

# Singular values below this share of the largest are rounding errors: the maps are degenerate.
_NEGLIGIBLE = 1e-9


def align_map(map_: ArrayLike, reference: ArrayLike, *, scale: bool = False) -> Map:
    """Rotate, reflect and translate a map to match a reference as closely as possible.

    Orthogonal Procrustes analysis [Schonemann1966]: the rotation or reflection R and translation t
    that minimize ``sum_i |y_i R + t - r_i|^2``. All distances within the map are preserved (to
    float32 rounding), and with them its KL divergence and every score.

    Parameters
    ----------
    map_ : array-like of shape (n_samples, n_components)
        The map to align.
    reference : array-like of shape (n_samples, n_components)
        Another map of the same samples, in the same order.
    scale : bool, default=False
        Also scale the map by one factor. Only the ratios of distances are then preserved. Use it
        for maps of different size, such as of PCA and t-SNE.

    Returns
    -------
    ndarray of shape (n_samples, n_components), float32
        The aligned map. If all its points are equal, they lie at the reference's center. Of several
        equally good transformations, one without reflection is chosen.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shapes differ, or a value is NaN or infinite.

    See Also
    --------
    displacement : How far samples moved between two aligned maps.
    map_after : A t-SNE started from, and aligned with, the map of the previous layer.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.projection import align_map
    >>> triangle = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    >>> turned = triangle @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 7
    >>> np.abs(align_map(turned, triangle)).round(3).tolist()
    [[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]]
    """
    from_, to = placed(map_, name="map_"), placed(reference, name="reference")
    moved = np.ldexp(from_.points.astype(np.float64), -from_.exponent)
    target = np.ldexp(to.points.astype(np.float64), -to.exponent)
    if moved.shape != target.shape:
        raise ValueError(
            "map_ and reference must hold the same samples and have as many components; "
            f"got the shapes {moved.shape} and {target.shape}"
        )
    center = target.mean(axis=0)
    moved -= moved.mean(axis=0)
    rotation, factor = _procrustes(moved, target - center)
    turned = (factor if scale else 1.0) * (moved @ rotation)
    if to.origin is not None:
        center = center + to.origin
        if loses_precision(turned + center, BLURRED):
            raise ValueError(
                "reference must lie near 0, as float32 loses digits far from it; its center is "
                f"at {', '.join(f'{value:.3g}' for value in center)}. Subtract it"
            )
    result: Map = (turned + center).astype(np.float32)
    return result


def _procrustes(
    moved: Float64[Array, "samples components"], target: Float64[Array, "samples components"]
) -> tuple[Float64[Array, "components components"], float]:
    """Compute the optimal rotation or reflection of centered points, and the optimal scale.

    With X'Y = U S V', R = U V' and the scale is tr S / |X|^2.
    """
    reach = float(np.abs(moved).max()), float(np.abs(target).max())
    if not min(reach):
        return np.eye(moved.shape[1]), 1.0
    # Scaled, so that no square overflows or underflows.
    u, values, vt = np.linalg.svd((moved / reach[0]).T @ (target / reach[1]))
    if values[-1] <= _NEGLIGIBLE * values[0] and np.linalg.det(u) * np.linalg.det(vt) < 0:
        u[:, -1] *= -1
    squares = float(np.square(moved / reach[0]).sum())
    return u @ vt, float(values.sum()) / squares * reach[1] / reach[0]


def displacement(map_: ArrayLike, previous: ArrayLike) -> float:
    """Compute how far samples moved between two maps, on average, in units of the map's radius.

    Align the maps first.

    Parameters
    ----------
    map_ : array-like of shape (n_samples, n_components)
        A map.
    previous : array-like of shape (n_samples, n_components)
        Another map of the same samples, in the same order.

    Returns
    -------
    float
        ``sum_i |y_i - y'_i| / (N r)``, where r, the radius of ``map_``, is the root mean square
        distance of its points from their center. 0 if nothing moved, about 1.3 for unrelated maps.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is NaN or infinite.

    See Also
    --------
    align_map : Align the maps.

    Examples
    --------
    >>> from unknot.projection import displacement
    >>> displacement([[0.0, 1.0], [0.0, -1.0]], [[0.5, 1.0], [0.5, -1.0]])
    0.5
    """
    there = as_points(map_, name="map_").astype(np.float64)
    before = as_points(previous, name="previous").astype(np.float64)
    if there.shape != before.shape:
        raise ValueError(
            "map_ and previous must hold the same samples and have as many components; "
            f"got the shapes {there.shape} and {before.shape}"
        )
    moved = np.sqrt(np.square(there - before).sum(axis=1)).mean()
    radius = radius_of(there)
    return float(moved / radius) if radius > 0 else 0.0


def radius_of(map_: Float64[Array, "samples components"]) -> float:
    """Return the root mean square distance of a map's points from their center."""
    return float(np.sqrt(np.square(map_ - map_.mean(axis=0)).sum(axis=1).mean()))
