"""Preprocessing of points before they are compared: named steps, or functions."""

from .callables import identity_of, name_of
from .fit import preprocess_points
from .steps import Step, as_steps, described, identified

__all__ = [
    "Step",
    "as_steps",
    "described",
    "identified",
    "identity_of",
    "name_of",
    "preprocess_points",
]
