"""A cache of finished work: a step whose record is valid is not run again.

A step's fingerprint is a hash of its settings, the package's version and the fingerprints of the
steps that it depends on. Its record lists the size and checksum of every file that it wrote. A step
runs again if the record is missing, the fingerprint differs, or a file has changed.

There are two layouts with the same records: `Workspace` for files with names of their own in one
folder, and `Parts` for a folder per step.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .. import __version__
from .._parallel.n_jobs import resolve_n_jobs
from .atomic import write_json
from .folders import TooLargeError, inside, is_link, read_regular

RECORD: Final = "part.json"
SECONDS: Final = "seconds.json"
_PART: Final = re.compile(r"[\w-]+-[0-9a-f]{16}")
_UNFINISHED: Final = re.compile(r"\.unfinished-[\w-]+-[0-9a-f]{12}")
# What parts are made of: Zarr arrays and JSON.
_FILE_OF_A_PART: Final = re.compile(r"(.*/)?(zarr\.json|c(/\d+)+|[\w-]+\.json)")


@dataclass(frozen=True)
class Step:
    """A finished step: its name, fingerprint, result and duration, and whether it was reused."""

    name: str
    fingerprint: str
    result: dict[str, Any]
    seconds: float
    reused: bool


@dataclass(frozen=True)
class Record:
    """What is stored of a finished step.

    Attributes
    ----------
    fingerprint : str
    result : dict
        Plain JSON.
    files : dict of str to list
        Size and checksum of each file, by its path relative to the step's folder.
    """

    fingerprint: str
    result: dict[str, Any]
    files: dict[str, list[Any]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {"fingerprint": self.fingerprint, "result": self.result, "files": self.files}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Record:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(values["fingerprint"], values["result"], values["files"])

    def is_valid(self, fingerprint: str, folder: Path) -> bool:
        """Whether the step is the one wanted, and its files are as they were written."""
        return self.fingerprint == fingerprint and self.files == _describe(folder, self.files)


class Workspace:
    """A folder in which steps write files with names of their own.

    The record of a step is written last. A link in the folder is a `LinkError`: nothing outside is
    read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return inside(self.folder, name)

    def partial(self, name: str, suffix: str) -> Path:
        """Return a path at which an unfinished step can keep a checkpoint."""
        return self.path(f".steps/{name}.partial{suffix}")

    def do(
        self,
        name: str,
        settings: Mapping[str, Any],
        needs: Sequence[Step],
        files: Sequence[str],
        work: Callable[[str], dict[str, Any]],
        is_whole: Callable[[], bool] = lambda: True,
    ) -> Step:
        """Run a step, or reuse it if its record is valid.

        Parameters
        ----------
        name : str
            The name of the step and of its record.
        settings : mapping
            Everything that the result depends on, apart from other steps; plain JSON.
        needs : sequence of Step
            The steps that it depends on.
        files : sequence of str
            The files that it writes, relative to the folder.
        work : callable
            Called with the fingerprint; runs the step and returns its result as plain JSON.
        is_whole : callable, optional
            A further check, of what the files refer to; if it fails the step runs again.
        """
        fingerprint = fingerprint_of(name, settings, needs)
        record_path = self.path(f".steps/{name}.json")
        found = self._find(record_path, fingerprint, files)
        if found is not None and is_whole():
            record, seconds = found
            return Step(name, fingerprint, record.result, seconds, reused=True)
        record_path.unlink(missing_ok=True)
        started = time.perf_counter()
        result = work(fingerprint)
        seconds = time.perf_counter() - started
        record = Record(fingerprint, result, _describe(self.folder, files))
        write_json(record_path, {**record.to_json(), "seconds": seconds})
        return Step(name, fingerprint, result, seconds, reused=False)

    def _find(
        self, path: Path, fingerprint: str, files: Sequence[str]
    ) -> tuple[Record, float] | None:
        """Return the record of a step and its duration; None if it has to run again."""
        for file in files:
            self.path(file)  # raises where a link lies in a file's place
        try:
            values = json.loads(read_regular(path))
            record, seconds = Record.from_json(values), float(values["seconds"])
            if record.files.keys() == set(files) and record.is_valid(fingerprint, self.folder):
                return record, seconds
        except _INVALID:
            pass
        return None


