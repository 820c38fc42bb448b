"""Layers of one name: none is lost, and each is chosen by a name of its own."""

import numpy as np
import pytest

from unknot.representations import extract, list_layers, untrained

X = np.random.default_rng(0).random((6, 4)).astype(np.float32)


@pytest.fixture
def own(keras):
    class Own(keras.Model):
        """Two layers called fc, the second of them run first."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first = keras.layers.Dense(3, name="fc")
            self.second = keras.layers.Dense(5, name="fc")

        def call(self, x):
            return self.first(self.second(x))

        def build(self, shape):
            self.second.build(shape)
            self.first.build((*shape[:-1], 5))
            self.built = True

        def get_config(self):
            return {}

    return Own()


def widths(found):
    return {name: values.shape[1] for name, values in found.items() if name != "inputs"}


def test_both_are_extracted_in_the_order_they_ran(keras, own):
    for options in ({}, {"layers": ["fc", "fc:2"]}):
        found = extract(own, X, progress=False, **options)
        assert widths(found) == {"fc": 5, "fc:2": 3}
        np.testing.assert_allclose(
            found["fc"], keras.ops.convert_to_numpy(own.second(X)), rtol=1e-5
        )


def test_each_is_chosen_by_its_name_or_a_pattern(own):
    assert widths(extract(own, X, ["fc:2"], progress=False)) == {"fc:2": 3}
    assert widths(extract(own, X, ["fc"], progress=False)) == {"fc": 5}
    assert widths(extract(own, X, ["fc*"], progress=False)) == {"fc": 5, "fc:2": 3}
    with pytest.raises(ValueError, match="no layer 'fc:3'; did you mean"):
        extract(own, X, ["fc:3"], progress=False)


def test_the_untrained_model_has_the_same_names(own):
    own(X)
    fresh = untrained(own, random_state=0)
    assert widths(extract(fresh, X, progress=False)) == {"fc": 5, "fc:2": 3}


def test_models_of_one_name_inside_another(keras):
    layers = keras.layers

    def inner(width):
        return keras.Sequential([keras.Input((4,)), layers.Dense(width, name="fc")], name="part")

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [inner(3), inner(5)]

        def call(self, x):
            return keras.ops.concatenate([part(x) for part in self.parts], axis=1)

    model = Outer()
    model(X)
    found = widths(extract(model, X, progress=False))
    assert found["part/fc"] == 3
    assert found["part/fc:2"] == 5


def test_a_shared_layer_and_one_that_is_called_like_its_second_run(keras):
    class Shared(keras.Model):
        def __init__(self):
            super().__init__()
            self.fc = keras.layers.Dense(4, name="fc")
            self.other = keras.layers.Dense(7, name="fc:2")
            self.last = keras.layers.ReLU(name="fc")

        def call(self, x):
            return self.last(self.other(self.fc(self.fc(x))))

    try:
        model = Shared()
        model(X)
        found = {layer.name: (layer.kind, layer.shape) for layer in list_layers(model, X)}
    finally:
        # TensorFlow refuses "fc:2" as a scope, and Keras leaves the model's own scope open, in
        # which every later variable of the process would be named.
        keras.backend.clear_session()
    assert found == {
        "fc": ("Dense", (4,)),
        "fc:2": ("Dense", (4,)),
        "fc:2:2": ("Dense", (7,)),
        "fc:3": ("ReLU", (7,)),
    }
