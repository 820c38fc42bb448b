import pickle
import sys
import warnings
import zipfile

import numpy as np
import pytest

from unknot.networks import perceptron
from unknot.representations import extract, load_model
from unknot.representations._loading.expressions import is_arithmetic
from unknot.training import save_model

torch = pytest.importorskip("torch")

FACTORY = """
import torch

def make():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))

def make_wider():
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))

def make_nothing():
    return 7
"""


class Hostile:
    """Unpickled, it writes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
        ).eval()


@pytest.fixture
def inputs():
    return np.random.default_rng(0).random((10, 3), dtype=np.float32)


@pytest.fixture
def factory(tmp_path, monkeypatch):
    (tmp_path / "unknot_test_factory.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    yield "unknot_test_factory"
    sys.modules.pop("unknot_test_factory", None)


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_weights_beside_a_factory(model, inputs, factory, tmp_path, key):
    state = model.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "weights.pth")
    path = list(sys.path)
    expected = extract(model, inputs, progress=False)
    for made in (f"{factory}:make", f"{tmp_path}/{factory}.py:make"):
        loaded = load_model(tmp_path / "weights.pth", factory=made)
        assert not loaded.training
        found = extract(loaded, inputs, progress=False)
        np.testing.assert_array_equal(found.output, expected.output)
    assert sys.path == path


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (None, ValueError, "contains weights and no model; name a function that builds"),
        (
            "{}:make_wider",
            ValueError,
            "does not fit the model that .*make_wider builds: .*size mismatch",
        ),
        ("{}:make_nothing", TypeError, "must return a PyTorch module; got int"),
        ("{}:other", ValueError, "has no function 'other'"),
        ("no_such_module:make", ValueError, "there is no module 'no_such_module'"),
        ("nowhere.py:make", ValueError, r"there is no file nowhere\.py"),
        ("{}", ValueError, 'factory must be "module:function"'),
    ],
)
def test_factories_that_do_not_fit(model, factory, tmp_path, function, error, message):
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(error, match=message):
        load_model(
            tmp_path / "weights.pt", factory=None if function is None else function.format(factory)
        )


def test_a_pickled_module_needs_the_users_word(model, inputs, tmp_path):
    torch.save(model, tmp_path / "whole.pt")
    with pytest.raises(
        ValueError, match=r"can run any code .* trust_pickle=True \(--trust-pickle\) if you"
    ):
        load_model(tmp_path / "whole.pt")
    loaded = load_model(tmp_path / "whole.pt", trust_pickle=True)
    np.testing.assert_array_equal(extract(loaded, inputs).output, extract(model, inputs).output)


def test_a_hostile_pickle_is_not_run(tmp_path):
    torch.save({"weights": Hostile(tmp_path / "mark")}, tmp_path / "hostile.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile(tmp_path / "mark")))
    np.savez(tmp_path / "hostile.npz", a=np.array([Hostile(tmp_path / "mark")], dtype=object))
    for name in ("hostile.pt", "plain.pt", "hostile.npz"):
        (tmp_path / "mark").unlink(missing_ok=True)
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / name)
        assert not (tmp_path / "mark").exists()


def rewritten(source, target, change):
    """Copy an archive with its members changed: change(name, content) returns them, or None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name.replace("good/", f"{target.stem}/"), content)
        for name, content in (change("more", b"") or {}).items():
            new.writestr(f"{target.stem}/{name}", content)


def test_a_hostile_archive_is_not_opened(model, inputs, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(
            torch.export.export(
                model, (torch.tensor(inputs),), dynamic_shapes=({0: torch.export.Dim("n")},)
            ),
            tmp_path / "good.pt2",
        )
    good = load_model(tmp_path / "good.pt2")
    np.testing.assert_array_equal(extract(good, inputs)["2"], extract(model, inputs)["2"])
    mark = tmp_path / "mark"
    evil = pickle.dumps(Hostile(mark))

    def pickled_examples(name, content):
        return (
            {} if name == "more" else evil if name.endswith("sample_inputs/model.pt") else content
        )

    def pickled_weights(name, content):
        if name == "more":
            return {}
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    def library(name, content):
        return {"data/aotinductor/model/x.so": b""} if name == "more" else content

    def opaque(name, content):
        return {"data/constants/opaque_obj_0": evil} if name == "more" else content

    def expression(name, content):
        if name == "more":
            return {}
        return content.replace(b"Symbol(", b"open('mark') and Symbol(")

    for change in (pickled_examples, pickled_weights, library, opaque, expression):
        path = tmp_path / f"{change.__name__}.pt2"
        rewritten(tmp_path / "good.pt2", path, change)
        with pytest.raises(ValueError, match="which can run any code when it is loaded"):
            load_model(path)
        assert not mark.exists()


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ("Add(Integer(-3), Symbol('s16', positive=True, integer=True))", True),
        ("Max(1, s0 // 2)", True),
        ("exec('x')", False),
        ("Symbol('__import__(\"os\")')", False),
        ("Symbol.__class__", False),
        ("(lambda: 0)()", False),
        ("Integer(", False),
    ],
)
def test_expressions_are_arithmetic(expression, plain):
    assert is_arithmetic(expression) is plain


def test_keras_and_arrays_by_their_ending(tmp_path):
    images = np.random.default_rng(0).random((9, 4, 4, 1), dtype=np.float32)
    network = perceptron(2, (4, 4, 1), random_state=0)
    save_model(network, tmp_path / "model.keras")
    found = extract(load_model(tmp_path / "model.keras"), images, progress=False)
    np.savez(tmp_path / "layers.npz", **found)
    again = extract(load_model(tmp_path / "layers.npz"), None, progress=False)
    assert list(again) == list(found)
    for name in found:
        np.testing.assert_array_equal(again[name], found[name])


@pytest.mark.parametrize("ending", [".pt", ".pt2", ".npz", ".onnx"])
def test_damaged_and_missing_files_are_named(ending, tmp_path):
    path = tmp_path / f"broken{ending}"
    with pytest.raises(FileNotFoundError, match=r"broken.* no such file"):
        load_model(path)
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ValueError, match="broken"):
        load_model(path)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in one of \.keras.*; got 'model\.txt'"):
        load_model("model.txt")
    with pytest.raises(ValueError, match=r"factory is for PyTorch weights; a\.npz needs none"):
        load_model("a.npz", factory="a:b")
