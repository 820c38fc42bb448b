"""Requirements on the scores of a study: which hold, and which do not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .._io.formatting import render_text
from .._io.text import did_you_mean, no_such_layer
from ._expressions import OPERATORS, Expression, Term, parse

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from ._study import Study
else:
    Study = Any


@dataclass(frozen=True)
class Requirement:
    """One comparison of a requirement: a pattern of layers makes several.

    Attributes
    ----------
    expression : str
        As it was given.
    subject : str
        What is compared, such as ``"neighborhood_hit(fc1)"``.
    value : float or None
        Its value; None if there is none.
    operator : {">=", ">", "<=", "<", "=="}
    bound : float or None
        What it is compared with.
    holds : bool
        Whether it holds; what has no value never does.
    reason : str
        Why there is no value; empty if there is one.

    See Also
    --------
    Requirements : All of them.
    """

    expression: str
    subject: str
    value: float | None
    operator: str
    bound: float | None
    holds: bool
    reason: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Requirements:
    """What was required of a study: iterates over `Requirement`, and prints as a table.

    Attributes
    ----------
    name : str
        The name of the study.
    rows : tuple of Requirement

    See Also
    --------
    unknot.Study.require : Makes it.
    """

    name: str
    rows: tuple[Requirement, ...]

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failed(self) -> Requirements:
        """Those that do not hold."""
        return Requirements(self.name, tuple(row for row in self.rows if not row.holds))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON has them."""
        return {"name": self.name, "rows": [asdict(row) for row in self.rows]}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._render import render_requirements

        yield from render_requirements(self)

    def __str__(self) -> str:
        return render_text(self, 120)

    def __repr__(self) -> str:
        return str(self)


class RequirementError(AssertionError):
    """Raised by `unknot.Study.require` if a requirement does not hold.

    Attributes
    ----------
    failed : Requirements
        All that do not hold; the message lists them.

    See Also
    --------
    unknot.Study.require : Raises it.
    Requirement : One of them.
    """

    def __init__(self, failed: Requirements) -> None:
        self.failed = failed
        lines = [f"  {describe(row)}" for row in failed]
        count = f"{len(lines)} requirement{'s do' if len(lines) != 1 else ' does'} not hold"
        super().__init__("\n".join([f"{failed.name}: {count}:", *lines]))


def describe(row: Requirement) -> str:
    """Return a comparison as text, with the value that was found."""
    found = row.reason or f"{row.value:.6g} is not {row.operator} {row.bound:.6g}"
    what = "" if row.subject == row.expression else f" ({row.subject})"
    return f"{row.expression}{what}: {found}"


def check_requirements(study: Study, expressions: Sequence[str]) -> Requirements:
    """Compare all; raise ValueError for what cannot be read, or names no measure or layer."""
    if not expressions:
        raise ValueError("require: give at least one requirement; got none")
    parsed = [parse(text) for text in expressions]
    rows = [row for expression in parsed for row in _compared(study, expression)]
    return Requirements(study.name, tuple(rows))


@dataclass(frozen=True)
class _Value:
    """The value of a term or side, or why there is none."""

    text: str
    value: float | None
    reason: str = ""
    layer: str = ""


def _compared(study: Study, expression: Expression) -> list[Requirement]:
    sides = [_side(study, terms, expression) for terms in (expression.left, expression.right)]
    _check_numbers(study, expression)
    left, right = sides
    if len(right) == 1:
        right = right * len(left)
    elif len(left) == 1:
        left = left * len(right)
    elif [each.layer for each in left] != [each.layer for each in right]:
        raise ValueError(
            f"require: {expression.text!r}: {len(left)} layers cannot be compared with "
            f"{len(right)} others; name one layer on one side"
        )
    holds = OPERATORS[expression.operator]
    rows = []
    for one, other in zip(left, right, strict=True):
        reason = "; ".join(dict.fromkeys(each.reason for each in (one, other) if each.reason))
        held = one.value is not None and other.value is not None and holds(one.value, other.value)
        subject = f"{one.text} {expression.operator} {other.text}"
        rows.append(
            Requirement(
                expression.text, subject, one.value, expression.operator, other.value, held, reason
            )
        )
    return rows


def _side(study: Study, terms: tuple[Term, ...], expression: Expression) -> list[_Value]:
    """Return the values of a side: one, or one for each layer of a pattern."""
    found = [_values(study, term, expression) for term in terms]
    length = max(len(values) for values in found)
    several = {tuple(each.layer for each in values) for values in found if len(values) > 1}
    if len(several) > 1:
        raise ValueError(
            f"require: {expression.text!r}: patterns of different layers cannot be combined; name "
            "one layer in one of them"
        )
    sums = []
    for number in range(length):
        parts = [values[number if len(values) > 1 else 0] for values in found]
        text = parts[0].text
        for term, part in zip(terms[1:], parts[1:], strict=True):
            text += f" {'+' if term.sign > 0 else '-'} {part.text}"
        reason = "; ".join(dict.fromkeys(part.reason for part in parts if part.reason))
        total = None
        if not reason:
            total = sum(
                term.sign * part.value
                for term, part in zip(terms, parts, strict=True)
                if part.value is not None
            )
        layer = next((part.layer for part in parts if part.layer), "")
        sums.append(_Value(text, total, reason, layer))
    return sums


