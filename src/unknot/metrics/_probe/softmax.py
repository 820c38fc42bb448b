"""Softmax regression on all folds of a cross-validation at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .lbfgs import Memory, inner

# Points that one thread takes at a time.
ROWS = 512
MAX_ITERATIONS = 300
# Training ends when a step can lower the mean loss by less than this, relative to the loss ...
RELATIVE_TOLERANCE = 3e-4
# ... or at all.
ABSOLUTE_TOLERANCE = 1e-7


class FoldedSoftmax:
    """Losses of several classifiers, each trained without its fold, on blocks of points.

    The weights of all stand one below the other, (classifiers, classes, features + 1), so that one
    product of each block of points serves all of them. The last feature is a constant 1. The
    penalty is for points of ``width`` features, in units of the root mean square of these.

    Parameters
    ----------
    points : array of float32 (n_samples, n_features)
    codes : array of int64 (n_classifiers, n_samples)
        The class of each point, for each classifier.
    held : array of bool (n_classifiers, n_samples)
        Which points each is not trained on.
    """

    def __init__(
        self, points: Array, codes: Array, held: Array, penalty: float, team: ThreadTeam, width: int
    ) -> None:
        origin = points.mean(axis=0, dtype=np.float64)
        n_samples, n_features = points.shape
        self.x = np.empty((n_samples, n_features + 1), dtype=np.float32)
        self.x[:, :-1] = points - origin.astype(np.float32)
        power = np.einsum("ij,ij->", self.x[:, :-1], self.x[:, :-1], dtype=np.float64)
        self.x[:, :-1] /= np.float32(np.sqrt(power / (n_samples * width)) or 1.0)
        self.x[:, -1] = 1.0
        self.codes = codes
        self.held = held
        self.n_classes = int(codes.max()) + 1
        self.shape = len(codes), self.n_classes, n_features + 1
        self.trained = n_samples - held.sum(axis=1)
        # The loss is the mean over the points trained on, and the penalty is in its units.
        self.decay = penalty / self.trained
        self.team = team
        self.blocks = cut(n_samples, ROWS)

    def logits(self, weights: Array) -> Array:
        """Compute the outputs of every classifier for every point (classifiers, classes, samples).

        Both arrays are float32.
        """
        flat = weights.reshape(-1, weights.shape[2])
        out = np.empty((len(flat), len(self.x)), dtype=np.float32)

        def multiply(number: int) -> None:
            block = self.blocks[number]
            out[:, block] = flat @ self.x[block].T

        self.team.run(multiply, len(self.blocks))
        return out.reshape(*self.shape[:2], -1)

    def losses(self, logits: Array) -> tuple[Array, Array]:
        """Mean loss of each classifier over the points it is trained on; the probabilities."""
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
            loss[self.held[:, block]] = 0.0
            parts[number] = loss.sum(axis=1, dtype=np.float64)

        self.team.run(add, len(self.blocks))
        return np.asarray(parts.sum(axis=0) / self.trained), probabilities

    def gradients(self, probabilities: Array) -> Array:
        """Compute the derivative of each loss by its weights (classifiers, classes, features + 1).

        The probabilities are used up.
        """
        flat = probabilities.reshape(-1, probabilities.shape[2])
        parts = np.empty((len(self.blocks), len(flat), self.x.shape[1]), dtype=np.float32)
        places = np.arange(len(probabilities))[:, None]

        def add(number: int) -> None:
            block = self.blocks[number]
            p = probabilities[:, :, block]
            p[places, self.codes[:, block], np.arange(p.shape[2])] -= 1.0
            p *= ~self.held[:, None, block]
            np.matmul(flat[:, block], self.x[block], out=parts[number])

        self.team.run(add, len(self.blocks))
        total = parts.sum(axis=0, dtype=np.float64).reshape(self.shape)
        return np.asarray(total / self.trained[:, None, None])

    def second_moments(self) -> Array:
        """Mean of x x' over all points."""
        width = self.x.shape[1]
        total = np.zeros((width, width))
        for start in range(0, len(self.x), 4096):
            block = self.x[start : start + 4096]
            total += block.T @ block
        return total / len(self.x)