@dataclass(frozen=True)
class Part(Step):
    """A finished step whose files are in a folder of its own."""

    path: Path


class Parts:
    """A folder in which every step has a folder of its own, named by its fingerprint.

    A part is written under a temporary name and then renamed, so that a part that exists is whole.
    A part made with other settings stays beside it until `keep_only` is called. It holds
    ``part.json``, its record, and ``seconds.json``, its duration: all that differs between runs. If
    two processes make the same part, the second one reuses the first one's. Files that no record
    lists are neither read nor removed.
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
        """Run a step, or reuse it if its record is valid.

        Parameters
        ----------
        name : str
            The name of the step; its folder's name begins with it.
        settings : mapping
            Everything that the result depends on, apart from other steps; plain JSON.
        needs : sequence of Step
            The steps that it depends on.
        work : callable
            Called with an empty folder to write to; returns its result as plain JSON.

        Raises
        ------
        OSError
            If the disk is full; finished parts are kept.
        LinkError
            If a link lies in the part's place.
        """
        found = self.find(name, settings, needs)
        if found is not None:
            return found
        fingerprint = fingerprint_of(name, settings, needs)
        with self._unfinished(name) as unfinished:
            result, seconds = _timed(work, unfinished)
            return self._place(name, unfinished, fingerprint, result, seconds)

    def find(self, name: str, settings: Mapping[str, Any], needs: Sequence[Step]) -> Part | None:
        """Return a finished part, or None."""
        return self._find(name, fingerprint_of(name, settings, needs))

    def reopen(self, name: str, fingerprint: str) -> Part | None:
        """Return a finished part of this name and fingerprint, or None."""
        return self._find(name, fingerprint)

    def add(self, name: str, work: Callable[[Path], dict[str, Any]]) -> Part:
        """Write a part whose fingerprint is a hash of its content; otherwise as `do`."""
        with self._unfinished(name) as unfinished:
            result, seconds = _timed(work, unfinished)
            fingerprint = fingerprint_of(name, {"files": _describe(unfinished), "is": result}, [])
            found = self._find(name, fingerprint)
            if found is not None:
                return found
            return self._place(name, unfinished, fingerprint, result, seconds)

    def adopt(self, part: Path) -> None:
        """Copy a part of another folder, unless one of that name exists."""
        place = inside(self.folder, part.name)
        if not place.exists() and not is_link(part):
            with self._unfinished(part.name) as unfinished:
                shutil.copytree(part, unfinished, symlinks=True, dirs_exist_ok=True)
                unfinished.rename(place)

    def _find(self, name: str, fingerprint: str) -> Part | None:
        path = inside(self.folder, f"{name}-{fingerprint[:16]}")
        try:
            record = Record.from_json(json.loads(read_regular(path / RECORD)))
            seconds = float(json.loads(read_regular(path / SECONDS))["seconds"])
            if record.is_valid(fingerprint, path):
                return Part(name, fingerprint, record.result, seconds, True, path)
        except _INVALID:
            pass
        return None

    def _place(
        self,
        name: str,
        unfinished: Path,
        fingerprint: str,
        result: dict[str, Any],
        seconds: float,
    ) -> Part:
        """Rename a finished part to its own name, unless another process was faster."""
        write_json(unfinished / SECONDS, {"seconds": seconds})
        record = Record(fingerprint, result, _describe(unfinished))
        write_json(unfinished / RECORD, record.to_json())
        path = inside(self.folder, f"{name}-{fingerprint[:16]}")
        try:
            unfinished.rename(path)
        except OSError:
            if not path.exists():
                raise
            found = self._find(name, fingerprint)
            if found is not None:
                return found
            _clear_place(path)
            unfinished.rename(path)
        return Part(name, fingerprint, result, seconds, False, path)

    @contextmanager
    def _unfinished(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to write a part in; it is removed, or renamed, afterward."""
        unfinished = self.folder / f".unfinished-{name}-{secrets.token_hex(6)}"
        try:
            unfinished.mkdir(parents=True)
            yield unfinished
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or isinstance(error, TooLargeError):
                raise
            raise OSError(
                error.errno,
                f"the disk of {self.folder.parent} is full: {name} could not be written. Finished "
                "work is kept; make room, then run the same again",
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def remove_unfinished(self) -> None:
        """Remove unfinished parts of killed runs; the caller must hold the folder's lock."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if _UNFINISHED.fullmatch(path.name) and not is_link(path):
                    shutil.rmtree(path, ignore_errors=True)

    def keep_only(self, parts: Iterable[Path], known: Iterable[str] = ()) -> None:
        """Remove all other parts that have a record of their own, or are known by name."""
        kept, known = {path.name for path in parts}, set(known)
        for path in self.folder.iterdir():
            if path.name in kept or is_link(path) or not _PART.fullmatch(path.name):
                continue
            if path.name in known or _has_record(path):
                _remove_part(path)


# Raised if a record, or a file that it lists, is missing or damaged.
_INVALID: Final = (
    FileNotFoundError,
    NotADirectoryError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
)


def _timed(work: Callable[[Path], dict[str, Any]], folder: Path) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    # As it will be read from the record.
    result: dict[str, Any] = json.loads(json.dumps(work(folder), allow_nan=False))
    return result, time.perf_counter() - started


def _has_record(path: Path) -> bool:
    """Whether a folder holds the record of a part of its name."""
    try:
        fingerprint = json.loads(read_regular(path / RECORD))["fingerprint"]
        return path.name.endswith(f"-{fingerprint[:16]}")
    except _INVALID:
        return False


def _files_of(folder: Path) -> dict[str, Path]:
    """Return the regular files below a folder by relative path; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink() and path.is_file():
                found[path.relative_to(folder).as_posix()] = path
    return found


def _describe(folder: Path, names: Iterable[str] | None = None) -> dict[str, list[Any]]:
    """Return size and checksum of the named files, or of all but the record and the duration.

    Files that do not exist, are not regular, or lie behind a link are left out.
    """
    found = _files_of(folder)
    wanted = found.keys() - {RECORD, SECONDS} if names is None else found.keys() & set(names)
    paths = {name: found[name] for name in sorted(wanted)}
    with ThreadPoolExecutor(resolve_n_jobs(None)) as pool:
        sums = pool.map(checksum, paths.values())
        return {
            name: [path.stat().st_size, found]
            for (name, path), found in zip(paths.items(), sums, strict=True)
        }


def _remove_part(path: Path) -> None:
    """Remove the files of a part, and folders that become empty."""
    try:
        listed = {RECORD, SECONDS, *json.loads(read_regular(path / RECORD))["files"]}
    except _INVALID:
        listed = None
    for name, file in _files_of(path).items():
        if name in listed if listed is not None else _FILE_OF_A_PART.fullmatch(name):
            with suppress(OSError):
                file.unlink()
    for place, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):  # it holds files of others
            Path(place).rmdir()


def _clear_place(path: Path) -> None:
    """Remove a damaged part; files of others in its place are kept under another name."""
    if path.is_dir():
        _remove_part(path)
    number = 1
    while path.exists():
        aside = path.with_name(f"{path.name}.kept-{number}")
        if not aside.exists():
            path.rename(aside)
        number += 1


def fingerprint_of(name: str, settings: Mapping[str, Any], needs: Sequence[Step]) -> str:
    """Hash everything that a step depends on."""
    described = {
        "name": name,
        "version": __version__,
        "settings": dict(settings),
        "needs": [step.fingerprint for step in needs],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def checksum(path: str | os.PathLike[str]) -> str:
    """Hash a file's content; a ValueError unless it is a regular file, which has an end."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path} is not an ordinary file")
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
