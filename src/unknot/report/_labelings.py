"""The labels of the page, and what differs from one labeling to another."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..studies import Study, suspected_labels
from ._options import Options, rows_among
from ._packing import is_packed, pack, pack_shares, pack_values


def labels_entry(study: Study, options: Options) -> dict[str, Any]:
    """Build the labels; the unlabeled have the number after that of the last class.

    Numbers are packed with their range; all samples are then of one code, without a name.
    """
    names = [str(name) for name in study.class_names]
    unlabeled = int((~options.shown(study.labeled)).sum())
    if study.targets is not None:
        values = options.shown(study.targets)
        return {
            "classNames": [],
            "labels": pack(np.zeros(len(values), dtype=np.int64)),
            "unlabeled": unlabeled,
            "values": pack_values(values),
        }
    codes = options.shown(np.where(study.labeled, study.labels, len(names)))
    entry: dict[str, Any] = {"classNames": names, "labels": pack(codes)}
    # What earlier pages lacked is left out where there is nothing to say.
    return {**entry, "unlabeled": unlabeled} if unlabeled else entry


def suspects_entry(study: Study, options: Options) -> dict[str, Any] | None:
    """Build the labels to check, the most suspicious first, of the samples that are shown.

    None where too few layers have neighbors.
    """
    found = suspected_labels(study)
    if not found.n_asked:
        return None
    points = np.arange(len(found.samples))
    numbers = found.samples
    if options.points is not None:
        points = np.flatnonzero(np.isin(found.samples, options.points))
        numbers = np.searchsorted(options.points, found.samples[points])
    return {
        "layers": found.n_asked,
        "overlap": found.overlap,
        "points": pack(numbers),
        "classes": pack(found.classes[points]),
        "votes": pack(found.n_layers[points]),
        "shares": pack_shares(found.shares[points]),
    }


def common_labelings(studies: Sequence[Study]) -> list[str]:
    """Return the labelings that all studies have, the first one first."""
    return [
        name
        for name in studies[0].labelings
        if all(name in study.labelings for study in studies[1:])
    ]


def changes(base: Any, other: Any) -> list[list[Any]]:
    """Return the paths at which two payloads differ, each with the other's value.

    A path alone is that of a key that only the base has.

    Examples
    --------
    >>> changes({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1, "c": 3}], "d": 4})
    [[['a', 0, 'c'], 3], [['d'], 4]]
    >>> changes({"a": 1, "b": 2}, {"a": 1})
    [[['b']]]
    """
    return [list(change) for change in _differences([], base, other)]


def _differences(path: list[str | int], base: Any, other: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(base, dict) and isinstance(other, dict) and not is_packed(base):
        for key in (*base, *(key for key in other if key not in base)):
            if key not in other:
                yield ([*path, key],)
            elif key not in base:
                yield [*path, key], other[key]
            else:
                yield from _differences([*path, key], base[key], other[key])
    elif _are_alike(base, other):
        for index, (one, two) in enumerate(zip(base, other, strict=True)):
            yield from _differences([*path, index], one, two)
    elif base != other:
        yield path, other


def _are_alike(base: Any, other: Any) -> bool:
    """Whether both are lists of as many dicts."""
    if not isinstance(base, list) or not isinstance(other, list) or len(base) != len(other):
        return False
    return bool(base) and all(isinstance(each, dict) for each in (*base, *other))


def labeled_rows(indices: Array, labeled: Array, k: int) -> Array | None:
    """Return the first k labeled neighbors of each labeled point, numbered among the labeled.

    None if a list of neighbors holds fewer of them.
    """
    rows = indices[labeled]
    if (labeled[rows].sum(axis=1) < k).any():
        return None
    return rows_among(rows, labeled, k)
