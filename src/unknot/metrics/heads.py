"""Neural collapse of the classifier's head: its weights and decisions against the class means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._io.stored_points import Rows, StoredPoints
from .._typing import AnyArray, Array, Float32, Float64
from .._validation.arrays import as_numbers
from ._shared.checks import check_labeled, require_classes
from ._shared.moments import ClassMoments, class_moments, row_blocks
from ._shared.results import ClassResult, UndefinedMeasureError, warn_notes


@dataclass(frozen=True, eq=False)
class Head:
    """The last linear layer of a classifier: its logits are ``points @ weights.T + bias``.

    Attributes
    ----------
    weights : array of float64 (n_outputs, n_features)
    bias : array of float64 (n_outputs,)

    See Also
    --------
    nc3, nc4 : Compare it with the class means.
    """

    weights: Float64[Array, "outputs features"]
    bias: Float64[Array, " outputs"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class HeadAgreement(ClassResult):
    """How often a classifier's head and the nearest class mean decide differently.

    Attributes
    ----------
    value : float
        Fraction of the points, in [0, 1].
    per_class : array of float64 (n_classes,)
        Fraction of the points of each class.
    per_point : array of float32 (n_samples,)
        1 where the decisions differ.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    nc4 : Computes it.
    """

    per_point: Float32[Array, " samples"]
    higher_is_better: bool | None = False


def as_head(head: Any, n_features: int, classes: Array) -> Head:
    """Return a checked head; one of a single output, as of a sigmoid, gets two.

    Raises
    ------
    TypeError, ValueError
        If it is not a pair of weights and bias that fits the points and the classes.
    """
    if isinstance(head, Head):
        head = head.weights, head.bias
    if not isinstance(head, tuple | list) or len(head) != 2:
        raise TypeError(f"head must be (weights, bias); got {type(head).__name__}")
    weights = as_numbers(head[0], "head: weights").astype(np.float64)
    if weights.ndim == 1:
        weights = weights[None]
    bias = np.zeros(len(weights)) if head[1] is None else as_numbers(head[1], "head: bias")
    bias = np.atleast_1d(bias.astype(np.float64))
    if weights.ndim != 2 or weights.shape[1] != n_features:
        transposed = weights.ndim == 2 and weights.shape[0] == n_features
        remedy = "; transpose them" if transposed else ", those of the layer before the logits"
        raise ValueError(
            f"head: weights must have the shape (n_outputs, {n_features}) for points of "
            f"{n_features} features; got {weights.shape}{remedy}"
        )
    if bias.shape != (len(weights),):
        raise ValueError(
            f"head: bias must have the shape ({len(weights)},), one for each output; got "
            f"{bias.shape}"
        )
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError("head: weights and bias must be finite")
    if len(weights) == 1:
        # The logit of the second class against the first.
        weights, bias = (np.concatenate([-part, part]) / 2 for part in (weights, bias))
    outputs_of(classes, len(weights))
    return Head(weights, bias)


def outputs_of(classes: Array, n_outputs: int) -> Array:
    """Return the output of each class: an integer is its number.

    Raises
    ------
    ValueError
        If a class has no output.
    """
    if classes.dtype.kind not in "iub":
        raise ValueError(
            "head: labels must be the numbers of the head's outputs, from 0; got names such as "
            f"{str(classes[0])!r}. Pass the position of each name among the outputs"
        )
    outputs = classes.astype(np.int64)
    if outputs.min() < 0 or outputs.max() >= n_outputs:
        raise ValueError(
            f"head: labels must be from 0 to {n_outputs - 1}, the numbers of its outputs; got "
            f"{int(outputs.min())} to {int(outputs.max())}"
        )
    return outputs


def nc3(points: AnyArray, labels: AnyArray, weights: AnyArray) -> ClassResult:
    r"""NC3, self-duality: how far the head's weights are from the class means.

    .. math:: NC_3 = \left\| \frac{W}{\|W\|_F} - \frac{M}{\|M\|_F} \right\|_F

    with the centered class means as the rows of M, and the weights of each class as those of W. In
    [0, 2], lower is better: 0 if the weights are the class means but for a factor, sqrt 2 if they
    have nothing in common.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        The representation that the head takes.
    labels : array-like (n_samples,)
        The class of each point: the number of its output, from 0.
    weights : array-like (n_outputs, n_features)
        The weights of the head, as of ``torch.nn.Linear``; Keras has them transposed.

    Returns
    -------
    ClassResult
        ``value``, and ``per_class``, the norm of the difference of each row: the root of the sum of
        their squares is the value.

    Raises
    ------
    ValueError
        If the weights do not fit the points, or a label is no output.
    UndefinedMeasureError
        If there is only one class, or all class means coincide, or all weights are 0.

    See Also
    --------
    nc4 : Compares decisions instead of weights.
    nc2 : How far the class means are from a simplex.

    References
    ----------
    [Papyan2020]_.

    Examples
    --------
    Means at -1 and 1 along the first axis; the weights point to the second as well. Of norm 1, they
    are (-.707, 0), (.707, 0) and (-.5, .5), (.5, .5).

    >>> from unknot.metrics import nc3
    >>> points = [[-2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    >>> round(nc3(points, [0, 0, 1, 1], [[-1.0, 1.0], [1.0, 1.0]]).value, 4)
    0.7654
    """
    checked, codes, classes = check_labeled(points, labels, min_classes=2, measure="NC3")
    head = as_head((weights, None), checked.shape[1], classes)
    moments = class_moments(checked, codes, len(classes))
    return warn_notes(nc3_from_moments(moments, classes, head))


def nc3_from_moments(moments: ClassMoments, classes: Array, head: Head) -> ClassResult:
    """Compute NC3 from the class moments."""
    require_classes(classes, 2, "NC3")
    rows, means = dual_matrices(moments, classes, head)
    per_class = np.linalg.norm(rows - means, axis=1)
    n_outputs = len(head.weights)
    notes: tuple[str, ...] = ()
    if n_outputs > len(classes):
        notes = (
            f"{n_outputs - len(classes)} of the head's {n_outputs} outputs have no points, and are "
            "left out",
        )
    return ClassResult(
        value=float(np.linalg.norm(per_class)),
        higher_is_better=False,
        per_class=per_class,
        classes=classes,
        notes=notes,
    )


def dual_matrices(moments: ClassMoments, classes: Array, head: Head) -> tuple[Array, Array]:
    """Return the weights and the centered means of the classes, both of norm 1."""
    rows = head.weights[outputs_of(classes, len(head.weights))]
    means = moments.centered
    if moments.rank == 0:
        raise UndefinedMeasureError(
            f"NC3 compares the class means, and all {len(classes)} of them coincide"
        )
    size = float(np.linalg.norm(rows))
    if size == 0.0:
        raise UndefinedMeasureError("NC3 compares the head's weights, which are all 0")
    means = means / np.abs(means).max()
    return rows / size, means / np.linalg.norm(means)


def nc4(
    points: AnyArray, labels: AnyArray, weights: AnyArray, bias: AnyArray | None = None
) -> HeadAgreement:
    r"""NC4: how often the head decides otherwise than the nearest class mean.

    .. math:: NC_4 = \frac1N \left|\left\{i : \arg\max_c (w_c \cdot x_i + b_c)
              \ne \arg\min_c \|x_i - m_c\|\right\}\right|

    In [0, 1], lower is better: 0 if the classifier has become that of the nearest class mean.
    Whether either is right does not matter.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        The representation that the head takes.
    labels : array-like (n_samples,)
        The class of each point: the number of its output, from 0.
    weights : array-like (n_outputs, n_features)
        The weights of the head, as of ``torch.nn.Linear``; Keras has them transposed.
    bias : array-like (n_outputs,), optional
        Its bias; 0 by default.

    Returns
    -------
    HeadAgreement
        ``value``, ``per_class`` and ``per_point``.

    Raises
    ------
    ValueError
        If the head does not fit the points, or a label is no output.

    See Also
    --------
    nc3 : Compares weights instead of decisions.
    distance_consistency : How often the nearest class mean is right.

    References
    ----------
    [Papyan2020]_.

    Examples
    --------
    Means at 1 and 5; the head decides at 2 instead of 3:

    >>> from unknot.metrics import nc4
    >>> nc4([[0.0], [2.5], [0.5], [5.0]], [0, 0, 0, 1], [[-1.0], [1.0]], [2.0, -2.0]).value
    0.25
    """
    checked, codes, classes = check_labeled(points, labels)
    head = as_head((weights, bias), checked.shape[1], classes)
    moments = class_moments(checked, codes, len(classes))
    given = as_numbers(points, "points")
    return warn_notes(nc4_from_points(given, checked, codes, classes, moments, head))


def nc4_from_points(
    given: Rows, points: Rows, codes: Array, classes: Array, moments: ClassMoments, head: Head
) -> HeadAgreement:
    """Compute NC4.

    Parameters
    ----------
    given : array or StoredPoints, (n_samples, n_features)
        The points as the head takes them.
    points : array or StoredPoints, (n_samples, n_features)
        The same, which may be moved and scaled, as the moments are.
    """
    outputs = outputs_of(classes, len(head.weights))
    lengths = np.square(moments.means).sum(axis=1)
    differs = np.empty(len(codes))
    for rows in row_blocks(np.arange(len(codes)), max(points.shape[1], len(head.weights))):
        taken = np.asarray(given[rows], dtype=np.float64)
        if isinstance(given, StoredPoints) and given.origin is not None:
            taken = taken + given.origin
        decided = (taken @ head.weights.T + head.bias).argmax(axis=1)
        centered = points[rows] - moments.origin
        nearest = (lengths - 2.0 * (centered @ moments.means.T)).argmin(axis=1)
        differs[rows] = decided != outputs[nearest]
    counts = np.bincount(codes, minlength=len(classes))
    return HeadAgreement(
        value=float(differs.mean()),
        per_class=np.bincount(codes, weights=differs, minlength=len(classes)) / counts,
        per_point=differs.astype(np.float32),
        classes=classes,
    )
