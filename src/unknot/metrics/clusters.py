"""Cluster validity: whether classes are compact and separated."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float32, Float64, Int64
from .._validation.numbers import check_integer
from ._shared.checks import check_labeled, require_classes
from ._shared.distances import Sample, scan_distances, stratified_sample
from ._shared.intervals import sampled_influence
from ._shared.moments import ClassMoments, class_moments, point_blocks, row_blocks
from ._shared.results import (
    ClassResult,
    format_names,
    warn_notes,
)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DistanceConsistency(ClassResult):
    """The distance consistency of labeled points.

    Attributes
    ----------
    value, per_class, classes
        As in `ClassResult`; fractions in [0, 1].
    per_point : array of float32 (n_samples,)
        1 if the nearest centroid is that of the point's class, 0 if it is another, and 1/m if it
        is among m equally near ones.

    See Also
    --------
    distance_consistency : Computes it.
    """

    per_point: Float32[Array, " samples"]
    higher_is_better: bool | None = True


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Silhouette(ClassResult):
    """The silhouette of labeled points.

    Attributes
    ----------
    value, per_class, classes
        As in `ClassResult`; in [-1, 1].
    per_point : array of float64 (n_sampled,)
        The silhouette of each evaluated point.
    samples : array of int64 (n_sampled,)
        Indices of the evaluated points: all, or a stratified sample.
    standard_error : float
        Standard error of the value due to the sampling; 0 if all points were evaluated.

    See Also
    --------
    silhouette : Computes it.
    """

    per_point: Float64[Array, " sampled"]
    samples: Int64[Array, " sampled"]
    standard_error: float
    higher_is_better: bool | None = True


def distance_consistency(points: AnyArray, labels: AnyArray) -> DistanceConsistency:
    r"""Distance consistency: the fraction of points whose nearest class centroid is their own.

    .. math:: DSC = \frac1N \left|\{i : y_i = \arg\min_c \|x_i - m_c\|\}\right|

    In [0, 1], higher is better: 1 if every point is nearest to the centroid m of its class; about
    1/C for random labels. A point with several nearest centroids counts by an equal fraction.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    DistanceConsistency
        ``value``, ``per_class`` and ``per_point``.

    Raises
    ------
    ValueError
        If points or labels have the wrong shape, or contain NaN or infinity.

    See Also
    --------
    silhouette : Uses all distances instead of centroids.
    linear_probe : Uses the best hyperplanes instead of those halfway between centroids.
    label_trustworthiness : Compares it between a representation and its map.

    References
    ----------
    [Sips2009]_.

    Examples
    --------
    Centroids at 1 and 5; the point at 4 of the first class is nearer to the second.

    >>> from unknot.metrics import distance_consistency
    >>> distance_consistency([[-1.0], [0.0], [4.0], [5.0], [5.0]], [0, 0, 0, 1, 1]).value
    0.8
    """
    points, codes, classes = check_labeled(points, labels)
    moments = class_moments(points, codes, len(classes))
    table = compare_centroid_distances(points, codes, moments)
    return warn_notes(consistency_from_shares(consistency_shares(table), codes, classes))


def compare_centroid_distances(
    points: Rows, codes: Array, moments: ClassMoments, n_jobs: int | None = None
) -> Array:
    """Compare each point's distance to its own class centroid with that to every centroid.

    Returns
    -------
    array of int8 (n_samples, n_classes)
        2 if the own centroid is nearer, 1 if both are equally near (within rounding), 0 if the
        other is nearer. The own column is 1.
    """
    table = np.empty((len(points), len(moments.means)), dtype=np.int8)

    def keep(rows: Array, part: Array) -> None:
        table[rows] = part

    blocks = point_blocks(points, points.shape[1])
    _compare_blocks(points, blocks, codes, moments, keep, n_jobs)
    return table


def centroid_shares(
    points: Rows,
    codes: Array,
    moments: ClassMoments,
    n_jobs: int | None = None,
    rows: Array | None = None,
) -> Array:
    """Return `consistency_shares` of all points or of some rows, without a table of all classes."""
    width = max(points.shape[1], len(moments.means))
    blocks = point_blocks(points, width) if rows is None else list(row_blocks(rows, width))
    shares = np.full(len(points), np.nan)

    def keep(own: Array, part: Array) -> None:
        shares[own] = consistency_shares(part)

    _compare_blocks(points, blocks, codes, moments, keep, n_jobs)
    return shares if rows is None else shares[rows]


def compare_some_classes(
    points: Rows, codes: Array, moments: ClassMoments, drawn: Array, n_jobs: int | None = None
) -> tuple[Array, Array, Array]:
    """Compare the centroid distances of some classes only, as `compare_centroid_distances` does.

    Returns
    -------
    rows : array of int64 (n_own,)
        The points of the drawn classes.
    own : array of int64 (n_own,)
        Their classes, 0..n_drawn-1.
    table : array of int8 (n_own, n_drawn)
    """
    place = np.full(len(moments.means), -1, dtype=np.int64)
    place[drawn] = np.arange(len(drawn))
    rows = np.flatnonzero(place[codes] >= 0)
    table = np.empty((len(rows), len(drawn)), dtype=np.int8)
    position = np.zeros(len(points), dtype=np.int64)
    position[rows] = np.arange(len(rows))
    own_moments = dataclasses.replace(moments, means=moments.means[drawn])

    def keep(own: Array, part: Array) -> None:
        table[position[own]] = part

    blocks = list(row_blocks(rows, points.shape[1]))
    _compare_blocks(points, blocks, np.maximum(place[codes], 0), own_moments, keep, n_jobs)
    return rows, place[codes[rows]], table


def _compare_blocks(
    points: Rows,
    blocks: list[Array],
    codes: Array,
    moments: ClassMoments,
    keep: Callable[[Array, Array], None],
    n_jobs: int | None,
) -> None:
    """Pass the comparisons of each block of rows on."""
    lengths = np.einsum("ij,ij->i", moments.means, moments.means)

    def compare(number: int) -> None:
        rows = blocks[number]
        centered = points[rows] - moments.origin
        squares = lengths - 2.0 * (centered @ moments.means.T)
        size = np.einsum("ij,ij->i", centered, centered)
        longer = np.maximum(lengths, lengths[codes[rows]][:, None])
        rounding = 1e-12 * (size[:, None] + longer)
        ahead = squares - squares[np.arange(len(rows)), codes[rows]][:, None]
        keep(rows, (1 + (ahead > rounding) - (ahead < -rounding)).astype(np.int8))

    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        team.run(compare, len(blocks))


def consistency_shares(table: Array) -> Array:
    """Return 1 for points nearest to their own centroid, 1/m for ties of m, otherwise 0."""
    return np.where(table.min(axis=1) == 0, 0.0, 1.0 / (table == 1).sum(axis=1))


def consistency_from_shares(share: Array, codes: Array, classes: Array) -> DistanceConsistency:
    """Compute the distance consistency from the result of `consistency_shares`."""
    counts = np.bincount(codes)
    notes: tuple[str, ...] = ()
    if len(classes) == 1:
        notes = (f"there is only one class ({classes[0]}): its centroid is always the nearest",)
    elif (share == 1.0 / len(classes)).all():
        notes = ("all class centroids coincide: every point counts by 1/C",)
    return DistanceConsistency(
        value=float(share.mean()),
        per_class=np.bincount(codes, weights=share) / counts,
        per_point=share.astype(np.float32),
        classes=classes,
        notes=notes,
    )


def silhouette(
    points: AnyArray,
    labels: AnyArray,
    *,
    metric: str = "euclidean",
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Silhouette:
    r"""Silhouette: how much nearer a point is to its own class than to the nearest other class.

    .. math:: s_i = \frac{b_i - a_i}{\max(a_i, b_i)}

    with a the mean distance to the other points of the same class, and b that to the points of the
    nearest other class. The value is the mean over the points. In [-1, 1], higher is better: 1 for
    compact classes far apart, 0 for overlapping classes, below 0 if points are closer to another
    class than to their own. The silhouette of a class of one point is 0 by convention.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance. Cosine is ``1 - cos``; a row of zeros is at 1 from every other row.
    max_samples : int, optional
        Evaluate a stratified sample of about this many points, each against all others; all by
        default. Set it for more than about 20,000 points, because the time grows with their
        square; the standard error is reported.
    random_state : int or None, default=0
        Seed of the sample. The default draws the same sample each time; None a different one.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Silhouette
        ``value``, ``per_class``, ``per_point``, ``samples`` and ``standard_error``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class.

    See Also
    --------
    davies_bouldin, calinski_harabasz : Faster, from centroids only.
    neighborhood_hit : A local measure, insensitive to the shape of classes.
    sklearn.metrics.silhouette_score : The same value, without values per class.

    References
    ----------
    [Rousseeuw1987]_.

    Examples
    --------
    For the point at 0, a = 1 and b = 9.5, so s = 8.5/9.5; for that at 1, a = 1 and b = 8.5, so
    s = 7.5/8.5. The other class is symmetric.

    >>> from unknot.metrics import silhouette
    >>> silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]).per_point
    array([0.89473684, 0.88235294, 0.88235294, 0.89473684])
    """
    points, codes, classes = check_labeled(
        points, labels, metric=metric, min_classes=2, measure="silhouette"
    )
    if max_samples is not None:
        max_samples = check_integer(max_samples, "max_samples", 1, 2**62, "of at least 1, or None")
    sample = stratified_sample(codes, max_samples, random_state)
    collected = Silhouettes([codes], sample, len(classes), cosine=metric == "cosine")
    scan_distances(points, sample.rows, [collected], n_jobs)
    return warn_notes(silhouette_from_shares(collected, 0, sample, classes))


class Silhouettes:
    """Collects the silhouette of each evaluated point, for several labelings at once.

    Attributes
    ----------
    shares : array of float64 (n_labelings, n_rows)
    coincide : bool
        Whether all distances are 0.
    """

    def __init__(
        self,
        labelings: list[Array],
        sample: Sample,
        n_classes: int,
        *,
        cosine: bool = False,
        with_influence: bool = False,
    ) -> None:
        self.codes = np.stack(labelings, axis=1)
        self.sample = sample
        self.rows = sample.rows
        # By the first row of each block, which threads finish in any order.
        self._influences: dict[int, Array] = {}
        self._with_influence = with_influence and n_classes > 1
        self.sizes = np.bincount(self.codes[:, 0], minlength=n_classes)
        self.cosine = cosine
        self.shares = np.zeros((len(labelings), len(sample.rows)))
        self.coincide = True

    def __call__(self, part: slice, squares: Array) -> None:
        """Sum the distances of a block of rows to each class, and compare them."""
        from ._shared.kernels_distances import add_class_distances, add_class_half_squares

        sums = np.zeros((len(squares), self.codes.shape[1], len(self.sizes)))
        (add_class_half_squares if self.cosine else add_class_distances)(squares, self.codes, sums)
        if squares.any():
            self.coincide = False
        if len(self.sizes) < 2:
            return
        for run, shares in enumerate(self.shares):
            own = self.codes[self.rows[part], run]
            shares[part] = silhouettes(sums[:, run], own, self.sizes)
        if self._with_influence:
            self._influences[part.start] = self._influence(part, squares, sums[:, 0])

    @property
    def influence(self) -> Array:
        """Influence of each point on the mean, with the first labeling (n_samples,)."""
        found = sampled_influence(self.shares[0], self.sample, self.codes[:, 0])
        for start in sorted(self._influences):
            found += self._influences[start]
        return found

    def _influence(self, part: slice, squares: Array, sums: Array) -> Array:
        """Return the influence of all points as the others' neighbors, on a block of rows."""
        from ._shared.kernels_distances import add_silhouette_influence

        rows, codes = self.rows[part], self.codes[:, 0]
        own, at = codes[rows], np.arange(len(rows))
        within = sums[at, own] / np.maximum(self.sizes[own] - 1, 1)
        between = sums / self.sizes
        between[at, own] = np.inf
        near = between.argmin(axis=1)
        nearest = between[at, near]
        # s = b / a - 1 or 1 - a / b: its derivatives by a and b; 0 where it is 0 by convention.
        defined = (np.maximum(within, nearest) > 0.0) & (self.sizes[own] > 1)
        weights = np.where(defined, self.sample.weights[part], 0.0)
        a, b = np.maximum(within, 1e-300), np.maximum(nearest, 1e-300)
        far = within > nearest
        with np.errstate(over="ignore"):
            to_a = np.where(far, -(b / a) / a, -1.0 / b)
            to_b = np.where(far, 1.0 / a, (a / b) / b)
        found = np.zeros(squares.shape[1])
        add_silhouette_influence(
            squares,
            own,
            near,
            codes,
            self.cosine,
            within,
            nearest,
            np.where(weights > 0.0, weights * to_a / self.sizes[own], 0.0),
            np.where(weights > 0.0, weights * to_b / self.sizes[near], 0.0),
            rows,
            found,
        )
        return found


