"""The grammar of requirements: sides of measures and numbers, and a comparison of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import Final

OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": ge,
    "<=": le,
    "==": eq,
    ">": gt,
    "<": lt,
}
_SYNONYMS: Final = {"≥": ">=", "≤": "<="}
_REFUSED: Final = ("!=", "=>", "=<", "<>", "=")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(\s*%)?")
_NAME: Final = re.compile(r"[^\W\d][\w.]*")
_GRAMMAR: Final = (
    "a requirement is such as 'neighborhood_hit(fc1) >= 0.95', 'accuracy >= 98 %' or "
    "'nc1(last) < nc1(fc1)', with one of >= > <= < =="
)


@dataclass(frozen=True)
class Term:
    """A number, the accuracy, or a measure of a layer.

    Attributes
    ----------
    sign : {1, -1}
    number : float or None
    percent : bool
        Whether the number was given in percent; it is divided by 100.
    name : str
        The measure, or ``"accuracy"``; empty for a number.
    layer : str
        As written; empty for a number and the accuracy.
    """

    sign: int
    number: float | None = None
    percent: bool = False
    name: str = ""
    layer: str = ""


@dataclass(frozen=True)
class Expression:
    """A parsed requirement: both sides are sums of terms."""

    text: str
    left: tuple[Term, ...]
    operator: str
    right: tuple[Term, ...]


def parse(text: str) -> Expression:
    """Parse a requirement.

    Raises
    ------
    ValueError
        If it is none; the message says what is wrong and shows one.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"require: {_GRAMMAR}; got {text!r}")
    found = _comparisons(text)
    if len(found) != 1 or found[0][2] not in OPERATORS:
        what = "none" if not found else "several" if len(found) > 1 else f"{found[0][2]!r}"
        raise ValueError(f"require: {text!r} must have one comparison, and has {what}; {_GRAMMAR}")
    start, end, operator = found[0]
    left, right = _side(text[:start], text), _side(text[end:], text)
    if all(term.number is not None for term in (*left, *right)):
        raise ValueError(f"require: {text!r} compares numbers with each other; {_GRAMMAR}")
    return Expression(" ".join(text.split()), left, operator, right)


def _comparisons(text: str) -> list[tuple[int, int, str]]:
    """Return start, end and operator of every comparison outside of brackets."""
    found, depth, quote, at = [], 0, "", 0
    while at < len(text):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif depth and character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif depth <= 0:
            for operator in (*_REFUSED[:-1], *OPERATORS, *_SYNONYMS, _REFUSED[-1]):
                if text.startswith(operator, at):
                    end = at + len(operator)
                    found.append((at, end, _SYNONYMS.get(operator, operator)))
                    at = end - 1
                    break
        at += 1
    return found


def _side(text: str, whole: str) -> tuple[Term, ...]:
    terms: list[Term] = []
    rest, sign = text.strip(), 1
    while True:
        term, rest = _term(rest, sign, whole)
        terms.append(term)
        if not rest:
            return tuple(terms)
        if rest[0] not in "+-−":
            raise ValueError(f"require: {whole!r} cannot be read at {rest!r}; {_GRAMMAR}")
        sign = 1 if rest[0] == "+" else -1
        rest = rest[1:].strip()


def _term(text: str, sign: int, whole: str) -> tuple[Term, str]:
    if number := _NUMBER.match(text):
        value = float(number[0].rstrip("% \t"))
        percent = number[4] is not None
        term = Term(sign, value / 100 if percent else value, percent)
        return term, text[number.end() :].strip()
    name = _NAME.match(text)
    if name is None:
        where = f"at {text!r}" if text else "where a side is empty"
        raise ValueError(f"require: {whole!r} cannot be read {where}; {_GRAMMAR}")
    rest = text[name.end() :].strip()
    if not rest.startswith("("):
        if name[0] != "accuracy":
            raise ValueError(
                f"require: {whole!r}: {name[0]} needs a layer, such as {name[0]}(last) or "
                f"{name[0]}(fc*)"
            )
        return Term(sign, name=name[0]), rest
    end = _closing(rest)
    if end is None:
        raise ValueError(f"require: {whole!r} has a bracket that is not closed")
    layer = rest[1:end].strip()
    if name[0] == "accuracy" or not layer:
        problem = "takes no layer" if name[0] == "accuracy" else "needs a layer"
        raise ValueError(f"require: {whole!r}: {name[0]} {problem}; {_GRAMMAR}")
    return Term(sign, name=name[0], layer=layer), rest[end + 1 :].strip()


def _closing(text: str) -> int | None:
    depth, quote = 0, ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return at
    return None
