"""Control tasks: what a linear probe reads from the points, and what it learns by heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Int64
from .._validation.labels import check_labels
from .._validation.numbers import check_integer, random_generator
from ._probe.models import (
    NOT_CONVERGED,
    Chosen,
    check_penalty,
    choose_points,
    fit_softmax,
    folds_of,
    hold_out,
)
from ._shared.among import check_limit
from ._shared.checks import check_labeled
from ._shared.results import ClassResult, warn_notes
from .effort import MAX_SAMPLES, N_FOLDS

PENALTY = 1.0


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ControlTask(ClassResult):
    """The selectivity of a linear probe.

    Attributes
    ----------
    value : float
        The selectivity, ``accuracy - control_accuracy``, in [-1, 1].
    accuracy : float
        Cross-validated accuracy of the probe.
    control_accuracy : float
        Accuracy of the same probe for control labels.
    per_class : array of float64 (n_classes,)
        Accuracy of the points of each class minus ``control_accuracy``; NaN for classes that were
        not tested.
    samples : array of int64 (n_tested,)
        Indices of the points tested.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    control_task : Computes it.
    """

    accuracy: float
    control_accuracy: float
    samples: Int64[Array, " tested"]
    higher_is_better: bool | None = True


def control_task(
    points: AnyArray,
    labels: AnyArray,
    *,
    groups: AnyArray | None = None,
    n_folds: int = N_FOLDS,
    penalty: float = PENALTY,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ControlTask:
    r"""Control task: how much more accurate a linear probe is than for random labels.

    The selectivity: accuracy minus accuracy for control labels. These are random, so whatever
    accuracy the probe reaches on them it has learned by heart. In [-1, 1], higher is better: near 1
    if the probe reads the classes and cannot memorize; 0 if it memorizes random labels as well as
    it reads the classes, so that its accuracy says more about the probe than about the points.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    groups : array-like (n_samples,), optional
        What control labels are assigned to, such as the word of each token: all points of a group
        get the same one, and the control accuracy is cross-validated. By default every point is its
        own group, and the control accuracy is that on the points that the probe was trained on.
    n_folds : int, default=5
        Number of stratified folds, at least 2.
    penalty : float, default=1.0
        Weight of the L2 penalty, above 0, as in `linear_probe`. Increase it for a probe that
        memorizes less.
    max_samples : int or None, default=5000
        Train and test on a stratified sample of about this many points; None uses all. The
        selectivity grows with their number.
    random_state : int or None, default=0
        Seed of the control labels, the folds and the sample. The default gives the same result each
        time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    ControlTask
        ``value``, ``accuracy``, ``control_accuracy`` and ``per_class``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two classes have two points.
    ValueError
        If there is not one group for each point.

    See Also
    --------
    linear_probe : The accuracy alone.
    description_length : Counts effort without control labels.

    Notes
    -----
    Control labels have the class fractions of the labels. Among N points in D dimensions a
    hyperplane separates any labels if N is less than about 2D: with few points the selectivity is
    low for any representation of many features.

    References
    ----------
    [Hewitt2019]_. Points that are their own groups are our choice where there are no types.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import control_task
    >>> labels = np.arange(200) % 2
    >>> points = np.random.default_rng(0).normal(size=(200, 2)) + 20 * labels[:, None]
    >>> result = control_task(points, labels)
    >>> result.accuracy, result.control_accuracy < 0.7
    (1.0, True)
    """
    points, codes, classes = check_labeled(points, labels)
    n_folds = check_integer(n_folds, "n_folds", 2, 100, "from 2 to 100")
    check_penalty(penalty)
    group_codes = None
    if groups is not None:
        group_codes, _ = check_labels(groups, len(codes), name="groups")
    limit = check_limit(max_samples)
    return warn_notes(
        control_task_from_points(
            points, codes, classes, group_codes, n_folds, penalty, limit, random_state, n_jobs
        )
    )


def control_task_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    groups: Array | None = None,
    n_folds: int = N_FOLDS,
    penalty: float = PENALTY,
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ControlTask:
    """Compute the selectivity of the linear probe of checked points."""
    chosen = choose_points(
        codes, classes, max_samples, random_state, what="the selectivity", change="grows"
    )
    taken = points[chosen.rows]
    folds = folds_of(chosen.codes, n_folds, random_state)
    held = hold_out(taken, chosen.codes, folds, penalty, n_jobs)
    tested = chosen.subset(held.rows)
    correct = (held.logits.argmax(axis=1) == tested.codes).astype(np.float64)
    own_groups = None if groups is None else groups[chosen.rows]
    control, converged = _control_accuracy(
        taken, chosen, own_groups, n_folds, penalty, random_state, n_jobs
    )
    if not (held.converged and converged):
        chosen.notes.append(NOT_CONVERGED)
    return ControlTask(
        value=float(correct.mean()) - control,
        accuracy=float(correct.mean()),
        control_accuracy=control,
        per_class=tested.per_class(correct, len(classes)) - control,
        samples=tested.rows,
        classes=classes,
        notes=tuple(chosen.notes),
    )


def _control_accuracy(
    points: Array,
    chosen: Chosen,
    groups: Array | None,
    n_folds: int,
    penalty: float,
    random_state: int | None,
    n_jobs: int | None,
) -> tuple[float, bool]:
    """Return the accuracy of a probe for random labels, and whether its training converged."""
    rng = random_generator(random_state, 6)
    if groups is None:
        labels = rng.permutation(chosen.codes)
        model = fit_softmax(points, labels, penalty, n_jobs)
        predicted = model.logits(points).argmax(axis=1)
        return float((predicted == labels).mean()), model.converged
    # Each group draws the label of a random point, so that labels keep their fractions.
    drawn = rng.choice(chosen.codes, size=int(groups.max()) + 1)
    present, labels = np.unique(drawn[groups], return_inverse=True)
    if len(present) < 2:
        chosen.notes.append("all groups drew the same control label, which is always predicted")
        return 1.0, True
    held = hold_out(points, labels, folds_of(labels, n_folds, random_state), penalty, n_jobs)
    predicted = held.logits.argmax(axis=1)
    return float((predicted == labels[held.rows]).mean()), held.converged
