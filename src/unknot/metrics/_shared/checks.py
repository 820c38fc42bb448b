"""Validation of arguments that several measures share."""

from ..._typing import AnyArray, Array
from ..._validation.points import check_labels, scale_free
from .results import UndefinedMeasureError, format_names


def check_labeled(
    points: AnyArray, labels: AnyArray, *, min_classes: int = 1, measure: str = ""
) -> tuple[Array, Array, Array]:
    """Return validated points, labels as 0..C-1, and the class values.

    Raises
    ------
    UndefinedMeasureError
        If there are fewer classes than the measure needs.
    """
    checked = scale_free(points)
    codes, classes = check_labels(labels, len(checked))
    require_classes(classes, min_classes, measure)
    return checked, codes, classes


def check_mapped(points: AnyArray, map_: AnyArray, *, min_samples: int = 1) -> tuple[Array, Array]:
    """Return a representation and its map, both as float32 (n_samples, n).

    Raises
    ------
    ValueError
        If their numbers of samples differ, or one of them is invalid.
    """
    x = scale_free(points, min_samples=min_samples)
    y = scale_free(map_, name="map_")
    if len(x) != len(y):
        raise ValueError(
            f"points and map_ must have the same samples; got {len(x)} and {len(y)} of them"
        )
    return x, y


def require_classes(classes: Array, min_classes: int, measure: str) -> None:
    """Raise `UndefinedMeasureError` if there are fewer classes than the measure needs."""
    if len(classes) < min_classes:
        raise UndefinedMeasureError(
            f"{measure} compares classes and needs at least {min_classes} of them; "
            f"labels contain {len(classes)}: {format_names(classes)}"
        )
