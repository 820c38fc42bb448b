"""Small studies of every kind for the tests of the page."""

from dataclasses import replace

import numpy as np

import unknot
from unknot._io.atomic import write_bytes
from unknot.report import build_payload, render_page
from unknot.studies import LayerStudy, LiveState, Study

MEASURES = [
    "neighborhood_hit", "map_neighborhood_hit", "two_nn", "linear_probe", "best_ellipses", "nc1",
]  # fmt: skip
# The reduction of a pooled and projected layer, as `unknot.extract` reports it.
REDUCTION = {
    "pool": "mean over a grid of 4 × 4", "shape": [4, 4, 32], "projection": "sparse random",
    "from": 512, "to": 256, "random_state": 0, "pairs": 2016, "smallest_ratio": 0.91,
    "largest_ratio": 1.08, "typical_change": 0.031, "largest_change": 0.09,
}  # fmt: skip
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"quoted\" & 'single'",
    "<!-- comment",
    "שלום עולם",
    "🐈‍⬛ cat",
    "\u202ereversed",
    "a\nnew\tline",
    "{{ template }} ${js} %s",
    "x" * 120,
)


def clouds_of(labels, spread, rng, n_classes):
    """Return a map with the classes on a circle, with the given spread."""
    turns = 2 * np.pi * labels / n_classes
    centers = 10 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return (centers + rng.normal(scale=spread, size=centers.shape)).astype(np.float32)


def study_of(
    n_samples=600,
    n_classes=10,
    n_layers=6,
    *,
    name="a network",
    class_names=None,
    thumbnails=None,
    measured=True,
    graphs=True,
    seed=0,
):
    """Return a study whose classes separate from layer to layer."""
    rng = np.random.default_rng(seed)
    labels = np.sort(np.arange(n_samples) % n_classes).astype(np.int64)
    rng.shuffle(labels)
    layers = {}
    for number in range(n_layers):
        title = "inputs" if number == 0 else f"fc{number}"
        map_ = clouds_of(labels, 8.0 / (number + 1), rng, n_classes)
        graph = unknot.nearest_neighbors(map_, min(10, n_samples - 1)) if graphs else None
        scores = None
        if measured:
            scores = unknot.measure(
                map_, labels, map_, MEASURES, graph=graph, map_graph=graph, n_resamples=20,
                n_permutations=3,
            )  # fmt: skip
        kind = "input" if number == 0 else "Dense"
        layers[title] = LayerStudy(title, kind, (2,), map_, graph, map_, 1.5, scores)
    probabilities = rng.dirichlet(np.ones(n_classes), size=n_samples).astype(np.float32)
    # One sample in eleven is misclassified as the next class.
    predictions = (labels + (np.arange(n_samples) % 11 == 0)) % n_classes
    probabilities[np.arange(n_samples), predictions] += 1.0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = class_names or tuple(str(number) for number in range(n_classes))
    return Study(
        name, layers, labels, tuple(names), probabilities.argmax(axis=1), probabilities, thumbnails,
        settings={"k": 6, "random_state": 0}, versions={"unknot": "0.1.0"}, seconds={"maps": 1.25},
    )  # fmt: skip


def pictures_of(labels, side=12):
    """Return images: a bar whose length is the class, and a pixel that encodes the index."""
    pictures = np.zeros((len(labels), side, side), dtype=np.uint8)
    for index, label in enumerate(labels):
        pictures[index, 2:-2, : 1 + label % side] = 200
        pictures[index, 0, index % side] = 255
    return pictures


def full_study(n_samples=600, seed=0, name="a network"):
    """Return a study with all features: views, a dead layer, controls, epochs, thumbnails."""
    study = study_of(n_samples, name=name, seed=seed)
    layers = dict(study.layers)
    layers["fc2"] = replace(layers["fc2"], reduction=REDUCTION)
    layers["dropout"] = LayerStudy("dropout", "Dropout", (2,), same_as="fc5")
    dead = unknot.measure(
        np.zeros((n_samples, 3)), study.labels, measures=["neighborhood_hit", "nc1"],
        n_resamples=0, n_permutations=0,
    )  # fmt: skip
    layers["dead"] = LayerStudy(
        "dead", "ReLU", (3,), scores=dead, notes=("dead: all points are at one place",)
    )
    untrained = {name: layer.scores for name, layer in study.layers.items()}
    epochs = {
        epoch: replace(
            study,
            layers={
                # The maps of the first epoch are rotated.
                name: replace(layer, map=layer.map if epoch == 5 else layer.map[:, ::-1].copy())
                for name, layer in study.layers.items()
            },
        )
        for epoch in (5, 1)
    }
    return replace(
        study, layers=layers, controls={"untrained": untrained}, epochs=epochs,
        thumbnails=pictures_of(study.labels),
    )  # fmt: skip


def epoch_study():
    """A study of epochs 0, 3 and 12, which differ in all, and know less the earlier they are.

    At epoch 0 the layers are tangled, and the predictions as good as chance; of epoch 3 only the
    first layer is known, and neither predictions nor neighbors of it.
    """
    study = replace(study_of(240, 4, 3), thumbnails=None)
    rng = np.random.default_rng(5)

    def tangled(name):
        map_ = rng.normal(size=(240, 2)).astype(np.float32)
        graph = unknot.nearest_neighbors(map_, 10)
        scores = unknot.measure(
            map_, study.labels, map_, MEASURES, graph=graph, map_graph=graph, n_resamples=20,
            n_permutations=3,
        )  # fmt: skip
        return LayerStudy(name, "Dense", (2,), map_, graph, map_, 2.5, scores)

    predictions = rng.integers(0, 4, size=240)
    first = replace(
        study, predictions=predictions, probabilities=None,
        layers={"inputs": study.layers["inputs"]} | {n: tangled(n) for n in ("fc1", "fc2")},
    )  # fmt: skip
    between = replace(
        study, predictions=None, probabilities=None,
        layers={"inputs": study.layers["inputs"], "fc1": replace(tangled("fc1"), graph=None)},
    )  # fmt: skip
    return replace(study, epochs={12: study, 0: first, 3: between})


def publish(folder, epochs, update, **changes):
    """Write the live page of some epochs of a study, as the process of a recorder does."""
    study = epoch_study()
    kept = {epoch: study.epochs[epoch] for epoch in epochs}
    shown = replace(kept[max(epochs)], name=study.name, epochs=kept)
    write_bytes(folder / "payload.json", render_page(build_payload(shown))[1])
    LiveState("recording", update, tuple(epochs), tuple(epochs), **changes).write(folder)
