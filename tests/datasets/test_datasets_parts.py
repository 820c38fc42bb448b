"""Which part of a data set is learned from, and which is held out."""

import warnings

import numpy as np
import pytest
from PIL import Image

import unknot
from unknot.datasets import DatasetError
from unknot.studies._pipeline.data import take_data


def fill(folder, names=("a", "b"), value=0):
    """Two images for each class, all of one value."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(2):
            picture = Image.fromarray(np.full((8, 8), value, np.uint8))
            picture.save(folder / name / f"{i}.png")


@pytest.mark.parametrize(
    "held_out",
    ["val", "valid", "validation", "dev", "eval", "test", "Val", "VALIDATION", "val_set"],
)
@pytest.mark.parametrize("train", ["train", "Train", "training"])
def test_what_is_held_out_is_the_test_split(tmp_path, train, held_out):
    fill(tmp_path / train, ("2", "10"))
    fill(tmp_path / held_out, ("10", "2"), 255)
    data = unknot.load_dataset(tmp_path)
    assert data.class_names == data.test.class_names == ("2", "10")
    assert data.train.inputs.max() == 0
    assert data.test.inputs.min() == 1
    assert take_data(tmp_path).inputs.min() == 1  # what a study takes


def test_of_two_parts_held_out_one_is_left_out_aloud(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", value=255)
    fill(tmp_path / "val", value=51)
    fill(tmp_path / "extra")
    (tmp_path / "notes").mkdir()
    with pytest.warns(UserWarning, match="extra, val is left out; test is the test split"):
        data = unknot.load_dataset(tmp_path)
    assert data.test.inputs.min() == 1


def test_a_part_without_classes_is_left_out_aloud(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path, ("test",))  # images, no folders
    with pytest.warns(UserWarning, match="test is left out"):
        assert unknot.load_dataset(tmp_path).test is None


def test_train_alone_is_all_there_is(tmp_path):
    fill(tmp_path / "train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = unknot.load_dataset(tmp_path)
    assert (len(data.train), data.test) == (4, None)


def test_classes_may_be_called_as_parts_are(tmp_path):
    fill(tmp_path, ("train", "val", "car"))
    assert unknot.load_dataset(tmp_path).class_names == ("car", "train", "val")


@pytest.mark.parametrize("parts", [("val",), ("test", "val")])
def test_parts_without_one_to_learn_from_are_no_classes(tmp_path, parts):
    for part in parts:
        fill(tmp_path / part)
    with pytest.raises(DatasetError, match=rf"{parts[0]}/ with sub-folders but no train/"):
        unknot.load_dataset(tmp_path)


def test_two_folders_of_one_part_are_refused(tmp_path):
    for part in ("train", "training"):
        fill(tmp_path / part)
    with pytest.raises(DatasetError, match="train and training, which are both the train part"):
        unknot.load_dataset(tmp_path)


def test_classes_only_held_out_are_refused(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "val", ("a", "c"))
    with pytest.raises(DatasetError, match=r"val has classes that .*train lacks: c"):
        unknot.load_dataset(tmp_path)


@pytest.mark.parametrize("part", ["test", "val", "valid", "dev"])
def test_arrays(tmp_path, part):
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 2)).astype(np.float32), np.arange(6) % 2
    arrays = {"x_train": x, "y_train": y, f"x_{part}": x[:2] + 1, f"y_{part}": y[:2]}
    np.savez(tmp_path / "d.npz", **arrays)
    for source in (tmp_path / "d.npz", arrays):
        np.testing.assert_array_equal(unknot.load_dataset(source).test.inputs, x[:2] + 1)
    del arrays[f"y_{part}"]
    with pytest.raises(DatasetError, match=rf"x_{part} but not y_{part}"):
        unknot.load_dataset(arrays)


def test_arrays_of_three_parts():
    x, y = np.zeros((4, 2), np.float32), np.arange(4) % 2
    arrays = {}
    for part in ("train", "test", "val"):
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    with pytest.warns(UserWarning, match="x_val is left out; x_test and y_test is the test split"):
        assert len(unknot.load_dataset(arrays).test) == 4


def write_idx(folder, part, value):
    head = bytes([0, 0, 8, 3]) + (2).to_bytes(4) + (1).to_bytes(4) + (1).to_bytes(4)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(head + bytes([value] * 2))
    labels = bytes([0, 0, 8, 1]) + (2).to_bytes(4) + bytes([0, 1])
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


@pytest.mark.parametrize("part", ["val", "validation", "valid", "Test", "t10k"])
def test_idx(tmp_path, part):
    write_idx(tmp_path, "train", 0)
    write_idx(tmp_path, part, 255)
    assert unknot.load_dataset(tmp_path).test.inputs.min() == 1


def test_idx_of_three_parts(tmp_path):
    for value, part in enumerate(("train", "t10k", "val")):
        write_idx(tmp_path, part, 255 * (value == 1))
    with pytest.warns(UserWarning, match="val is left out; test is the test split"):
        assert unknot.load_dataset(tmp_path).test.inputs.min() == 1
