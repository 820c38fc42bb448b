"""Scores: the result of `measure`, to print, store and compute with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._io.formatting import render_text
from .._io.text import missing_attribute
from .._io.typed_json import check_types
from .._typing import Array
from ._shared.results import Number

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

SCHEMA = 1
# Names of settings in the scores of the first releases, and the present ones.
_SETTINGS = {
    "k_faithful": "k_faithfulness",
    "probe_samples": "probe_max_samples",
    "capacity_points": "capacity_max_samples_per_class",
}
# What `Score.to_dict` and `Scores.to_dict` write: numbers that are not finite are None or text.
_Stored = float | str | None
_Ends = tuple[float | None, float | None]
_SCORE: dict[str, Any] = {
    "name": str,
    "title": str,
    "family": str,
    "space": Literal["native", "map", "pair"],
    "value": _Stored,
    "interval": _Ends | None,
    "null": _Stored,
    "null_interval": _Ends | None,
    "range": _Ends,
    "higher_is_better": bool | None,
    "per_class": list[_Stored] | None,
    "per_pair": list[list[_Stored]] | None,
    "seconds": float,
    "notes": list[str],
    "no_interval": str | None,
    "no_null": str | None,
    "standard_error": _Stored,
    "df": _Stored,
    "null_sd": _Stored,
    "given_map": bool,
    "n_samples": int | None,
}
_SCORES: dict[str, Any] = {
    "classes": list[float | str | bool],
    "counts": list[int],
    "n_features": int,
    "settings": dict[str, Any],
    "scores": list[dict[str, Any]],
    "skipped": dict[str, str],
    "notes": list[str],
    "shared_seconds": dict[str, float],
}
# Of the settings, those that what is drawn and printed depends on.
_TYPES_OF_SETTINGS: dict[str, Any] = {"k": int, "metric": str, "preprocess": list[str] | None}


@dataclass(frozen=True, eq=False, repr=False)
class Score(Number):
    """One measure with its interval and its null.

    ``float(score)`` is the value, and ``f"{score:.3f}"`` formats it.

    Attributes
    ----------
    name : str
        Name as in `measure`; names of measures on the map may begin with ``map_``.
    title, family : str
        Display name, and the group it is listed under.
    space : {"native", "map", "pair"}
        Where it was computed: in the representation, on the map, or between the two.
    value : float
        The measure.
    interval : tuple of float, optional
        95 % interval; None if there is none, see ``no_interval``.
    null : float, optional
        Mean of the measure over permutations of the labels, or of a transition, of the samples in
        the layer before; None if there is none, see ``no_null``.
    null_interval : tuple of float, optional
        2.5 and 97.5 percentiles over the permutations.
    range : tuple of float
        Smallest and largest possible value; the latter may be infinite.
    higher_is_better : bool or None
        Whether a higher value is better: more untangled, or a map more faithful; None for neither.
    per_class : array (n_classes,), optional
        The measure of each class.
    per_pair : array (n_classes, n_classes), optional
        The measure of each pair of classes.
    seconds : float
        Computing time, without shared inputs.
    notes : tuple of str
        Caveats: which data were left out and why, and when the value means little.
    no_interval, no_null : str, optional
        Why there is no interval, or no null.
    standard_error : float, optional
        Standard deviation of the measure over new samples, which the interval is computed from.
    df : float, optional
        Degrees of freedom of the standard error; with fewer than 15, a few points carry the score.
    null_sd : float, optional
        Standard deviation of the measure over permutations of the labels.
    given_map : bool
        Whether the interval is for this map only: another sample would have another map.
    n_samples : int, optional
        Number of points that the value is computed from; of neighbors, silhouettes and ranks, those
        that are compared with all others. Scores of different numbers may not be comparable.
    influence : array of float64 (n_samples,), optional
        By how much each point shifts the value; for differences of scores of the same samples.

    See Also
    --------
    Scores : All scores of one representation.
    Result : What the functions of single measures return.
    """

    name: str
    title: str
    family: str
    space: str
    value: float
    interval: tuple[float, float] | None
    null: float | None
    null_interval: tuple[float, float] | None
    range: tuple[float, float]
    higher_is_better: bool | None
    per_class: Array | None
    per_pair: Array | None
    seconds: float
    notes: tuple[str, ...] = ()
    no_interval: str | None = None
    no_null: str | None = None
    standard_error: float | None = None
    df: float | None = None
    null_sd: float | None = None
    given_map: bool = False
    n_samples: int | None = None
    influence: Array | None = None

    @property
    def z(self) -> float | None:
        """How many standard deviations of permuted labels the value is from their mean."""
        if self.null is None or not self.null_sd:
            return None
        return (self.value - self.null) / self.null_sd

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"value={self.value:.6g}"]
        for name in ("interval", "null_interval", "range"):
            ends = getattr(self, name)
            if ends is not None:
                parts.append(f"{name}=({ends[0]:.6g}, {ends[1]:.6g})")
        parts.append(f"higher_is_better={self.higher_is_better}")
        return f"Score({', '.join(parts)})"

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(self, name, {"better": "higher_is_better"})

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that can be stored as JSON.

        Infinite ends of a range or interval become None, as does NaN; other infinite values become
        "inf" or "-inf".
        """
        values = {
            field.name: _plain(getattr(self, field.name))
            for field in fields(self)
            if field.name != "influence"
        }
        for name in ("interval", "null_interval", "range"):
            ends = getattr(self, name)
            if ends is not None:
                values[name] = [float(end) if np.isfinite(end) else None for end in ends]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Score:
        """Build a score from the result of `to_dict`.

        Raises
        ------
        TypeError
            If a value is of another type than those that `to_dict` returns.
        """
        current = dict(values)
        if "better" in current:  # written before the field was renamed
            current["higher_is_better"] = {"more": True, "less": False}.get(current.pop("better"))
        check_types(current, _SCORE)
        return cls(
            **{
                **current,
                **{name: _american(values[name]) for name in ("name", "title", "family")},
                "value": float(_number(values["value"])),
                "null": None if values["null"] is None else float(_number(values["null"])),
                "interval": _pair(values["interval"]),
                "null_interval": _pair(values["null_interval"]),
                "range": _pair(values["range"]),
                "per_class": _array(values["per_class"]),
                "per_pair": _array(values["per_pair"]),
                "notes": tuple(values["notes"]),
                **{
                    name: float(current[name])
                    for name in ("standard_error", "df", "null_sd")
                    if current.get(name) is not None
                },
            }
        )


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Mapping[str, Score]):
    """The scores of one representation: a mapping from names to `Score` that prints as a table.

    Attributes
    ----------
    scores : dict
        The scores, by name, in the order of their families.
    classes : array (n_classes,)
        The class values, in the order of every ``per_class`` and ``per_pair``.
    counts : array of int64 (n_classes,)
        Number of points of each class.
    n_features : int
        Number of features of the representation.
    settings : dict
        The settings of `measure`: ``k``, ``n_resamples``, ``random_state``, ...
    skipped : dict
        Measures that were not computed, and why.
    notes : tuple of str
        Caveats of the data, such as constant features.
    shared_seconds : dict
        Seconds spent on shared inputs, such as the nearest neighbors.

    See Also
    --------
    measure : Computes them.
    Score : One of them.
    unknot.studies.ScoreTable : The scores of all layers.
    """

    scores: dict[str, Score]
    classes: Array
    counts: Array
    n_features: int
    settings: dict[str, Any]
    skipped: dict[str, str]
    notes: tuple[str, ...]
    shared_seconds: dict[str, float]

    def __getitem__(self, name: str) -> Score:
        if name in self.skipped:
            raise KeyError(f"{name} was not measured: {self.skipped[name]}")
        if name not in self.scores:
            raise KeyError(f"{name} was not measured; there are {', '.join(self.scores)}")
        return self.scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __contains__(self, name: object) -> bool:
        return name in self.scores

    @property
    def n_samples(self) -> int:
        """Number of points."""
        return int(self.counts.sum())

    @property
    def seconds(self) -> float:
        """Total computing time."""
        return sum(score.seconds for score in self.values()) + sum(self.shared_seconds.values())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._suite.table import render

        yield from render(self, options.max_width)

    def __str__(self) -> str:
        return render_text(self, 110)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that can be stored as JSON."""
        return {
            "schema": SCHEMA,
            "classes": self.classes.tolist(),
            "counts": self.counts.tolist(),
            "n_features": self.n_features,
            "settings": dict(self.settings),
            "scores": [score.to_dict() for score in self.values()],
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
            "shared_seconds": dict(self.shared_seconds),
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the scores as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scores:
        """Build scores from the result of `to_dict`.

        Raises
        ------
        TypeError
            If a value is of another type than those that `to_dict` returns.
        ValueError
            If they were stored with another schema, or the classes and their values differ in
            number.
        """
        if values.get("schema") != SCHEMA:
            raise ValueError(
                f"these scores have the schema {values.get('schema')!r}, and this version reads "
                f"{SCHEMA}; measure again, or use the version that wrote them"
            )
        check_types(values, _SCORES)
        check_types(values["settings"], _TYPES_OF_SETTINGS)
        scores = [Score.from_dict(score) for score in values["scores"]]
        _check_sizes(scores, len(values["classes"]), len(values["counts"]))
        return cls(
            scores={score.name: score for score in scores},
            classes=np.array(values["classes"]),
            counts=np.array(values["counts"], dtype=np.int64),
            n_features=int(values["n_features"]),
            settings={_SETTINGS.get(name, name): v for name, v in values["settings"].items()},
            skipped={_american(name): why for name, why in values["skipped"].items()},
            notes=tuple(values["notes"]),
            shared_seconds=dict(values["shared_seconds"]),
        )

    @classmethod
    def from_json(cls, text: str) -> Scores:
        """Build scores from the result of `to_json`."""
        return cls.from_dict(json.loads(text))

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(self, name, {"to_frame": "to_pandas"})

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with a row per score, indexed by name.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A table of scores", extra="pandas")
        rows = []
        for score in self.values():
            low, high = score.interval or (None, None)
            null_low, null_high = score.null_interval or (None, None)
            rows.append(
                {
                    "name": score.name,
                    "title": score.title,
                    "family": score.family,
                    "space": score.space,
                    "value": score.value,
                    "low": low,
                    "high": high,
                    "n_samples": score.n_samples,
                    "null": score.null,
                    "null_low": null_low,
                    "null_high": null_high,
                    "higher_is_better": score.higher_is_better,
                    "range_low": score.range[0],
                    "range_high": score.range[1],
                    "seconds": score.seconds,
                    "notes": "; ".join(score.notes),
                }
            )
        table: pd.DataFrame = pandas.DataFrame(rows).set_index("name")
        return table


def _check_sizes(scores: list[Score], n_classes: int, n_counts: int) -> None:
    """Raise a ValueError unless there is a value for each class, and for each pair of them."""
    if n_classes and n_counts != n_classes:  # without classes, labels are numbers
        raise ValueError(f"counts must have a number for each of {n_classes} classes")
    for score in scores:
        for values, shape in ((score.per_class, 1), (score.per_pair, 2)):
            if values is not None and values.shape != (n_classes,) * shape:
                raise ValueError(
                    f"{score.name} must have values of {n_classes} classes; got {values.shape}"
                )


def _american(name: str) -> str:
    """Return the American spelling of a name; the first releases used British spelling."""
    return name.replace("neighbour", "neighbor").replace("centre", "center")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        return float(value) if np.isfinite(value) else str(float(value))
    return value


def _number(value: Any) -> Any:
    """Invert `_plain` for a number or nested lists of numbers."""
    if isinstance(value, list):
        return [_number(item) for item in value]
    return np.nan if value is None else float(value)


def _pair(value: Any) -> tuple[float, float] | None:
    """Return both ends, with None as infinity."""
    if value is None:
        return None
    low, high = value
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def _array(value: Any) -> Array | None:
    return None if value is None else np.array(_number(list(value)), dtype=np.float64)
