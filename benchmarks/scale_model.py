"""A model of what the tasks of a study cost, fitted to measured ones, and a simulation of workers.

A task of some kind takes ``a + b n + c n d + e n m`` seconds for n samples of d features, each
compared with m others. The four coefficients are not negative, and fitted so that relative errors
are small: a task of a second counts as much as one of a minute.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import distributed
import numpy as np
from scipy.optimize import nnls

# What a task measures at least: shorter ones are noise.
SHORTEST = 1e-3


class Size(NamedTuple):
    """What the cost of a task depends on: samples, features, and points compared with each."""

    samples: float
    features: float = 0.0
    compared: float = 0.0

    @property
    def terms(self) -> tuple[float, float, float, float]:
        """The terms of the model."""
        n, d, m = self
        return 1.0, n, n * d, n * m


@dataclass(frozen=True)
class Measured:
    """A task that was timed."""

    kind: str
    size: Size
    seconds: float


class Costs:
    """The fitted seconds of tasks, by their kind."""

    def __init__(self, measured: Iterable[Measured]) -> None:
        by_kind: dict[str, list[Measured]] = defaultdict(list)
        for task in measured:
            by_kind[task.kind].append(task)
        self._weights = {kind: _fit(tasks) for kind, tasks in by_kind.items()}
        self._tasks = dict(by_kind)

    def seconds(self, kind: str, size: Size) -> float:
        """Return what a task takes."""
        if kind not in self._weights:
            raise KeyError(f"{kind!r} was not measured; there are {', '.join(self._weights)}")
        return float(self._weights[kind] @ np.array(size.terms))

    def __contains__(self, kind: object) -> bool:
        return kind in self._weights

    def rows(self) -> list[tuple[str, int, float, Sequence[float]]]:
        """Return each kind with its number of tasks, the median relative error, and the weights."""
        found = []
        for kind, tasks in self._tasks.items():
            errors = [
                abs(self.seconds(kind, task.size) / max(task.seconds, SHORTEST) - 1)
                for task in tasks
            ]
            found.append((kind, len(tasks), float(np.median(errors)), self._weights[kind]))
        return found


def _fit(tasks: Sequence[Measured]) -> np.ndarray:
    seconds = np.maximum([task.seconds for task in tasks], SHORTEST)
    terms = np.array([task.size.terms for task in tasks])
    # Each term relative to its largest value: else the solver sees columns of 1 and of 1e10.
    scale = np.maximum(terms.max(axis=0), 1.0)
    weights, _ = nnls(terms / scale / seconds[:, None], np.ones(len(tasks)))
    return weights / scale


@dataclass(frozen=True)
class Stage:
    """Tasks that wait for all tasks of the stage before.

    Attributes
    ----------
    seconds : sequence of float
    first : float
        What the first task of each worker takes in addition, as for reading what it keeps.
    n_bytes : float
        What all of its tasks read and write.
    """

    seconds: Sequence[float]
    first: float = 0.0
    n_bytes: float = 0.0


def simulate(
    stages: Iterable[Stage], n_workers: int, *, startup: float = 0.0, bandwidth: float = np.inf
) -> float:
    """Return when the last task ends.

    All workers start at once, as they are all asked for their version before the first task. Each
    task goes to the worker that is free first. A stage takes at least as long as its bytes take
    through the bandwidth that all workers share.
    """
    now = startup
    for stage in stages:
        free = [(now, number) for number in range(n_workers)]
        taken: set[int] = set()
        end = now
        for seconds in stage.seconds:
            at, number = heapq.heappop(free)
            at += seconds
            if number not in taken:
                taken.add(number)
                at += stage.first
            end = max(end, at)
            heapq.heappush(free, (at, number))
        now = max(end, now + stage.n_bytes / bandwidth)
    return now


@dataclass
class Found:
    """What is to be printed."""

    title: str
    measured: list[Measured]
    startup: float
    predicted: float
    seconds: float
    remarks: list[str] = field(default_factory=list)
    tables: dict[str, Callable[[int], float]] = field(default_factory=dict)


@contextmanager
def two_workers(memory: Any = 0) -> Iterator[Any]:
    """Start two processes of one thread each; yield a client."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=memory
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
