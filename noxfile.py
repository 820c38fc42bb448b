"""The project's commands, for a person and for CI: they run in the environment that is active."""

import sys
import tempfile
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]

# A file of tests stays in one process, which keeps what its tests share.
_SPREAD = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and style."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on every core; what follows -- goes to pytest."""
    session.run("pytest", *_SPREAD, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests, and say which lines they miss; tracing costs a third of the time."""
    session.run("pytest", *_SPREAD, "--cov", "-m", "", *session.posargs)


# What most changes break first, in less than a minute on two cores.
_QUICK = (
    "tests/datasets",
    "tests/metrics/test_metrics_clusters.py",
    "tests/metrics/test_metrics_collapse.py",
    "tests/metrics/test_metrics_dimension.py",
    "tests/metrics/test_metrics_faithfulness.py",
    "tests/metrics/test_metrics_neighborhood.py",
    "tests/metrics/test_metrics_shapes.py",
    "tests/metrics/test_metrics_similarity.py",
    "tests/metrics/test_metrics_table.py",
    "tests/neighbors/test_neighbor_graph.py",
    "tests/neighbors/test_tiles.py",
    "tests/projection/test_pca.py",
    "tests/report/test_report_packing.py",
    "tests/report/test_report_payload.py",
    "tests/report/test_report_thumbnails.py",
    "tests/studies/test_studies_tables.py",
    "tests/test_docs.py",
    "tests/test_examples.py",
    "tests/test_files.py",
    "tests/test_folders.py",
    "tests/test_house.py",
    "tests/test_language.py",
    "tests/test_package.py",
    "tests/test_team.py",
    "tests/test_validation.py",
    "tests/test_workspace.py",
)


@nox.session
def quick(session: nox.Session) -> None:
    """Check format and style, and run fast tests, within a minute; posargs go to pytest."""
    lint(session)
    marks = "not slow and not browser and not frameworks"
    session.run("pytest", "-q", *_SPREAD, "-m", marks, *_QUICK, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try many more damaged and odd inputs than the tests do; what follows -- goes to pytest."""
    session.run(
        "pytest",
        "tests/fuzz",
        "--timeout=7200",
        *session.posargs,
        env={"UNKNOT_HYPOTHESIS_PROFILE": "fuzz"},
    )


@nox.session
def faults(session: nox.Session) -> None:
    """Kill studies and trainings 30 times and labs 15 times at random moments; takes long."""
    session.run(
        "pytest",
        "tests/faults/test_faults_kill.py",
        "--timeout=7200",
        *session.posargs,
        env={"UNKNOT_KILLS": "15"},
    )


# What the package does with its dependencies, in minutes; PyTorch is left out, since its plain
# build brings gigabytes of CUDA.
_LOWEST = (
    "tests/datasets",
    "tests/figures/test_figures_maps.py",
    "tests/figures/test_figures_save.py",
    "tests/keras_models",
    "tests/metrics/test_metrics_stored.py",
    "tests/metrics/test_metrics_table.py",
    "tests/neighbors/test_nearest_neighbors.py",
    "tests/projection/test_pca.py",
    "tests/report/test_report_payload.py",
    "tests/representations/test_extract.py",
    "tests/representations/test_memory.py",
    "tests/representations/test_onnx.py",
    "tests/studies/test_studies_study.py",
    "tests/test_cli.py",
    "tests/test_kernel_cache.py",
)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run a part of the tests with the lowest versions that are allowed; needs uv."""
    folder = Path(__file__).parent / ".nox" / "lowest"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    session.run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    install = ("uv", "pip", "install", "--quiet", "--python", str(python))
    session.run(*install, "--resolution", "lowest-direct", "-e", ".[test]")
    session.run(
        str(python),
        "-m",
        "pytest",
        *(session.posargs or _LOWEST),
        external=True,
        env={"UNKNOT_NO_SKIP": "", "NUMBA_CACHE_DIR": str(folder / "numba")},
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html; every warning is an error."""
    options = ("-W", "-n", "--keep-going", "-q", *session.posargs)
    session.run("sphinx-build", *options, "docs", "docs/_build/html")


@nox.session
def notebook(session: nox.Session) -> None:
    """Run the examples in their quick form; nothing is stored."""
    session.run("jupyter", "execute", "examples/lab.ipynb", env={"UNKNOT_QUICK": "1"})


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples in full, and store what they show."""
    session.run("python", "examples/store.py")


@nox.session
def baselines(session: nox.Session) -> None:
    """Draw the images that the tests of the figures compare with."""
    session.run("pytest", "tests/figures", "--mpl-generate-path=tests/figures/baseline")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the release's wheel into dist/, with kernels as bitcode; needs uv.

    Compiled with the lowest Numba that is allowed, as an LLVM reads the bitcode of older ones, and
    for the same processor wherever it is built.
    """
    root = Path(__file__).parent
    folder = root / ".nox" / "wheel"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (numba,) = (need for need in project["dependencies"] if need.startswith("numba>="))
    lowest = numba.split(",")[0].replace(">=", "==") + ".*"
    session.run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    session.run("uv", "pip", "install", "--quiet", "--python", str(python), lowest, str(root))
    with tempfile.TemporaryDirectory() as bitcode:
        build = ("-m", "unknot._prebuilt.build", "release/first_fits.py", bitcode)
        source = {"PYTHONPATH": str(root / "src")}
        processor = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}
        session.run(str(python), *build, external=True, env=source | processor)
        session.run(
            *("uv", "build", "--quiet", "--wheel", "--out-dir", "dist", str(root)),
            env={"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true", "UNKNOT_PREBUILT": bitcode},
        )


@nox.session
def web(session: nox.Session) -> None:
    """Check and build the page's program, and compare it with the one that is committed."""
    with session.chdir("web"):
        session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
        session.run("npm", "run", "check", external=True)
        session.run("npm", "run", "build", external=True)
    session.run("git", "diff", "--exit-code", "--", "src/unknot/report/static", external=True)
