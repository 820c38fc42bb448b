"""Selections from a study: layers and classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from .._io.text import no_such_layer
from .._typing import Array
from ._layer import LayerStudy
from ._own_maps import OwnMap

OF_ALL_CLASSES = "a slice by class: scores and neighbors are of all classes, and are left out"


def match_layers(layers: Iterable[str], wanted: str | Sequence[str]) -> list[str]:
    """Return the layers that match names or patterns, in order.

    Raises
    ------
    ValueError
        If nothing matches; similar names are suggested.
    """
    known = list(layers)
    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    found: set[str] = set()
    for pattern in patterns:
        # An exact name is not read as a pattern, even if it contains brackets.
        matching = [pattern] if pattern in known else [n for n in known if fnmatchcase(n, pattern)]
        if not matching:
            raise ValueError(
                f"layers: the study has no layer {pattern!r}{no_such_layer(pattern, known)}"
            )
        found.update(matching)
    return [name for name in known if name in found]


def rows_of_classes(
    labels: Array, class_names: tuple[str, ...], classes: int | str | Sequence[int | str]
) -> Array:
    """Return the row numbers of samples of some classes.

    Raises
    ------
    ValueError
        If there is no such class, or none of its samples.
    """
    wanted = [classes] if isinstance(classes, int | str) else list(classes)
    codes = []
    for each in wanted:
        if isinstance(each, str) and each in class_names:
            codes.append(class_names.index(each))
        elif isinstance(each, int | np.integer) and 0 <= each < len(class_names):
            codes.append(int(each))
        else:
            raise ValueError(
                f"classes must be 0..{len(class_names) - 1} or among "
                f"{', '.join(class_names)}; got {each!r}"
            )
    rows = np.flatnonzero(np.isin(labels, codes))
    if not len(rows):
        raise ValueError(f"classes: the study has no sample of {wanted}")
    return rows


class SomeRows:
    """Selected samples of an array, which may be on disk; read when sliced."""

    def __init__(self, array: Any, rows: Array) -> None:
        self._array, self._rows = array, rows
        self.shape = (len(rows), *array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Array:
        samples, *rest = index if isinstance(index, tuple) else (index,)
        rows = self._rows[samples]
        one = np.ndim(rows) == 0
        rows = np.atleast_1d(rows)
        array = self._array
        taken = array.oindex[rows] if hasattr(array, "oindex") else array[rows]
        part: Array = np.asarray(taken)
        if one:
            return np.asarray(part[0][tuple(rest)] if rest else part[0])
        return np.asarray(part[(slice(None), *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


def layer_of_classes(layer: LayerStudy, rows: Array) -> LayerStudy:
    """Return a layer with some of its samples."""
    points = layer.points
    if isinstance(points, np.ndarray):
        points = points[rows]
    elif points is not None:
        points = SomeRows(points, rows)
    part = replace(
        layer,
        points=points,
        graph=None,
        influences=None,
        map=None if layer.map is None else layer.map[rows],
        scores=None,
        kl_divergence=None,
        other_maps={name: OwnMap(own.map[rows]) for name, own in layer.other_maps.items()},
        notes=(*layer.notes, OF_ALL_CLASSES),
    )
    return part if layer.origin is None else part.stored_in(layer.origin)
