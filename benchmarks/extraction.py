"""Extraction of every layer against one plain prediction, and its peak memory.

The trained or untrained LeNet of the lab on MNIST: seconds for the 10,000 test images with every
layer kept in memory against a plain `predict`, and against one in batches as large as ours, in
turn, medians; and, with ``--memory``, the peak of a process that keeps every layer of the 60,000
train images.

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
    ways = {
        "predict": lambda: model.predict(inputs, verbose=0),
        "predict in batches of 500": lambda: model.predict(inputs, batch_size=500, verbose=0),
        "every layer": lambda: unknot.extract(model, inputs, progress=False),
    }
    for call in ways.values():
        call()
    times = {name: [] for name in ways}
    for _ in range(rounds):
        results = {}
        for name, call in ways.items():
            elapsed, results[name] = seconds(call)
            times[name].append(elapsed)
        np.testing.assert_allclose(results["every layer"].output, results["predict"], atol=1e-5)
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, value in medians.items():
        print(f"{name}: {value:.2f} s, {value / medians['predict']:.2f} times predict")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="a saved model; an untrained LeNet by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    model = unknot.load_model(arguments.model) if arguments.model else unknot.networks.lenet()
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
