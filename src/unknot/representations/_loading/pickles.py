"""Check pickles in PyTorch's archives, without building the objects that they name.

They say where tensors are in the archive's other members. PyTorch does not verify it: a size that
is too large would let it read out of bounds.
"""

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NoReturn

from .archives import Archive
from .unreadable import RefusedError

ITEM_SIZES: Final = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "UntypedStorage": 1,
    "QInt8Storage": 1,
    "QUInt8Storage": 1,
    "QInt32Storage": 4,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
    "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16,
}
"""Bytes per element, by storage class."""
LEGACY: Final = 0x1950A86A20F9469CFC6C
"""The first value in PyTorch's files that are not archives."""
MAX_DEPTH: Final = 500
"""Of nested containers; readers in C++ overflow the stack at some depth."""
REBUILD: Final = ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_qtensor", "_rebuild_tensor_v3")
LISTS: Final = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")
HARMLESS: Final = frozenset(
    [("collections", "OrderedDict"), ("torch._utils", "_rebuild_parameter")]
    + [("torch.jit._pickle", name) for name in (*LISTS, "restore_type_tag")]
    + [("torch._utils", name) for name in REBUILD]
)
"""Names that TorchScript's reader knows, besides PyTorch's types and the archive's classes."""


def check_tensors(
    archive: Archive, name: str, is_class: Callable[[str], bool] | None = None
) -> None:
    """Raise an error if a pickle refers to bytes outside the members of its tensors.

    With ``is_class``, the pickle is TorchScript's: it may name only what PyTorch's reader knows,
    and classes that ``is_class`` accepts; and its tensors must lie within their storages, which
    that reader does not verify.
    """
    folder = f"{name.removesuffix('.pkl')}/"

    def bytes_in(key: str) -> int:
        member = f"{folder}{key}"
        if member not in archive.names:
            raise pickle.UnpicklingError(f"it names {member[:80]}, which is missing")
        return archive.size(member)

    stream = io.BytesIO(archive.read(name))
    reader = _Reader(stream, bytes_in, is_class)
    _check_depth(_value(reader))
    if is_class is not None and (reader.stack or stream.read()):
        raise pickle.UnpicklingError(f"{name} holds more than one value")


def check_stream(stream: io.BufferedReader) -> None:
    """Raise an error if consecutive pickles, PyTorch's old format, are nested too deep.

    They are a magic number, a version, properties of the machine, the content, and the keys of
    the storages that follow.
    """
    first = _value(_Reader(stream))
    for _ in range(4 if first == LEGACY else 0):
        _check_depth(_value(_Reader(stream)))


