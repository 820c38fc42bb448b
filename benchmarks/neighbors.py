"""The 90 nearest neighbors against other libraries: seconds, recall and peak memory.

    python benchmarks/neighbors.py                      # MNIST, and 1,000,000 points
    python benchmarks/neighbors.py --cases mnist-60k --rounds 3

Needs `pip install -e ".[bench]"`. Every run is a process of its own, with all processors; engines
take turns. Recall is the share of the true neighbors of 500 evenly chosen points, from a search
through all pairs. The table goes into `docs/benchmarks.md`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from tsne_cases import CASES
from tsne_engines import peak_bytes

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
K = 90
CHOSEN = 500


def run_unknot(points, exact):
    import unknot

    # Compiled before the clock starts, as the others' code is.
    unknot.nearest_neighbors(points[:2000], K, exact=exact)
    yield
    yield unknot.nearest_neighbors(points, K, exact=exact).indices


def run_sklearn(points):
    from sklearn.neighbors import NearestNeighbors

    yield
    yield NearestNeighbors(n_neighbors=K, n_jobs=-1).fit(points).kneighbors()[1]


def run_annoy(points):
    from openTSNE.nearest_neighbors import Annoy

    yield
    yield Annoy(points, K, n_jobs=-1, random_state=0).build()[0]


def run_pynndescent(points):
    from pynndescent import NNDescent

    NNDescent(points[:2000], n_neighbors=K, random_state=0)
    yield
    yield NNDescent(points, n_neighbors=K + 1, random_state=0, n_jobs=-1).neighbor_graph[0]


def run_faiss_flat(points):
    import faiss

    yield
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    yield index.search(points, K + 1)[1]


def run_faiss_cells(points):
    import faiss

    yield
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatL2(points.shape[1]), points.shape[1], int(4 * len(points) ** 0.5)
    )
    index.train(points[:: max(1, len(points) // 200_000)])
    index.add(points)
    index.nprobe = 32
    yield index.search(points, K + 1)[1]


def run_faiss_graph(points):
    import faiss

    yield
    index = faiss.IndexHNSWFlat(points.shape[1], 32)
    index.hnsw.efConstruction = 64
    index.add(points)
    index.hnsw.efSearch = 128
    yield index.search(points, K + 1)[1]


ENGINES = {
    "unknot, exact": lambda points: run_unknot(points, True),
    "unknot, approximate": lambda points: run_unknot(points, False),
    "scikit-learn": run_sklearn,
    "Annoy, as openTSNE uses it": run_annoy,
    "PyNNDescent": run_pynndescent,
    "faiss, all pairs": run_faiss_flat,
    "faiss, cells": run_faiss_cells,
    "faiss, HNSW": run_faiss_graph,
}
# What would take more than half an hour each.
TOO_LARGE = {
    ("scikit-learn", "mixture-1m"),
    ("faiss, all pairs", "mixture-1m"),
    ("Annoy, as openTSNE uses it", "mixture-1m"),
}


def chosen_rows(n):
    return np.linspace(0, n - 1, CHOSEN).astype(np.int64)


def true_neighbors(points):
    """The neighbors of the chosen rows, by all distances in float64."""
    rows = chosen_rows(len(points))
    norms = np.einsum("ij,ij->i", points, points, dtype=np.float64)
    found = []
    for row in rows:
        squares = norms - 2 * (points @ points[row]).astype(np.float64)
        squares[row] = np.inf
        # What the product in float32 may have put in a wrong order is computed anew.
        near = np.argpartition(squares, 2 * K)[: 2 * K]
        exact = ((points[near].astype(np.float64) - points[row]) ** 2).sum(axis=1)
        found.append(near[np.argsort(exact, kind="stable")[:K]])
    return np.stack(found)


def measure(engine, points_path, neighbors_path):
    points = np.load(points_path)
    steps = ENGINES[engine](points)
    next(steps)
    began = time.perf_counter()
    indices = next(steps)
    seconds = time.perf_counter() - began
    np.save(neighbors_path, indices[chosen_rows(len(points))])
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}))


def recall_of(found, true):
    """Indices may begin with the point itself, or, of equal points, hold it further on."""
    hits = 0
    for row, near, wanted in zip(found[0], found[1], true, strict=True):
        hits += len(np.intersect1d(near[near != row][:K], wanted))
    return hits / true.size


def race(case, engines, rounds):
    points = CASES[case]()
    true, rows = true_neighbors(points), chosen_rows(len(points))
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        points_path, neighbors_path = Path(folder) / "points.npy", Path(folder) / "near.npy"
        np.save(points_path, points)
        for _ in range(rounds):
            for engine in engines:
                if (engine, case) in TOO_LARGE:
                    continue
                command = [sys.executable, __file__, "--run", engine, points_path, neighbors_path]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                record = json.loads(done.stdout.splitlines()[-1])
                record["recall"] = recall_of((rows, np.load(neighbors_path)), true)
                runs.setdefault(engine, []).append(record)
                print(case, engine, record, flush=True)
    return runs


def table(case, runs):
    ours = min(
        median(run["seconds"] for run in of) for engine, of in runs.items() if "unknot" in engine
    )
    lines = [
        f"### {case}",
        "",
        "| | seconds | times unknot's fastest | recall | peak memory, GB | runs |",
        "|---|---|---|---|---|---|",
    ]
    for engine, of in runs.items():
        seconds, recall, peak = (
            median(run[key] for run in of) for key in ("seconds", "recall", "peak_bytes")
        )
        lines.append(
            f"| {engine} | {seconds:.1f} | {seconds / ours:.1f} | {recall:.4f} "
            f"| {peak / 1e9:.2f} | {len(of)} |"
        )
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["mnist-60k", "mixture-1m"])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        measure(*options.run)
        return
    tables = [table(case, race(case, options.engines, options.rounds)) for case in options.cases]
    text = "\n".join(tables)
    begin, end = "<!-- neighbors: begin -->\n", "<!-- neighbors: end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
