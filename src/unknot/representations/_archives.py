"""Archives of `torch.export` are looked through before PyTorch opens them.

PyTorch's own loader unpickles parts of an archive without restriction, loads compiled libraries
from it and evaluates expressions in it. None of that is needed for the programs of ordinary models.
"""

import ast
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OLD_PICKLES: Final = ("serialized_state_dict.json", "serialized_constants.json")
NAME: Final = re.compile(r"[a-z]+\d+|[A-Z]\w*|floor|ceiling|oo|zoo")
"""Sizes such as ``s0``, and functions of SymPy such as ``Max``; no builtin of Python is either."""
ARITHMETIC: Final = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Constant, ast.expr_context),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def check_program(torch: Any, file: Path) -> None:
    """Raise a ValueError if opening an archive could run code that is in it."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            inside = name.partition("/")[2] if "data/" in name or "models/" in name else name
            if "aotinductor/" in inside:
                raise _refusal(file, f"a compiled library ({name})")
            if re.search(r"/(custom_obj|opaque_obj)\w*$", name) or name.endswith(OLD_PICKLES):
                raise _refusal(file, f"an object of Python ({name})")
            content = archive.read(name) if name.endswith((".pt", ".json")) else b""
            if name.endswith(".pt") and content:
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # about the protocol of the pickle
                        torch.load(io.BytesIO(content), weights_only=True)
                except Exception as error:
                    raise _refusal(file, f"a pickle ({name})") from error
            if name.endswith(".json"):
                _check_json(file, name, content)


def _check_json(file: Path, name: str, content: bytes) -> None:
    for key, value in _items(json.loads(content)):
        if key == "use_pickle" and value:
            raise _refusal(file, f"pickled weights ({name})")
        if key == "expr_str" and not _is_arithmetic(str(value)):
            raise _refusal(file, f"the expression {str(value)[:80]!r}")


def _is_arithmetic(expression: str) -> bool:
    """Whether an expression is of sizes, numbers and functions of SymPy only."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        return False
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return (
        all(isinstance(node, ARITHMETIC) for node in nodes)
        and all(map(NAME.fullmatch, names))
        and all(re.fullmatch(r"\w+", text) for text in texts if isinstance(text, str))
    )


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _items(value)
    elif isinstance(node, list):
        for value in node:
            yield from _items(value)


def _refusal(file: Path, what: str) -> ValueError:
    return ValueError(
        f"{file} holds {what}, which can run any code when it is loaded. Export the model without "
        "it, save its weights (state_dict) and name a factory, or say trust_pickle=True "
        "(--trust-pickle) if you trust whoever wrote it"
    )
