"""The labels of a study: classes or numbers, without what is ignored or missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..._validation.label_values import LabelValues, label_values
from ..._validation.labels import check_labels
from .._store.format import StudyError
from .label_kinds import (
    IGNORED,
    are_numbers,
    check_shape,
    has_fractions,
    ignored_labels,
    is_number,
    kind_of,
    notes_on_unlabeled,
)
from .label_names import ClassNames, checked_names, named_classes, plain
from .labeling import UNLABELED, Labeling


def take_labels(
    labels: Any,
    *,
    class_names: ClassNames | None = None,
    ignore_labels: Any = IGNORED,
    n_samples: int | None = None,
    kind: str | None = None,
    name: str = "data: labels",
) -> Labeling:
    """Convert one label a sample, of any type, to codes or numbers.

    Parameters
    ----------
    labels : array-like (n_samples,), or (n_samples, C)
        Integers, strings, booleans, or numbers with fractions; C columns only if each row is
        one-hot. NaN, None, NA and masked entries are unlabeled.
    class_names : sequence of str, or mapping of labels to str
        In the order of the model's outputs.
    ignore_labels : label or collection of labels
        Samples with these labels are unlabeled.
    n_samples : int, optional
        The number of samples that must be labeled.
    kind : {"classes", "values"}, optional
        What the labels are; by default, numbers with fractions are values.

    Raises
    ------
    ValueError
        If there is not one label for each sample, a label is infinite or has no class name, or an
        argument is none of the above.
    TypeError
        If labels are of several kinds, or fractions are said to be classes.
    """
    if isinstance(labels, Labeling):
        return labels
    if kind not in (None, "classes", "values"):
        raise ValueError(f"label_kind must be 'classes' or 'values'; got {kind!r}")
    taken = label_values(labels, name)
    notes: tuple[str, ...] = ()
    if taken.values.ndim == 2:
        taken, notes = _from_one_hot(taken, name)
    check_shape(taken.values, n_samples, name)
    ignored, default = ignored_labels(ignore_labels)
    present = taken.present
    is_number = taken.categories is None and are_numbers(present)
    if kind == "values" and not is_number:
        raise TypeError(
            f"{name} must be numbers with label_kind='values'; got {kind_of(present, taken)}"
        )
    if kind == "values" or (kind is None and is_number and has_fractions(present)):
        return _numbers(taken, () if default else ignored, name, notes)
    return _classes(taken, class_names, ignored, default, name, notes)


def _from_one_hot(taken: LabelValues, name: str) -> tuple[LabelValues, tuple[str, ...]]:
    array = taken.values
    numbers = array if array.dtype.kind in "biuf" else None
    if numbers is None and not taken.missing.any() and are_numbers(taken.present):
        numbers = array.astype(np.float64)
    if numbers is not None and not taken.missing.any():
        if np.isin(numbers, (0, 1)).all() and (numbers.astype(np.int64).sum(axis=1) == 1).all():
            note = f"the labels are one-hot; their {array.shape[1]} columns are taken as classes"
            codes = numbers.argmax(axis=1)
            categories = None if codes.max() + 1 == array.shape[1] else array.shape[1]
            names = None if categories is None else tuple(map(str, range(categories)))
            return LabelValues(codes, np.zeros(len(codes), dtype=bool), names), (note,)
        if numbers.dtype.kind == "f" and np.allclose(numbers.sum(axis=1), 1, atol=1e-3):
            raise ValueError(
                f"{name} has probabilities of {array.shape[1]} classes in each row; pass the "
                "class: labels.argmax(axis=1)"
            )
    raise ValueError(
        f"{name} must hold one label a sample; got the shape {array.shape}. If each column is a "
        "labeling of its own, pass them by name: {'species': labels[:, 0], ...}; columns of 0 and "
        "1 are taken as they are"
    )


def _numbers(
    taken: LabelValues, ignored: tuple[Any, ...], name: str, notes: tuple[str, ...]
) -> Labeling:
    values = np.full(len(taken.values), np.nan)
    values[~taken.missing] = taken.present.astype(np.float64)
    if infinite := int(np.isinf(values).sum()):
        raise ValueError(
            f"{name} has {infinite} infinite values; make them NaN if they are missing"
        )
    counts = {}
    for each in ignored:
        if is_number(each) and (count := int((values == each).sum())):
            counts[each] = count
            values[values == each] = np.nan
    missing = int(taken.missing.sum())
    return Labeling(
        np.full(len(values), UNLABELED, dtype=np.int64),
        (),
        order_known=False,
        named=True,
        notes=(*notes, *notes_on_unlabeled(len(values), missing, counts)),
        kind="values",
        values=values,
    )


def _classes(
    taken: LabelValues,
    class_names: ClassNames | None,
    ignored: tuple[Any, ...],
    default: bool,
    name: str,
    notes: tuple[str, ...],
) -> Labeling:
    if isinstance(class_names, Mapping):
        class_names = {plain(key): text for key, text in class_names.items()}
    elif class_names is not None:
        class_names = checked_names(class_names)
    missing, n_samples = int(taken.missing.sum()), len(taken.values)
    labeled = np.flatnonzero(~taken.missing)
    if not len(labeled):
        raise ValueError(f"{name}: all {n_samples} labels are missing; nothing can be measured")
    if taken.categories is not None:
        own, classes = taken.values[labeled].astype(np.int64), np.array(taken.categories)
    else:
        own, classes = check_labels(taken.present, name=name)
    # Only 1 beside -1: the two sides of a binary classifier, as margins have them.
    if default and classes.dtype.kind == "i" and classes.tolist() == [-1, 1]:
        ignored = ()
        notes = (*notes, "the labels are -1 and 1: -1 is taken as a class, not as unlabeled")
    counts: dict[Any, int] = {}
    kept = np.ones(len(own), dtype=bool)
    for each in ignored:
        same = [code for code, value in enumerate(classes.tolist()) if _same(value, each)]
        for code in same:
            if count := int((own == code).sum()):
                counts[each] = count
                kept &= own != code
    if not default:
        absent = [each for each in ignored if each not in counts]
        if absent and not any(each in IGNORED for each in absent):
            notes = (*notes, f"ignore_labels: no sample is labeled {', '.join(map(repr, absent))}")
    labeled, own = labeled[kept], own[kept]
    if not len(labeled):
        raise ValueError(
            f"{name}: every label is ignored or missing; ignore_labels={ignored!r} leaves none"
        )
    if taken.categories is None:
        present, own = np.unique(own, return_inverse=True)
        classes = classes[present]
    found = named_classes(own, classes, class_names, taken.categories is not None, name)
    codes = np.full(n_samples, UNLABELED, dtype=np.int64)
    codes[labeled] = found.codes
    return replace(
        found,
        codes=codes,
        notes=(
            *notes,
            *found.notes,
            *notes_on_unlabeled(n_samples, missing, counts, default=default),
        ),
    )


def _same(value: Any, ignored: Any) -> bool:
    return isinstance(value, str) == isinstance(ignored, str) and bool(value == ignored)


def require_usable(labelings: Mapping[str, Labeling]) -> tuple[dict[str, Labeling], list[str]]:
    """Return the labelings that can be measured, and a note on each that cannot.

    Raises
    ------
    StudyError
        If none can.
    """
    usable = {key: each for key, each in labelings.items() if each.problem is None}
    if not usable:
        problems = {key: each.problem for key, each in labelings.items()}
        first = next(iter(problems.values()))
        if len(problems) == 1:
            raise StudyError(f"data: {first}")
        raise StudyError(
            "data: no labeling can be measured: "
            + "; ".join(f"{key!r}: {problem}" for key, problem in problems.items())
        )
    notes = [
        f"the labeling {key!r} is left out: {each.problem}"
        for key, each in labelings.items()
        if each.problem is not None
    ]
    return usable, notes


def ignoring(labeling: Labeling, ignore_labels: Any) -> Labeling:
    """Return classes with names without those to ignore, told by name or by number."""
    ignored, default = ignored_labels(ignore_labels)
    if default or not ignored:
        return labeling
    gone = np.zeros(len(labeling), dtype=bool)
    counts: dict[Any, int] = {}
    for each in ignored:
        for code, text in enumerate(labeling.class_names):
            if text == each or (is_number(each) and str(each) == text):
                same = labeling.codes == code
                counts[each] = int(same.sum())
                gone |= same
    codes = np.where(gone, UNLABELED, labeling.codes)
    absent = [repr(each) for each in ignored if each not in counts]
    notes = (f"ignore_labels: no sample is labeled {', '.join(absent)}",) if absent else ()
    more = notes_on_unlabeled(len(codes), 0, {each: n for each, n in counts.items() if n})
    return replace(labeling, codes=codes, notes=(*labeling.notes, *notes, *more))