def silhouette_from_shares(
    collected: Silhouettes, run: int, sample: Sample, classes: Array
) -> Silhouette:
    """Compute the silhouette of one of the labelings from that of each evaluated point."""
    require_classes(classes, 2, "silhouette")
    share = collected.shares[run]
    sizes = sample.sizes
    error = sample.standard_error(share)
    notes = list(sample.note("the silhouette", error))
    if (sizes == 1).any():
        notes.append(
            f"{int((sizes == 1).sum())} of {len(classes)} classes have one point, whose silhouette "
            f"is 0 by convention: {format_names(classes[sizes == 1])}"
        )
    if collected.coincide:
        notes.append("all points coincide: every silhouette is 0")
    return Silhouette(
        value=sample.mean(share),
        per_class=sample.class_means(share),
        per_point=share,
        samples=sample.rows,
        standard_error=error,
        classes=classes,
        notes=tuple(notes),
    )


def silhouettes(sums: Array, codes: Array, sizes: Array) -> Array:
    """Return the silhouette of each evaluated point, given the sizes of the classes."""
    own = np.arange(len(codes)), codes
    within = sums[own] / np.maximum(sizes[codes] - 1, 1)
    between = sums / sizes
    between[own] = np.inf
    nearest = between.min(axis=1)
    larger = np.maximum(within, nearest)
    defined = (larger > 0.0) & (sizes[codes] > 1)
    share = np.divide(nearest - within, larger, out=np.zeros(len(codes)), where=defined)
    return np.asarray(share)
