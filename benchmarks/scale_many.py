"""A study of each checkpoint, for `scale.py`: its stages' costs, and the run of all."""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from scale_model import Costs, Found, Measured, Size, Stage, simulate, two_workers

import unknot

# Samples of the small runs, as shares of those of the full one.
SHARES = (1 / 8, 1 / 4, 1 / 2)
LEAST = 100
# Checkpoints of a small run: from the initial to the trained weights, which cost differently.
STUDIED = 4
# What a study does between its stages.
REST = "rest of a study"
OPTIONS = {"layers": "all", "untrained": False, "keep_points": False}


def run(arguments: argparse.Namespace, folder: Path) -> Found:
    """Study checkpoints: few of few samples, then all of all."""
    paths = write_checkpoints(arguments.model, arguments.checkpoints, folder)
    measured, startup, stages = small_runs(paths, arguments.samples, folder)
    costs = Costs(measured)
    duration = sum(costs.seconds(kind, size) for kind, size in stages)
    predicted = simulate([Stage([duration] * len(paths))], 2, startup=startup)

    with two_workers() as client:
        started = time.perf_counter()
        study(paths, folder / "cluster", arguments.samples, client=client)
        together = time.perf_counter() - started
    # Kernels are loaded and the network is compiled before the run in this process is timed.
    study(paths[:1], folder / "first", max(LEAST, arguments.samples // 8), n_jobs=1)
    durations: list[float] = []
    started = time.perf_counter()
    study(
        paths,
        folder / "alone",
        arguments.samples,
        n_jobs=1,
        on_study=lambda name, seconds, error: durations.append(seconds),
    )
    alone = time.perf_counter() - started
    same = all(
        digests(folder / "alone" / path.stem) == digests(folder / "cluster" / path.stem)
        for path in paths
    )
    n_layers = len(unknot.Study.load(folder / "cluster" / paths[-1].stem))
    return Found(
        f"{len(paths)} checkpoints x {n_layers} layers, {arguments.samples:,} samples",
        measured,
        startup,
        predicted,
        together,
        [
            f"one process of one thread: {alone:.1f} s; two are {alone / together:.2f} times "
            "faster, with the start of the workers",
            f"a study: {duration:.2f} s predicted beside another, {np.median(durations):.2f} s "
            "measured alone (median)",
            f"the same files: {same}",
        ],
        {
            "1,000 checkpoints": lambda workers: simulate(
                [Stage([duration] * 1000)], workers, startup=startup
            )
        },
    )


def small_runs(
    paths: list[Path], samples: int, folder: Path
) -> tuple[list[Measured], float, list[tuple[str, Size]]]:
    """Study a few checkpoints of few samples; return costs, start, and what a study consists of.

    Returns
    -------
    measured : list of Measured
    startup : float
        Seconds by which the first study of a worker takes longer than the second.
    stages : list of tuple of str and Size
        The stages of a study of all samples.
    """
    few = [paths[n] for n in np.linspace(0, len(paths) - 1, min(STUDIED, len(paths))).astype(int)]
    least = max(LEAST, int(samples * SHARES[0]))
    measured, seconds, stages = [], [], []
    with two_workers() as client:
        for name in ("first", "second"):
            started = time.perf_counter()
            # Both workers start at the same time, as in the run of all.
            study([paths[0], paths[-1]], folder / f"start-{name}", least, client=client)
            seconds.append(time.perf_counter() - started)
        # Each size once: a study that is there already takes no time.
        for n in sorted({max(LEAST, int(samples * share)) for share in SHARES}):
            durations: dict[str, float] = {}
            out = folder / f"small-{n}"
            study(
                few,
                out,
                n,
                client=client,
                on_study=lambda name, took, error, into=durations: into.update({name: took}),
            )
            for name, whole in durations.items():
                found = unknot.Study.load(out / name)
                measured += stages_of(found, whole)
                stages = [
                    (task.kind, scaled(task.size, samples)) for task in stages_of(found, whole)
                ]
    return measured, max(0.0, seconds[0] - seconds[1]), stages


def stages_of(study: unknot.Study, whole: float) -> list[Measured]:
    """Return the stages of a study, and what is left of its duration."""
    n = len(study.labels)
    features = {name: int(np.prod(study[name].shape)) for name in study}
    found = []
    for label, seconds in study.seconds.items():
        layer, _, stage = label.rpartition(": ")
        d = features.get(layer, 0)
        found.append(Measured(stage, Size(n, d, n if d else 0), seconds))
    rest = whole - sum(task.seconds for task in found)
    return [*found, Measured(REST, Size(n), max(rest, 0.0))]


def scaled(size: Size, samples: int) -> Size:
    """Return a size with other samples."""
    return Size(samples, size.features, samples if size.compared else 0)


def study(paths: list[Path], out: Path, samples: int, **options: Any) -> Any:
    """Study some checkpoints."""
    return unknot.study_many(paths, "mnist", out=out, max_samples=samples, **OPTIONS, **options)


def write_checkpoints(model: Path | None, count: int, folder: Path) -> list[Path]:
    """Save networks between the initial and the trained weights."""
    import keras

    if model is None:
        trained = unknot.networks.lenet()
        unknot.train(trained, unknot.load_dataset("mnist"), epochs=1, progress=False)
    else:
        trained = keras.saving.load_model(model)
    weights = trained.get_weights()
    fresh = keras.models.clone_model(trained).get_weights()
    paths = []
    for number in range(count):
        share = number / max(1, count - 1)
        trained.set_weights(
            [(1 - share) * one + share * other for one, other in zip(fresh, weights, strict=True)]
        )
        paths.append(folder / f"step-{number:03d}.keras")
        trained.save(paths[-1])
    return paths


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a study, but of the durations."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("seconds.json", ".lock")
    }
