"""What went wrong while a training was recorded: told once, so that the training goes on."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import Any


class RecordingWarning(UserWarning):
    """An epoch of a training was not recorded, or not shown. The training goes on.

    See Also
    --------
    unknot.studies.EpochRecorder : Records epochs.
    """


class Failures:
    """The errors of a recorder, of which the first is reported as a warning."""

    def __init__(self) -> None:
        self.epochs: dict[int, str] = {}
        self._reported = False

    def add(self, epoch: Any, error: Exception) -> None:
        """Keep why an epoch was not recorded."""
        why = _words(error)
        self.epochs[epoch] = why
        self.report(
            f"epoch {epoch} was not recorded, and the training goes on: {why}. Further epochs are "
            "tried; if they fail they are listed in the recorder's `failures`"
        )

    def report(self, message: str) -> None:
        """Report a message, unless one was reported before; never raise."""
        if self._reported:
            return
        self._reported = True
        try:
            warnings.warn(message, RecordingWarning, stacklevel=4)
        except RecordingWarning:  # where warnings are errors
            with suppress(Exception):
                print(f"unknot: {message}", file=sys.stderr)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a study says of the epochs that it lacks."""
        return tuple(f"epoch {epoch} was not recorded: {why}" for epoch, why in self.epochs.items())


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
