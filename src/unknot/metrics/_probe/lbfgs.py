"""What L-BFGS remembers of its steps, for several classifiers in step."""

from __future__ import annotations

import numpy as np

from ..._typing import Array

# Steps that are remembered.
MEMORY = 6


class Memory:
    r"""What L-BFGS remembers of the last steps of every classifier, in its compact form.

    With steps S, changes Y of the gradient, and Z = P Y for the first guess P, times \gamma, of the
    inverse Hessian; R the upper triangle of S'Y and D its diagonal ([Nocedal2006]_, 7.24):

    .. math:: H g = \gamma P g + S R^{-T} ((D + \gamma Y'Z) R^{-1} S'g - \gamma Z'g)
                    - \gamma Z R^{-1} S'g.
    """

    def __init__(self, n_classifiers: int, n_classes: int, width: int) -> None:
        shape = n_classifiers, MEMORY, n_classes * width
        self.steps = np.zeros(shape, dtype=np.float32)
        self.turned = np.zeros(shape, dtype=np.float32)
        # S'Y and Y'Z. Of a step that is not there, R has a 1 and all else is 0.
        self.curved = np.tile(np.eye(MEMORY), (n_classifiers, 1, 1))
        self.weighed = np.zeros((n_classifiers, MEMORY, MEMORY))
        self.scale = np.ones((n_classifiers, 1, 1))

    def add(self, step: Array, change: Array, turned: Array) -> None:
        """Remember a step, the change of the gradient and P times that; forget the oldest step."""
        for kept in (self.steps, self.turned):
            kept[:, :-1] = kept[:, 1:]
        for table in (self.curved, self.weighed):
            table[:, :-1, :-1] = table[:, 1:, 1:]
        curvature, weight = inner(step, change), inner(change, turned)
        usable = curvature > 1e-12 * inner(step, step)
        flat = len(step), -1
        self.steps[:, -1] = np.where(usable[:, None], step.reshape(flat), 0.0)
        self.turned[:, -1] = np.where(usable[:, None], turned.reshape(flat), 0.0)
        column = change.reshape(*flat, 1).astype(np.float32)
        self.curved[:, -1] = 0.0
        self.curved[:, :, -1] = (self.steps @ column)[:, :, 0]
        self.weighed[:, :, -1] = self.weighed[:, -1] = (self.turned @ column)[:, :, 0]
        self.curved[:, -1, -1] = np.where(usable, curvature, 1.0)
        ratio = curvature / np.maximum(weight, 1e-30)
        self.scale = np.where(usable, ratio, 1.0)[:, None, None]

    def newton(self, gradient: Array, downhill: Array) -> Array:
        """Return H g, given g and P g."""
        column = gradient.reshape(len(gradient), -1, 1).astype(np.float32)
        along = np.linalg.solve(self.curved, (self.steps @ column).astype(np.float64))
        diagonal = np.einsum("kii->ki", self.curved)[:, :, None]
        middle = diagonal * along + self.scale * (self.weighed @ along - self.turned @ column)
        back = np.linalg.solve(self.curved.transpose(0, 2, 1), middle)
        rest = back.transpose(0, 2, 1).astype(np.float32) @ self.steps
        rest -= (self.scale * along).transpose(0, 2, 1).astype(np.float32) @ self.turned
        return np.asarray(self.scale * downhill + rest.reshape(downhill.shape))


def inner(first: Array, second: Array) -> Array:
    """Inner product of the weights of each classifier."""
    return np.asarray(np.einsum("kcd,kcd->k", first, second))
