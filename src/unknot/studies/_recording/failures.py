"""What went wrong while a training was recorded: told once, so that the training goes on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from ..._validation.numbers import is_integer


class RecordingWarning(UserWarning):
    """An epoch of a training was not recorded, or not shown. The training goes on.

    See Also
    --------
    unknot.studies.EpochRecorder : Records epochs.
    """


class Failures:
    """The errors of a recorder, of which the first of each kind is reported as a warning.

    Attributes
    ----------
    epochs : dict of int or str to str
        Why each epoch that could not be recorded was not; what is no integer is a text.
    """

    def __init__(self) -> None:
        self.epochs: dict[int | str, str] = {}
        self._reported: set[str] = set()

    def add(self, epoch: Any, error: Exception) -> None:
        """Keep why an epoch was not recorded."""
        why = _words(error)
        self.epochs[epoch_name(epoch)] = why
        self.report(
            f"epoch {epoch_name(epoch)} was not recorded, and the training goes on: {why}. Further "
            "epochs are tried; if they fail they are listed in the recorder's `failures`",
            "epochs",
        )

    def remove(self, epoch: Any) -> None:
        """Forget the error of an epoch that was recorded after all."""
        self.epochs.pop(epoch_name(epoch), None)

    def report(self, message: str, kind: str) -> None:
        """Report a message, unless one of its kind was reported before; never raise."""
        if kind in self._reported:
            return
        self._reported.add(kind)
        try:
            warnings.warn(message, RecordingWarning, stacklevel=4)
        except RecordingWarning:  # where warnings are errors
            with suppress(Exception):
                print(f"unknot: {message}", file=sys.stderr)

    def notes(self, captured: Collection[int] = ()) -> tuple[str, ...]:
        """Return what a study says of the epochs that it lacks, or has from an earlier capture."""
        return tuple(
            f"epoch {epoch} was not recorded again, and is as it was captured before: {why}"
            if epoch in captured
            else f"epoch {epoch} was not recorded: {why}"
            for epoch, why in self.epochs.items()
        )


def epoch_name(epoch: Any) -> int | str:
    """Return an epoch as an integer, or what was given in its place as text."""
    return int(epoch) if is_integer(epoch) else _text(epoch)


def _words(error: Exception) -> str:
    text = " ".join(_text(error, str).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(value: Any, text_of: Callable[[Any], str] = repr) -> str:
    """Return the text of any object, also of one that cannot be shown."""
    try:
        return text_of(value)
    except Exception:
        return ""
