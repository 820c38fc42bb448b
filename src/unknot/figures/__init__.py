"""Publication-quality figures: maps, learning curves, misclassified images and measures.

Every plotting function returns a matplotlib figure that is not registered with pyplot. The style
is fixed: the user's rcParams are neither read nor changed. `save_figure` writes the figure.
For print, every function takes a ``width``; ``figure.caption`` holds what a caption should say.
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
from .similarities import similarity_heatmap
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
    "similarity_heatmap",
    "wrong_images",
]
