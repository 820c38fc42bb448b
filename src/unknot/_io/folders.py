"""Folders that belong to this package, and paths that stay inside them.

A folder belongs to this package only if it holds the marker file. Links inside it are never
followed, so that nothing outside is read or written, whatever an untrusted folder contains.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from .lock import LOCK

MARKER: Final = ".unknot"
VERSION: Final = 1
# A larger file of this name was not written by this package.
_MARKER_BYTES: Final = 4096
# Of a URL; a single letter is a drive.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class TooLargeError(OSError):
    """What is to be written does not fit on the disk, which is known before the work."""


class LinkError(OSError):
    """A path inside a folder of this package is a link, or leads out of the folder."""


def claim(
    folder: Path, kind: str, predecessor: Callable[[Path], bool] = lambda folder: False
) -> None:
    """Mark a folder as this package's, or check that it is marked.

    A missing or empty folder is created and marked; any other must have the marker.

    Parameters
    ----------
    folder : Path
    kind : str
        What the folder holds, such as "unknot study".
    predecessor : callable, optional
        Whether an unmarked folder is nevertheless this package's.

    Raises
    ------
    FileExistsError
        If the path is a file or a dangling link, or the folder holds something else.
    ValueError
        If it is a URL, which would become a folder called ``s3:``.
    OSError
        If the folder cannot be created or written to.
    """
    check_no_url(folder)
    if not folder.is_dir():
        if folder.is_symlink():
            raise FileExistsError(f"{folder} is a link to nothing; name a folder")
        if folder.exists():
            raise FileExistsError(f"{folder} is a file; name a folder")
        with _naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
    found = marker_of(folder)
    if found is None:
        if _has_content(folder / MARKER) or not (_is_empty(folder) or predecessor(folder)):
            raise FileExistsError(
                f"{folder} holds something else than an {kind}; name a new or empty folder"
            )
        with _naming(folder):
            _write_marker(folder, kind)
    elif found["format"] != kind:
        raise FileExistsError(
            f"{folder} holds an {found['format']}, not an {kind}; name another folder"
        )
    elif found["version"] > VERSION:
        raise FileExistsError(
            f"{folder} was written by a newer unknot. Upgrade, or name another folder: "
            "pip install --upgrade unknot"
        )


def check_no_url(folder: Path) -> None:
    """Raise a ValueError for a path that was a URL, before it is made absolute."""
    if folder.parts and _SCHEME.fullmatch(folder.parts[0]):
        raise ValueError(
            f"{folder} is a URL; name a folder of a file system, such as one where the store is "
            "mounted"
        )


def marker_of(folder: Path) -> dict[str, Any] | None:
    """Return the content of a folder's marker; None if it has none."""
    try:
        content = json.loads(read_regular(folder / MARKER, _MARKER_BYTES))
        valid = isinstance(content["format"], str) and isinstance(content["version"], int)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # missing, or not written by this package
    return content if valid else None


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the folder that cannot be written to, and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise OSError(
            error.errno,
            f"{folder} cannot be written to ({error.strerror}); make room, or name another folder",
        ) from error


def _write_marker(folder: Path, kind: str) -> None:
    """Write the marker in one call: a killed process leaves it whole, empty or missing."""
    text = json.dumps({"format": kind, "version": VERSION}) + "\n"
    handle = os.open(
        folder / MARKER, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666
    )
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_empty(folder: Path) -> bool:
    """Whether a folder holds at most the empty files of a process that was killed at its start."""
    return all(path.name in (LOCK, MARKER) and not _has_content(path) for path in folder.iterdir())


def _has_content(path: Path) -> bool:
    """Whether a path exists and is not an empty regular file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(found.st_mode) or found.st_size > 0


def inside(folder: Path, name: str) -> Path:
    """Return a path inside a folder, checked for links that lead outside.

    Parameters
    ----------
    folder : Path
        Chosen by the user; it may itself be reached through links.
    name : str
        Relative to the folder, with forward slashes; it need not exist.

    Raises
    ------
    LinkError
        If the name leads out of the folder, or a component is a link.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts):
        raise LinkError(f"{folder}: {name!r} is not the name of a place inside the folder")
    path = folder
    for part in parts:
        path = path / part
        if is_link(path):
            raise LinkError(
                f"{path} is a link; unknot follows none inside its folders. Remove it, or name "
                "another folder"
            )
    return path


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, or on Windows a junction."""
    return path.is_symlink() or (hasattr(os.path, "isjunction") and os.path.isjunction(path))


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Read a regular file whole.

    Parameters
    ----------
    path : Path
    most : int, optional
        Its greatest size allowed, in bytes.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is a link, a pipe, a device or a folder, or larger.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not an ordinary file")
    if most is not None and found.st_size > most:
        raise ValueError(f"it has {found.st_size:,} bytes, more than {most:,}")
    return path.read_bytes()
