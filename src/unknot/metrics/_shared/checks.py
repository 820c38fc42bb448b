"""Validation of arguments that several measures share."""

from ..._io.stored_points import StoredPoints
from ..._typing import AnyArray, Array
from ..._validation.points import check_labels, scale_free
from .metric import check_metric, in_metric
from .results import UndefinedMeasureError, format_names


def check_labeled(
    points: AnyArray,
    labels: AnyArray,
    *,
    metric: str = "euclidean",
    min_classes: int = 1,
    measure: str = "",
) -> tuple[Array, Array, Array]:
    """Return validated points (for the cosine, `in_metric`), labels as 0..C-1, and class values.

    Raises
    ------
    UndefinedMeasureError
        If there are fewer classes than the measure needs.
    """
    checked, _ = in_metric(points, check_metric(metric))
    assert not isinstance(checked, StoredPoints)
    codes, classes = check_labels(labels, len(checked))
    require_classes(classes, min_classes, measure)
    return checked, codes, classes


def check_mapped(
    points: AnyArray, map_: AnyArray, *, min_samples: int = 1, metric: str = "euclidean"
) -> tuple[Array, Array]:
    """Return a representation and its map, both as float32 (n_samples, n).

    Raises
    ------
    ValueError
        If their numbers of samples differ, or one of them is invalid.
    """
    x, _ = in_metric(points, check_metric(metric), min_samples=min_samples)
    assert not isinstance(x, StoredPoints)
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
