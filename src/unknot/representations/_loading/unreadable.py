"""Files that cannot be loaded end in one ValueError, short, that names the file."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LONGEST: Final = 300
"""What is told of a library's own words, in characters."""


class RefusedError(ValueError):
    """An error that says all there is to say; it is handed on as it is."""


def check_regular(file: Path) -> None:
    """Raise an error unless there is a regular file, or a link to one.

    Folders, pipes and devices are not opened: reading one can block for good, or never end.
    """
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{file}: no such file") from None
    except (OSError, ValueError) as error:  # a loop of links, a name with a NUL
        raise unreadable(file, "a file", error) from error
    if stat.S_ISDIR(mode):
        raise RefusedError(f"{file} is a folder; name the file of the model in it")
    if not stat.S_ISREG(mode):
        raise RefusedError(
            f"{file} is a pipe or a device; copy its content to a file and name that"
        )


@contextmanager
def reading(file: Path, what: str) -> Iterator[None]:
    """Turn whatever a library raises over a file into one ValueError that names the file."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        raise unreadable(file, what, error) from error


def unreadable(file: Path, what: str, error: Exception) -> RefusedError:
    """Return the error that says why a file cannot be loaded as what its ending promises."""
    return RefusedError(f"{file} cannot be loaded as {what}: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message that says something, shortened."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    # TorchScript tells first where it was, and last what went wrong.
    last = bool(lines) and lines[0].startswith("The following operation failed in the TorchScript")
    reason = lines[-1 if last else 0].rstrip(".") if lines else type(error).__name__
    if isinstance(error, KeyError):
        reason = f"it lacks {reason}"
    return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}..."
