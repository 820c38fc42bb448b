"""Studies on a Dask cluster: predicted from small runs, and measured on two processes.

Small runs time the tasks of every stage. A model of their seconds by samples and features is fitted
(`scale_model`), and a simulation of workers predicts how long the run of full size takes. That one
is then made on two worker processes of one thread each, and both times are printed side by side,
with what 10, 100 and 1,000 workers would take.

    python benchmarks/scale.py many model.keras --checkpoints 24 --samples 2000
    python benchmarks/scale.py store --samples 2000000 --landmarks 20000 --memory 700MB

``many`` studies checkpoints of a network, from its initial weights to those of the file (without a
file a LeNet is trained for one epoch), on MNIST: each is a task. ``store`` studies a mixture on
disk, a partition at a time: each partition is a task of every stage. No run of full size is used
for the fit. Small runs, too, have two workers: a core whose neighbor is busy is slower.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import scale_many
import scale_store
from scale_model import Costs, Measured

WORKERS = (1, 2, 10, 100, 1000)
# Dollars of a core-hour.
CORE_HOUR = 0.045


def main() -> None:
    """Measure small runs, predict, measure, and print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    many = kinds.add_parser("many", help="a study of each checkpoint")
    many.add_argument("model", type=Path, nargs="?", help="a trained network, as .keras")
    many.add_argument("--checkpoints", type=int, default=24)
    many.add_argument("--samples", type=int, default=2000)
    store = kinds.add_parser("store", help="a study of more samples than memory holds")
    store.add_argument("--samples", type=int, default=2_000_000)
    store.add_argument("--landmarks", type=int, default=20_000)
    store.add_argument("--memory", default="700MB", help="limit of a worker")
    store.add_argument("--max-iter", type=int, default=500)
    store.add_argument(
        "--bandwidth", type=float, default=1.0, help="of the store, GB/s, for the simulation"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = {"many": scale_many.run, "store": scale_store.run}[arguments.kind]
        found = run(arguments, Path(folder))
    tell(found.measured, found.startup)
    print(f"\n{found.title}")
    error = 100 * (found.predicted / found.seconds - 1)
    print(f"predicted for two workers: {found.predicted:7.1f} s")
    print(f"measured on two workers:   {found.seconds:7.1f} s; predicted {error:+.0f} %")
    for line in found.remarks:
        print(line)
    for what, minutes in found.tables.items():
        print(f"\n{what}\n\n| workers | minutes | dollars |\n|---:|---:|---:|")
        for workers in WORKERS:
            seconds = minutes(workers)
            price = seconds * workers / 3600 * CORE_HOUR
            print(f"| {workers:,} | {seconds / 60:,.1f} | {price:,.2f} |")


def tell(measured: list[Measured], startup: float) -> None:
    """Print the fitted model."""
    print("seconds of a task: a + b n + c n d + e n m; n samples of d features, m compared\n")
    print("| kind | tasks | median error | a | b | c | e |\n|---|---:|---:|---:|---:|---:|---:|")
    for kind, count, error, weights in Costs(measured).rows():
        numbers = " | ".join(f"{weight:.2g}" for weight in weights)
        print(f"| {kind} | {count} | {100 * error:.0f} % | {numbers} |")
    print(f"\nstart of a worker: {startup:.1f} s")


if __name__ == "__main__":
    main()
