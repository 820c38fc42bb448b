"""Seconds an epoch: `unknot.train` against Keras' plain `fit` with its defaults, in turn.

Both train the same network from the same weights with the same optimizer, loss, metrics and batch
size on MNIST. First it is checked that on the same batches they end at the same weights; then
they are timed alternately and the medians of the epochs after the first (which compiles) compared.

    python benchmarks/training.py [--backend tensorflow] [--epochs 5] [--rounds 3]
"""

import argparse
import statistics
import time

import numpy as np

import unknot
from unknot._keras import import_keras
from unknot.training._epochs import epoch_batches

NETWORKS = ("logistic_regression", "perceptron", "lenet")


def compiled(keras, name):
    model = getattr(unknot.networks, name)(random_state=0)
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def check_same_result(keras, name, train):
    """One epoch of each on the same batches: the weights must agree to float32's rounding."""
    split = train.sample(6000, 0)
    ours, theirs = compiled(keras, name), compiled(keras, name)
    unknot.train(ours, split, epochs=1, random_state=0, progress=False)
    order = np.concatenate([table.ravel() for table in epoch_batches(6000, 100, 0, 1)])
    theirs.fit(split.inputs[order], split.labels[order], batch_size=100, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def epochs_of_fit(keras, name, train, epochs):
    seconds = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.started)

    model = compiled(keras, name)
    model.fit(
        train.inputs, train.labels, batch_size=100, epochs=epochs, verbose=0, callbacks=[Clock()]
    )
    return seconds[1:]


def epochs_of_train(keras, name, train, epochs):
    model = compiled(keras, name)
    history = unknot.train(model, train, epochs=epochs, random_state=0, progress=False)
    return history["seconds"][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    options = parser.parse_args()
    keras = import_keras(options.backend)
    train = unknot.load_dataset("mnist").train
    print(f"Keras {keras.__version__} on {options.backend}, MNIST, batches of 100\n")
    print("| network | `fit`, s/epoch | `unknot.train`, s/epoch | ratio |")
    print("|---|---|---|---|")
    for name in options.networks:
        check_same_result(keras, name, train)
        fit, ours, ratios = [], [], []
        for _ in range(options.rounds):
            fit.append(statistics.median(epochs_of_fit(keras, name, train, options.epochs)))
            ours.append(statistics.median(epochs_of_train(keras, name, train, options.epochs)))
            ratios.append(fit[-1] / ours[-1])
        print(
            f"| {name} | {statistics.median(fit):.3f} | {statistics.median(ours):.3f} "
            f"| {statistics.median(ratios):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
