"""The similarity of the layers of one study, or of two of the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import Array

if TYPE_CHECKING:
    from ..metrics import SimilarityMatrix
    from ._study import Study
else:
    SimilarityMatrix = Study = Any

# Bytes of the inputs of two studies that are compared at a time.
BLOCK_BYTES = 2**24
# Samples that tell whether the inputs of one study are those of another, scaled.
FEW = 256
SAME_VALUES, SAME_PICTURES = 0.9999, 0.9


def similarity(
    study: Study, other: Study | None, measure: Any, options: dict[str, Any]
) -> SimilarityMatrix:
    """Compare layers; as `Study.similarity`."""
    from ..metrics import similarity_matrix

    first = _points_of(study)
    second = None
    names = (study.name, "")
    if other is not None:
        check_same_samples(study, other)
        second = _points_of(other)
        names = (study.name, other.name)
        if study.name == other.name:
            names = (f"{study.name} (first)", f"{other.name} (second)")
    return similarity_matrix(first, second, measure, names=names, **options)


def _points_of(study: Study) -> dict[str, Any]:
    """Return the points of the layers that are no views of others."""
    own = {name: layer for name, layer in study.layers.items() if layer.same_as is None}
    missing = [name for name, layer in own.items() if layer.points is None]
    if missing:
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" * (len(missing) > 3))
        raise ValueError(
            f"the study of {study.name!r} was made without keeping the points of {listed}, which "
            "similarities are computed from; make it again with keep_points=True (--keep-points), "
            "or leave these layers out with select"
        )
    return {name: layer.points for name, layer in own.items()}


def check_same_samples(study: Study, other: Study) -> None:
    """Raise a ValueError if two studies are not of the same samples in the same order.

    Their inputs are compared, of which those of one may be scaled or standardized; or else the
    labels and what is shown of the samples.
    """
    n = len(study.labels)
    if len(other.labels) != n:
        raise _differing(f"the first has {n:,} samples, the second {len(other.labels):,}")
    inputs = [each.layers["inputs"].points for each in (study, other) if "inputs" in each.layers]
    if len(inputs) == 2 and all(points is not None for points in inputs):
        first, second = inputs
        if first.size == second.size:
            differing = _first_differing(first, second, n)
            if differing is None:
                return
            if first.shape == second.shape:
                if not (_cosines_of_values(first, second) >= SAME_VALUES).all():
                    raise _differing(f"the inputs differ, first at index {differing}")
                return
        # Models may take their inputs in other shapes, such as smaller images.
    if study.targets is not None and other.targets is not None:
        same = (study.targets == other.targets) | ~(study.labeled | other.labeled)
        _require_all(same, "labels")
    elif study.targets is None and other.targets is None:
        _require_all(_names_of(study) == _names_of(other), "labels")
    one, two = study.thumbnails, other.thumbnails
    if one is not None and two is not None and one.shape == two.shape:
        # Of scaled inputs they are rounded in other ways.
        cosines = _cosines_of_values(one, two)
        if len(cosines) and np.median(cosines) < SAME_PICTURES:
            raise _differing("their thumbnails are other pictures")
    if study.snippets is not None and other.snippets is not None:
        texts = np.array(study.snippets, object), np.array(other.snippets, object)
        numbers = study.layers.keys() & other.layers.keys() & {"inputs"}
        if not numbers:
            _require_all(texts[0] == texts[1], "snippets")


def _names_of(study: Study) -> Array:
    """Return the name of each sample's class, empty where it is unlabeled."""
    names = np.array([*study.class_names, ""], dtype=object)
    return np.asarray(names[study.labels])


def _first_differing(first: Any, second: Any, n_samples: int) -> int | None:
    """Return the first sample whose values differ, compared a part at a time; None if none does."""
    step = max(1, BLOCK_BYTES // (8 * max(1, first.size // n_samples)))
    for start in range(0, n_samples, step):
        one, two = (
            np.asarray(points[start : start + step]).reshape(min(step, n_samples - start), -1)
            for points in (first, second)
        )
        differing = np.flatnonzero((one != two).any(axis=1))
        if len(differing):
            return start + int(differing[0])
    return None


def _cosines_of_values(first: Any, second: Any) -> Array:
    """Return how far each value of some samples is a linear function of the same in the other.

    The absolute correlation, of values that vary in one of them at least.
    """
    one, two = (np.asarray(points[:FEW]).astype(np.float64) for points in (first, second))
    one, two = (each.reshape(len(each), -1) for each in (one, two))
    one, two = one - one.mean(axis=0), two - two.mean(axis=0)
    squares = (one**2).sum(axis=0), (two**2).sum(axis=0)
    varying = [each > 1e-9 * each.max() for each in squares]
    kept = (varying[0] | varying[1]) & ((squares[0] + squares[1]) > 0)
    lengths = np.sqrt(squares[0] * squares[1])[kept]
    products = np.abs((one * two).sum(axis=0))[kept]
    found: Array = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return found


def _require_all(same: Array, what: str) -> None:
    differing = np.flatnonzero(~np.asarray(same, dtype=bool))
    if len(differing):
        raise _differing(f"the {what} differ, first at index {int(differing[0])}")


def _differing(how: str) -> ValueError:
    return ValueError(
        f"other must be a study of the same samples in the same order; {how}. Make both studies "
        "with the same data, max_samples and random_state"
    )
