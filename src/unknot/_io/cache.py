"""Work that is done once: what is there and still holds is not done again.

Each step has a fingerprint of its own settings, this package's version and the fingerprints of the
steps it builds on. A step is done again if its record is missing, its fingerprint has changed, or a
file is not what was written.
"""

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
from .folders import inside, is_link, read_regular

RECORD: Final = "part.json"
SECONDS: Final = "seconds.json"
_PART: Final = re.compile(r"[\w-]+-[0-9a-f]{16}")
_UNFINISHED: Final = re.compile(r"\.unfinished-[\w-]+-[0-9a-f]{12}")
# What parts are made of: Zarr arrays and JSON.
_FILE_OF_A_PART: Final = re.compile(r"(.*/)?(zarr\.json|c(/\d+)+|[\w-]+\.json)")


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

    The record of a step is written last: its result and a checksum of every file it made. A link
    in the folder is a `LinkError`: nothing outside is read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return where a file of this run lies."""
        return inside(self.folder, name)

    def partial(self, name: str, suffix: str) -> Path:
        """Return where an unfinished step may keep what it has so far."""
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
        is_whole : callable, optional
            Whether what the files stand for is whole; otherwise the step is done again.
        """
        fingerprint = fingerprint_of(name, settings, needs)
        record_path = self.path(f".steps/{name}.json")
        record = self._valid_record(record_path, fingerprint, files)
        if record is not None and is_whole():
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
        paths = {file: self.path(file) for file in files}
        try:
            record: dict[str, Any] = json.loads(read_regular(path))
            valid = record["fingerprint"] == fingerprint and record["files"] == {
                file: checksum(path) for file, path in paths.items()
            }
        except _NOT_DONE:
            return None  # the step is done again
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
    ``seconds.json``: the time it took, which is all that differs from run to run. Of two processes
    that make the same part, the second finds it made. What the records do not list, somebody else
    has put there: it is neither read nor removed.
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
        """Return a part if it was done before; None if it was not."""
        return self._find(name, fingerprint_of(name, settings, needs))

    def add(self, name: str, work: Callable[[Path], dict[str, Any]]) -> Part:
        """Write a part whose fingerprint is that of its content; as `do` otherwise."""
        with self._unfinished(name) as unfinished:
            result, seconds = _timed(work, unfinished)
            fingerprint = fingerprint_of(name, {"files": _listed(unfinished), "is": result}, [])
            found = self._find(name, fingerprint)
            if found is not None:
                return found
            return self._place(name, unfinished, fingerprint, result, seconds)

    def adopt(self, part: Path) -> None:
        """Copy a part of another folder, unless one of its name is here."""
        place = inside(self.folder, part.name)
        if not place.exists() and not is_link(part):
            with self._unfinished(part.name) as unfinished:
                shutil.copytree(part, unfinished, symlinks=True, dirs_exist_ok=True)
                unfinished.rename(place)

    def _find(self, name: str, fingerprint: str) -> Part | None:
        path = inside(self.folder, f"{name}-{fingerprint[:16]}")
        record = _valid_part(path, fingerprint)
        if record is None:
            return None
        return Part(name, fingerprint, record["result"], record["seconds"], True, path)

    def _place(
        self,
        name: str,
        unfinished: Path,
        fingerprint: str,
        result: dict[str, Any],
        seconds: float,
    ) -> Part:
        """Give a part that is done its own name, unless another process was faster."""
        _write_record(unfinished, fingerprint, result, seconds)
        path = inside(self.folder, f"{name}-{fingerprint[:16]}")
        try:
            unfinished.rename(path)
        except OSError:
            if not path.exists():
                raise
            found = self._find(name, fingerprint)
            if found is not None:
                return found
            _make_way(path)
            unfinished.rename(path)
        return Part(name, fingerprint, result, seconds, False, path)

    @contextmanager
    def _unfinished(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to write a part in; it is gone afterward, under this name."""
        unfinished = self.folder / f".unfinished-{name}-{secrets.token_hex(6)}"
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

    def remove_unfinished(self) -> None:
        """Remove what killed runs left unfinished; no other process may be at work here."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if _UNFINISHED.fullmatch(path.name) and not is_link(path):
                    shutil.rmtree(path, ignore_errors=True)

    def keep_only(self, parts: Iterable[Path], known: Iterable[str] = ()) -> None:
        """Remove every other part: those with a record of their own, and those known by name."""
        kept, known = {path.name for path in parts}, set(known)
        for path in self.folder.iterdir():
            if path.name in kept or is_link(path) or not _PART.fullmatch(path.name):
                continue
            if path.name in known or _has_record(path):
                _remove_part(path)


# What is raised where a record, or a file that it lists, is missing or damaged.
_NOT_DONE: Final = (
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


def _write_record(folder: Path, fingerprint: str, result: dict[str, Any], seconds: float) -> None:
    write_json(folder / SECONDS, {"seconds": seconds})
    write_json(
        folder / RECORD, {"fingerprint": fingerprint, "result": result, "files": _listed(folder)}
    )


def _valid_part(path: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(read_regular(path / RECORD))
        record["seconds"] = float(json.loads(read_regular(path / SECONDS))["seconds"])
        valid = record["fingerprint"] == fingerprint and record["files"] == _listed(
            path, record["files"]
        )
        return record if valid else None
    except _NOT_DONE:
        return None  # not done, or damaged: the step is done again


def _has_record(path: Path) -> bool:
    """Whether a folder says of itself that it is a part, under its own name."""
    try:
        fingerprint = json.loads(read_regular(path / RECORD))["fingerprint"]
        return path.name.endswith(f"-{fingerprint[:16]}")
    except _NOT_DONE:
        return False


def _files_of(folder: Path) -> dict[str, Path]:
    """Return the ordinary files below a folder by their names; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink() and path.is_file():
                found[path.relative_to(folder).as_posix()] = path
    return found


def _listed(folder: Path, names: Iterable[str] | None = None) -> dict[str, list[Any]]:
    """Size and checksum of files of a part: those of some names, or all but record and times."""
    files = _files_of(folder)
    wanted = files.keys() - {RECORD, SECONDS} if names is None else files.keys() & set(names)
    paths = {name: files[name] for name in sorted(wanted)}
    with ThreadPoolExecutor(resolve_n_jobs(None)) as pool:
        sums = pool.map(checksum, paths.values())
        return {
            name: [path.stat().st_size, found]
            for (name, path), found in zip(paths.items(), sums, strict=True)
        }


def _remove_part(path: Path) -> None:
    """Remove the files of a part, and the folders that this leaves empty."""
    try:
        listed = {RECORD, SECONDS, *json.loads(read_regular(path / RECORD))["files"]}
    except _NOT_DONE:
        listed = None
    for name, file in _files_of(path).items():
        if name in listed if listed is not None else _FILE_OF_A_PART.fullmatch(name):
            with suppress(OSError):
                file.unlink()
    for place, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):  # what is not ours is in it
            Path(place).rmdir()


def _make_way(path: Path) -> None:
    """Remove a damaged part; what is not ours in its place is kept under another name."""
    if path.is_dir():
        _remove_part(path)
    number = 1
    while path.exists():
        aside = path.with_name(f"{path.name}.kept-{number}")
        if not aside.exists():
            path.rename(aside)
        number += 1


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
    """Hash a file's content; a ValueError if it is no ordinary file, which might not end."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path} is not an ordinary file")
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
