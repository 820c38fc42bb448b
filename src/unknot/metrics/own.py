"""Measures of the user's own, beside the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat, TypeVar

import numpy as np

from .._io.text import did_you_mean
from .._typing import Array
from .._validation.preprocessing import name_of
from ._shared.results import Result, UndefinedMeasureError
from ._suite.entry import Measure, Spaces
from ._suite.registry import MEASURES

OwnFunction = Callable[[Array, Array], Any]
FunctionT = TypeVar("FunctionT", bound=OwnFunction)

_REGISTERED: dict[str, Measure] = {}
NO_INTERVAL = "the measure returned none"


@dataclass(frozen=True)
class ScoreResult:
    """What a measure of your own may return instead of a number.

    Attributes
    ----------
    value : float
        The measure, finite.
    interval : tuple of float, optional
        A 95 % interval (low, high).
    per_class : array-like (n_classes,), optional
        The measure of each class, in the order of ``numpy.unique(labels)``.
    notes : tuple of str
        Caveats, shown with the score.

    See Also
    --------
    register : Gives such a measure a title and a range.
    Score : What `measure` makes of it.

    Examples
    --------
    >>> from unknot.metrics import ScoreResult
    >>> ScoreResult(0.5, interval=(0.4, 0.6)).value
    0.5
    """

    value: SupportsFloat
    interval: tuple[SupportsFloat, SupportsFloat] | None = None
    per_class: Any = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OwnResult(Result):
    """The checked result of a measure of the user's own."""

    interval: tuple[float, float] | None = None
    per_class: Array | None = None


