"""Thumbnails as few large images, which a browser decodes once."""

import base64
import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .._typing import Array

# Browsers and graphics cards take images of this side everywhere.
_SHEET = 4096
# No tile is shown larger; none says much when it is smaller.
_LARGEST, _SMALLEST = 64, 12
# For up to 10,000 thumbnails; for more, the square root of their number times as many.
_BYTES, _MANY = 6_000_000, 10_000
_TRIED = 400  # thumbnails on which the ways to write them are tried


class _Way(NamedTuple):
    """How thumbnails are written: the longer side of a tile, and WebP's quality (None: exact)."""

    side: int
    quality: int | None


def sprite_sheets(thumbnails: Array) -> dict[str, Any]:
    """Write thumbnails side by side on sheets of WebP, in as much detail as there is room for.

    Exactly where that takes no more than 6 MB (for more than 10,000 thumbnails, sqrt(n/10,000)
    times as many), otherwise with less quality, and then smaller.

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
        If the shape or the type is another.
    """
    images = np.asarray(thumbnails)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise ValueError(
            "thumbnails must be uint8 of the shape (n, height, width) or (n, height, width, 3); "
            f"got {images.dtype} {images.shape}"
        )
    way = _choose_way(images)
    tiles = _scaled(images, way.side)
    height, width = tiles.shape[1:3]
    columns = max(1, min(math.ceil(math.sqrt(len(tiles))), _SHEET // width))
    per_sheet = columns * (_SHEET // height)
    sheets = [_data_uri(_encode(sheet, way)) for sheet in _sheets(tiles, columns, per_sheet)]
    return {
        "sheets": sheets,
        "perSheet": per_sheet,
        "columns": columns,
        "width": width,
        "height": height,
    }


def image_uri(png: bytes) -> str:
    """Return a picture (PNG) as a data: URI, in no more bytes than a picture of 256 colors has."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _choose_way(images: Array) -> _Way:
    """Find the most detailed way that has room, on some of the thumbnails."""
    room = _BYTES * max(1.0, math.sqrt(len(images) / _MANY)) / max(len(images), 1)
    some = images[:: max(1, len(images) // _TRIED)]
    side = min(max(images.shape[1:3]), _LARGEST)
    way = _Way(side, None)
    for way in _ways(side):
        tiles = _scaled(some, way.side)
        columns = math.ceil(math.sqrt(len(tiles)))
        sheet = next(_sheets(tiles, columns, columns * columns))
        if len(_encode(sheet, way)) <= room * len(tiles):
            break
    return way


def _ways(side: int) -> Iterator[_Way]:
    yield _Way(side, None)
    for quality in (80, 60):
        yield _Way(side, quality)
    while side > _SMALLEST:
        side = max(_SMALLEST, side * 3 // 4)
        yield _Way(side, 60)


def _scaled(images: Array, side: int) -> Array:
    """Scale images so that their longer side is at most this."""
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
    """Lay tiles out in rows; the last sheet is as high as it needs."""
    height, width, *channels = tiles.shape[1:]
    for start in range(0, len(tiles), per_sheet):
        own = tiles[start : start + per_sheet]
        rows = math.ceil(len(own) / columns)
        grid = np.zeros((rows * columns, height, width, *channels), dtype=np.uint8)
        grid[: len(own)] = own
        grid = grid.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
        yield grid.reshape(rows * height, columns * width, *channels)


def _encode(sheet: Array, way: _Way) -> bytes:
    buffer = io.BytesIO()
    # The quickest settings that are within a few per cent of the smallest file.
    if way.quality is None:
        Image.fromarray(sheet).save(buffer, format="WEBP", lossless=True, quality=0, method=2)
    else:
        Image.fromarray(sheet).save(buffer, format="WEBP", quality=way.quality, method=2)
    return buffer.getvalue()


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")