class _StandIn:
    """Replaces any object that a pickle names: keeps its arguments, and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "_StandIn":
        instance = super().__new__(cls)
        instance.parts = [*args, *kwargs.values()]
        return instance

    parts: list[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.parts.append(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.parts += [key, value]

    def append(self, value: Any) -> None:
        self.parts.append(value)

    def extend(self, values: Sequence[Any]) -> None:
        self.parts += values


class _Storage(_StandIn):
    """A storage with a number of elements."""

    elements: int = 0


class _Reader(pickle._Unpickler):  # in Python: the one in C trusts declared memo sizes
    """Reads a pickle of tensors without building objects."""

    dispatch: ClassVar[Any] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    memo: dict[int, Any]
    read: Callable[[int], bytes]

    def __init__(
        self,
        stream: io.BufferedReader | io.BytesIO,
        bytes_in: Callable[[str], int] | None = None,
        is_class: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(stream, encoding="utf-8")
        position = stream.tell()
        self._limit = stream.seek(0, io.SEEK_END)
        stream.seek(position)
        self._bytes_in = bytes_in
        self._is_class = is_class

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for a class or function."""
        full = f"{module}.{name}"
        if module in ("torch", "torch.storage") and name in ITEM_SIZES:
            return ITEM_SIZES[name]
        if self._is_class is not None:
            typed = module == "torch" and name.isidentifier()
            if not typed and (module, name) not in HARMLESS and not self._is_class(full):
                raise pickle.UnpicklingError(f"it names {full[:80]}")
            if module == "torch._utils" and name in REBUILD:
                return _rebuilt
        return _StandIn

    def persistent_load(self, pid: Any) -> Any:
        """Return a storage, after checking that its member is large enough."""
        if self._bytes_in is None:
            return _StandIn(pid)
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise pickle.UnpicklingError("a reference is not to a storage")
        _, size, key, _, elements = pid
        if not isinstance(size, int) or not isinstance(elements, int) or elements < 0:
            raise pickle.UnpicklingError(f"the size of storage {str(key)[:80]} is not a number")
        if self._bytes_in(f"{key}") < elements * size:
            raise pickle.UnpicklingError(f"{key} does not hold {elements} elements")
        storage = _Storage()
        storage.elements = elements
        return storage

    def load_setitem(self) -> None:
        """Check a key before it is hashed: hashing recurses into nested tuples."""
        _check_key(self.stack[-2])
        self.super_dispatch(pickle.SETITEM)

    def load_setitems(self) -> None:
        """Check keys before they are hashed."""
        for key in self.stack[::2]:
            _check_key(key)
        self.super_dispatch(pickle.SETITEMS)

    def load_additems(self) -> None:
        """Check elements of a set before they are hashed."""
        for key in self.stack:
            _check_key(key)
        self.super_dispatch(pickle.ADDITEMS)

    def load_reduce(self) -> None:
        """Call a stand-in; TorchScript writes enumeration members without a tuple."""
        if not isinstance(self.stack[-1], tuple):
            self.stack[-1] = (self.stack[-1],)
        self.super_dispatch(pickle.REDUCE)

    def load_long_binput(self) -> None:
        """Store in the memo; a reader in C++ allocates up to the index."""
        index = int.from_bytes(self.read(4), "little")
        if index > self._limit:
            raise pickle.UnpicklingError("its memo is larger than the file")
        self.memo[index] = self.stack[-1]

    def super_dispatch(self, code: bytes) -> None:
        """Run the base class' handler of an opcode."""
        parent: Any = pickle._Unpickler.dispatch
        parent[code[0]](self)

    def refuse(self) -> NoReturn:
        """Refuse an opcode that PyTorch does not write and that readers treat differently."""
        raise pickle.UnpicklingError("it has an opcode that PyTorch does not write")

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.LONG_BINPUT[0]] = load_long_binput
    for _code in (
        *(pickle.POP, pickle.POP_MARK, pickle.DUP, pickle.PERSID, pickle.INST, pickle.OBJ),
        *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.FROZENSET, pickle.NEXT_BUFFER),
        *(pickle.BYTEARRAY8, pickle.READONLY_BUFFER),
    ):
        dispatch[_code[0]] = refuse


def _value(reader: _Reader) -> Any:
    """Return the value of a pickle; raise UnpicklingError if anything is wrong with it."""
    try:
        return reader.load()
    except (pickle.UnpicklingError, RefusedError):
        raise
    except Exception as error:
        raise pickle.UnpicklingError("its pickle is damaged, or it is not a pickle") from error


def _rebuilt(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> _StandIn:
    """Check that a tensor lies within its storage."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, _Storage) or not all(isinstance(at, int) for at in numbers):
        raise pickle.UnpicklingError("the offset or size of a tensor is not a number")
    if min(numbers) < 0 or len(size) != len(stride):
        raise pickle.UnpicklingError(f"a tensor of size {size} has strides {stride}"[:200])
    if all(size):
        last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
        if last >= storage.elements:
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return _StandIn(storage, *rest)


def _check_key(key: Any) -> None:
    """Allow names, numbers and tuples of them as keys."""
    if isinstance(key, tuple) and any(isinstance(part, tuple) for part in key):
        raise pickle.UnpicklingError("a key is a tuple of tuples")


def _check_depth(value: Any) -> None:
    """Raise an error if containers are nested too deep; each is visited once."""
    layer, seen = [value], set[int]()
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in layer:
            if id(node) in seen:
                continue
            if isinstance(node, (list, tuple, set)):
                below += node
            elif isinstance(node, dict):
                below += [*node.keys(), *node.values()]
            elif isinstance(node, _StandIn):
                below += node.parts
            else:
                continue
            seen.add(id(node))
        if not below:
            return
        layer = below
    raise pickle.UnpicklingError("its content is nested too deep")
