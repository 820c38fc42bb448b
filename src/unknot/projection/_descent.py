"""Gradient descent on the KL divergence, with the repulsion from a mesh or from all pairs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._team import Team
from .._typing import Array, Float32
from ._affinities import Affinities
from ._kernels_exact import attract, repel, step
from ._kernels_optimizer import (
    GRADIENT,
    LOG_SUM,
    X_HIGH,
    X_LOW,
    Y_HIGH,
    Y_LOW,
    attract_and_step,
)
from ._mesh import CHUNKS, Mesh

# No point moves farther than this in one iteration, in units of the map.
MAX_STEP = 5.0
# Rows of the exact sum in one task.
EXACT_ROWS = 256


@dataclass(frozen=True)
class Phase:
    """Iterations that share their settings."""

    n_iter: int
    exaggeration: float
    momentum: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Report:
    """Where the descent stands.

    Attributes
    ----------
    iteration : int
        Steps taken so far.
    kl_divergence : float
        sum_ij p_ij log(p_ij / q_ij) of the map, without exaggeration.
    gradient_norm : float
        The length of the gradient, with the phase's exaggeration.
    map_ : ndarray of shape (n_samples, n_components), float32
        The map after those steps, a copy.
    """

    iteration: int
    kl_divergence: float
    gradient_norm: float
    map_: Float32[Array, "samples components"]


class Engine(ABC):
    """A map in motion."""

    @abstractmethod
    def step(self, phase: Phase, *, measure: bool) -> tuple[float, float]:
        """Take a step; if asked to, return KL and gradient norm of the map before it."""

    @abstractmethod
    def restart(self) -> None:
        """Forget velocities and gains."""

    @abstractmethod
    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the one before the last step."""


