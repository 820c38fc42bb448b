"""NumPy archives, whole and damaged."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unknot
from unknot.datasets import DatasetError
from unknot.datasets._npz import load_npz

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def test_train_and_test(tmp_path):
    path = tmp_path / "tiny.npz"
    np.savez_compressed(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=[2, 0])
    data = unknot.load_dataset(path)
    assert data.name == "tiny"
    np.testing.assert_array_equal(data.train.inputs[..., 0], IMAGES / np.float32(255))
    np.testing.assert_array_equal(data.test.labels, [2, 0])


@pytest.mark.parametrize("keys", [("inputs", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_without_a_test_set(tmp_path, keys):
    path = tmp_path / "tiny.npz"
    np.savez(path, **dict(zip(keys, (IMAGES, LABELS), strict=True)))
    data = unknot.load_dataset(path, class_names=["a", "b", "c"])
    assert data.test is None
    assert data.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"tiny\.npz has the keys \(none\); expected x_train and y_train"),
        ({"x": IMAGES, "labels": LABELS}, "has the keys x, labels; expected"),
        ({"x": IMAGES, "y": LABELS, "y_test": LABELS}, "has y_test but not x_test"),
        ({"x": IMAGES, "y": LABELS[:5]}, r"x in .*tiny\.npz has 6 samples and y in .* 5 labels"),
        ({"x": IMAGES, "y": LABELS * 0}, "tiny: every training sample is of one class, '0'"),
        ({"x": np.full((6, 1), np.nan), "y": LABELS}, r"x in .*tiny\.npz has NaN"),
        ({"x": IMAGES, "y": np.array([{}] * 6)}, r"y in .*tiny\.npz holds pickled .* refused"),
    ],
)
def test_faults_name_the_file(tmp_path, arrays, message):
    path = tmp_path / "tiny.npz"
    np.savez(path, **arrays)
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(path)


def test_a_single_array_is_not_an_archive(tmp_path):
    path = tmp_path / "x.npz"
    with path.open("wb") as stream:
        np.save(stream, IMAGES)
    with pytest.raises(DatasetError, match=r"x\.npz holds a single array, .* numpy\.savez"):
        unknot.load_dataset(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04N.", b"PK\x03\x04"])
def test_other_files(tmp_path, content):
    path = tmp_path / "tiny.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"tiny\.npz is not a NumPy archive, or is truncated"):
        unknot.load_dataset(path)


def test_a_damaged_header_is_named(tmp_path):
    path = tmp_path / "tiny.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00\x06\x00{'a':}")
        archive.writestr("y.npy", b"")
    with pytest.raises(DatasetError, match=r"tiny\.npz is damaged: x cannot be unpacked"):
        unknot.load_dataset(path)


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read: Is a directory"):
        load_npz(tmp_path, class_names=None)


def archive_bytes(folder):
    path = folder / "whole.npz"
    np.savez_compressed(path, x=IMAGES, y=LABELS)
    return path.read_bytes()


def test_a_damaged_member_is_named(tmp_path):
    content = bytearray(archive_bytes(tmp_path))
    content[120] ^= 0xFF  # within the packed pixels
    path = tmp_path / "tiny.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"tiny\.npz is damaged: x cannot be unpacked"):
        unknot.load_dataset(path)


@given(cut=st.integers(0, 10_000))
def test_cut_anywhere_is_an_error(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("npz")
    content = archive_bytes(folder)
    path = folder / "cut.npz"
    path.write_bytes(content[: cut % len(content)])
    with pytest.raises(DatasetError):
        unknot.load_dataset(path)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_never_changes_the_values(tmp_path_factory, place, flip):
    folder = tmp_path_factory.mktemp("npz")
    content = bytearray(archive_bytes(folder))
    content[place % len(content)] ^= flip
    path = folder / "changed.npz"
    path.write_bytes(content)
    try:
        data = unknot.load_dataset(path)
    except DatasetError:
        return
    np.testing.assert_array_equal(data.train.inputs[..., 0], IMAGES / np.float32(255))
    np.testing.assert_array_equal(data.train.labels, LABELS)
