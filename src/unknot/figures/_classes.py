"""The classes shown in a figure: label value, name and color."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .._typing import Array, Labels
from .._validation.points import check_labels
from ._palette import class_colors


class ClassKey(NamedTuple):
    """Label values, names and colors of the classes, sorted by value."""

    values: Array
    names: list[str]
    colors: list[str]

    def select(self, labels: ArrayLike) -> tuple["ClassKey", Labels]:
        """Return the subset of classes that occur in the labels, and the labels as its indices."""
        codes, present = check_labels(labels)
        return self.subset(present), codes

    def subset(self, classes: Array) -> "ClassKey":
        """Select classes by value, in the given order."""
        indices = {value: index for index, value in enumerate(self.values.tolist())}
        missing = [value for value in classes.tolist() if value not in indices]
        if missing:
            raise ValueError(
                f"the result has the class {missing[0]!r}, which is not among the labels; compute "
                "it with the labels that are drawn"
            )
        selected = [indices[value] for value in classes.tolist()]
        return ClassKey(
            classes, [self.names[i] for i in selected], [self.colors[i] for i in selected]
        )

    def handles(self) -> list[Line2D]:
        """Return the legend handles: one dot per class."""
        return [
            Line2D([], [], linestyle="", marker="o", markersize=7, markeredgewidth=0, color=color)
            for color in self.colors
        ]


def all_classes(labels: Sequence[ArrayLike]) -> Array:
    """Return the sorted distinct values of several label arrays."""
    class_sets = [check_labels(array)[1] for array in labels]
    if len({"U" in classes.dtype.kind for classes in class_sets}) > 1:
        raise TypeError("labels must be strings for all maps, or for none")
    if len({classes.dtype.kind for classes in class_sets} & {"i", "u"}) > 1:
        # NumPy promotes int64 and uint64 to float64, which cannot represent all their values.
        distinct = {value for classes in class_sets for value in classes.tolist()}
        return check_labels(sorted(distinct), name="labels of all maps")[1]
    return np.unique(np.concatenate(class_sets))


def class_key(
    labels: Sequence[ArrayLike],
    class_names: Sequence[str] | None,
    palette: str | Sequence[str],
) -> ClassKey:
    """Return the names and colors of all classes in several label arrays.

    Integer labels 0..C-1 index the C class names, and not every class must occur. Any other labels
    are sorted; there must be one class name per distinct label.
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
