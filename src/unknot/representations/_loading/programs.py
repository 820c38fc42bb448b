"""Exported programs of PyTorch, read and checked before PyTorch builds them.

PyTorch's own loader unpickles parts of an archive without restriction, loads compiled libraries
from it, looks up any PyTorch function that a node names, imports classes that a description of
inputs names, evaluates expressions, and writes names into code that it runs. Ordinary models need
none of that, so each field is checked according to what the loader does with it.
"""

import io
import json
import keyword
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Final

from .archives import Archive
from .expressions import is_arithmetic, is_guard
from .operators import is_allowed_target
from .pickles import check_tensors
from .unreadable import RefusedError, reading, unreadable

MODEL: Final = "models/model.json"
WEIGHTS: Final = "data/weights/"
CONSTANTS: Final = "data/constants/"
CONFIGS: Final = {
    WEIGHTS: f"{WEIGHTS}model_weights_config.json",
    CONSTANTS: f"{CONSTANTS}model_constants_config.json",
}
LEGACY: Final = (f"{WEIGHTS}model.pt", f"{CONSTANTS}model.pt")
EXAMPLES: Final = "data/sample_inputs/model.pt"
PLAIN: Final = {
    "archive_format": r"pt2",
    "archive_version": r"\d{1,4}",
    "version": r"\d{1,4}(\.\d{1,4})*\s*",
    ".data/version": r"\d{1,4}\s*",
    "byteorder": r"little|big",
    ".format_version": r"\d{1,4}\s*",
    ".storage_alignment": r"\d{1,6}\s*",
    ".data/serialization_id": r"\d{0,80}",
}
"""Members that contain a word or number."""
IGNORED: Final = re.compile(
    r"(extra|extra_files|executorch)/.*|models/[\w.-]+\.json|"
    r"data/(weights|constants|sample_inputs)/[\w.-]+(_config\.json|\.pt)"
)
"""Members not needed to load the model: extra files, and other models."""
PAYLOAD: Final = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
OLD: Final = "serialized_exported_program.json"
OLD_PICKLES: Final = tuple(
    f"serialized_{name}.pt" for name in ("state_dict", "constants", "example_inputs")
)

NAME: Final = re.compile(r"[A-Za-z_]\w{0,500}", re.ASCII)
PATH: Final = re.compile(r"[^\"'\\{}\x00-\x1f\x7f]{0,2000}")
"""Characters that cannot end a string: PyTorch writes names of weights into code, quoted."""
NUMBER: Final = re.compile(r"-?(Infinity|inf|NaN|nan|\d{1,400}(\.\d{1,400})?(e[+-]?\d{1,4})?)")
TREES: Final = {
    "builtins.tuple": False,
    "builtins.list": False,
    "builtins.dict": True,
    "collections.OrderedDict": True,
    "torch.fx.immutable_collections.immutable_list": False,
    "torch.fx.immutable_collections.immutable_dict": True,
}
"""Containers of inputs and outputs, and whether they have keys."""
MAPS: Final = ("tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values")
NESTED: Final = frozenset(
    re.findall(
        r"\w+",
        "graph_module graph signature module_call_graph schema_version range_constraints "
        "inputs outputs nodes arg input_specs output_specs as_none as_tensor as_tensors "
        "as_int as_ints as_bool as_bools as_sym_int as_sym_ints as_sym_float as_sym_floats "
        "as_sym_bool as_sym_bools as_scalar_type as_memory_format as_layout as_device "
        "as_graph as_optional_tensor as_optional_tensors as_complex as_nested_tensors "
        "as_int_lists as_float_lists as_expr hint kind index dtype sizes strides "
        "storage_offset layout device requires_grad is_single_tensor_return "
        "is_hop_single_tensor_return user_input parameter buffer tensor_constant "
        "constant_input value persistent user_output loss_output buffer_mutation "
        "parameter_mutation gradient_to_parameter gradient_to_user_input user_input_mutation "
        "min_val max_val major minor config tensor_meta is_param use_pickle ",
    )
)
"""Fields of numbers and of nested fields; a string in one of them is refused."""
UNUSED: Final = ("treespec_namedtuple_fields",)
"""Fields that PyTorch only keeps to write them again."""


