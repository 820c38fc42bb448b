"""Many studies on a Dask cluster: what is gained, and what a larger cluster would gain.

Checkpoints of a LeNet, from its initial weights to its trained ones, are studied on MNIST: by one
process with one thread, and by two worker processes with one thread each. From the durations of the
studies a simulation predicts the time on any number of workers; it is checked against the run on
two.

    python benchmarks/scale.py model.keras --checkpoints 24 --samples 2000
"""

from __future__ import annotations

import argparse
import heapq
import json
import tempfile
import time
from pathlib import Path

import numpy as np

import unknot

# Workers of the simulated clusters, and the price of a core-hour in dollars.
WORKERS = (1, 2, 10, 100, 1000)
CORE_HOUR = 0.045
# Seconds until a worker that was started has imported everything.
STARTUP = 5.0


def main() -> None:
    """Run both, simulate, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--checkpoints", type=int, default=24)
    parser.add_argument("--samples", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Study the checkpoints in both ways."""
    import distributed

    paths = write_checkpoints(arguments.model, arguments.checkpoints, folder)
    options = {
        "layers": "all",
        "max_samples": arguments.samples,
        "untrained": False,
        "keep_points": False,
    }
    # Kernels are compiled before either is timed.
    unknot.study_many(paths[:1], "mnist", out=folder / "first", n_jobs=1, **options)

    durations: list[float] = []
    started = time.perf_counter()
    unknot.study_many(
        paths,
        "mnist",
        out=folder / "alone",
        n_jobs=1,
        on_study=lambda name, seconds, error: durations.append(seconds),
        **options,
    )
    alone = time.perf_counter() - started

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.submit(_import, pure=False).result()
        started = time.perf_counter()
        unknot.study_many(paths, "mnist", out=folder / "cluster", client=client, **options)
        together = time.perf_counter() - started

    same = all(
        _digests(folder / "alone" / path.stem) == _digests(folder / "cluster" / path.stem)
        for path in paths
    )
    predicted = simulate(durations, 2, startup=STARTUP)
    print(f"{len(paths)} checkpoints, {arguments.samples:,} samples; the same files: {same}")
    print(f"one process, one thread: {alone:.1f} s; a study {np.median(durations):.2f} s (median)")
    print(f"two processes: {together:.1f} s, {alone / together:.2f} times faster")
    print(f"predicted for two: {predicted:.1f} s, {100 * (predicted / together - 1):+.0f} %")
    print("\n| workers | 1,000 checkpoints, minutes | dollars |\n|---|---|---|")
    many = (durations * (1000 // len(durations) + 1))[:1000]
    for workers in WORKERS:
        seconds = simulate(many, workers, startup=STARTUP)
        price = seconds * workers / 3600 * CORE_HOUR
        print(f"| {workers:,} | {seconds / 60:.1f} | {price:.2f} |")


def write_checkpoints(model: Path, count: int, folder: Path) -> list[Path]:
    """Save networks between the initial and the trained weights."""
    import keras

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


def simulate(durations: list[float], n_workers: int, startup: float) -> float:
    """Return when the last of some tasks ends, if each goes to the first worker that is free."""
    free = [startup] * n_workers
    for seconds in durations:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free)


def _import() -> str:
    import keras

    return unknot.__version__ + keras.__version__


def _digests(folder: Path) -> dict[str, str]:
    study = json.loads((folder / "study.json").read_text())
    return {part: part.rpartition("-")[2] for part in study["parts"]}


if __name__ == "__main__":
    main()
