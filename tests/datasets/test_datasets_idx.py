"""IDX files, plain and gzip, whole and damaged."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import unknot
from unknot.datasets import DatasetError
from unknot.datasets._idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
IMAGES = np.arange(2 * 3 * 4, dtype="u1").reshape(2, 3, 4)
LABELS = np.array([3, 7], "u1")


def idx_bytes(array):
    """Write IDX as its description says, value by value."""
    kind = array.dtype.str[1:]
    content = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    letter = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}[kind]
    return content + b"".join(struct.pack(f">{letter}", value) for value in array.ravel())


def packed(content):
    return gzip.compress(content, mtime=0)


def write(path, array):
    content = idx_bytes(array)
    path.write_bytes(packed(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def folder(tmp_path):
    """A set of two training and two test images, the test files packed."""
    write(tmp_path / "train-images-idx3-ubyte", IMAGES)
    write(tmp_path / "train-labels-idx1-ubyte", LABELS)
    write(tmp_path / "t10k-images-idx3-ubyte.gz", IMAGES[::-1])
    write(tmp_path / "t10k-labels-idx1-ubyte.gz", LABELS[::-1])
    return tmp_path


arrays = st.sampled_from(sorted(CODES)).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=4, max_side=4))
)


@given(array=arrays, is_packed=st.booleans())
def test_round_trip(tmp_path_factory, array, is_packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if is_packed else "a")
    result = read_idx(write(path, array))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


def test_folder(folder):
    data = unknot.load_dataset(folder)
    assert data.name == folder.name
    assert data.class_names == ("3", "7")
    np.testing.assert_array_equal(data.train.inputs[..., 0], IMAGES / np.float32(255))
    np.testing.assert_array_equal(data.test.inputs, data.train.inputs[::-1])
    np.testing.assert_array_equal(data.test.labels, [1, 0])


def test_folder_without_test_files(folder):
    for path in folder.glob("t10k*"):
        path.unlink()
    assert unknot.load_dataset(str(folder)).test is None


def test_names_with_a_dot(tmp_path):
    write(tmp_path / "train-images.idx3-ubyte", IMAGES)
    write(tmp_path / "train-labels.idx1-ubyte", LABELS)
    assert len(unknot.load_dataset(tmp_path).train) == 2


def test_an_unpacked_file_goes_before_its_packed_one(folder):
    write(folder / "train-labels-idx1-ubyte.gz", np.array([1, 2], "u1"))
    assert unknot.load_dataset(folder).class_names == ("3", "7")


def test_gzip_is_known_by_its_content(folder):
    # Browsers unpack in passing and keep the name.
    plain = folder / "t10k-labels-idx1-ubyte.gz"
    plain.write_bytes(idx_bytes(LABELS))
    np.testing.assert_array_equal(unknot.load_dataset(folder).test.labels, [0, 1])


@pytest.fixture
def emnist(tmp_path):
    for subset, labels in (("emnist-letters", [1, 2]), ("emnist-digits", [0, 9])):
        for part in ("train", "test"):
            write(tmp_path / f"{subset}-{part}-images-idx3-ubyte.gz", IMAGES.swapaxes(1, 2))
            write(tmp_path / f"{subset}-{part}-labels-idx1-ubyte.gz", np.array(labels, "u1"))
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n")
    return tmp_path


@pytest.mark.parametrize("subset", ["letters", "emnist-letters"])
def test_emnist_is_transposed_and_its_mapping_read(emnist, subset):
    data = unknot.load_dataset(emnist, subset=subset)
    assert data.name == "emnist-letters"
    assert data.class_names == ("A/a", "B/b")
    np.testing.assert_array_equal(data.train.inputs[..., 0], IMAGES / np.float32(255))
    assert data.train.inputs.flags.c_contiguous
    as_published = unknot.load_dataset(emnist, subset=subset, transpose=False)
    np.testing.assert_array_equal(as_published.test.inputs, data.test.inputs.swapaxes(1, 2))


def test_emnist_without_a_mapping(emnist):
    data = unknot.load_dataset(emnist, subset="digits", class_names=["nought", "nine"])
    assert data.class_names == ("nought", "nine")
    assert unknot.load_dataset(emnist, subset="digits").class_names == ("0", "9")


@pytest.mark.parametrize(
    ("mapping", "message"), [("1 65\n", "every label"), ("one 65\n2 66\n", "every label")]
)
def test_emnist_with_a_wrong_mapping(emnist, mapping, message):
    (emnist / "emnist-letters-mapping.txt").write_text(mapping)
    with pytest.raises(DatasetError, match=rf"letters-mapping\.txt does not give {message}"):
        unknot.load_dataset(emnist, subset="letters")


def test_transpose_other_sets_on_request(folder):
    data = unknot.load_dataset(folder, transpose=True)
    assert data.train.inputs.shape == (2, 4, 3, 1)


def test_several_sets(emnist):
    message = r"holds several sets: 'emnist-digits', 'emnist-letters'\. Choose one with subset="
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(emnist)
    with pytest.raises(DatasetError, match="has no set 'balanced'; it has 'emnist-digits'"):
        unknot.load_dataset(emnist, subset="balanced")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train-labels-idx1-ubyte", "has train-images-idx3-ubyte but not .* train-labels-idx1"),
        ("train-images-idx3-ubyte", r"expected train-images-idx3-ubyte\[\.gz\]"),
        ("t10k-labels-idx1-ubyte.gz", r"expected t10k-labels-idx1-ubyte\[\.gz\]"),
    ],
)
def test_missing_half(folder, name, message):
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(folder)


def test_only_test_files(folder):
    for path in folder.glob("train*"):
        path.unlink()
    with pytest.raises(DatasetError, match="has test files but no training files; expected train"):
        unknot.load_dataset(folder)


def test_lengths_that_differ(folder):
    write(folder / "train-labels-idx1-ubyte", np.array([1, 2, 3], "u1"))
    message = r"images-idx3-ubyte has 2 samples and .*labels-idx1-ubyte has 3 labels"
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(folder)


def test_one_class(folder):
    write(folder / "train-labels-idx1-ubyte", np.array([3, 3], "u1"))
    write(folder / "t10k-labels-idx1-ubyte.gz", np.array([3, 3], "u1"))
    with pytest.raises(DatasetError, match=rf"{folder.name}: every training sample is of one"):
        unknot.load_dataset(folder)


def test_one_file_is_not_the_folder(folder):
    with pytest.raises(DatasetError, match="is one IDX file of several; give the folder"):
        unknot.load_dataset(folder / "train-images-idx3-ubyte")


def test_vectors_cannot_be_transposed(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte", IMAGES.reshape(2, 12))
    write(tmp_path / "train-labels-idx1-ubyte", LABELS)
    with pytest.raises(DatasetError, match=r"\(2, 12\), which has no rows and columns"):
        unknot.load_dataset(tmp_path, transpose=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file: it begins with nothing"),
        (b"\x89PNG....", "is not an IDX file: it begins with 89 50 4e 47"),
        (bytes([0, 0, 0x08, 0]), "is not an IDX file: it begins with 00 00 08 00"),
        (bytes([0, 0, 0x0A, 1, 0, 0, 0, 1, 5]), "is not an IDX file: it begins with 00 00 0a"),
        (idx_bytes(IMAGES)[:14], "truncated within its header"),
        (idx_bytes(IMAGES)[:-1], "truncated: it holds 23 of the 24 bytes"),
        (idx_bytes(IMAGES)[:20], "truncated: its header declares 24 bytes"),
        (idx_bytes(IMAGES) + b"\0", "goes on after the 24 bytes"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 9, "declares 18,446,744,065,119,617,025 bytes"),
        (packed(idx_bytes(IMAGES))[:-9], "truncated: its gzip stream ends early"),
        (packed(idx_bytes(IMAGES)[:-1]), "truncated: it holds 23 of the 24 bytes"),
        (packed(bytes([0, 0, 8, 2]) + b"\xff" * 9), "more than the file can hold"),
        (packed(idx_bytes(IMAGES))[:-8] + bytes(8), "is damaged .*CRC"),
        (packed(idx_bytes(IMAGES))[:12] + bytes(30), "is damaged"),
    ],
    ids=[
        "empty",
        "an image",
        "no axes",
        "unknown type",
        "cut in the header",
        "cut before the last byte",
        "cut within the values",
        "a byte too many",
        "values without end",
        "gzip, cut",
        "gzip of a cut file",
        "gzip, values without end",
        "gzip, wrong checksum",
        "gzip, damaged",
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"train-images-idx3-ubyte.*{message}"):
        read_idx(path)


def test_unreadable_file(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_idx(tmp_path / "gone")


@given(cut=st.integers(0, 10_000), is_packed=st.booleans())
def test_cut_anywhere_is_an_error(tmp_path_factory, cut, is_packed):
    content = idx_bytes(IMAGES)
    content = packed(content) if is_packed else content
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(content[: cut % len(content)])
    with pytest.raises(DatasetError):
        read_idx(path)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_never_changes_the_values(tmp_path_factory, place, flip):
    content = bytearray(packed(idx_bytes(IMAGES)))
    content[place % len(content)] ^= flip
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(content)
    try:
        result = read_idx(path)
    except DatasetError:
        return
    np.testing.assert_array_equal(result, IMAGES)  # a byte that gzip does not use
