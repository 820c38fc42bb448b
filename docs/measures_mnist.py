"""The worked example of measures.md: MNIST as pixels and in the hidden layers of two networks.

    python docs/measures_mnist.py [--layers FOLDER]

Trains the lab's perceptron and LeNet, extracts their hidden layer of 100 units on the test set
before and after training, and computes all measures. Layers are cached as .npy in FOLDER, by
default docs/build; the tables of measures.md are regenerated.
"""

import argparse
from pathlib import Path

import numpy as np

import unknot
from unknot.figures import layer_curves, save_figure
from unknot.metrics import Scores

HERE = Path(__file__).parent
EPOCHS = {"perceptron": 100, "lenet": 10}
SHOWN = (
    "neighborhood_hit",
    "map_neighborhood_hit",
    "distance_consistency",
    "silhouette",
    "linear_probe",
    "nc1",
    "nc2",
    "class_distance_variance",
    "two_nn",
    "participation_ratio",
    "manifold_capacity",
    "manifold_radius",
    "manifold_dimension",
)
MORE = (
    "trustworthiness",
    "continuity",
    "class_trustworthiness",
    "class_continuity",
    "label_trustworthiness",
    "label_continuity",
    "map_distance_consistency",
    "map_silhouette",
    "davies_bouldin",
    "calinski_harabasz",
    "convex_hulls",
    "peeled_hulls",
    "best_ellipses",
    "linear_cka",
    "center_correlation",
)


def main() -> None:
    """Measure, and write the tables and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=Path, default=HERE / "build")
    folder = parser.parse_args().layers
    folder.mkdir(parents=True, exist_ok=True)
    mnist = unknot.load_dataset("mnist")
    scores = {}
    for name, points in layers(folder, mnist).items():
        kept = folder / f"{name}.json"
        if kept.is_file():
            scores[name] = Scores.from_json(kept.read_text())
            continue
        graph = unknot.nearest_neighbors(points, 90)
        map_ = unknot.TSNE(perplexity=30, random_state=0).fit_transform(points, graph=graph)
        scores[name] = unknot.measure(
            points, mnist.test.labels, map_, graph=graph, capacity_interval=True
        )
        kept.write_text(scores[name].to_json())
        print(name, scores[name], sep="\n")
    trained = {"pixels": "pixels", "perceptron": "perceptron", "LeNet": "lenet"}
    before = {"pixels": "pixels", "perceptron": "perceptron-untrained", "LeNet": "lenet-untrained"}
    figure = layer_curves(
        {title: scores[name] for title, name in trained.items()},
        ["neighborhood_hit", "linear_probe", "silhouette", "nc1", "two_nn", "manifold_capacity"],
        others={"untrained": {title: scores[name] for title, name in before.items()}},
    )
    save_figure(figure, HERE / "measures" / "mnist.png", dpi=150)
    page = HERE / "measures.md"
    text = page.read_text()
    for part, names in (("table", SHOWN), ("more", MORE)):
        begin, end = f"<!-- mnist {part} -->\n", f"<!-- end of mnist {part} -->\n"
        head, _, rest = text.partition(begin)
        text = head + begin + table(scores, names) + end + rest.partition(end)[2]
    page.write_text(text)


def layers(folder: Path, mnist: unknot.Dataset) -> dict[str, np.ndarray]:
    """Return the pixels and the hidden layers of the test set, training what is not there."""
    inputs = mnist.test.inputs
    found = {"pixels": np.asarray(inputs, dtype=np.float32).reshape(len(inputs), -1)}
    for name, epochs in EPOCHS.items():
        after, before = folder / f"{name}.npy", folder / f"{name}-untrained.npy"
        if not (after.is_file() and before.is_file()):
            model = getattr(unknot.networks, name)(random_state=0)
            np.save(before, unknot.extract(model, inputs)["fc1"])
            unknot.train(model, mnist, epochs=epochs, random_state=0)
            np.save(after, unknot.extract(model, inputs)["fc1"])
        found[f"{name}-untrained"], found[name] = np.load(before), np.load(after)
    return found


def table(scores: dict[str, Scores], names: tuple[str, ...]) -> str:
    """Write scores as a table of Markdown: values, and their intervals where there are any."""
    titles = {
        "pixels": "pixels",
        "perceptron-untrained": "perceptron, untrained",
        "perceptron": "perceptron",
        "lenet-untrained": "LeNet, untrained",
        "lenet": "LeNet",
    }
    rows = [
        "| measure | " + " | ".join(titles.values()) + " |",
        "|---|" + "---|" * len(titles),
    ]
    arrows = {True: " ↑", False: " ↓", None: ""}
    for name in names:
        first = scores["pixels"][name]
        cells = [cell(scores[layer][name]) for layer in titles]
        where = ", on the map" if first.space == "map" else ""
        rows.append(
            f"| {first.title}{where}{arrows[first.higher_is_better]} | " + " | ".join(cells) + " |"
        )
    return "\n".join(rows) + "\n"


def cell(score: unknot.metrics.Score) -> str:
    """Write a value to the digits that its interval knows, and half the interval's width."""
    if score.interval is None:
        return f"{score.value:.3f}"
    half = (score.interval[1] - score.interval[0]) / 2
    digits = max(0, min(4, 1 - int(np.floor(np.log10(max(half, 1e-4))))))
    return f"{score.value:.{digits}f} ± {half:.{digits}f}"


if __name__ == "__main__":
    main()
