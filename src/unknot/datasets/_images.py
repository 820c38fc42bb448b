"""Load folders of images with one sub-folder per class, optionally under train/ and test/."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._io.npy import UnreadableError, check_fits
from .._typing import Array, Float32
from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError
from ._parts import HELD_OUT, part_of, warn_left_out

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# The formats Pillow may detect, whatever the file's name: its PostScript reader runs a program.
_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_GRAY_8 = frozenset({"1", "L"})
_GRAY_16 = frozenset({"I", "I;16", "I;16B", "I;16L"})
_CONVERTIBLE = frozenset(
    {"P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}
)


class _Listing(NamedTuple):
    folder: Path
    paths: list[Path]
    classes: list[str]


def load_image_folder(
    folder: Path, *, image_size: tuple[int, int] | None, class_names: Sequence[str] | None
) -> Dataset:
    """Load images; the sub-folders are the classes, in alphabetical or numerical order."""
    _check_image_size(image_size)
    try:
        parts = [_list_images(part) for part in _find_parts(folder)]
    except OSError as error:
        raise DatasetError(
            f"{error.filename or folder} cannot be read: {error.strerror or error}"
        ) from error
    names = _sort_names(set(parts[0].classes))
    unknown = _sort_names(set(parts[-1].classes) - set(names))
    if unknown:
        raise DatasetError(
            f"{parts[-1].folder} has classes that {parts[0].folder} lacks: {', '.join(unknown)}. "
            "Remove those folders, or add training images for them"
        )
    n_channels = max(_survey(part, image_size, parts[0]) for part in parts)
    codes = {name: code for code, name in enumerate(names)}
    splits = []
    for part in parts:
        labels = np.array([codes[name] for name in part.classes])
        where = str(part.folder)
        splits.append(RawSplit(_read_all(part, n_channels, image_size), labels, where, where))
    return build_dataset(
        folder.resolve().name,
        *splits,
        class_names=class_names or names,
        # Frameworks sort folders as text: numbers of several lengths come in another order there.
        order_known=class_names is not None or names == sorted(names),
    )


def _check_image_size(image_size: tuple[int, int] | None) -> None:
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ValueError(
            f"image_size must be a height and a width of at least 1 pixel; got {image_size}"
        )


def _find_parts(folder: Path) -> list[Path]:
    """Return the training folder and, if there is one, the held-out folder.

    A part must have sub-folders: "train" may also be a class, in a folder of vehicles.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = part_of(path.name)
        if name and path.is_dir() and (name != "train" or _has_folders(path)):
            found.setdefault(name, []).append(path)
    for name, paths in found.items():
        if len(paths) > 1 and "train" in found:
            listed = " and ".join(path.name for path in paths)
            raise DatasetError(f"{folder} has {listed}, which are both the {name} part; keep one")
    if "train" not in found:
        held_out = [path for paths in found.values() for path in paths if _has_folders(path)]
        if held_out:
            raise DatasetError(
                f"{folder} has {held_out[0].name}/ with sub-folders but no train/ beside it; load "
                f"{str(held_out[0])!r} itself, or add train/"
            )
        return [folder]
    parts = found.pop("train")
    named = [found[name][0] for name in HELD_OUT if name in found]
    usable = [path for path in named if _has_folders(path)]
    left = [
        path.name
        for path in sorted(folder.iterdir())
        if path.is_dir()
        and path not in (*parts, *usable[:1])
        and not path.name.startswith(".")
        and next(_images_under(path), None) is not None
    ]
    warn_left_out(str(folder), usable[0].name if usable else "", left)
    return [*parts, *usable[:1]]


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_dir() for path in folder.iterdir())


