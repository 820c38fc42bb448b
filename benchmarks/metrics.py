"""Seconds and memory of the measures, on MNIST's 60,000 training images; every answer is checked.

    python benchmarks/metrics.py [--points 60000] [--rounds 3]

Where another library or a slow form computes the same, it is timed in the same run, and the ratio
is reported. Kernels are compiled before the clock starts.
"""

import argparse
import resource
import statistics
import sys
import time
import warnings

import numpy as np
from scipy.optimize import nnls
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier

import unknot
from unknot import metrics
from unknot.metrics._shared.kernels_capacity import anchors

FAMILIES = (
    "neighborhood",
    "faithfulness",
    "clusters",
    "shape",
    "linear",
    "collapse",
    "dimension",
    "similarity",
)


def seconds(task, rounds):
    """Return the median of the rounds, and the last result."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = task()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def report(name, spent, bar=None, ratio=None):
    text = f"{name:52s} {spent:8.3f} s"
    if bar is not None:
        text += f"   bar {bar:g} s: {'met' if spent <= bar else 'MISSED'}"
    if ratio is not None:
        text += f"   {ratio}"
    print(text, flush=True)


def from_a_ready_graph(points, labels, graph, rounds):
    """Neighborhood Hit, confusion and TwoNN from a precomputed graph."""

    def task():
        return (
            metrics.neighborhood_hit(points, labels, graph=graph),
            metrics.neighbor_confusion(points, labels, graph=graph),
            metrics.two_nn(points, graph=graph),
        )

    task()
    spent, (hit, confusion, dimension) = seconds(task, rounds)
    same = labels[graph.indices[:, :6]] == labels[:, None]
    assert abs(hit.value - same.mean()) < 1e-9
    np.testing.assert_allclose(confusion.per_pair.diagonal(), hit.per_class)
    assert 1 < dimension.value < 30
    report("Neighborhood Hit, confusion and TwoNN from a graph", spent, bar=0.2)


def hit_against_scikit_learn(labels, map_, rounds):
    """The lab's measure of a map, with its search, against scikit-learn's k-NN."""
    metrics.neighborhood_hit(map_, labels)
    ours, hit = seconds(lambda: metrics.neighborhood_hit(map_, labels), rounds)

    def theirs_task():
        near = KNeighborsClassifier(6).fit(map_, labels).kneighbors(return_distance=False)
        return (labels[near] == labels[:, None]).mean()

    theirs, expected = seconds(theirs_task, 1)
    assert abs(hit.value - expected) < 1e-4
    report("Neighborhood Hit of a map", ours, ratio=f"scikit-learn / ours {theirs / ours:.1f}")


def silhouette_against_scikit_learn(points, labels, rounds):
    some = slice(0, 5000)
    metrics.silhouette(points[:500], labels[:500])
    ours, result = seconds(lambda: metrics.silhouette(points[some], labels[some]), rounds)
    theirs, expected = seconds(lambda: silhouette_score(points[some], labels[some]), rounds)
    assert abs(result.value - expected) < 1e-5
    report("silhouette of 5,000 points", ours, ratio=f"scikit-learn / ours {theirs / ours:.1f}")


def capacity(points, labels, rounds):
    """Ten classes of 50 points, and the projections only against SciPy's least squares."""
    rows = np.concatenate([np.flatnonzero(labels == c)[:50] for c in range(10)])
    few, own = points[rows], labels[rows]
    metrics.manifold_capacity(few, own, random_state=0)
    spent, result = seconds(lambda: metrics.manifold_capacity(few, own, random_state=0), rounds)
    assert 0.05 < result.capacity < 0.3
    report("manifold capacity, 10 classes of 50 points", spent, bar=0.5)
    manifold = np.column_stack([np.random.default_rng(0).normal(size=(50, 49)), np.ones(50)])
    draws = np.random.default_rng(1).normal(size=(200, 50))
    found = np.empty_like(draws)
    gram = manifold @ manifold.T
    ours, failed = seconds(lambda: anchors(manifold, gram, draws, 0.0, found), rounds)

    def slow():
        out = np.empty_like(draws)
        for i, draw in enumerate(draws):
            weights, _ = nnls(manifold.T, draw)
            out[i] = weights @ manifold / weights.sum()
        return out

    theirs, expected = seconds(slow, rounds)
    assert failed == 0
    np.testing.assert_allclose(found, expected, atol=1e-8)
    report(
        "200 projections on a cone of 50 points", ours, ratio=f"scipy / ours {theirs / ours:.1f}"
    )


def suite(points, labels, map_):
    """All measures but the capacity, with intervals and null, and the neighbors' search."""
    unknot.measure(points[:500], labels[:500], map_[:500], FAMILIES)
    start = time.perf_counter()
    scores = unknot.measure(points, labels, map_, FAMILIES)
    spent = time.perf_counter() - start
    assert not scores.skipped
    assert 0.9 < scores["neighborhood_hit"].value <= 1
    assert all(np.isfinite(score.value) for score in scores.values())
    report(f"whole suite without capacity, {len(points):,} points", spent, bar=60.0)
    for name, value in scores.shared_seconds.items():
        report(f"    {name}", value)
    for name, score in sorted(scores.items(), key=lambda item: -item[1].seconds)[:5]:
        report(f"    {name}", score.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", metrics.MeasureWarning)
    train = unknot.load_dataset("mnist").train
    points = np.asarray(train.inputs, dtype=np.float32).reshape(len(train.inputs), -1)
    points, labels = points[: arguments.points], np.asarray(train.labels)[: arguments.points]
    map_ = unknot.PCA(n_components=2).fit_transform(points)
    suite(points, labels, map_)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gigabytes = peak * (1 if sys.platform == "darwin" else 1024) / 1e9
    print(f"peak memory {gigabytes:.2f} GB   bar 2 GB: {'met' if gigabytes <= 2 else 'MISSED'}")
    from_a_ready_graph(points, labels, unknot.nearest_neighbors(points, 10), arguments.rounds)
    hit_against_scikit_learn(labels, map_, arguments.rounds)
    silhouette_against_scikit_learn(points, labels, arguments.rounds)
    capacity(points, labels, arguments.rounds)


if __name__ == "__main__":
    main()
