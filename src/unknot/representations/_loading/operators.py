"""The operators that a graph from a file may call: those that only compute."""

import re
from functools import cache
from typing import Any, Final

NAMESPACES: Final = ("aten", "prims", "quantized", "_quantized", "quantized_decomposed", "sparse")
"""Namespaces whose operators are allowed if all their arguments are harmless."""
SINGLE: Final = (
    *("torchvision::nms", "torchvision::roi_align", "torchvision::roi_pool"),
    *("torchvision::ps_roi_align", "torchvision::ps_roi_pool", "torchvision::deform_conv2d"),
    *("profiler::_record_function_enter", "profiler::_record_function_exit"),
    "profiler::_record_function_enter_new",
)
"""Further operators, by name."""
SCRIPT: Final = frozenset(
    re.findall(
        r"\w+",
        "AwaitableNowait BroadcastSizes CallFunction CallMethod ConstantChunk Constant "
        "CreateObject DictConstruct DictIndex Enter EnumName EnumValue Exit FusedConcat "
        "GetAttr If IfThenElse ListConstruct ListUnpack Loop ModuleContainerIndex NumToTensor "
        "Param Print RaiseException Return SetAttr StringIndex TupleConstruct TupleIndex "
        "TupleSlice TupleUnpack Uninitialized VarConcat VarStack abs awaitable "
        "awaitable_nowait awaitable_wait data device dtype fork grad hasattr id index is_cpu "
        "is_cuda is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_nested is_quantized "
        "is_sparse is_sparse_csr is_vulkan is_xla is_xpu isinstance itemsize layout max min "
        "name nbytes rangelist requires_grad shape tolist type unchecked_cast "
        "unchecked_unwrap_optional With",
    )
)
"""Operators of the TorchScript language (``prim::``), except those that call Python."""
TEXTS: Final = frozenset(
    re.findall(
        r"\w+",
        "a activation algorithm api_name approximate assert_msg b chars cls compute_mode "
        "device_type driver el equation fillchar ind indexing interpolation item key l "
        "message mode msg new norm old ord p pad_mode padding padding_side reduce "
        "rounding_mode s self separator side string substr t type UPLO args idx name values "
        "input inputs dict to_add",
    )
)
"""Names of string arguments that do not refer to a file, library or process group."""
TYPE: Final = re.compile(r"__torch__\.torch\.classes\.(\w+)\.\w+")
CLASSES: Final = ("quantized", "rnn", "sparse", "profiler")
"""Namespaces of C++ classes that hold packed weights, or profiler records."""
HIGHER_ORDER: Final = frozenset(
    re.findall(
        r"\w+",
        "associative_scan cond flex_attention hints_wrapper invoke_subgraph map_impl "
        "out_dtype scan strict_mode tag_activation_checkpoint while_loop wrap_with_autocast "
        "wrap_with_set_grad_enabled",
    )
)
SYMBOLIC: Final = re.compile(
    r"_operator\.(eq|ne|le|ge|lt|gt|neg|pos|mul|add|sub|floordiv|mod|pow|truediv|and_|or_|lshift|"
    r"rshift|getitem)|torch\.sym_(not|int|float|ite|max|min|sqrt|sum)|torch\._sym_(sqrt|log2)|"
    r"math\.(trunc|ceil|floor)"
)
"""Arithmetic on sizes in an exported program."""
TARGET: Final = re.compile(r"torch\.ops\.(\w+)\.(\w+)(?:\.\w+)?")


def is_allowed_target(torch: Any, target: str) -> bool:
    """Whether the target of a node of an exported program only computes."""
    if SYMBOLIC.fullmatch(target):
        return True
    if (match := TARGET.fullmatch(target)) is None:
        return False
    space, name = match.groups()
    if space == "higher_order":
        return name in HIGHER_ORDER and target.count(".") == 3
    return target.count(".") == 4 and is_allowed_operator(torch, f"{space}::{name}")


def is_allowed_operator(torch: Any, name: str) -> bool:
    """Whether an operator, such as ``aten::relu``, only computes."""
    space, _, own = name.partition("::")
    if space == "prim":
        return own in SCRIPT
    if name in SINGLE:
        return True
    return space in NAMESPACES and all(map(_is_plain, torch._C._jit_get_schemas_for_operator(name)))


@cache
def refused_names(torch: Any) -> frozenset[str]:
    """Return the names of PyTorch's own operators that are not allowed."""
    names = {schema.name for schema in torch._C._jit_get_all_schemas()}
    return frozenset(
        name.partition("::")[2]
        for name in names
        if name.startswith("aten::") and not is_allowed_operator(torch, name)
    )


def _is_plain(schema: Any) -> bool:
    """Whether no argument can refer to a file or anything else outside the graph."""
    texts = {argument.name for argument in schema.arguments if "str" in str(argument.type)}
    types = [str(value.type) for value in (*schema.arguments, *schema.returns)]
    classes = {space for text in types for space in TYPE.findall(text)}
    return texts <= TEXTS and classes <= set(CLASSES)
