"""What a recorder tells the process that keeps its page up to date, and how both say how it goes.

Messages are pickled and go through a pipe, never through a file. The folder of the page has data:
``live.json`` (the state), ``payload.json`` (its content) and ``index.html``, the page as a
file. Each is written whole and renamed, the state last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..._io.atomic import write_json
from ..._io.folders import inside, marker_of, read_regular
from ..._io.typed_json import check_types
from .._pipeline.settings import StudySettings
from .._store.format import StudyError
from .captures import Capture
from .studying import FreshControl, Recording

FORMAT: Final = "unknot live page"
STATE: Final = "live.json"
LIVE_PAYLOAD: Final = "payload.json"
PAGE: Final = "index.html"
LOG: Final = "worker.log"
VERSION: Final = 1

Status = Literal["recording", "finished", "stopped"]


@dataclass(frozen=True, eq=False)
class Setup:
    """The first message: where to work, and how.

    Attributes
    ----------
    folder, page : Path
        The study's, and the page's.
    settings : StudySettings
    n_jobs, whole_bytes : int
    max_points : int or None
        Of the page.
    before : int
        The versions of the page that earlier trainings have written into its folder.
    is_locked : bool
        Whether the process was given the lock on the folder of the page.
    """

    folder: Path
    page: Path
    settings: StudySettings
    n_jobs: int
    whole_bytes: int
    max_points: int | None
    before: int = 0
    is_locked: bool = False


@dataclass(frozen=True, eq=False)
class Update:
    """Epochs that were captured since the last message.

    Attributes
    ----------
    recording : Recording
    captures : dict of int to Capture
    epochs : tuple of int
        All that are captured; others are of a training that has begun anew.
    name : str
    fresh : FreshControl or None
    notes : tuple of str
    """

    recording: Recording
    captures: dict[int, Capture]
    epochs: tuple[int, ...]
    name: str
    fresh: FreshControl | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finish:
    """No more epochs come: the page is brought up to date, and the process ends."""


@dataclass(frozen=True)
class Stop:
    """The recorder goes on by itself: the process ends at once."""


@dataclass(frozen=True)
class LiveState:
    """How a live page stands.

    Attributes
    ----------
    status : {"recording", "finished", "stopped"}
        Whether epochs are still expected; "stopped" if the training ended without a word.
    update : int
        The number of the page's version; 0 before the first of a training.
    epochs : tuple of int
        Those on the page.
    captured : tuple of int
        Those that are captured.
    message : str
        What went wrong last; empty if nothing.
    before : int
        The last version that an earlier training has written, whose page is not this one's.
    """

    status: Status = "recording"
    update: int = 0
    epochs: tuple[int, ...] = ()
    captured: tuple[int, ...] = ()
    message: str = ""
    before: int = 0

    @property
    def last(self) -> int:
        """The newest version in the folder, of whichever training."""
        return max(self.update, self.before)

    def write(self, folder: Path) -> None:
        """Write the state, atomically."""
        write_json(inside(folder, STATE), {"format": FORMAT, "version": VERSION, **self.to_json()})

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {
            "status": self.status,
            "update": self.update,
            "epochs": list(self.epochs),
            "captured": list(self.captured),
            "message": self.message,
            "before": self.before,
        }

    @classmethod
    def read(cls, folder: Path) -> LiveState:
        """Read the state of a folder.

        Raises
        ------
        StudyError
            If it is no folder of a live page, or its state is damaged.
        """
        import json

        try:
            values: Mapping[str, Any] = json.loads(read_regular(inside(folder, STATE), 2**20))
            check_types(values, _TYPES)
            if values["format"] != FORMAT or values["version"] > VERSION:
                raise ValueError(f"it is of format {values['format']!r}")
            return cls(
                values["status"],
                values["update"],
                tuple(values["epochs"]),
                tuple(values["captured"]),
                values["message"],
                values["before"],
            )
        except FileNotFoundError:
            if (marker_of(folder) or {}).get("format") == FORMAT:
                return cls()
            raise StudyError(
                f"{folder} is no folder of a live page; name the one that was given to "
                "recorder.live(folder)"
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StudyError(f"{folder}: {STATE} cannot be read ({error})") from error


_TYPES: Final = {
    "format": str,
    "version": int,
    "status": Status,
    "update": int,
    "epochs": list[int],
    "captured": list[int],
    "message": str,
    "before": int,
}
