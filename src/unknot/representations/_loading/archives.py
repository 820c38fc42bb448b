"""PyTorch's archives, which are zip files, are checked before PyTorch opens them.

Two readers can see different content in the same zip file: they may pick different members of the
same name, or of names that differ in case or by ``./``. So an archive is opened once by a single
reader, ambiguous archives are refused, and PyTorch opens a new archive with the checked content.
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
MAX_RATIO: Final = 16
"""Uncompressed / compressed size; PyTorch compresses only code."""
ALWAYS_ALLOWED: Final = 64 * 2**20
"""Bytes; uncompressed content up to this size may have any ratio."""
PLAIN_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\\]+")


class Archive:
    """A zip file as a single reader sees it; names are relative to the folder of all members."""

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
        """Raise a ValueError if the archive is ambiguous, or too large when decompressed."""
        entries = self._zip.infolist()
        length = self._stream.seek(0, 2)
        self._stream.seek(max(length - 22, 0))
        if not self._stream.read().startswith(END) or self._zip.comment:
            raise self._ambiguous("bytes after its end")
        if not entries or min(entry.header_offset for entry in entries) != 0:
            raise self._ambiguous("bytes before its beginning")
        for name, count in Counter(entry.filename.casefold() for entry in entries).items():
            if count > 1:
                raise self._ambiguous(f"{count} members of one name, {name[:80]!r}")
        for entry in entries:
            if (reason := _unusual(entry)) is not None:
                raise self._ambiguous(f"the member {entry.orig_filename[:80]!r}, {reason}")
        total = sum(entry.file_size for entry in entries)
        if total > max(ALWAYS_ALLOWED, MAX_RATIO * length):
            raise RefusedError(
                f"{self.file} would decompress from {length:,} to {total:,} bytes. If you trust "
                "its author, extract it and store it without compression"
            )

    def verify(self) -> None:
        """Read every member; raise an error if a checksum does not match."""
        for name in self.names:
            with self.open(name) as source:
                while source.read(2**20):
                    pass

    def open(self, name: str) -> zipfile.ZipExtFile:
        """Open a member."""
        entry = self._entries[name]
        if not entry.CRC:
            # PyTorch can omit checksums; zipfile would take 0 for a wrong one.
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
        self, contents: Mapping[str, bytes | None], extension: str, folder: str = "model/"
    ) -> Iterator[Path]:
        """Yield the path of a new archive with these contents; None copies a member."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            path = Path(directory) / f"model{extension}"
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
        """Return the error for a file with content that is loaded only if trusted."""
        return RefusedError(
            f"{self.file} contains {what}, which can run any code when it is loaded. Export the "
            "model without it, save its weights (state_dict) and name a factory, or pass "
            "trust_pickle=True (--trust-pickle) if you trust its author"
        )

    def _ambiguous(self, what: str) -> RefusedError:
        return RefusedError(
            f"{self.file} has {what}: PyTorch writes no such archive, and two readers could see "
            "different content in it. Save the model again, or pass trust_pickle=True "
            "(--trust-pickle) if you trust its author"
        )


def _unusual(entry: zipfile.ZipInfo) -> str | None:
    """Return what is unusual about a member, or None."""
    parts = entry.orig_filename.split("/")
    if not PLAIN_NAME.fullmatch(entry.orig_filename) or {"", ".", ".."}.intersection(parts):
        return "an ambiguous name"
    if entry.flag_bits & 0x1:
        return "which is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in an unusual way"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a symbolic link"
    return None


def kind_of(names: tuple[str, ...]) -> str:
    """Return "program" for an archive of `torch.export`, "script" for TorchScript, or "weights"."""
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "program"
    if any(name.startswith("code/") or name in ("constants.pkl", "model.json") for name in names):
        return "script"
    return "weights"
