"""Studies of every size for the benchmark of the page: classes that come apart layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import unknot
from unknot.studies import LayerStudy, Study

MEASURES = ("neighborhood_hit", "map_neighborhood_hit", "nc1", "davies_bouldin", "fisher_ratio")
# Scores of more samples look the same on the page.
SCORED = 20_000


@dataclass(frozen=True)
class Case:
    """A study, and what its page may take; None where nothing is said of it.

    Attributes
    ----------
    samples, classes, layers : int
    pictures : bool
        Whether samples have thumbnails of 28 x 28 pixels, like MNIST's.
    max_points : int or None
        As for `unknot.report.write_report`.
    megabytes, writing_s, paint_s, opening_s, change_ms, task_ms : float or None
        At most: the file, writing it, the first paint, the first map, the scripts of a change of
        layer, and any task after the map stands.
    """

    samples: int
    classes: int
    layers: int
    pictures: bool = False
    max_points: int | None = 100_000
    megabytes: float | None = None
    writing_s: float | None = None
    paint_s: float | None = None
    opening_s: float | None = None
    change_ms: float | None = None
    task_ms: float | None = None


CASES = {
    "10,000 × 8, images": Case(
        10_000, 10, 8, pictures=True, megabytes=6, paint_s=2, change_ms=100, task_ms=200
    ),
    "60,000 × 8, images": Case(
        60_000, 10, 8, pictures=True, megabytes=15, opening_s=3, task_ms=200
    ),
    "1,000,000 × 4, of which 100,000 shown": Case(1_000_000, 10, 4, megabytes=60),
    "1,000,000 × 4, all shown": Case(1_000_000, 10, 4, max_points=None, megabytes=60),
    "20,000 × 4, 1,000 classes": Case(20_000, 1000, 4, megabytes=12, writing_s=8, change_ms=100),
    "2,000 × 40": Case(2_000, 10, 40, writing_s=5),
    "600 × 200": Case(600, 10, 200, writing_s=15),
}


def study_of(case: Case) -> Study:
    """Make the study of a case; the same one each time."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(case.samples) % case.classes)
    turns = 2 * np.pi * rng.permutation(case.classes) / case.classes
    radius = max(10.0, 1.5 * case.classes**0.5) * np.sqrt(rng.random(case.classes))
    centers = radius[:, None] * np.column_stack([np.cos(turns), np.sin(turns)])
    layers = {}
    for number in range(case.layers):
        name = "inputs" if number == 0 else f"block{number // 4}.layer{number}"
        spread = 4.0 / (1 + 4 * number / case.layers)
        map_ = (centers[labels] + rng.normal(scale=spread, size=(case.samples, 2))).astype("f4")
        # The neighbors in the representation are others than those on the map.
        moved = map_ + rng.normal(scale=spread / 4, size=map_.shape).astype("f4")
        layers[name] = _layer(name, map_, moved, labels)
    predictions = np.where(rng.random(case.samples) < 0.05, rng.permutation(labels), labels)
    probabilities = np.full((case.samples, case.classes), 0.02 / case.classes, dtype="f4")
    probabilities[np.arange(case.samples), predictions] += 0.98 * rng.random(case.samples)
    study = Study(
        "a network",
        layers,
        labels,
        tuple(f"class {number}" for number in range(case.classes)),
        predictions,
        probabilities / probabilities.sum(axis=1, keepdims=True),
        settings={"k": 6, "random_state": 0},
    )
    return replace(study, thumbnails=digits(labels)) if case.pictures else study


def _layer(name: str, map_: np.ndarray, points: np.ndarray, labels: np.ndarray) -> LayerStudy:
    graph = unknot.nearest_neighbors(points, 10)
    some = slice(0, SCORED)
    scores = unknot.measure(
        points[some], labels[some], map_[some], MEASURES, n_resamples=0, n_permutations=0
    )
    kind = "input" if name == "inputs" else "Dense"
    return LayerStudy(name, kind, (2,), None, graph, map_, 1.5, scores)


def digits(labels: np.ndarray) -> np.ndarray:
    """Return the embedded MNIST's images of these classes, each shifted and lit differently."""
    mnist = unknot.load_dataset("mnist").test
    pixels = (255 * np.asarray(mnist.inputs)).astype(np.uint8)
    of_class = [pixels[np.asarray(mnist.labels) == digit] for digit in range(10)]
    rng = np.random.default_rng(1)
    return np.stack(
        [
            np.roll(
                of_class[label % 10][rng.integers(len(of_class[label % 10]))],
                rng.integers(-2, 3, size=2),
                axis=(0, 1),
            )
            for label in labels
        ]
    )
