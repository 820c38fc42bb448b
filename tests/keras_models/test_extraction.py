import numpy as np
import pytest

from unknot.networks import lenet, perceptron
from unknot.representations import Representations, extract


def test_every_layer_of_lenet_has_its_shape(images):
    layers = extract(lenet(2, (16, 16, 1)), images[0], progress=False)
    assert {name: array.shape[1:] for name, array in layers.items()} == {
        "conv1": (12, 12, 16),
        "pool1": (6, 6, 16),
        "conv2": (2, 2, 32),
        "pool2": (1, 1, 32),
        "flatten": (32,),
        "fc1": (100,),
        "probabilities": (2,),
    }
    assert layers.n_samples == 260
    assert layers.points("conv1").shape == (260, 2304)
    assert "260 samples; conv1 (12, 12, 16)" in repr(layers)


def test_a_hidden_layer_is_what_its_weights_say(images):
    """The slow twin: the perceptron's hidden layer written out in NumPy."""
    model = perceptron(2, (16, 16, 1), random_state=0)
    kernel, bias = model.get_weights()[:2]
    expected = 1 / (1 + np.exp(-(images[0].reshape(260, -1) @ kernel + bias)))
    layers = extract(model, images[0], "fc1", batch_size=64, progress=False)
    assert list(layers) == ["fc1"]
    assert layers["fc1"].dtype == np.float32
    np.testing.assert_allclose(layers["fc1"], expected, atol=1e-5)


def test_the_last_layer_is_the_prediction(model, images):
    layers = extract(model, images[0], batch_size=32, progress=False)
    predicted = model.predict(images[0], batch_size=32, verbose=0)
    np.testing.assert_allclose(layers["probabilities"], predicted, atol=1e-6)


def test_the_model_is_not_altered(model, images):
    before = [np.array(weight) for weight in model.get_weights()]
    attributes = [set(vars(layer)) for layer in model.layers]
    architecture = model.to_json()
    extract(model, images[0], progress=False)
    for weight, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)
    assert [set(vars(layer)) for layer in model.layers] == attributes
    assert model.to_json() == architecture
    assert model.layers[0].output.shape[0] is None  # still one output, known to Keras


def test_functional_nested_and_shared_layers(keras, images):
    layers = keras.layers
    inner_in = keras.Input((16, 16, 1))
    inner = keras.Model(inner_in, layers.Flatten(name="flat")(inner_in), name="inner")
    shared = layers.Dense(5, "relu", name="shared")
    given = keras.Input((16, 16, 1))
    flipped = layers.Permute((2, 1, 3), name="flipped")(given)
    both = [shared(inner(given)), shared(inner(flipped))]
    model = keras.Model(given, layers.Add(name="sum")(both), name="outer")
    found = extract(model, images[0], progress=False)
    assert {
        "flipped",
        "inner/flat",
        "inner/flat:2",
        "inner",
        "inner:2",
        "shared",
        "shared:2",
    } < set(found)
    np.testing.assert_allclose(found["sum"], found["shared"] + found["shared:2"], rtol=1e-6)
    # Keras chooses which of the two calls comes first.
    flat = {found["inner"].tobytes(), found["inner:2"].tobytes()}
    assert flat == {images[0].tobytes(), images[0].transpose(0, 2, 1, 3).tobytes()}


def test_dropout_is_off(keras, images):
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.9, name="drop")]
    )
    found = extract(model, images[0], progress=False)
    np.testing.assert_array_equal(found["drop"], images[0].reshape(260, -1))


def test_layers_come_in_the_models_order_whatever_was_asked(images):
    found = extract(lenet(2, (16, 16, 1)), images[0], ["fc1", "conv1"], progress=False)
    assert list(found) == ["conv1", "fc1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": "fc2"}, r"no layer 'fc2'; did you mean 'fc1'\?"),
        ({"layers": ["conv1", "xyz"]}, r"no layer 'xyz'; its layers are conv1, pool1"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; got 0"),
        ({"inputs": np.zeros((0, 16, 16, 1))}, "at least one sample"),
        ({"inputs": np.zeros((3, 256))}, r"takes samples of shape \(16, 16, 1\); got \(256,\)"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, message, images):
    given = {"inputs": images[0], **arguments}
    with pytest.raises(ValueError, match=message):
        extract(lenet(2, (16, 16, 1)), progress=False, **given)


def test_other_models_are_refused(images):
    with pytest.raises(
        TypeError, match=r"model must be a Keras model, .* dict of layer -> points; got list"
    ):
        extract([], images[0])


def test_representations_are_of_the_same_samples():
    with pytest.raises(ValueError, match="the same number of samples"):
        Representations({"a": np.zeros((2, 1), np.float32), "b": np.zeros((3, 1), np.float32)})
