"""GLUE against its definition in NumPy and SciPy, in the same run.

    python benchmarks/glue.py                # MNIST's pixels, and spheres
    python benchmarks/glue.py --rounds 9

The definition solves each draw's non-negative least squares by `scipy.optimize.nnls`, keeps every
anchor point, and takes a pseudo-inverse of each draw's Gram matrices. Both get the same directions
and dichotomies, and have to agree to 1e-8. The two take turns; the definition does a part of the
draws, and its time is scaled to all of them. Kernels are compiled before the clock starts.
"""

import argparse
import os
import time
import warnings
from statistics import median

import numpy as np

N_DRAWS = 200
N_NAIVE = 20


def pixels():
    """Fifty images of each digit."""
    import unknot

    test = unknot.load_dataset("mnist").test
    labels = np.asarray(test.labels)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:50] for digit in range(10)])
    return np.asarray(test.inputs, np.float64).reshape(len(labels), -1)[rows], labels[rows]


def spheres(n_classes, n_points, n_features, n_axes=4):
    rng = np.random.default_rng(0)
    scale = n_features**-0.5
    axes = rng.normal(0, scale, size=(n_classes, n_axes, n_features))
    points = np.einsum("pmd,pdn->pmn", rng.normal(size=(n_classes, n_points, n_axes)), axes)
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    points += rng.normal(0, scale, size=(n_classes, 1, n_features))
    return points.reshape(-1, n_features), np.repeat(np.arange(n_classes), n_points)


CASES = {
    "MNIST, 10 x 50 x 784": pixels,
    "spheres, 16 x 60 x 300": lambda: spheres(16, 60, 300),
    "spheres, 2 x 200 x 1000": lambda: spheres(2, 200, 1000),
}


def run_naive(points, labels, n_draws):
    """Return capacity, dimension, radius and utility by their definition."""
    from scipy.optimize import nnls

    from unknot.metrics._shared.dichotomies import draw_dichotomies, streams

    classes = np.unique(labels)
    _, sides, directions = streams(0)
    signs = draw_dichotomies("balanced", n_draws, len(classes), sides)
    directions = directions.normal(size=(points.shape[1], n_draws)).T
    anchors = np.zeros((n_draws, len(classes), points.shape[1]))
    for d in range(n_draws):
        own = signs[d][np.searchsorted(classes, labels)]
        multipliers, _ = nnls((points * own[:, None]).T, directions[d], maxiter=20_000)
        for c, name in enumerate(classes):
            of_class = multipliers[labels == name]
            if of_class.sum() > 1e-12:
                anchors[d, c] = of_class @ points[labels == name] / of_class.sum()
    centers = anchors.mean(axis=0)

    def form(along, gram):
        return along @ np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ along

    forms = np.empty((3, n_draws))
    for d, t in enumerate(directions):
        s, axes = anchors[d], anchors[d] - centers
        forms[0, d] = form(s @ t, s @ s.T)
        forms[1, d] = form(axes @ t, axes @ axes.T)
        forms[2, d] = form(axes @ t, centers @ centers.T + axes @ axes.T)
    a, b, c = forms.mean(axis=1)
    return np.array([len(classes) / a, b / len(classes), np.sqrt(c / (b - c)), c / a])


def run_unknot(points, labels, n_draws):
    from unknot.metrics import glue

    found = glue(points, labels, n_draws=n_draws, max_samples_per_class=None)
    return np.array([found.capacity, found.dimension, found.radius, found.utility])


def timed(run, *arguments):
    start = time.perf_counter()
    found = run(*arguments)
    return time.perf_counter() - start, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    print(f"{os.cpu_count()} cores, {N_DRAWS} draws, medians of {rounds} rounds", flush=True)
    for name, make in CASES.items():
        points, labels = make()
        run_unknot(points, labels, 2)
        ours, theirs, ratios = [], [], []
        for _ in range(rounds):
            seconds, _ = timed(run_unknot, points, labels, N_DRAWS)
            ours.append(seconds)
            seconds, expected = timed(run_naive, points, labels, N_NAIVE)
            theirs.append(seconds * N_DRAWS / N_NAIVE)
            ratios.append(theirs[-1] / ours[-1])
        found = run_unknot(points, labels, N_NAIVE)
        apart = float(np.abs(found / expected - 1).max())
        assert apart < 1e-8, (found, expected)
        print(
            f"{name}: unknot {median(ours):.3f} s, definition {median(theirs):.2f} s, "
            f"ratio {median(ratios):.1f}, largest relative difference {apart:.0e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
