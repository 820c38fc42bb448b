"""The first t-SNE in a fresh installation: whole processes, from the start of Python to its end.

    nox -s wheel
    python benchmarks/first_call.py                # 3 rounds, all ways
    python benchmarks/first_call.py --rounds 5

Needs uv. unknot is installed from the wheel in `dist/`, and scikit-learn-intelex from PyPI, each
with nothing but its dependencies in an environment of its own, compiled to bytecode as pip does.
The ways take turns. Every "first" run has an empty cache of kernels; a checkout has no prebuilt
ones. Points are read from a file. CPU seconds are those of all threads of the process, which a busy
machine disturbs less. All maps of unknot on one kind of processor must have the same bytes. The
table goes into `docs/benchmarks.md`.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RIVAL = "scikit-learn-intelex"
# Settings for other processors than this one.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONPATH", "NUMBA_CACHE_DIR")
AVX2 = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}

FIT = """
import sys, hashlib, numpy as np
points = np.load(sys.argv[1])
import unknot
tsne = unknot.TSNE(random_state=0).fit(points)
print(hashlib.sha256(tsne.embedding_.tobytes()).hexdigest(), tsne.kl_divergence_)
"""
RIVAL_FIT = """
import sys, numpy as np
points = np.load(sys.argv[1])
from sklearnex.manifold import TSNE
tsne = TSNE(random_state=0, init="pca", perplexity=30, n_jobs=-1)
tsne.fit(points)
print("rival", tsne.kl_divergence_)
"""
IMPORT = "import unknot; unknot.TSNE"

# Way -> the environment, the program, whether the cache is empty, settings.
WHEEL, CHECKOUT = "unknot, from the wheel", "unknot, from a checkout"
WAYS = {
    RIVAL: ("rival", RIVAL_FIT, True, {}),
    f"{WHEEL}: first": ("wheel", FIT, True, {}),
    f"{WHEEL}: later": ("wheel", FIT, False, {}),
    f"{WHEEL}: first, as AVX2": ("wheel", FIT, True, AVX2),
    f"{CHECKOUT}: first": ("checkout", FIT, True, {}),
    f"{CHECKOUT}: later": ("checkout", FIT, False, {}),
    f"{CHECKOUT}: first, as AVX2": ("checkout", FIT, True, AVX2),
    "`import unknot; unknot.TSNE`": ("wheel", IMPORT, False, {}),
}


def install(folder, *what):
    """Make an environment; return its Python."""
    python = folder / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = ("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python")
    subprocess.run([*install, python, *what], check=True)
    return python


def run(python, program, points, cache, settings):
    """Return wall-clock seconds, CPU seconds and the output of a process."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [python, "-c", program, points],
        env=environment | {"NUMBA_CACHE_DIR": str(cache)} | settings,
        cwd=points.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, done.stdout.split()


def measure(rounds, wheel):
    runs = {way: [] for way in WAYS}
    maps = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        pythons = {
            "rival": install(scratch / "rival", RIVAL),
            "wheel": install(scratch / "wheel", wheel),
            "checkout": install(scratch / "checkout", "-e", ROOT),
        }
        points = scratch / "points.npy"
        load = (
            "import sys, numpy as np, unknot\n"
            "test = unknot.load_dataset('mnist').test\n"
            "np.save(sys.argv[1], test.inputs.reshape(10_000, 784).astype('f4'))"
        )
        run(pythons["checkout"], load, points, scratch / "none", {})
        cache = scratch / "none"
        for number in range(rounds):
            for way, (place, program, is_first, settings) in WAYS.items():
                if is_first:
                    cache = scratch / f"{place}-{number}-{len(settings)}"
                seconds, cpu, said = run(pythons[place], program, points, cache, settings)
                runs[way].append((seconds, cpu))
                print(f"{way}: {seconds:.2f} s, {cpu:.2f} CPU s", *said, flush=True)
                if program is FIT:
                    maps.setdefault(len(settings), set()).add(said[0])
    if any(len(digests) > 1 for digests in maps.values()):
        raise SystemExit(f"the maps differ: {maps}")
    return runs


def table_of(runs):
    middle = {way: [median(part) for part in zip(*of, strict=True)] for way, of in runs.items()}
    theirs = middle[RIVAL][0]
    rows = ["| | s | CPU s | times the rival's | runs |", "|---|---|---|---|---|"]
    for way, (seconds, cpu) in middle.items():
        times = f"{seconds / theirs:.2f}" if WAYS[way][1] is not IMPORT else ""
        rows.append(f"| {way} | {seconds:.2f} | {cpu:.2f} | {times} | {len(runs[way])} |")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    wheels = sorted((ROOT / "dist").glob("unknot-*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        parser.error(f"there is no wheel in {ROOT / 'dist'}: run nox -s wheel first")
    table = table_of(measure(options.rounds, wheels[-1]))
    print(table)
    page = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- first fit: begin -->", "<!-- first fit: end -->"
    page, count = re.subn(
        f"{begin}.*?{end}", lambda _: f"{begin}\n\n{table}\n\n{end}", page, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for the table, between {begin} and {end}")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
