"""A study of very many samples by partitions, for `scale.py`: its tasks' costs, and the whole."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
import numpy as np
from scale_model import Costs, Found, Measured, Size, Stage, simulate, two_workers
from store import MEASURES, N_FEATURES, mixture

import unknot
from unknot._cluster import partitions, partitions_of

# Of the samples, the landmarks and the features: the small runs.
SMALL = ((16, 4, 2), (16, 2, 1), (8, 4, 1), (8, 2, 2), (8, 1, 1))
# Partitions of a small run, at least; the double is not exceeded. In smaller ones the samples that
# are placed together are less close to each other, and each is compared with more landmarks.
PARTITIONS = 3
# One after the other, of the landmarks.
OF_LANDMARKS = ("neighbors", "map", "scores")
# Tasks for each partition, one stage after the other.
OF_ALL = ("totals of all", "scores of all", "places of all")
DRIVER = "driver, while no worker works"
FIRST = "first task of a worker: "


@dataclass(frozen=True)
class Timed:
    """A task, as Dask's scheduler tells of it."""

    kind: str
    worker: str
    start: float
    stop: float

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.stop - self.start


def run(arguments: argparse.Namespace, folder: Path) -> Found:
    """Study small mixtures, predict, and study the whole one."""
    measured, startup = small_runs(arguments, folder)
    costs = Costs(measured)

    def predict(samples: int, workers: int, bandwidth: float) -> float:
        stages = stages_of(costs, samples, arguments.landmarks)
        return simulate(stages, workers, startup=startup, bandwidth=bandwidth)

    tasks: list[Timed] = []
    with two_workers(arguments.memory) as client:
        points, labels = mixture(arguments.samples, 5.0, folder / "points.zarr")
        with timed(client, tasks):
            started = time.perf_counter()
            study(points, labels, folder / "whole", arguments.landmarks, arguments, client)
            seconds = time.perf_counter() - started
    busy = sum(task.seconds for task in tasks)
    n_tasks = len(tasks)
    bandwidth = arguments.bandwidth * 1e9
    return Found(
        f"{arguments.samples:,} samples x {N_FEATURES}, {arguments.landmarks:,} landmarks, two "
        f"workers of {arguments.memory}",
        measured,
        startup,
        # One disk, and what was read before is in memory.
        predict(arguments.samples, 2, np.inf),
        seconds,
        [
            *compared(costs, tasks, arguments),
            f"{n_tasks} tasks, {busy:.1f} s of work; the store of the simulation gives "
            f"{arguments.bandwidth:g} GB/s to all workers",
        ],
        {
            f"{samples:,} samples": lambda workers, samples=samples: predict(
                samples, workers, bandwidth
            )
            for samples in (arguments.samples, 50 * arguments.samples)
        },
    )


def small_runs(arguments: argparse.Namespace, folder: Path) -> tuple[list[Measured], float]:
    """Study small mixtures; return costs, and the seconds that a worker needs for its start."""
    measured: list[Measured] = []
    with two_workers() as client:
        # Beside imports, each process loads every kernel once.
        least = sizes_of(arguments, *SMALL[0])
        first = small_run(arguments, *least, folder / "start-first", client)
        second = small_run(arguments, *least, folder / "start-second", client)
        startup = max(0.0, first[1] - second[1])
        for number, shares in enumerate(SMALL):
            sizes = sizes_of(arguments, *shares)
            tasks, seconds, count = small_run(arguments, *sizes, folder / f"small-{number}", client)
            measured += costs_of(tasks, seconds, *sizes, count)
    return measured, startup


