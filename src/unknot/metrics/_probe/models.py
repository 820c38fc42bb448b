"""Classifiers whose probabilities are used, not only their predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array, Float64
from ..._validation.numbers import check_number, random_generator
from .._shared.distances import stratified_sample
from .._shared.many import MANY_CLASSES, draw_classes
from .._shared.moments import members_by_class
from .._shared.results import UndefinedMeasureError, format_names
from .softmax import FoldedSoftmax, reduce_features
from .training import minimize

# With more classes, a part of them is distinguished.
MOST_CLASSES = 1000
NOT_CONVERGED = "the training of a classifier stopped before convergence"


def check_penalty(penalty: float) -> float:
    """Return the weight of an L2 penalty, which must be above 0."""
    return check_number(penalty, "penalty", 0.0, bounds="above 0", open_low=True)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The points that classifiers are trained and tested on.

    Attributes
    ----------
    rows : array of int64 (n_used,)
        Indices into all points, ascending.
    codes : array of int64 (n_used,)
        Their classes, among those used.
    kept : array of int64 (n_kept,)
        The classes used, among all.
    notes : list of str
    """

    rows: Array
    codes: Array
    kept: Array
    notes: list[str]

    def per_class(self, values: Array, n_classes: int) -> Float64[Array, " classes"]:
        """Return the mean of a value of each point used by class; NaN for other classes."""
        means = np.full(n_classes, np.nan)
        counts = np.bincount(self.codes, minlength=len(self.kept))
        totals = np.bincount(self.codes, weights=values, minlength=len(self.kept))
        tested = counts > 0
        means[self.kept[tested]] = totals[tested] / counts[tested]
        return means

    def subset(self, rows: Array) -> Chosen:
        """Return a part of the points, with the same classes."""
        return Chosen(self.rows[rows], self.codes[rows], self.kept, self.notes)


def choose_points(
    codes: Array,
    classes: Array,
    max_samples: int | None,
    random_state: int | None,
    *,
    what: str,
    change: str,
) -> Chosen:
    """Draw a stratified sample of classes of two points or more.

    Parameters
    ----------
    what, change : str
        Name the measure, and how it changes with the number of points, in the notes.
    """
    sizes = np.bincount(codes, minlength=len(classes))
    testable = sizes >= 2
    if testable.sum() < 2:
        raise UndefinedMeasureError(
            f"{what} trains and tests on different points of a class: it needs at least two "
            f"classes of two points or more; there are {int(testable.sum())}"
        )
    notes = []
    single = sizes == 1
    if single.any():
        notes.append(
            f"{int(single.sum())} of {len(classes)} classes have one point, which cannot be used "
            f"for both training and testing; {what} leaves them out: "
            f"{format_names(classes[single])}"
        )
    kept = np.flatnonzero(testable)
    if len(kept) > MOST_CLASSES:
        notes.append(
            f"{what} distinguishes {MOST_CLASSES:,} of {len(kept):,} classes, drawn at random"
        )
        kept = kept[draw_classes(len(kept), MOST_CLASSES, random_generator(random_state))]
    used = np.flatnonzero(np.isin(codes, kept))
    sample = stratified_sample(np.searchsorted(kept, codes[used]), max_samples, random_state)
    if not sample.whole:
        notes.append(
            f"{what} is that of {len(sample.rows)} of {len(codes)} points, a stratified sample; "
            f"it {change} with the number of points, so only compare values of the same number"
        )
    present = np.unique(sample.codes)
    own = np.searchsorted(present, sample.codes)
    return Chosen(used[sample.rows], own, kept[present], notes)


def folds_of(codes: Array, n_folds: int, random_state: int | None) -> Array:
    """Assign the points of each class to at most n_folds folds of equal size, at random."""
    n_folds = int(min(n_folds, np.bincount(codes).max()))
    rng = random_generator(random_state)
    folds = np.empty(len(codes), dtype=np.int64)
    first = 0
    for own in members_by_class(codes, int(codes.max()) + 1):
        own = rng.permutation(own)
        folds[own] = (first + np.arange(len(own))) % n_folds
        first = (first + len(own)) % n_folds
    return folds


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What classifiers say of the points that they were not trained on.

    Attributes
    ----------
    rows : array of int64 (n_tested,)
        The points tested: all, or those of one fold if there are many classes.
    folds : array of int64 (n_tested,)
        The fold of each, whose classifier was trained without it.
    logits : array of float32 (n_tested, n_classes)
    products : array of float64 (n_folds, n_classes, n_classes)
        Inner products of the classes' weights of each classifier, for points in units of their root
        mean square over all features.
    converged : bool
    """

    rows: Array
    folds: Array
    logits: Array
    products: Array
    converged: bool

    def log_probabilities(self, codes: Array) -> Array:
        """Return the logarithm of the probability of each tested point's class."""
        return log_softmax(self.logits, codes[self.rows])


def log_softmax(logits: Array, codes: Array) -> Float64[Array, " samples"]:
    """Return the logarithm of the probability of one class of each row of logits."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return np.asarray(wide[np.arange(len(wide)), codes] - np.log(np.exp(wide).sum(axis=1)))


def hold_out(
    points: Array,
    codes: Array,
    folds: Array,
    penalty: float,
    n_jobs: int | None = None,
    tested_folds: int | None = None,
) -> HeldOut:
    """Train a classifier without each fold; return its logits of that fold.

    By default all folds are tested, or one if there are many classes.
    """
    import scipy.linalg  # noqa: F401  # BLAS that is loaded later is not limited to one thread

    if tested_folds is None:
        tested_folds = int(folds.max()) + 1 if codes.max() < MANY_CLASSES else 1
    held_out = folds == np.arange(tested_folds)[:, None]
    rows = np.flatnonzero(folds < tested_folds)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        reduced = reduce_features(points, team)
        labels = np.repeat(codes[None], tested_folds, axis=0)
        model = FoldedSoftmax(reduced, labels, held_out, penalty, team, points.shape[1])
        weights, converged = minimize(model)
        logits = model.logits(weights.astype(np.float32))
    directions = weights[:, :, :-1]
    return HeldOut(
        rows,
        folds[rows],
        logits[folds[rows], :, rows],
        directions @ directions.transpose(0, 2, 1),
        converged,
    )


@dataclass(frozen=True, eq=False)
class SoftmaxModel:
    """A trained classifier.

    Attributes
    ----------
    weights : array of float64 (n_classes, n_features)
    biases : array of float64 (n_classes,)
    origin : array of float64 (n_features,)
        Subtracted from points before they are multiplied by the weights.
    converged : bool
    """

    weights: Array
    biases: Array
    origin: Array
    converged: bool

    def logits(self, points: Array) -> Float64[Array, "samples classes"]:
        """Return the logits of points, of the training or not."""
        found = np.empty((len(points), len(self.weights)))
        step = max(1, 2**22 // points.shape[1])
        for start in range(0, len(points), step):
            rows = slice(start, start + step)
            found[rows] = (points[rows] - self.origin) @ self.weights.T
        return found + self.biases


def fit_softmax(
    points: Array, codes: Array, penalty: float, n_jobs: int | None = None
) -> SoftmaxModel:
    """Train a classifier on all points; codes must contain every class 0..C-1."""
    from scipy.linalg import solve_triangular  # BLAS loaded later is not limited to one thread

    origin = points.mean(axis=0, dtype=np.float64)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        reduced = reduce_features(points, team)
        nothing = np.zeros((1, len(points)), dtype=bool)
        model = FoldedSoftmax(reduced, codes[None], nothing, penalty, team, points.shape[1])
        found, converged = minimize(model)
    weights, biases = found[0, :, :-1], found[0, :, -1]
    # The model has coordinates x = (r - mean)/scale of reduced points r: undo it for weights of r.
    mean = reduced.mean(axis=0, dtype=np.float64)
    power = float(np.square(reduced - mean.astype(np.float32)).sum(dtype=np.float64))
    weights = weights / (np.sqrt(power / (len(points) * points.shape[1])) or 1.0)
    if reduced is points:
        return SoftmaxModel(weights, biases, mean, converged)
    # Reduced points are the rows of L with L L' = X X', X the centered points: weights w of L are
    # those X' L'^-1 w of X.
    biases = biases - weights @ mean
    back = solve_triangular(reduced.astype(np.float64), weights.T, lower=True, trans="T")
    return SoftmaxModel(((points - origin).T @ back).T, biases, origin, converged)
