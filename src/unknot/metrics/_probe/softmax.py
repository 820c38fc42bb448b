"""Multinomial logistic regression, trained on all folds of a cross-validation at once.

Home-made: 10 to 50 times less CPU time than scikit-learn's `LogisticRegression`, at the same
accuracy within .001 (benchmarks/home_made.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .lbfgs import LBFGSMemory, inner_product

# Points per task of a thread.
BLOCK_ROWS = 512
MAX_ITERATIONS = 300
# Training stops when the predicted decrease of the mean loss is below this, relative to the loss,
RELATIVE_TOLERANCE = 3e-4
# or below this.
ABSOLUTE_TOLERANCE = 1e-7


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

    def second_moments(self) -> Array:
        """Return the mean of x x' over all points."""
        width = self.x.shape[1]
        total = np.zeros((width, width))
        for start in range(0, len(self.x), 4096):
            block = self.x[start : start + 4096]
            total += block.T @ block
        return total / len(self.x)


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
    (labelings, n_samples). All classifiers take L-BFGS steps simultaneously, starting from 0. The
    initial inverse Hessian is that of Boehning's bound, 1/2 S (x) (I - 11'/C) with S the second
    moments of the points, so that the number of steps does not grow with the condition number of
    the covariance.
    """
    runs, n_samples = codes.shape
    n_folds = int(folds.max()) + 1 if tested is None else tested
    held_out = (folds[:, None] == np.arange(n_folds)[:, None]).reshape(-1, n_samples)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        reduced = _reduce_features(points, team)
        labels = np.repeat(codes, n_folds, axis=0)
        model = FoldedSoftmax(reduced, labels, held_out, penalty, team, points.shape[1])
        weights, converged = _minimize(model)
        predictions = model.logits(weights.astype(np.float32)).argmax(axis=1)
    # Each point is predicted by the classifier that was not trained on it.
    by_labeling = predictions.reshape(runs, n_folds, n_samples)
    place = np.where(folds < n_folds, folds, 0)
    return np.take_along_axis(by_labeling, place[:, None], axis=1)[:, 0], converged


def _reduce_features(points: Array, team: ThreadTeam) -> Array:
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


def _minimize(model: FoldedSoftmax) -> tuple[Array, bool]:
    precondition = _preconditioner(model)
    decay = np.zeros((len(model.codes), 1, model.shape[2]))
    decay[:, 0, :-1] = model.decay[:, None]
    weights = np.zeros(model.shape)
    logits = np.zeros((*model.shape[:2], len(model.x)), dtype=np.float32)
    losses, probabilities = model.losses(logits)
    gradient = model.gradients(probabilities)
    preconditioned = precondition(gradient)
    memory = LBFGSMemory(*model.shape)
    for _ in range(MAX_ITERATIONS):
        step = -memory.multiply_inverse_hessian(gradient, preconditioned)
        slope = inner_product(step, gradient)
        # A Newton step decreases a quadratic by half of its slope.
        if np.all(-0.5 * slope <= RELATIVE_TOLERANCE * losses + ABSOLUTE_TOLERANCE):
            return weights, True
        step_logits = model.logits(step.astype(np.float32))
        penalty_slope, penalty_curvature = (
            inner_product(decay * weights, step),
            inner_product(decay * step, step),
        )
        penalty_norm = inner_product(decay * weights, weights)
        length = np.ones(len(slope))
        for _ in range(30):
            trial = logits + length.astype(np.float32)[:, None, None] * step_logits
            trial_losses, probabilities = model.losses(trial)
            trial_losses += (
                penalty_norm / 2 + length * penalty_slope + length**2 * penalty_curvature / 2
            )
            # The last term allows for rounding errors of the float32 loss.
            too_high = trial_losses > losses + 1e-4 * length * slope + 1e-7 * losses
            if not too_high.any():
                break
            length[too_high] *= 0.5
        else:
            return weights, False
        delta = length[:, None, None] * step
        weights = weights + delta
        logits, losses = trial, trial_losses
        next_gradient = model.gradients(probabilities) + decay * weights
        next_preconditioned = precondition(next_gradient)
        memory.add(delta, next_gradient - gradient, next_preconditioned - preconditioned)
        gradient, preconditioned = next_gradient, next_preconditioned
    return weights, False


def _preconditioner(model: FoldedSoftmax) -> Callable[[Array], Array]:
    moments = model.second_moments()
    # The ridge bounds the steps along directions with almost no variance.
    ridge = float(model.decay.mean()) + 1e-6 * np.trace(moments) / len(moments)
    from scipy.linalg import cho_factor, cho_solve

    identity = np.eye(len(moments))
    factor = cho_factor(0.5 * moments + ridge * identity, overwrite_a=True)
    # One float32 product takes a quarter of the time of two triangular solves.
    inverse = cho_solve(factor, identity, overwrite_b=True).astype(np.float32)
    blocks = split_rows(len(inverse), BLOCK_ROWS)

    def apply(direction: Array) -> Array:
        flat = direction.reshape(-1, direction.shape[2]).astype(np.float32)
        out = np.empty(flat.shape)

        def multiply(number: int) -> None:
            # The inverse is symmetric.
            out[:, blocks[number]] = flat @ inverse[blocks[number]].T

        model.team.run(multiply, len(blocks))
        return out.reshape(direction.shape)

    return apply