def register(
    name: str,
    *,
    title: str | None = None,
    family: str = "own",
    higher_is_better: bool | None = None,
    low: float = -np.inf,
    high: float = np.inf,
    space: Literal["native", "map", "both"] = "native",
    replace: bool = False,
) -> Callable[[FunctionT], FunctionT]:
    """Register a measure of your own, to be named wherever measures are.

    A decorator for a function ``(points, labels)`` that returns a number or a `ScoreResult`. Then
    ``measures=[name]`` computes it in `measure` and `unknot.study`, and its scores stand in tables,
    figures and pages like the others: with the value of permuted labels, and with an interval if
    the function returns one. `measure` computes it by default; a study if it is named, or with
    ``measures="all"``.

    Parameters
    ----------
    name : str
        An identifier that no built-in measure has, such as ``"margin"``.
    title : str, optional
        The display name; by default the name with spaces.
    family : str, default="own"
        The group it is listed under, of its own or a built-in one. Naming the family computes all
        its measures.
    higher_is_better : bool or None, default=None
        Whether a higher value is better: more untangled, or a map more faithful; None for neither.
    low, high : float, default=-inf, inf
        The range of its values. A value outside is a score with a note.
    space : {"native", "map", "both"}, default="native"
        Whether it is computed in the representation, on the map, or in both; then the name of the
        score on the map begins with ``map_``.
    replace : bool, default=False
        Replace a measure registered under this name before. Without it that is an error, unless
        the function has the same name and module, as when a notebook's cell is run again.

    Returns
    -------
    callable
        The decorator, which returns the function unchanged.

    Raises
    ------
    ValueError
        If the name is no identifier or taken, or the range is empty.

    See Also
    --------
    measure : Computes it; ``measures=[function]`` takes a function without registration.
    ScoreResult : For intervals, values per class and notes.

    Notes
    -----
    The function receives copies: the points, as an array (n_samples, n_features) after
    ``preprocess=``, and the labels (n_samples,) as they were given. ``metric=`` does not change
    them. If it raises, or returns anything but a finite number, the score is skipped and the reason
    names the measure; the other measures are computed.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> @unknot.metrics.register("spread", title="mean spread", higher_is_better=False, low=0)
    ... def spread(points, labels):
    ...     return np.mean([points[labels == c].std() for c in np.unique(labels)])
    >>> labels = np.repeat([0, 1], 20)
    >>> points = np.repeat([[0.0], [9.0]], 20, axis=0) + np.tile([-1.0, 1.0], 20)[:, None]
    >>> unknot.measure(points, labels, measures=["spread"])["spread"].value
    1.0
    >>> unknot.metrics.unregister("spread")
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name must be an identifier, such as 'margin'; got {name!r}")
    if name in _built_in():
        raise ValueError(f"{name!r} is a built-in measure; choose another name")
    if space not in ("native", "map", "both"):
        raise ValueError(f"space must be 'native', 'map' or 'both'; got {space!r}")
    if not low < high:
        raise ValueError(f"low must be below high; got {low} and {high}")
    if higher_is_better not in (True, False, None):
        raise ValueError(f"higher_is_better must be True, False or None; got {higher_is_better!r}")

    def decorate(function: FunctionT) -> FunctionT:
        if not callable(function):
            raise TypeError(f"register decorates a function (points, labels); got {function!r}")
        before = _REGISTERED.get(name)
        if before is not None and not replace and not _same_place(before.function, function):
            raise ValueError(
                f"a measure is registered as {name!r} already; choose another name, or pass "
                "replace=True"
            )
        _REGISTERED[name] = _own_measure(
            name,
            function,
            title=name.replace("_", " ") if title is None else str(title),
            family=str(family),
            higher_is_better=higher_is_better,
            low=float(low),
            high=float(high),
            spaces=space,
        )
        return function

    return decorate


def unregister(name: str) -> None:
    """Remove a measure that `register` added.

    Parameters
    ----------
    name : str
        Its name.

    Raises
    ------
    KeyError
        If there is none of this name.

    See Also
    --------
    register : Adds one.

    Examples
    --------
    >>> from unknot.metrics import measure_names, register, unregister
    >>> _ = register("nothing")(lambda points, labels: 0.0)
    >>> unregister("nothing")
    >>> "nothing" in measure_names()
    False
    """
    if name not in _REGISTERED:
        raise KeyError(f"no measure is registered as {name!r}; there are {', '.join(_REGISTERED)}")
    del _REGISTERED[name]


def all_measures() -> tuple[Measure, ...]:
    """Return the built-in measures and the registered ones."""
    return (*MEASURES, *_REGISTERED.values())


def split_measures(given: Any) -> tuple[tuple[str, ...] | None, tuple[Measure, ...]]:
    """Split an argument ``measures`` into names and functions.

    Returns
    -------
    names : tuple of str, or None
        None if the argument is None. Includes the names of the functions.
    functions : tuple of Measure
        Of the functions among them, in their order.
    """
    if given is None:
        return None, ()
    if isinstance(given, str) or callable(given):
        given = (given,)
    elif not isinstance(given, Iterable):
        raise TypeError(
            f"measures must be names of measures, or functions (points, labels); got {given!r}"
        )
    names: list[str] = []
    own: dict[str, Measure] = {}
    for item in given:
        if isinstance(item, str):
            names.append(item)
            continue
        if isinstance(item, Measure):
            own[item.name] = item
            names.append(item.name)
            continue
        if not callable(item) or isinstance(item, type):
            raise TypeError(
                f"measures must be names of measures, or functions (points, labels); got {item!r}"
            )
        registered = next((m for m in _REGISTERED.values() if m.function is item), None)
        if registered is not None:
            names.append(registered.name)
            continue
        name = name_of(item)
        if name in _built_in() or name in _REGISTERED:
            raise ValueError(
                f"measures: the function {name!r} has the name of another measure; rename it, or "
                "give it a name with unknot.metrics.register"
            )
        number = 2
        while name in own:
            name, number = f"{name_of(item)}_{number}", number + 1
        own[name] = _own_measure(name, item, title=name.replace("_", " "))
        names.append(name)
    return tuple(names), tuple(own.values())


def check_names(wanted: Iterable[str], own: tuple[Measure, ...], *, or_all: bool = False) -> None:
    """Raise ValueError if a name is that of no measure or family."""
    entries = (*all_measures(), *own)
    known = {name for entry in entries for name in entry.score_names}
    known |= {entry.family for entry in entries}
    for name in sorted(set(wanted) - known - ({"all"} if or_all else set())):
        either = "'all' or " if or_all else ""
        raise ValueError(
            f"measures must be {either}among {', '.join(sorted(known))}; "
            f"got {name!r}{did_you_mean(name, sorted(known))}"
        )


def _built_in() -> set[str]:
    names = {name for entry in MEASURES for name in entry.score_names}
    return names | {entry.family for entry in MEASURES}


def _same_place(one: Any, other: Any) -> bool:
    def place(function: Any) -> tuple[Any, Any]:
        return getattr(function, "__module__", None), getattr(function, "__qualname__", None)

    return place(one) == place(other) and None not in place(one)


def _own_measure(
    name: str,
    function: OwnFunction,
    *,
    title: str,
    family: str = "own",
    higher_is_better: bool | None = None,
    low: float = -np.inf,
    high: float = np.inf,
    spaces: Spaces = "native",
) -> Measure:
    def compute(inputs: Any, space: Any) -> Result:
        points, codes, note = inputs.points_for_functions(space)
        labels = inputs.classes[codes]
        try:
            returned = function(points, labels)
        except Exception as error:
            raise UndefinedMeasureError(f"{name} raised {type(error).__name__}: {error}") from error
        found = _checked(returned, name, len(inputs.classes), low, high)
        if note:
            found = OwnResult(**{**found.__dict__, "notes": (*found.notes, note)})
        return found

    return Measure(
        name,
        family,
        title,
        compute,
        higher_is_better,
        low,
        high,
        spaces,
        interval=NO_INTERVAL,
        function=function,
    )


def _checked(returned: Any, name: str, n_classes: int, low: float, high: float) -> OwnResult:
    """Return what a function returned as a result; raise `UndefinedMeasureError` if it is none."""
    interval = per_class = None
    notes: tuple[str, ...] = ()
    value = returned
    if isinstance(returned, ScoreResult | Result):
        value, notes = returned.value, tuple(map(str, returned.notes))
        per_class = getattr(returned, "per_class", None)
        interval = getattr(returned, "interval", None)
    if value is None or isinstance(value, str | bytes | complex | np.complexfloating):
        raise UndefinedMeasureError(f"{name} returned {value!r}, which is no number")
    try:
        number = float(value)
    except Exception as error:
        raise UndefinedMeasureError(
            f"{name} returned {type(value).__name__}, which is no number ({error})"
        ) from error
    if not np.isfinite(number):
        raise UndefinedMeasureError(f"{name} returned {number}, which is not finite")
    if not low <= number <= high:
        notes = (*notes, f"the value is outside of the stated range from {low:g} to {high:g}")
    if interval is not None:
        interval = _interval(interval, name)
    if per_class is not None:
        per_class = _per_class(per_class, name, n_classes)
    return OwnResult(value=number, notes=notes, interval=interval, per_class=per_class)


def _interval(given: Any, name: str) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError) as error:
        raise UndefinedMeasureError(
            f"{name} returned the interval {given!r}; it must be (low, high)"
        ) from error
    if not low <= high:
        raise UndefinedMeasureError(
            f"{name} returned the interval ({low:g}, {high:g}); low must not exceed high"
        )
    return low, high


def _per_class(given: Any, name: str, n_classes: int) -> Array:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UndefinedMeasureError(f"{name} returned values per class: {error}") from error
    if values.shape != (n_classes,):
        raise UndefinedMeasureError(
            f"{name} returned values per class of the shape {values.shape}; it must be one for "
            f"each of the {n_classes} classes"
        )
    return values
