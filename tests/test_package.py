import copy
import importlib
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unknot
from unknot import _extras
from unknot._extras import MissingExtraError, import_extra

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "unknot").rglob("*.py"))


def test_import_needs_no_framework_and_nothing_heavy():
    code = (
        "import sys, unknot; heavy = {'keras', 'tensorflow', 'jax', 'torch', 'numba', 'sklearn', "
        "'matplotlib', 'scipy', 'typer'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_imports_no_framework():
    code = "import sys, unknot.cli; print({'keras', 'numba', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_study_of_points_imports_no_scikit_learn():
    """Which takes a second, and 100 MB in each worker."""
    code = """
import sys, numpy as np, unknot
labels = np.arange(60) % 3
points = np.random.default_rng(0).normal(size=(60, 5)) + labels[:, None]
measures = ["neighborhood_hit", "map_neighborhood_hit", "nc1", "distance_consistency"]
unknot.study(
    {"fc1": points, "fc2": points**2}, (None, labels), measures=measures, max_iter=250,
    n_neighbors=15, perplexity=5, progress=False,
)
print("sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_name_is_there():
    for name in unknot.__all__:
        assert getattr(unknot, name) is not None
    assert set(dir(unknot)) == set(unknot.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        unknot.nonsense  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'tsne'; did you mean 'TSNE'"):
        unknot.tsne  # noqa: B018


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (unknot, "load", "load_model"),
        (unknot, "save", "save_model"),
        (unknot.training, "load", "unknot.load_model"),
        (unknot.training, "save", "save_model"),
    ],
)
def test_a_former_name_is_an_attribute_error_with_the_present_one(module, old, new):
    message = f"module '{module.__name__}' has no attribute '{old}'; did you mean '{new}'?"
    with pytest.raises(AttributeError) as caught:
        getattr(module, old)
    assert str(caught.value) == message


def test_every_room_is_an_attribute():
    rooms = {
        path.name
        for path in Path(unknot.__file__).parent.iterdir()
        if (path / "__init__.py").exists() and path.name != "cli" and path.name[0] != "_"
    } | {"networks"}
    code = f"import unknot; print(*[getattr(unknot, name).__name__ for name in {sorted(rooms)}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"unknot.{name}" for name in sorted(rooms)]


def test_typed_names_are_those_of_the_lazy_table():
    """Type checkers read one list and Python the other: they must not drift apart."""
    text = (ROOT / "src/unknot/__init__.py").read_text()
    typed = re.findall(r"^    from \.\w* import (\w+) as \1$", text, re.MULTILINE)
    assert sorted(typed) == sorted(unknot._PUBLIC)


def test_every_citation_is_in_the_references():
    known = set(re.findall(r"\*\*\[(\w+)\]\*\*", (ROOT / "docs/references.md").read_text()))
    cited = {
        key
        for path in SOURCES
        for key in re.findall(r"\[([A-Z][A-Za-z]+\d{4}[a-z]?)\]", path.read_text())
    }
    assert cited
    assert cited - known == set()


def test_every_file_is_read_in_one_sitting():
    long = {path.name: n for path in SOURCES if (n := len(path.read_text().splitlines())) > 500}
    assert long == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_frameworks_are_not_imported_by_modules(path):
    heavy = re.findall(r"^(?:import|from) (keras|tensorflow|jax|torch)\b", path.read_text(), re.M)
    assert heavy == []


def test_a_missing_extra_names_feature_and_command(monkeypatch):
    monkeypatch.setattr(_extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        import_extra("yaml", feature="Saving an architecture as YAML", extra="lab")
    assert str(caught.value) == (
        "Saving an architecture as YAML needs yaml, which is not installed. "
        'Install it with: pip install "unknot[lab]"'
    )
    assert isinstance(caught.value, ImportError)


def test_an_extra_that_is_there_is_imported():
    assert import_extra("json", feature="This", extra="lab") is importlib.import_module("json")


def test_a_renamed_attribute_suggests_its_successor():
    points = np.random.default_rng(0).normal(size=(30, 3))
    labels = np.arange(30) % 2
    graph = unknot.nearest_neighbors(points, 5)
    options = {"measures": "neighborhood", "n_resamples": 0, "n_permutations": 0}
    score = unknot.measure(points, labels, **options)["neighborhood_hit"]
    capacity = unknot.metrics.manifold_capacity(points, labels, n_draws=2)
    for thing, name, successor in (
        (graph, "k", "n_neighbors"),
        (score, "better", "higher_is_better"),
        (capacity, "centre_correlation", "center_correlation"),
        (unknot.lab.LabSettings(), "seed", "random_state"),
    ):
        with pytest.raises(AttributeError, match=f"{name}'; did you mean '{successor}'"):
            getattr(thing, name)
        assert copy.copy(pickle.loads(pickle.dumps(thing))) is not None
        with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'$"):
            thing.nonsense  # noqa: B018