class MeshEngine(Engine):
    """Repulsion from a particle mesh; 1 or 2 components.

    A map of 1 component is one of 2 that lies on the line y = 0 and cannot leave it.
    """

    def __init__(self, affinities: Affinities, start: Array, spacing: float, team: Team) -> None:
        n, self._n_components = start.shape
        self._affinities = affinities
        self._team = team
        # On a line points are dense, and a mesh along it costs next to nothing.
        self._mesh = Mesh(n, spacing if self._n_components == 2 else spacing / 4, team)
        self._x = np.ascontiguousarray(start[:, 0], np.float32)
        self._y = np.zeros(n, np.float32)
        if self._n_components == 2:
            self._y[:] = start[:, 1]
        self._old_x, self._old_y = self._x.copy(), self._y.copy()
        self._motion = [np.empty(n, np.float32) for _ in range(4)]
        self._fields = [np.zeros(n, np.float32) for _ in range(2)]
        self._sums = np.zeros((CHUNKS, 6))
        self._sums[:, X_LOW], self._sums[:, X_HIGH] = self._x.min(), self._x.max()
        self._sums[:, Y_LOW], self._sums[:, Y_HIGH] = self._y.min(), self._y.max()
        self.restart()

    def restart(self) -> None:
        """Forget velocities and gains."""
        for velocity in self._motion[:2]:
            velocity[:] = 0
        for gain in self._motion[2:]:
            gain[:] = 1

    def step(self, phase: Phase, *, measure: bool) -> tuple[float, float]:
        """Take a step; if asked to, return KL and gradient norm of the map before it."""
        sums = self._sums
        bounds = (
            float(sums[:, X_LOW].min()),
            float(sums[:, X_HIGH].max()),
            float(sums[:, Y_LOW].min()),
            float(sums[:, Y_HIGH].max()),
        )
        z = self._mesh.field(self._x, self._y, bounds, *self._fields)
        p = self._affinities
        arguments = (
            self._x,
            self._y,
            self._old_x,
            self._old_y,
            *self._motion,
            *self._fields,
            p.ptr,
            p.index,
            p.weight,
            p.scale,
            np.float32(phase.exaggeration),
            np.float32(1 / z),
            np.float32(phase.learning_rate),
            np.float32(phase.momentum),
            np.float32(MAX_STEP),
            measure,
            sums,
        )
        tasks = min(CHUNKS, 8 * self._team.n_threads)

        def advance(task: int) -> None:
            first, last = CHUNKS * task // tasks, CHUNKS * (task + 1) // tasks
            attract_and_step(first, last, CHUNKS, *arguments)

        self._team.run(advance, tasks)
        self._x, self._old_x = self._old_x, self._x
        self._y, self._old_y = self._old_y, self._y
        if not measure:
            return math.nan, math.nan
        kl = p.negative_entropy + float(sums[:, LOG_SUM].sum()) + math.log(z)
        return kl, math.sqrt(float(sums[:, GRADIENT].sum()))

    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the one before the last step."""
        x, y = (self._old_x, self._old_y) if before else (self._x, self._y)
        return np.stack([x, y], axis=1)[:, : self._n_components].copy()


class ExactEngine(Engine):
    """Repulsion summed over all pairs; 1, 2 or 3 components."""

    def __init__(self, affinities: Affinities, start: Array, team: Team) -> None:
        n, self._n_components = start.shape
        self._affinities = affinities
        self._team = team
        self._map = np.zeros((3, n), np.float32)
        self._map[: self._n_components] = start.T
        self._old = self._map.copy()
        self._force, self._field, self._velocity = np.zeros((3, 3, n), np.float32)
        self._gain = np.ones((3, n), np.float32)
        self._phi, self._logs = np.zeros((2, n))

    def restart(self) -> None:
        """Forget velocities and gains."""
        self._velocity[:] = 0
        self._gain[:] = 1

    def step(self, phase: Phase, *, measure: bool) -> tuple[float, float]:
        """Take a step; if asked to, return KL and gradient norm of the map before it."""
        p = self._affinities
        n = self._map.shape[1]

        def forces(task: int) -> None:
            first, last = task * EXACT_ROWS, min(n, (task + 1) * EXACT_ROWS)
            repel(self._map, first, last, self._field, self._phi)
            rows = (p.ptr, p.index, p.weight, p.scale)
            attract(self._map, first, last, *rows, measure, self._force, self._logs)

        self._team.run(forces, -(-n // EXACT_ROWS))
        z = float(self._phi.sum())
        self._old[:] = self._map
        squares = step(
            self._map,
            self._force,
            self._field,
            self._velocity,
            self._gain,
            np.float32(phase.exaggeration),
            np.float32(1 / z),
            np.float32(phase.learning_rate),
            np.float32(phase.momentum),
            np.float32(MAX_STEP),
        )
        if not measure:
            return math.nan, math.nan
        kl = p.negative_entropy + float(self._logs.sum()) + math.log(z)
        return kl, math.sqrt(squares)

    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the one before the last step."""
        source = self._old if before else self._map
        return np.ascontiguousarray(source[: self._n_components].T)


def descend(
    engine: Engine,
    phases: list[Phase],
    *,
    report_every: int,
    watch: Callable[[Report], bool],
    patience: int,
    min_gradient_norm: float,
) -> Report:
    """Run the phases, or until there is no more progress, or until ``watch`` says to stop.

    Progress is looked at every ``report_every`` iterations, in the last phase only: the descent
    ends if the KL divergence has had no new least value for more than ``patience`` iterations, or
    the gradient is shorter than ``min_gradient_norm``.
    """
    done = 0
    for number, phase in enumerate(phases):
        engine.restart()
        least, least_at = math.inf, done
        for iteration in range(done, done + phase.n_iter):
            measure = iteration % report_every == 0 and iteration > 0
            kl, norm = engine.step(phase, measure=measure)
            if not measure:
                continue
            report = Report(iteration, kl, norm, engine.map_(before=True))
            stop = watch(report)
            if number == len(phases) - 1:
                if kl < least:
                    least, least_at = kl, iteration
                stop = stop or iteration - least_at > patience or norm <= min_gradient_norm
            if stop:
                return report
        done += phase.n_iter
    kl, norm = engine.step(phases[-1], measure=True)
    report = Report(done, kl, norm, engine.map_(before=True))
    watch(report)
    return report
