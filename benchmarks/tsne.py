"""t-SNE against openTSNE, scikit-learn, its intelex and manifolds-rs, in alternating runs.

    python benchmarks/tsne.py                                   # everything; takes hours
    python benchmarks/tsne.py --cases mnist-60k mnist-10k iris  # some cases
    python benchmarks/tsne.py --cases mixture-1m --engines unknot --rounds 1
    python benchmarks/tsne.py --report                          # only the tables and the plot

Needs `pip install -e ".[bench]"`. Each run is a process of its own. Finished runs are kept in
`benchmarks/results/tsne.json`, so that a benchmark that was stopped goes on where it was; delete
the file to measure anew. The tables go into `docs/benchmarks.md`, the plot beside it. Set no
variables that slow NumPy's BLAS (OPENBLAS_CORETYPE), or comparisons flatter whom they slow less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from tsne_cases import CASES, common_affinities, exact_kl
from tsne_report import write_report

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "tsne.json"
ENGINES = ("unknot", "openTSNE", "scikit-learn", "scikit-learn-intelex", "manifolds-rs")
ROUNDS = {
    "iris": 5,
    "mnist-10k": 3,
    "clusters-10k": 3,
    "mnist-60k": 3,
    "mixture-200k": 1,
    "mixture-1m": 1,
}


def run(engine, case, threads, points_path, map_path, cache=None, limit=None):
    """What a run of an engine measured; None if it was stopped after so many seconds."""
    environment = {**os.environ}
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    for name in names:
        environment[name] = str(threads)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    arguments = [engine, case, threads, points_path, map_path]
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "tsne_engines.py"), *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def load_results():
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    return {"runs": [], "stopped": [], "first_calls": [], **known}


def store(results):
    packages = (*ENGINES, "numba", "numpy")
    results["versions"] = {}
    for name in packages:
        try:
            results["versions"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            results["versions"][name] = "from source"
    RESULTS.parent.mkdir(exist_ok=True)
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(json.dumps(results, indent=1) + "\n")
    temporary.replace(RESULTS)


def measure_case(case, engines, rounds, threads, limit, results):
    done = [r["engine"] for r in results["runs"] if r["case"] == case]
    too_slow = {r["engine"] for r in results["stopped"] if r["case"] == case}
    wanted = [
        engine
        for round_ in range(rounds)
        for engine in engines
        if engine not in too_slow and done.count(engine) <= round_
    ]
    if not wanted:
        return
    points = CASES[case]()
    with tempfile.TemporaryDirectory() as folder:
        points_path, map_path = Path(folder) / "points.npy", Path(folder) / "map.npy"
        np.save(points_path, points)
        affinities = common_affinities(points)
        for engine in wanted:
            if engine in too_slow:
                continue
            record = run(engine, case, threads, points_path, map_path, limit=limit)
            if record is None:
                too_slow.add(engine)
                results["stopped"].append({"engine": engine, "case": case, "limit": limit})
                store(results)
                print(case, engine, f"stopped after {limit:.0f} s", flush=True)
                continue
            record |= {
                "n_samples": len(points),
                "threads": threads,
                "exact_kl": exact_kl(affinities, np.load(map_path)),
            }
            results["runs"].append(record)
            store(results)
            shown = {key: record.get(key) for key in ("seconds", "kl", "exact_kl", "peak_bytes")}
            print(case, engine, shown, flush=True)


def measure_first_calls(threads, results):
    points = CASES["mnist-10k"]()[:5000]
    with tempfile.TemporaryDirectory() as folder:
        points_path, map_path = Path(folder) / "points.npy", Path(folder) / "map.npy"
        np.save(points_path, points)
        for cache in ("cold", "warm", "warm"):
            record = run(
                "unknot-first-call", "first", threads, points_path, map_path, Path(folder) / "cache"
            )
            results["first_calls"].append({"cache": cache, **record})
            store(results)
            print("first call", cache, record["first"], record["second"], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--rounds", type=int, help="of each case; by default 1 to 5 by its size")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--limit", type=float, default=3600, help="seconds of a run, then stopped")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args()
    results = load_results()
    if not options.report:
        if not results["first_calls"]:
            measure_first_calls(options.threads, results)
        for case in options.cases:
            rounds = options.rounds or ROUNDS[case]
            measure_case(case, options.engines, rounds, options.threads, options.limit, results)
    write_report(results)


if __name__ == "__main__":
    main()
