"""Maps of the layers of a LeNet, and of 20 epochs of its training: what moves, and what it costs.

Rivals of the maps that are refined together, in the same run: independent maps, aligned afterwards;
each started from the one before; the objective of dynamic t-SNE by the same engine (all maps from
one start, every sample coupled alike, positions and not radii); AlignedUMAP; and one PCA for all
that have as many features, here of each layer, aligned.

    python benchmarks/maps.py --samples 10000
    python benchmarks/maps.py --epochs 20 --samples 2000

Printed for each method: the sum of the KL divergences of all maps (of those of other methods it is
not the objective), the mean Neighborhood Hit on the maps, and of the transitions between layers:
the mean displacement in radii, the same of the quarter of samples that kept most neighbors
("needless"), and Spearman's correlation of the displacement with what changed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from importlib import import_module
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import unknot
from unknot._parallel.n_jobs import resolve_n_jobs
from unknot._parallel.thread_team import ThreadTeam
from unknot.metrics import neighborhood_hit
from unknot.projection import align_map, map_after, map_layers, refine_maps
from unknot.projection._affinities import joint
from unknot.projection._coherence import NearGraph, kept_share, proximal_step
from unknot.projection._descent import MeshEngine, Phase
from unknot.projection._start import SPREAD, starting_map

PERPLEXITY = 30.0
# Of dynamic t-SNE, as in the benchmark of Vernier et al. (2020).
LAMBDA = 0.1
# Iterations of dynamic t-SNE: exaggerated, then not.
EARLY, LATE, EVERY = 250, 500, 5


def main() -> None:
    """Train a LeNet, map its layers by every method, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=0, help="a grid of so many epochs")
    parser.add_argument("--rounds", type=int, default=3, help="of the timed comparison")
    parser.add_argument("--skip", nargs="*", default=[], help="methods to leave out")
    arguments = parser.parse_args()
    data = unknot.load_dataset("mnist")
    assert data.test is not None
    test = data.test.sample(arguments.samples, random_state=0)
    if arguments.epochs:
        race_grid(data, test, arguments.epochs)
        return
    network = trained(data, 5)[-1]
    points = layers_of(network, test.inputs)
    graphs = {name: unknot.nearest_neighbors(layer, 90) for name, layer in points.items()}
    labels = test.labels
    print(f"{len(labels):,} samples; layers: {', '.join(points)}")
    print(HEADER)
    methods: dict[str, Callable[[], dict[str, Any]]] = {
        "independent": lambda: independent(graphs, points),
        "one after another": lambda: in_order(graphs, points, 0.0),
        "together": lambda: in_order(graphs, points, 0.1),
        "dynamic t-SNE": lambda: dynamic(graphs, points),
        "AlignedUMAP": lambda: aligned_umap(points),
        "PCA": lambda: principal(points),
    }
    needless: dict[str, Any] = {}
    for name, method in methods.items():
        if name in arguments.skip:
            continue
        started, cpu = time.perf_counter(), time.process_time()
        try:
            maps = method()
        except BrokenProcessPool:
            print(f"{name:20} its process died")
            continue
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(row(name, [graphs], [maps], labels, seconds, cpu), flush=True)
        needless[name] = [transition(graphs, maps, *pair)[1] for pair in pairwise(graphs)]
    if {"together", "one after another"} <= needless.keys():
        ratios = np.divide(needless["together"], needless["one after another"])
        print("needless, together / one after another:", " ".join(f"{r:.2f}" for r in ratios))
    print("\ntimes of the maps alone and together, interleaved")
    times = []
    for _ in range(arguments.rounds):
        taken = []
        for coherence in (0.0, 0.1):
            cpu = time.process_time()
            in_order(graphs, points, coherence)
            taken.append(time.process_time() - cpu)
        times.append(taken[1] / taken[0])
        print(f"{taken[0]:.1f} and {taken[1]:.1f} CPU seconds, ratio {times[-1]:.2f}", flush=True)
    print(f"median ratio {np.median(times):.2f}")


