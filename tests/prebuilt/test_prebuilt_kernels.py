"""Kernels that come as bitcode: when they are used, when Numba's are, and the results."""

import dataclasses
import json
import os

import llvmlite.binding as llvm
import numpy as np
import pytest
from prebuilt_kernels import columns_and_counts, count_columns, run, variant

from unknot._prebuilt import arguments, build, entry, library, machine_code
from unknot._prebuilt.kernel import Kernel
from unknot.projection import _kernels_affinities, _kernels_exact

POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")


FITS = """
import hashlib, numpy as np, unknot
random = np.random.default_rng(1)
points = (random.normal(size=(12, 20))[random.integers(0, 12, 3300)] * 4).astype("f4")
points += random.normal(size=points.shape).astype("f4")
copies = points[:400].copy()
copies[50:80] = copies[:30]

def digest(*arrays):
    parts = [hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for array in arrays]
    print(*(part[:16] for part in parts))

for n_jobs in JOBS:
    tsne = unknot.TSNE(random_state=0, max_iter=150, n_jobs=n_jobs).fit(points)
    digest(tsne.embedding_, tsne.graph_.distances, tsne.graph_.indices)
    digest(tsne.transform(points[:90] + np.float32(0.1)))
    print(tsne.kl_divergence_.hex())
    for n in (2, 3):
        tsne = unknot.TSNE(n, perplexity=9, random_state=0, max_iter=99, n_jobs=n_jobs).fit(copies)
        digest(tsne.embedding_, tsne.graph_.distances, tsne.graph_.indices)
        print(tsne.kl_divergence_.hex())
graph = unknot.nearest_neighbors(points, 20, exact=False)
digest(graph.indices, graph.distances, unknot.PCA().fit(points).components_)
print("numba" in sys.modules)
"""


def test_the_results_have_the_bytes_of_numbas_for_any_number_of_threads(folder, tmp_path):
    cache = str(tmp_path / "cache")
    # A cache of its own: LLVM may round otherwise in kernels that another program compiled alone.
    alone = str(tmp_path / "numba")
    fits = FITS.replace("JOBS", "[2]")
    numbas = run(tmp_path / "none", fits, NUMBA_CACHE_DIR=alone).splitlines()
    ours = run(folder, FITS.replace("JOBS", "[1, 3]"), NUMBA_CACHE_DIR=cache).splitlines()
    assert (numbas.pop(), ours.pop()) == ("True", "False")
    assert ours == numbas[:-1] + numbas
    # From the cache, in a process of another number of threads.
    again = run(folder, fits, NUMBA_CACHE_DIR=cache).splitlines()
    assert again == [*numbas, "False"]


def test_every_kernel_of_a_fit_is_there_once(folder):
    listed = json.loads((folder / library.LIST).read_text())
    kernels = {item["file"]: item["name"].rpartition(".")[2] for item in listed["kernels"]}
    names = list(kernels.values())
    assert {"take_steps", "find_field", "offer", "repel", "step", "place"} <= set(names)
    assert len(names) == len(set(names))  # a second kind of arguments would double its code
    unfinished = {kernels[item["file"]] for item in listed["kernels"] if item["unfinished"]}
    # Their sums are vectorized by LLVM; all others are in vectors of a fixed width, or in order.
    assert unfinished == {"offer", "shift_tile", "attract", "repel", "step"}


# Risk 1: LLVM ends the process where it cannot read bitcode.


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:500] + b"?" + content[501:],
        lambda content: b"garbage" * 100,
    ],
    ids=["empty", "one byte less", "one bit", "garbage"],
)
def test_a_damaged_file_is_not_handed_to_llvm(folder, tmp_path, damage, never):
    whole = variant(folder, "count_columns")
    path = tmp_path / whole.path.name
    path.write_bytes(damage(whole.path.read_bytes()))
    assert dataclasses.replace(whole, path=path).load() is None
    assert dataclasses.replace(whole, path=tmp_path / "missing").load() is None
    with pytest.raises(AssertionError, match="handed to LLVM"):
        whole.load()  # the check can fail


