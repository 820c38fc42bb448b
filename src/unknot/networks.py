"""The three networks of the lab, as untrained Keras models.

Each takes images (height, width, channels) with values in 0..1 and returns class probabilities.
The last hidden layer, whose representation the lab compares, is named ``fc1``.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from ._keras import import_keras
from ._validation.numbers import check_integer

__all__ = ["lenet", "logistic_regression", "perceptron"]

# Named: Keras would number it by how many models the process has built, also in saved files.
INPUT_LAYER = "images"


def logistic_regression(
    n_classes: int = 10,
    input_shape: tuple[int, ...] = (28, 28, 1),
    *,
    random_state: int | None = None,
) -> Any:
    """Build a softmax regression, a network without hidden layers.

    Parameters
    ----------
    n_classes : int, default=10
        The number of outputs, at least 2.
    input_shape : tuple of int, default=(28, 28, 1)
        The shape of one sample, which is flattened.
    random_state : int, optional
        Seeds the initial weights; the same seed gives the same weights on the same backend.

    Returns
    -------
    keras.Sequential
        The network, not compiled; 7,850 parameters for MNIST.

    Raises
    ------
    ValueError
        If a size is not positive, or there are fewer than 2 classes.
    MissingExtraError
        If Keras or its backend is not installed.

    See Also
    --------
    perceptron : A network with one hidden layer.
    lenet : A convolutional network.
    unknot.train : Train a network.

    Examples
    --------
    >>> import unknot
    >>> unknot.networks.logistic_regression().count_params()
    7850
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
    n_classes : int, default=10
        The number of outputs, at least 2.
    input_shape : tuple of int, default=(28, 28, 1)
        The shape of one sample, which is flattened.
    random_state : int, optional
        Seeds the initial weights; the same seed gives the same weights on the same backend.

    Returns
    -------
    keras.Sequential
        The network, not compiled; 79,510 parameters for MNIST.

    Raises
    ------
    ValueError
        If a size is not positive, or there are fewer than 2 classes.
    MissingExtraError
        If Keras or its backend is not installed.

    See Also
    --------
    logistic_regression : A network without hidden layers.
    lenet : A convolutional network.
    unknot.train : Train a network.

    Examples
    --------
    >>> import unknot
    >>> unknot.networks.perceptron().count_params()
    79510
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
    """Build a convolutional network, a simplified LeNet [LeCun1998].

    Two 5 x 5 convolutions with ReLU (16 and 32 channels), each followed by 2 x 2 max-pooling;
    then ``fc1`` with 100 sigmoid units, and the softmax.

    Parameters
    ----------
    n_classes : int, default=10
        The number of outputs, at least 2.
    input_shape : tuple of int, default=(28, 28, 1)
        (height, width, channels); height and width at least 16.
    random_state : int, optional
        Seeds the initial weights; the same seed gives the same weights on the same backend.

    Returns
    -------
    keras.Sequential
        The network, not compiled; 65,558 parameters for MNIST.

    Raises
    ------
    ValueError
        If the images are smaller than 16 x 16, or there are fewer than 2 classes.
    MissingExtraError
        If Keras or its backend is not installed.

    See Also
    --------
    logistic_regression : A network without hidden layers.
    perceptron : A network with one hidden layer.
    unknot.train : Train a network.

    Examples
    --------
    >>> import unknot
    >>> unknot.networks.lenet().count_params()
    65558
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
    """Return Keras, and factories of dense and convolutional layers with consecutive seeds."""
    check_integer(n_classes, "n_classes", 2)
    if not input_shape or min(input_shape) < 1:
        raise ValueError(f"input_shape must have positive sizes only; got {input_shape}")
    keras = import_keras(feature="Building a network")
    # A different seed for each layer: layers of the same shape must not start equal.
    seeds: Iterator[int | None] = (
        iter(lambda: None, 0) if random_state is None else count(1000 * random_state)
    )

    def dense(units: int, activation: str, name: str) -> Any:
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(units, activation, kernel_initializer=initializer, name=name)

    def convolution(channels: int, name: str) -> Any:
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Conv2D(
            channels, 5, activation="relu", kernel_initializer=initializer, name=name
        )

    return keras, dense, convolution
