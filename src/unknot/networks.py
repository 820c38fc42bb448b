"""The three networks of the lab, from the plainest to the convolutional, as untrained Keras models.

Each takes images (height, width, channels) with values in 0..1 and returns the probabilities of
the classes. The layer whose representation the lab compares is called ``fc1``.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from ._keras import import_keras

__all__ = ["lenet", "logistic_regression", "perceptron"]

# Keras would number it by how many models the process has built, and so would the saved file.
INPUT_LAYER = "images"


def logistic_regression(
    n_classes: int = 10,
    input_shape: tuple[int, ...] = (28, 28, 1),
    *,
    random_state: int | None = None,
) -> Any:
    """Build a softmax regression: every pixel to every class, with no hidden layer.

    Parameters
    ----------
    n_classes : int
        The number of outputs, at least 2.
    input_shape : tuple of int
        The shape of one sample; it is flattened.
    random_state : int, optional
        Seeds the initial weights: the same seed gives the same weights on a backend.

    Returns
    -------
    keras.Sequential
        Not compiled; 7,850 parameters for MNIST.

    Raises
    ------
    ValueError
        If a size is not positive, or there are fewer than 2 classes.
    MissingExtraError
        If Keras or its backend is not installed.
    """
    keras, dense, _ = _layers(n_classes, input_shape, random_state)
    return keras.Sequential(
        [
            keras.Input(input_shape, name=INPUT_LAYER),
            keras.layers.Flatten(name="flatten"),
            dense(n_classes, "softmax", name="probabilities"),
        ],
        name="logistic_regression",
    )


def perceptron(
    n_classes: int = 10,
    input_shape: tuple[int, ...] = (28, 28, 1),
    *,
    random_state: int | None = None,
) -> Any:
    """Build a perceptron with one hidden layer, ``fc1``, of 100 sigmoid units.

    Parameters
    ----------
    n_classes, input_shape, random_state
        As for :func:`logistic_regression`.

    Returns
    -------
    keras.Sequential
        Not compiled; 79,510 parameters for MNIST.

    Raises
    ------
    ValueError, MissingExtraError
        As :func:`logistic_regression`.
    """
    keras, dense, _ = _layers(n_classes, input_shape, random_state)
    return keras.Sequential(
        [
            keras.Input(input_shape, name=INPUT_LAYER),
            keras.layers.Flatten(name="flatten"),
            dense(100, "sigmoid", name="fc1"),
            dense(n_classes, "softmax", name="probabilities"),
        ],
        name="perceptron",
    )


def lenet(
    n_classes: int = 10,
    input_shape: tuple[int, ...] = (28, 28, 1),
    *,
    random_state: int | None = None,
) -> Any:
    """Build a convolutional network like LeNet.

    Twice a 5 x 5 convolution with ReLU (16, then 32 channels) and a 2 x 2 max-pooling, then
    ``fc1`` with 100 sigmoid units and the softmax. Source: [LeCun1998], simplified.

    Parameters
    ----------
    n_classes, random_state
        As for :func:`logistic_regression`.
    input_shape : tuple of int
        (height, width, channels), height and width at least 16.

    Returns
    -------
    keras.Sequential
        Not compiled; 65,558 parameters for MNIST.

    Raises
    ------
    ValueError, MissingExtraError
        As :func:`logistic_regression`; also if the images are smaller than 16 x 16.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < 16:
        raise ValueError(
            "input_shape must be (height, width, channels) of at least 16 x 16 pixels for LeNet's "
            f"convolutions; got {input_shape}"
        )
    keras, dense, convolution = _layers(n_classes, input_shape, random_state)
    return keras.Sequential(
        [
            keras.Input(input_shape, name=INPUT_LAYER),
            convolution(16, name="conv1"),
            keras.layers.MaxPooling2D(2, name="pool1"),
            convolution(32, name="conv2"),
            keras.layers.MaxPooling2D(2, name="pool2"),
            keras.layers.Flatten(name="flatten"),
            dense(100, "sigmoid", name="fc1"),
            dense(n_classes, "softmax", name="probabilities"),
        ],
        name="lenet",
    )


def _layers(
    n_classes: int, input_shape: tuple[int, ...], random_state: int | None
) -> tuple[Any, Any, Any]:
    """Keras, and the two kinds of layer with weights, seeded one after the other."""
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2; got {n_classes}")
    if not input_shape or min(input_shape) < 1:
        raise ValueError(f"input_shape must have positive sizes only; got {input_shape}")
    keras = import_keras(feature="Building a network")
    # A seed of its own for each layer: layers of equal shape must not start equal.
    seeds: Iterator[int | None] = (
        iter(lambda: None, 0) if random_state is None else count(1000 * random_state)
    )

    def dense(units: int, activation: str, name: str) -> Any:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(units, activation, kernel_initializer=start, name=name)

    def convolution(channels: int, name: str) -> Any:
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Conv2D(
            channels, 5, activation="relu", kernel_initializer=start, name=name
        )

    return keras, dense, convolution
