"""Paths to write to, looked at before the work that they are for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._io.atomic import is_full
from ._streams import OutputError


def file_to_write(path: Path, name: str, *, inputs: tuple[Path, ...] = ()) -> Path:
    """Return the path of a file that can be written; of one that a link leads to, its own.

    Parameters
    ----------
    path : Path
        As it was given.
    name : str
        Of the option, for errors.
    inputs : tuple of Path
        Files that are read, which it must not replace.

    Raises
    ------
    OSError, ValueError
        If nothing can be written there.
    """
    _check_name(path, name)
    target = _followed(path, name)
    if target.is_dir():
        raise IsADirectoryError(f"{name}: {path} is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise ValueError(f"{name}: {path} is a device or a pipe; name a file")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{name}: {path} is write-protected; name another file")
    _check_parent(target, path, name)
    for each in inputs:
        if target.exists() and each.exists() and target.samefile(each):
            raise ValueError(f"{name}: {path} is the file that is read; name another")
    return target


def folder_to_write(path: Path, name: str) -> Path:
    """Return a folder that can be written to, or made.

    Raises
    ------
    OSError, ValueError
        If nothing can be written there.
    """
    _check_name(path, name)
    target = _followed(path, name)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{name}: {path} is a file; name a folder")
    if target.is_dir():
        if not os.access(target, os.W_OK | os.X_OK):
            raise PermissionError(f"{name}: {path} cannot be written to; name another folder")
    else:
        _check_parent(target, path, name)
    return target


@contextmanager
def keeping(message: str) -> Iterator[None]:
    """Say what is done and safe, where a full disk or an output that has gone ends the block."""
    try:
        yield
    except Exception as error:
        if is_full(error) or isinstance(error, OutputError):
            error.add_note(message)
        raise


def _check_name(path: Path, name: str) -> None:
    text = str(path)
    if "\0" in text:
        raise ValueError(f"{name}: {text!r} has a NUL in it, which no name of a file can")


def _followed(path: Path, name: str) -> Path:
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if not target.exists():
        raise FileNotFoundError(
            f"{name}: {path} is a link to {target}, which does not exist; name that instead"
        )
    return target


def _check_parent(target: Path, path: Path, name: str) -> None:
    """Check that there is a folder to write the target in, or that one can be made."""
    folder = target.absolute().parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{name}: {path} is to lie in {folder}, which is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{name}: {path} is to lie in {folder}, where you may not write")
