"""Class manifolds and the dichotomies that divide them into two sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import AnyArray, Array, Float64, Int64
from ..._validation.arrays import as_array
from ..._validation.labels import check_labels
from ..._validation.numbers import check_random_state
from .moments import members_by_class
from .results import UndefinedMeasureError, format_names

ENSEMBLES = ("balanced", "one_vs_rest", "random")
# Keeps the streams apart from a generator of the same seed, which may have made the points:
# directions that are themselves points are not independent of them.
STREAM = 20_240_226
FEATURES_PER_BLOCK = 8192
# Farther from the origin than this many times their spread, points are too nearly parallel for
# float64. Up to there, the distance has ceased to matter: the limit is reached to 1e-3 or better.
FARTHEST = 1000.0


def streams(random_state: int | None) -> list[np.random.Generator]:
    """Return generators of the sample, the dichotomies and the directions of a seed."""
    sequence = np.random.SeedSequence(check_random_state(random_state), spawn_key=(STREAM,))
    return [np.random.default_rng(own) for own in sequence.spawn(3)]


def check_ensemble(ensemble: object) -> str:
    """Return the ensemble of dichotomies; raise ValueError if it is unknown."""
    if ensemble not in ENSEMBLES:
        known = ", ".join(f'"{name}"' for name in ENSEMBLES)
        raise ValueError(
            f"ensemble must be one of {known}; got {ensemble!r}. For a fixed dichotomy, pass task="
        )
    return str(ensemble)


def sides_of(task: AnyArray, classes: Array) -> Float64[Array, " classes"]:
    """Return the side of each class, 1 or -1, of a task that names two groups.

    Raises
    ------
    ValueError
        If the task does not give each class one of two groups.
    """
    names = classes.tolist()
    if isinstance(task, Mapping):
        given: dict[Any, Any] = dict(task)
        unknown = [name for name in given if name not in names]
        missing = [name for name in names if name not in given]
        if unknown:
            raise ValueError(
                f"task must name classes of the labels; got {_join(unknown)}, which are none of "
                f"{_join(names)}"
            )
        if missing:
            raise ValueError(
                f"task must name a group for every class; {_join(missing)} have none. Leave their "
                "points out to measure the others alone"
            )
        task = [given[name] for name in names]
    groups = as_array(task, "task")
    if groups.ndim != 1 or len(groups) != len(names):
        raise ValueError(
            f"task must hold one group for each of the {len(names)} classes, in the order of their "
            f"sorted values, or be a mapping; got the shape {groups.shape}"
        )
    codes, values = check_labels(task, name="task")
    if len(values) != 2:
        raise ValueError(
            f"task must divide the classes into two groups, such as 1 and -1; got {len(values)}: "
            f"{_join(values.tolist())}"
        )
    return 2.0 * codes - 1.0


def _join(values: list[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:5])
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"


def draw_dichotomies(
    ensemble: str, n_draws: int, n_classes: int, rng: np.random.Generator
) -> Float64[Array, "draws classes"]:
    """Draw sides 1 or -1 for the classes; the first class is on side 1, but one against the rest.

    All that is measured is the same for a dichotomy and its reverse.
    """
    if ensemble == "one_vs_rest":
        signs = np.full((n_draws, n_classes), -1.0)
        signs[np.arange(n_draws), rng.integers(n_classes, size=n_draws)] = 1.0
        return signs
    if ensemble == "random":
        signs = rng.choice([-1.0, 1.0], size=(n_draws, n_classes))
    else:
        signs = np.ones((n_draws, n_classes))
        signs[:, : n_classes // 2] = -1.0
        signs = rng.permuted(signs, axis=1)
    return np.asarray(signs * signs[:, :1])


@dataclass(frozen=True, eq=False)
class Manifolds:
    """The points used of each class, ordered by class.

    Attributes
    ----------
    rows : array (n_points, n_features)
        The points of the classes used, one class after the other. Within a class their order is
        that of their bytes, so that nothing depends on the order of the samples.
    offsets : array of int64 (n_used,)
        The first point of each class.
    drawn : array of int64 (n_used,)
        Indices of the classes used.
    exponent : int
        Coordinates are multiplied by this power of two, which scales them to about 1.
    notes : tuple of str
        What was drawn.
    """

    rows: Array
    offsets: Int64[Array, " used"]
    drawn: Int64[Array, " used"]
    exponent: int
    notes: tuple[str, ...]

    @property
    def sizes(self) -> Int64[Array, " used"]:
        """Number of points of each class used."""
        return np.diff(self.offsets, append=len(self.rows))

    def near_origin(self, what: str) -> Manifolds:
        """Move points that are extremely far from the origin towards it, and note that."""
        square, of_center = 0.0, 0.0
        for block in self.blocks():
            square += float(np.einsum("ij,ij->", block, block)) / len(block)
            of_center += float(np.square(block.mean(axis=0)).sum())
        if square - of_center > of_center / FARTHEST**2:
            return self
        center = self.rows.mean(axis=0, dtype=np.float64)
        away = self.rows - center
        spread = np.linalg.norm(np.ldexp(away, self.exponent)) / np.sqrt(len(away))
        distance = np.sqrt(of_center)
        if spread <= 1e-15 * distance:
            return self
        rows = away + center * (FARTHEST * spread / distance)
        largest = max(float(rows.max()), -float(rows.min()))
        note = (
            f"the points are {distance / spread:.2g} times as far from the origin as they are "
            f"spread; {what} is that of {FARTHEST:.0f} times, which is near its limit. Subtract "
            "their mean for hyperplanes through it"
        )
        exponent = -int(np.frexp(largest)[1])
        return replace(self, rows=rows, exponent=exponent, notes=(*self.notes, note))

    def blocks(self) -> Iterator[Float64[Array, "points features"]]:
        """Iterate over the scaled coordinates, some features at a time."""
        for start in range(0, self.rows.shape[1], FEATURES_PER_BLOCK):
            block = self.rows[:, start : start + FEATURES_PER_BLOCK]
            yield np.ldexp(block.astype(np.float64), self.exponent)

    def coordinates(self) -> Float64[Array, "points axes"]:
        """Return coordinates with the same inner products, at most as many as points.

        With more features than points, these are the transpose of the triangular factor of the
        points as columns.
        """
        n_points, n_features = self.rows.shape
        if n_features <= n_points:
            return np.concatenate(list(self.blocks()), axis=1)
        factor: Array = np.empty((0, n_points))
        for block in self.blocks():
            factor = np.asarray(np.linalg.qr(np.concatenate([factor, block.T]), mode="r"))
        return np.ascontiguousarray(factor.T)

    def project(self, n_draws: int, rng: np.random.Generator) -> Float64[Array, "draws points"]:
        """Draw directions from a standard normal distribution; return their products with points.

        They are drawn feature by feature, so that features appended to others change nothing if
        they are 0.
        """
        products = np.zeros((len(self.rows), n_draws))
        for block in self.blocks():
            products += block @ rng.normal(size=(block.shape[1], n_draws))
        return np.ascontiguousarray(products.T)


def take_manifolds(
    points: Rows,
    codes: Array,
    classes: Array,
    *,
    max_samples_per_class: int | None,
    max_classes: int | None,
    sides: Array | None,
    rng: np.random.Generator,
    what: str,
) -> Manifolds:
    """Draw classes and points of them; both sides of a task keep a class.

    Raises
    ------
    UndefinedMeasureError
        If all points used are 0.
    """
    members = members_by_class(codes, len(classes))
    notes = []
    drawn = _draw_classes(len(classes), max_classes, sides, rng)
    if len(drawn) < len(classes):
        notes.append(
            f"{what} is that of {len(drawn)} of {len(classes):,} classes, drawn at random; pass "
            "max_classes=None for all"
        )
    chosen = [members[c] for c in drawn]
    limit = max_samples_per_class
    if limit is not None and any(len(own) > limit for own in chosen):
        chosen = [
            np.sort(rng.choice(own, size=limit, replace=False)) if len(own) > limit else own
            for own in chosen
        ]
        notes.append(
            f"{what} is that of {limit} points of each class, drawn at random; it falls as their "
            "number grows, so only compare values of the same number"
        )
    single = classes[drawn[[len(own) == 1 for own in chosen]]]
    if len(single):
        notes.append(
            f"{len(single)} of {len(drawn)} classes have one point, which is no manifold: "
            f"{format_names(single)}"
        )
    rows = _read(points, np.concatenate(chosen))
    offsets = np.cumsum([0, *(len(own) for own in chosen)])[:-1].astype(np.int64)
    largest = max(float(rows.max()), -float(rows.min()))
    if largest == 0.0:
        raise UndefinedMeasureError(
            f"{what} is about hyperplanes through the origin, and all {len(rows)} points used lie "
            "there: the representation is dead"
        )
    parts = np.split(rows, offsets[1:])
    rows = np.concatenate([own[np.argsort(_as_bytes(own), kind="stable")] for own in parts])
    return Manifolds(rows, offsets, drawn, -int(np.frexp(largest)[1]), tuple(notes))


def _draw_classes(
    n_classes: int, limit: int | None, sides: Array | None, rng: np.random.Generator
) -> Int64[Array, " drawn"]:
    if limit is None or n_classes <= limit:
        return np.arange(n_classes)
    if sides is None:
        return np.sort(rng.choice(n_classes, size=limit, replace=False)).astype(np.int64)
    first = np.flatnonzero(sides > 0.0)
    second = np.flatnonzero(sides < 0.0)
    share = min(max(round(limit * len(first) / n_classes), 1), limit - 1)
    counts = (share, limit - share)
    found = [
        rng.choice(own, size=min(count, len(own)), replace=False)
        for own, count in zip((first, second), counts, strict=True)
    ]
    return np.sort(np.concatenate(found)).astype(np.int64)


def _read(points: Rows, rows: Array) -> Array:
    """Read rows where they were given: the origin and the unit of stored points are undone."""
    taken: Array = points[rows]
    if isinstance(points, StoredPoints) and (points.origin is not None or points.exponent):
        taken = np.ldexp(taken.astype(np.float64), -points.exponent)
        if points.origin is not None:
            taken = taken + points.origin
    if taken.dtype not in (np.float32, np.float64):
        taken = taken.astype(np.float64)
    # A negative zero has other bytes than zero.
    return np.ascontiguousarray(taken) + np.zeros((), taken.dtype)


def _as_bytes(rows: Array) -> Array:
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
