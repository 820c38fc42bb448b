"""Work that is done once: what is there and still holds is not done again.

Each step has a fingerprint of its own settings, this package's version and the fingerprints of the
steps it builds on. A step is done again if its record is missing, its fingerprint has changed, or a
file is not what was written.
"""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__
from ._files import write_json
from ._threads import resolve_n_jobs

RECORD = "part.json"
SECONDS = "seconds.json"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Step:
    """A step that is done: its name, fingerprint, result and the seconds it took."""

    name: str
    fingerprint: str
    result: dict[str, Any]
    seconds: float
    reused: bool


class Workspace:
    """A folder whose steps write files under names of their own.

    The record of a step is written last: its result and a checksum of every file it made.
    """

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
        fingerprint = fingerprint_of(name, settings, needs)
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
                "files": {file: checksum(self.path(file)) for file in files},
            },
        )
        return Step(name, fingerprint, result, seconds, reused=False)

    def _valid_record(
        self, path: Path, fingerprint: str, files: Sequence[str]
    ) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(path.read_text())
            valid = record["fingerprint"] == fingerprint and record["files"] == {
                file: checksum(self.path(file)) for file in files
            }
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # not done, or not wholly: the step is done again
        return record if valid else None


@dataclass(frozen=True)
class Part(Step):
    """A step that is done and whose files lie in a folder of its own."""

    path: Path


class Parts:
    """A folder in which every step has a folder of its own, named by its fingerprint.

    A part is written under a temporary name and then renamed, so that a part that is there is
    whole, and one made with other settings lies beside it untouched until `keep_only` is called.
    It holds ``part.json`` (fingerprint, result, size and checksum of every file) and
    ``seconds.json``: the time it took, which is all that differs from run to run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def do(
        self,
        name: str,
        settings: Mapping[str, Any],
        needs: Sequence[Step],
        work: Callable[[Path], dict[str, Any]],
    ) -> Part:
        """Do a step, or take it as it was done before.

        Parameters
        ----------
        name : str
            Of the step; its folder's name begins with it.
        settings : mapping
            Everything the work depends on beside other steps; plain JSON.
        needs : sequence of Step
            The steps it builds on.
        work : callable
            Called with an empty folder to write to; returns its result as plain JSON.

        Raises
        ------
        OSError
            If the disk is full; what was finished before stays.
        """
        found = self.find(name, settings, needs)
        if found is not None:
            return found
        fingerprint = fingerprint_of(name, settings, needs)
        path = self.folder / f"{name}-{fingerprint[:16]}"
        shutil.rmtree(path, ignore_errors=True)
        with self._unfinished(name) as unfinished:
            result, seconds = _timed(work, unfinished)
            _write_record(unfinished, fingerprint, result, seconds)
            unfinished.rename(path)
        return Part(name, fingerprint, result, seconds, False, path)

    def find(self, name: str, settings: Mapping[str, Any], needs: Sequence[Step]) -> Part | None:
        """Return a part if it was done before; None if it was not."""
        fingerprint = fingerprint_of(name, settings, needs)
        path = self.folder / f"{name}-{fingerprint[:16]}"
        record = _valid_part(path, fingerprint)
        if record is None:
            return None
        return Part(name, fingerprint, record["result"], record["seconds"], True, path)

    def add(self, name: str, work: Callable[[Path], dict[str, Any]]) -> Part:
        """Write a part whose fingerprint is that of its content; as `do` otherwise."""
        with self._unfinished(name) as unfinished:
            result, seconds = _timed(work, unfinished)
            fingerprint = fingerprint_of(name, {"files": _listed(unfinished), "is": result}, [])
            path = self.folder / f"{name}-{fingerprint[:16]}"
            _write_record(unfinished, fingerprint, result, seconds)
            if _valid_part(path, fingerprint) is None:
                shutil.rmtree(path, ignore_errors=True)
                unfinished.rename(path)
        return Part(name, fingerprint, result, seconds, False, path)

    @contextmanager
    def _unfinished(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to write a part in; it is gone afterwards, under this name."""
        unfinished = self.folder / f"{_UNFINISHED}{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            yield unfinished
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f"the disk of {self.folder.parent} is full: {name} could not be written. What was "
                "finished before is kept; make room, then run the same again",
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def keep_only(self, parts: Iterable[Path]) -> None:
        """Remove every other part, and what killed runs left unfinished."""
        kept = {path.name for path in parts}
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _timed(work: Callable[[Path], dict[str, Any]], folder: Path) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    # As it will be read from the record.
    result: dict[str, Any] = json.loads(json.dumps(work(folder), allow_nan=False))
    return result, time.perf_counter() - started


def _write_record(folder: Path, fingerprint: str, result: dict[str, Any], seconds: float) -> None:
    write_json(folder / SECONDS, {"seconds": seconds})
    write_json(
        folder / RECORD, {"fingerprint": fingerprint, "result": result, "files": _listed(folder)}
    )


def _valid_part(path: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((path / RECORD).read_text())
        record["seconds"] = float(json.loads((path / SECONDS).read_text())["seconds"])
        valid = record["fingerprint"] == fingerprint and record["files"] == _listed(path)
        return record if valid else None
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None  # not done, or damaged: the step is done again


def _listed(folder: Path) -> dict[str, list[Any]]:
    """Size and checksum of every file of a part, but for its record and times."""
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (RECORD, SECONDS)
    }
    with ThreadPoolExecutor(resolve_n_jobs(None)) as pool:
        sums = dict(zip(files, pool.map(checksum, files.values()), strict=True))
    return {name: [files[name].stat().st_size, sums[name]] for name in sorted(files)}


def fingerprint_of(name: str, settings: Mapping[str, Any], needs: Sequence[Step]) -> str:
    """Hash all that a step depends on."""
    described = {
        "name": name,
        "version": __version__,
        "settings": dict(settings),
        "needs": [step.fingerprint for step in needs],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def checksum(path: str | os.PathLike[str]) -> str:
    """Hash a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
