"""Gradient descent on the KL divergence, with the repulsion from a mesh or from all pairs."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._parallel.shared_state import give_up, new_shared
from .._parallel.simd import LANES
from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32
from ._affinities import Affinities
from ._kernels_rules import (
    GRADIENT,
    LOG_SUM,
    N_ROWS,
    X_HIGH,
    X_LOW,
    Y_HIGH,
    Y_LOW,
    StateRow,
    bounds_of,
    longest_step,
)
from ._mesh import CHUNKS, Mesh
from ._start import SPREAD, curve_order

attract = Kernel(f"{__package__}._kernels_exact", "attract")
repel = Kernel(f"{__package__}._kernels_exact", "repel")
step = Kernel(f"{__package__}._kernels_exact", "step")
take_steps = Kernel(f"{__package__}._kernels_optimizer", "take_steps")

# Iterations between checks of progress.
CHECK_EVERY = 50
# A map of a smaller standard deviation at this iteration does not unfold: maps with clusters have
# one of 0.6 and more, others, whatever their number of points, of 0.07 and less.
FOLDED = 0.1
UNFOLDED_BY = 100
# A divergence that grows by this share between two checks is not the mesh's noise.
RISE = 0.005
# Seconds of steps between checks for an interrupt.
RETURN_AFTER = 0.1
# Refinement of the mesh for the KL divergence of the final map.
FINER = 2
# Rows of the exact sum per task.
EXACT_ROWS = 256
# The coordinates of fewer points fit in a core's caches in any order.
SORTED_FROM = 30_000

_VELOCITIES = slice(StateRow.X_VELOCITY, StateRow.Y_VELOCITY + 1)
_GAINS = slice(StateRow.X_GAIN, StateRow.Y_GAIN + 1)
_PAIRS = slice(StateRow.PAIRS, StateRow.X_MEMORY)


@dataclass(frozen=True)
class Phase:
    """Iterations with the same settings.

    Attributes
    ----------
    end : int
        The iteration at which it ends, counted from the first phase on.
    exaggeration, momentum, learning_rate : float
        Settings of the steps.
    is_early : bool
        Whether clusters only begin to form: lack of progress then ends nothing.
    coarsening : float
        Factor of the mesh's spacing.
    is_thin : bool
        Whether attraction may come from the nearest neighbors alone.
    instead : tuple of Phase
        The phases that follow at once, instead of all others, if an early phase collapses the map
        or a later one lets the divergence rise.
    """

    end: int
    exaggeration: float
    momentum: float
    learning_rate: float
    is_early: bool = False
    coarsening: float = 1.0
    is_thin: bool = False
    instead: tuple[Phase, ...] = ()


@dataclass(frozen=True, eq=False)
class Report:
    """The state of the descent after some iterations.

    Attributes
    ----------
    iteration : int
        Number of steps taken.
    kl_divergence : float
        sum_ij p_ij log(p_ij / q_ij) of the map, without exaggeration.
    gradient_norm : float
        With the phase's exaggeration.
    map_ : ndarray of shape (n_samples, n_components), float32
        A copy of the map after those steps.
    """

    iteration: int
    kl_divergence: float
    gradient_norm: float
    map_: Float32[Array, "samples components"]


class Engine(ABC):
    """A map with its velocities and gains, and a way to compute the gradient."""

    @abstractmethod
    def advance(self, phase: Phase, n_steps: int) -> None:
        """Take steps."""

    @abstractmethod
    def step_and_measure(self, phase: Phase) -> tuple[float, float]:
        """Take one step; return the KL divergence and gradient norm of the map before it."""

    def kl_of(self, report: Report) -> float:
        """Return the KL divergence of a reported map, more accurately where that is possible."""
        return report.kl_divergence

    def divergence(self) -> float:
        """Return the KL divergence of the map as accurately as possible; ends its motion."""
        return self.step_and_measure(Phase(1, 1.0, 0.0, 0.0))[0]

    @abstractmethod
    def set_embedding(self, map_: Array) -> None:
        """Set the positions of all points."""

    @abstractmethod
    def restart(self) -> None:
        """Reset velocities and gains."""

    @abstractmethod
    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the map before the last measured step."""


