"""Split and Dataset: their checks, and stratified samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unknot.datasets import Dataset, DatasetError, Split


def make_split(labels, class_names=(), features=3):
    labels = np.array(labels, dtype=np.int64)
    inputs = np.arange(len(labels) * features, dtype=np.float32).reshape(len(labels), features)
    return Split(inputs, labels, class_names)


def test_split_counts_and_names_its_classes():
    split = make_split([0, 2, 2])
    assert len(split) == 3
    assert split.n_classes == 3
    assert split.class_names == ("0", "1", "2")
    assert repr(split) == "Split(3 samples of 3, 3 classes)"


def test_split_refuses_other_types():
    with pytest.raises(TypeError, match=r"got float32 and int32\. Use unknot\.load_dataset"):
        Split(np.zeros((2, 1), np.float32), np.zeros(2, np.int32))


@pytest.mark.parametrize(
    ("inputs", "labels", "class_names", "message"),
    [
        ((3, 2), [0, 1], (), r"one label for each of the 3 inputs; got the shape \(2,\)"),
        ((0, 2), [], (), "needs at least one sample; got none"),
        ((2, 2), [0, 2], ("a", "b"), r"labels must be in 0\.\.1, .* got 0\.\.2"),
        ((2, 2), [-1, 1], ("a", "b"), r"got -1\.\.1"),
    ],
)
def test_split_faults(inputs, labels, class_names, message):
    with pytest.raises(DatasetError, match=message):
        Split(np.zeros(inputs, np.float32), np.array(labels, np.int64), class_names)


def test_dataset_needs_two_classes():
    with pytest.raises(DatasetError, match="cats: every training sample is of one class, 'b'"):
        Dataset("cats", make_split([1, 1], ("a", "b")))


def test_dataset_needs_equal_shapes():
    with pytest.raises(DatasetError, match=r"shape \(3,\) and test inputs \(4,\)"):
        Dataset("d", make_split([0, 1]), make_split([0, 1], features=4))


def test_dataset_needs_equal_class_names():
    with pytest.raises(DatasetError, match="have different class names"):
        Dataset("d", make_split([0, 1], ("a", "b")), make_split([0, 1], ("b", "a")))


def test_dataset_without_a_test_split():
    data = Dataset("d", make_split([0, 1]))
    assert data.test is None
    assert data.n_classes == 2
    assert repr(data) == "Dataset('d', train=Split(2 samples of 3, 2 classes), test=None)"


def test_take_keeps_order_and_names():
    split = make_split([0, 1, 2], ("a", "b", "c")).take([2, 0])
    np.testing.assert_array_equal(split.labels, [2, 0])
    np.testing.assert_array_equal(split.inputs[:, 0], [6, 0])
    assert split.class_names == ("a", "b", "c")


def test_sample_keeps_proportions():
    # 60, 30 and 10 of 100; of 20: one each, and 17 shared over the 97 left, 59 : 29 : 9, which is
    # 10.34, 5.08 and 1.58; the one left over goes to the last. 11, 6 and 3.
    split = make_split([0] * 60 + [1] * 30 + [2] * 10).sample(20)
    np.testing.assert_array_equal(np.bincount(split.labels), [11, 6, 3])


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_sample_properties(labels, share, seed):
    present = np.unique(labels)
    n = len(present) + round(share * (len(labels) - len(present)))
    split = make_split(labels, tuple("abcdefg"))
    drawn = split.sample(n, random_state=seed)
    places = (drawn.inputs[:, 0] / 3).astype(int)
    assert len(drawn) == n
    assert np.all(np.diff(places) > 0)  # in their order, none twice
    np.testing.assert_array_equal(drawn.labels, np.array(labels)[places])
    np.testing.assert_array_equal(np.unique(drawn.labels), present)
    again = split.sample(n, random_state=seed)
    np.testing.assert_array_equal(again.inputs, drawn.inputs)


def test_sample_differs_with_the_seed():
    split = make_split([0, 1] * 100)
    assert not np.array_equal(split.sample(20, 0).inputs, split.sample(20, 1).inputs)
    assert not np.array_equal(split.sample(20, None).inputs, split.sample(20, None).inputs)


@pytest.mark.parametrize("n", [1, 5])
def test_sample_out_of_range(n):
    with pytest.raises(ValueError, match=rf"from 2 \(one of each class\) to 4 .*; got {n}"):
        make_split([0, 1, 1, 1]).sample(n)
