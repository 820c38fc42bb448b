"""Figures of publication quality: maps, learning curves, mistakes, and measures.

Every function returns a matplotlib figure that belongs to no global state, in a look of its own
that does not depend on the user's settings and does not change them. `save_figure` writes it.
"""

from ._save import figure_bytes as figure_bytes
from ._save import save_figure
from ._shapes import draw_ellipses, draw_hulls, draw_points
from .bars import class_bars
from .curves import learning_curves
from .epochs import epoch_curves
from .heatmaps import confusion_heatmap, pair_heatmap
from .images import wrong_images
from .layers import layer_curves
from .maps import compare_maps, lab_panel
from .strip import layer_strip

__all__ = [
    "class_bars",
    "compare_maps",
    "confusion_heatmap",
    "draw_ellipses",
    "draw_hulls",
    "draw_points",
    "epoch_curves",
    "lab_panel",
    "layer_curves",
    "layer_strip",
    "learning_curves",
    "pair_heatmap",
    "save_figure",
    "wrong_images",
]
