"""Multinomial logistic regression, trained on all folds of a cross-validation at once.

Home-made: 10 to 50 times less CPU time than scikit-learn's `LogisticRegression`, at the same
accuracy within .001 (benchmarks/home_made.py).
"""

from __future__ import annotations

from copy import copy

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array

# Points per task of a thread.
BLOCK_ROWS = 512


class FoldedSoftmax:
    """Losses and gradients of several classifiers, each trained without its own fold.

    The weights are stacked, (classifiers, classes, features + 1), so that one matrix product per
    block of points serves all classifiers. The last feature is a constant 1. The penalty is defined
    for points scaled by the root mean square over ``width`` features.

    Parameters
    ----------
    points : array of float32 (n_samples, n_features)
    codes : array of int64 (n_classifiers, n_samples)
        The class of each point, for each classifier.
    held_out : array of bool (n_classifiers, n_samples)
        Which points each classifier is not trained on.
    """

    def __init__(
        self,
        points: Array,
        codes: Array,
        held_out: Array,
        penalty: float,
        team: ThreadTeam,
        width: int,
    ) -> None:
        origin = points.mean(axis=0, dtype=np.float64)
        n_samples, n_features = points.shape
        self.x = np.empty((n_samples, n_features + 1), dtype=np.float32)
        self.x[:, :-1] = points - origin.astype(np.float32)
        power = np.einsum("ij,ij->", self.x[:, :-1], self.x[:, :-1], dtype=np.float64)
        self.x[:, :-1] /= np.float32(np.sqrt(power / (n_samples * width)) or 1.0)
        self.x[:, -1] = 1.0
        self.codes = codes
        self.held_out = held_out
        self.n_classes = int(codes.max()) + 1
        self.shape = len(codes), self.n_classes, n_features + 1
        self.trained = n_samples - held_out.sum(axis=1)
        # The loss is a mean over the training points, so the penalty is divided by their number.
        self.decay = penalty / self.trained
        self.team = team
        self.blocks = split_rows(n_samples, BLOCK_ROWS)

    def logits(self, weights: Array) -> Array:
        """Compute the logits of every classifier, float32 (classifiers, classes, samples)."""
        flat = weights.reshape(-1, weights.shape[2])
        out = np.empty((len(flat), len(self.x)), dtype=np.float32)

        def multiply(number: int) -> None:
            block = self.blocks[number]
            out[:, block] = flat @ self.x[block].T

        self.team.run(multiply, len(self.blocks))
        return out.reshape(*self.shape[:2], -1)

    def losses(self, logits: Array) -> tuple[Array, Array]:
        """Return the mean training loss of each classifier, and the probabilities."""
        parts = np.empty((len(self.blocks), len(logits)))
        probabilities = np.empty_like(logits)
        places = np.arange(len(logits))[:, None]

        def add(number: int) -> None:
            block = self.blocks[number]
            z, p = logits[:, :, block], probabilities[:, :, block]
            own = z[places, self.codes[:, block], np.arange(z.shape[2])]
            top = z.max(axis=1)
            np.exp(np.subtract(z, top[:, None], out=p), out=p)
            total = p.sum(axis=1)
            p /= total[:, None]
            loss = np.log(total) + top - own
            loss[self.held_out[:, block]] = 0.0
            parts[number] = loss.sum(axis=1, dtype=np.float64)

        self.team.run(add, len(self.blocks))
        return np.asarray(parts.sum(axis=0) / self.trained), probabilities

    def gradients(self, probabilities: Array) -> Array:
        """Compute the gradient of each loss (classifiers, classes, features + 1).

        Overwrites the probabilities.
        """
        flat = probabilities.reshape(-1, probabilities.shape[2])
        parts = np.empty((len(self.blocks), len(flat), self.x.shape[1]), dtype=np.float32)
        places = np.arange(len(probabilities))[:, None]

        def add(number: int) -> None:
            block = self.blocks[number]
            p = probabilities[:, :, block]
            p[places, self.codes[:, block], np.arange(p.shape[2])] -= 1.0
            p *= ~self.held_out[:, None, block]
            np.matmul(flat[:, block], self.x[block], out=parts[number])

        self.team.run(add, len(self.blocks))
        total = parts.sum(axis=0, dtype=np.float64).reshape(self.shape)
        return np.asarray(total / self.trained[:, None, None])

    def part(self, rows: Array) -> FoldedSoftmax:
        """Return what some of the points contribute to the same losses and gradients."""
        part = copy(self)
        part.x = self.x[rows]
        part.codes, part.held_out = self.codes[:, rows], self.held_out[:, rows]
        part.blocks = split_rows(len(rows), BLOCK_ROWS)
        return part


def split_rows(n: int, size: int) -> list[slice]:
    """Split n rows into blocks."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def fit_folds(
    points: Array,
    codes: Array,
    folds: Array,
    penalty: float,
    n_jobs: int | None = None,
    tested: int | None = None,
) -> tuple[Array, bool]:
    """Train a classifier without each fold; return predictions for the fold, and convergence.

    With ``tested``, only the first folds are tested; the other points are predicted by the first
    classifier, which they trained.

    Several labelings of the same points are trained together: codes, folds and predictions are
    (labelings, n_samples). All classifiers take steps simultaneously, starting from 0.
    """
    from .training import minimize

    runs, n_samples = codes.shape
    n_folds = int(folds.max()) + 1 if tested is None else tested
    held_out = (folds[:, None] == np.arange(n_folds)[:, None]).reshape(-1, n_samples)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        reduced = reduce_features(points, team)
        labels = np.repeat(codes, n_folds, axis=0)
        model = FoldedSoftmax(reduced, labels, held_out, penalty, team, points.shape[1])
        weights, converged = minimize(model)
        predictions = model.logits(weights.astype(np.float32)).argmax(axis=1)
    # Each point is predicted by the classifier that was not trained on it.
    by_labeling = predictions.reshape(runs, n_folds, n_samples)
    place = np.where(folds < n_folds, folds, 0)
    return np.take_along_axis(by_labeling, place[:, None], axis=1)[:, 0], converged


def reduce_features(points: Array, team: ThreadTeam) -> Array:
    """Rotate points into the space they span, if they have more features than that.

    n centered points span at most n - 1 dimensions. The penalty is isotropic and the weights are
    linear combinations of the points, so the classifiers do not depend on the rotation.
    """
    n_samples, n_features = points.shape
    if n_features <= n_samples:
        return points
    # In float64: rounding errors of float32 would exceed the smallest eigenvalues.
    centered = points - points.mean(axis=0, dtype=np.float64)
    # Zeros, because SciPy checks that the unused triangle is finite, too.
    gram = np.zeros((n_samples, n_samples))
    blocks = split_rows(n_samples, 128)

    def multiply(number: int) -> None:
        # Only the lower triangle of the symmetric matrix.
        block = blocks[-1 - number]
        np.matmul(centered[block], centered[: block.stop].T, out=gram[block, : block.stop])

    team.run(multiply, len(blocks))
    # Rows of the Cholesky factor have the same inner products. Centered points are linearly
    # dependent, so a ridge is added, about a thousandth of their norm.
    from scipy.linalg import cholesky

    gram[np.diag_indices(n_samples)] += 1e-6 * np.trace(gram) / n_samples or 1.0
    reduced: Array = cholesky(gram, lower=True, overwrite_a=True).astype(np.float32)
    return reduced