def race_grid(data: Any, test: Any, n_epochs: int) -> None:
    """Map layers x epochs, one after another and together."""
    epochs = [layers_of(model, test.inputs) for model in trained(data, n_epochs)]
    graphs = [
        {name: unknot.nearest_neighbors(layer, 90) for name, layer in points.items()}
        for points in epochs
    ]
    print(f"{len(test.labels):,} samples; {n_epochs} epochs of {', '.join(graphs[0])}")
    print(HEADER)
    started, cpu = time.perf_counter(), time.process_time()
    maps: list[dict[str, Any]] = []
    for number, chain in enumerate(graphs):
        found: dict[str, Any] = {}
        before = None
        for name, graph in chain.items():
            if number:
                before = maps[-1][name]
            start = None if before is not None else epochs[0][name]
            after = map_after(graph, before, points=start, random_state=0)
            before = found[name] = after.map_
        maps.append(found)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(row("one after another", graphs, maps, test.labels, seconds, cpu), flush=True)
    started, cpu = time.perf_counter(), time.process_time()
    refined = refine_maps(graphs, maps, random_state=0)
    together = [{name: each.map_ for name, each in chain.items()} for chain in refined]
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(row("their refinement", graphs, together, test.labels, seconds, cpu), flush=True)
    weaker = [each.coherence for chain in refined for each in chain.values()]
    print(f"{np.mean(np.array(weaker) < 0.1):.0%} of the maps are coupled more weakly")


