from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from unknot.networks import lenet, perceptron
from unknot.representations import extract, load_model
from unknot.training import save_model, train

ENDINGS = [".keras", ".h5", ".yaml"]


@pytest.fixture(params=ENDINGS)
def ending(request):
    return request.param


@pytest.fixture(scope="module", params=[perceptron, lenet], ids=lambda f: f.__name__)
def saved(request, images, tmp_path_factory):
    """A trained model saved in every format, and what it did: scores, layers, training on."""
    inputs, labels = images
    folder = tmp_path_factory.mktemp("saved")
    model = request.param(2, (16, 16, 1), random_state=1)
    train(model, images, epochs=1, random_state=0, progress=False)
    for ending in ENDINGS:
        save_model(model, folder / f"model{ending}")
    return SimpleNamespace(
        folder=folder,
        scores=model.evaluate(inputs, labels, verbose=0),
        predictions=model.predict(inputs, verbose=0),
        layers=dict(extract(model, inputs, progress=False)),
        further=train(model, images, epochs=2, random_state=1, progress=False)["loss"],
    )


def test_a_loaded_model_is_the_saved_one(saved, images, ending):
    inputs, labels = images
    loaded = load_model(saved.folder / f"model{ending}")
    assert loaded.evaluate(inputs, labels, verbose=0) == saved.scores
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), saved.predictions)


def test_a_loaded_model_is_extracted_from_and_popped(saved, images, ending):
    inputs = images[0]
    loaded = load_model(saved.folder / f"model{ending}")
    layers = extract(loaded, inputs, progress=False)
    assert list(layers) == list(saved.layers)
    for name in layers:
        np.testing.assert_array_equal(layers[name], saved.layers[name])
    loaded.pop()
    last = list(layers)[-2]
    np.testing.assert_allclose(loaded.predict(inputs, verbose=0), layers[last], atol=1e-6)
    assert list(extract(loaded, inputs, progress=False)) == list(layers)[:-1]


def test_a_loaded_model_trains_on_as_the_saved_one(saved, images, ending):
    loaded = load_model(saved.folder / f"model{ending}")
    ours = train(loaded, images, epochs=2, random_state=1, progress=False)
    np.testing.assert_allclose(ours["loss"], saved.further, rtol=1e-6)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_whole_model_keeps_its_optimizers_state(keras, images, ending, tmp_path):
    model = perceptron(2, (16, 16, 1), random_state=0)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    train(model, images, epochs=1, random_state=0, progress=False)
    save_model(model, tmp_path / f"adam{ending}")
    loaded = load_model(tmp_path / f"adam{ending}")
    for ours, theirs in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(ours.value), keras.ops.convert_to_numpy(theirs.value)
        )
    assert int(loaded.optimizer.iterations) == 3  # 260 samples in batches of 100


def test_saving_as_hdf5_leaves_the_model_as_it_was(keras, images, tmp_path):
    model = perceptron(2, (16, 16, 1))
    train(model, images, epochs=1, progress=False)
    settings = model.get_compile_config()
    save_model(model, tmp_path / "first.h5")
    assert model.get_compile_config() == settings
    save_model(model, tmp_path / "then.keras")
    rate = load_model(tmp_path / "then.keras").optimizer.learning_rate
    assert float(keras.ops.convert_to_numpy(rate)) == pytest.approx(0.1)


def test_yaml_is_written_beside_its_weights_and_read_by_either_name(images, tmp_path):
    model = lenet(2, (16, 16, 1))
    expected = model.predict(images[0], verbose=0)
    save_model(model, tmp_path / "a.yaml")
    save_model(model, tmp_path / "b.weights.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.weights.h5",
        "a.yaml",
        "b.weights.h5",
        "b.yaml",
    ]
    for name in ("a.yaml", "a.weights.h5", "b.yaml", "b.weights.h5"):
        np.testing.assert_array_equal(
            load_model(tmp_path / name).predict(images[0], verbose=0), expected
        )
    described = yaml.safe_load((tmp_path / "a.yaml").read_text())
    assert [layer["class_name"] for layer in described["config"]["layers"]][1] == "Conv2D"


