"""Whether the 95 % intervals of transitions cover: how often they hold a score's mean.

    python benchmarks/coverage_transitions.py [--points 500 1000] [--samples 150] [--data FILE.npz]

Populations are two layers and a map of each: MNIST's pixels and 100 random features of them (tanh),
those features and 50 of these, and Gaussian mixtures with a second layer that is a function of the
first (curved), or noisy as well (noisy). Real ones are simple random samples of the 60,000 training
images. Maps are fixed functions of the points, two principal components of each layer of the
population, aligned: an interval of a score of a map is for that map.

A cell is the coverage in percent of the mean over all samples, and the mean width of the intervals
over 3.92 standard deviations of the score. Their own error: 150 samples know a coverage of 95 % to
±1.8 %.
"""

import argparse
import warnings
from functools import cache

import numpy as np

import unknot
from unknot.metrics import Previous
from unknot.projection import align_map

POPULATIONS = ("pixels-tanh", "tanh-tanh", "curved", "noisy")
SIZE = 60_000


@cache
def population(name, data):
    """Return both layers of a population, their maps and the labels."""
    rng = np.random.default_rng(5)
    if name in ("pixels-tanh", "tanh-tanh"):
        train = unknot.load_dataset(data).train
        pixels = train.inputs.reshape(len(train.inputs), -1)
        labels = train.labels
        layers = [pixels]
        for width in (100, 50):
            weights = rng.normal(size=(layers[-1].shape[1], width)) * 4.0
            centered = layers[-1] - layers[-1].mean(axis=0)
            layers.append(np.tanh(centered @ weights / np.sqrt(len(weights))).astype(np.float32))
        before, points = layers[:2] if name == "pixels-tanh" else layers[1:]
    else:
        labels = rng.integers(8, size=SIZE)
        before = rng.normal(size=(SIZE, 10)) + 1.2 * rng.normal(size=(8, 10))[labels]
        points = np.tanh(before @ rng.normal(size=(10, 10)) / 3.0)
        if name == "noisy":
            points = points + 0.3 * rng.normal(size=points.shape)
    maps = [unknot.PCA().fit_transform(each.astype(np.float32)) for each in (points, before)]
    return points, before, maps[0], align_map(maps[1], maps[0], scale=True), labels


def measured(name, data, n, number):
    """Return value and interval of each score of one sample."""
    points, before, map_, map_before, labels = population(name, data)
    rows = np.random.default_rng([n, number]).choice(len(labels), size=n, replace=False)
    graph, previous = (unknot.nearest_neighbors(each[rows], 40) for each in (points, before))
    scores = unknot.measure(
        points[rows],
        labels[rows],
        map_[rows],
        "transition",
        graph=graph,
        previous=Previous(previous, map_before[rows]),
        n_permutations=0,
    )
    return {key: (score.value, *score.interval) for key, score in scores.items()}


def main():
    """Print one table for each number of points."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--samples", type=int, default=150)
    parser.add_argument("--populations", default="|".join(POPULATIONS))
    parser.add_argument("--data", default="mnist")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.populations.split("|")
    for n in options.points:
        cells = {}
        for name in names:
            rows = [measured(name, options.data, n, i) for i in range(options.samples)]
            for key in rows[0]:
                value, low, high = np.array([row[key] for row in rows]).T
                held = 100.0 * np.mean((low <= value.mean()) & (value.mean() <= high))
                width = (high - low).mean() / (3.92 * value.std(ddof=1))
                cells.setdefault(key, []).append(f"{held:.0f} / {width:.2f}")
        print(f"\n**n = {n:,}**, {options.samples} samples\n")
        print(f"| score | {' | '.join(names)} |")
        print(f"|---|{'---|' * len(names)}")
        for key, row in cells.items():
            print(f"| {key} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
