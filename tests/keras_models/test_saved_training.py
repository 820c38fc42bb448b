"""What a file says about training: restored as far as it fits, never in the model's way."""

import os
import shutil
import warnings

import numpy as np
import pytest

from unknot.representations import extract, load_for_inference, load_model
from unknot.training import save_model

ENDINGS = [".keras", ".h5", ".yaml"]
rng = np.random.default_rng(0)
X = rng.random((8, 3)).astype(np.float32)
Y = np.arange(8) % 2

OPTIMIZERS = {
    "adam": lambda o: o.Adam(),
    "momentum": lambda o: o.SGD(0.1, momentum=0.9),
    "rmsprop": lambda o: o.RMSprop(centered=True),
    "schedule": lambda o: o.Nadam(o.schedules.ExponentialDecay(0.1, 10, 0.9)),
    "scaled": lambda o: o.LossScaleOptimizer(o.AdamW()),
}


def network(keras, optimizer="adam", loss="sparse_categorical_crossentropy", metrics=()):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, name="hidden"),
            layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


def trained(keras, optimizer):
    """A model whose optimizer has a state of its own."""
    model = network(keras, optimizer)
    step(keras, model)
    return model


def step(keras, model):
    """Change the whole state of the optimizer, as a step would; one that is not fit raises."""
    model.optimizer.build(model.trainable_variables)
    assert len(model.optimizer.variables) > len(model.trainable_variables)
    for variable in model.optimizer.variables:
        variable.assign(variable + keras.ops.ones((), variable.dtype))


def arrays(variables):
    return [np.asarray(variable.numpy()) for variable in variables]