def test_a_failed_save_leaves_what_was_there(images, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    model = perceptron(2, (16, 16, 1), random_state=0)
    save_model(model, path)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_model(perceptron(2, (16, 16, 1), random_state=1), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda text: text + "\nevil: !!python/object/apply:os.system ['true']\n",
            "not plain YAML",
        ),
        (lambda text: text.replace("class_name: Dense", "class_name: Tense"), "'Tense' is not"),
        (lambda text: text.replace("class_name: Dense", "class_name: Lambda"), "would run code"),
        (lambda text: text.replace("module: keras.layers", "module: os"), "not a layer or object"),
        (lambda text: "[1, 2]", "does not describe a Keras model"),
        (lambda text: "just words", "does not describe a Keras model"),
    ],
)
def test_yaml_cannot_make_what_it_should_not(edit, message, tmp_path):
    path = tmp_path / "model.yaml"
    save_model(perceptron(2, (16, 16, 1)), path)
    path.write_text(edit(path.read_text()))
    with pytest.raises(ValueError, match=message) as caught:
        load_model(path)
    assert "model.yaml cannot be loaded" in str(caught.value)


def test_a_registered_layer_is_loaded_from_yaml(keras, images, tmp_path):
    @keras.saving.register_keras_serializable("unknot_tests")
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    model = keras.Sequential([keras.Input((16, 16, 1)), Doubled(), keras.layers.Flatten()])
    save_model(model, tmp_path / "own.yaml")
    loaded = load_model(tmp_path / "own.yaml")
    np.testing.assert_allclose(
        loaded.predict(images[0], verbose=0), 2 * images[0].reshape(260, -1), rtol=1e-6
    )


def test_a_damaged_file_is_named(ending, tmp_path):
    path = tmp_path / f"cut{ending}"
    save_model(perceptron(2, (16, 16, 1)), path)
    damaged = path if ending != ".yaml" else tmp_path / "cut.weights.h5"
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"cut{ending} cannot be loaded as a model"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras: no such file"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "alone.yaml").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"alone\.weights\.h5: no such file"):
        load_model(tmp_path / "alone.yaml")


@pytest.mark.parametrize(
    "call", [lambda path: load_model(path), lambda path: save_model(None, path)]
)
def test_other_endings_are_refused(call, tmp_path):
    with pytest.raises(
        ValueError, match=r"path must end in (one of )?\.keras, \.h5, \.hdf5, (or )?\.yaml"
    ):
        call(tmp_path / "model.txt")


def test_a_model_without_weights_is_not_saved(keras, tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="has no weights to save"):
        save_model(model, tmp_path / "unbuilt.keras")


def test_two_architectures_do_not_share_weights(tmp_path):
    """NAME.yaml and NAME.yml would both be read with NAME.weights.h5, whosever these are."""
    model = perceptron(2, (4, 4, 1), random_state=0)
    save_model(model, tmp_path / "a.yaml")
    save_model(model, tmp_path / "a.yaml")
    before = (tmp_path / "a.weights.h5").read_bytes()
    other = perceptron(2, (4, 4, 1), random_state=1)
    with pytest.raises(FileExistsError, match=r"a\.yml and a\.yaml would share a\.weights\.h5"):
        save_model(other, tmp_path / "a.yml")
    assert (tmp_path / "a.weights.h5").read_bytes() == before


@pytest.mark.parametrize("model", [object(), None, "model.keras", {"fc1": np.eye(3)}])
def test_only_keras_models_are_saved(model, tmp_path):
    with pytest.raises(TypeError, match=r"model must be a Keras model; got .*torch\.export\.save"):
        save_model(model, tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())
