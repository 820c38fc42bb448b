"""Measures of similarity in two steps: what is computed of each layer, and of each pair."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array
from ..._validation.numbers import check_integer
from .._shared.gram import Gram, hsic_of_all
from .._shared.metric import check_metric
from ..canonical import check_variance, components_of, pwcca_of, svcca_of
from ..mutual_neighbors import mutual_of_graphs, neighbors_in
from ..procrustes import procrustes_points, procrustes_value
from ..rsa import check_correlation, check_distance, correlation_of, distances_of
from ..similarity import require_own

TITLES: Final = {
    "linear_cka": "linear CKA",
    "rsa": "RSA",
    "procrustes": "Procrustes similarity",
    "mutual_knn": "mutual nearest neighbors",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
}


@dataclass(frozen=True)
class Comparer:
    """A measure of similarity.

    Attributes
    ----------
    name, title : str
    prepare : callable
        Returns what is needed of the points of a layer, given these and its name.
    compare : callable
        Returns the similarity of two such results.
    min_samples : int
    symmetric : bool
    range : (float, float)
        The smallest and largest possible value.
    chance : callable
        Returns the value by chance for a number of samples, where it is known.
    caveats : callable
        Returns notes, given what was prepared of the rows and of the columns.
    compare_all : callable or None
        Returns what `compare` does of each of some results and each of others, in less time.
    """

    name: str
    title: str
    prepare: Callable[[Array, str], Any]
    compare: Callable[[Any, Any], float]
    min_samples: int = 2
    symmetric: bool = True
    range: tuple[float, float] = (0.0, 1.0)
    chance: Callable[[int], float | None] = lambda n_samples: None
    caveats: Callable[[Sequence[Any], Sequence[Any]], tuple[str, ...]] = lambda rows, columns: ()
    compare_all: Callable[[Sequence[Any], Sequence[Any]], Array] | None = None


def comparer_of(measure: Any, options: dict[str, Any]) -> Comparer:
    """Return a measure by its name, or of a function of two arrays.

    Raises
    ------
    ValueError
        If there is no such measure or option.
    """
    if callable(measure):
        name = getattr(measure, "__name__", "similarity")
        return Comparer(
            name,
            name.replace("_", " "),
            lambda points, name: points,
            lambda first, second: float(measure(first, second, **options)),
            symmetric=False,
            range=(-np.inf, np.inf),
        )
    if measure not in TITLES:
        close = did_you_mean(measure, TITLES) if isinstance(measure, str) else ""
        raise ValueError(
            f"measure must be one of {', '.join(TITLES)}, or a function of two arrays; got "
            f"{measure!r}{close}"
        )
    make = _MEASURES[measure]
    taken = inspect.signature(make).parameters
    for name in options:
        if name not in taken:
            raise ValueError(
                f"{name}: {measure} takes {', '.join(taken) or 'no options'}; got {name!r}"
            )
    return make(**options)


def _cka(*, debiased: bool = True) -> Comparer:
    def prepare(points: Array, name: str) -> tuple[Gram, float]:
        gram = Gram.of(points, name)
        own = gram.hsic(gram, debiased=debiased)
        require_own(own, name, len(points))
        return gram, own

    def compare(first: tuple[Gram, float], second: tuple[Gram, float]) -> float:
        cross = first[0].hsic(second[0], debiased=debiased)
        return min(max(cross / math.sqrt(first[1] * second[1]), 0.0), 1.0)

    def compare_all(first: Sequence[Any], second: Sequence[Any]) -> Array:
        rows = [gram for gram, _ in first]
        columns = rows if second is first else [gram for gram, _ in second]
        cross = hsic_of_all(rows, columns, debiased=debiased)
        own = np.outer([own for _, own in first], [own for _, own in second])
        return np.clip(cross / np.sqrt(own), 0.0, 1.0)

    return Comparer(
        "linear_cka",
        TITLES["linear_cka"],
        prepare,
        compare,
        min_samples=4,
        chance=lambda n_samples: 0.0 if debiased else None,
        compare_all=compare_all,
    )


def _rsa(*, distance: str = "correlation", correlation: str = "spearman") -> Comparer:
    check_distance(distance)
    check_correlation(correlation)
    return Comparer(
        "rsa",
        TITLES["rsa"],
        lambda points, name: distances_of(points, name, distance, correlation)[0].astype(
            np.float32
        ),
        correlation_of,
        min_samples=3,
        range=(-1.0, 1.0),
        chance=lambda n_samples: 0.0,
    )


def _procrustes() -> Comparer:
    return Comparer("procrustes", TITLES["procrustes"], procrustes_points, procrustes_value)


def _mutual(*, k: int = 10, metric: str = "euclidean") -> Comparer:
    metric, k = check_metric(metric), check_integer(k, "k", 1)
    return Comparer(
        "mutual_knn",
        TITLES["mutual_knn"],
        lambda points, name: neighbors_in(points, k, metric),
        lambda first, second: float(mutual_of_graphs(first, second).mean()),
        min_samples=k + 1,
        chance=lambda n_samples: k / (n_samples - 1),
    )


def _svcca(*, variance: float = 0.99) -> Comparer:
    check_variance(variance)
    return Comparer(
        "svcca",
        TITLES["svcca"],
        lambda points, name: components_of(points, name, variance),
        lambda first, second: svcca_of(first, second).value,
        min_samples=3,
        caveats=_too_many_components,
    )


def _pwcca() -> Comparer:
    return Comparer(
        "pwcca",
        TITLES["pwcca"],
        components_of,
        lambda first, second: pwcca_of(first, second).value,
        min_samples=3,
        symmetric=False,
        caveats=_too_many_components,
    )


def _too_many_components(rows: Sequence[Any], columns: Sequence[Any]) -> tuple[str, ...]:
    """Note pairs some of whose canonical correlations are 1 for any data."""
    widths = [[each.scores.shape for each in side if each is not None] for side in (rows, columns)]
    if not all(widths):
        return ()
    n_samples = widths[0][0][0]
    if max(p for _, p in widths[0]) + max(q for _, q in widths[1]) < n_samples:
        return ()
    return (
        f"some layers have so many components that canonical correlations of {n_samples:,} samples "
        "are 1 for any data; compare more samples, or less of the variance",
    )


_MEASURES: Final[dict[str, Callable[..., Comparer]]] = {
    "linear_cka": _cka,
    "rsa": _rsa,
    "procrustes": _procrustes,
    "mutual_knn": _mutual,
    "svcca": _svcca,
    "pwcca": _pwcca,
}
