"""TorchScript archives, read and checked before PyTorch opens them.

Opening one compiles its code and runs its ``__setstate__`` methods; the code may call any operator,
and some read and write files. So the code is checked as text before it is compiled, and the graphs
are checked again before they run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from .archives import Archive
from .operators import CLASSES, is_allowed_operator, refused_names
from .pickles import check_tensors
from .unreadable import RefusedError, reading, unreadable

PICKLES: Final = ("data.pkl", "constants.pkl")
REQUIRED: Final = re.compile(
    r"(data|constants)/\d+|code/[\w/.<>-]+\.py|version|byteorder|"
    r"\.data/(serialization_id|version)|\.format_version|\.storage_alignment"
)
IGNORED: Final = re.compile(
    r"extra/.*|code/.*\.debug_pkl|(bytecode|traced_inputs)(\.pkl|/\d+)|"
    r"mobile_debug_handles\.(pkl|bin)|.*/\.debug_pkl"
)
"""Members that PyTorch does not need: extra files, source locations, code for mobile devices."""
DEFINITION: Final = re.compile(r"^(?:class|def) (\w+)[(:]", re.MULTILINE)
OPERATOR: Final = re.compile(r"ops\.(\w+)\.(\w+)")
ATTRIBUTE: Final = re.compile(r'getattr\([\w.]{1,500}, "[^"\\]{0,200}"\)')
"""As PyTorch writes it; other strings may hide a name in parts or in escapes."""
QUALIFIED: Final = re.compile(r"__torch__(?:\.\w+)*")


@contextmanager
def checked_script(torch: Any, archive: Archive) -> Iterator[Path]:
    """Yield the path of a new archive with the checked content of a TorchScript module."""
    archive.check()

    def is_known(full: str) -> bool:
        if not _is_known(full, defined):
            raise archive.refusal(f"an object of {full[:80]}")
        return True

    contents: dict[str, bytes | None] = {}
    defined: set[str] = set()
    for name in archive.names:
        if name in PICKLES:
            contents[name] = archive.read(name)
        elif name.startswith("code/") and REQUIRED.fullmatch(name):
            contents[name] = code = archive.read(name)
            module = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
            found = DEFINITION.findall(code.decode("latin-1"))
            defined.update(f"{module}.{defined_name}" for defined_name in found)
        elif REQUIRED.fullmatch(name):
            contents[name] = None
        elif not IGNORED.fullmatch(name):
            raise archive.refusal(f"a member that PyTorch does not write ({name[:80]!r})")
    for name, content in contents.items():
        if name.startswith("code/") and content is not None:
            _check_code(torch, archive, name, content, defined)
    for name in PICKLES:
        if name not in contents:
            raise unreadable(archive.file, "a PyTorch script", KeyError(name))
        with reading(archive.file, "a PyTorch script"):
            check_tensors(archive, name, is_known)
    with archive.rewritten(contents, ".pt") as path:
        yield path


def check_graphs(torch: Any, file: Path, module: Any) -> None:
    """Raise a ValueError if a graph of a loaded module calls an operator that is not allowed."""
    for part in module.modules():
        for name in part._c._method_names():
            graph = part._c._get_method(name).graph.copy()
            torch._C._jit_pass_inline(graph)
            for node in _nodes(graph):
                if not is_allowed_operator(torch, node.kind()):
                    raise _refused_operator(file, node.kind())


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _check_code(torch: Any, archive: Archive, name: str, content: bytes, defined: set[str]) -> None:
    """Check code as text, including strings and comments."""
    if not content.isascii() or b"\0" in content:
        raise unreadable(archive.file, "a PyTorch script", ValueError(f"{name} is no code"))
    code = content.decode("ascii")
    words = set(re.findall(r"\w+", code))
    if refused := sorted(words & refused_names(torch)):
        raise _refused_operator(archive.file, f"aten::{refused[0]}")
    for match in re.finditer(r"(?<![\w.])ops\b", code):
        called = OPERATOR.match(code, match.start())
        operator = "::".join(called.groups()) if called else "ops"
        if called is None or not is_allowed_operator(torch, operator):
            raise _refused_operator(archive.file, operator)
    for match in re.finditer(r"\bgetattr\b", code):
        if ATTRIBUTE.match(code, match.start()) is None:
            raise archive.refusal(f"getattr of something other than a plain name ({name})")
    for full in set(QUALIFIED.findall(code)):
        if not _is_known(full, defined):
            raise archive.refusal(f"the class {full[:80]}")


def _is_known(full: str, defined: set[str]) -> bool:
    """Whether a name is of a class in the archive, or of packed weights."""
    parts = full.split(".")
    if parts[:3] == ["__torch__", "torch", "classes"]:
        return len(parts) > 4 and parts[3] in CLASSES
    return any(".".join(parts[: place + 1]) in defined for place in range(len(parts)))


def _refused_operator(file: Path, operator: str) -> RefusedError:
    return RefusedError(
        f"{file} calls {operator}, which can access more than the model's values, such as files "
        "or code that is not in the file. Export the model without it, save its weights "
        "(state_dict) and name a factory, or pass trust_pickle=True (--trust-pickle) if you trust "
        "its author"
    )