def _images_under(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _list_images(folder: Path) -> _Listing:
    paths: list[Path] = []
    classes: list[str] = []
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        if sub.name.startswith("."):
            continue
        found = sorted(path for path in _images_under(sub) if not path.is_dir())
        if not found:
            raise DatasetError(
                f"{sub} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}); "
                "each sub-folder must hold the images of one class"
            )
        if odd := next((path for path in found if not path.is_file()), None):
            raise DatasetError(f"{odd} is a broken link, a pipe or a device, not an image")
        paths += found
        classes += [sub.name] * len(found)
    if not paths:
        raise DatasetError(f"{folder} has no sub-folders; it needs one for each class")
    return _Listing(folder, paths, classes)


def _sort_names(names: set[str]) -> list[str]:
    """Sort class names; numerically if all are numbers, so that 2 comes before 10."""
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def _survey(part: _Listing, image_size: tuple[int, int] | None, first: _Listing) -> int:
    """Read every image's header before decoding any: check sizes and count channels.

    Returns
    -------
    int
        1 if all images are gray, else 3.
    """
    n_channels = 1
    reference = first.paths[0]
    size = None
    for path in [reference, *part.paths]:
        with _open(path) as image:
            if image.mode not in _GRAY_8 | _GRAY_16:
                n_channels = 3
            if size is None:
                size = image.size
            if image_size is None and image.size != size:
                raise DatasetError(
                    f"images must be of one size: {reference} has {size[1]} × {size[0]} pixels "
                    f"(height × width), {path} has {image.size[1]} × {image.size[0]}. "
                    f"Resize them with image_size=({size[1]}, {size[0]})"
                )
    return n_channels


def _read_all(
    part: _Listing, n_channels: int, image_size: tuple[int, int] | None
) -> Float32[Array, "samples height width channels"]:
    first = _read(part.paths[0], n_channels, image_size)
    shape = (len(part.paths), *first.shape)
    try:
        check_fits(4 * math.prod(shape))
        result = np.empty(shape, dtype=np.float32)
    except (UnreadableError, MemoryError) as error:
        raise DatasetError(
            f"{part.folder}: {len(part.paths):,} images of {first.shape[0]} × {first.shape[1]} "
            "pixels do not fit into memory. Load them smaller with image_size=(height, width)"
        ) from error
    for index, path in enumerate(part.paths):
        result[index] = first if index == 0 else _read(path, n_channels, image_size)
    return result


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert whatever Pillow raises on damaged files to a DatasetError."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts of a file that it ignores
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except DatasetError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(
            f"{path} declares more than {Image.MAX_IMAGE_PIXELS:,} pixels, the maximum for an "
            "image. Remove it, or make it smaller"
        ) from error
    except Exception as error:
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise DatasetError(
            f"{path} is not a readable image ({message}). Remove it or replace it with a good copy"
        ) from error


def _open(path: Path) -> "Image":
    from PIL import Image

    Image.init()
    with _readable(path):
        image = Image.open(path, formats=[each for each in _FORMATS if each in Image.OPEN])
        animated = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
    if animated:
        image.close()
        raise DatasetError(f"{path} holds several images; save one of them on its own")
    if image.mode not in _GRAY_8 | _GRAY_16 | _CONVERTIBLE:
        image.close()
        raise DatasetError(
            f"{path} has pixels of mode {image.mode!r}, whose range is not known; convert it to 8 "
            "or 16 bits"
        )
    return image


def _read(
    path: Path, n_channels: int, image_size: tuple[int, int] | None
) -> Float32[Array, "height width channels"]:
    from PIL import Image

    with _open(path) as image:
        with _readable(path):
            image.load()
        if image.mode == "I" and np.any(np.asarray(image) >> 16):
            raise DatasetError(
                f"{path} has 32-bit pixels beyond 0..65,535, whose range is not known; convert it "
                "to 8 or 16 bits"
            )
        scale = 65535 if image.mode in _GRAY_16 else 255
        with _readable(path):
            if n_channels == 3:
                image = _on_white(image) if scale == 255 else image
            elif image.mode == "1":
                image = image.convert("L")
        pixels = np.asarray(image, dtype=np.float32) / np.float32(scale)
    if image_size is not None:
        # As 32-bit floats, which Pillow resizes without rounding; one channel at a time.
        channels = np.atleast_3d(pixels)
        resized = [
            Image.fromarray(np.ascontiguousarray(channels[..., c])).resize(
                (image_size[1], image_size[0]), Image.Resampling.BILINEAR
            )
            for c in range(channels.shape[2])
        ]
        pixels = np.stack([np.asarray(channel) for channel in resized], axis=-1)
    pixels = np.atleast_3d(pixels)
    return np.repeat(pixels, n_channels // pixels.shape[2], axis=2)


def _on_white(image: "Image") -> "Image":
    """Convert to RGB, with a white background under transparent pixels."""
    from PIL import Image

    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        image = Image.alpha_composite(white, opaque)
    return image.convert("RGB")
