import numpy as np
import pytest

import unknot
from unknot.metrics import nc3, nc4

SETTINGS = {
    "max_iter": 250,
    "measures": ["nc1", "nc3", "nc4"],
    "progress": False,
    "untrained": False,
}


def clouds(classes=3):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, size=150)
    points = rng.normal(size=(150, 8)) + 2 * rng.normal(size=(classes, 8))[labels]
    return points.astype(np.float32), labels


def scored(study):
    return [name for name in study.scores if "nc3" in study.scores[name]]


def test_the_head_of_a_network_is_found_by_what_it_computes():
    torch = pytest.importorskip("torch")
    points, labels = clouds()
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    study = unknot.study(model, (points, labels), **SETTINGS)
    assert scored(study) == ["1"]
    with torch.no_grad():
        hidden = model[1](model[0](torch.tensor(points))).numpy()
    weights, bias = (part.detach().numpy() for part in model[2].parameters())
    scores = study.scores["1"]
    assert scores["nc3"].value == pytest.approx(nc3(hidden, labels, weights).value, rel=1e-5)
    assert scores["nc4"].value == nc4(hidden, labels, weights, bias).value
    assert "does not take this layer" in study.scores["0"].skipped["nc3"]


@pytest.mark.parametrize("outputs", [1, 3])
def test_keras_heads_are_found_behind_their_activation(outputs):
    keras = pytest.importorskip("keras")
    points, labels = clouds(max(outputs, 2))
    activation = "sigmoid" if outputs == 1 else "softmax"
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(5, activation="tanh", name="hidden"),
            keras.layers.Dense(outputs, activation=activation, name="answer"),
        ]
    )
    study = unknot.study(model, (points, labels), **SETTINGS)
    assert scored(study) == ["hidden"]


def test_names_of_the_outputs_in_another_order_are_followed():
    torch = pytest.importorskip("torch")
    points, labels = clouds()
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    names = ["cat", "dog", "bird"]
    plain = unknot.study(model, (points, labels), **SETTINGS)
    named = unknot.study(model, (points, np.array(names)[labels]), class_names=names, **SETTINGS)
    assert named.scores["1"]["nc3"].value == pytest.approx(plain.scores["1"]["nc3"].value)


def test_a_model_without_a_linear_head_has_none():
    torch = pytest.importorskip("torch")
    points, labels = clouds()
    model = torch.nn.Sequential(torch.nn.Linear(8, 3), torch.nn.ReLU())
    study = unknot.study(model, (points, labels), **SETTINGS)
    assert scored(study) == []
    assert "nc1" in study.scores["0"]


def test_a_projected_layer_is_not_what_the_head_takes():
    torch = pytest.importorskip("torch")
    points, labels = clouds()
    model = torch.nn.Sequential(torch.nn.Linear(8, 40), torch.nn.Tanh(), torch.nn.Linear(40, 3))
    study = unknot.study(model, (points, labels), project=5, **SETTINGS)
    assert scored(study) == []
