"""What a run of the lab does, and how much of it."""

from dataclasses import dataclass, field
from typing import Final

NETWORKS: Final = ("logistic_regression", "perceptron", "lenet")
STUDIED: Final = ("perceptron", "lenet")
HIDDEN_LAYER: Final = "fc1"
HITS: Final = ("neighborhood_hit", "map_neighborhood_hit")
TITLES: Final = {
    "logistic_regression": "Logistic regression",
    "perceptron": "Perceptron",
    "lenet": "LeNet",
    "study_perceptron": "Perceptron, layer by layer",
    "study_lenet": "LeNet, layer by layer",
    "pixels_train_tsne": "Train pixels, t-SNE",
    "pixels_test_tsne": "Test pixels, t-SNE",
    "pixels_test_pca": "Test pixels, PCA",
    "perceptron_hidden_tsne": "Perceptron fc1, t-SNE",
    "lenet_hidden_tsne": "LeNet fc1, t-SNE",
}


@dataclass(frozen=True)
class LabSettings:
    """The lab's numbers; the defaults are the whole lab.

    Attributes
    ----------
    seed : int
        Seeds the initial weights, the order of the batches, the samples of a quick run and the
        maps.
    backend : str
        Keras' backend: "tensorflow", "jax" or "torch".
    epochs : dict of str to int
        For each of the three networks.
    batch_size, learning_rate
        Of the stochastic gradient descent.
    train_samples, test_samples : int
        How many images the networks are trained on; how many they and the test maps are tested on.
    map_train_samples : int
        How many of the training images are mapped.
    perplexity, iterations : float and int
        Of t-SNE.
    k : int
        Neighbors of the Neighborhood Hit.
    layers : dict of str to list of str
        The layers of perceptron and LeNet that are studied, beside the inputs; ``fc1`` among them.
    untrained : bool
        Whether the same layers are measured with fresh weights.
    measures : list of str
        What is measured of each layer beside the Neighborhood Hit.
    mistakes : list of str
        The networks whose wrong images are drawn.
    """

    seed: int = 0
    backend: str = "tensorflow"
    epochs: dict[str, int] = field(
        default_factory=lambda: {"logistic_regression": 20, "perceptron": 100, "lenet": 10}
    )
    batch_size: int = 100
    learning_rate: float = 0.1
    train_samples: int = 60_000
    test_samples: int = 10_000
    map_train_samples: int = 60_000
    perplexity: float = 30.0
    iterations: int = 1000
    k: int = 6
    # The convolutions cost most, and show what the pooling after them does.
    layers: dict[str, list[str]] = field(
        default_factory=lambda: {
            "perceptron": ["fc1"],
            "lenet": ["pool1", "pool2", "fc1", "probabilities"],
        }
    )
    untrained: bool = True
    measures: list[str] = field(default_factory=lambda: ["linear_probe", "two_nn"])
    mistakes: list[str] = field(default_factory=lambda: list(NETWORKS))

    def __post_init__(self) -> None:
        for network in STUDIED:
            if HIDDEN_LAYER not in self.layers.get(network, ()):
                raise ValueError(
                    f"layers must name {HIDDEN_LAYER} of the {network}, which is compared; "
                    f"got {self.layers.get(network)}"
                )

    @classmethod
    def quick(cls, seed: int, backend: str) -> "LabSettings":
        """Return a subset of the lab that takes seconds."""
        return cls(
            seed=seed,
            backend=backend,
            epochs={"logistic_regression": 5, "perceptron": 8, "lenet": 2},
            train_samples=10_000,
            test_samples=1_000,
            map_train_samples=2_000,
            layers={"perceptron": ["fc1"], "lenet": ["pool2", "fc1"]},
            untrained=False,
            measures=["two_nn"],
            mistakes=["lenet"],
        )

    @property
    def left_out(self) -> str:
        """What a smaller run than the whole lab leaves out, as one sentence; "" if nothing."""
        whole = LabSettings()
        if (self.train_samples, self.epochs) == (whole.train_samples, whole.epochs):
            return ""
        epochs = ", ".join(f"{self.epochs[name]} of {whole.epochs[name]}" for name in NETWORKS)
        return (
            f"A quick run: trained on {self.train_samples:,} of {whole.train_samples:,} images "
            f"for {epochs} epochs; tested on {self.test_samples:,} of {whole.test_samples:,} "
            f"images; mapped {self.map_train_samples:,} of {whole.map_train_samples:,} training "
            f"images; studied {', '.join(self.layers['lenet'])} of LeNet; drew the mistakes of "
            f"{', '.join(TITLES[name] for name in self.mistakes)}. "
            "Its numbers are not those of the whole lab."
        )