def _values(study: Study, term: Term, expression: Expression) -> list[_Value]:
    if term.number is not None:
        return [_Value(f"{term.number:g}", term.number)]
    if term.name == "accuracy":
        reason = "" if study.accuracy is not None else "the study has no accuracy"
        return [_Value("accuracy", study.accuracy, reason)]
    _check_measure(study, term.name, expression)
    layers, control = _layers(study, term.layer, expression)
    return [replace(_of_layer(study, term.name, layer, control), layer=layer) for layer in layers]


def _of_layer(study: Study, measure: str, layer: str, control: str | None) -> _Value:
    text = f"{measure}({layer}{f', {control}' if control else ''})"
    scores = study[layer].scores if control is None else study.controls[control].get(layer)
    if measure == "kl_divergence" and control is None:
        value = study[layer].kl_divergence
        return _Value(text, value, "" if value is not None else f"{layer} has no map")
    if scores is None:
        return _Value(text, None, f"{layer} has no scores{f' in {control}' if control else ''}")
    if measure in scores.skipped:
        return _Value(text, None, f"it was not measured: {scores.skipped[measure]}")
    if measure not in scores:
        return _Value(text, None, f"{layer} was not measured by {measure}")
    found = float(scores[measure].value)
    return _Value(text, found, "it is NaN") if math.isnan(found) else _Value(text, found)


def _check_measure(study: Study, name: str, expression: Expression) -> None:
    from ..metrics import measure_names

    known = dict.fromkeys((*measure_names(), "kl_divergence", "accuracy"))
    for layer in study.values():
        known.update(dict.fromkeys(layer.scores or ()))
    if name not in known:
        raise ValueError(
            f"require: {expression.text!r}: there is no measure {name!r}"
            f"{did_you_mean(name, known, n=3) or '; unknot.metrics.measure_names() lists them'}"
        )


def _layers(study: Study, text: str, expression: Expression) -> tuple[list[str], str | None]:
    """Return the layers that a text names, and the control if it names one."""
    names = list(study)
    control = None
    if text not in names:
        head, comma, tail = text.rpartition(",")
        if comma and tail.strip() in study.controls:
            text, control = head.strip(), tail.strip()
        elif comma and head.strip().strip("'\"") in names:
            raise ValueError(
                f"require: {expression.text!r}: there is no control {tail.strip()!r}; there is "
                f"{', '.join(study.controls) or 'none'}"
            )
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        text = text[1:-1]
    if text in names:
        return [text], control
    if text in ("first", "last"):
        return [names[0 if text == "first" else -1]], control
    if re.fullmatch("-?[0-9]{1,9}", text):
        if not -len(names) <= int(text) < len(names):
            raise ValueError(
                f"require: {expression.text!r}: layers are numbered 0 to {len(names) - 1}, or -1 "
                f"to {-len(names)} from the last; got {text}"
            )
        return [names[int(text)]], control
    matching = [name for name in names if fnmatchcase(name, text)]
    if not matching:
        raise ValueError(
            f"require: {expression.text!r}: the study has no layer {text!r}"
            f"{no_such_layer(text, names)}"
        )
    return matching, control


def _check_numbers(study: Study, expression: Expression) -> None:
    """Refuse a number that a measure cannot reach, such as 98 for a share of 0.98."""
    for side, other in (
        (expression.left, expression.right),
        (expression.right, expression.left),
    ):
        if not all(term.number is not None for term in side):
            continue
        number = sum(term.sign * (term.number or 0.0) for term in side)
        ends = [_range(study, term) for term in other if term.number is None]
        low, high = _reach(other, ends)
        if any(term.percent for term in side) and not all(end[1] == 1.0 for end in ends):
            raise ValueError(
                f"require: {expression.text!r}: percent are of shares, and this measure is none"
            )
        if not low <= number <= high:
            remedy = f"; write {number:g} %" if 1 < number <= 100 and high <= 1 else ""
            raise ValueError(
                f"require: {expression.text!r}: what is compared lies from {low:g} to {high:g}, "
                f"never beyond; got {number:g}{remedy}"
            )


def _reach(terms: tuple[Term, ...], ends: list[tuple[float, float]]) -> tuple[float, float]:
    low = high = 0.0
    of_measures = iter(ends)
    for term in terms:
        least, most = (term.number, term.number) if term.number is not None else next(of_measures)
        low += least if term.sign > 0 else -most
        high += most if term.sign > 0 else -least
    return low, high


def _range(study: Study, term: Term) -> tuple[float, float]:
    if term.name == "accuracy":
        return 0.0, 1.0
    for layer in study.values():
        if layer.scores is not None and term.name in layer.scores:
            return layer.scores[term.name].range
    return -math.inf, math.inf
