"""Sprite sheets: every thumbnail is where the page expects it."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from report_studies import pictures_of

from unknot.report._thumbnails import image_uri, sprite_sheets


def sheet_arrays(entry):
    for uri in entry["sheets"]:
        head, _, content = uri.partition(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            yield np.asarray(image.convert("RGB"))


def tile(entry, sheets, index):
    """Return the tile of a sample, located as the page does."""
    sheet, place = divmod(index, entry["perSheet"])
    row, column = divmod(place, entry["columns"])
    height, width = entry["height"], entry["width"]
    return sheets[sheet][row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_gray_thumbnails_are_exact(n):
    pictures = pictures_of(np.arange(n))
    entry = sprite_sheets(pictures)
    sheets = list(sheet_arrays(entry))
    assert (entry["width"], entry["height"]) == (12, 12)
    for index in range(n):
        assert np.array_equal(tile(entry, sheets, index)[..., 0], pictures[index])


def test_thumbnails_need_not_be_square():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 4, 9, 3), dtype=np.uint8)
    entry = sprite_sheets(pictures)
    sheets = list(sheet_arrays(entry))
    assert (entry["width"], entry["height"]) == (9, 4)
    for index in range(5):
        assert np.array_equal(tile(entry, sheets, index), pictures[index])


def test_one_channel_is_gray():
    pictures = pictures_of(np.arange(3))
    assert sprite_sheets(pictures[..., None]) == sprite_sheets(pictures)


def test_many_thumbnails_take_several_sheets_of_at_most_4096_pixels():
    # 64 x 64 tiles of 64 pixels fill a sheet: the last two are on a second one.
    pictures = np.zeros((4098, 64, 64), dtype=np.uint8)
    pictures[4097, 3, 5] = 255
    entry = sprite_sheets(pictures)
    sheets = list(sheet_arrays(entry))
    assert entry["perSheet"] == 4096
    assert [sheet.shape for sheet in sheets] == [(4096, 4096, 3), (64, 4096, 3)]
    assert tile(entry, sheets, 4097)[3, 5].tolist() == [255, 255, 255]


def test_large_pictures_are_scaled_to_64_pixels():
    pictures = np.full((3, 100, 200, 3), 130, dtype=np.uint8)
    entry = sprite_sheets(pictures)
    assert (entry["width"], entry["height"]) == (64, 32)
    assert np.abs(tile(entry, list(sheet_arrays(entry)), 1).astype(int) - 130).max() <= 2


def test_noise_is_written_smaller_than_it_is():
    pictures = np.random.default_rng(0).integers(0, 256, (9000, 32, 32, 3), dtype=np.uint8)
    entry = sprite_sheets(pictures)
    # 27.6 MB of incompressible noise must fit into the size limit.
    assert sum(map(len, entry["sheets"])) < 1_900_000 * 4 / 3 * 1.1


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((2, 3, 3)), np.zeros((2, 3), np.uint8), np.zeros((2, 3, 3, 4), np.uint8)],
)
def test_other_arrays_are_refused(pictures):
    with pytest.raises(ValueError, match="thumbnails must be uint8 of shape"):
        sprite_sheets(pictures)


def test_a_figure_becomes_a_picture_of_the_same_size():
    buffer = io.BytesIO()
    Image.new("RGBA", (30, 20), (10, 200, 30, 255)).save(buffer, format="PNG")
    head, _, content = image_uri(buffer.getvalue()).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == (30, 20)
        assert np.abs(np.array(image.convert("RGB"))[5, 5] - [10, 200, 30]).max() <= 8
