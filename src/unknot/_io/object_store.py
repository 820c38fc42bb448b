"""A shared store in the buckets of an object store, such as S3."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from .._extras import import_extra
from .._typing import Array
from .shared_store import Bytes, SharedStore, describe

SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")


@dataclass(frozen=True)
class ObjectStore(SharedStore):
    """A prefix of a bucket.

    An object is written whole or not at all. A record is only created: of two writers the second is
    refused, which has written the same.

    Parameters
    ----------
    place : str
        The address, such as ``s3://bucket/prefix``.
    options : dict
        Of `obstore.store.from_url`; they may hold credentials, and are not shown.
    """

    @classmethod
    def at(cls, address: str, options: dict[str, Any] | None = None) -> ObjectStore:
        """Open an address, and check that it can be written to.

        Raises
        ------
        ValueError
            If the address or the options are wrong.
        OSError
            If it does not answer, or cannot be written to.
        """
        scheme = address.partition("://")[0]
        if scheme not in SCHEMES:
            raise ValueError(
                f"store must be a folder or an address of {', '.join(SCHEMES[:4])}; got {address!r}"
            )
        store = cls(address.rstrip("/"), dict(options or {}))
        try:
            store._client()
        except Exception as error:
            raise ValueError(
                f"store: {address} cannot be opened with store_options ({error})"
            ) from (error)
        probe = f".probe-{secrets.token_hex(8)}"
        try:
            store.write(probe, b"unknot")
            store._client().delete(probe)
        except Exception as error:
            raise OSError(
                f"store: {address} cannot be written to ({_short(error)}): check the bucket, the "
                "credentials and the endpoint in store_options"
            ) from error
        return store

    def _client(self, key: str = "") -> Any:
        obstore = import_extra("obstore.store", feature="An object store", extra="cluster")
        return obstore.from_url(f"{self.place}/{key}".rstrip("/"), **self.options)

    def write(self, key: str, data: Bytes) -> list[Any]:
        """Write an object; return its size and checksum."""
        self._client().put(key, data)
        return describe(data)

    def write_record(self, key: str, data: bytes) -> None:
        """Create an object; one that exists is replaced only if it differs, as a damaged one."""
        from obstore.exceptions import AlreadyExistsError

        try:
            self._client().put(key, data, mode="create")
        except AlreadyExistsError:
            if self.read(key) != data:
                self._client().put(key, data)

    def read(self, key: str) -> bytes | None:
        """Read a small object; None if there is none."""
        try:
            return bytes(self._client().get(key).bytes())
        except FileNotFoundError:
            return None

    def map_arrays(self, key: str) -> dict[str, Array]:
        """Read arrays whole."""
        return self.read_arrays(key)

    def read_range(self, key: str, start: int, size: int) -> Bytes:
        """Read some bytes of an object."""
        if not size:
            return b""
        try:
            found = self._client().get_range(key, start=start, length=size)
        except FileNotFoundError:
            raise self._missing(key) from None
        return self._whole(key, bytes(found), size)

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects below a prefix, sorted."""
        found = [each["path"] for batch in self._client().list(f"{folder}/") for each in batch]
        return sorted(path.rpartition("/")[2] for path in found)

    def size_of(self, key: str) -> int | None:
        """Return the size of an object; None if there is none."""
        try:
            return int(self._client().head(key)["size"])
        except FileNotFoundError:
            return None

    def remove(self, folder: str) -> None:
        """Remove all objects below a prefix."""
        client = self._client()
        for batch in client.list(f"{folder}/"):
            client.delete([each["path"] for each in batch])

    @contextmanager
    def alone(self, folder: str) -> Iterator[None]:
        """Do nothing: there are no locks."""
        yield

    def zarr_place(self, key: str) -> tuple[Any, str | None]:
        """Return where an array lies, as Zarr takes it: a store, and a name in it."""
        from zarr.storage import ObjectStore as ZarrStore

        # A store of its own, so that Zarr makes no groups of the folders above.
        return ZarrStore(self._client(key)), None

    def has_array(self, key: str) -> bool:
        """Whether there is an array."""
        return self.size_of(f"{key}/zarr.json") is not None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