def sizes_of(
    arguments: argparse.Namespace, of_samples: int, of_landmarks: int, of_features: int
) -> tuple[int, int, int]:
    """Return samples, landmarks and features of a small run."""
    samples = max(2000, arguments.samples // of_samples)
    landmarks = min(max(400, arguments.landmarks // of_landmarks), samples)
    return samples, landmarks, N_FEATURES // of_features


def small_run(
    arguments: argparse.Namespace,
    samples: int,
    landmarks: int,
    features: int,
    folder: Path,
    client: Any,
) -> tuple[list[Timed], float, int]:
    """Study a mixture; return its tasks, its duration, and the number of partitions."""
    tasks: list[Timed] = []
    folder.mkdir()
    points, labels = mixture(samples, 5.0, folder / "points.zarr", features)
    before = partitions.PARTITION_BYTES
    partitions.PARTITION_BYTES = samples * 4 * features // (2 * PARTITIONS)
    try:
        count = len(partitions_of(samples, 1, 4 * features))
        with timed(client, tasks):
            started = time.perf_counter()
            study(points, labels, folder, landmarks, arguments, client)
            seconds = time.perf_counter() - started
    finally:
        partitions.PARTITION_BYTES = before
    return tasks, seconds, count


def study(
    points: Any,
    labels: Any,
    folder: Path,
    landmarks: int,
    arguments: argparse.Namespace,
    client: Any,
) -> unknot.Study:
    """Study a mixture with a store."""
    return unknot.study(
        {"layer": points},
        (None, labels),
        out=folder / "out",
        store=folder / "store",
        max_samples=landmarks,
        client=client,
        measures=MEASURES,
        max_iter=arguments.max_iter,
        measure_options={"n_resamples": 0, "n_permutations": 0},
        progress=False,
    )


@contextmanager
def timed(client: Any, tasks: list[Timed]) -> Iterator[None]:
    """Add the tasks that are done meanwhile."""
    with distributed.get_task_stream(client) as stream:
        yield
    for each in stream.data:
        computed = [part for part in each["startstops"] if part["action"] == "compute"]
        if computed and each["status"] == "OK":
            kind = str(each["key"]).rpartition("-")[0]
            worker = str(each["worker"])
            tasks.append(Timed(kind, worker, computed[0]["start"], computed[-1]["stop"]))


def costs_of(
    tasks: list[Timed],
    seconds: float,
    samples: int,
    landmarks: int,
    features: int,
    count: int,
) -> list[Measured]:
    """Return the costs of each kind of task in a run: their means, as all are of one size."""
    by_kind = defaultdict(list)
    for task in sorted(tasks, key=lambda task: task.start):
        by_kind[task.kind].append(task)
    found = []
    for kind in OF_LANDMARKS:
        size = size_of(kind, landmarks, landmarks, features)
        found.append(Measured(kind, size, mean([task.seconds for task in by_kind[kind]])))
    for kind in OF_ALL:
        rest, firsts = split(by_kind[kind])
        size = size_of(kind, samples / count, landmarks, features)
        found.append(Measured(kind, size, mean(rest)))
        more = max(0.0, mean(firsts) - mean(rest))
        found.append(Measured(FIRST + kind, Size(landmarks, features), more))
    idle = seconds - union(tasks)
    return [*found, Measured(DRIVER, Size(samples, features), max(idle, 0.0))]


def size_of(kind: str, rows: float, landmarks: int, features: int) -> Size:
    """Return what the cost of a task depends on."""
    compared = landmarks if kind in ("places of all", *OF_LANDMARKS) else 0
    return Size(rows, features, compared)


def split(tasks: list[Timed]) -> tuple[list[float], list[float]]:
    """Return the durations of tasks, and apart those of the first one of each worker."""
    seen: set[str] = set()
    rest, firsts = [], []
    for task in tasks:
        (rest if task.worker in seen else firsts).append(task.seconds)
        seen.add(task.worker)
    return rest or firsts, firsts


def mean(values: list[float]) -> float:
    """Return the mean; an error where there are no values."""
    if not values:
        raise ValueError("a stage had no task: it was renamed, or its tasks failed")
    return float(np.mean(values))


def union(tasks: list[Timed]) -> float:
    """Return the seconds in which at least one task ran."""
    total, until = 0.0, -np.inf
    for task in sorted(tasks, key=lambda task: task.start):
        total += max(0.0, task.stop - max(task.start, until))
        until = max(until, task.stop)
    return total


def stages_of(costs: Costs, samples: int, landmarks: int) -> list[Stage]:
    """Return the stages of a study as the simulation takes them."""
    stages = [Stage([costs.seconds(DRIVER, Size(samples, N_FEATURES))])]
    for kind in OF_LANDMARKS:
        size = size_of(kind, landmarks, landmarks, N_FEATURES)
        stages.append(Stage([costs.seconds(kind, size)]))
    parts = partitions_of(samples, 1, 4 * N_FEATURES)
    for kind in OF_ALL:
        seconds = [
            costs.seconds(kind, size_of(kind, rows.stop - rows.start, landmarks, N_FEATURES))
            for rows in parts
        ]
        first = costs.seconds(FIRST + kind, Size(landmarks, N_FEATURES))
        stages.append(Stage(seconds, first, 4.0 * N_FEATURES * samples))
    return stages


def compared(costs: Costs, tasks: list[Timed], arguments: argparse.Namespace) -> list[str]:
    """Return a line for each kind of task: predicted and measured seconds, of all of them."""
    sums: dict[str, float] = defaultdict(float)
    for task in tasks:
        sums[task.kind] += task.seconds
    lines = []
    parts = partitions_of(arguments.samples, 1, 4 * N_FEATURES)
    for kind in (*OF_LANDMARKS, *OF_ALL):
        rows = [arguments.landmarks]
        if kind in OF_ALL:
            rows = [part.stop - part.start for part in parts]
        expected = sum(
            costs.seconds(kind, size_of(kind, n, arguments.landmarks, N_FEATURES)) for n in rows
        )
        lines.append(f"  {kind}: {expected:.1f} s predicted, {sums[kind]:.1f} s measured")
    return ["work, all tasks together:", *lines]
