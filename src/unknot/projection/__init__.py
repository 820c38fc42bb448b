"""Maps: representations projected to two dimensions, by PCA and t-SNE."""

from ._pca import PCA
from ._tsne import TSNE

__all__ = ["PCA", "TSNE"]
