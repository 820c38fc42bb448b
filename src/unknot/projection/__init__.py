"""Maps of representations in two dimensions, by PCA and t-SNE."""

from ._alignment import align_map, displacement
from ._coupled import RefinedMap
from ._landmarks import place_on_map as place_on_map  # for studies
from ._layers import LayerMap, map_after, map_layers
from ._pca import PCA
from ._refinement import COHERENCE as COHERENCE  # for studies
from ._refinement import check_coherence as check_coherence
from ._refinement import refine_maps
from ._tsne import TSNE

__all__ = [
    "PCA",
    "TSNE",
    "LayerMap",
    "RefinedMap",
    "align_map",
    "displacement",
    "map_after",
    "map_layers",
    "refine_maps",
]
