"""Robustness of a fit: threads, forks, interrupts, unusual input."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import unknot


def points_of(seed, n=3500, d=20):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + 5 * (np.arange(n) % 4)[:, None]).astype(np.float32)


def digest(seed=0, n_jobs=2, max_iter=60):
    """Fit on the mesh and on all pairs; the bytes of both maps in one number."""
    hashed = hashlib.sha256()
    for n in (3500, 300):
        tsne = unknot.TSNE(max_iter=max_iter, random_state=0, n_jobs=n_jobs)
        hashed.update(tsne.fit_transform(points_of(seed, n)).tobytes())
        hashed.update(np.float64(tsne.kl_divergence_).tobytes())
        hashed.update(tsne.transform(points_of(seed + 1, 50)).tobytes())
    return hashed.hexdigest()


FIT = """
import sys
sys.path.insert(0, {folder!r})
from test_faults import digest
for n_jobs in {jobs}:
    print(digest(n_jobs=n_jobs))
"""


def in_subprocess(code):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout.split()


def test_same_seed_same_bytes_for_any_number_of_threads_and_from_run_to_run():
    folder = str(Path(__file__).parent)
    one = in_subprocess(FIT.format(folder=folder, jobs=(1, 2, 4, 16)))
    two = in_subprocess(FIT.format(folder=folder, jobs=(16, 1)))
    assert len(one) == 4
    assert len({*one, *two}) == 1
    assert digest(seed=1, n_jobs=1) != one[0]  # the check can fail


def test_uninitialized_memory_has_no_influence(request):
    before = digest(max_iter=60)
    request.getfixturevalue("poisoned_memory")
    assert digest(max_iter=60) == before


def test_several_python_threads_at_once():
    alone = [digest(seed, n_jobs=2, max_iter=20) for seed in range(3)]
    together = [None] * 6

    def work(number):
        together[number] = digest(number % 3, n_jobs=2, max_iter=20)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone * 2


def _send_digest(connection):
    connection.send(digest(n_jobs=2, max_iter=20))
    connection.close()


# Forking a multi-threaded process warns; that is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fit_in_a_forked_process():
    alone = digest(n_jobs=2, max_iter=20)
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        ours, theirs = context.Pipe()
        process = context.Process(target=_send_digest, args=(theirs,))
        process.start()
        assert ours.poll(120)
        assert ours.recv() == alone
        process.join()
        assert process.exitcode == 0


def test_fits_in_loky_workers():
    alone = digest(n_jobs=2, max_iter=20)
    with joblib.parallel_config(backend="loky"):
        answers = joblib.Parallel(n_jobs=2)(joblib.delayed(digest)(0, 2, 20) for _ in range(2))
    assert answers == [alone, alone]


INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
import unknot

signal.signal(signal.SIGINT, signal.default_int_handler)
points = np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32)
unknot.TSNE(max_iter=2, perplexity=5).fit(points[:4000])
print("ready", flush=True)
try:
    while True:
        unknot.TSNE(max_iter=100_000, n_iter_without_progress=100_000).fit(points)
except KeyboardInterrupt:
    assert threading.active_count() == 1
    unknot.TSNE(max_iter=2, perplexity=5).fit(points[:4000])
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize("wait", [0.3, 6.0])
def test_interrupt_ends_a_fit_and_leaves_nothing_behind(wait):
    # At 0.3 s it is searching for neighbors, at 6 s it is descending.
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(60) == 0


INTERRUPTED_IN_THE_COMPILER = """
import signal, threading, time
import numpy as np
import unknot

signal.signal(signal.SIGINT, signal.default_int_handler)


def compilers():
    return {thread for thread in threading.enumerate() if thread.name == "unknot-compiler"}


def interrupt_a_long_compilation():
    known = set()
    while not known & compilers():
        known = compilers()
        time.sleep(1)
    signal.raise_signal(signal.SIGINT)


threading.Thread(target=interrupt_a_long_compilation, daemon=True).start()
try:
    points = np.random.default_rng(0).normal(size=(4000, 10)).astype(np.float32)
    unknot.TSNE(max_iter=300, perplexity=5, n_jobs=2).fit(points)
except KeyboardInterrupt:
    print("interrupted", len(compilers()) > 0, flush=True)