def trained(data: Any, n_epochs: int) -> list[Any]:
    """Train a LeNet on a fifth of MNIST, and return a copy of it after each epoch."""
    import keras

    keras.utils.set_random_seed(0)
    model = unknot.networks.lenet(random_state=0)
    part = data.train.sample(12_000, random_state=0)
    copies = []

    class Copies(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            copy = keras.models.clone_model(self.model)
            copy.set_weights(self.model.get_weights())
            copies.append(copy)

    model.compile(keras.optimizers.SGD(0.1, 0.9), "sparse_categorical_crossentropy")
    model.fit(
        part.inputs,
        part.labels,
        batch_size=100,
        epochs=n_epochs,
        verbose=0,
        callbacks=[Copies()],
    )
    return copies


def layers_of(model: Any, inputs: Any) -> dict[str, Any]:
    """Return the points of every layer that is no view of another, the inputs first."""
    found = {"inputs": inputs.reshape(len(inputs), -1)}
    extracted = unknot.extract(model, inputs, layers="all", progress=False)
    for name in extracted:
        layer = np.asarray(extracted[name])
        if name != "flatten":
            found[name] = layer.reshape(len(layer), -1)
    return found


def independent(graphs: Any, points: Any) -> dict[str, Any]:
    maps: dict[str, Any] = {}
    before = None
    for name, graph in graphs.items():
        map_ = map_after(graph, points=points[name], random_state=0).map_
        before = maps[name] = map_ if before is None else align_map(map_, before)
    return maps


def in_order(graphs: Any, points: Any, coherence: float) -> dict[str, Any]:
    found = map_layers(graphs, points=points, coherence=coherence, random_state=0)
    return {name: layer.map_ for name, layer in found if layer is not None}


def dynamic(graphs: Any, points: Any) -> dict[str, Any]:
    """Minimize sum_t KL_t + lambda / 2n sum_t |y_t - y_(t+1)|^2, all maps from one start."""
    n = len(next(iter(points.values())))
    first = next(iter(points.values()))
    rng = np.random.RandomState(0)
    n_threads = resolve_n_jobs(None)
    start = starting_map("pca", first, n, 2, rng, n_threads)
    with ExitStack() as stack:
        team = stack.enter_context(ThreadTeam(n_threads))
        order = np.arange(n, dtype=np.int32)
        engines = [
            MeshEngine(joint(graph, PERPLEXITY, order, team), start, 0.5, team)
            for graph in graphs.values()
        ]
        assert start.std() < 10 * SPREAD
        for n_steps, exaggeration, momentum in ((EARLY, 12.0, 0.5), (LATE, 1.0, 0.8)):
            rate = n / exaggeration
            weights = np.full((len(engines) - 1, n), LAMBDA * EVERY * rate / n / (1 - momentum))
            for _ in range(n_steps // EVERY):
                for engine in engines:
                    engine.advance(Phase(1, exaggeration, momentum, rate), EVERY)
                positions = np.stack([engine.map_().T for engine in engines]).astype(np.float64)
                moved = proximal_step(positions, weights)
                for engine, map_ in zip(engines, moved, strict=True):
                    engine.set_embedding(map_.T.astype(np.float32))
        return {name: engine.map_() for name, engine in zip(graphs, engines, strict=True)}


def aligned_umap(points: Any) -> dict[str, Any]:
    """Map in a process of its own, which umap-learn 0.5.12 ends by a segmentation fault."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_aligned_umap, points).result()


def _aligned_umap(points: Any) -> dict[str, Any]:
    umap = import_module("umap")

    n = len(next(iter(points.values())))
    same = [{i: i for i in range(n)} for _ in range(len(points) - 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapper = umap.AlignedUMAP(random_state=0)
        mapper.fit(list(points.values()), relations=same)
    return dict(zip(points, map(np.asarray, mapper.embeddings_), strict=True))


def principal(points: Any) -> dict[str, Any]:
    maps: dict[str, Any] = {}
    before = None
    for name, layer in points.items():
        map_ = unknot.PCA(2).fit_transform(layer)
        before = maps[name] = map_ if before is None else align_map(map_, before, scale=True)
    return maps


HEADER = f"{'':20}{'KL':>8}{'NH':>7}  {'displacement':^30}  {'needless':^30}  {'Spearman':^30}"


def row(name: str, graphs: Any, maps: Any, labels: Any, seconds: float, cpu: float) -> str:
    """Return a line of the table: of a chain for each transition, of a grid the means."""
    kl, hits, moves = 0.0, [], []
    for chain, found in zip(graphs, maps, strict=True):
        for layer, graph in chain.items():
            kl += divergence(graph, found[layer])
            hits.append(neighborhood_hit(found[layer], labels).value)
        moves.append([transition(chain, found, *pair) for pair in pairwise(chain)])
    table = np.array(moves).mean(axis=0).T
    columns = "  ".join(" ".join(f"{value:5.2f}" for value in line) for line in table)
    if len(graphs) > 1:
        later = [
            [
                transition({0: a[layer], 1: b[layer]}, {0: m[layer], 1: n[layer]}, 0, 1)
                for layer in a
                if layer != "inputs"
            ]
            for (a, b), (m, n) in zip(pairwise(graphs), pairwise(maps), strict=True)
        ]
        along = np.array(later).mean(axis=(0, 1))
        columns += "  over epochs " + " ".join(f"{value:.3f}" for value in along)
    return f"{name:20}{kl:8.3f}{np.mean(hits):7.4f}  {columns}  {seconds:.1f} s, {cpu:.1f} CPU s"


def transition(graphs: Any, maps: Any, first: Any, second: Any) -> tuple[float, float, float]:
    """Return the displacement, the needless displacement and the correlation of two maps."""
    kept = kept_share(NearGraph.of(graphs[first]), NearGraph.of(graphs[second]))
    map_ = align_map(maps[second], maps[first]).astype(np.float64)
    moved = np.linalg.norm(map_ - maps[first], axis=1)
    moved /= np.sqrt(np.square(map_ - map_.mean(axis=0)).sum(axis=1).mean())
    still = kept >= np.quantile(kept, 0.75)
    return moved.mean(), moved[still].mean(), spearmanr(1 - kept, moved)[0]


def divergence(graph: Any, map_: Any) -> float:
    """Return the KL divergence of a map, whatever made it, at its own scale."""
    n = len(map_)
    with ThreadTeam(resolve_n_jobs(None)) as team:
        engine = MeshEngine(
            joint(graph, PERPLEXITY, np.arange(n, dtype=np.int32), team),
            np.asarray(map_, np.float32),
            0.25,
            team,
        )
        return engine.step_and_measure(Phase(1, 1.0, 0.0, 0.0))[0]


if __name__ == "__main__":
    main()
