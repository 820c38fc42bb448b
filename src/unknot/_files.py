"""Files are written whole or not at all: to a temporary name beside the target, then renamed."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ._typing import Array


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it replaces the target.

    The temporary name ends as the target does (libraries choose a format by it). The content is
    flushed to disk before the rename, so that a crash leaves the old file or the new one. On any
    error the temporary file is removed and the target is as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = "".join(target.suffixes[-2:])
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner can read; a result is an ordinary file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:  # Ctrl-C leaves no temporary file either
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically, indented; NaN and infinity are errors, as JSON cannot say them."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_array(path: str | os.PathLike[str], array: Array) -> None:
    """Write one array atomically as ``.npy``."""
    _write_stream(path, lambda stream: np.save(stream, array, allow_pickle=False))


def _write_stream(path: str | os.PathLike[str], write: Callable[[Any], None]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        write(stream)
