"""A folder of images with a sub-folder per class, optionally under train/ and test/."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._typing import Array, Float32
from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_GREY_8 = frozenset({"1", "L"})
_GREY_16 = frozenset({"I", "I;16", "I;16B", "I;16L"})
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
    """Load images; the sub-folders are the classes, in the order of their names or numbers."""
    _check_image_size(image_size)
    # A folder of vehicles may have a class called train: a split has sub-folders of its own.
    has_train = _has_folders(folder / "train")
    parts = [_list_images(folder / "train" if has_train else folder)]
    if has_train and _has_folders(folder / "test"):
        parts.append(_list_images(folder / "test"))
    names = _in_order(set(parts[0].classes))
    unknown = _in_order(set(parts[-1].classes) - set(names))
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
    return build_dataset(folder.resolve().name, *splits, class_names=class_names or names)


def _check_image_size(image_size: tuple[int, int] | None) -> None:
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ValueError(
            f"image_size must be a height and a width of at least 1 pixel; got {image_size}"
        )


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_dir() for path in folder.iterdir())


def _list_images(folder: Path) -> _Listing:
    paths: list[Path] = []
    classes: list[str] = []
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        if sub.name.startswith("."):
            continue
        found = sorted(p for p in sub.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise DatasetError(
                f"{sub} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}); "
                "each sub-folder must hold the images of one class"
            )
        paths += found
        classes += [sub.name] * len(found)
    if not paths:
        raise DatasetError(f"{folder} has no sub-folders; it needs one for each class")
    return _Listing(folder, paths, classes)


def _in_order(names: set[str]) -> list[str]:
    """Sort class names, as numbers where they all are: 2 comes before 10."""
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def _survey(part: _Listing, image_size: tuple[int, int] | None, first: _Listing) -> int:
    """Read every image's header before decoding any: sizes agree, and how many channels.

    Returns
    -------
    int
        1 if all images are grey, else 3.
    """
    n_channels = 1
    reference = first.paths[0]
    size = None
    for path in [reference, *part.paths]:
        with _open(path) as image:
            if image.mode not in _GREY_8 | _GREY_16:
                n_channels = 3
            if size is None:
                size = image.size
            if image_size is None and image.size != size:
                raise DatasetError(
                    f"images must be of one size: {reference} has {size[1]} × {size[0]} pixels "
                    f"(height × width), {path} has {image.size[1]} × {image.size[0]}. "
                    f"Have them resized with image_size=({size[1]}, {size[0]})"
                )
    return n_channels


def _read_all(
    part: _Listing, n_channels: int, image_size: tuple[int, int] | None
) -> Float32[Array, "samples height width channels"]:
    first = _read(part.paths[0], n_channels, image_size)
    result = np.empty((len(part.paths), *first.shape), dtype=np.float32)
    for index, path in enumerate(part.paths):
        result[index] = first if index == 0 else _read(path, n_channels, image_size)
    return result


def _open(path: Path) -> "Image":
    from PIL import Image

    try:
        image = Image.open(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    if image.mode not in _GREY_8 | _GREY_16 | _CONVERTIBLE:
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
        try:
            image.load()
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise _unreadable(path, error) from error
        scale = 65535 if image.mode in _GREY_16 else 255
        if n_channels == 3:
            image = _on_white(image) if scale == 255 else image
        elif image.mode == "1":
            image = image.convert("L")
        pixels = np.asarray(image, dtype=np.float32) / np.float32(scale)
    if image_size is not None:
        # As 32-bit floats, which Pillow filters without rounding; one channel at a time.
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
    """Convert to RGB, what is transparent laid over white."""
    from PIL import Image

    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        image = Image.alpha_composite(white, opaque)
    return image.convert("RGB")


def _unreadable(path: Path, error: BaseException) -> DatasetError:
    return DatasetError(
        f"{path} is not a readable image ({error}). Remove it or replace it with a good copy"
    )