def same(first, second):
    first, second = arrays(first), arrays(second)
    return [a.shape for a in first] == [b.shape for b in second] and all(
        np.array_equal(a, b) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_model_that_was_never_trained(keras, name, ending, tmp_path):
    model = network(keras, OPTIMIZERS[name](keras.optimizers))
    save_model(model, tmp_path / f"new{ending}")
    loaded = load_model(tmp_path / f"new{ending}")  # without a warning: nothing is lost
    assert same(model.weights, loaded.weights)
    step(keras, loaded)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_state_of_an_optimizer_is_restored(keras, name, ending, tmp_path):
    model = trained(keras, OPTIMIZERS[name](keras.optimizers))
    save_model(model, tmp_path / f"trained{ending}")
    loaded = load_model(tmp_path / f"trained{ending}")
    assert same(model.weights, loaded.weights)
    assert same(model.optimizer.variables, loaded.optimizer.variables)


def popped(keras, model):
    model.pop()


def added(keras, model):
    model.add(keras.layers.Dense(5))


def exchanged(keras, model):
    model.pop()
    model.add(keras.layers.Dense(7))


def frozen(keras, model):
    model.layers[0].trainable = False


@pytest.mark.parametrize("change", [popped, added, exchanged, frozen])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_state_that_does_not_fit_is_left_aloud(keras, change, ending, tmp_path):
    model = trained(keras, keras.optimizers.Adam(0.25))
    change(keras, model)
    path = tmp_path / f"changed{ending}"
    save_model(model, path)
    with pytest.warns(UserWarning, match="state of the optimizer does not fit") as caught:
        loaded = load_model(path)
    assert [str(each.message).partition(":")[0] for each in caught] == [str(path)]
    assert same(model.weights, loaded.weights)
    assert (
        float(keras.ops.convert_to_numpy(loaded.optimizer.learning_rate)) == 1.25
    )  # as it was left
    assert int(keras.ops.convert_to_numpy(loaded.optimizer.iterations)) == 0
    step(keras, loaded)


@pytest.mark.one_backend
@pytest.mark.parametrize("loss", ["mse", "mae", "kld", "mape", "huber", "mean_squared_error"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_losses_and_metrics_by_their_short_names(keras, loss, ending, tmp_path):
    model = network(keras, loss=loss, metrics=["mae", "accuracy"])
    save_model(model, tmp_path / f"short{ending}")
    loaded = load_model(tmp_path / f"short{ending}")
    inputs = keras.ops.convert_to_tensor(X)
    targets = keras.ops.convert_to_tensor(np.eye(2, dtype=np.float32)[Y])
    first, second = (
        float(keras.ops.convert_to_numpy(each.compute_loss(inputs, targets, each(inputs))))
        for each in (model, loaded)
    )
    assert first == second > 0


def custom_loss(true, predicted):
    return (true - predicted) ** 2


def unknown(keras):
    """What no file can bring along: a loss, a metric, an optimizer and a schedule of one's own."""

    class Counted(keras.metrics.Mean):
        pass

    class Slow(keras.optimizers.SGD):
        pass

    class Steps(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

        def get_config(self):
            return {}

    return {
        "loss": {"loss": custom_loss},
        "metric": {"metrics": [Counted(name="counted")]},
        "optimizer": {"optimizer": Slow()},
        "schedule": {"optimizer": keras.optimizers.SGD(Steps())},
    }


@pytest.mark.one_backend
@pytest.mark.parametrize("what", ["loss", "metric", "optimizer", "schedule"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_not_known_of_training_does_not_keep_a_model_back(keras, what, ending, tmp_path):
    model = network(keras, **unknown(keras)[what])
    path = tmp_path / f"own{ending}"
    save_model(model, path)
    with pytest.warns(UserWarning, match="loaded without its loss, metrics and optimizer"):
        loaded = load_model(path)
    assert not loaded.compiled
    assert same(model.weights, loaded.weights)
    found = extract(load_for_inference(path), X, progress=False)  # without a warning
    np.testing.assert_array_equal(found["out"], extract(model, X, progress=False)["out"])


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("saved", "renamed"),
    [
        ("a.keras", "a.KERAS"),
        ("a.h5", "a.H5"),
        ("a.h5", "a.hdf5"),
        ("a.hdf5", "a.HDF5"),
        ("a.yaml", "a.YML"),
        ("a.yaml", "a.Yaml"),
        ("a.h5", "a.keras"),  # told apart by the content
        ("a.keras", "a.h5"),
    ],
)
def test_endings_in_capitals_and_by_their_other_names(keras, saved, renamed, tmp_path):
    model = network(keras)
    save_model(model, tmp_path / saved)
    (tmp_path / saved).rename(tmp_path / renamed)
    for load in (load_model, load_for_inference):
        assert same(model.weights, load(tmp_path / renamed).weights)


@pytest.mark.one_backend
@pytest.mark.parametrize("name", ["b.KERAS", "b.H5", "b.hdf5", "b.Hdf5", "b.YAML", "b.WEIGHTS.H5"])
def test_every_ending_is_saved_to(keras, name, tmp_path):
    model = network(keras)
    save_model(model, tmp_path / name)
    assert name in os.listdir(tmp_path)  # noqa: PTH208
    assert all(not each.startswith(".") for each in os.listdir(tmp_path))  # noqa: PTH208
    assert same(model.weights, load_model(tmp_path / name).weights)


@pytest.mark.one_backend
def test_weights_and_architecture_find_each_other(keras, tmp_path):
    model = network(keras)
    save_model(model, tmp_path / "c.yaml")
    shutil.move(tmp_path / "c.weights.h5", tmp_path / "c.WEIGHTS.H5")
    for name in ("c.yaml", "c.WEIGHTS.H5"):
        assert same(model.weights, load_model(tmp_path / name).weights)


@pytest.mark.one_backend
def test_a_refusal_of_keras_keeps_its_class_and_reason(keras, tmp_path):
    first, second = network(keras), keras.Sequential([keras.Input((3,)), keras.layers.Dense(9)])
    save_model(first, tmp_path / "d.yaml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        second.save_weights(tmp_path / "d.weights.h5", overwrite=True)
    with pytest.raises(ValueError) as caught:
        load_model(tmp_path / "d.yaml")
    text = str(caught.value)
    assert "d.yaml cannot be loaded as a model: ValueError: A total of " in text
    assert "could not be loaded" in text
    assert "3, 4" in text  # what the layer has, as Keras says further down
    assert "3, 9" in text
    assert len(text) < 900
