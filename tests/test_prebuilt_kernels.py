"""Kernels as bitcode: the same bytes without Numba, and Numba wherever anything does not fit."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unknot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="kernels are prebuilt for Linux on x86-64",
    ),
]

FIT = """
import hashlib, sys
import numpy as np
from unknot import TSNE
points = np.random.default_rng(0).normal(size=(150, 6)).astype("f4")
fit = TSNE(method="exact", max_iter=60, early_exaggeration_iter=20, perplexity=8, random_state=0)
print(hashlib.sha256(fit.fit(points).embedding_.tobytes()).hexdigest(), "numba" in sys.modules)
"""


def run(package, folder, *arguments, **environment):
    """Run Python with a copy of the package, and a cache of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    clean |= {"PYTHONPATH": str(package), "NUMBA_CACHE_DIR": str(folder / "cache")} | environment
    done = subprocess.run(
        [sys.executable, *arguments], env=clean, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a copy of the package with the kernels of a small fit, and what Numba makes of it."""
    folder = tmp_path_factory.mktemp("prebuilt")
    shutil.copytree(
        Path(unknot.__file__).parent,
        folder / "package" / "unknot",
        ignore=shutil.ignore_patterns("__pycache__", "bitcode", "mnist.npz", "static"),
    )
    program = folder / "fit.py"
    program.write_text(FIT)
    package = folder / "package"
    by_numba, used_numba = run(package, folder, str(program))
    assert used_numba == "True"
    bitcode = package / "unknot" / "_prebuilt" / "bitcode"
    run(package, folder, "-m", "unknot._prebuilt.build", str(program), str(bitcode))
    return folder, package, bitcode, by_numba


def fitted(built, name):
    folder, package, _, _ = built
    (folder / name).mkdir()
    return run(package, folder / name, str(folder / "fit.py"))


def test_the_map_has_the_same_bytes_without_numba(built):
    for name in ("cold", "again"):
        assert fitted(built, name) == [built[-1], "False"]


def test_no_instruction_of_one_processor_is_left(built):
    import llvmlite.binding as llvm

    files = sorted(built[2].glob("*.bc"))
    assert files
    for file in files:
        text = str(llvm.parse_bitcode(file.read_bytes()))
        assert "llvm.x86" not in text
        assert "llvm.aarch64" not in text


@pytest.mark.parametrize(
    "change",
    [
        lambda listed: listed.update(llvm=[999, 0, 0]),
        lambda listed: listed.update(sources="0" * 64),
        lambda listed: listed.update(machine="riscv64"),
        lambda listed: listed.update(format=0),
    ],
)
def test_what_does_not_fit_is_compiled_by_numba(built, change, request):
    path = built[2] / "kernels.json"
    before = path.read_text()
    listed = json.loads(before)
    change(listed)
    path.write_text(json.dumps(listed))
    try:
        assert fitted(built, request.node.name.replace("[", "-")) == [built[-1], "True"]
    finally:
        path.write_text(before)


def test_a_damaged_file_is_not_used(built):
    file = max(built[2].glob("*.bc"), key=lambda path: path.stat().st_size)
    before = file.read_bytes()
    file.write_bytes(before[:-100] + bytes(100))
    try:
        assert fitted(built, "damaged") == [built[-1], "True"]
    finally:
        file.write_bytes(before)


def test_a_damaged_or_unwritable_cache_of_machine_code_is_no_cache(built):
    folder, package, _, expected = built
    cache = folder / "again" / "cache"
    found = [path for path in cache.rglob("*") if path.is_file()]
    assert found
    for path in found:
        path.write_bytes(b"not machine code")
    program = str(folder / "fit.py")
    assert run(package, folder / "again", program) == [expected, "False"]
    (folder / "file").write_text("")
    away = {"NUMBA_CACHE_DIR": str(folder / "file" / "cache")}
    assert run(package, folder / "again", program, **away)[0] == expected
