"""Settings of the lab."""

from dataclasses import dataclass, field
from typing import Any, Final

from .._io.text import missing_attribute

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
    """Settings of `run_lab`; the defaults are the full lab.

    Parameters
    ----------
    random_state : int, default=0
        Seed of the initial weights, the order of the batches, the subsamples and the maps.
    backend : {"tensorflow", "jax", "torch"}, default="tensorflow"
        Keras backend.
    epochs : dict of str to int, default={"logistic_regression": 20, "perceptron": 100, "lenet": 10}
        Number of epochs per network.
    batch_size : int, default=100
        Number of samples per step of stochastic gradient descent.
    learning_rate : float, default=0.1
        Learning rate of stochastic gradient descent.
    train_samples : int, default=60000
        Number of images for training.
    test_samples : int, default=10000
        Number of images for testing, for the studies and for the maps of test images.
    map_train_samples : int, default=60000
        Number of training images on the map of the training pixels. Decrease it to save time: it is
        the largest map.
    perplexity : float, default=30.0
        Effective number of neighbors of t-SNE.
    max_iter : int, default=1000
        The most iterations of a t-SNE.
    k : int, default=6
        Number of neighbors of the Neighborhood Hit.
    layers : dict of str to list of str
        Layers of the perceptron and LeNet to study besides the inputs; must include ``"fc1"``.
        Default: ``"fc1"`` of the perceptron; ``"pool1"``, ``"pool2"``, ``"fc1"`` and
        ``"probabilities"`` of LeNet. Add the convolutions if time permits.
    untrained : bool, default=True
        Also measure untrained copies of the networks.
    measures : list of str, default=["linear_probe", "two_nn"]
        Measures of each layer besides the Neighborhood Hit; see `measure_names`.
    mistakes : list of str, default=all networks
        Networks whose misclassified images are drawn.
    recorded : dict of str to list of int, default={"lenet": [0, 1, 2, 5, 10]}
        Epochs of a network to study beside its last one, for the slider of the page; 0 is before
        the training, and the control of the others. Those beyond the last epoch are left out.
    recorded_layers : dict of str to list of str
        The layers of a network that are studied at all these epochs, not only at the last one.
        Default: ``"pool2"``, ``"fc1"`` and ``"probabilities"`` of LeNet. Add ``"pool1"`` if time
        permits.

    Raises
    ------
    ValueError
        If `layers` lacks ``"fc1"`` of the perceptron or of LeNet, which are compared.

    See Also
    --------
    run_lab : Run the lab.
    unknot.metrics.measure_names : List the measures.

    Examples
    --------
    >>> from unknot.lab import LabSettings
    >>> settings = LabSettings(epochs={"logistic_regression": 5, "perceptron": 10, "lenet": 2})
    >>> settings.epochs["lenet"], settings.max_iter
    (2, 1000)
    """

    random_state: int = 0
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
    max_iter: int = 1000
    k: int = 6
    # Convolutions are expensive and similar to the pooling layers that follow them.
    layers: dict[str, list[str]] = field(
        default_factory=lambda: {
            "perceptron": ["fc1"],
            "lenet": ["pool1", "pool2", "fc1", "probabilities"],
        }
    )
    untrained: bool = True
    measures: list[str] = field(default_factory=lambda: ["linear_probe", "two_nn"])
    mistakes: list[str] = field(default_factory=lambda: list(NETWORKS))
    recorded: dict[str, list[int]] = field(default_factory=lambda: {"lenet": [0, 1, 2, 5, 10]})
    # The first layers take most of the time and change least.
    recorded_layers: dict[str, list[str]] = field(
        default_factory=lambda: {"lenet": ["pool2", "fc1", "probabilities"]}
    )

    def __getattr__(self, name: str) -> Any:
        renamed = {"seed": "random_state", "iterations": "max_iter"}
        raise missing_attribute(self, name, renamed)

    def __post_init__(self) -> None:
        for network in STUDIED:
            if HIDDEN_LAYER not in self.layers.get(network, ()):
                raise ValueError(
                    f"layers must include {HIDDEN_LAYER} of the {network}, which is compared; "
                    f"got {self.layers.get(network)}"
                )

    def recorded_epochs(self, network: str) -> list[int]:
        """Return the epochs of a network that are studied, its last one included; or none."""
        last = self.epochs[network]
        chosen = self.recorded.get(network, [])
        return sorted({*(epoch for epoch in chosen if 0 <= epoch < last), last}) if chosen else []

    @classmethod
    def quick(cls, random_state: int, backend: str) -> "LabSettings":
        """Return the settings of a subset of the lab that takes seconds.

        Parameters
        ----------
        random_state : int
            Seed of the initial weights, the order of the batches, the subsamples and the maps.
        backend : {"tensorflow", "jax", "torch"}
            Keras backend.

        Returns
        -------
        LabSettings

        Examples
        --------
        >>> from unknot.lab import LabSettings
        >>> LabSettings.quick(0, "jax").train_samples
        10000
        """
        return cls(
            random_state=random_state,
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
        """One sentence about what a reduced run leaves out; empty for the full lab."""
        full = LabSettings()
        if (self.train_samples, self.epochs) == (full.train_samples, full.epochs):
            return ""
        epochs = ", ".join(f"{self.epochs[name]} of {full.epochs[name]}" for name in NETWORKS)
        return (
            f"A quick run: trained on {self.train_samples:,} of {full.train_samples:,} images "
            f"for {epochs} epochs; tested on {self.test_samples:,} of {full.test_samples:,} "
            f"images; mapped {self.map_train_samples:,} of {full.map_train_samples:,} training "
            f"images; studied {', '.join(self.layers['lenet'])} of LeNet; drew the mistakes of "
            f"{', '.join(TITLES[name] for name in self.mistakes)}. "
            "Its numbers are not those of the whole lab."
        )
