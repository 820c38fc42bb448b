"""The home-made parts of `unknot.metrics` against the libraries that could stand in for them.

    python benchmarks/home_made.py                    # both parts, all sizes
    python benchmarks/home_made.py --parts polygons --rounds 9

Needs `pip install -e ".[bench]"`. The linear probe against scikit-learn's `LogisticRegression`: the
same points, folds and penalty; every run is a process of its own, and the two take turns; CPU
seconds are those of all threads, which a busy machine disturbs less than wall-clock time. Areas and
overlaps of convex hulls against shapely: the two take turns in one process. Both answers are
checked against each other. Kernels are compiled before the clock starts. The tables go into
`docs/benchmarks.md`.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from tsne_engines import peak_bytes

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PROBE_SIZES = (2_000, 60_000)
MAP_SIZES = ((2_000, 10), (60_000, 10), (60_000, 100))
HULLS = {"hulls": 1.0, "peeled hulls": 0.95}
N_FOLDS = 5


def mnist(n_samples):
    import unknot

    train = unknot.load_dataset("mnist").train
    points = np.asarray(train.inputs[:n_samples], dtype=np.float32).reshape(n_samples, -1)
    return points, np.asarray(train.labels[:n_samples], dtype=np.int64)


def probe_unknot(points, labels):
    from unknot.metrics import linear_probe

    linear_probe(points[:200], labels[:200])
    yield
    yield linear_probe(points, labels, n_folds=N_FOLDS, random_state=0).value


def probe_sklearn(points, labels):
    from sklearn.linear_model import LogisticRegression

    from unknot.metrics.linear import PENALTY, assign_folds

    folds = assign_folds(labels, N_FOLDS, 0)
    yield
    # The scale on which `linear_probe` defines its penalty.
    x = points - points.mean(axis=0)
    x /= np.sqrt(np.square(x).mean())
    right = 0
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        model = LogisticRegression(C=1 / PENALTY, max_iter=1000).fit(x[train], labels[train])
        right += (model.predict(x[test]) == labels[test]).sum()
    yield right / len(labels)


PROBES = {"unknot": probe_unknot, "scikit-learn": probe_sklearn}


def run_probe(name, n_samples):
    warnings.simplefilter("ignore")
    steps = PROBES[name](*mnist(n_samples))
    next(steps)
    start, cpu_start = time.perf_counter(), time.process_time()
    accuracy = float(next(steps))
    record = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        "peak_bytes": peak_bytes(),
        "accuracy": accuracy,
    }
    print(json.dumps(record))


def race_probes(n_samples, rounds):
    runs = {name: [] for name in PROBES}
    for _ in range(rounds):
        for name in PROBES:
            command = [sys.executable, __file__, "--run", name, str(n_samples)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(n_samples, name, runs[name][-1], flush=True)
    ours, theirs = (runs[name][0]["accuracy"] for name in PROBES)
    assert abs(ours - theirs) <= 0.002, (ours, theirs)
    return runs


def probe_table(rounds):
    lines = [
        "| points | | seconds | CPU seconds | times unknot's (CPU) | accuracy | peak memory, GB "
        "| runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n_samples in PROBE_SIZES:
        runs = race_probes(n_samples, rounds)
        ratio = median(
            theirs["cpu_seconds"] / ours["cpu_seconds"]
            for ours, theirs in zip(runs["unknot"], runs["scikit-learn"], strict=True)
        )
        for name, records in runs.items():
            seconds, cpu, accuracy, peak = (
                median(record[key] for record in records)
                for key in ("seconds", "cpu_seconds", "accuracy", "peak_bytes")
            )
            lines.append(
                f"| {n_samples:,} x 784 | {name} | {seconds:.1f} | {cpu:.1f} "
                f"| {1 if name == 'unknot' else ratio:.1f} | {accuracy:.4f} | {peak / 1e9:.2f} "
                f"| {rounds} |"
            )
    return lines


def map_of(n_samples, n_classes):
    """MNIST by PCA with its labels; or that many Gaussian classes that overlap a little."""
    if n_classes == 10:
        from unknot import PCA

        points, labels = mnist(n_samples)
        return np.asarray(PCA(2).fit_transform(points), dtype=np.float64), labels
    rng = np.random.default_rng(0)
    labels = np.arange(n_samples) % n_classes
    centers = rng.uniform(0, 40, size=(n_classes, 2))
    return centers[labels] + rng.normal(size=(n_samples, 2)), labels


def hulls_unknot(map_, labels, depth):
    from unknot.metrics.shapes import hulls_from_map

    hulls = hulls_from_map(map_, labels, np.unique(labels), depth)
    return hulls.areas, hulls.overlap


def hulls_shapely(map_, labels, depth):
    import shapely

    order = np.argsort(labels, kind="stable")
    if depth == 1.0:
        # Lines through the points of each class: they have the same hulls as multipoints, and
        # shapely builds them in a tenth of the time.
        hulls = shapely.convex_hull(shapely.linestrings(map_[order], indices=labels[order]))
    else:
        classes = np.split(map_[order], np.cumsum(np.bincount(labels))[:-1])
        hulls = np.array([peeled_shapely(points, depth) for points in classes])
    areas = shapely.area(hulls)
    first, second = np.triu_indices(len(hulls), 1)
    overlap = np.eye(len(hulls))
    shared = shapely.area(shapely.intersection(hulls[first], hulls[second]))
    overlap[first, second] = shared / np.minimum(areas[first], areas[second])
    return areas, np.maximum(overlap, overlap.T)


def peeled_shapely(points, depth):
    """The hull of what is left when outer layers go while that share of the points remains."""
    import shapely

    fewest = np.ceil(depth * len(points) - 1e-9)
    left = np.ascontiguousarray(points).view(np.complex128).ravel()
    while True:
        hull = shapely.convex_hull(shapely.linestrings(left.view(np.float64).reshape(-1, 2)))
        corners = np.ascontiguousarray(shapely.get_coordinates(hull)).view(np.complex128).ravel()
        inside = left[~np.isin(left, corners)]
        if len(inside) < fewest:
            return hull
        left = inside


def polygon_table(rounds):
    lines = [
        "| points | classes | | unknot, ms | shapely, ms | ratio | largest difference | runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (n_samples, n_classes), (what, depth) in itertools.product(MAP_SIZES, HULLS.items()):
        map_, labels = map_of(n_samples, n_classes)
        expected, found = (task(map_, labels, depth) for task in (hulls_shapely, hulls_unknot))
        apart = float(np.abs(found[0] / expected[0] - 1).max())
        apart = max(apart, float(np.abs(found[1] - expected[1]).max()))
        assert apart < 1e-9, apart
        ours, theirs = [], []
        for _ in range(rounds):
            for task, seconds in ((hulls_unknot, ours), (hulls_shapely, theirs)):
                start = time.perf_counter()
                task(map_, labels, depth)
                seconds.append(time.perf_counter() - start)
        ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
        lines.append(
            f"| {n_samples:,} | {n_classes} | {what} | {1e3 * median(ours):.1f} "
            f"| {1e3 * median(theirs):.1f} | {ratio:.1f} | {apart:.0e} | {rounds} |"
        )
        print(lines[-1], flush=True)
    return lines


PARTS = {"probe": (probe_table, 3), "polygons": (polygon_table, 15)}


def write(part, lines):
    begin, end = f"<!-- home-made {part}: begin -->\n", f"<!-- home-made {part}: end -->"
    before, found, rest = PAGE.read_text().partition(begin)
    assert found, f"{PAGE.name} has no table of this name: {part}"
    text = "\n".join(lines)
    PAGE.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, help="3 of the probe and 15 of the polygons")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_probe(options.run[0], int(options.run[1]))
        return
    for part in options.parts:
        table, rounds = PARTS[part]
        lines = table(options.rounds or rounds)
        print("\n".join(lines), flush=True)
        write(part, lines)


if __name__ == "__main__":
    main()
