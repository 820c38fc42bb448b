"""Folders of images."""

import numpy as np
import pytest
from PIL import Image

import unknot
from unknot.datasets import DatasetError

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def write(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def test_gray_images(tmp_path):
    write(tmp_path / "dog" / "2.png", GRAY + 10)
    write(tmp_path / "dog" / "1.png", GRAY)
    write(tmp_path / "cat" / "more" / "x.PNG", GRAY + 20)
    write(tmp_path / ".hidden" / "x.png", GRAY)
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"no image")
    data = unknot.load_dataset(tmp_path)
    assert data.name == tmp_path.name
    assert data.class_names == ("cat", "dog")
    assert data.test is None
    np.testing.assert_array_equal(data.train.labels, [0, 1, 1])
    expected = np.stack([GRAY + 20, GRAY, GRAY + 10])[..., np.newaxis]
    np.testing.assert_array_equal(data.train.inputs, expected / np.float32(255))


def test_train_and_test(tmp_path):
    for part, classes in (("train", "abc"), ("test", "cb")):
        for name in classes:
            write(tmp_path / part / name / "x.png", GRAY)
    data = unknot.load_dataset(tmp_path)
    assert data.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(data.test.labels, [1, 2])


def test_a_class_called_train(tmp_path):
    write(tmp_path / "train" / "x.png", GRAY)
    write(tmp_path / "bus" / "x.png", GRAY)
    assert unknot.load_dataset(tmp_path).class_names == ("bus", "train")


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 0):
        write(tmp_path / str(number) / "x.png", GRAY + number)
    data = unknot.load_dataset(tmp_path)
    assert data.class_names == ("0", "2", "10")
    by_class = data.train.inputs[np.argsort(data.train.labels), 0, 0, 0]
    np.testing.assert_array_equal(by_class, np.array([0, 2, 10], "f4") / 255)


def test_one_color_image_makes_all_of_three_channels(tmp_path):
    write(tmp_path / "a" / "x.png", GRAY)
    write(tmp_path / "b" / "x.png", COLOR)
    inputs = unknot.load_dataset(tmp_path).train.inputs
    assert inputs.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(inputs[0], np.stack([GRAY] * 3, axis=-1) / np.float32(255))
    np.testing.assert_array_equal(inputs[1], COLOR / np.float32(255))


def test_transparent_is_white(tmp_path):
    # Opaque red, red half seen through (255 over white stays 255; 0 becomes 127 or 128), nothing.
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 128], [0, 0, 0, 0]]], np.uint8)
    write(tmp_path / "a" / "x.png", pixels)
    write(tmp_path / "b" / "x.png", pixels)
    inputs = unknot.load_dataset(tmp_path).train.inputs
    expected = [[1, 0, 0], [1, 0.5, 0.5], [1, 1, 1]]
    np.testing.assert_allclose(inputs[0, 0], expected, atol=1 / 255)


def test_palette_bits_and_16_bits(tmp_path):
    primary = np.eye(3, dtype=np.uint8)[np.arange(12).reshape(3, 4) % 3] * 255
    write(tmp_path / "palette" / "x.png", primary, "P")
    data_16 = (GRAY.astype(np.uint16) * 5000).astype(np.uint16)
    write(tmp_path / "deep" / "x.png", data_16)
    write(tmp_path / "bits" / "x.png", (GRAY % 2 * 255).astype(np.uint8), "1")
    data = unknot.load_dataset(tmp_path)
    assert data.class_names == ("bits", "deep", "palette")
    np.testing.assert_array_equal(data.train.inputs[0, ..., 1], GRAY % 2)
    np.testing.assert_array_equal(data.train.inputs[1, ..., 2], data_16 / np.float32(65535))
    np.testing.assert_array_equal(data.train.inputs[2], primary / 255)


def test_images_of_single_bits(tmp_path):
    write(tmp_path / "a" / "x.png", (GRAY % 2 * 255).astype(np.uint8), "1")
    write(tmp_path / "b" / "x.png", GRAY)
    inputs = unknot.load_dataset(tmp_path).train.inputs
    assert inputs.shape == (2, 3, 4, 1)
    np.testing.assert_array_equal(inputs[0, ..., 0], GRAY % 2)


def test_resized(tmp_path):
    write(tmp_path / "a" / "x.png", np.full((8, 8), 100, np.uint8))
    write(tmp_path / "b" / "x.png", np.full((2, 3, 3), 50, np.uint8))
    inputs = unknot.load_dataset(tmp_path, image_size=(4, 6)).train.inputs
    assert inputs.shape == (2, 4, 6, 3)
    np.testing.assert_allclose(inputs[0], 100 / 255, rtol=1e-6)
    np.testing.assert_allclose(inputs[1], 50 / 255, rtol=1e-6)
    with pytest.raises(ValueError, match=r"of at least 1 pixel; got \(0, 6\)"):
        unknot.load_dataset(tmp_path, image_size=(0, 6))


def test_images_of_different_sizes(tmp_path):
    write(tmp_path / "a" / "x.png", GRAY)
    write(tmp_path / "b" / "wide.png", np.zeros((3, 5), np.uint8))
    message = r"x\.png has 3 × 4 .*wide\.png has 3 × 5\. .* with image_size=\(3, 4\)"
    with pytest.raises(DatasetError, match=message):
        unknot.load_dataset(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: b"not it", lambda content: content[:-30]]
)
def test_unreadable_image(tmp_path, damage):
    write(tmp_path / "a" / "x.png", GRAY)
    bad = write(tmp_path / "b" / "bad.png", GRAY)
    bad.write_bytes(damage(bad.read_bytes()))
    with pytest.raises(DatasetError, match=r"b.bad\.png is not a readable image .* Remove it"):
        unknot.load_dataset(tmp_path)


def test_pixels_of_unknown_range(tmp_path):
    write(tmp_path / "a" / "x.tif", GRAY.astype(np.float32))
    write(tmp_path / "b" / "x.png", GRAY)
    with pytest.raises(DatasetError, match=r"x\.tif has pixels of mode 'F'"):
        unknot.load_dataset(tmp_path)


def test_a_class_without_images(tmp_path):
    write(tmp_path / "a" / "x.png", GRAY)
    (tmp_path / "b").mkdir()
    with pytest.raises(DatasetError, match=r"b holds no images \(\.bmp, "):
        unknot.load_dataset(tmp_path)


def test_one_class(tmp_path):
    write(tmp_path / "a" / "x.png", GRAY)
    with pytest.raises(DatasetError, match="every training sample is of one class, 'a'"):
        unknot.load_dataset(tmp_path)


def test_classes_that_only_the_test_set_has(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/z"):
        write(tmp_path / name / "x.png", GRAY)
    with pytest.raises(DatasetError, match=r"test has classes that .*train lacks: z"):
        unknot.load_dataset(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match="has no sub-folders; it needs one for each class"):
        unknot.load_dataset(tmp_path)
