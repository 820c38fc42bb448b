"""Results of measures of transitions, from neighbors and movements that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._typing import Array, Float64, Shaped
from ..mutual_neighbors import mutual_of_graphs, sorted_neighbors, tie_note
from .results import Result, UndefinedMeasureError, format_names
from .transition_influence import LeastChanged, RankCorrelation

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# Maps that turning brings nearer by more than this factor are not aligned.
TURNED = 1.25
# Turning brings fewer samples nearer, whatever moved.
FEWEST_TURNED = 20
# A correlation of fewer samples says nothing.
FEWEST = 3


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Transition(Result):
    """What changed from one layer to the next.

    Attributes
    ----------
    value : float
        The measure over all samples.
    per_point : array of float64 (n_samples,)
        The part of each sample; NaN for samples that are left out.
    per_class : array of float64 (n_classes,), optional
        The measure of each class, if labels are given; NaN where it is undefined.
    classes : array (n_classes,), optional
        The class values, in the order of ``per_class``.

    See Also
    --------
    displacement, needless_movement, movement_correlation : Compute it.
    KeptNeighbors : Of neighborhoods.
    """

    per_point: Float64[Array, " samples"]
    per_class: Float64[Array, " classes"] | None = None
    classes: Shaped[Array, " classes"] | None = None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class KeptNeighbors(Transition):
    """The share of its neighbors that each sample has in both layers.

    Attributes
    ----------
    value : float
        Their mean, in [0, 1].
    per_point : array of float64 (n_samples,)
        The share of each sample.
    per_class : array of float64 (n_classes,), optional
        The mean of each class, if labels are given.
    classes : array (n_classes,), optional
        The class values, in the order of ``per_class``.
    k : int
        The number of neighbors.
    chance : float
        The value of layers that have nothing in common: k / (n_samples - 1).

    See Also
    --------
    kept_neighbors : Computes it.
    """

    k: int
    chance: float


def kept_of_graphs(
    graph: NeighborGraph,
    before: NeighborGraph,
    k: int,
    codes: Array | None,
    classes: Array | None,
) -> KeptNeighbors:
    """Compute the kept neighbors of two graphs of the same samples."""
    shares = mutual_of_graphs(sorted_neighbors(graph, k), sorted_neighbors(before, k))
    ties = (tie_note(graph, k, "the layer"), tie_note(before, k, "the layer before"))
    return KeptNeighbors(
        value=float(shares.mean()),
        per_point=shares,
        per_class=_class_means(shares, codes, classes),
        classes=classes,
        k=k,
        chance=k / (len(shares) - 1),
        notes=tuple(note for note in ties if note),
    )


def mean_of_moves(
    moved: Array, codes: Array | None, classes: Array | None, notes: tuple[str, ...] = ()
) -> Transition:
    """Compute the displacement of samples that moved so far, in radii."""
    return Transition(
        value=float(moved.mean()),
        per_point=moved,
        per_class=_class_means(moved, codes, classes),
        classes=classes,
        notes=notes,
    )


def mean_of_needless(
    moved: Array,
    kept: Array,
    codes: Array | None,
    classes: Array | None,
    notes: tuple[str, ...] = (),
) -> Transition:
    """Compute the needless movement of samples that moved so far, in radii."""
    least = LeastChanged.of(kept)
    tied = int((kept == least.share).sum())
    if 2 * tied > len(kept):
        notes = (
            *notes,
            f"{tied} of {len(kept)} samples kept the same share of neighbors, {least.share:.3g}, "
            "and count alike: the share hardly tells which of them changed least",
        )
    per_class = None
    if codes is not None and classes is not None:
        per_class = np.full(len(classes), np.nan)
        for code, rows in _rows_of_classes(codes):
            per_class[code] = LeastChanged.of(kept[rows]).mean(moved[rows])
    return Transition(
        value=least.mean(moved),
        per_point=np.where(least.weights > 0.0, moved, np.nan),
        per_class=per_class,
        classes=classes,
        higher_is_better=False,
        notes=notes,
    )


def correlation_of_moves(
    moved: Array,
    kept: Array,
    codes: Array | None,
    classes: Array | None,
    notes: tuple[str, ...] = (),
) -> Transition:
    """Compute the movement correlation of samples that moved so far, in radii."""
    if len(moved) < FEWEST:
        raise UndefinedMeasureError(
            f"a rank correlation needs at least {FEWEST} samples; there are {len(moved)}"
        )
    found = RankCorrelation(moved, 1.0 - kept)
    if not np.isfinite(found.value):
        what = "moved equally far" if moved.min() == moved.max() else "kept as many neighbors"
        raise UndefinedMeasureError(f"all samples {what}, so there is no rank correlation")
    per_class = None
    if codes is not None and classes is not None:
        per_class = np.full(len(classes), np.nan)
        for code, rows in _rows_of_classes(codes):
            if len(rows) >= FEWEST:
                per_class[code] = RankCorrelation(moved[rows], 1.0 - kept[rows]).value
        undefined = np.isnan(per_class)
        if undefined.any():
            notes = (
                *notes,
                f"{int(undefined.sum())} of {len(classes)} classes have no rank correlation, as "
                f"they have fewer than {FEWEST} samples or all of them moved or changed alike: "
                f"{format_names(classes[undefined])}",
            )
    return Transition(
        value=found.value,
        per_point=found.per_point,
        per_class=per_class,
        classes=classes,
        higher_is_better=True,
        notes=notes,
    )


def moves(map_: Array, previous_map: Array) -> Float64[Array, " samples"]:
    """Return how far each sample moved between maps of float64, in radii of the first."""
    radius = float(np.sqrt(squares_about_center(map_).mean()))
    if radius == 0.0:
        raise UndefinedMeasureError("all points of the map coincide, so it has no radius")
    return np.asarray(np.sqrt(np.square(map_ - previous_map).sum(axis=1)) / radius)


def squares_about_center(map_: Array) -> Float64[Array, " samples"]:
    """Return the squared distance of each point from the mean of all."""
    return np.asarray(np.square(map_ - map_.mean(axis=0)).sum(axis=1))


def misaligned_note(map_: Array, previous_map: Array) -> tuple[str, ...]:
    """Return a note if turning the previous map onto the map brings samples much nearer."""
    from ...projection import align_map

    moved = moves(map_, previous_map)
    if len(moved) < FEWEST_TURNED:
        return ()
    turned = moves(map_, align_map(previous_map, map_).astype(np.float64))
    if float(moved.mean()) <= TURNED * float(turned.mean()):
        return ()
    return (
        f"the maps are not aligned: turned onto each other, samples move {turned.mean():.3g} radii "
        f"instead of {moved.mean():.3g}. Pass the previous map through "
        "unknot.projection.align_map first",
    )


def _class_means(values: Array, codes: Array | None, classes: Array | None) -> Array | None:
    if codes is None or classes is None:
        return None
    counts = np.bincount(codes, minlength=len(classes))
    return np.asarray(np.bincount(codes, weights=values, minlength=len(classes)) / counts)


def _rows_of_classes(codes: Array) -> list[tuple[int, Array]]:
    """Return each code that occurs, and its rows."""
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    return list(zip(present.tolist(), np.split(order, starts[1:]), strict=True))
