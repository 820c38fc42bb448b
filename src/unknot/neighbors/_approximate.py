"""Approximate search for very many points."""

from __future__ import annotations

from .._typing import Array
from . import _exact


def search(
    points: Array, k: int, n_threads: int, *, half_square: bool
) -> tuple[Array, Array, float]:
    """Stand-in until measured."""
    return *_exact.search(points, k, n_threads, half_square=half_square), 1.0
