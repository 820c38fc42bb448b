"""Standard output and error, whatever they are: closed, full, of few characters, of no width."""

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

# What is printed where an encoding lacks a character; names of files keep their codes.
_PLAIN = {
    "↑": "^", "↓": "v", "·": ".", "×": "x", "–": "-", "—": "-", "…": "...", "─": "-", "━": "-",
    "│": "|", "╸": "-", "╺": "-", "•": "*",
}  # fmt: skip
# What a terminal has at least.
_LEAST = {"COLUMNS": 20, "LINES": 2}


class OutputError(OSError):
    """Standard output that cannot be written."""


class Terminal(Console):
    """Standard output, whose errors say that they are its own."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print."""
        with _telling():
            super().print(*objects, **options)

    def say(self, text: str) -> None:
        """Print a line as it is, however long."""
        self.print(shown(text), highlight=False, markup=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line."""
    with _telling():
        typer.echo(shown(text))


def say_json(text: str) -> None:
    """Print JSON, in ASCII where the encoding may lack a character."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "ascii")
    unsafe = "[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    if codecs.lookup(encoding).name != "utf-8":
        unsafe = "[^\n\x20-\x7e]"
    with _telling():
        typer.echo(re.sub(unsafe, lambda found: json.dumps(found[0])[1:-1], text))


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"standard output cannot be written: {error.strerror or error}"
        ) from error


@contextmanager
def prepared() -> Iterator[None]:
    """Make standard output and error fit to print any text on while the block runs."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        # Not every stand-in for a stream can be told.
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="unknot")  # type: ignore[union-attr]
    for name, least in _LEAST.items():
        value = os.environ.get(name)
        if value is not None and not (re.fullmatch("[0-9]{1,4}", value) and int(value) >= least):
            del os.environ[name]  # no terminal is of that size: nothing says how large it is
    # It tells where it keeps what it knows of fonts, where there is no home.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        yield
    with _telling():
        sys.stdout.flush()


def leave_quietly() -> None:
    """Have nothing more written to standard output, not at exit either: its reader has gone."""
    with suppress(AttributeError, ValueError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print a line on standard error; where that cannot be written, nobody can be told."""
    with suppress(OSError, ValueError):
        print(shown(text), file=sys.stderr, flush=True)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    complain(f"unknot: {' '.join(str(message).split())}")


def _open_closed() -> None:
    """Open what is closed, lest a file gets its number, and with it what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or _code(each) for each in text), error.end


def _code(character: str) -> str:
    if "\u2800" <= character <= "\u28ff" or "\u2500" <= character <= "\u259f":  # a bar or spinner
        return "*"
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error("unknot", _plain)