class MeshEngine(Engine):
    """Repulsion from a particle mesh; 1 or 2 components.

    A map of 1 component is a map of 2 components with y fixed at 0. In thin phases, steps take
    their attraction from ``thin``, but for those that also measure.
    """

    def __init__(
        self,
        affinities: Affinities,
        start: Array,
        spacing: float,
        team: ThreadTeam,
        thin: Affinities | None = None,
    ) -> None:
        n, self._n_components = start.shape
        self._n = n
        self._order = np.arange(n, dtype=np.int32)
        self._given = self._affinities = affinities
        self._given_thin = self._thin = thin
        self._team = team
        self._spacing = spacing
        # On a line points are dense, and a mesh along it costs almost nothing.
        self._finest = spacing if self._n_components == 2 else spacing / 4
        self._mesh = Mesh(n, self._finest, team)
        self._state = np.zeros((N_ROWS, -(-n // LANES) * LANES), np.float32)
        self._sums = np.zeros((CHUNKS, 7))
        self.set_embedding(start)
        self._state[_GAINS] = 1
        self._old = self._state[:2].copy()
        self._seconds_per_step = 0.0

    def set_embedding(self, map_: Array) -> None:
        """Set the positions of all points."""
        x, y = self._state[:2]
        self._state[: self._n_components, : self._n] = map_[self._order].T
        self._state[:2, self._n :] = self._state[:2, self._n - 1 : self._n]
        self._steps = 0
        self._state[_PAIRS].reshape(-1, 2)[:] = self._state[:2].T
        self._sums[:, X_LOW], self._sums[:, X_HIGH] = x.min(), x.max()
        self._sums[:, Y_LOW], self._sums[:, Y_HIGH] = y.min(), y.max()

    def restart(self) -> None:
        """Reset velocities and gains; reorder points so that near points are near in memory."""
        if self._n >= SORTED_FROM:
            map_ = self.map_()
            order = curve_order(map_)
            if not np.array_equal(order, self._order):
                self._order = order
                self._affinities = self._given.reordered(order, self._team)
                if self._given_thin is not None:
                    self._thin = self._given_thin.reordered(order, self._team)
                self.set_embedding(map_)
        self._state[_VELOCITIES] = 0
        self._state[_GAINS] = 1

    def advance(self, phase: Phase, n_steps: int) -> None:
        """Take steps."""
        while n_steps:
            # Interrupts are handled only between calls.
            most = max(1, int(RETURN_AFTER / max(self._seconds_per_step, 1e-6)))
            began = time.perf_counter()
            done, _ = self._descend(phase, min(n_steps, most), measure=False)
            self._seconds_per_step = (time.perf_counter() - began) / done
            n_steps -= done

    def step_and_measure(self, phase: Phase) -> tuple[float, float]:
        """Take one step; return the KL divergence and gradient norm of the map before it."""
        self._old[:] = self._state[:2]
        _, z = self._descend(phase, 1, measure=True)
        sums = self._sums
        kl = self._affinities.negative_entropy + float(sums[:, LOG_SUM].sum()) + math.log(z)
        # Rounding may make the divergence of a perfect map negative.
        return max(kl, 0.0), math.sqrt(float(sums[:, GRADIENT].sum()))

    def kl_of(self, report: Report) -> float:
        """Return the KL divergence of a reported map, computed on a finer mesh.

        Where a cluster lies within one cell, the divergence from the coarser mesh is 3 % too low.
        """
        return self._finer(report.map_).step_and_measure(Phase(1, 1.0, 0.0, 0.0))[0]

    def divergence(self) -> float:
        """Return the KL divergence of the map, computed on a finer mesh."""
        return self._finer(self.map_()).step_and_measure(Phase(1, 1.0, 0.0, 0.0))[0]

    def _finer(self, map_: Array) -> MeshEngine:
        return MeshEngine(self._given, map_, self._spacing / FINER, self._team)

    def _descend(self, phase: Phase, n_steps: int, *, measure: bool) -> tuple[int, float]:
        """Take up to ``n_steps`` steps; return their number, and Z before the last."""
        mesh = self._mesh
        p = self._affinities
        if phase.is_thin and self._thin is not None and not measure:
            p = self._thin
        mesh.spacing = self._finest * phase.coarsening
        mesh.resize(bounds_of(self._sums))
        shared, n_threads, done = new_shared(), self._team.n_threads, np.zeros(2)
        free_y = self._n_components - 1
        settings = (phase.exaggeration, phase.learning_rate, phase.momentum, free_y)
        arguments = (
            self._steps,
            n_steps,
            measure,
            self._n,
            self._state.reshape(-1),
            (p.ptr, *p.narrow_and_wide, p.weight, p.scale),
            mesh.layout,
            mesh.charges,
            mesh.solver,
            mesh.buffers,
            mesh.potential,
            tuple(np.float32(value) for value in settings),
            self._sums,
            done,
        )
        self._team.run_all(
            lambda thread: take_steps(thread, n_threads, shared, *arguments),
            lambda: give_up(shared),
        )
        self._steps += int(done[0])
        return int(done[0]), float(done[1])

    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the map before the last measured step."""
        rows = self._old if before else self._state
        map_ = np.empty((self._n, self._n_components), np.float32)
        map_[self._order] = rows[: self._n_components, : self._n].T
        return map_


class ExactEngine(Engine):
    """Repulsion summed over all pairs; 1, 2 or 3 components."""

    def __init__(self, affinities: Affinities, start: Array, team: ThreadTeam) -> None:
        n, self._n_components = start.shape
        self._affinities = affinities
        self._team = team
        self._map = np.zeros((3, n), np.float32)
        self.set_embedding(start)
        self._old = self._map.copy()
        self._force, self._field, self._velocity = np.zeros((3, 3, n), np.float32)
        self._gain = np.ones((3, n), np.float32)
        self._phi, self._logs = np.zeros((2, n))

    def set_embedding(self, map_: Array) -> None:
        """Set the positions of all points."""
        self._map[: self._n_components] = map_.T

    def restart(self) -> None:
        """Reset velocities and gains."""
        self._velocity[:] = 0
        self._gain[:] = 1

    def advance(self, phase: Phase, n_steps: int) -> None:
        """Take steps."""
        for _ in range(n_steps):
            self._step(phase, measure=False)

    def step_and_measure(self, phase: Phase) -> tuple[float, float]:
        """Take one step; return the KL divergence and gradient norm of the map before it."""
        self._old[:] = self._map
        z, squares = self._step(phase, measure=True)
        kl = self._affinities.negative_entropy + float(self._logs.sum()) + math.log(z)
        # Rounding may make the divergence of a perfect map negative.
        return max(kl, 0.0), math.sqrt(squares)

    def _step(self, phase: Phase, *, measure: bool) -> tuple[float, float]:
        """Take a step; return Z and the squared gradient norm before it."""
        p = self._affinities
        n = self._map.shape[1]

        def forces(task: int) -> None:
            first, last = task * EXACT_ROWS, min(n, (task + 1) * EXACT_ROWS)
            repel(self._map, first, last, self._field, self._phi)
            rows = (p.ptr, p.index, p.weight, p.scale)
            attract(self._map, first, last, *rows, measure, self._force, self._logs)

        self._team.run(forces, -(-n // EXACT_ROWS))
        z = float(self._phi.sum())
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
            longest_step(np.ptp(self._map, axis=1).max()),
        )
        return z, float(squares)

    def map_(self, *, before: bool = False) -> Array:
        """Return a copy of the map, or of the map before the last measured step."""
        source = self._old if before else self._map
        return np.ascontiguousarray(source[: self._n_components].T)


def descend(
    engine: Engine,
    phases: Sequence[Phase],
    *,
    report_every: int,
    watch: Callable[[Report], bool],
    patience: int,
    min_gradient_norm: float,
) -> Report:
    """Run the phases until they end, until there is no progress, or until ``watch`` returns True.

    ``watch`` is called every ``report_every`` iterations and with the final map, whose divergence
    is computed again as accurately as the engine can. Progress is checked every 50 iterations: the
    descent ends if the KL divergence has had no new minimum since the early phases for more than
    ``patience`` iterations, or, once it has fallen, if the gradient norm is at most
    ``min_gradient_norm``.

    Strong attraction can collapse the map to a point, where the gradient almost vanishes. If an
    early phase has not unfolded the map by iteration 100, or its gradient has vanished, the phases
    ``instead`` continue from the start; without them, the phase ends when its gradient has
    vanished, and the next one begins from the start.

    A high momentum can let points fly apart, so that the divergence rises. Then the phases
    ``instead`` continue from the map of the check before.
    """
    start = engine.map_()
    collapsed = min(_spread(start), SPREAD) / 10
    plan = list(phases)
    done = least_at = 0
    was_early = True
    while plan:
        phase = plan.pop(0)
        if done > 0 and _spread(engine.map_()) < collapsed:
            engine.set_embedding(start)
        engine.restart()
        if was_early:
            first = least = math.inf
            least_at = done
        was_early = phase.is_early
        last: Report | None = None
        while done < phase.end:
            # A map is measured in the course of the step that follows it.
            is_reported, is_checked = (
                done > 0 and done % n == 0 for n in (report_every, CHECK_EVERY)
            )
            if not (is_reported or is_checked):
                steps = min(n - done % n for n in (report_every, CHECK_EVERY, phase.end))
                engine.advance(phase, steps)
                done += steps
                continue
            kl, norm = engine.step_and_measure(phase)
            report = Report(done, kl, norm, engine.map_(before=True))
            if is_reported and watch(report):
                return _refined(report, engine)
            done += 1
            if not is_checked:
                continue
            is_flat = norm <= min_gradient_norm
            if phase.is_early:
                spread = _spread(report.map_)
                is_folded = report.iteration >= UNFOLDED_BY and spread < FOLDED
                if phase.instead and (is_folded or (is_flat and spread < collapsed)):
                    engine.set_embedding(start)
                    plan = list(phase.instead)
                    break
                if is_flat:
                    break
                continue
            if phase.instead and last is not None and kl > last.kl_divergence * (1 + RISE):
                engine.set_embedding(last.map_)
                plan = list(phase.instead)
                break
            last = report
            first = kl if least == math.inf else first
            if kl < least:
                least, least_at = kl, report.iteration
            if report.iteration - least_at > patience or (is_flat and least < first):
                report = _refined(report, engine)
                if not is_reported:
                    watch(report)
                return report
    kl, norm = engine.step_and_measure(phase)
    report = _refined(Report(done, kl, norm, engine.map_(before=True)), engine)
    watch(report)
    return report


def _refined(report: Report, engine: Engine) -> Report:
    return replace(report, kl_divergence=engine.kl_of(report))


def _spread(map_: Array) -> float:
    """Return the largest standard deviation of a map along an axis."""
    return float(map_.std(axis=0, dtype=np.float64).max())
