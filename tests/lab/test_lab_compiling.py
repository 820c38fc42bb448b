"""The kernels that a first run needs are compiled beside the training."""

import os
import subprocess
import sys

import pytest

import unknot
from unknot.lab import _compiling

SCRIPT = """
import unknot
from unknot._parallel.kernel_cache import KernelCache
from unknot.lab import _compiling
compiled = []
save = KernelCache.save_overload
KernelCache.save_overload = lambda self, *args: (compiled.append(self._name), save(self, *args))
split = unknot.load_dataset("mnist").test.sample(600, 0)
assert not _compiling._are_compiled()
_compiling.compile_in_background(split).join()
print(len(compiled), _compiling._are_compiled())
del compiled[:]
_compiling.compile_in_background(split).join()
unknot.study({"fc1": split.inputs.reshape(600, -1)[:, :100] / 255.0}, split, max_iter=250,
             measures=["neighborhood_hit", "map_neighborhood_hit", "linear_probe", "two_nn"],
             untrained=False, progress=False)
print(compiled)
"""


def test_it_maps_and_measures_without_an_error():
    # An error in the thread is ignored, as it is raised where the kernels are needed.
    _compiling._map_and_measure(unknot.load_dataset("digits").train.sample(400, 0))


@pytest.mark.slow
def test_afterward_nothing_is_compiled_and_it_is_done_once(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.splitlines()
    assert int(first.split()[0]) > 20
    assert first.endswith("True")
    assert second == "[]"