"""


def test_an_interrupt_does_not_wait_for_the_compiler_nor_does_the_process_end_badly(tmp_path):
    for attempt in range(3):
        process = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_IN_THE_COMPILER],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "NUMBA_CACHE_DIR": str(tmp_path / str(attempt)),
            },
        )
        assert process.returncode == 0, process.stderr
        assert process.stdout.startswith("interrupted "), process.stderr
        if "True" in process.stdout:
            return
    pytest.fail("no compilation was under way after the interrupt, in three attempts")


def test_an_error_in_the_callback_reaches_the_caller():
    def fail(iteration, kl, map_):
        raise RuntimeError("no more")

    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="no more"):
        unknot.TSNE(callback=fail, max_iter=60).fit(points_of(0))
    assert threading.active_count() == threads


LARGEST = float(np.finfo(np.float32).max) / 2

odd = st.one_of(
    st.floats(width=32, allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, 1e-45, 1e-30, 1e30, 3e38, -3e38]),
    st.floats(-1, 1, width=32),
)


# Small samples warn that the perplexity is too large for them, as they should. The second warning
# is scikit-learn's own, when it adds infinities to see whether there are any.
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:perplexity .* is more than:UserWarning")
@pytest.mark.filterwarnings("ignore:.* copies of points that have more copies:UserWarning")
@pytest.mark.filterwarnings("ignore:.* lie nearer to others than float32:UserWarning")
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_fuzz_gives_a_map_or_a_clear_error(data):
    shape = data.draw(st.tuples(st.integers(1, 30), st.integers(1, 9)))
    points = data.draw(arrays(np.float32, shape, elements=odd))
    options = data.draw(
        st.fixed_dictionaries(
            {
                "n_components": st.sampled_from([1, 2, 3]),
                "perplexity": st.sampled_from([0.1, 1.0, 3.0, 30.0, 1e6]),
                "learning_rate": st.sampled_from(["auto", 1e-3, 1e4, 1e12, 1e38]),
                "early_exaggeration": st.sampled_from([1.0, 12.0, 1e6, 1e38]),
                "metric": st.sampled_from(["euclidean", "cosine"]),
                "method": st.sampled_from(["auto", "mesh", "exact"]),
                "init": st.sampled_from(["pca", "random"]),
                "n_jobs": st.sampled_from([1, 3]),
                "max_iter": st.integers(1, 60),
            }
        )
    )
    tsne = unknot.TSNE(random_state=0, **options)
    wrong = not np.isfinite(points).all() or len(points) < 2
    if options["metric"] == "euclidean":
        wrong = wrong or float(np.abs(points).max()) > LARGEST / shape[1] ** 0.5
    if wrong or (options["method"] == "mesh" and options["n_components"] == 3):
        with pytest.raises(ValueError, match=r"X|method|minimum of 2"):
            tsne.fit(points)
        return
    map_ = tsne.fit_transform(points)
    assert map_.shape == (len(points), options["n_components"])
    assert np.isfinite(map_).all()
    assert np.isfinite(tsne.kl_divergence_)
    assert np.isfinite(tsne.transform(points)).all()


FIRST = """
import hashlib, sys
import numpy as np
sys.path.insert(0, {folder!r})
import unknot
from test_faults import points_of
points = np.random.default_rng(0).normal(size=(4000, 400)).astype(np.float32)
unknot.TSNE(max_iter=10).fit(points)
tsne = unknot.TSNE(max_iter=300, random_state=0, n_jobs=2).fit(points_of(0))
print(hashlib.sha256(tsne.embedding_.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def compiled_and_loaded(tmp_path_factory):
    """The output of two processes, and the cached kernels after each; none before."""
    cache = tmp_path_factory.mktemp("cache")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NUMBA_CACHE_DIR": str(cache),
    }
    command = [sys.executable, "-c", FIRST.format(folder=str(Path(__file__).parent))]
    printed, kept = [], []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        printed.append(done.stdout)
        kept.append({path: path.stat().st_mtime_ns for path in cache.rglob("*.kernel")})
    return printed, kept


def test_compiled_kernels_are_cached(compiled_and_loaded):
    # All kernels are on disk after the first process; the second compiles none.
    _, (first, second) = compiled_and_loaded
    assert len(first) > 10
    assert second == first


def test_compiled_now_or_before_gives_the_same_bytes(compiled_and_loaded):
    # Numba keeps several copies of an inner function, optimized apart; where they round in
    # different ways, a process that compiles its kernels differs from the next, which loads them.
    (first, second), _ = compiled_and_loaded
    assert first == second != ""
