"""Measures of more points than memory holds: sums of parts, folded in the order of the parts.

Each part is read twice. The first reading gives `part_totals`, folded to a `Frame`; the second,
relative to the frame, `part_spreads`, folded to scores. Sums are in float64, so that the scores are
those of all points in memory to about 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array
from ._shared.moments import (
    ORIGIN_SAMPLE,
    ClassMoments,
    members_by_class,
    robust_origin,
    row_blocks,
    spread_by_class,
    sum_by_class,
    whitener_of,
)
from ._shared.results import ClassResult, Result, UndefinedMeasureError
from ._suite.entry import Measure
from ._suite.registry import MEASURES
from .clusters import centroid_shares, consistency_from_shares
from .collapse import cdnv_from_moments, nc1_from_moments, nc2_from_moments
from .discrimination import fisher_ratio_from_moments
from .scores import Score, Scores
from .separation import calinski_harabasz_from_moments, davies_bouldin_from_moments

OF_MOMENTS: Final[Mapping[str, Callable[[ClassMoments, Array], Result]]] = {
    "nc1": nc1_from_moments,
    "nc2": nc2_from_moments,
    "class_distance_variance": cdnv_from_moments,
    "davies_bouldin": davies_bouldin_from_moments,
    "calinski_harabasz": calinski_harabasz_from_moments,
    "fisher_ratio": fisher_ratio_from_moments,
}
BY_PARTS: Final = (*OF_MOMENTS, "distance_consistency", "participation_ratio")
"""The measures that are exact over any number of points."""
MAX_COVARIANCE: Final = 2048
"""With more features, the covariance of each part is too large to store."""
MAX_PAIRED_CLASSES: Final = 2000
"""With more classes, the tables of all pairs are too large."""
NO_INTERVAL: Final = "it is of all samples; the interval of the landmarks is wider than any of its"
NO_NULL: Final = "what permuted labels give is measured with the landmarks"


def origin_rows(n_samples: int) -> Array:
    """Return the rows of the points that decide the origin, as `class_moments` draws them."""
    return np.unique(np.linspace(0, n_samples - 1, ORIGIN_SAMPLE).astype(np.int64))


def part_totals(points: Array, codes: Array, n_classes: int, n_threads: int) -> dict[str, Array]:
    """Return counts, sums, minima and maxima of each class of a part, and of all.

    Parameters
    ----------
    points : array of float32 (n_rows, n_features)
        Finite.
    codes : array of int64 (n_rows,)
        0..C-1.
    """
    n_features = points.shape[1]
    members = members_by_class(codes, n_classes)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        totals = sum_by_class(points, members, team)
    low = np.full((n_classes, n_features), np.inf, np.float32)
    high = np.full((n_classes, n_features), -np.inf, np.float32)
    for c, own in enumerate(members):
        for rows in row_blocks(own, n_features):
            block = points[rows]
            np.minimum(low[c], block.min(axis=0), out=low[c])
            np.maximum(high[c], block.max(axis=0), out=high[c])
    counts = np.array([len(own) for own in members], np.int64)
    return {"counts": counts, "totals": totals, "low": low, "high": high}


@dataclass(frozen=True, eq=False)
class Frame:
    """What the first reading of all parts gives.

    Attributes
    ----------
    counts : array of int64 (n_classes,)
    origin : array of float64 (n_features,)
    means : array of float64 (n_classes, n_features)
        Relative to the origin.
    mean : array of float64 (n_features,)
        Of all points.
    whitener : array (n_features, n)
    rank : int
    collapsed : array of bool (n_classes,)
        Whether all points of a class are equal.
    """

    counts: Array
    origin: Array
    means: Array
    mean: Array
    whitener: Array
    rank: int
    collapsed: Array

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, Array]], sample: Array) -> Frame:
        """Fold the totals of all parts; ``sample`` holds the points of `origin_rows`."""
        counts = totals = low = high = None
        for part in parts:
            if counts is None or totals is None or low is None or high is None:
                counts, totals = part["counts"].copy(), part["totals"].copy()
                low, high = part["low"].copy(), part["high"].copy()
                continue
            counts += part["counts"]
            totals += part["totals"]
            np.minimum(low, part["low"], out=low)
            np.maximum(high, part["high"], out=high)
        assert counts is not None
        assert totals is not None
        assert low is not None
        assert high is not None
        mean = totals.sum(axis=0) / counts.sum()
        origin = robust_origin(sample, mean)
        means = totals / counts[:, None] - origin
        with single_threaded_blas():
            whitener, rank = whitener_of(means)
        collapsed = np.asarray((low == high).all(axis=1))
        return cls(counts, origin, means, mean, whitener, rank, collapsed)

    def arrays(self) -> dict[str, Array]:
        """Return all of it as arrays, to be stored."""
        return {
            **{name: getattr(self, name) for name in ("counts", "origin", "means", "mean")},
            "whitener": self.whitener,
            "rank": np.array(self.rank),
            "collapsed": self.collapsed,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Frame:
        """Build a frame from what `arrays` returned."""
        kept = {name: array for name, array in arrays.items() if name != "rank"}
        return cls(rank=int(arrays["rank"]), **kept)

    def moments(self, spreads: Array) -> ClassMoments:
        """Return the class moments, given the sums of `part_spreads` (3, n_classes)."""
        sums = spreads.copy()
        # Rounding errors of classes that have collapsed to a point.
        sums[:, self.collapsed] = 0.0
        counts = self.counts.astype(np.float64)
        variances, distances, whitened = sums / counts
        return ClassMoments(
            counts, self.origin, self.means, variances, distances, whitened, self.rank
        )


def part_spreads(
    points: Array, codes: Array, frame: Frame, names: Sequence[str], n_threads: int
) -> dict[str, Array]:
    """Return the sums of a part that the measures of some names need, relative to the frame."""
    n_classes = len(frame.counts)
    members = members_by_class(codes, n_classes)
    centers = frame.means + frame.origin
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        found = {"spreads": spread_by_class(points, members, centers, frame.whitener, team)}
        if "distance_consistency" in names:
            shares = centroid_shares(points, codes, frame.moments(np.zeros((3, n_classes))), 1)
            found["nearest"] = np.bincount(codes, weights=shares, minlength=n_classes)
        if "participation_ratio" in names and points.shape[1] <= MAX_COVARIANCE:
            covariance = np.zeros((points.shape[1], points.shape[1]))
            for rows in row_blocks(np.arange(len(points)), points.shape[1]):
                centered = points[rows] - frame.mean
                covariance += centered.T @ centered
            found["covariance"] = covariance
    return found


def folded(parts: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
    """Add the sums of all parts, in their order."""
    total: dict[str, Array] = {}
    for part in parts:
        for name, values in part.items():
            if name in total:
                total[name] += values
            else:
                total[name] = values.copy()
    return total


def scores_by_parts(
    names: Sequence[str],
    frame: Frame,
    sums: Mapping[str, Array],
    classes: Array,
    results: Mapping[str, Result],
    skipped: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Scores:
    """Return the scores of all points.

    Parameters
    ----------
    names : sequence of str
        The measures, of `BY_PARTS` or with a result.
    frame, sums
        What both readings gave.
    classes : array (n_classes,)
    results : mapping of str to Result
        Of measures that are computed in another way.
    skipped : mapping of str to str
        Measures that are not computed, and why.
    settings : mapping
    """
    entries = {entry.name: entry for entry in MEASURES}
    n_samples, left_out = int(frame.counts.sum()), dict(skipped)
    moments = frame.moments(sums["spreads"])
    scores = {}
    for name in names:
        try:
            found = results.get(name) or _result(name, moments, frame, sums, classes)
        except UndefinedMeasureError as error:
            left_out[name] = str(error)
            continue
        if isinstance(found, str):
            left_out[name] = found
        else:
            scores[name] = _score(entries[name], found, n_samples)
    return Scores(
        scores=scores,
        classes=classes,
        counts=frame.counts,
        n_features=len(frame.origin),
        settings=dict(settings),
        skipped=left_out,
        notes=(),
        shared_seconds={},
    )


def _result(
    name: str, moments: ClassMoments, frame: Frame, sums: Mapping[str, Array], classes: Array
) -> Result | str:
    if name == "distance_consistency":
        shares = sums["nearest"] / frame.counts
        # One row a class has the notes; the value weighs classes by their sizes.
        noted = consistency_from_shares(shares, np.arange(len(classes)), classes)
        return ClassResult(
            value=float(sums["nearest"].sum() / frame.counts.sum()),
            higher_is_better=True,
            per_class=shares,
            classes=classes,
            notes=noted.notes,
        )
    if name == "participation_ratio":
        return _participation(sums, int(frame.counts.sum()))
    if len(classes) > MAX_PAIRED_CLASSES:
        return f"the tables of {len(classes):,} classes are too large"
    return OF_MOMENTS[name](moments, classes)


def _participation(sums: Mapping[str, Array], n_samples: int) -> Result | str:
    if "covariance" not in sums:
        return f"the covariance of more than {MAX_COVARIANCE:,} features is too large"
    covariance = sums["covariance"] / n_samples
    trace, of_square = float(np.trace(covariance)), float(np.square(covariance).sum())
    if of_square == 0.0:
        raise UndefinedMeasureError(
            "the participation ratio divides by the variance, which is 0: all points coincide"
        )
    return Result(value=trace**2 / of_square)


def _score(entry: Measure, result: Result, n_samples: int) -> Score:
    return Score(
        name=entry.name,
        title=entry.title,
        family=entry.family,
        space="native",
        value=result.value,
        interval=None,
        null=None,
        null_interval=None,
        range=(float(entry.low), float(entry.high)),
        higher_is_better=entry.higher_is_better,
        per_class=getattr(result, "per_class", None),
        per_pair=getattr(result, "per_pair", None),
        seconds=0.0,
        notes=result.notes,
        no_interval=NO_INTERVAL,
        no_null=NO_NULL,
        n_samples=n_samples,
    )
