"""Thumbnails as sprite sheets, which a browser decodes once."""

import base64
import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .._typing import Array

# Maximum side of a sheet; all browsers and GPUs support it.
_SHEET_SIDE = 4096
# Maximum and minimum side of a tile: the size at which it is shown, and the smallest legible one.
_MAX_TILE, _MIN_TILE = 64, 12
# Size limit for up to _FEW thumbnails; for more, it grows with the cube root of their number.
_MAX_BYTES, _FEW = 1_900_000, 10_000
_N_TRIAL = 400  # thumbnails on which encodings are tried


class _Encoding(NamedTuple):
    """Longer side of a tile in pixels, and WebP quality (None for lossless)."""

    side: int
    quality: int | None


def sprite_sheets(thumbnails: Array) -> dict[str, Any]:
    """Write thumbnails to WebP sprite sheets, in as much detail as the size limit allows.

    Lossless if that takes at most 1.9 MB (the cube root of n/10,000 times as much for more than
    10,000 thumbnails), else with lower quality, else also smaller.

    Parameters
    ----------
    thumbnails : ndarray of uint8, (n, height, width), (n, height, width, 1) or (..., 3)

    Returns
    -------
    dict
        ``sheets`` (data: URIs), ``perSheet`` and ``columns`` (tiles), ``width`` and ``height`` of
        a tile in pixels.

    Raises
    ------
    ValueError
        If the thumbnails have a different shape or dtype.
    """
    images = np.asarray(thumbnails)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise ValueError(
            "thumbnails must be uint8 of shape (n, height, width) or (n, height, width, 3); "
            f"got {images.dtype} of shape {images.shape}"
        )
    encoding = _choose_encoding(images)
    tiles = _scaled(images, encoding.side)
    height, width = tiles.shape[1:3]
    columns = max(1, min(math.ceil(math.sqrt(len(tiles))), _SHEET_SIDE // width))
    per_sheet = columns * (_SHEET_SIDE // height)
    sheets = [_data_uri(_encode(sheet, encoding)) for sheet in _sheets(tiles, columns, per_sheet)]
    return {
        "sheets": sheets,
        "perSheet": per_sheet,
        "columns": columns,
        "width": width,
        "height": height,
    }


def image_uri(png: bytes) -> str:
    """Return a PNG image as a data: URI, reduced to 256 colors."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _choose_encoding(images: Array) -> _Encoding:
    """Return the most detailed encoding within the size limit, tried on a sample."""
    bytes_per_tile = _MAX_BYTES * max(1.0, math.cbrt(len(images) / _FEW)) / max(len(images), 1)
    sample = images[:: max(1, len(images) // _N_TRIAL)]
    side = min(max(images.shape[1:3]), _MAX_TILE)
    encoding = _Encoding(side, None)
    for encoding in _encodings(side):
        tiles = _scaled(sample, encoding.side)
        columns = math.ceil(math.sqrt(len(tiles)))
        sheet = next(_sheets(tiles, columns, columns * columns))
        if len(_encode(sheet, encoding)) <= bytes_per_tile * len(tiles):
            break
    return encoding


def _encodings(side: int) -> Iterator[_Encoding]:
    yield _Encoding(side, None)
    for quality in (80, 60, 40):
        yield _Encoding(side, quality)
    while side > _MIN_TILE:
        side = max(_MIN_TILE, side * 3 // 4)
        yield _Encoding(side, 60)


def _scaled(images: Array, side: int) -> Array:
    """Scale images down so that their longer side is at most `side` pixels."""
    height, width = images.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1.0:
        return images
    size = max(1, round(width * scale)), max(1, round(height * scale))
    scaled = [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=2.0))
        for image in images
    ]
    return np.stack(scaled)


def _sheets(tiles: Array, columns: int, per_sheet: int) -> Iterator[Array]:
    """Arrange tiles in rows; the last sheet has only as many rows as needed."""
    height, width, *channels = tiles.shape[1:]
    for start in range(0, len(tiles), per_sheet):
        batch = tiles[start : start + per_sheet]
        rows = math.ceil(len(batch) / columns)
        grid = np.zeros((rows * columns, height, width, *channels), dtype=np.uint8)
        grid[: len(batch)] = batch
        grid = grid.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
        yield grid.reshape(rows * height, columns * width, *channels)


def _encode(sheet: Array, encoding: _Encoding) -> bytes:
    buffer = io.BytesIO()
    # The fastest settings within a few percent of the smallest file.
    if encoding.quality is None:
        Image.fromarray(sheet).save(buffer, format="WEBP", lossless=True, quality=0, method=2)
    else:
        Image.fromarray(sheet).save(buffer, format="WEBP", quality=encoding.quality, method=2)
    return buffer.getvalue()


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")
