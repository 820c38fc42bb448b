"""The command layers."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of layers and data with 40 samples."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    fc1 = rng.normal(size=(40, 6)).astype(np.float32)
    np.savez(folder / "layers.npz", fc1=fc1, fc2=2 * fc1 + 1, conv=np.zeros((40, 3, 4, 5), "f4"))
    np.savez(folder / "data.npz", inputs=fc1, labels=np.arange(40) % 4)
    return folder


def test_a_table_of_layers(call, files):
    code, printed, err = call("layers", files / "layers.npz")
    assert (code, err) == (0, "")
    lines = printed.splitlines()
    assert lines[0].split() == ["layer", "class", "shape", "numbers", "block"]
    assert lines[1].split() == ["fc1", "array", "6", "6", "yes"]
    assert lines[3].split() == ["conv", "array", "3", "×", "4", "×", "5", "60", "yes"]
    assert "3 of 3 layers are taken by default" in lines[-1]
    assert call("layers", files / "layers.npz", files / "data.npz")[0] == 0


def test_json_of_the_layers_that_a_pattern_names(call, files):
    code, printed, err = call("layers", files / "layers.npz", "-l", "fc*", "--json")
    assert (code, err) == (0, "")
    assert json.loads(printed) == [
        {
            "name": "fc1",
            "kind": "array",
            "shape": [6],
            "size": 6,
            "is_block": True,
            "same_as": None,
        },
        {
            "name": "fc2",
            "kind": "array",
            "shape": [6],
            "size": 6,
            "is_block": True,
            "same_as": None,
        },
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-l", "fc3"), "unknot: --layers: no layer 'fc3'; did you mean 'fc2' or 'fc1'?"),
        (("missing.npz",), "missing.npz"),
    ],
)
def test_what_is_not_there_is_one_line(call, files, arguments, message):
    code, printed, err = call("layers", files / "layers.npz", *arguments)
    assert (code, printed) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.frameworks
def test_a_model_is_run_on_samples_made_up_for_it(call, tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    program = torch.export.export(model.eval(), (torch.zeros(2, 3, 9, 9),))
    torch.export.save(program, tmp_path / "model.pt2")
    code, printed, err = call("layers", tmp_path / "model.pt2")
    assert (code, err) == (0, "")
    assert printed.splitlines()[1].split() == ["0", "Conv2d", "4", "×", "7", "×", "7", "196", "yes"]
    assert "shapes are those of made-up samples" in printed
