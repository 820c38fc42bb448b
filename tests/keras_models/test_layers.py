"""What extraction sees of Keras models of every build; run on every backend."""

import numpy as np
import pytest

from unknot.networks import lenet, logistic_regression, perceptron
from unknot.representations import extract, list_layers, load_model, untrained
from unknot.training import save_model


@pytest.mark.parametrize("network", [logistic_regression, perceptron, lenet])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_the_labs_networks_from_files_layer_by_layer(keras, images, network, ending, tmp_path):
    """The slow twin: Keras' own layers called one after the other."""
    model = network(2, (16, 16, 1), random_state=0)
    save_model(model, tmp_path / f"model{ending}")
    found = extract(load_model(tmp_path / f"model{ending}"), images[0], progress=False)
    values = images[0]
    for layer in model.layers:
        values = keras.ops.convert_to_numpy(layer(values))
        np.testing.assert_allclose(found[layer.name], values, atol=1e-5, err_msg=layer.name)
    np.testing.assert_array_equal(found.output, found["probabilities"])


def test_layers_tell_kind_shape_and_view(images):
    layers = list_layers(lenet(2, (16, 16, 1)), images[0])
    assert [(layer.name, layer.kind, layer.shape, layer.same_as) for layer in layers] == [
        ("conv1", "Conv2D", (12, 12, 16), None),
        ("pool1", "MaxPooling2D", (6, 6, 16), None),
        ("conv2", "Conv2D", (2, 2, 32), None),
        ("pool2", "MaxPooling2D", (1, 1, 32), None),
        ("flatten", "Flatten", (32,), "pool2"),
        ("fc1", "Dense", (100,), None),
        ("probabilities", "Dense", (2,), None),
    ]
    assert list_layers(perceptron(2, (16, 16, 1)), images[0])[0].same_as == "inputs"


def test_views_share_memory(images):
    found = extract(lenet(2, (16, 16, 1)), images[0], progress=False)
    assert np.shares_memory(found["flatten"], found["pool2"])
    found = extract(lenet(2, (16, 16, 1)), images[0], ["flatten", "fc1"], progress=False)
    assert [layer.same_as for layer in found.layers] == [None, None]


def several(keras):
    """A model of two inputs and two outputs; one layer is shared."""
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right", dtype="int32")
    words = layers.Flatten(name="words")(layers.Embedding(9, 4, name="embedding")(right))
    shared = layers.Dense(5, "tanh", name="shared")
    narrow = layers.Dense(4, name="narrow")(words)
    both = layers.Concatenate(name="both")([shared(left), shared(narrow)])
    outputs = [layers.Dense(2, name="first")(both), layers.Dense(3, name="second")(both)]
    return keras.Model([left, right], outputs, name="several")


def test_several_inputs_and_outputs_and_a_shared_layer(keras):
    model = several(keras)
    rng = np.random.default_rng(0)
    left, right = rng.random((50, 4)), rng.integers(0, 9, (50, 3))
    found = extract(model, (left, right), pool="flatten", batch_size=20, progress=False)
    table = keras.ops.convert_to_numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(found["embedding"], table[right])
    sides = np.concatenate([found["shared"], found["shared:2"]], 1)
    swapped = np.concatenate([found["shared:2"], found["shared"]], 1)
    assert found["both"].tobytes() in (sides.tobytes(), swapped.tobytes())
    assert found.output is None  # there are two
    for inputs in ([left, right], {"right": right, "left": left}):
        again = extract(model, inputs, "second", batch_size=20, progress=False)
        np.testing.assert_allclose(again["second"], found["second"], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda left, right: left, "takes 2; got 1"),
        (lambda left, right: (left, right[:9]), "the same number of samples"),
        (lambda left, right: (left, right + 0.5), "takes int32; got fractions"),
        (lambda left, right: {"left": left, "wrong": right}, "takes 'left', 'right'; got 'wrong'"),
        (lambda left, right: (left[:, :2], right), r"takes samples of shape \(4,\); got \(2,\)"),
    ],
)
def test_several_inputs_that_do_not_fit(keras, change, message):
    left, right = np.zeros((10, 4)), np.zeros((10, 3), int)
    with pytest.raises(ValueError, match=message):
        extract(several(keras), change(left, right), progress=False)


