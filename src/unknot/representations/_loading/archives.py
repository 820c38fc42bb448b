"""Archives of PyTorch, which are zip files, are looked through before PyTorch opens them.

Two readers can find different content in one zip file: of two members of one name, or of names that
differ in case or by ``./``, each takes another. So an archive is opened once and read by one
reader; what could be taken in two ways is refused; and PyTorch opens a new archive, written from
what was checked.
"""

import copy
import io
import re
import shutil
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from .unreadable import RefusedError

MAGIC: Final = b"PK\x03\x04"
END: Final = b"PK\x05\x06"
LARGEST_RATIO: Final = 16
"""Members may unfold to so many times the size of the file; PyTorch compresses only code."""
ALWAYS_ALLOWED: Final = 64 * 2**20
"""Bytes that the members of a small file may unfold to."""
PLAIN_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\\]+")


class Archive:
    """A zip file as one reader finds it; members have the name below the folder round them all."""

    def __init__(self, file: Path, stream: io.BufferedReader | io.BytesIO) -> None:
        self.file = file
        self._stream = stream
        self._zip = zipfile.ZipFile(stream)
        entries = self._zip.infolist()
        roots = {entry.filename.partition("/")[0] for entry in entries}
        folder = len(roots) == 1 and all("/" in entry.filename for entry in entries)
        start = len(roots.pop()) + 1 if folder else 0
        self._entries = {entry.filename[start:]: entry for entry in entries}
        self.names: tuple[str, ...] = tuple(self._entries)

    def check(self) -> None:
        """Raise a ValueError if two readers could find different content, or far too much of it."""
        entries = self._zip.infolist()
        length = self._stream.seek(0, 2)
        self._stream.seek(max(length - 22, 0))
        if not self._stream.read().startswith(END) or self._zip.comment:
            raise self._ambiguous("bytes behind its end")
        if not entries or min(entry.header_offset for entry in entries) != 0:
            raise self._ambiguous("bytes before its beginning")
        for name, count in Counter(entry.filename.casefold() for entry in entries).items():
            if count > 1:
                raise self._ambiguous(f"{count} members of one name, {name[:80]!r}")
        for entry in entries:
            if (reason := _unusual(entry)) is not None:
                raise self._ambiguous(f"the member {entry.orig_filename[:80]!r}, {reason}")
        total = sum(entry.file_size for entry in entries)
        if total > max(ALWAYS_ALLOWED, LARGEST_RATIO * length):
            raise RefusedError(
                f"{self.file} would unfold from {length:,} to {total:,} bytes. If you trust "
                "whoever wrote it, extract it and store it without compression"
            )

    def verify(self) -> None:
        """Read every member; a checksum that does not fit is an error."""
        for name in self.names:
            with self.open(name) as source:
                while source.read(2**20):
                    pass

    def open(self, name: str) -> zipfile.ZipExtFile:
        """Open a member."""
        entry = self._entries[name]
        if not entry.CRC:
            # PyTorch can be told to leave the checksums out; zipfile takes 0 for a wrong one.
            entry = copy.copy(entry)
            del entry.CRC
        return cast("zipfile.ZipExtFile", self._zip.open(entry))

    def read(self, name: str) -> bytes:
        """Return the content of a member."""
        with self.open(name) as source:
            return source.read()

    def size(self, name: str) -> int:
        """Return the size of a member in bytes."""
        return self._entries[name].file_size

    @contextmanager
    def rewritten(
        self, contents: Mapping[str, bytes | None], ending: str, folder: str = "model/"
    ) -> Iterator[Path]:
        """Yield the path of a new archive of checked contents; None copies the member."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            path = Path(place) / f"model{ending}"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
                for name, content in contents.items():
                    entry = zipfile.ZipInfo(f"{folder}{name}")
                    entry.file_size = self.size(name) if content is None else len(content)
                    with target.open(entry, "w") as sink:
                        if content is not None:
                            sink.write(content)
                            continue
                        with self.open(name) as source:
                            shutil.copyfileobj(source, sink, 2**20)
            yield path

    def refusal(self, what: str) -> RefusedError:
        """Return the error of a file that holds something which is not opened unless trusted."""
        return RefusedError(
            f"{self.file} holds {what}, which can run any code when it is loaded. Export the model "
            "without it, save its weights (state_dict) and name a factory, or say "
            "trust_pickle=True (--trust-pickle) if you trust whoever wrote it"
        )

    def _ambiguous(self, what: str) -> RefusedError:
        return RefusedError(
            f"{self.file} holds {what}: PyTorch writes no such archive, and two readers could take "
            "it for different ones. Save the model anew, or say trust_pickle=True "
            "(--trust-pickle) if you trust whoever wrote it"
        )


def _unusual(entry: zipfile.ZipInfo) -> str | None:
    """Say what is unusual about a member, if anything is."""
    parts = entry.orig_filename.split("/")
    if not PLAIN_NAME.fullmatch(entry.orig_filename) or {"", ".", ".."}.intersection(parts):
        return "a name that can be read in two ways"
    if entry.flag_bits & 0x1:
        return "which is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in an unusual way"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a symbolic link"
    return None


def kind_of(names: tuple[str, ...]) -> str:
    """Tell an archive of `torch.export` from one of TorchScript, and from weights."""
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "program"
    if any(name.startswith("code/") or name in ("constants.pkl", "model.json") for name in names):
        return "script"
    return "weights"