@contextmanager
def checked_program(torch: Any, archive: Archive) -> Iterator[Path]:
    """Yield the path of a new archive with the checked content of a program."""
    archive.check()
    if "archive_format" in archive.names:
        with archive.rewritten(_members(torch, archive), ".pt2") as path:
            yield path
    else:
        with archive.rewritten(_old_members(torch, archive), ".pt2", folder="") as path:
            yield path


def _members(torch: Any, archive: Archive) -> dict[str, bytes | None]:
    contents: dict[str, bytes | None] = {}
    payloads: dict[str, bytes | None] = {}
    for name in archive.names:
        if re.search(r"/(custom_obj|opaque_obj)\w*$", name):
            raise archive.refusal(f"a Python object ({name})")
        if "aotinductor/" in name:
            raise archive.refusal(f"a compiled library ({name})")
        if name in PLAIN:
            contents[name] = _plain(archive, name)
        elif name == MODEL or name in CONFIGS.values():
            contents[name] = _checked_json(torch, archive, name)
        elif name == EXAMPLES or name in LEGACY:
            contents[name] = _checked_pickle(torch, archive, name)
        elif PAYLOAD.fullmatch(name):
            payloads[name] = None
        elif not IGNORED.fullmatch(name):
            raise archive.refusal(f"a member that PyTorch does not write ({name[:80]!r})")
    if MODEL not in contents:
        raise unreadable(archive.file, "a PyTorch program", KeyError(MODEL))
    return contents | payloads


def _old_members(torch: Any, archive: Archive) -> dict[str, bytes | None]:
    contents: dict[str, bytes | None] = {}
    for name in archive.names:
        if name in PLAIN:
            contents[name] = _plain(archive, name)
        elif name == OLD:
            contents[name] = _checked_json(torch, archive, name)
        elif name in OLD_PICKLES:
            contents[name] = _checked_pickle(torch, archive, name)
        elif not IGNORED.fullmatch(name):
            raise archive.refusal(f"a Python object ({name[:80]!r})")
    return contents


def _plain(archive: Archive, name: str) -> bytes:
    content = archive.read(name)
    if re.fullmatch(PLAIN[name], content.decode("ascii", "replace")) is None:
        raise unreadable(
            archive.file, "a PyTorch program", ValueError(f"{name} has invalid content")
        )
    return content


def _checked_pickle(torch: Any, archive: Archive, name: str) -> bytes:
    """Unpickle tensors with restrictions and pickle them again."""
    content = archive.read(name)
    if not content:
        return content
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle protocol
            inside = Archive(archive.file, io.BytesIO(content))
            inside.check()
            check_tensors(inside, "data.pkl")
            values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise archive.refusal(f"a pickle ({name})") from error
    stream = io.BytesIO()
    torch.save(values, stream)
    return stream.getvalue()


def _checked_json(torch: Any, archive: Archive, name: str) -> bytes:
    check = _Check(torch, archive, name)
    with reading(archive.file, "a PyTorch program"):
        value = check.value("", json.loads(archive.read(name)))
        return json.dumps(value).encode()


