"""Studies of trained models of several frameworks, with their untrained control."""

import warnings

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.representations import find_adapter


@pytest.fixture(scope="module")
def data():
    return unknot.load_dataset("digits")


@pytest.fixture(scope="module")
def perceptron(data):
    model = unknot.networks.perceptron(10, (8, 8, 1), random_state=0)
    unknot.train(model, data, epochs=8, random_state=0, progress=False)
    return model


@pytest.fixture(scope="module")
def keras_study(perceptron, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras") / "study"
    return unknot.study(perceptron, data, out=folder, **fast()), folder


def test_a_keras_model(keras_study, perceptron, data):
    study, _ = keras_study
    assert study.name == perceptron.name
    assert next(iter(study)) == "inputs"
    assert study["fc1"].kind == "Dense"
    flat = next(layer for layer in study.values() if layer.kind == "Flatten")
    assert flat.same_as == "inputs"
    np.testing.assert_array_equal(flat.map, study["inputs"].map)
    predicted = perceptron.predict(data.test.inputs, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(study.predictions, predicted)
    assert study.accuracy == np.mean(predicted == data.test.labels)
    assert study.versions["keras"]


def test_training_adds_what_the_control_lacks(keras_study):
    study, _ = keras_study
    control = study.controls["untrained"]
    assert list(control) == list(study)
    assert control["inputs"].to_dict() == study["inputs"].scores.to_dict()
    output = list(study)[-1]
    trained, fresh = study[output].scores, control[output]
    assert trained["neighborhood_hit"].value > fresh["neighborhood_hit"].value + 0.05
    assert fresh["nc1"].interval is None
    assert "map_neighborhood_hit" not in fresh
    text = str(study.scores)
    assert text.count("untrained") >= 2
    assert [line.get_text() for line in study.curves(["nc1"]).legends[0].get_texts()][:2] == [
        "trained",
        "untrained",
    ]


def test_a_keras_model_is_resumed(keras_study, perceptron, data):
    stages = []
    again = unknot.study(
        perceptron, data, out=keras_study[1], on_stage=lambda *s: stages.append(s), **fast()
    )
    assert all(reused for *_, reused in stages)
    assert again.scores.to_dict() == keras_study[0].scores.to_dict()


def test_other_weights_are_another_model(perceptron, data):
    import keras

    other = keras.models.clone_model(perceptron)
    assert find_adapter(other).fingerprint(data.test.inputs) != find_adapter(
        perceptron
    ).fingerprint(data.test.inputs)
    other.set_weights(perceptron.get_weights())
    assert find_adapter(other).fingerprint(data.test.inputs) == find_adapter(
        perceptron
    ).fingerprint(data.test.inputs)


def test_a_torch_module(data, tmp_path):
    torch = pytest.importorskip("torch")

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(64, 24),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(24, 10),
    )
    before = find_adapter(model).fingerprint(data.test.inputs)
    study = unknot.study(model, data.test, out=tmp_path / "s", max_samples=100, **fast())
    kinds = [layer.kind for layer in study.values()]
    assert kinds == ["input", "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    names = list(study)
    assert study[names[1]].same_as == "inputs"
    assert study[names[4]].same_as == names[3]
    assert study.probabilities.shape == (100, 10)
    np.testing.assert_allclose(study.probabilities.sum(axis=1), 1, atol=1e-5)
    assert list(study.controls["untrained"]) == names
    assert find_adapter(model).fingerprint(data.test.inputs) == before
    with torch.no_grad():
        model[1].weight += 1
    assert find_adapter(model).fingerprint(data.test.inputs) != before


def test_an_onnx_model(perceptron, data, tmp_path):
    torch = pytest.importorskip("torch")

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Softmax(1))
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(2, 8, 8, 1),),
            path,
            dynamo=False,
            input_names=["pixels"],
            dynamic_axes={"pixels": {0: "n"}},
        )
    loaded = unknot.representations.load_model(path)
    study = unknot.study(loaded, data.test, max_samples=80, out=tmp_path / "s", **fast())
    assert study.accuracy is not None
    assert [layer.kind for layer in study.values()][-1] == "Softmax"
    assert not study.controls
    assert any("no untrained control" in note for note in study.notes)
    with torch.no_grad():
        expected = model(torch.from_numpy(study["inputs"].points[:])).numpy()
    np.testing.assert_allclose(study.probabilities, expected, atol=1e-5)


def test_more_outputs_than_classes(perceptron, data):
    few = data.test.labels < 3
    pair = (data.test.inputs[few], data.test.labels[few])
    assert len(unknot.study(perceptron, pair, **fast(layers="fc1")).class_names) == 10
    named = unknot.load_dataset(pair, class_names=["zero", "one", "two"])
    study = unknot.study(perceptron, named, **fast(layers="fc1", untrained=False))
    assert study.predictions is None
    assert study.notes == (
        "the model has 10 outputs and the data 3 classes: there are no predictions and no accuracy",
    )


def test_inputs_that_do_not_fit(perceptron):
    with pytest.raises(ValueError, match=r"takes samples of shape \(8, 8, 1\)"):
        unknot.study(perceptron, (np.zeros((5, 3, 3, 1)), [0, 1, 0, 1, 0]))
