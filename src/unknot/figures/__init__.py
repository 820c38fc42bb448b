"""Figures of publication quality: maps, learning curves, mistakes.

Every function returns a matplotlib figure that belongs to no global state, in a look of its own
that does not depend on the user's settings and does not change them. `save_figure` writes it.
"""

from ._save import save_figure
from ._shapes import draw_ellipses, draw_hulls, draw_points
from .curves import learning_curves
from .images import wrong_images
from .maps import compare_maps, lab_panel

__all__ = [
    "compare_maps",
    "draw_ellipses",
    "draw_hulls",
    "draw_points",
    "lab_panel",
    "learning_curves",
    "save_figure",
    "wrong_images",
]
