"""The lab as one writes it with Keras, scikit-learn and loops: the rival of `unknot lab`.

python benchmarks/lab_plain.py FOLDER
"""

import json
import os
import sys
from importlib.resources import files
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib as mpl
import numpy as np
from scipy.spatial import ConvexHull
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Ellipse


def load():
    with np.load(files("unknot") / "datasets" / "data" / "mnist.npz") as data:
        x_train, x_test = (
            data[name].reshape(-1, 28, 28, 1).astype(np.float32) / 255
            for name in ("x_train", "x_test")
        )
        return x_train, data["y_train"], x_test, data["y_test"]


def networks():
    layers = keras.layers
    yield (
        "logistic_regression",
        20,
        [layers.Flatten(), layers.Dense(10, "softmax")],
    )
    yield (
        "perceptron",
        100,
        [layers.Flatten(), layers.Dense(100, "sigmoid"), layers.Dense(10, "softmax")],
    )
    yield (
        "lenet",
        10,
        [
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(100, "sigmoid"),
            layers.Dense(10, "softmax"),
        ],
    )


def neighborhood_hit(points, labels, k=6):
    neighbors = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[1][:, 1:]
    hits = []
    for i in range(len(points)):
        same = 0
        for j in neighbors[i]:
            if labels[j] == labels[i]:
                same += 1
        hits.append(same / k)
    return float(np.mean(hits))


def draw(folder, name, map_, labels, hit):
    figure, axes = plt.subplots(1, 3, figsize=(15, 5))
    axes[0].scatter(*map_.T, c=labels, cmap="tab10", s=2)
    axes[0].set_title(f"{name}, NH {hit:.3f}")
    for label in range(10):
        cloud = map_[labels == label]
        hull = ConvexHull(cloud)
        axes[1].fill(*cloud[hull.vertices].T, alpha=0.3)
        fitted = GaussianMixture(1).fit(cloud)
        values, vectors = np.linalg.eigh(fitted.covariances_[0])
        angle = np.degrees(np.arctan2(*vectors[::-1, 1]))
        width, height = 2 * np.sqrt(2 * values[::-1])
        axes[2].add_patch(Ellipse(fitted.means_[0], width, height, angle=angle, alpha=0.3))
    axes[2].autoscale()
    figure.savefig(folder / f"{name}.png")
    figure.savefig(folder / f"{name}.svg")
    plt.close(figure)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    x_train, y_train, x_test, y_test = load()
    results, hidden = {}, {}
    for name, epochs, layers in networks():
        model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
        model.compile(
            keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(
            x_train,
            y_train,
            batch_size=100,
            epochs=epochs,
            validation_data=(x_test, y_test),
            verbose=0,
        )
        results[name] = model.evaluate(x_test, y_test, verbose=0)
        model.save(folder / f"{name}.keras")
        model.pop()
        hidden[name] = keras.Model(model.inputs, model.outputs).predict(x_test, verbose=0)
    test_pixels = x_test.reshape(-1, 784)
    maps = {
        "pixels_train_tsne": (x_train.reshape(-1, 784), y_train),
        "pixels_test_tsne": (test_pixels, y_test),
        "pixels_test_pca": (test_pixels, y_test),
        "perceptron_hidden_tsne": (hidden["perceptron"], y_test),
        "lenet_hidden_tsne": (hidden["lenet"], y_test),
    }
    for name, (points, labels) in maps.items():
        if name.endswith("pca"):
            map_ = PCA(2).fit_transform(points)
        else:
            map_ = TSNE(random_state=0, n_jobs=-1).fit_transform(points)
        hit = neighborhood_hit(map_, labels)
        results[name] = {"map": hit, "native": neighborhood_hit(points, labels)}
        np.save(folder / f"{name}.npy", map_)
        draw(folder, name, map_, labels, hit)
    (folder / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
