"""Errors about model files: one short ValueError that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..._io.npy import UnreadableError, check_regular

MAX_CHARACTERS: Final = 300
"""A library's own message is truncated to this length."""


class RefusedError(ValueError):
    """An error with a complete message, which `reading` passes on unchanged."""


def check_model_file(file: Path) -> None:
    """Raise an error unless a path is a regular file, or a link to one.

    Folders, pipes and devices are not opened: reading one may block, or never end.
    """
    try:
        check_regular(file)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise RefusedError(f"{file} is a folder; name the file of the model in it") from None
    except UnreadableError:
        raise RefusedError(
            f"{file} is a pipe or a device; copy its content to a file and name that"
        ) from None
    except (OSError, ValueError) as error:  # a loop of links, a name with a null character
        raise unreadable(file, "a file", error) from error


@contextmanager
def reading(file: Path, what: str) -> Iterator[None]:
    """Convert any exception that a library raises to one ValueError that names the file."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        raise unreadable(file, what, error) from error


def unreadable(file: Path, what: str, error: Exception) -> RefusedError:
    """Return the error for a file that cannot be loaded as what its extension says."""
    return RefusedError(f"{file} cannot be loaded as {what}: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message that is not empty, truncated."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    # TorchScript's messages begin with the location and end with the reason.
    last = bool(lines) and lines[0].startswith("The following operation failed in the TorchScript")
    reason = lines[-1 if last else 0].rstrip(".") if lines else type(error).__name__
    if isinstance(error, KeyError):
        reason = f"it lacks {reason}"
    return reason if len(reason) <= MAX_CHARACTERS else f"{reason[:MAX_CHARACTERS]}..."
