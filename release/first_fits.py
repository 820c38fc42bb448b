"""What a first fit may be: small, but with every kernel of it. Run by ``nox -s wheel``."""

import numpy as np

from unknot import PCA, TSNE, nearest_neighbors
from unknot.projection import _descent

random = np.random.default_rng(0)
centers = random.normal(size=(10, 30)) * 4
points = (centers[random.integers(0, 10, 3100)] + random.normal(size=(3100, 30))).astype("f4")


def tsne(**others: object) -> TSNE:
    """Return t-SNE of few iterations."""
    short = {"max_iter": 60, "early_exaggeration_iter": 20, "random_state": 0, "perplexity": 10}
    return TSNE(**(short | others))


# On the mesh, with the points sorted along a curve, as large ones are.
_descent.SORTED_FROM = len(points)
tsne().fit(points).transform(points[:70] + np.float32(0.01))
# Over all pairs, with copies of points.
few = points[:300].copy()
few[100:120] = few[:20]
for n_components in (2, 3):
    tsne(n_components=n_components).fit(few).transform(few[:10] + np.float32(0.01))
tsne(metric="cosine").fit(few)
nearest_neighbors(points, 15, exact=False)
PCA().fit_transform(points)
