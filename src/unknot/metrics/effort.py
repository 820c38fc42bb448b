"""Bits instead of accuracies: description length and V-information of a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer, random_generator
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
from ._shared.results import ClassResult, warn_notes

N_FOLDS = 5
# Tried where none is given, from weak to strong.
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MAX_SAMPLES = 5000
# The first block holds at least this many points for each class.
FIRST_PER_CLASS = 2


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DescriptionLength(ClassResult):
    """The description length of labels given the points.

    Attributes
    ----------
    value : float
        Code length as a fraction of that of the uniform code; 1 / ``compression``.
    bits, uniform_bits : float
        Length of the online code, and of the uniform code.
    per_class : array of float64 (n_classes,)
        The value for the labels of each class; NaN for classes that were left out.
    per_point : array of float64 (n_used,)
        Code length of each label, in bits.
    blocks : array of int64 (n_blocks,)
        Number of points up to the end of each block.
    penalty : float
        Weight of the L2 penalty: that given, or the best of those tried.
    samples : array of int64 (n_used,)
        Indices of the points used.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    description_length : Computes it.
    """

    bits: float
    uniform_bits: float
    per_point: Float64[Array, " used"]
    blocks: Int64[Array, " blocks"]
    penalty: float
    samples: Int64[Array, " used"]
    higher_is_better: bool | None = False

    @property
    def compression(self) -> float:
        """How many times shorter the code is than the uniform code."""
        return self.uniform_bits / self.bits


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class VInformation(ClassResult):
    """The information about the labels that a linear classifier extracts from the points.

    Attributes
    ----------
    value : float
        The V-information, in bits.
    entropy, conditional_entropy : float
        H(Y), and H_V(Y | X); the value is their difference.
    per_class : array of float64 (n_classes,)
        Mean over the points of each class; NaN for classes that were not tested.
    per_point : array of float64 (n_tested,)
        Pointwise V-information of each point; the value is their mean.
    samples : array of int64 (n_tested,)
        Indices of the points tested.
    n_folds : int
        Folds of the cross-validation.
    penalty : float
        Weight of the L2 penalty: that given, or the best of those tried.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    v_information : Computes it.
    """

    entropy: float
    conditional_entropy: float
    per_point: Float64[Array, " tested"]
    samples: Int64[Array, " tested"]
    n_folds: int
    penalty: float
    higher_is_better: bool | None = True


def description_length(
    points: AnyArray,
    labels: AnyArray,
    *,
    penalty: float | None = None,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> DescriptionLength:
    r"""Minimum description length of the labels given the points, by a linear classifier's code.

    The online (prequential) code: the points come in random order and blocks of doubling size. The
    labels of the first block are sent with log2 C bits each; then a classifier is trained on all
    points so far, and the labels of the next block are sent with the code of its probabilities,

    .. math:: L = t_1 \log_2 C - \sum_{b} \sum_{t_b < i \le t_{b+1}} \log_2 p_{t_b}(y_i | x_i)

    The value is L / (N log2 C). Lower is better: near 0 if few points suffice to tell the classes
    apart, 1 or a little more if the points say nothing about the labels. Unlike an accuracy, it
    also counts how many points the classifier needs, and how certain it is.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    penalty : float, optional
        Weight of the L2 penalty of the classifiers, above 0, as in `linear_probe`. By default that
        of 1, 10, 100 and 1000 whose code is the shortest; 2 bits are added to send which.
    max_samples : int or None, default=5000
        Send the labels of a stratified sample of about this many points; None sends all. The value
        falls with their number.
    random_state : int or None, default=0
        Seed of the sample and of the order. The default gives the same result each time; None draws
        differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    DescriptionLength
        ``value``, ``bits``, ``uniform_bits``, ``compression``, ``per_class`` and ``per_point``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two classes have two points.

    See Also
    --------
    v_information : The code of a classifier trained on nearly all points.
    control_task : Counts what a probe memorizes instead.
    linear_probe : Only whether the most probable class is right.

    Notes
    -----
    The first block ends at the smallest N/2^k that is at least twice the number of classes. A code
    must be able to send every class: a share of 1/(t + 1) of the uniform code is mixed into the
    probabilities of a classifier trained on t points, which has not seen every class at first.

    References
    ----------
    [Voita2020]_, section 2.2; blocks of doubling size and the mixture are our choice.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import description_length
    >>> points = np.random.default_rng(0).normal(size=(200, 2))
    >>> labels = points[:, 0] > 0
    >>> description_length(points, labels).value < 0.4
    True
    >>> description_length(points[:, 1:], labels).value > 0.9
    True
    """
    points, codes, classes = check_labeled(points, labels)
    penalty = None if penalty is None else check_penalty(penalty)
    return warn_notes(
        description_length_from_points(
            points, codes, classes, penalty, check_limit(max_samples), random_state, n_jobs
        )
    )


def description_length_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    penalty: float | None = None,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> DescriptionLength:
    """Compute the description length of the labels of checked points."""
    chosen = choose_points(
        codes, classes, max_samples, random_state, what="the description length", change="falls"
    )
    taken, own, count = points[chosen.rows], chosen.codes, len(chosen.kept)
    order = random_generator(random_state).permutation(len(own))
    ends = _block_ends(len(own), FIRST_PER_CLASS * count)
    tried = PENALTIES if penalty is None else (penalty,)
    codings = [_send(taken[order], own[order], count, ends, each, n_jobs) for each in tried]
    best = int(np.argmin([sent.sum() for sent, _ in codings]))
    sent, converged = codings[best]
    bits = np.empty(len(own))
    bits[order] = sent
    if not converged:
        chosen.notes.append(NOT_CONVERGED)
    uniform = float(len(own) * np.log2(count))
    total = float(bits.sum() + np.log2(len(tried)))
    return DescriptionLength(
        value=total / uniform,
        bits=total,
        uniform_bits=uniform,
        per_class=chosen.per_class(bits / np.log2(count), len(classes)),
        per_point=bits,
        blocks=ends,
        penalty=float(tried[best]),
        samples=chosen.rows,
        classes=classes,
        notes=tuple(chosen.notes),
    )


def _send(
    points: Array, codes: Array, count: int, ends: Array, penalty: float, n_jobs: int | None
) -> tuple[Float64[Array, " samples"], bool]:
    """Return the code length in bits of each label, and whether all training converged."""
    bits = np.full(len(codes), np.log2(count))
    converged = True
    for start, stop in pairwise(ends.tolist()):
        # Not every class has been seen yet.
        seen, known = np.unique(codes[:start], return_inverse=True)
        probabilities = np.zeros((stop - start, count))
        if len(seen) == 1:
            probabilities[:, seen] = 1.0
        else:
            model = fit_softmax(points[:start], known, penalty, n_jobs)
            logits = model.logits(points[start:stop])
            exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities[:, seen] = exponentials / exponentials.sum(axis=1, keepdims=True)
            converged &= model.converged
        of_label = probabilities[np.arange(stop - start), codes[start:stop]]
        bits[start:stop] = -np.log2((start * of_label + 1.0 / count) / (start + 1.0))
    return bits, converged


def _block_ends(n: int, first: int) -> Int64[Array, " blocks"]:
    """Return n / 2^k, ascending up to n, from the smallest that is at least ``first``."""
    ends = [n]
    while ends[0] // 2 >= max(first, 2):
        ends.insert(0, ends[0] // 2)
    return np.array(ends)


def v_information(
    points: AnyArray,
    labels: AnyArray,
    *,
    n_folds: int = N_FOLDS,
    penalty: float | None = None,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> VInformation:
    r"""V-information: bits about the label that a linear classifier extracts from a point.

    .. math:: I_V = H(Y) - H_V(Y | X), \quad
              H_V(Y | X) = -\frac1N \sum_i \log_2 p_{-i}(y_i | x_i)

    with p_{-i} the probabilities of a classifier trained without the point's fold, and H(Y) the
    entropy of the class fractions. At most H(Y), which is log2 C for C equal classes; higher is
    better. 0 or below if the classifier is no better than the class fractions. Unlike Shannon's
    information, which no layer of a network can increase, it grows as the labels become easier to
    read.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    n_folds : int, default=5
        Number of stratified folds, at least 2. Increase it for small classes.
    penalty : float, optional
        Weight of the L2 penalty, above 0, as in `linear_probe`. By default that of 1, 10, 100 and
        1000 with the largest value in the first fold: a classifier that is too sure of itself, as
        one of many features and few points without a penalty, loses information.
    max_samples : int or None, default=5000
        Train and test on a stratified sample of about this many points; None uses all. The value
        grows with their number.
    random_state : int or None, default=0
        Seed of the folds and of the sample. The default gives the same result each time; None
        draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    VInformation
        ``value``, ``entropy``, ``conditional_entropy``, ``per_class`` and ``per_point``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two classes have two points.

    See Also
    --------
    linear_probe : Accuracy of the same classifier.
    description_length : Also counts how many points the classifier needs.

    References
    ----------
    [Xu2020]_; for single points: [Ethayarajh2022]_.

    Examples
    --------
    Two classes that are far apart share almost all of their entropy, 1 bit, with the points:

    >>> import numpy as np
    >>> from unknot.metrics import v_information
    >>> labels = np.arange(200) % 2
    >>> points = np.random.default_rng(0).normal(size=(200, 2)) + 20 * labels[:, None]
    >>> v_information(points, labels).value > 0.9
    True
    """
    points, codes, classes = check_labeled(points, labels)
    n_folds = check_integer(n_folds, "n_folds", 2, 100, "from 2 to 100")
    penalty = None if penalty is None else check_penalty(penalty)
    return warn_notes(
        v_information_from_points(
            points, codes, classes, n_folds, penalty, check_limit(max_samples), random_state, n_jobs
        )
    )


def v_information_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    n_folds: int = N_FOLDS,
    penalty: float | None = None,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> VInformation:
    """Compute the V-information of checked points."""
    chosen = choose_points(
        codes, classes, max_samples, random_state, what="the V-information", change="grows"
    )
    folds = folds_of(chosen.codes, n_folds, random_state)
    taken = points[chosen.rows]
    if penalty is None:
        penalty = _best_penalty(taken, chosen.codes, folds, n_jobs)
    held = hold_out(taken, chosen.codes, folds, penalty, n_jobs)
    if not held.converged:
        chosen.notes.append(NOT_CONVERGED)
    tested = chosen.subset(held.rows)
    shares = np.bincount(chosen.codes) / len(chosen.codes)
    surprise = -np.log2(shares)[tested.codes]
    gained = surprise + held.log_probabilities(chosen.codes) / np.log(2.0)
    value, entropy = float(gained.mean()), float(surprise.mean())
    return VInformation(
        value=value,
        entropy=entropy,
        conditional_entropy=entropy - value,
        per_class=tested.per_class(gained, len(classes)),
        per_point=gained,
        samples=tested.rows,
        n_folds=int(folds.max()) + 1,
        penalty=penalty,
        classes=classes,
        notes=tuple(chosen.notes),
    )


def _best_penalty(points: Array, codes: Array, folds: Array, n_jobs: int | None) -> float:
    """Return the penalty whose classifier makes the labels of the first fold most probable."""
    found = [
        hold_out(points, codes, folds, penalty, n_jobs, tested_folds=1)
        .log_probabilities(codes)
        .mean()
        for penalty in PENALTIES
    ]
    return PENALTIES[int(np.argmax(found))]
