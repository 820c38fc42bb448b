"""Reading labeled batches: into arrays where they fit in memory, as a stream where they do not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..._io.formatting import format_bytes
from ..._io.temporary import TemporaryFolder
from ..._typing import Array
from .._samples import Batch, Source, map_batch
from .reader import Options, Reader, as_list

KEPT_BYTES: Final = 1_000_000_000
"""Inputs of up to this size are read once and kept."""

Chunk = tuple[Any, Any]


@dataclass(frozen=True)
class Read:
    """Labeled data that were read once from the beginning to the end.

    Attributes
    ----------
    inputs : array, tuple or dict of arrays, or Stream
    labels : array or None
    notes : list of str
    """

    inputs: Any
    labels: Any
    notes: list[str] = field(default_factory=list)


def read(reader: Reader, kept_bytes: int = KEPT_BYTES) -> Read:
    """Read all batches; keep the inputs if they fit in memory.

    Parameters
    ----------
    reader : Reader
    kept_bytes : int
        The most that the inputs may take in memory.

    Raises
    ------
    ValueError
        If there is no batch, or batches and their labels do not fit each other.
    """
    kept: list[Any] | None = []
    spool: Spool | None = None
    labels: list[Any] = []
    digest = hashlib.sha256()
    n_bytes, first = 0, None
    sizes: list[int] = []
    for place, (given, given_labels) in enumerate(reader):
        batch = as_batch(given, reader.options)
        size = size_of(batch, given_labels, place)
        if size == 0:
            continue
        if given_labels is not None:
            labels.append(as_list(given_labels))
            _check_labels(labels[-1], size, place)
        elif labels:
            raise ValueError(f"data: batch {place} has no labels, unlike those before")
        if place and first is not None:
            _check_alike(first, batch, place)
        first = batch if first is None else first
        sizes.append(size)
        n_bytes += bytes_of(batch)
        add_to(digest, batch)
        if kept is not None:
            kept.append(batch)
            if n_bytes > kept_bytes:
                if not reader.is_stable:
                    spool = Spool()
                    for earlier in kept:
                        spool.add(earlier)
                kept = None
        elif spool is not None:
            spool.add(batch)
    if not sizes:
        raise ValueError("data: there is no sample; got no batch, or empty ones")
    joined = None if not labels else _joined_labels(labels)
    if kept is not None:
        whole = _as_one(kept)
        if whole is not None:
            return Read(whole, joined, reader.notes)
    batches: Callable[[], Iterator[Any]]
    if kept is not None:
        batches = lambda: iter(kept)  # noqa: E731
    elif spool is not None:
        batches = spool.__iter__
    else:
        batches = _Again(reader, digest.hexdigest())
    stream = Stream(batches, sizes, first, digest.hexdigest())
    return Read(stream, joined, reader.notes)


class _Again:
    """Reads the inputs again, and checks that they are the same."""

    def __init__(self, reader: Reader, digest: str) -> None:
        self._reader, self._digest = reader, digest

    def __call__(self) -> Iterator[Any]:
        digest = hashlib.sha256()
        for place, (given, labels) in enumerate(self._reader):
            batch = as_batch(given, self._reader.options)
            if size_of(batch, labels, place):
                add_to(digest, batch)
                yield batch
        if digest.hexdigest() != self._digest:
            raise ValueError(
                "data: a second iteration gives other batches than the first; take random "
                "transforms and shuffling away"
            )


class Stream(Source):
    """Batches that are read again in each pass.

    Parameters
    ----------
    batches : callable
        Returns an iterator of the inputs, the same each time.
    sizes : sequence of int
        The number of samples of each batch.
    first : Batch
        The first batch.
    digest : str
        Identifies all inputs.
    rows : ndarray of int, optional
        Which samples to take, sorted.
    """

    def __init__(
        self,
        batches: Callable[[], Iterator[Batch]],
        sizes: Sequence[int],
        first: Batch,
        digest: str,
        rows: Array | None = None,
    ) -> None:
        self._batches = batches
        self._sizes = sizes
        self._rows = rows
        self.n_samples = sum(sizes) if rows is None else len(rows)
        self._first = first
        self.first_size = sizes[0]
        self.digest = digest
        self.can_slice = is_arrays(first)
        self.multi_input = not isinstance(first, np.ndarray)
        self.parts = {
            key: part for key, part in _parts(first).items() if isinstance(part, np.ndarray)
        }

    def select(self, rows: Array) -> Stream:
        """Return a stream of some samples, given in order.

        Raises
        ------
        ValueError
            If batches cannot be divided.
        """
        if not self.can_slice:
            raise ValueError(
                "max_samples: batches that are no arrays cannot be divided; pass fewer of them"
            )
        digest = hashlib.sha256(self.digest.encode() + np.ascontiguousarray(rows).tobytes())
        return Stream(self._batches, self._sizes, self._first, digest.hexdigest(), rows)

    def first(self, size: int) -> Batch:
        """Return rows of the first batch, from its beginning again where it is smaller."""
        if not self.can_slice:
            return self._first
        return rows_of(self._first, np.arange(size) % self.first_size)

    def spread(self, size: int) -> Batch:
        """Return rows of the first batch that are evenly spaced."""
        if not self.can_slice:
            return self._first
        return rows_of(self._first, np.linspace(0, self.first_size - 1, size).astype(np.int64))

    def batches(self, size: int, *, pad: bool = False) -> Iterator[tuple[int, int, Batch]]:
        """Yield the batches as they come; larger ones than `size` in parts."""
        start = seen = 0
        for given, length in zip(self._batches(), self._sizes, strict=True):
            batch, count = given, length
            if self._rows is not None:
                low, high = np.searchsorted(self._rows, [seen, seen + length])
                local = self._rows[low:high] - seen
                batch, count = rows_of(given, local), len(local)
            seen += length
            if not self.can_slice:
                yield start, start + count, batch
                start += count
                continue
            for low in range(0, count, size):
                rows = np.arange(low, low + size if pad else min(low + size, count))
                stop = min(low + size, count)
                yield start + low, start + stop, rows_of(batch, rows % count)
            start += count


class Spool:
    """Batches on disk, in a temporary folder that is removed with this object."""

    def __init__(self) -> None:
        self._temporary = TemporaryFolder()
        self._folder = self._temporary.path
        self._count = 0

    def add(self, batch: Batch) -> None:
        """Write a batch."""
        if not is_arrays(batch):
            raise ValueError(
                "data: batches that are no arrays and can be read only once must fit in memory; "
                f"they take more than {format_bytes(KEPT_BYTES)}. Pass a list or a loader"
            )
        folder = self._folder / f"{self._count:06d}"
        folder.mkdir()
        self._count += 1
        for number, (key, part) in enumerate(_parts(batch).items()):
            np.save(folder / f"{number}-{'a' if isinstance(key, str) else 'b'}.npy", part)
        kind = "dict" if isinstance(batch, dict) else "tuple" if isinstance(batch, tuple) else ""
        (folder / "kind").write_text("\n".join([kind, *map(str, _parts(batch))]))

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches again."""
        for place in range(self._count):
            folder = self._folder / f"{place:06d}"
            kind, *keys = (folder / "kind").read_text().split("\n")
            parts = [
                np.load(next(folder.glob(f"{number}-*.npy")), allow_pickle=False)
                for number in range(len(keys))
            ]
            if kind == "dict":
                yield dict(zip(keys, parts, strict=True))
            else:
                yield tuple(parts) if kind == "tuple" else parts[0]


