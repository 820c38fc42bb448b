"""What was captured of a training, listed in its folder so that another run can go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from ..._io.typed_json import check_types
from .._pipeline.extraction import Extracted, extracted_of
from .._pipeline.labeling import Labeling
from .._pipeline.stages import StageLabel, StageLog
from .._store.format import PARTS, damaged, read_json

CAPTURES: Final = "epochs.json"
FORMAT: Final = "unknot epochs"
VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class Capture:
    """One epoch as it was captured.

    Attributes
    ----------
    extracted : Extracted
        The layers' points, and what the model answers.
    head : tuple or None
        The layer that a linear classifier takes, and its weights and bias.
    """

    extracted: Extracted
    head: tuple[str, Any] | None = None


@dataclass(frozen=True)
class CaptureList:
    """The captures of a folder, and what they have in common.

    Attributes
    ----------
    data : str
        The fingerprint of the samples.
    decided : dict
        The settings of the extraction.
    name : str
        What the model is called.
    takes_ids : bool
        Whether the model takes integers as they are.
    has_control : bool
        Whether the network with fresh weights was run, too.
    parts : dict of int to list
        The name and fingerprint of each part of each epoch.
    """

    data: str
    decided: dict[str, Any]
    name: str
    takes_ids: bool
    has_control: bool
    parts: dict[int, list[list[str]]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the list into the folder of the study, atomically."""
        values = {
            "format": FORMAT,
            "version": VERSION,
            "data": self.data,
            "decided": self.decided,
            "name": self.name,
            "takes_ids": self.takes_ids,
            "has_control": self.has_control,
            "epochs": {str(epoch): parts for epoch, parts in sorted(self.parts.items())},
        }
        write_json(folder / CAPTURES, values)


def read_captures(folder: Path) -> CaptureList | None:
    """Read the list of a folder; None if there is none.

    Raises
    ------
    StudyError
        If it is damaged, or of a newer format.
    """
    try:
        (folder / CAPTURES).lstat()
    except OSError:
        return None
    stored = read_json(folder, CAPTURES)
    expected = {
        "format": str,
        "version": int,
        "data": str,
        "decided": dict[str, Any],
        "name": str,
        "takes_ids": bool,
        "has_control": bool,
        "epochs": dict[int, list[list[str]]],
    }
    try:
        check_types(stored, expected)
        if stored["format"] != FORMAT or stored["version"] > VERSION:
            raise ValueError(f"it is of format {stored['format']!r}, version {stored['version']}")
        parts = {int(epoch): each for epoch, each in stored["epochs"].items()}
        if any(len(pair) != 2 for each in parts.values() for pair in each):
            raise ValueError("a part is not a name and a fingerprint")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(folder, CAPTURES, error) from error
    own = {key: stored[key] for key in ("data", "decided", "name", "takes_ids", "has_control")}
    return CaptureList(**own, parts=parts)


def parts_of(capture: Capture) -> list[list[str]]:
    """Return the names and fingerprints of the parts that hold a capture."""
    parts = (capture.extracted.part, capture.extracted.answered)
    return [[part.name, part.fingerprint] for part in parts if part is not None]


def reopen(
    folder: Path,
    listed: CaptureList,
    labelings: Mapping[str, Labeling],
    data_part: Part,
    log: StageLog,
) -> dict[int, Capture]:
    """Return the captures of a list, those whose parts are whole."""
    found: dict[int, Capture] = {}
    parts = Parts(folder / PARTS)
    for epoch, pairs in sorted(listed.parts.items()):
        opened = [parts.reopen(name, fingerprint) for name, fingerprint in pairs]
        if len(opened) == 2 and (whole := [part for part in opened if part is not None]) == opened:
            extracted, answered = whole
            label = f"epoch-{epoch:04d}-all layers"
            log.add(StageLabel(label, "extraction"), extracted, kept=True)
            log.add(StageLabel(label, "answers"), answered, kept=True)
            found[epoch] = Capture(extracted_of(extracted, answered, labelings, data_part))
    return found