def cut(n: int, size: int) -> list[slice]:
    """Cut n rows into blocks."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def fit_folds(
    points: Array, codes: Array, folds: Array, penalty: float, n_jobs: int | None = None
) -> tuple[Array, bool]:
    """Train a classifier without each fold; return the predictions for the fold, and convergence.

    Several labelings of the same points are done together: codes, folds and predictions are
    (labelings, n_samples). L-BFGS on all folds in step, from weights of 0. Its first guess of the
    inverse Hessian is that of Boehning's bound, 1/2 S (x) (I - 11'/C) with S the second moments of
    the points: the number of steps then does not grow with the spread of the covariance's
    eigenvalues.
    """
    runs, n_samples = codes.shape
    n_folds = int(folds.max()) + 1
    held = (folds[:, None] == np.arange(n_folds)[:, None]).reshape(-1, n_samples)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        turned = _reduce_features(points, team)
        labels = np.repeat(codes, n_folds, axis=0)
        model = FoldedSoftmax(turned, labels, held, penalty, team, points.shape[1])
        weights, converged = _minimize(model)
        answers = model.logits(weights.astype(np.float32)).argmax(axis=1)
    # Each point's answer is that of the classifier that has not seen it.
    there = answers.reshape(runs, n_folds, n_samples)
    return np.take_along_axis(there, folds[:, None], axis=1)[:, 0], converged


def _reduce_features(points: Array, team: ThreadTeam) -> Array:
    """Turn centered points into the space they span, where they have more features than that.

    n points span n - 1 directions at most. The penalty weighs all directions alike and the weights
    are combinations of the points, so that the classifiers are the same in any axes.
    """
    n_samples, n_features = points.shape
    if n_features <= n_samples:
        return points
    # In float32 the products would be off by more than the smallest of what they are made of.
    centered = points - points.mean(axis=0, dtype=np.float64)
    # Zeros rather than what memory held before: SciPy looks whether all of it is finite.
    gram = np.zeros((n_samples, n_samples))
    blocks = cut(n_samples, 128)

    def multiply(number: int) -> None:
        # Of the symmetric table, the part below the diagonal.
        block = blocks[-1 - number]
        np.matmul(centered[block], centered[: block.stop].T, out=gram[block, : block.stop])

    team.run(multiply, len(blocks))
    # Points with the same products: rows of the Cholesky factor. Centered points are dependent, so
    # each gets a direction of its own as well, about a thousandth as long as they are.
    from scipy.linalg import cholesky

    gram[np.diag_indices(n_samples)] += 1e-6 * np.trace(gram) / n_samples or 1.0
    turned: Array = cholesky(gram, lower=True, overwrite_a=True).astype(np.float32)
    return turned


def _minimize(model: FoldedSoftmax) -> tuple[Array, bool]:
    precondition = _preconditioner(model)
    decay = np.zeros((len(model.codes), 1, model.shape[2]))
    decay[:, 0, :-1] = model.decay[:, None]
    weights = np.zeros(model.shape)
    logits = np.zeros((*model.shape[:2], len(model.x)), dtype=np.float32)
    losses, probabilities = model.losses(logits)
    gradient = model.gradients(probabilities)
    downhill = precondition(gradient)
    memory = Memory(*model.shape)
    for _ in range(MAX_ITERATIONS):
        step = -memory.newton(gradient, downhill)
        slope = inner(step, gradient)
        # A step of Newton's lowers a quadratic by half of its slope.
        if np.all(-0.5 * slope <= RELATIVE_TOLERANCE * losses + ABSOLUTE_TOLERANCE):
            return weights, True
        moved = model.logits(step.astype(np.float32))
        along, square = inner(decay * weights, step), inner(decay * step, step)
        size = inner(decay * weights, weights)
        length = np.ones(len(slope))
        for _ in range(30):
            trial = logits + length.astype(np.float32)[:, None, None] * moved
            reached, probabilities = model.losses(trial)
            reached += size / 2 + length * along + length**2 * square / 2
            # Float32 sums of the loss have errors of their own, which must not end the training.
            high = reached > losses + 1e-4 * length * slope + 1e-7 * losses
            if not high.any():
                break
            length[high] *= 0.5
        else:
            return weights, False
        delta = length[:, None, None] * step
        weights = weights + delta
        logits, losses = trial, reached
        fresh = model.gradients(probabilities) + decay * weights
        ahead = precondition(fresh)
        memory.add(delta, fresh - gradient, ahead - downhill)
        gradient, downhill = fresh, ahead
    return weights, False


def _preconditioner(model: FoldedSoftmax) -> Callable[[Array], Array]:
    moments = model.second_moments()
    # Directions that the points hardly use would be stretched without end.
    ridge = float(model.decay.mean()) + 1e-6 * np.trace(moments) / len(moments)
    from scipy.linalg import cho_factor, cho_solve

    identity = np.eye(len(moments))
    factor = cho_factor(0.5 * moments + ridge * identity, overwrite_a=True)
    # One product in float32 takes a quarter of the time of two triangular solves.
    inverse = cho_solve(factor, identity, overwrite_b=True).astype(np.float32)
    blocks = cut(len(inverse), ROWS)

    def apply(direction: Array) -> Array:
        flat = direction.reshape(-1, direction.shape[2]).astype(np.float32)
        out = np.empty(flat.shape)

        def multiply(number: int) -> None:
            # The inverse is symmetric.
            out[:, blocks[number]] = flat @ inverse[blocks[number]].T

        model.team.run(multiply, len(blocks))
        return out.reshape(direction.shape)

    return apply