def subclassed(keras):
    class Block(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.inner = keras.layers.Dense(6, "relu", name="inner")
            self.drop = keras.layers.Dropout(0.5, name="drop")

        def build(self, shape):
            self.inner.build(shape)
            self.built = True

        def call(self, inputs, training=None):
            return self.drop(self.inner(inputs), training=training)

    class Own(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.block = Block(name="block")
            self.rnn = keras.layers.LSTM(4, return_state=True, name="rnn")
            self.head = keras.layers.Dense(2, name="head")

        def build(self, shape):
            self.block.build(shape)
            self.rnn.build((*shape[:-1], 6))
            self.head.build((shape[0], 4))
            self.built = True

        def call(self, inputs, training=None):
            states = self.rnn(self.block(inputs, training=training))
            return self.head(states[0])

    return Own(name="own")


def test_a_subclassed_model_shows_what_is_inside_its_own_layers(keras):
    model = subclassed(keras)
    series = np.random.default_rng(0).standard_normal((30, 5, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="not built yet"):
        untrained(model, random_state=0)
    found = extract(model, series, batch_size=8, progress=False)  # which builds it
    expected = keras.ops.convert_to_numpy(model(series))
    assert list(found) == [
        *("block/inner", "block/drop", "block"),
        *("rnn[0]", "rnn[1]", "rnn[2]", "head"),
    ]
    assert {layer.name: layer.same_as for layer in found.layers}["block"] == "block/inner"
    np.testing.assert_allclose(found.output, expected, atol=1e-5)


def test_whole_numbers_are_given_as_they_are_to_a_model_that_says_nothing(keras):
    class Words(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.table = keras.layers.Embedding(7, 3, name="table")

        def call(self, tokens):
            return keras.ops.mean(self.table(tokens), axis=1)

    tokens = np.random.default_rng(0).integers(0, 7, (12, 4))
    model = Words()
    model(tokens)
    found = extract(model, tokens, pool="flatten", progress=False)
    table = keras.ops.convert_to_numpy(model.table.embeddings)
    np.testing.assert_array_equal(found["table"], table[tokens])


def test_on_disk_is_what_is_in_memory(model, images, tmp_path):
    memory = extract(model, images[0], batch_size=100, progress=False)
    disk = extract(model, images[0], batch_size=100, max_memory=0, store=tmp_path, progress=False)
    assert not any(isinstance(array, np.ndarray) for array in disk.values())
    for name in memory:
        assert disk[name].shape == memory[name].shape
        np.testing.assert_allclose(disk.points(name), memory.points(name), atol=1e-6)


def test_untrained_weights_are_fresh_and_seeded(model, images):
    trained = [weight + 1 for weight in model.get_weights()]
    model.set_weights(trained)
    first, again, other = (untrained(model, seed) for seed in (1, 1, 2))
    for weight, same, ours in zip(
        first.get_weights(), again.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, same)
        assert not np.allclose(weight, ours)
    assert not np.allclose(first.get_weights()[0], other.get_weights()[0])
    assert [layer.name for layer in first.layers] == [layer.name for layer in model.layers]
    for weight, before in zip(model.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(weight, before)
    assert list(extract(first, images[0], progress=False)) == list(
        extract(model, images[0], progress=False)
    )


def test_what_was_adapted_to_the_data_is_kept_untrained(keras):
    scaled = keras.layers.Normalization(name="scaled")
    scaled.adapt(np.array([[1.0, 5.0], [3.0, 9.0]]))
    model = keras.Sequential([keras.Input((2,)), scaled, keras.layers.Dense(3)])
    fresh = untrained(model)
    inputs = np.random.default_rng(0).random((5, 2))
    np.testing.assert_allclose(
        extract(fresh, inputs)["scaled"], extract(model, inputs)["scaled"], rtol=1e-6
    )


def test_a_model_that_cannot_be_made_anew_is_an_error(keras):
    class Sized(keras.Model):
        def __init__(self, table):
            super().__init__()
            self.dense = keras.layers.Dense(len(table))

        def call(self, inputs):
            return self.dense(inputs)

    model = Sized(np.ones(3))
    model(np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match="give its class a get_config"):
        untrained(model)
