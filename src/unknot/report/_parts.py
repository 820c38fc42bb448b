"""The payload in parts: text without arrays, and the bytes of each layer's."""

import base64
import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from ._packing import is_packed

# Of the study itself, such as labels and pictures: what is of no layer.
_BASE: Final = ()
_URI: Final = re.compile(r"data:(image/[a-z]+);base64,")
_ID_CHARACTERS: Final = 16
_serials = count()


@dataclass(frozen=True)
class PayloadParts:
    """A payload in parts.

    Attributes
    ----------
    payload : dict
        The payload, with the place of its bytes, ``at: [part, start, end]``, instead of each packed
        array and picture, and with ``parts``: the name and size of each in the order in which they
        are wanted, that of the study itself first and then the layers'.
    parts : dict of str to bytes
        By name, which is a digest: parts of one name are the same.
    """

    payload: dict[str, Any]
    parts: dict[str, bytes]

    @property
    def names(self) -> list[str]:
        """The names of all parts, in order."""
        return [name for name, _ in self.payload["parts"]]


def split_payload(payload: Mapping[str, Any]) -> PayloadParts:
    r"""Take the arrays and pictures out of a payload.

    Examples
    --------
    >>> found = split_payload({"labels": {"dtype": "u8", "data": "AAEC"}})
    >>> (name,) = found.names
    >>> found.payload["labels"] == {"dtype": "u8", "at": [name, 0, 3]}, found.parts[name]
    (True, b'\x00\x01\x02')
    """
    parts: dict[tuple[Any, ...], bytearray] = {_BASE: bytearray()}
    places: list[tuple[list[Any], tuple[Any, ...]]] = []

    def put(content: bytes, part: tuple[Any, ...]) -> list[Any]:
        whole = parts.setdefault(part, bytearray())
        place: list[Any] = ["", len(whole), len(whole) + len(content)]
        whole.extend(content)
        places.append((place, part))
        return place

    def without(value: Any, path: tuple[Any, ...]) -> Any:
        if is_packed(value):
            content = base64.b64decode(value["data"])
            return {"dtype": value["dtype"], "at": put(content, _part_of(path))}
        if isinstance(value, dict):
            return {key: without(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list) and path[-1:] == ("changes",):
            # Of a change the path that it has in another labeling, or with other maps.
            return [
                [change[0], *(without(each, (*path[:-1], *change[0])) for each in change[1:])]
                for change in value
            ]
        if isinstance(value, list) and value and not isinstance(value[0], int | float):
            return [without(each, (*path, place)) for place, each in enumerate(value)]
        # Text of a person, such as the name of a class, is never taken for a picture.
        is_picture = path == ("figure",) or path[:2] == ("thumbnails", "sheets")
        if is_picture and isinstance(value, str) and (found := _URI.match(value)):
            content = base64.b64decode(value[found.end() :])
            return {"type": found[1], "at": put(content, _part_of(path))}
        return value

    skeleton = without(dict(payload), ())
    names = {
        part: hashlib.blake2b(content, digest_size=_ID_CHARACTERS // 2).hexdigest()
        for part, content in parts.items()
    }
    for place, part in places:
        place[0] = names[part]
    by_name = {names[part]: bytes(content) for part, content in parts.items()}
    skeleton["parts"] = [[name, len(content)] for name, content in by_name.items()]
    return PayloadParts(skeleton, by_name)


def frames(parts: Mapping[str, bytes], names: Iterable[str]) -> bytes:
    """Join parts with their names, so that what is sent twice is not taken for unchanged.

    First a serial number; then of each part its name in 16 characters, its size, and its bytes.
    Numbers are u32, little-endian.
    """
    joined = bytearray(struct.pack("<I", next(_serials) % 2**32))
    for name in names:
        joined += name.encode("ascii") + struct.pack("<I", len(parts[name])) + parts[name]
    return bytes(joined)


def _part_of(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the part that what lies at a path goes into: that of its layer, if it is of one."""
    variant: tuple[Any, ...] = ()
    while path[:1] in (("labelings",), ("maps",)):
        variant, path = (*variant, *path[:2]), path[2:]
    if path[:1] == ("models",) and "layers" in path:
        return (*variant, *path[: path.index("layers") + 2])
    return variant or _BASE
