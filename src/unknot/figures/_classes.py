"""The classes of a figure: the value, name and color of each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .._typing import Array, Labels
from .._validation.points import check_labels
from ._palette import class_colors


class ClassKey(NamedTuple):
    """What is known of each class, in the order of their values."""

    values: Array
    names: list[str]
    colors: list[str]

    def select(self, labels: ArrayLike) -> tuple["ClassKey", Labels]:
        """Choose the classes that labels have, and number the labels by their place among them."""
        codes, present = check_labels(labels)
        return self.of(present), codes

    def of(self, classes: Array) -> "ClassKey":
        """Choose classes by their values, in the order given."""
        places = {value: place for place, value in enumerate(self.values.tolist())}
        missing = [value for value in classes.tolist() if value not in places]
        if missing:
            raise ValueError(
                f"the result has the class {missing[0]!r}, which the labels do not have; measure "
                "the same labels that are drawn"
            )
        chosen = [places[value] for value in classes.tolist()]
        return ClassKey(
            classes, [self.names[place] for place in chosen], [self.colors[p] for p in chosen]
        )

    def handles(self) -> list[Line2D]:
        """Round swatches for a legend."""
        return [
            Line2D([], [], linestyle="", marker="o", markersize=7, markeredgewidth=0, color=color)
            for color in self.colors
        ]


def all_classes(labels: Sequence[ArrayLike]) -> Array:
    """Return the sorted distinct values of several sets of labels."""
    found = [check_labels(each)[1] for each in labels]
    if len({"U" in each.dtype.kind for each in found}) > 1:
        raise TypeError("labels must be strings for all maps, or for none")
    if len({each.dtype.kind for each in found} & {"i", "u"}) > 1:
        # NumPy's common type of int64 and uint64 is float64, which does not hold them all.
        distinct = {value for each in found for value in each.tolist()}
        return check_labels(sorted(distinct), name="labels of all maps")[1]
    return np.unique(np.concatenate(found))


def class_key(
    labels: Sequence[ArrayLike],
    class_names: Sequence[str] | None,
    palette: str | Sequence[str],
) -> ClassKey:
    """Find the classes of several sets of labels, and give each its name and color.

    Whole-number labels 0..C-1 stand for the C class names, whether or not each occurs; other
    labels, sorted, must be as many as the class names.
    """
    values = all_classes(labels)
    if class_names is None:
        names = [str(value) for value in values.tolist()]
        return ClassKey(values, names, class_colors(len(names), palette))
    names = list(class_names)
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < len(names):
        values = np.arange(len(names))
    if len(names) != len(values):
        raise ValueError(
            f"class_names must have one name for each of the {len(values)} classes; "
            f"got {len(names)}"
        )
    return ClassKey(values, names, class_colors(len(names), palette))
