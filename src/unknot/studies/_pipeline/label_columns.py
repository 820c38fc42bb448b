"""Several labels a sample: by name, or columns of yes and no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array
from ..._validation.label_values import LabelValues, label_values
from .._study import ONLY
from .label_kinds import (
    IGNORED,
    are_numbers,
    check_shape,
    ignored_labels,
    is_number,
    notes_on_unlabeled,
)
from .label_names import checked_names
from .labeling import UNLABELED, Labeling
from .labels import take_labels


def take_labelings(
    labels: Any,
    *,
    class_names: Any = None,
    ignore_labels: Any = IGNORED,
    n_samples: int | None = None,
    kind: Any = None,
    name: str = "data: labels",
) -> dict[str, Labeling]:
    """Convert one or several labels a sample.

    Parameters
    ----------
    labels : array-like, or mapping of str to array-like
        As `take_labels`, or several of them by name: a mapping or a frame. Columns of 0 and 1 are
        as many labelings of no and yes, called by `class_names`, a sequence, or by their numbers.
    class_names, kind
        As for `take_labels`; of several labelings a mapping of their names to these.

    Returns
    -------
    dict of str to Labeling
        One labeling alone is called "labels".

    Raises
    ------
    ValueError, TypeError
        As `take_labels`; the message names the labeling.
    """
    columns = named_columns(labels)
    if columns is not None and len(columns) == 1 and not isinstance(labels, Mapping):
        labels, columns = next(iter(columns.values())), None
    if columns is None:
        flags = None if isinstance(labels, Labeling) else _flags(labels, ignore_labels, name)
        if flags is not None:
            return _yes_or_no(*flags, class_names, n_samples, name)
        one = take_labels(
            labels,
            class_names=class_names,
            ignore_labels=ignore_labels,
            n_samples=n_samples,
            kind=kind,
            name=name,
        )
        return {ONLY: one}
    if not columns:
        raise ValueError(f"{name} must hold at least one labeling; got none")
    names_of = _by_labeling(class_names, columns, "class_names")
    kinds = dict.fromkeys(columns, kind) if isinstance(kind, str) else kind
    kind_of = _by_labeling(kinds, columns, "label_kind")
    ignored_of = ignore_labels if isinstance(ignore_labels, Mapping) else {}
    default = IGNORED if isinstance(ignore_labels, Mapping) else ignore_labels
    found: dict[str, Labeling] = {}
    for key, values in columns.items():
        own = f"{name}[{key!r}]"
        for sub, labeling in take_labelings(
            values,
            class_names=names_of.get(key),
            ignore_labels=ignored_of.get(key, default),
            n_samples=n_samples,
            kind=kind_of.get(key),
            name=own,
        ).items():
            found[str(key) if sub == ONLY else f"{key}: {sub}"] = labeling
    lengths = {key: len(labeling) for key, labeling in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{name} must hold as many labels in each labeling; got "
            + ", ".join(f"{length} in {key!r}" for key, length in lengths.items())
        )
    return found


def named_columns(labels: Any) -> dict[Any, Any] | None:
    """Return the columns of a mapping or frame by name; None of anything else."""
    if isinstance(labels, Mapping):
        return dict(labels)
    if hasattr(labels, "iloc") and hasattr(labels, "columns"):  # pandas
        return {str(column): labels[column] for column in labels.columns}
    if hasattr(labels, "columns") and hasattr(labels, "get_column"):  # polars
        return {str(column): labels.get_column(column) for column in labels.columns}
    return None


def _by_labeling(given: Any, columns: Mapping[Any, Any], argument: str) -> dict[Any, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{argument} must be a dict of each labeling's own, as there are {len(columns)}: "
            f"{', '.join(map(repr, columns))}; got {given!r}"
        )
    for key in given:
        if key not in columns:
            raise ValueError(
                f"{argument}: there is no labeling {key!r}"
                f"{did_you_mean(str(key), [str(column) for column in columns])}"
            )
    return dict(given)


def _flags(labels: Any, ignore_labels: Any, name: str) -> tuple[LabelValues, Array] | None:
    """Return columns of 0 and 1 that are not one-hot, and which entries are missing."""
    taken = label_values(labels, name)
    if taken.values.ndim != 2:
        return None
    missing, present = taken.missing, taken.present
    if present.dtype.kind != "b" and are_numbers(present):
        ignored = [value for value in ignored_labels(ignore_labels)[0] if is_number(value)]
        missing = missing | np.isin(taken.values, ignored) if ignored else missing
    elif present.dtype.kind != "b":
        return None
    left = taken.values[~missing]
    if left.dtype.kind == "O":
        left = left.astype(np.float64)
    if not np.isin(left, (0, 1)).all():
        return None
    if not missing.any() and (taken.values.astype(np.int64).sum(axis=1) == 1).all():
        return None
    return taken, missing


def _yes_or_no(
    taken: LabelValues,
    missing: Array,
    class_names: Any,
    n_samples: int | None,
    name: str,
) -> dict[str, Labeling]:
    check_shape(taken.values[:, 0], n_samples, name)
    n_columns = taken.values.shape[1]
    if class_names is None:
        names = tuple(str(column) for column in range(n_columns))
    else:
        names = checked_names(class_names)
        if len(names) != n_columns:
            raise ValueError(
                f"class_names must have one name for each of the {n_columns} columns of {name}; "
                f"got {len(names)}"
            )
    found = {}
    for column, label in enumerate(names):
        values, gone = taken.values[:, column], missing[:, column]
        codes = np.full(len(values), UNLABELED, dtype=np.int64)
        codes[~gone] = values[~gone].astype(np.int64)
        found[label] = Labeling(
            codes,
            ("no", "yes"),
            order_known=True,
            named=True,
            notes=notes_on_unlabeled(len(codes), int(gone.sum()), {}),
            column=column,
            n_columns=n_columns,
        )
    return found
