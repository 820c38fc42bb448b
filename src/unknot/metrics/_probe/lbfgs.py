"""L-BFGS updates in compact form, for several classifiers simultaneously.

Home-made: SciPy's L-BFGS minimizes one function at a time and takes no preconditioner. The numbers
are those of `softmax`.
"""

from __future__ import annotations

import numpy as np

from ..._typing import Array

# Number of steps kept.
MEMORY = 6


class LBFGSMemory:
    r"""The last L-BFGS steps of every classifier, in compact form.

    With steps S, changes Y of the gradient, and Z = P Y for the initial inverse Hessian \gamma P;
    R is the upper triangle of S'Y and D its diagonal ([Nocedal2006]_, 7.24):

    .. math:: H g = \gamma P g + S R^{-T} ((D + \gamma Y'Z) R^{-1} S'g - \gamma Z'g)
                    - \gamma Z R^{-1} S'g.
    """

    def __init__(self, n_classifiers: int, n_classes: int, width: int) -> None:
        shape = n_classifiers, MEMORY, n_classes * width
        self.steps = np.zeros(shape, dtype=np.float32)
        self.preconditioned = np.zeros(shape, dtype=np.float32)
        # S'Y and Y'Z. Unused steps have a 1 on the diagonal of R and are 0 otherwise.
        self.sy = np.tile(np.eye(MEMORY), (n_classifiers, 1, 1))
        self.yz = np.zeros((n_classifiers, MEMORY, MEMORY))
        self.scale = np.ones((n_classifiers, 1, 1))

    def add(self, step: Array, change: Array, preconditioned: Array) -> None:
        """Append a step, the change of the gradient and P times it; drop the oldest step."""
        for kept in (self.steps, self.preconditioned):
            kept[:, :-1] = kept[:, 1:]
        for table in (self.sy, self.yz):
            table[:, :-1, :-1] = table[:, 1:, 1:]
        curvature, weight = inner_product(step, change), inner_product(change, preconditioned)
        valid = curvature > 1e-12 * inner_product(step, step)
        flat = len(step), -1
        self.steps[:, -1] = np.where(valid[:, None], step.reshape(flat), 0.0)
        self.preconditioned[:, -1] = np.where(valid[:, None], preconditioned.reshape(flat), 0.0)
        column = change.reshape(*flat, 1).astype(np.float32)
        self.sy[:, -1] = 0.0
        self.sy[:, :, -1] = (self.steps @ column)[:, :, 0]
        self.yz[:, :, -1] = self.yz[:, -1] = (self.preconditioned @ column)[:, :, 0]
        self.sy[:, -1, -1] = np.where(valid, curvature, 1.0)
        ratio = curvature / np.maximum(weight, 1e-30)
        self.scale = np.where(valid, ratio, 1.0)[:, None, None]

    def multiply_inverse_hessian(self, gradient: Array, preconditioned: Array) -> Array:
        """Return H g, given g and P g."""
        column = gradient.reshape(len(gradient), -1, 1).astype(np.float32)
        along = np.linalg.solve(self.sy, (self.steps @ column).astype(np.float64))
        diagonal = np.einsum("kii->ki", self.sy)[:, :, None]
        middle = diagonal * along + self.scale * (self.yz @ along - self.preconditioned @ column)
        back = np.linalg.solve(self.sy.transpose(0, 2, 1), middle)
        correction = back.transpose(0, 2, 1).astype(np.float32) @ self.steps
        correction -= (self.scale * along).transpose(0, 2, 1).astype(
            np.float32
        ) @ self.preconditioned
        return np.asarray(self.scale * preconditioned + correction.reshape(preconditioned.shape))


def inner_product(first: Array, second: Array) -> Array:
    """Return the inner product of the weights of each classifier."""
    return np.asarray(np.einsum("kcd,kcd->k", first, second))