@pytest.mark.parametrize(
    "change",
    [
        {"llvm": [99, 0, 0]},
        {"sources": "0"},
        {"machine": "aarch64"},
        {"platform": "darwin"},
        {"format": 0},
        {"kernels": [{"name": "one"}]},
        {"kernels": 7},
        {"llvm": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_list_of_something_else_is_not_used(folder, tmp_path, change):
    listed = json.loads((folder / library.LIST).read_text())
    (tmp_path / library.LIST).write_text(json.dumps(listed))
    assert len(library.read(tmp_path)) == len(listed["kernels"])
    (tmp_path / library.LIST).write_text(json.dumps(listed | change))
    assert library.read(tmp_path) == {}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_a_damaged_list_is_none(tmp_path, content):
    assert library.read(tmp_path) == {}
    (tmp_path / library.LIST).write_bytes(content)
    assert library.read(tmp_path) == {}


def test_an_older_llvm_is_not_given_newer_bitcode(folder, monkeypatch):
    older = (llvm.llvm_version_info[0] - 1, 9, 9)
    monkeypatch.setattr(machine_code, "llvm_version", lambda: older)
    assert library.read(folder) == {}
    newer = (llvm.llvm_version_info[0] + 1, 0, 0)
    monkeypatch.setattr(machine_code, "llvm_version", lambda: newer)
    assert library.read(folder) != {}


def test_a_change_of_any_kernel_makes_the_bitcode_outdated(tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    digests = set()
    for content in ("1", "2", "1\n"):
        (room / "_kernels_new.py").write_text(content)
        digests.add(library.digest_of_sources(tmp_path))
    assert len(digests) == 3
    (room / "_kernels_new.py").write_bytes(b"1\r\n")
    assert library.digest_of_sources(tmp_path) in digests


# Risk 2: instructions of one processor end the process on another.


def test_no_bitcode_has_instructions_of_one_kind_of_processor(folder):
    files = sorted(folder.glob("*.bc"))
    assert len(files) > 20
    for path in files:
        module = llvm.parse_bitcode(path.read_bytes())
        build.check(module, path.name)
        assert "llvm.x86" not in str(module)
        assert "llvm.aarch64" not in str(module)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("declare i8 @llvm.x86.atomic.sub.cc.i64(ptr, i64, i32 immarg)", "one kind of processor"),
        ("declare void @llvm.aarch64.isb(i32 immarg)", "one kind of processor"),
        ("declare ptr @NRT_Allocate(i64)", r"may not have: \['NRT_Allocate'\]"),
        ("@PyExc_TypeError = external global i8", r"may not have: \['PyExc_TypeError'\]"),
    ],
)
def test_the_build_refuses_what_a_process_may_not_have(declaration, message):
    with pytest.raises(ValueError, match=message):
        build.check(llvm.parse_assembly(declaration), "kernel")
    build.check(llvm.parse_assembly("declare double @llvm.exp.f64(double)"), "kernel")


def test_all_bitcode_makes_code_for_another_processor(folder):
    """It runs in a process of its own: LLVM ends it where it cannot."""
    program = f"""
import llvmlite.binding as llvm
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple("aarch64-linux-gnu").create_target_machine(cpu="generic")
for path in sorted(Path({str(folder)!r}).glob("*.bc")):
    module = llvm.parse_bitcode(path.read_bytes())
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    assert len(machine.emit_object(module)) > 500, path
print("done")
"""
    assert run(folder, program) == "done\n"


# Risk 3: nothing was run on other platforms.


@pytest.mark.parametrize(
    ("system", "machine"),
    [("win32", "AMD64"), ("darwin", "arm64"), ("linux", "aarch64"), ("linux", "riscv64")],
)
def test_other_platforms_have_numbas_kernels(folder, monkeypatch, system, machine):
    monkeypatch.setattr(library.sys, "platform", system)
    monkeypatch.setattr(library.platform, "machine", lambda: machine)
    assert library.read(folder) == {}
    assert not library.is_supported()


def test_arrays_laid_out_in_another_way_are_numbas(folder, monkeypatch):
    library._arrays_are_laid_out_as_expected.cache_clear()
    monkeypatch.setattr(library, "STRIDES", library.SHAPE)
    assert library.read(folder) == {}
    library._arrays_are_laid_out_as_expected.cache_clear()


# Risk 4: kinds of arguments.


def test_a_kernel_is_prebuilt_for_its_kinds_of_arguments(own):
    kernel = count_columns()
    columns, counts = columns_and_counts()
    kernel(columns, 0, 3, counts)
    assert counts.tolist() == [1, 1, 4]
    assert kernel._last is not None
    kernel(columns, 1, 2, counts)
    assert counts.tolist() == [0, 1, 1]
    assert kernel._dispatcher is None


OTHERS = {
    "another dtype": lambda columns, counts: (columns.astype(np.int64), 0, 3, counts),
    "not contiguous": lambda columns, counts: (np.repeat(columns, 2, 1)[:, ::2], 0, 3, counts),
    "Fortran's order": lambda columns, counts: (np.asfortranarray(columns), 0, 3, counts),
    "read-only": lambda columns, counts: (frozen(columns), 0, 3, counts),
    "a NumPy integer": lambda columns, counts: (columns, np.int64(0), 3, counts),
    "a boolean": lambda columns, counts: (columns, False, 3, counts),
}


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "after a call that fits"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_kinds_of_arguments_are_numbas(own, other, is_first):
    kernel = count_columns()
    if not is_first:
        kernel(*OTHERS["another dtype"](*columns_and_counts()))
        kernel(*(lambda columns, counts: (columns, 0, 3, counts))(*columns_and_counts()))
        assert kernel._last is not None
    columns, counts = columns_and_counts()
    kernel(*other(columns, counts))
    assert counts.tolist() == [1, 1, 4]
    assert kernel._dispatcher is _kernels_affinities.count_columns


def test_the_entry_itself_refuses_arrays_of_other_kinds_and_writes_nothing(own):
    loaded = variant(own, "count_columns").load()
    columns, counts = columns_and_counts()
    for each in (
        columns.astype(np.float32),
        columns.astype(">i4"),
        columns[0],
        columns[None],
        np.asfortranarray(columns),
        frozen(columns),
        np.frombuffer(b"\0" + columns.tobytes(), np.int32, offset=0, count=6).reshape(3, 2)[::2],
    ):
        assert loaded.call((each, 0, 3, counts)) == (False, None)
    misaligned = np.frombuffer(bytearray(1 + columns.nbytes), np.uint8)[1:].view(np.int32)
    assert loaded.call((misaligned.reshape(3, 2), 0, 3, counts)) == (False, None)
    assert loaded.call((columns, 2**70, 3, counts)) == (False, None)
    assert loaded.call((columns, 0, 3)) == (False, None)
    assert loaded.call((columns.tolist(), 0, 3, counts)) == (False, None)
    assert (counts == 9).all()
    assert loaded.call((columns, 0, 3, counts)) == (True, None)
    assert counts.tolist() == [1, 1, 4]


def test_numbers_tuples_and_results_come_through(own):
    """The step of the exact descent takes floats and returns one."""
    random = np.random.default_rng(2)
    arrays = [random.normal(size=(3, 40)).astype(np.float32) for _ in range(5)]
    numbers = [np.float32(value) for value in (1.5, 0.1, 10, 0.8, 3)]
    theirs, ours = ([array.copy() for array in arrays] for _ in range(2))
    kernel = Kernel(_kernels_exact.__name__, "step")
    assert kernel(*ours, *numbers) == _kernels_exact.step(*theirs, *numbers)
    assert kernel._last is not None
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_kinds():
    kind_of = arguments.kind_of
    array = np.zeros((2, 3), np.float32)
    assert kind_of(array) == "<f4:2"
    assert kind_of(frozen(array)) == "<f4:2:r"
    assert [kind_of(value) for value in (1, True, 1.0)] == ["int", "bool", "float"]
    assert [kind_of(np.uint64(1)), kind_of(np.bool_(1))] == ["uint64", "numpy.bool"]
    assert kind_of((1, (array, 2.0))) == ("tuple", "", "int", ("tuple", "", "<f4:2", "float"))
    none = (array[:, ::2], array[:, 1], np.zeros(()), array.astype(">f4"), "x", None, 1j, [1])
    assert [kind_of(value) for value in none] == [None] * len(none)
    assert kind_of((1, "x")) is None
    assert kind_of(np.ma.masked_array(array)) is None


def test_a_tuple_of_another_class_is_of_another_kind():
    class Pair(tuple):
        __slots__ = ()

    pack = arguments.Packer([("tuple", "", "int", "float"), "bool"])
    assert pack(((1, 2.0), True)) is not None
    for others in ((1, 2), (1, 2.0, 3), Pair((1, 2.0)), [1, 2.0], 1):
        assert pack((others, True)) is None


def test_an_entry_is_not_written_for_another_calling_convention():
    with pytest.raises(ValueError, match="the calling convention of Numba has changed"):
        entry.entry_text("kernel", ["ptr", "ptr", "i64", "double"], ["int", "int"], "none")


# Settings that ask for Numba's own compilation.


@pytest.mark.parametrize("name", ["NUMBA_OPT", "NUMBA_BOUNDSCHECK", "NUMBA_DEBUGINFO"])
def test_settings_of_numba_are_numbas(own, monkeypatch, name, never):
    monkeypatch.setenv(name, "1")
    columns, counts = columns_and_counts()
    count_columns()(columns, 0, 3, counts)
    assert counts.tolist() == [1, 1, 4]


def test_a_disabled_compiler_raises_as_without_bitcode(folder):
    program = (
        "import unknot, numpy as np\ntry:\n    unknot.TSNE(perplexity=5).fit(np.eye(50, 9))\n"
        "except RuntimeError as error:\n    print(error)"
    )
    for each in (folder, folder.parent):
        said = run(each, program, NUMBA_DISABLE_JIT="1")
        assert said.startswith("NUMBA_DISABLE_JIT"), said


def test_while_coverage_is_measured_kernels_are_numbas(own, monkeypatch, never):
    monkeypatch.setattr(library, "_is_measured", lambda: True)
    columns, counts = columns_and_counts()
    count_columns()(columns, 0, 3, counts)
    assert counts.tolist() == [1, 1, 4]
