"""Training of all classifiers at once: L-BFGS steps on an inverse Hessian that is taken anew.

Where classes come apart, few points are left that decide, and their curvature is a hundredth of
what it was at the start, whose inverse Hessian would take hundreds of steps. So it is taken anew in
rounds. The steps of a round only look at the points that are not yet predicted for certain; what
these say is then checked with all points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._typing import Array
from .curvature import curvature_of_points, preconditioner
from .lbfgs import LBFGSMemory, inner_product
from .softmax import FoldedSoftmax

MAX_ITERATIONS = 300
# Steps of each round; the last number repeats.
ROUNDS = (8, 12, 20)
# Training stops when the predicted decrease of the mean loss is below this, relative to the loss,
RELATIVE_TOLERANCE = 3e-4
# or below this.
ABSOLUTE_TOLERANCE = 1e-7
# A round leaves out the points that together have less than this share of the errors,
NEGLIGIBLE = 1e-2
# if these are at least this share of the points.
WORTHWHILE = 0.5


def minimize(model: FoldedSoftmax) -> tuple[Array, bool]:
    """Return the weights of the classifiers, and whether they have converged."""
    weights = np.zeros(model.shape)
    logits = np.zeros((*model.shape[:2], len(model.x)), dtype=np.float32)
    n_steps = number = 0
    while n_steps < MAX_ITERATIONS:
        _, probabilities = model.losses(logits)
        precondition = preconditioner(model, curvature_of_points(probabilities))
        rows = _undecided(model, probabilities)
        part = model if rows is None else model.part(rows)
        search = _Search(part, weights, logits if rows is None else logits[:, :, rows])
        limit = min(ROUNDS[min(number, len(ROUNDS) - 1)], MAX_ITERATIONS - n_steps)
        taken = search.run(precondition, limit)
        weights, n_steps, number = search.weights, n_steps + taken, number + 1
        if rows is None:
            logits = search.logits
            if search.converged:
                return weights, True
            if search.stuck and taken == 0:
                return weights, False
            continue
        logits = model.logits(weights.astype(np.float32))
        if search.converged or search.stuck:
            # The last steps again, on all points.
            whole = _Search(model, weights, logits, search.memory)
            more = whole.run(precondition, min(ROUNDS[0], MAX_ITERATIONS - n_steps))
            weights, logits, n_steps = whole.weights, whole.logits, n_steps + more
            if whole.converged:
                return weights, True
            if whole.stuck and taken + more == 0:
                return weights, False
    return weights, False


def _undecided(model: FoldedSoftmax, probabilities: Array) -> Array | None:
    """Return the points that have nearly all of the classifiers' errors; None if these are many."""
    places = np.arange(len(probabilities))[:, None]
    own = probabilities[places, model.codes, np.arange(probabilities.shape[2])]
    errors = np.where(model.held_out, 0.0, 1.0 - own.astype(np.float64)).max(axis=0)
    order = np.argsort(errors, kind="stable")
    left_out = np.searchsorted(np.cumsum(errors[order]), NEGLIGIBLE * errors.sum())
    if left_out < WORTHWHILE * len(order):
        return None
    return np.sort(order[left_out:])


class _Search:
    """L-BFGS steps of every classifier from given weights."""

    def __init__(
        self, model: FoldedSoftmax, weights: Array, logits: Array, memory: LBFGSMemory | None = None
    ) -> None:
        self.model = model
        self.weights = weights
        self.logits = logits
        self.memory = LBFGSMemory(*model.shape) if memory is None else memory
        self.converged = self.stuck = False

    def run(self, precondition: Callable[[Array], Array], limit: int) -> int:
        """Take up to ``limit`` steps; return how many were taken."""
        model = self.model
        decay = np.zeros((len(model.codes), 1, model.shape[2]))
        decay[:, 0, :-1] = model.decay[:, None]
        losses, probabilities = model.losses(self.logits)
        losses = losses + inner_product(decay * self.weights, self.weights) / 2
        gradient = model.gradients(probabilities) + decay * self.weights
        preconditioned = precondition(gradient)
        for taken in range(limit + 1):
            step = -self.memory.multiply_inverse_hessian(gradient, preconditioned)
            slope = inner_product(step, gradient)
            # A Newton step decreases a quadratic by half of its slope.
            if np.all(-0.5 * slope <= RELATIVE_TOLERANCE * losses + ABSOLUTE_TOLERANCE):
                self.converged = True
                return taken
            if taken == limit:
                break
            step_logits = model.logits(step.astype(np.float32))
            # Of the penalty: its norm, slope and curvature.
            norm = inner_product(decay * self.weights, self.weights)
            tilt = inner_product(decay * self.weights, step)
            bend = inner_product(decay * step, step)
            length = np.ones(len(slope))
            for _ in range(30):
                trial = self.logits + length.astype(np.float32)[:, None, None] * step_logits
                trial_losses, probabilities = model.losses(trial)
                trial_losses += norm / 2 + length * tilt + length**2 * bend / 2
                # The last term allows for rounding errors of the float32 loss.
                too_high = trial_losses > losses + 1e-4 * length * slope + 1e-7 * losses
                if not too_high.any():
                    break
                length[too_high] *= 0.5
            else:
                self.stuck = True
                return taken
            delta = length[:, None, None] * step
            self.weights = self.weights + delta
            self.logits, losses = trial, trial_losses
            next_gradient = model.gradients(probabilities) + decay * self.weights
            next_preconditioned = precondition(next_gradient)
            self.memory.add(delta, next_gradient - gradient, next_preconditioned - preconditioned)
            gradient, preconditioned = next_gradient, next_preconditioned
        return limit
