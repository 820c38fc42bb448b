"""Stratified samples: points drawn from each class without replacement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._typing import Array, Int64


def draw_stratified(
    codes: Array, n_per_class: Sequence[int] | Array, random_state: int | None
) -> Int64[Array, " drawn"]:
    """Draw points of each class without replacement.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
        The class of each point, 0..C-1.
    n_per_class : sequence of int, length C
        How many points to draw of each class; at most as many as it has.
    random_state : int or None
        Seeds the draw; None draws differently each time.

    Returns
    -------
    ndarray of shape (n_drawn,), int64
        Indices of the points, ascending.
    """
    rng = np.random.default_rng(random_state)
    counts = np.bincount(codes, minlength=len(n_per_class))
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    drawn = [
        rng.choice(own, size=int(n), replace=False)
        for own, n in zip(members, n_per_class, strict=False)
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)
