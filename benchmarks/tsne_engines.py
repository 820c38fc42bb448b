"""One t-SNE of one case by one engine, in a process of its own: time by stage, memory, the map.

    python benchmarks/tsne_engines.py ENGINE CASE THREADS POINTS.npy MAP.npy

prints a line of JSON. Every engine gets the same points, perplexity, neighbors, start (PCA) and
threads. The rivals take 1000 iterations, of which 250 are exaggerated by 12, and unknot as many as
it needs, at most 1000. Kernels are compiled before the clock starts; what that costs a user is
measured by the engine "unknot-first-call".
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

PERPLEXITY = 30


def run_unknot(points, threads):
    import unknot

    def fit(points, callback=None):
        tsne = unknot.TSNE(
            perplexity=min(PERPLEXITY, (len(points) - 1) / 3),
            random_state=0,
            n_jobs=threads,
            callback=callback,
        )
        return tsne.fit(points)

    fit(points[:: max(1, len(points) // 4000)][:4000])
    began = time.perf_counter()
    trace = []
    tsne = fit(points, lambda i, kl, map_: trace.append((time.perf_counter() - began, kl)))
    seconds = time.perf_counter() - began
    graph = tsne.timings_["neighbors"] + tsne.timings_["affinities"]
    return tsne.embedding_, {
        "seconds": seconds,
        "affinities": graph,
        "optimization": tsne.timings_["optimization"],
        "kl": tsne.kl_divergence_,
        "recall": tsne.graph_.recall,
        "trace": trace,
    }


def run_first_call(points, threads):
    """The first fit of a process and the second: the first also imports and compiles or loads."""
    began = time.perf_counter()
    import unknot

    times = [began]
    for _ in range(2):
        unknot.TSNE(random_state=0, n_jobs=threads).fit(points)
        times.append(time.perf_counter())
    first, second = np.diff(times)
    return np.zeros((len(points), 2), np.float32), {"first": first, "second": second}


def run_opentsne(points, threads):
    import openTSNE

    began = time.perf_counter()
    affinities = openTSNE.affinity.PerplexityBasedNN(
        points, perplexity=PERPLEXITY, n_jobs=threads, random_state=0
    )
    graph = time.perf_counter()
    start = openTSNE.initialization.pca(points, random_state=0)
    descent = time.perf_counter()
    embedding = openTSNE.TSNEEmbedding(start, affinities, n_jobs=threads, random_state=0)
    embedding.optimize(250, exaggeration=12, momentum=0.5, inplace=True)
    embedding.optimize(750, momentum=0.8, inplace=True)
    done = time.perf_counter()
    return np.asarray(embedding), {
        "seconds": done - began,
        "affinities": graph - began,
        "optimization": done - descent,
        "kl": float(embedding.kl_divergence),
    }


def run_sklearn(points, threads):
    from sklearn.manifold import TSNE

    return _run_like_sklearn(TSNE, points, threads)


def run_intelex(points, threads):
    from sklearnex.manifold import TSNE

    return _run_like_sklearn(TSNE, points, threads)


def _run_like_sklearn(estimator, points, threads):
    tsne = estimator(
        perplexity=PERPLEXITY, init="pca", max_iter=1000, random_state=0, n_jobs=threads
    )
    began = time.perf_counter()
    map_ = tsne.fit_transform(points)
    return map_, {"seconds": time.perf_counter() - began, "kl": float(tsne.kl_divergence_)}


def run_manifolds(points, threads):
    """By its fastest way for many points, of Fourier transforms."""
    from manifolds_rs import TSNE

    tsne = TSNE(perplexity=float(PERPLEXITY), approx="fft", seed=0)
    began = time.perf_counter()
    map_ = tsne.fit_transform(points)
    return map_, {"seconds": time.perf_counter() - began}


ENGINES = {
    "unknot": run_unknot,
    "openTSNE": run_opentsne,
    "scikit-learn": run_sklearn,
    "scikit-learn-intelex": run_intelex,
    "manifolds-rs": run_manifolds,
    "unknot-first-call": run_first_call,
}


def main():
    engine, case, threads, points_path, map_path = sys.argv[1:]
    points = np.load(points_path)
    map_, record = ENGINES[engine](points, int(threads))
    np.save(map_path, np.asarray(map_, dtype=np.float32))
    print(json.dumps({"engine": engine, "case": case, "peak_bytes": peak_bytes(), **record}))


def peak_bytes():
    """Most memory this process had; getrusage would count what its parent had when it forked."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])


if __name__ == "__main__":
    main()
