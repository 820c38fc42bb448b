"""MNIST in the package and scikit-learn's digits."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

import unknot
from unknot.datasets import DatasetError, _embedded


@pytest.fixture(scope="module")
def mnist():
    return unknot.load_dataset("mnist")


def test_mnist_is_all_there(mnist):
    assert mnist.name == "mnist"
    assert mnist.class_names == tuple("0123456789")
    assert mnist.train.inputs.shape == (60_000, 28, 28, 1)
    assert mnist.test.inputs.shape == (10_000, 28, 28, 1)
    # The numbers of each digit that the database is published with.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(mnist.train.labels), counts)
    np.testing.assert_array_equal(mnist.train.labels[:5], [5, 0, 4, 1, 9])
    assert (mnist.test.inputs.min(), mnist.test.inputs.max()) == (0, 1)


def test_mnist_pixels_are_bytes_over_255(mnist):
    pixels = np.rint(mnist.test.inputs * 255).astype(np.uint8)
    # Of the test images as MNIST's own IDX file stores them.
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == (
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"
    )
    np.testing.assert_array_equal(mnist.test.inputs, pixels.astype(np.float32) / 255)


def test_mnist_hash_is_checked(monkeypatch):
    monkeypatch.setattr(_embedded, "MNIST_SHA256", "0" * 64)
    with pytest.raises(DatasetError, match=r"mnist\.npz is not the MNIST .* Reinstall unknot"):
        unknot.load_dataset("mnist")


def test_digits_are_split_once_and_for_all():
    data = unknot.load_dataset("digits")
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert data.test.inputs.shape == (360, 8, 8, 1)
    assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 1)
    # Together they are scikit-learn's, each image once.
    together = np.concatenate([data.train.inputs, data.test.inputs]).reshape(1797, 64)
    original = (load_digits().data / 16).astype(np.float32)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(original, axis=0))
    # 20 % of each class, to one image.
    share = np.bincount(data.test.labels) / np.bincount(load_digits().target)
    np.testing.assert_allclose(share, 0.2, atol=1 / 170)
    again = unknot.load_dataset("digits")
    np.testing.assert_array_equal(again.test.inputs, data.test.inputs)


def test_embedded_can_be_renamed():
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    data = unknot.load_dataset("digits", name="numbers", class_names=names)
    assert data.name == "numbers"
    assert data.class_names == tuple(names) == data.test.class_names


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("minst", "called 'minst'; did you mean 'mnist'"),
        ("MNIST", "did you mean 'mnist'"),
        ("digit", "did you mean 'digits'"),
        ("no/such/folder", "called 'no/such/folder'. The names are 'digits' and 'mnist'"),
    ],
)
def test_unknown_name(source, message):
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": "a"}, "subset cannot be used with an embedded data set; leave it out"),
        ({"transpose": False, "image_size": (2, 2)}, "transpose and image_size cannot be used"),
    ],
)
def test_options_that_do_not_apply(options, message):
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset("digits", **options)
