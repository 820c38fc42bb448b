"""Arrays in memory: scaling, labels, class names, and their faults."""

import numpy as np
import pytest

import unknot
from unknot.datasets import DatasetError

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
LABELS = ["dog", "cat", "dog", "cat"]


def test_bytes_are_scaled_and_get_a_channel():
    data = unknot.load_dataset((IMAGES, LABELS))
    assert data.train.inputs.shape == (4, 3, 2, 1)
    assert data.train.inputs.dtype == np.float32
    np.testing.assert_array_equal(data.train.inputs.ravel(), IMAGES.ravel() / np.float32(255))
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.train.labels, [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("dtype", "greatest"), [("uint8", 255), (">u2", 65535), ("uint16", 65535), ("bool", 1)]
)
def test_scaled_by_the_range_of_the_type(dtype, greatest):
    values = np.array([[0], [1], [greatest], [1]]).astype(dtype)
    inputs = unknot.load_dataset((values, [0, 1, 0, 1])).train.inputs
    np.testing.assert_array_equal(inputs[:, 0], np.array([0, 1, greatest, 1], "f4") / greatest)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "float64"])
def test_floats_are_taken_as_they_are(dtype):
    values = np.array([[-3.5, 200], [0, 1]], dtype)
    inputs = unknot.load_dataset((values, [0, 1])).train.inputs
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, [[-3.5, 200], [0, 1]])


def test_pair_of_pairs_shares_the_classes():
    # 7 is not among the test labels; 9 is still class 2.
    data = unknot.load_dataset(((np.eye(3), [5, 7, 9]), (np.eye(3)[:2], [9, 5])), name="eye")
    assert data.name == "eye"
    assert data.class_names == ("5", "7", "9") == data.test.class_names
    np.testing.assert_array_equal(data.test.labels, [2, 0])


@pytest.mark.parametrize("keys", [("x_train", "y_train"), ("inputs", "labels"), ("x", "y")])
def test_mapping(keys):
    data = unknot.load_dataset(dict(zip(keys, (IMAGES, LABELS), strict=True)))
    assert len(data.train) == 4
    assert data.test is None


def test_column_of_labels():
    data = unknot.load_dataset((IMAGES, np.array([[3], [4], [3], [4]])))
    np.testing.assert_array_equal(data.train.labels, [0, 1, 0, 1])


def test_class_names_follow_the_sorted_labels():
    data = unknot.load_dataset((IMAGES, [2, 1, 2, 1]), class_names=["one", "two"])
    assert data.class_names == ("one", "two")
    np.testing.assert_array_equal(data.train.labels, [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros(4), LABELS, r"inputs must have the shape \(n_samples, n_features\)"),
        (np.zeros((0, 2)), [], r"inputs is empty: it has the shape \(0, 2\)"),
        (np.zeros((4, 2), int), LABELS, r"inputs holds int64, .* with \.astype\('uint8'\)"),
        (np.zeros((4, 2), "int8"), LABELS, "inputs holds int8, whose range says nothing"),
        (np.zeros((4, 2), complex), LABELS, "must hold real numbers; got dtype complex128"),
        ([[0, np.nan], [1, 2]], [0, 1], r"NaN, .* in 1 samples, first in sample 0"),
        ([[0.0, 1], [1e300, 2]], [0, 1], "too large values in 1 samples, first in sample 1"),
        (np.eye(4), LABELS[:3], "inputs has 4 samples and labels has 3 labels"),
        (np.eye(4), np.eye(4), r"shape \(4, 4\)\. If it is one-hot, take labels\.argmax"),
        (np.eye(4), np.zeros((4, 1, 1)), r"labels must hold one label for each of the 4 samples"),
        (np.eye(4), [0, 1, 0.5, 1], r"must be classes .*; got fractions such as 0\.5"),
        (np.eye(4), [0, 1, np.nan, 1], "1 missing values"),
        (np.eye(4), ["a"] * 4, "arrays: every training sample is of one class, 'a'"),
    ],
)
def test_faults(inputs, labels, message):
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset((inputs, labels))


def test_classes_that_only_the_test_set_has():
    message = "y_test has classes that y_train lacks: 'c', 'd'. Remove those samples"
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(((np.eye(2), ["a", "b"]), (np.eye(2)[[0, 0]], ["d", "c"])))


@pytest.mark.parametrize(
    ("class_names", "error", "message"),
    [
        (["a"], DatasetError, r"one name for each of the 2 classes \(cat, dog\); got 1"),
        (["a", "a"], DatasetError, "must be different from each other"),
        ([1, 2], TypeError, None),
        ("ab", TypeError, "must be a sequence of strings; got 'ab'"),
    ],
)
def test_class_name_faults(class_names, error, message):
    with pytest.raises(error, match=message):
        unknot.load_dataset((IMAGES, LABELS), class_names=class_names)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (IMAGES, "got a ndarray, without labels"),
        ((IMAGES,), "got a tuple of 1"),
        (3, "got an int"),
        ({"x_train": IMAGES}, "the mapping has the keys x_train; expected x_train and y_train"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "has x_test but not y_test; give both"),
    ],
)
def test_sources_that_are_none(source, message):
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(source)
