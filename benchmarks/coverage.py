"""Whether the 95 % intervals cover: how often they hold a score's mean over new samples.

    python benchmarks/coverage.py [--points 500 1000 2000] [--samples 150] [--populations PATTERN]
        [--measures NAME ...] [--lab DIR] [--data FILE.npz ...] [--out results/coverage.md]

Populations are MNIST's pixels, both hidden layers of the lab (``--lab``: a folder of `unknot lab`),
random features of the pixels, and Gaussian mixtures: compact and equal (iso), of unequal shapes and
sizes (aniso, imbal), with heavy tails (t3) and hardly overlapping (far). Real ones are simple
random samples of the 60,000 training images. ``--data`` takes others instead: npz files
with points and labels, such as those of `unseen_data.py`, on which nothing was tuned. Of every
sample all scores are computed; scores of a map, with ``--maps``, of a t-SNE of each sample.

A cell is the coverage in percent of the mean over all samples, and the mean width of the intervals
over 3.92 standard deviations of the score. Their own error: 100 samples know a coverage of 95 % to
±2 %.
"""

if __name__ == "coverage":
    raise ImportError("this is a script; Numba looks for the library of its name")

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

import unknot

NATIVE = (
    "neighborhood_hit",
    "distance_consistency",
    "silhouette",
    "davies_bouldin",
    "calinski_harabasz",
    "linear_probe",
    "nc1",
    "nc2",
    "class_distance_variance",
    "two_nn",
    "participation_ratio",
    "knn_accuracy",
    "fisher_ratio",
    "alignment",
    "uniformity",
)
ALLOWED = 92.0, 98.0
SIZES = {"imbal": (0.7, 0.2, 0.09, 0.01), "aniso": (0.3, 0.2, 0.15, 0.1, 0.1, 0.06, 0.05, 0.04)}


@cache
def real(name, lab):
    """Return the points of all images, or of a file, and their classes."""
    if name.endswith(".npz"):
        with np.load(name) as arrays:
            return arrays["points"].astype(np.float32), arrays["labels"]
    data = unknot.load_dataset("mnist").train
    pixels = data.inputs.reshape(len(data.inputs), -1)
    if name == "pixels":
        return pixels, data.labels
    if name == "tanh":
        rng = np.random.default_rng([7, 0])
        weights = rng.normal(size=(pixels.shape[1], 100)) / 8.0
        return np.tanh((pixels - pixels.mean(axis=0)) @ weights).astype(np.float32), data.labels
    model = unknot.load_model(Path(lab) / "models" / f"{name}.keras")
    return unknot.extract(model, data.inputs, ["fc1"], progress=False)["fc1"], data.labels


def gaussian(name, n, rng):
    """Draw a sample of a mixture; its parameters are the same for every sample."""
    fixed = np.random.default_rng([8, sum(map(ord, name))])
    shares = np.array(SIZES.get(name, (0.1,) * 10))
    features = {"iso": 50, "aniso": 60, "imbal": 20, "t3": 30, "far": 50}[name]
    apart = {"iso": 0.45, "aniso": 0.9, "imbal": 0.7, "t3": 0.9, "far": 0.85}[name]
    means = apart * fixed.normal(size=(len(shares), features))
    scales = np.exp(fixed.normal(size=(len(shares), features)) * (0.7 if name == "aniso" else 0.0))
    labels = rng.choice(len(shares), size=n, p=shares)
    noise = rng.normal(size=(n, features))
    if name == "t3":
        noise /= np.sqrt(rng.chisquare(3, size=n) / 3.0)[:, None]
    return means[labels] + noise * scales[labels], labels


def draw(name, lab, n, number):
    """Return one sample; one with a class of a single point is drawn again."""
    for attempt in range(100):
        rng = np.random.default_rng([n, number, attempt])
        if name in ("pixels", "tanh", "perceptron", "lenet") or name.endswith(".npz"):
            points, labels = real(name, lab)
            rows = rng.choice(len(labels), size=n, replace=False)
            points, labels = points[rows], labels[rows]
        else:
            points, labels = gaussian(name, n, rng)
        if np.bincount(labels)[np.unique(labels)].min() > 1:
            return points, labels
    raise ValueError(f"{name}: no sample of {n} points has two of each class")


def measured(task):
    """Return value, interval and degrees of freedom of each score of one sample."""
    name, lab, n, number, measures, with_map = task
    warnings.simplefilter("ignore")
    points, labels = draw(name, lab, n, number)
    map_ = None
    if with_map:
        map_ = unknot.TSNE(random_state=0, n_jobs=1).fit_transform(points)
    scores = unknot.measure(points, labels, map_, measures, n_permutations=0, n_jobs=1)
    return {
        key: (score.value, *score.interval, score.df or np.inf)
        for key, score in scores.items()
        if score.interval is not None
    }


def coverage(rows):
    """Return, for each score, its coverage in percent, relative width and median of the df."""
    table = {}
    for key in rows[0]:
        value, low, high, df = np.array([row[key] for row in rows if key in row]).T
        spread = value.std(ddof=1)
        hits = 100.0 * np.mean((low <= value.mean()) & (value.mean() <= high))
        width = (high - low).mean() / (3.92 * spread) if spread > 0 else np.inf
        table[key] = hits, width, float(np.median(df))
    return table


def main():
    """Print one table for each number of points."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--samples", type=int, default=150)
    parser.add_argument(
        "--populations", default="pixels|tanh|perceptron|lenet|iso|aniso|imbal|t3|far"
    )
    parser.add_argument("--measures", nargs="+", default=list(NATIVE))
    parser.add_argument("--lab", default="unknot-lab")
    parser.add_argument("--data", nargs="+", default=[], metavar="FILE.npz")
    parser.add_argument("--maps", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = options.data or options.populations.split("|")
    if not (Path(options.lab) / "models").exists():
        names = [name for name in names if name not in ("perceptron", "lenet")]
    lines = []
    for n in options.points:
        found, start = {}, time.perf_counter()
        for name in names:
            tasks = [
                (name, options.lab, n, number, options.measures, options.maps)
                for number in range(options.samples)
            ]
            with ProcessPoolExecutor(options.workers) as pool:
                found[name] = coverage(list(pool.map(measured, tasks, chunksize=5)))
        lines += [
            f"\n**n = {n:,}**, {options.samples} samples\n",
            f"| score | {' | '.join(Path(name).stem for name in names)} |",
        ]
        lines.append("|---" * (len(names) + 1) + "|")
        cells = good = 0
        for key in dict.fromkeys(key for table in found.values() for key in table):
            row = []
            for name in names:
                if key not in found[name]:
                    row.append("")
                    continue
                hits, width, df = found[name][key]
                cells, good = cells + 1, good + (ALLOWED[0] <= hits <= ALLOWED[1])
                text = f"{hits:.0f} / {width:.2f}" + (f" (df {df:.0f})" if df < 15 else "")
                row.append(text if ALLOWED[0] <= hits <= ALLOWED[1] else f"**{text}**")
            lines.append(f"| {key} | {' | '.join(row)} |")
        lines.append(f"\n{good} of {cells} cells cover {ALLOWED[0]:.0f} to {ALLOWED[1]:.0f} %.")
        print("\n".join(lines[-len(found[names[0]]) - 6 :]), flush=True)
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines).strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
