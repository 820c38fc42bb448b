"""Extraction of every layer against one plain prediction, and its peak memory.

The trained or untrained LeNet of the lab on MNIST: seconds for the 10,000 test images with every
layer kept in memory against `predict` with batches of the same size, in turn, medians; and, with
``--memory``, the peak of a process that keeps every layer of the 60,000 train images.

    python benchmarks/extraction.py [--model lenet.keras] [--rounds 5] [--memory]
"""

import argparse
import resource
import statistics
import sys
import time

import numpy as np

import unknot


def seconds(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def compare(model, inputs, rounds):
    plain, ours = [], []
    model.predict(inputs, batch_size=500, verbose=0)
    unknot.extract(model, inputs[:1000], progress=False)
    for _ in range(rounds):
        time_plain, predicted = seconds(lambda: model.predict(inputs, batch_size=500, verbose=0))
        time_ours, layers = seconds(lambda: unknot.extract(model, inputs, progress=False))
        np.testing.assert_allclose(layers.output, predicted, atol=1e-5)
        plain.append(time_plain)
        ours.append(time_ours)
    plain, ours = statistics.median(plain), statistics.median(ours)
    print(f"predict {plain:.2f} s, every layer {ours:.2f} s: {ours / plain:.2f} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="a saved model; an untrained LeNet by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    model = unknot.load(arguments.model) if arguments.model else unknot.networks.lenet()
    mnist = unknot.load_dataset("mnist")
    if not arguments.memory:
        compare(model, mnist.test.inputs, arguments.rounds)
        return
    elapsed, layers = seconds(lambda: unknot.extract(model, mnist.train.inputs, progress=False))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(f"{layers}: {elapsed:.1f} s, peak {peak / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
