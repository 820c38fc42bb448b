"""Check the content of a Keras file before Keras opens it.

Checked here are the members of an archive, and the links and sizes in HDF5; `_keras_config` checks
the configuration.
"""

import json
import math
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from ._keras_config import RefusedError, check_config, parse_config

CONFIG_BYTES: Final = 2**24
"""The largest known architectures take a tenth of it."""
MAX_RATIO: Final = 100
"""Declared / stored bytes. Keras does not compress weights; constant ones compress by as much."""
ALWAYS_ALLOWED: Final = 2**26
"""Content up to this size may have any compression ratio."""
ATTRIBUTE_BYTES: Final = 2**20
MEMORY_BYTES: Final = 2**28

CONFIG: Final = "config.json"
WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")
MEMBERS: Final = (CONFIG, "metadata.json", *WEIGHTS)

ZIP_MAGIC: Final = b"PK\x03\x04"
HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Content:
    """What is needed to compile a model that is read from a file.

    Attributes
    ----------
    kind : {"archive", "hdf5"}
        The file's format.
    training : dict or None
        The compile settings.
    stepped : bool
        Whether the optimizer has taken a step.
    """

    kind: str
    training: dict[str, Any] | None
    stepped: bool


def read_content(keras: Any, path: Path) -> Content:
    """Check a file of a whole model; the format is detected from the content.

    Raises
    ------
    RefusedError
        If it contains something that must not be loaded.
    Exception
        Whatever the libraries raise on damaged files.
    """
    with path.open("rb") as stream:
        start = stream.read(len(HDF5_MAGIC))
    if start.startswith(ZIP_MAGIC):
        config, stepped = _read_archive(path)
        training = config.pop("compile_config", None)
        check_config(keras, config)
        return Content("archive", training, stepped)
    import h5py

    if not h5py.is_hdf5(path):
        raise RefusedError(
            f"it is neither a .keras archive nor HDF5; it begins with {start.hex(' ') or 'nothing'}"
        )
    with h5py.File(path) as file:
        stepped = check_hdf5(file, path.stat().st_size)
        model, training = (_attribute(file, name) for name in ("model_config", "training_config"))
    if model is None:
        raise RefusedError(
            "it holds weights without a model. Save the whole model, or the architecture as "
            "NAME.yaml beside NAME.weights.h5"
        )
    check_config(keras, model)
    return Content("hdf5", training, stepped)


def _read_archive(path: Path) -> tuple[dict[str, Any], bool]:
    import h5py

    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        counts = Counter(member.filename.casefold() for member in members)
        for member in members:
            _check_member(member, counts)
        names = {member.filename: member for member in members}
        for needed in (CONFIG, next((name for name in WEIGHTS if name in names), WEIGHTS[0])):
            if needed not in names:
                raise RefusedError(f"the archive has no {needed}")
        if names[CONFIG].file_size > CONFIG_BYTES:
            raise RefusedError(
                f"its {CONFIG} has {names[CONFIG].file_size:,} bytes; at most {CONFIG_BYTES:,} "
                "are read"
            )
        config = parse_config(archive.read(CONFIG))
        stepped = False
        if weights := names.get(WEIGHTS[0]):
            with archive.open(weights) as packed, _seekable(packed, weights.file_size) as stream:
                stored = max(weights.compress_size, 1)
                if weights.file_size > max(ALWAYS_ALLOWED, MAX_RATIO * stored):
                    raise _bomb(weights.filename, weights.file_size, stored)
                with h5py.File(stream, "r") as file:
                    stepped = check_hdf5(file, stored)
    return config, stepped


def _check_member(member: zipfile.ZipInfo, counts: Counter[str]) -> None:
    name = member.filename
    if counts[name.casefold()] > 1:
        raise RefusedError(f"the archive has two members called {name!r}")
    parts = name.rstrip("/").split("/")
    asset = parts[0] == "assets" and not any(
        part in ("", ".", "..") or "\\" in part or ":" in part for part in parts
    )
    if name not in MEMBERS and not asset:
        raise RefusedError(f"the archive has a member {name!r}, which no model has")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RefusedError(f"the member {name!r} of the archive is a link")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedError(f"the member {name!r} is compressed by an unknown method")
    if asset and member.file_size > max(ALWAYS_ALLOWED, MAX_RATIO * member.compress_size):
        raise _bomb(name, member.file_size, member.compress_size)


@contextmanager
def _seekable(packed: Any, size: int) -> Iterator[IO[bytes]]:
    """Decompress into a temporary file: h5py seeks, which is slow in an archive."""
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as stream:
        remaining = size
        while remaining > 0 and (block := packed.read(min(remaining, 2**20))):
            stream.write(block)
            remaining -= len(block)
        stream.seek(0)
        yield stream


def _attribute(file: Any, name: str) -> dict[str, Any] | None:
    text = file.attrs.get(name)
    if text is None:
        return None
    if not isinstance(text, (bytes, str)) or len(text) > CONFIG_BYTES:
        raise RefusedError(f"its {name} is not a string of at most {CONFIG_BYTES:,} bytes")
    if name == "model_config":
        return parse_config(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def check_hdf5(file: Any, stored: int) -> bool:
    """Refuse links, data in other files, and sizes that the file cannot contain.

    Parameters
    ----------
    file : h5py.File
        The open file.
    stored : int
        Its size in bytes, compressed if it is in an archive.

    Returns
    -------
    bool
        Whether the optimizer has taken a step.
    """
    import h5py

    declared, stepped = 0, False
    seen: set[Any] = set()
    pending = [file]
    while pending:
        group = pending.pop()
        _check_attributes(group, stored)
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RefusedError(f"{where} in it is a link")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise RefusedError(f"the values of {where} in it are in other files")
                _check_attributes(item, stored)
                declared += math.prod(item.shape or ()) * item.dtype.itemsize
                if declared > max(ALWAYS_ALLOWED, MAX_RATIO * stored):
                    raise _bomb(where, declared, stored)
                if item.shape == () and item.dtype.kind in "iu" and where.startswith("/optimizer"):
                    stepped = stepped or int(item[()]) > 0
    return stepped


def _check_attributes(item: Any, stored: int) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        size = math.prod(attribute.shape) * attribute.dtype.itemsize
        if size > max(ATTRIBUTE_BYTES, stored):
            raise _bomb(f"the attribute {name!r}", size, stored)


def _bomb(what: str, declared: int, stored: int) -> RefusedError:
    return RefusedError(
        f"{what} in it declares {declared:,} bytes, and {stored:,} are stored; it is damaged, "
        "or crafted to exhaust memory"
    )


@contextmanager
def weights_limited(keras: Any, stored: int) -> Iterator[None]:
    """Refuse layers with more weights than a file can contain, before memory is allocated.

    A configuration may declare any number of units, but all their weights must be in the file.
    """
    add_weight = keras.layers.Layer.add_weight
    requested = 0

    def counted(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal requested
        sizes = [shape] if isinstance(shape, int) else shape or ()
        requested += 4 * math.prod(size for size in sizes if isinstance(size, int))
        if requested > max(ALWAYS_ALLOWED, MAX_RATIO * stored):
            raise _bomb(f"layer {layer.name!r}", requested, stored)
        return add_weight(layer, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight
