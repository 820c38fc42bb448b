"""Linear probes on other data: on a test set, and on points with noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer
from .._validation.points import as_points, check_labels, scale_free
from ._probe.models import (
    NOT_CONVERGED,
    check_penalty,
    choose_points,
    fit_softmax,
    folds_of,
    hold_out,
)
from ._shared.among import check_limit
from ._shared.checks import check_labeled
from ._shared.many import MANY_CLASSES
from ._shared.results import ClassResult, format_names, warn_notes

N_FOLDS = 5
PENALTY = 1.0
MAX_SAMPLES = 5000
# Each point is tested with this many draws of the noise; with many classes, with one.
N_DRAWS = 10


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ProbeTransfer(ClassResult):
    """The accuracy of a linear classifier on other data than it was trained on.

    Attributes
    ----------
    value : float
        Accuracy on the test points, in [0, 1].
    train_accuracy : float
        Accuracy on the points it was trained on.
    per_class : array of float64 (n_classes,)
        Accuracy on the test points of each class; NaN for classes without any.
    per_point : array of float64 (n_test,)
        1 if the test point was classified correctly, otherwise 0.
    samples : array of int64 (n_used,)
        Indices of the points it was trained on.
    classes : array (n_classes,)
        The class values of both parts, in the order of ``per_class``.

    See Also
    --------
    probe_transfer : Computes it.
    """

    train_accuracy: float
    per_point: Float64[Array, " test"]
    samples: Int64[Array, " used"]
    higher_is_better: bool | None = True


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ProbeNoise(ClassResult):
    """The accuracy of a linear classifier on points with noise.

    Attributes
    ----------
    value : float
        Mean accuracy over the levels of noise, in [0, 1].
    noise : tuple of float
        The levels, in units of the root mean square over all features.
    accuracies : array of float64 (n_levels,)
        Accuracy at each level.
    clean_accuracy : float
        Accuracy without noise: that of `linear_probe` on the same points.
    per_class : array of float64 (n_classes,)
        The value for the points of each class; NaN for classes that were not tested.
    per_point : array of float64 (n_tested,)
        The value for each point: the fraction of its noisy copies that were classified correctly.
    samples : array of int64 (n_tested,)
        Indices of the points tested.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    probe_noise : Computes it.
    """

    noise: tuple[float, ...]
    accuracies: Float64[Array, " levels"]
    clean_accuracy: float
    per_point: Float64[Array, " tested"]
    samples: Int64[Array, " tested"]
    higher_is_better: bool | None = True


def probe_transfer(
    points: AnyArray,
    labels: AnyArray,
    test_points: AnyArray,
    test_labels: AnyArray,
    *,
    penalty: float = PENALTY,
    max_samples: int | None = 2 * MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ProbeTransfer:
    r"""Probe transfer: accuracy of a linear classifier trained on one part, tested on another.

    The classifier of `linear_probe`, trained on all of ``points`` and tested on all of
    ``test_points``: a training and a test set, two domains, or clean and corrupted inputs. In
    [0, 1], higher is better. Below the accuracy of `linear_probe` on either part if the
    hyperplanes between the classes differ.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        The representation to train on.
    labels : array-like (n_samples,)
        Its classes: integers or strings.
    test_points : array-like (n_test, n_features)
        The representation to test on, of the same layer.
    test_labels : array-like (n_test,)
        Its classes. Those that do not occur in ``labels`` are always classified wrongly.
    penalty : float, default=1.0
        Weight of the L2 penalty, above 0, as in `linear_probe`.
    max_samples : int or None, default=10000
        Train on a stratified sample of about this many points; None trains on all.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    ProbeTransfer
        ``value``, ``train_accuracy``, ``per_class``, ``per_point`` and ``samples``.

    Raises
    ------
    ValueError
        If the two parts differ in the number of features, or in the type of labels.
    UndefinedMeasureError
        If fewer than two classes have two points.

    See Also
    --------
    linear_probe : Trains and tests on one part, by cross-validation.
    probe_noise : Tests on the same points with noise.

    References
    ----------
    [Alain2016]_, who test on held-out data.

    Examples
    --------
    Trained on classes at 0 and 1, tested after a shift by 0.4, one of four points is on the wrong
    side of 0.5:

    >>> from unknot.metrics import probe_transfer
    >>> shifted = [[0.4], [0.2], [1.4], [0.6]]
    >>> probe_transfer([[0.0], [0.1], [0.9], [1.0]], [0, 0, 1, 1], shifted, [0, 0, 1, 0]).value
    0.75
    """
    train, test = as_points(points), as_points(test_points, name="test_points")
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            "points and test_points must have the same features, those of one layer; got "
            f"{train.shape[1]} and {test.shape[1]} of them"
        )
    check_penalty(penalty)
    own_codes, own = check_labels(labels, len(train))
    other_codes, other = check_labels(test_labels, len(test), name="test_labels")
    if (own.dtype.kind in "US") != (other.dtype.kind in "US"):
        raise ValueError(
            "labels and test_labels must be of the same type; got "
            f"{own.dtype} such as {own[0]!r}, and {other.dtype} such as {other[0]!r}"
        )
    # Both parts are moved and scaled together.
    together = scale_free(np.concatenate([train, test]))
    classes = np.unique(np.concatenate([own, other]))
    return warn_notes(
        probe_transfer_from_points(
            together[: len(train)],
            np.searchsorted(classes, own)[own_codes],
            together[len(train) :],
            np.searchsorted(classes, other)[other_codes],
            classes,
            penalty,
            check_limit(max_samples),
            random_state,
            n_jobs,
        )
    )


def probe_transfer_from_points(
    points: Rows,
    codes: Array,
    test_points: Array,
    test_codes: Array,
    classes: Array,
    penalty: float = PENALTY,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ProbeTransfer:
    """Train on checked points and test on others, in the same frame and with the same codes."""
    chosen = choose_points(
        codes, classes, max_samples, random_state, what="the probe's transfer", change="grows"
    )
    taken = points[chosen.rows]
    model = fit_softmax(taken, chosen.codes, penalty, n_jobs)
    if not model.converged:
        chosen.notes.append(NOT_CONVERGED)
    trained = model.logits(taken).argmax(axis=1) == chosen.codes
    predicted = chosen.kept[model.logits(test_points).argmax(axis=1)]
    correct = (predicted == test_codes).astype(np.float64)
    unknown = np.setdiff1d(test_codes, chosen.kept)
    if len(unknown):
        chosen.notes.append(
            f"{len(unknown)} classes of the test points were not trained, and are always "
            f"classified wrongly: {format_names(classes[unknown])}"
        )
    counts = np.bincount(test_codes, minlength=len(classes))
    hits = np.bincount(test_codes, weights=correct, minlength=len(classes))
    return ProbeTransfer(
        value=float(correct.mean()),
        train_accuracy=float(trained.mean()),
        per_class=np.divide(hits, counts, out=np.full(len(classes), np.nan), where=counts > 0),
        per_point=correct,
        samples=chosen.rows,
        classes=classes,
        notes=tuple(chosen.notes),
    )


def probe_noise(
    points: AnyArray,
    labels: AnyArray,
    noise: Sequence[float] = (1.0, 2.0),
    *,
    n_folds: int = N_FOLDS,
    penalty: float = PENALTY,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ProbeNoise:
    r"""Probe under noise: accuracy of a linear classifier on held-out points with Gaussian noise.

    The classifier of `linear_probe` is trained on clean points, and tested on held-out points

    .. math:: x + \sigma\, r\, \epsilon, \quad \epsilon \sim N(0, I), \quad
              r^2 = \frac{1}{N D} \sum_i \|x_i - m\|^2

    with one level sigma of noise after another. In [0, 1], higher is better. The accuracy falls
    quickly if hyperplanes separate the classes only along directions of little variance, even if it
    is 1 without noise: it measures the margin, which the linear probe ignores.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    noise : sequence of float, default=(1.0, 2.0)
        Standard deviation of the noise of each feature, in units of the root mean square r over all
        features. At least 0.
    n_folds : int, default=5
        Number of stratified folds, at least 2.
    penalty : float, default=1.0
        Weight of the L2 penalty, above 0, as in `linear_probe`. It limits the size of the weights,
        and so the effect of the noise.
    max_samples : int or None, default=5000
        Train and test on a stratified sample of about this many points; None uses all. The value
        grows with their number.
    random_state : int or None, default=0
        Seed of the folds, the sample and the noise. The default gives the same result each time;
        None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    ProbeNoise
        ``value``, ``accuracies``, ``clean_accuracy``, ``per_class``, ``per_point`` and ``noise``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two classes have two points.
    ValueError
        If there is no level of noise, or a level is negative or not finite.

    See Also
    --------
    linear_probe : The accuracy without noise.
    probe_transfer : Tests on other data.

    Notes
    -----
    Noise of the points is noise of the logits W x with the covariance sigma^2 r^2 W W'. It is drawn
    there, in C dimensions instead of D: ten times for each point, or once if there are more than
    100 classes.

    References
    ----------
    [Alain2016]_, for the probe; the noise is our choice.

    Examples
    --------
    Classes at -1 and 1 have a root mean square of 1: noise of 1 crosses 0 with a probability of
    .159.

    >>> import numpy as np
    >>> from unknot.metrics import probe_noise
    >>> labels = np.arange(2000) % 2
    >>> result = probe_noise(2.0 * labels[:, None] - 1.0, labels, noise=[1.0])
    >>> result.clean_accuracy, abs(result.value - 0.841) < 0.02
    (1.0, True)
    """
    points, codes, classes = check_labeled(points, labels)
    n_folds = check_integer(n_folds, "n_folds", 2, 100, "from 2 to 100")
    check_penalty(penalty)
    levels = _check_levels(noise)
    limit = check_limit(max_samples)
    return warn_notes(
        probe_noise_from_points(
            points, codes, classes, levels, n_folds, penalty, limit, random_state, n_jobs
        )
    )


def probe_noise_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    noise: tuple[float, ...] = (1.0, 2.0),
    n_folds: int = N_FOLDS,
    penalty: float = PENALTY,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ProbeNoise:
    """Compute the accuracy of the linear probe on checked points with noise."""
    chosen = choose_points(
        codes, classes, max_samples, random_state, what="the probe under noise", change="grows"
    )
    folds = folds_of(chosen.codes, n_folds, random_state)
    held = hold_out(points[chosen.rows], chosen.codes, folds, penalty, n_jobs)
    if not held.converged:
        chosen.notes.append(NOT_CONVERGED)
    tested = chosen.subset(held.rows)
    clean = held.logits.argmax(axis=1) == tested.codes
    seed = None if random_state is None else [random_state, 7]
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(noise), len(tested.codes)))
    n_draws = N_DRAWS if len(chosen.kept) <= MANY_CLASSES else 1
    for fold in np.unique(held.folds):
        own = np.flatnonzero(held.folds == fold)
        # A square root A of the covariance: A z has the covariance A A' for standard normal z.
        sizes, axes = np.linalg.eigh(held.products[fold])
        root = (axes * np.sqrt(np.maximum(sizes, 0.0))).T
        for _ in range(n_draws):
            drawn = rng.standard_normal((len(own), len(root))) @ root
            for place, level in enumerate(noise):
                predicted = (held.logits[own] + level * drawn).argmax(axis=1)
                hits[place, own] += predicted == tested.codes[own]
    hits /= n_draws
    per_point = hits.mean(axis=0)
    return ProbeNoise(
        value=float(per_point.mean()),
        noise=noise,
        accuracies=hits.mean(axis=1),
        clean_accuracy=float(clean.mean()),
        per_class=tested.per_class(per_point, len(classes)),
        per_point=per_point,
        samples=tested.rows,
        classes=classes,
        notes=tuple(chosen.notes),
    )


def _check_levels(noise: Sequence[float]) -> tuple[float, ...]:
    levels = np.atleast_1d(np.asarray(noise, dtype=np.float64))
    if levels.ndim != 1 or not len(levels) or not ((levels >= 0.0) & (levels < np.inf)).all():
        raise ValueError(
            "noise must be one or more standard deviations, at least 0 and finite, in units of the "
            f"root mean square of the points; got {noise!r}"
        )
    return tuple(levels.tolist())