class _Check:
    """Checks the fields of a program; unknown ones are refused or dropped."""

    def __init__(self, torch: Any, archive: Archive, member: str) -> None:
        self._torch = torch
        self._archive = archive
        self._member = member
        self._in_nodes = 0
        texts: dict[str, Callable[[str], bool]] = dict.fromkeys(
            ("name", "as_name", "user_input_name", "forward_arg_names"), _is_name
        )
        texts |= dict.fromkeys(
            ("parameter_name", "buffer_name", "tensor_constant_name", "fqn"), _is_weight
        )
        texts |= dict.fromkeys(("target", "as_operator"), self._is_operator)
        texts |= dict.fromkeys(("in_spec", "out_spec"), _is_tree)
        texts |= dict.fromkeys(("as_float", "as_floats", "real", "imag"), _is_number)
        texts |= dict.fromkeys(("as_string", "as_strings"), self._is_text)
        texts |= dict.fromkeys(("type", "verifiers", "path_name"), _is_name)
        texts |= {"expr_str": is_arithmetic, "guards_code": is_guard, "torch_version": _is_path}
        self._texts = texts

    def value(self, key: str, node: Any) -> Any:
        """Return a checked value without unused fields; raise an error if it could run code."""
        if isinstance(node, str):
            if key not in self._texts or not self._texts[key](node):
                raise self._archive.refusal(f"{key.replace('_', ' ')} {node[:80]!r}")
            return node
        if isinstance(node, list):
            return [self.value(key, inner) for inner in node]
        if not isinstance(node, dict):
            return node
        if key in MAPS:
            return {self._key(name, _is_name): self.value("", at) for name, at in node.items()}
        if key == "range_constraints":
            return {self._key(name, is_arithmetic): self.value("", at) for name, at in node.items()}
        if key == "config":
            return {self._key(name, _is_weight): self._payload(at) for name, at in node.items()}
        if key == "as_string_to_argument":
            return {self._key(name, _is_name): self.value("arg", at) for name, at in node.items()}
        return {name: value for name, at in node.items() for value in self._field(name, at)}

    def _field(self, name: str, node: Any) -> list[Any]:
        """Return the checked value of a field in a list, empty if the field is dropped."""
        if name == "metadata":
            stack = node.get("nn_module_stack") if isinstance(node, dict) else None
            return [{"nn_module_stack": stack} if stack and _is_stack(stack) else {}]
        if name == "opset_version":
            return [{key: at for key, at in node.items() if _is_name(key) and isinstance(at, int)}]
        if name in UNUSED:
            return []
        if name == "use_pickle" and node:
            raise self._archive.refusal(f"pickled weights ({self._member})")
        if name in NESTED or name in MAPS or name in self._texts or name == "as_string_to_argument":
            self._in_nodes += name == "nodes"
            try:
                return [self.value(name, node)]
            finally:
                self._in_nodes -= name == "nodes"
        if not node:  # empty, such as the custom objects of a program without any
            return []
        raise self._archive.refusal(f"a field {name[:80]!r} that is not known to be harmless")

    def _key(self, name: str, is_allowed: Callable[[str], bool]) -> str:
        if not is_allowed(name):
            raise self._archive.refusal(f"the name {name[:80]!r}")
        return name

    def _payload(self, node: dict[str, Any]) -> Any:
        """Check the description of a member's tensor: an empty member must be declared empty."""
        value = self.value("", node)
        folder = next(place for place, name in CONFIGS.items() if name == self._member)
        meta = value["tensor_meta"]
        member = f"{folder}{value['path_name']}"
        if not PAYLOAD.fullmatch(member) or member not in self._archive.names:
            raise KeyError(member)
        if not self._archive.size(member) and prod(size["as_int"] for size in meta["sizes"]):
            raise RefusedError(f"{self._archive.file} is damaged: {member} is empty")
        return value

    def _is_operator(self, target: str) -> bool:
        return is_allowed_target(self._torch, target)

    def _is_text(self, text: str) -> bool:
        """Whether a string is allowed; PyTorch writes those of inputs into code."""
        return bool(self._in_nodes) or _is_path(text)


def _is_name(text: str) -> bool:
    return not text or (NAME.fullmatch(text) is not None and not keyword.iskeyword(text))


def _is_path(text: str) -> bool:
    return PATH.fullmatch(text) is not None


def _is_weight(text: str) -> bool:
    """Whether a name can be a weight's, and not a special attribute of Python objects."""
    return _is_path(text) and not any(part.startswith("__") for part in text.split("."))


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _is_stack(text: Any) -> bool:
    return isinstance(text, str) and text.isprintable()


def _is_tree(text: str) -> bool:
    """Whether a description of inputs or outputs has only plain containers."""
    try:
        protocol, tree = json.loads(text)
        return protocol == 1 and _is_plain_tree(tree)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _is_plain_tree(tree: dict[str, Any]) -> bool:
    kind, context, children = tree["type"], tree["context"], tree["children_spec"]
    if kind is None:
        return context is None and children == []
    if kind not in TREES or not isinstance(context, str):
        return False
    keys = json.loads(context)
    if TREES[kind]:
        plain = isinstance(keys, list) and all(map(_is_key, keys)) and len(keys) == len(children)
    else:
        plain = keys is None
    return plain and all(map(_is_plain_tree, children))


def _is_key(key: Any) -> bool:
    return _is_path(key) if isinstance(key, str) else isinstance(key, int)
