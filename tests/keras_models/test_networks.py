import numpy as np
import pytest

from unknot import networks


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic_regression", 7_850),  # 784 * 10 + 10
        ("perceptron", 79_510),  # 784 * 100 + 100 + 100 * 10 + 10
        # 16 * 25 + 16 + 32 * 16 * 25 + 32 + 512 * 100 + 100 + 100 * 10 + 10
        ("lenet", 65_558),
    ],
)
def test_the_labs_networks_have_their_number_of_parameters(name, parameters):
    assert getattr(networks, name)().count_params() == parameters


def test_networks_give_probabilities(model, images):
    probabilities = model.predict(images[0], verbose=0)
    assert probabilities.shape == (260, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_seed_decides_the_weights():
    weights = [networks.lenet(random_state=seed).get_weights() for seed in (3, 3, 4)]
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert not (weights[0][0] == weights[2][0]).all()


def test_layers_of_a_network_start_differently():
    first, _, second, _ = networks.perceptron(100, (10, 10, 1), random_state=0).get_weights()
    assert first.shape == second.shape == (100, 100)
    assert not (first == second).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: networks.perceptron(1), "n_classes must be an integer of at least 2; got 1"),
        (lambda: networks.perceptron(input_shape=(0,)), "positive sizes only"),
        (lambda: networks.lenet(input_shape=(8, 8, 1)), "at least 16 x 16 pixels"),
        (lambda: networks.lenet(input_shape=(784,)), "at least 16 x 16 pixels"),
    ],
)
def test_impossible_sizes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
