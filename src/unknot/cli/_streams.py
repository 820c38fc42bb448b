"""Robust standard output and error: closed, full, of any encoding and any width."""

import codecs
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console

from .._io.text import shown

# ASCII replacements of characters that an encoding lacks; all others are escaped.
_REPLACEMENTS = {
    "↑": "^", "↓": "v", "·": ".", "×": "x", "–": "-", "—": "-", "…": "...", "─": "-", "━": "-",
    "│": "|", "╸": "-", "╺": "-", "•": "*",
}  # fmt: skip
# Minimum size of a terminal.
_MIN_SIZE = {"COLUMNS": 20, "LINES": 2}


class OutputError(OSError):
    """Standard output cannot be written."""


class Terminal(Console):
    """A console on standard output that raises `OutputError`."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print."""
        with _as_output_error():
            super().print(*objects, **options)

    def print_line(self, text: str) -> None:
        """Print one line without markup or wrapping."""
        self.print(shown(text), highlight=False, markup=False, soft_wrap=True)


def print_line(text: str) -> None:
    """Print one line on standard output."""
    with _as_output_error():
        typer.echo(shown(text))


def print_json(text: str) -> None:
    """Print JSON, with characters escaped that are unsafe or missing in the encoding."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "ascii")
    unsafe = "[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    if codecs.lookup(encoding).name != "utf-8":
        unsafe = "[^\n\x20-\x7e]"
    with _as_output_error():
        typer.echo(re.sub(unsafe, lambda match: json.dumps(match[0])[1:-1], text))


@contextmanager
def _as_output_error() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"standard output cannot be written: {error.strerror or error}"
        ) from error


@contextmanager
def configured_streams() -> Iterator[None]:
    """Make standard output and error accept any text while the block runs."""
    _reopen_closed()
    for stream in (sys.stdout, sys.stderr):
        # Replaced streams may not support it.
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="unknot")  # type: ignore[union-attr]
    for name, minimum in _MIN_SIZE.items():
        value = os.environ.get(name)
        if value is not None and not (re.fullmatch("[0-9]{1,4}", value) and int(value) >= minimum):
            del os.environ[name]  # implausible size: let Rich detect it
    # Without a home folder, Matplotlib logs where it caches fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        yield
    with _as_output_error():
        sys.stdout.flush()


def discard_stdout() -> None:
    """Redirect standard output to the null device, so that the flush at exit cannot fail."""
    with suppress(AttributeError, ValueError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(text: str) -> None:
    """Print one line on standard error; ignore failures, which could not be reported."""
    with suppress(OSError, ValueError):
        print(shown(text), file=sys.stderr, flush=True)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print_error(f"unknot: {' '.join(str(message).split())}")


def _reopen_closed() -> None:
    """Open the null device for closed streams, so that no file gets their descriptors."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(
        _REPLACEMENTS.get(character) or _escape_character(character) for character in text
    ), error.end


def _escape_character(character: str) -> str:
    if (
        "\u2800" <= character <= "\u28ff" or "\u2500" <= character <= "\u259f"
    ):  # progress bar or spinner
        return "*"
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error("unknot", _replace_unencodable)
