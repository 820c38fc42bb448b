"""Measures of how untangled labelled points are; every one is a function, one family a module."""

from ._results import MeasureWarning, Result
from .neighborhood import NeighborhoodHit, neighborhood_hit
from .shapes import ConvexHulls, Ellipses, best_ellipses, convex_hulls, peeled_hulls

__all__ = [
    "ConvexHulls",
    "Ellipses",
    "MeasureWarning",
    "NeighborhoodHit",
    "Result",
    "best_ellipses",
    "convex_hulls",
    "neighborhood_hit",
    "peeled_hulls",
]
