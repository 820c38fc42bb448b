"""A folder whose steps are done once: what is there and still holds is not done again.

Each step has a fingerprint of its own settings, this package's version and the fingerprints of the
steps it builds on. When it is done, a record of it is written last: its result and a checksum of
every file it made. A step is done again if its record is missing, its fingerprint has changed, or a
file is not what was written.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from .._files import write_json


@dataclass(frozen=True)
class Step:
    """A step that is done: its name, fingerprint, result and the seconds it took."""

    name: str
    fingerprint: str
    result: dict[str, Any]
    seconds: float
    reused: bool


class Workspace:
    """The folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / ".steps"

    def path(self, name: str) -> Path:
        """Return where a file of this run lies."""
        return self.folder / name

    def partial(self, name: str, suffix: str) -> Path:
        """Return where an unfinished step may keep what it has so far."""
        return self.records / f"{name}.partial{suffix}"

    def do(
        self,
        name: str,
        settings: Mapping[str, Any],
        needs: Sequence[Step],
        files: Sequence[str],
        work: Callable[[str], dict[str, Any]],
    ) -> Step:
        """Do a step, or take it as it was done before.

        Parameters
        ----------
        name : str
            Of the step, and of its record.
        settings : mapping
            Everything the work depends on beside other steps; plain JSON.
        needs : sequence of Step
            The steps it builds on.
        files : sequence of str
            What it writes, relative to the folder.
        work : callable
            Called with the fingerprint; does the step and returns its result as plain JSON.
        """
        fingerprint = _fingerprint(name, settings, needs)
        record_path = self.records / f"{name}.json"
        record = self._valid_record(record_path, fingerprint, files)
        if record is not None:
            return Step(name, fingerprint, record["result"], record["seconds"], reused=True)
        record_path.unlink(missing_ok=True)
        started = time.perf_counter()
        result = work(fingerprint)
        seconds = time.perf_counter() - started
        write_json(
            record_path,
            {
                "fingerprint": fingerprint,
                "result": result,
                "seconds": seconds,
                "files": {file: _checksum(self.path(file)) for file in files},
            },
        )
        return Step(name, fingerprint, result, seconds, reused=False)

    def _valid_record(
        self, path: Path, fingerprint: str, files: Sequence[str]
    ) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(path.read_text())
            valid = record["fingerprint"] == fingerprint and record["files"] == {
                file: _checksum(self.path(file)) for file in files
            }
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # not done, or not wholly: the step is done again
        return record if valid else None


def _fingerprint(name: str, settings: Mapping[str, Any], needs: Sequence[Step]) -> str:
    described = {
        "name": name,
        "version": __version__,
        "settings": dict(settings),
        "needs": [step.fingerprint for step in needs],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