def rows_of(batch: Batch, rows: Array) -> Batch:
    """Return some rows of a batch of arrays."""
    return map_batch(batch, lambda _, part: part[rows])


def as_batch(given: Any, options: Options) -> Batch:
    """Return the inputs of a batch as arrays; as they are if the user calls the model himself.

    Raises
    ------
    ValueError
        If an input holds anything but numbers.
    """
    if isinstance(given, Mapping):
        named = {str(key): as_part(part) for key, part in given.items() if part is not None}
        if options.is_raw and not is_arrays(named):
            return given
        _require_numbers(named)
        return named
    if isinstance(given, tuple | list):
        listed = tuple(map(as_part, given))
        if options.is_raw and not is_arrays(listed):
            return given
        _require_numbers(dict(enumerate(listed)))
        return listed
    part = as_part(given)
    if options.is_raw and not isinstance(part, np.ndarray):
        return given
    _require_numbers({0: part})
    return part


def as_part(part: Any) -> Any:
    """Return a tensor of any framework, or nested lists of numbers, as an array."""
    if isinstance(part, np.ndarray):
        return part
    if hasattr(part, "detach") and hasattr(part, "cpu"):
        tensor = part.detach().cpu()
        return (tensor.float() if str(tensor.dtype).endswith("bfloat16") else tensor).numpy()
    if hasattr(part, "numpy") and hasattr(part, "shape"):
        return np.asarray(part.numpy())
    if hasattr(part, "__array__") and hasattr(part, "shape"):
        return np.asarray(part)
    if isinstance(part, list | tuple):
        try:
            array = np.asarray(part)
        except ValueError:
            return part
        return array if array.dtype.kind in "biuf" else part
    return part


def is_arrays(batch: Batch) -> bool:
    """Whether a batch holds nothing but arrays of the same length, so that rows can be taken."""
    parts = list(_parts(batch).values())
    return (
        bool(parts)
        and all(isinstance(part, np.ndarray) and part.ndim for part in parts)
        and len({len(part) for part in parts}) == 1
    )


