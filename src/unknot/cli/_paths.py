"""Validation of output paths, before any work begins."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._io.atomic import is_full
from .._io.folders import MARKER
from .._io.lock import LOCK
from ._streams import OutputError

# What lies directly in the folder of a study or lab, and is written by them alone.
_KEPT = frozenset({MARKER, LOCK, "study.json", "seconds.json", "parts", "results.json"})


def file_to_write(path: Path, name: str, *, inputs: tuple[Path, ...] = ()) -> Path:
    """Check that a file can be written, and return its path with a symbolic link resolved.

    Parameters
    ----------
    path : Path
        Path as given by the user.
    name : str
        Name of the option, for error messages.
    inputs : tuple of Path
        Input files, which must not be overwritten.

    Raises
    ------
    OSError, ValueError
        If the file cannot be written.
    """
    _check_name(path, name)
    target = _resolve_link(path, name)
    if target.is_dir():
        raise IsADirectoryError(f"{name}: {path} is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise ValueError(f"{name}: {path} is a device or a pipe; name a file")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{name}: {path} is write-protected; name another file")
    _check_parent(target, path, name)
    _check_not_of_a_study(target, path, name)
    for source in inputs:
        if target.exists() and source.exists() and target.samefile(source):
            raise ValueError(f"{name}: {path} is also the input; name another file")
    return target


def folder_to_write(path: Path, name: str) -> Path:
    """Check that a folder can be written to or created, and return it with a link resolved.

    Raises
    ------
    OSError, ValueError
        If the folder cannot be written to or created.
    """
    _check_name(path, name)
    target = _resolve_link(path, name)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{name}: {path} is a file; name a folder")
    if target.is_dir():
        if not os.access(target, os.W_OK | os.X_OK):
            raise PermissionError(f"{name}: {path} cannot be written to; name another folder")
    else:
        _check_parent(target, path, name)
    return target


@contextmanager
def note_on_output_error(message: str) -> Iterator[None]:
    """Add a note about completed work to errors of a full disk or of standard output."""
    try:
        yield
    except Exception as error:
        if is_full(error) or isinstance(error, OutputError):
            error.add_note(message)
        raise


def _check_name(path: Path, name: str) -> None:
    text = str(path)
    if "\0" in text:
        raise ValueError(f"{name}: {text!r} contains a null character; name another file")


def _resolve_link(path: Path, name: str) -> Path:
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if not target.exists():
        raise FileNotFoundError(
            f"{name}: {path} is a link to {target}, which does not exist; name the target instead"
        )
    return target


def _check_not_of_a_study(target: Path, path: Path, name: str) -> None:
    """Refuse the files in which a study or lab keeps its results: a new content destroys it."""
    real = Path(os.path.realpath(target))
    for folder in real.parents:
        if real.relative_to(folder).parts[0] in _KEPT and (
            os.path.lexists(folder / MARKER) or os.path.lexists(folder / "study.json")
        ):
            raise ValueError(
                f"{name}: {path} is, or would be, one of the files of the study or lab in "
                f"{folder}; name another file"
            )


def _check_parent(target: Path, path: Path, name: str) -> None:
    """Check that the parent folder of a target exists or can be created."""
    folder = target.absolute().parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{name}: {path} is inside {folder}, which is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{name}: {path} is inside {folder}, which is write-protected")
