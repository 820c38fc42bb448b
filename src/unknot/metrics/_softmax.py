"""Softmax regression on all folds of a cross-validation at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._team import Team, single_threaded_blas
from .._threads import resolve_n_jobs
from .._typing import Array

ROWS = 4096
# Steps of L-BFGS that are remembered.
MEMORY = 10
MAX_ITERATIONS = 300
# Training ends when a step can lower the mean loss by less than this, relative to the loss ...
RELATIVE = 3e-4
# ... or at all.
ABSOLUTE = 1e-7


class FoldedSoftmax:
    """Losses of the classifiers of all folds, each without its fold, on blocks of points.

    The weights of all folds stand side by side, (features + 1, folds, classes), so that one product
    of each block of points serves all of them. The last feature is a constant 1. The penalty is for
    points of ``width`` features, in units of the root mean square of these.
    """

    def __init__(
        self, points: Array, codes: Array, folds: Array, penalty: float, team: Team, width: int
    ) -> None:
        origin = points.mean(axis=0, dtype=np.float64)
        n_samples, n_features = points.shape
        self.x = np.empty((n_samples, n_features + 1), dtype=np.float32)
        self.x[:, :-1] = points - origin.astype(np.float32)
        power = np.einsum("ij,ij->", self.x[:, :-1], self.x[:, :-1], dtype=np.float64)
        self.x[:, :-1] /= np.float32(np.sqrt(power / (n_samples * width)) or 1.0)
        self.x[:, -1] = 1.0
        self.codes = codes
        self.folds = folds
        self.n_folds = int(folds.max()) + 1
        self.n_classes = int(codes.max()) + 1
        self.trained = n_samples - np.bincount(folds, minlength=self.n_folds)
        # The loss is the mean over the points trained on, and the penalty is in its units.
        self.decay = penalty / self.trained
        self.team = team
        self.blocks = [
            slice(start, min(start + ROWS, n_samples)) for start in range(0, n_samples, ROWS)
        ]

    def logits(self, weights: Array) -> Array:
        """Compute the outputs of every classifier for every point (n_samples, folds, classes)."""
        flat = weights.reshape(len(weights), -1).astype(np.float32)
        out = np.empty((len(self.x), flat.shape[1]), dtype=np.float32)
        self._each(lambda block: np.matmul(self.x[block], flat, out=out[block]))
        return out.reshape(len(self.x), self.n_folds, self.n_classes)

    def losses(self, logits: Array) -> Array:
        """Mean loss of each fold's classifier over the points it is trained on."""
        parts = np.empty((len(self.blocks), self.n_folds))

        def add(block: slice) -> None:
            z = logits[block]
            own = np.take_along_axis(z, self.codes[block][:, None, None], axis=2)[:, :, 0]
            top = z.max(axis=2)
            loss = np.log(np.exp(z - top[:, :, None]).sum(axis=2)) + top - own
            loss[np.arange(len(z)), self.folds[block]] = 0.0
            parts[block.start // ROWS] = loss.sum(axis=0, dtype=np.float64)

        self._each(add)
        return np.asarray(parts.sum(axis=0) / self.trained)

    def gradients(self, logits: Array) -> Array:
        """Compute the derivative of each loss by its weights (features + 1, folds, classes)."""
        shape = self.x.shape[1], self.n_folds * self.n_classes
        parts = np.empty((len(self.blocks), *shape), dtype=np.float32)

        def add(block: slice) -> None:
            z = logits[block]
            p = np.exp(z - z.max(axis=2, keepdims=True))
            p /= p.sum(axis=2, keepdims=True)
            rows = np.arange(len(z))
            p[rows, :, self.codes[block]] -= 1.0
            p[rows, self.folds[block]] = 0.0
            np.matmul(self.x[block].T, p.reshape(len(z), -1), out=parts[block.start // ROWS])

        self._each(add)
        total = parts.sum(axis=0, dtype=np.float64)
        return np.asarray(total.reshape(-1, self.n_folds, self.n_classes) / self.trained[:, None])

    def second_moments(self) -> Array:
        """Mean of x x' over all points."""
        width = self.x.shape[1]
        total = np.zeros((width, width))
        for block in self.blocks:
            total += self.x[block].T @ self.x[block]
        return total / len(self.x)

    def _each(self, task: Callable[[slice], object]) -> None:
        self.team.run(lambda number: task(self.blocks[number]), len(self.blocks))


def fit_folds(
    points: Array, codes: Array, folds: Array, penalty: float, n_jobs: int | None = None
) -> tuple[Array, bool]:
    """Train a classifier without each fold; return the predictions for the fold, and convergence.

    L-BFGS on all folds in step, from weights of 0. Its first guess of the inverse Hessian is that
    of Boehning's bound, 1/2 S (x) (I - 11'/C) with S the second moments of the points: the number
    of steps then does not grow with the spread of the covariance's eigenvalues.
    """
    with single_threaded_blas(), Team(resolve_n_jobs(n_jobs)) as team:
        turned = _turned(points, team)
        model = FoldedSoftmax(turned, codes, folds, penalty, team, points.shape[1])
        weights, converged = _minimise(model)
        own = model.logits(weights)[np.arange(len(codes)), folds]
    return own.argmax(axis=1), converged


def _turned(points: Array, team: Team) -> Array:
    """Turn centred points into the space they span, where they have more features than that.

    n points span n - 1 directions at most. The penalty weighs all directions alike and the weights
    are combinations of the points, so that the classifiers are the same in any axes.
    """
    n_samples, n_features = points.shape
    if n_features <= n_samples:
        return points
    # In float32 the products would be off by more than the smallest of what they are made of.
    centred = points - points.mean(axis=0, dtype=np.float64)
    gram = np.empty((n_samples, n_samples))
    rows = range(0, n_samples, 256)

    def multiply(number: int) -> None:
        block = slice(rows[number], rows[number] + 256)
        np.matmul(centred[block], centred.T, out=gram[block])

    team.run(multiply, len(rows))
    # Points with the same products: rows of the Cholesky factor. Centred points are dependent, so
    # each gets a direction of its own as well, about a thousandth as long as they are.
    from scipy.linalg import cholesky

    gram[np.diag_indices(n_samples)] += 1e-6 * np.trace(gram) / n_samples or 1.0
    turned: Array = cholesky(gram, lower=True, overwrite_a=True).astype(np.float32)
    return turned


def _minimise(model: FoldedSoftmax) -> tuple[Array, bool]:
    precondition = _preconditioner(model)
    decay = np.zeros((model.x.shape[1], model.n_folds, 1))
    decay[:-1] = model.decay[:, None]
    weights = np.zeros((model.x.shape[1], model.n_folds, model.n_classes))
    logits = np.zeros((len(model.x), model.n_folds, model.n_classes), dtype=np.float32)
    losses = model.losses(logits)
    gradient = model.gradients(logits)
    history: list[tuple[Array, Array, Array]] = []
    for _ in range(MAX_ITERATIONS):
        step = -_apply_history(gradient, history, precondition)
        slope = _dot(step, gradient)
        # A step of Newton's lowers a quadratic by half of its slope.
        if np.all(-0.5 * slope <= RELATIVE * losses + ABSOLUTE):
            return weights, True
        moved = model.logits(step)
        along, square = _dot(decay * weights, step), _dot(decay * step, step)
        length = np.ones(model.n_folds)
        for _ in range(30):
            trial = logits + length.astype(np.float32)[:, None] * moved
            reached = model.losses(trial)
            reached += _dot(decay * weights, weights) / 2 + length * along + length**2 * square / 2
            # Float32 sums of the loss have errors of their own, which must not end the training.
            high = reached > losses + 1e-4 * length * slope + 1e-7 * losses
            if not high.any():
                break
            length[high] *= 0.5
        else:
            return weights, False
        delta = length[:, None] * step
        weights = weights + delta
        logits, losses = trial, reached
        fresh = model.gradients(logits) + decay * weights
        change = fresh - gradient
        gradient = fresh
        curvature = _dot(delta, change)
        usable = curvature > 1e-12 * _dot(delta, delta)
        inverse = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=usable)
        history = [*history[1 - MEMORY :], (delta, change, inverse)]
    return weights, False


def _dot(first: Array, second: Array) -> Array:
    """Inner product of the weights of each fold."""
    return np.asarray(np.einsum("dfc,dfc->f", first, second))


def _apply_history(
    gradient: Array,
    history: list[tuple[Array, Array, Array]],
    precondition: Callable[[Array], Array],
) -> Array:
    """L-BFGS in two loops, on every fold."""
    direction = gradient
    shares = []
    for delta, change, inverse in reversed(history):
        share = inverse * _dot(delta, direction)
        direction = direction - share[:, None] * change
        shares.append(share)
    direction = precondition(direction)
    if history:
        delta, change, inverse = history[-1]
        curvature = _dot(change, precondition(change))
        scale = np.where(inverse > 0, 1.0 / np.maximum(inverse * curvature, 1e-30), 1.0)
        direction = direction * scale[:, None]
    for (delta, change, inverse), share in zip(history, reversed(shares), strict=True):
        direction = direction + (share - inverse * _dot(change, direction))[:, None] * delta
    return direction


def _preconditioner(model: FoldedSoftmax) -> Callable[[Array], Array]:
    moments = model.second_moments()
    # Directions that the points hardly use would be stretched without end.
    ridge = float(model.decay.mean()) + 1e-6 * np.trace(moments) / len(moments)
    from scipy.linalg import cho_factor, cho_solve

    identity = np.eye(len(moments))
    factor = cho_factor(0.5 * moments + ridge * identity, overwrite_a=True)
    # One product in float32 takes a quarter of the time of two triangular solves.
    inverse = cho_solve(factor, identity, overwrite_b=True).astype(np.float32)

    def apply(direction: Array) -> Array:
        flat = direction.reshape(len(direction), -1).astype(np.float32)
        return (inverse @ flat).astype(np.float64).reshape(direction.shape)

    return apply
