"""The definition of GLUE, draw by draw; the draws of a seed; and spheres with published values."""

import numpy as np
from scipy.optimize import nnls

from unknot.metrics._shared.dichotomies import draw_dichotomies, streams


def spheres(n_classes, n_points, n_features, n_axes, radius, correlation=0.0, noise=1e-2, seed=0):
    """Spheres about random centers: the published generator, as points and labels."""
    rng = np.random.default_rng(seed)
    apart = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
    mixing = np.linalg.cholesky(correlation**apart + 1e-12 * np.eye(n_classes))
    scale = n_features**-0.5
    centers = mixing @ rng.normal(0, scale, size=(n_classes, n_features))
    axes = rng.normal(0, scale, size=(n_classes, n_axes, n_features))
    x = np.einsum("pmd,pdn->pmn", rng.normal(size=(n_classes, n_points, n_axes)), axes)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    x = centers[:, None] + radius * x
    x += noise * rng.normal(0, scale, size=x.shape)
    return x.reshape(-1, n_features), np.repeat(np.arange(n_classes), n_points)


def slow_glue(points, labels, directions, signs):
    """From the definition: by non-negative least squares and pseudo-inverses, draw by draw."""
    classes = np.unique(labels)
    n_draws, n_classes = signs.shape
    anchors = np.zeros((n_draws, n_classes, points.shape[1]))
    for d, (t, y) in enumerate(zip(directions, signs, strict=True)):
        own = y[np.searchsorted(classes, labels)]
        multipliers, _ = nnls((points * own[:, None]).T, t, maxiter=20_000)
        for c, name in enumerate(classes):
            of_class = multipliers[labels == name]
            if of_class.sum() > 1e-12:
                anchors[d, c] = of_class @ points[labels == name] / of_class.sum()
    centers = anchors.mean(axis=0)
    a, b, c = np.zeros((3, n_draws))
    off = ~np.eye(n_classes, dtype=bool)
    axis_products, crossed, axis_cosines, crossed_cosines = np.zeros((4, n_draws))

    def form(u, gram):
        return u @ np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ u

    def unit(v):
        return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)

    for d, t in enumerate(directions):
        s, axes = anchors[d], anchors[d] - centers
        a[d] = form(s @ t, s @ s.T)
        b[d] = form(axes @ t, axes @ axes.T)
        c[d] = form(axes @ t, centers @ centers.T + axes @ axes.T)
        axis_products[d] = np.abs(axes @ axes.T)[off].mean()
        crossed[d] = np.abs(centers @ axes.T)[off].mean()
        axis_cosines[d] = (unit(axes) @ unit(axes).T)[off].mean()
        crossed_cosines[d] = (unit(centers) @ unit(axes).T)[off].mean()
    return {
        "capacity": n_classes / a.mean(),
        "dimension": b.mean() / n_classes,
        "radius": np.sqrt(c.mean() / (b - c).mean()),
        "utility": c.mean() / a.mean(),
        "center_alignment": np.abs(centers @ centers.T)[off].mean(),
        "axis_alignment": axis_products.mean(),
        "center_axis_alignment": crossed.mean(),
        "center_cosine": (unit(centers) @ unit(centers).T)[off].mean(),
        "axis_cosine": axis_cosines.mean(),
        "center_axis_cosine": crossed_cosines.mean(),
    }


def drawn_by(random_state, n_draws, n_classes, n_features, ensemble="balanced"):
    """The directions and sides that glue draws for a seed."""
    _, sides, directions = streams(random_state)
    signs = draw_dichotomies(ensemble, n_draws, n_classes, sides)
    return directions.normal(size=(n_features, n_draws)).T, signs
