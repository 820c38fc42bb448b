"""What every test runs under: array shapes checked, no display, skips failing where told so."""

import importlib.util
import os
import signal
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

mpl.use("Agg")
# Part of PyTorch for GPUs; imported after TensorFlow, it ends the process.
if importlib.util.find_spec("triton"):
    importlib.import_module("triton")
# The one that is chosen where nothing is said; TensorFlow is not to be had for every Python.
INSTALLED = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
os.environ.setdefault("KERAS_BACKEND", INSTALLED[0] if INSTALLED else "tensorflow")
# A job in the background inherits that Ctrl-C is ignored, which several tests are about.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Time is measured by the benchmarks, so there are no deadlines. In CI every property is tried on
# the same examples each time; elsewhere on new ones.
settings.register_profile("unknot", deadline=None, derandomize=bool(os.environ.get("CI")))
# Many more of them, for `nox -s fuzz`.
settings.register_profile("fuzz", deadline=None, derandomize=False, max_examples=5000)
settings.load_profile(os.environ.get("UNKNOT_HYPOTHESIS_PROFILE", "unknot"))

# What takes longest goes first, so that workers beside each other (pytest -n 2) end together.
LONGEST = (
    "test_architectures.py",
    "test_backends.py",
    "test_cluster_many.py",
    "test_cluster_store.py",
    "test_cluster_study.py",
    "test_faults.py",
    "test_lab.py",
    "test_metrics_suite.py",
    "test_prebuilt_kernels.py",
    "test_report_live.py",
    "test_report_speed.py",
)
# They hold no doctests, and several folders' could not be collected as modules of one name.
collect_ignore_glob = ["*/conftest.py"]
# Compiled, beside the files of kernels.
UNCHECKED = ("barrier", "simd")
TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"


def _checked_modules() -> list[str]:
    """Every module but the packages' own files and the compiled kernels, which take no checker."""
    modules = []
    for path in (SOURCE / "unknot").rglob("*.py"):
        if path.stem.startswith("__") or "kernels" in path.stem or path.stem in UNCHECKED:
            continue
        modules.append(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return modules


install_import_hook(_checked_modules(), "checker.check")


# Marks by folder, file or test, relative to the tests; a test may also be marked where it stands.
MARKED = {
    "browser": (
        "report/test_report_browser.py",
        "report/test_report_details.py",
        "report/test_report_embedded.py",
        "report/test_report_epochs.py",
        "report/test_report_gallery.py",
        "report/test_report_jupyter.py",
        "report/test_report_looks.py",
        "report/test_report_names.py",
        "report/test_report_print.py",
        "report/test_report_speed.py",
    ),
    "frameworks": (
        "hostile/test_hostile_folders.py",
        "hostile/test_hostile_keras.py",
        "hostile/test_hostile_onnx.py",
        "hostile/test_hostile_torch.py",
        "keras_models",
        "lab",
        "representations",
        "studies/test_studies_epochs.py",
        "studies/test_studies_models.py",
        "test_backends.py",
        "test_cli_study.py",
        "test_keras_choice.py",
    ),
    # pytest-cov's. Tracing doubles the time of Python code, and what these run others run too.
    "no_cover": (
        "fuzz",
        "neighbors/test_nearest_neighbors.py::test_equals_brute_force",
        "projection/test_tsne.py::test_scikit_learn_estimator_checks",
    ),
    "slow": (
        "faults",
        "fuzz",
        "lab",
        "metrics/test_metrics_suite.py",
        "projection/test_faults.py",
        "test_backends.py",
        "test_compiler.py",
        "test_kernel_cache.py",
        "test_barrier.py",
        "figures/test_figures_layers.py::test_strips_of_any_length",
        "figures/test_figures_layout.py::test_labels_are_moved_apart",
        "figures/test_figures_layout.py::test_legends_fit_and_read_across",
        "figures/test_figures_layout.py::test_shortened_text_fits",
        "figures/test_figures_maps.py::test_lab_panel_can_be_read",
        "figures/test_figures_maps.py::test_many_classes",
        "metrics/test_metrics_clusters.py::test_the_stated_error_is_that_of_many_samples",
        "metrics/test_metrics_linear.py::test_it_is_scikit_learns_classifier_fold_by_fold",
        "metrics/test_metrics_similarity.py::test_independent_inputs_are_near_zero_only_without_the_bias",
        "neighbors/test_nearest_neighbors.py::test_equals_brute_force",
        "neighbors/test_nearest_neighbors.py::test_mnist_neighbors_are_exact",
        "neighbors/test_nearest_neighbors.py::test_rotated_and_refined_search_equals_brute_force",
        "projection/test_alignment.py::test_divergence_is_within_two_percent_of_an_independent_run",
        "report/test_report_payload.py::test_more_than_256_classes",
        "report/test_report_payload.py::test_the_payload_is_plain_json",
    ),
}


def _marks_of(item: pytest.Item) -> set[str]:
    if not item.path.is_relative_to(TESTS):
        return set()
    name = item.path.relative_to(TESTS).as_posix()
    test = f"{name}::{getattr(item, 'originalname', item.name)}"
    return {
        mark
        for mark, places in MARKED.items()
        if any(place in (name, test) or name.startswith(f"{place}/") for place in places)
    }


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        marks = _marks_of(item)
        if "browser" in getattr(item, "fixturenames", ()):
            marks.add("browser")
        if "browser" in marks:
            marks.add("no_cover")
        for mark in marks:
            item.add_marker(mark)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("UNKNOT_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command in this process; return exit code, standard output and standard error."""
    from unknot import cli

    def run(*arguments, columns="140"):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(sys, "argv", ["unknot", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


@pytest.fixture
def poisoned_memory(monkeypatch):
    """Let new arrays hold NaN, or large integers, where they hold whatever was there before."""

    def poison(make):
        def poisoned(*args, **options):
            array = make(*args, **options)
            if array.dtype.kind == "f":
                array.fill(np.nan)
            elif array.dtype.kind in "iu":
                array.fill(np.iinfo(array.dtype).max)
            return array

        return poisoned

    for make in (np.empty, np.empty_like):
        monkeypatch.setattr(np, make.__name__, poison(make))