def size_of(batch: Batch, labels: Any, place: int) -> int:
    """Return the number of samples of a batch."""
    if is_arrays(batch):
        return len(next(iter(_parts(batch).values())))
    lengths = {
        str(key): len(part) if part.ndim else 0
        for key, part in _parts(batch).items()
        if isinstance(part, np.ndarray)
    }
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"data: the inputs of batch {place} differ in their number of samples: {lengths}"
        )
    if labels is None:
        raise ValueError(
            f"data: how many samples batch {place} ({type(batch).__name__}) has is not known; "
            "give it labels, one for each sample"
        )
    return len(as_list(labels))


def bytes_of(batch: Batch) -> int:
    """Return the memory of a batch's arrays."""
    return sum(part.nbytes for part in _parts(batch).values() if isinstance(part, np.ndarray))


def add_to(digest: Any, batch: Batch) -> None:
    """Add a batch to a hash; objects that are no arrays by their text, or by their tensors."""
    for key, part in _parts(batch).items():
        if isinstance(part, np.ndarray):
            digest.update(f"{key}{part.dtype.str}{part.shape[1:]}".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
            continue
        fields = getattr(part, "__dict__", None) or {}
        arrays = {name: as_part(value) for name, value in fields.items()}
        text = repr(part) if not any(isinstance(a, np.ndarray) for a in arrays.values()) else ""
        # An address would differ in every process.
        digest.update(f"{key}{type(part).__name__}{'' if ' at 0x' in text else text}".encode())
        for name, value in sorted(arrays.items()):
            if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
                digest.update(f"{name}{value.dtype.str}{value.shape}".encode())
                digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)


def _parts(batch: Batch) -> dict[Any, Any]:
    if isinstance(batch, dict):
        return dict(batch)
    return dict(enumerate(batch)) if isinstance(batch, tuple) else {0: batch}


def _require_numbers(parts: Mapping[Any, Any]) -> None:
    for key, part in parts.items():
        if isinstance(part, np.ndarray) and part.dtype.kind in "biuf" and part.ndim:
            continue
        where = "" if key == 0 else f" {key!r}"
        kind = part.dtype.name if isinstance(part, np.ndarray) else type(part).__name__
        raise ValueError(
            f"data: the inputs{where} of a batch must be arrays or tensors of numbers; got "
            f"{kind}. Convert them in the loader, pass tokenizer= for texts, or pass "
            "forward=lambda model, batch: ... to call the model yourself"
        )


def _check_labels(labels: Any, size: int, place: int) -> None:
    if not hasattr(labels, "__len__") or len(labels) != size:
        shape = np.shape(labels)
        raise ValueError(
            f"data: batch {place} has {size} samples, and labels of the shape {shape}; each "
            "sample needs a label"
        )


def _check_alike(first: Batch, batch: Batch, place: int) -> None:
    """Raise a ValueError if batches differ in their inputs, or in the axes of these."""
    one, other = _parts(first), _parts(batch)
    if type(first) is not type(batch) or list(one) != list(other):
        raise ValueError(
            f"data: batch {place} has other inputs than the first: {list(other)} and {list(one)}"
        )
    for key, part in one.items():
        if not isinstance(part, np.ndarray):
            continue
        if np.ndim(part) != np.ndim(other[key]):
            raise ValueError(
                f"data: batch {place} has inputs of the shape {np.shape(other[key])}, and the "
                f"first of {np.shape(part)}; batches must have the same number of axes"
            )


def _as_one(kept: Sequence[Batch]) -> Any:
    """Return batches as one; None if their samples differ in shape or are no arrays."""
    if not all(map(is_arrays, kept)):
        return None
    parts = [_parts(batch) for batch in kept]
    joined = {}
    for key in list(parts[0]):
        if len({(there[key].shape[1:], there[key].dtype) for there in parts}) > 1:
            return None
        joined[key] = np.concatenate([there.pop(key) for there in parts])
    if isinstance(kept[0], dict):
        return joined
    return tuple(joined.values()) if isinstance(kept[0], tuple) else joined[0]


def _joined_labels(labels: Sequence[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in labels):
        if len({part.shape[1:] for part in labels}) > 1:
            return _padded_labels(labels)
        return np.concatenate(labels)
    joined: list[Any] = []
    for part in labels:
        joined.extend(part)
    return joined


def _padded_labels(labels: Sequence[Array]) -> Array:
    """Return labels of tokens, of batches of different lengths, filled up with -100 (ignored)."""
    if len({part.ndim for part in labels}) > 1 or labels[0].ndim != 2:
        shapes = ", ".join(sorted({str(part.shape[1:]) for part in labels}))
        raise ValueError(f"data: labels of different batches differ in shape: {shapes}")
    width = max(part.shape[1] for part in labels)
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-100) for part in labels
    ]
    return np.concatenate(padded)
