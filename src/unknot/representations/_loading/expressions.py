"""Check expressions that PyTorch evaluates in an exported program: only arithmetic is allowed."""

import ast
import re
from typing import Final

MAX_CHARACTERS: Final = 20_000
MAX_INTEGER: Final = 2**63
MAX_EXPONENT: Final = 64
MAX_KEYWORD: Final = 1000
"""Of a keyword argument: ``precision=53``, or an assumption about a symbol."""
FUNCTIONS: Final = frozenset(
    re.findall(
        r"\w+",
        "Symbol Integer Float Rational Add Mul Pow Max Min Abs Mod And Or Not Piecewise ITE "
        "floor ceiling sqrt Eq Ne Lt Le Gt Ge Equality Unequality StrictLessThan LessThan "
        "StrictGreaterThan GreaterThan FloorDiv ModularIndexing Where PythonMod CleanDiv "
        "CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv "
        "IntTrueDiv TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity "
        "IsNonOverlappingAndDenseIndicator BitwiseFn_bitwise_and BitwiseFn_bitwise_or "
        "BitwiseFn_bitwise_xor",
    )
)
"""SymPy's and PyTorch's functions on sizes."""
VALUES: Final = ("oo", "zoo", "nan", "true", "false", "True", "False", "int_oo", "pi", "E")
POWERS: Final = ("Pow", "PowByNatural", "FloatPow", "LShift")
SIZE: Final = re.compile(r"[a-z_]+\d{1,6}")
"""Sizes, such as ``s0``; no Python builtin has such a name."""
ARITHMETIC: Final = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Constant, ast.expr_context),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
GUARD: Final = (*ARITHMETIC, ast.Subscript, ast.Attribute)
SHAPE: Final = ("size", "stride", "storage_offset", "shape", "ndim", "dim", "numel", "dtype")
MATH: Final = ("floor", "ceil", "trunc", "isnan", "inf", "sqrt", "nan")
PLAIN: Final = ("max", "min", "abs", "int", "float", "round", "bool")
SYMBOLIC: Final = ("sym_max", "sym_min", "sym_int", "sym_float", "sym_ite", "sym_not", "sym_sum")


def is_arithmetic(expression: str) -> bool:
    """Whether an expression has only sizes, numbers and SymPy functions, and is small."""
    if (tree := _parsed(expression, ARITHMETIC)) is None:
        return False
    texts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
                return False
            if node.func.id in ("Symbol", "Float", "Integer", "Rational"):
                texts.update(map(id, node.args))
            if any(_number(keyword.value) > MAX_KEYWORD for keyword in node.keywords):
                return False
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return _powers_are_small(tree) and all(
        _is_small(node) and (not isinstance(node.value, str) or id(node) in texts)
        if isinstance(node, ast.Constant)
        else id(node) in called or node.id in VALUES or bool(SIZE.fullmatch(node.id))
        for node in ast.walk(tree)
        if isinstance(node, (ast.Constant, ast.Name))
    )


def is_guard(expression: str) -> bool:
    """Whether a guard only compares sizes of the inputs."""
    if (tree := _parsed(expression, GUARD)) is None:
        return False
    allowed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id in ("math", "torch"):
                allowed.add(id(node.value))
                if node.attr not in (MATH if node.value.id == "math" else SYMBOLIC):
                    return False
            elif node.attr not in SHAPE:
                return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in PLAIN:
                return False
            allowed.add(id(node.func))
    return _powers_are_small(tree) and all(
        _is_small(node)
        if isinstance(node, ast.Constant)
        else node.id in ("L", "True", "False", "None", "inf") or id(node) in allowed
        for node in ast.walk(tree)
        if isinstance(node, (ast.Constant, ast.Name))
    )


def _parsed(expression: str, allowed: tuple[type, ...]) -> ast.Expression | None:
    if len(expression) > MAX_CHARACTERS or "\n" in expression or "#" in expression:
        return None
    try:
        tree = ast.parse(expression, mode="eval")
        nodes = list(ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(isinstance(node, allowed) for node in nodes) else None


def _is_small(node: ast.Constant) -> bool:
    value = node.value
    if isinstance(value, str):
        return re.fullmatch(r"[\w.-]{0,200}", value, re.ASCII) is not None
    if isinstance(value, int):
        return -MAX_INTEGER <= value <= MAX_INTEGER
    return value is None or isinstance(value, (float, bool))


def _powers_are_small(tree: ast.AST) -> bool:
    """Whether exponents are small numbers, and no powers are nested."""
    for node in ast.walk(tree):
        if not (parts := _power(node)):
            continue
        if len(parts) != 2 or not -MAX_EXPONENT <= _number(parts[1]) <= MAX_EXPONENT:
            return False
        if any(_power(inner) for part in parts for inner in ast.walk(part)):
            return False
    return True


def _power(node: ast.AST) -> list[ast.expr]:
    """Return base and exponent if a node is a power or a left shift."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.LShift)):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POWERS:
        return list(node.args)
    return []


def _number(node: ast.expr) -> float:
    """Return the value of an exponent, ``2`` or ``Integer(-1)``; infinity if it is not a number."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        return _number(node.args[0]) if node.func.id in ("Integer", "Float") else float("inf")
    if isinstance(node, ast.Call) and len(node.args) == 2 and isinstance(node.func, ast.Name):
        # Rational(1, 2): a root is small whenever its terms are.
        terms = [_number(part) for part in node.args] if node.func.id == "Rational" else []
        return max(map(abs, terms), default=float("inf"))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        return _number(node.operand)
    if isinstance(node, ast.Constant):
        try:
            return float(node.value) if isinstance(node.value, (int, float, str)) else float("inf")
        except (ValueError, OverflowError):
            return float("inf")
    return float("inf")
