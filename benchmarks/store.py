"""A study of more samples than its workers hold: memory, exactness, and what landmarks lose.

Points of a mixture are written to disk, and studied by two worker processes of limited memory with
`unknot.study(store=...)`. Printed are the peak memory of the workers, the largest relative
difference of the exact scores from those of all points in memory, and the Neighborhood Hit of the
map of all samples; with ``--direct``, also that of a t-SNE of all samples at once.

    python benchmarks/store.py --samples 2000000 --landmarks 20000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import unknot

N_FEATURES = 64
N_CLASSES = 10
PARTS_OF_A_CLASS = 4
# Exact over any number of samples.
MEASURES = (
    "nc1",
    "nc2",
    "class_distance_variance",
    "davies_bouldin",
    "calinski_harabasz",
    "fisher_ratio",
    "participation_ratio",
    "distance_consistency",
)


def main() -> None:
    """Run it, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2_000_000)
    parser.add_argument("--landmarks", type=int, default=20_000)
    parser.add_argument("--memory", default="700MB", help="limit of a worker")
    parser.add_argument("--separation", type=float, default=5.0, help="of the centers of parts")
    parser.add_argument("--max-iter", type=int, default=500)
    parser.add_argument("--direct", action="store_true", help="also fit all samples at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compare(arguments, Path(folder)), indent=2))


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Study the mixture, and compare with all points in memory."""
    import distributed
    import zarr

    points, labels = mixture(arguments.samples, arguments.separation, folder / "points.zarr")
    options = {
        "measures": MEASURES,
        "max_iter": arguments.max_iter,
        "measure_options": {"n_resamples": 0, "n_permutations": 0},
        "progress": False,
    }
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit=arguments.memory,
            dashboard_address=":0",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = set(client.run(os.getpid).values())
        started = time.perf_counter()
        study = unknot.study(
            {"layer": points},
            (None, labels),
            out=folder / "out",
            store=folder / "store",
            max_samples=arguments.landmarks,
            client=client,
            **options,
        )
        seconds = time.perf_counter() - started
        used = client.run(peak_and_cpu)
        # Dask replaces a worker that is killed for its memory, under the same name.
        restarts = sum(pid not in pids for pid in client.run(os.getpid).values())
    layer = study["layer"]
    placed = zarr.open_array(str(folder / "store" / layer.density.placed), mode="r")[:]
    everything = points[:]
    exact = unknot.measure(everything, labels, measures=MEASURES, n_resamples=0, n_permutations=0)
    found = study.controls["all samples"]["layer"]
    result = {
        "samples": arguments.samples,
        "landmarks": arguments.landmarks,
        "seconds": round(seconds, 1),
        "worker peak MB": [round(peak) for peak, _ in used.values()],
        "worker CPU seconds": [round(cpu) for _, cpu in used.values()],
        "restarts": restarts,
        "largest relative difference": max(
            abs(found[name].value - exact[name].value) / abs(exact[name].value) for name in MEASURES
        ),
        "NH of the map of all": hit(placed, labels),
        "NH of the landmarks' map": hit(layer.map, study.labels),
    }
    if arguments.direct:
        tsne = unknot.TSNE(max_iter=arguments.max_iter, random_state=0)
        result["NH of a direct fit"] = hit(tsne.fit_transform(everything), labels)
    return result


def mixture(
    n_samples: int, separation: float, path: Path, n_features: int = N_FEATURES
) -> tuple[Any, Any]:
    """Write points of overlapping classes, each of several parts."""
    import zarr

    rng = np.random.default_rng(0)
    labels = rng.integers(0, N_CLASSES, n_samples)
    parts = rng.integers(0, PARTS_OF_A_CLASS, n_samples)
    centers = separation * rng.normal(size=(N_CLASSES, PARTS_OF_A_CLASS, n_features))
    stored = zarr.create_array(
        str(path),
        shape=(n_samples, n_features),
        chunks=(65_536, n_features),
        dtype="float32",
        compressors=None,
    )
    # Fewer directions than features, as in a layer of a network.
    mix = rng.normal(size=(16, n_features)) / 4
    for start in range(0, n_samples, 65_536):
        rows = slice(start, min(start + 65_536, n_samples))
        around = centers[labels[rows], parts[rows]] @ np.linalg.pinv(mix) @ mix
        spread = rng.normal(size=(rows.stop - rows.start, 16)) @ mix * 1.5
        stored[rows] = (around + spread).astype(np.float32)
    return stored, labels


def peak_and_cpu() -> tuple[float, float]:
    """Return this process's peak memory in MB and its CPU seconds."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, time.process_time()


def hit(map_: Any, labels: Any) -> float:
    """Return the Neighborhood Hit of a map."""
    return float(unknot.metrics.neighborhood_hit(map_, labels, k=6).value)


if __name__ == "__main__":
    main()
