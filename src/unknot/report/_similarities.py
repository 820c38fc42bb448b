"""How alike the layers of the page are: linear CKA, and the share of neighbors in common."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse

from .._typing import Array, Float64
from ..metrics import similarity_matrix
from ..neighbors import NeighborGraph
from ..studies import LayerStudy, Study
from ._packing import pack

# Samples that are compared, at most, and those that are always compared where there are as many.
MAX_SAMPLES: Final = 1000
_MIN_SAMPLES: Final = 128
# Neighbors of each sample that are compared, at most.
MAX_NEIGHBORS: Final = 10
# What all tables of a page may take: pairs of samples at all layers, operations on their features,
# and pairs of equal neighbors. Each is about a second.
_PAIRS, _OPERATIONS, _LINKS = 2.5e7, 2e10, 2e8
# 0 to 65534 for 0 to 1, and a missing value.
_STEPS, _MISSING = 65534, 65535


@dataclass(frozen=True)
class _Moment:
    """A model at the end of its training, or at an earlier epoch, with the layers that it lists."""

    study: Study
    listed: tuple[str, ...]
    model: int
    epoch: int | None

    @property
    def own(self) -> dict[str, LayerStudy]:
        """The layers that are no views of others."""
        return {
            name: layer
            for name, layer in self.study.layers.items()
            if layer.same_as is None and name in self.listed
        }

    @property
    def place(self) -> list[int | None]:
        return [self.model, self.epoch]

    def indices(self, names: Sequence[str]) -> list[int]:
        return [self.listed.index(name) for name in names]


def similarities_entry(
    studies: Sequence[Study], listed: Sequence[Sequence[str]], moments: Sequence[Sequence[Study]]
) -> dict[str, Any]:
    """Build tables of layer by layer: within each model, at each epoch, and between two models.

    Of very many layers fewer samples are compared, so that all tables take a few seconds at most.

    Parameters
    ----------
    studies : sequence of Study
        One or two.
    listed : sequence of sequence of str
        The layers of each, as the page lists them.
    moments : sequence of sequence of Study
        Earlier epochs of each.

    Returns
    -------
    dict
        ``notes``, why a table is missing, and ``tables``: each with its ``measure``, ``first`` and
        ``second`` (model, and epoch or None), the layers that are ``rows`` and ``columns``,
        ``values`` (from 0 to 65534 for 0 to 1, 65535 where one is missing; the upper triangle where
        both are the same), ``samples`` and ``chance``.
    """
    ends = [
        _Moment(study, tuple(names), number, None)
        for number, (study, names) in enumerate(zip(studies, listed, strict=True))
    ]
    pairs = [(end, end) for end in ends]
    for end, earlier in zip(ends, moments, strict=True):
        found = (_Moment(study, end.listed, end.model, at) for at, study in enumerate(earlier))
        pairs += [(moment, moment) for moment in found]
    notes = []
    if len(ends) == 2:
        differing = _differing(studies[0], studies[1])
        if differing:
            notes.append(f"layers of the two models are not compared with each other: {differing}")
        else:
            pairs.append((ends[0], ends[1]))
    tables = []
    for first, second in pairs:
        tables += _cka_entry(first, second, len(pairs))
        tables += _kept_entry(first, second, len(pairs))
    for end in ends:
        without = [name for name, layer in end.own.items() if layer.points is None]
        if without:
            notes.append(
                f"linear CKA needs the points of a layer, which the study of {end.study.name!r} "
                f"does not hold of {len(without)} of {len(end.own)} layers (keep_points=True)"
            )
    return {"tables": tables, "notes": notes}


def _differing(first: Study, second: Study) -> str | None:
    """Return how the samples of two studies differ; None if they do not, as far as is known."""
    inputs = [study.layers.get("inputs") for study in (first, second)]
    if any(layer is None or layer.points is None for layer in inputs):
        return None
    try:
        first.select("inputs").similarity(second.select("inputs"), max_samples=_MIN_SAMPLES)
    except ValueError as error:
        return str(error)
    return None


def _cka_entry(first: _Moment, second: _Moment, n_tables: int) -> list[dict[str, Any]]:
    """Return the table of linear CKA of the layers whose points are known, if there is one."""
    sides = [_points_of(moment) for moment in ((first,) if first is second else (first, second))]
    n_samples = len(first.study.labels)
    if not all(sides) or not _is_table(sides[0], sides[-1]) or n_samples < 4:
        return []
    layers = [points for side in sides for points in side.values()]
    widths = sum(math.prod(points.shape[1:]) for points in layers)
    limit = math.sqrt(
        min(_PAIRS / (n_tables * len(layers)), _OPERATIONS / (2 * n_tables * max(1, widths)))
    )
    second_side = None if first is second else sides[1]
    found = similarity_matrix(sides[0], second_side, max_samples=_limited(limit))
    return [
        {
            "measure": "linear_cka",
            **_table_entry(first, second, found.rows, found.columns, found.values),
            "samples": found.n_samples,
            "chance": found.chance,
        }
    ]


def _kept_entry(first: _Moment, second: _Moment, n_tables: int) -> list[dict[str, Any]]:
    """Return the table of the share of neighbors in common, if there is one."""
    sides = [_graphs_of(moment) for moment in ((first,) if first is second else (first, second))]
    if not all(sides) or not _is_table(sides[0], sides[-1]):
        return []
    n_samples = len(first.study.labels)
    k = min(MAX_NEIGHBORS, *(graph.n_neighbors for side in sides for graph in side.values()))
    products = _n_pairs(sides[0], sides[-1], same=first is second)
    rows = _drawn(n_samples, _limited(_LINKS / (n_tables * products * k)))
    values = shared_neighbors(
        [graph.indices[rows, :k] for graph in sides[0].values()],
        None if first is second else [graph.indices[rows, :k] for graph in sides[1].values()],
        n_samples,
    )
    return [
        {
            "measure": "shared_neighbors",
            **_table_entry(first, second, tuple(sides[0]), tuple(sides[-1]), values),
            "samples": len(rows),
            "chance": k / max(1, n_samples - 1),
            "k": k,
        }
    ]


def shared_neighbors(
    first: Sequence[Array], second: Sequence[Array] | None, n_samples: int
) -> Float64[Array, "rows columns"]:
    """Return which share of the neighbors of samples two layers have in common, for all pairs.

    Parameters
    ----------
    first, second : sequence of ndarray of int (n_rows, k)
        The neighbors of the same samples at each layer, each at most once; None for the first.
    n_samples : int
        Neighbors are from 0 to n_samples - 1.

    Examples
    --------
    >>> import numpy as np
    >>> here, there = np.array([[1, 2], [0, 2]]), np.array([[2, 1], [2, 3]])
    >>> shared_neighbors([here, there], None, 4).tolist()
    [[1.0, 0.75], [0.75, 1.0]]
    """
    rows = _links(first, n_samples)
    columns = rows if second is None else _links(second, n_samples)
    common = (rows @ columns.T).toarray()
    return np.asarray(common / first[0].size, dtype=np.float64)


def _links(layers: Sequence[Array], n_samples: int) -> Any:
    """Return a row for each layer, with a 1 for each sample and neighbor."""
    n_rows, k = layers[0].shape
    offsets = np.arange(n_rows, dtype=np.int64)[:, None] * n_samples
    columns = np.concatenate([(offsets + indices).ravel() for indices in layers])
    starts = np.arange(len(layers) + 1, dtype=np.int64) * (n_rows * k)
    ones = np.ones(len(columns))
    return scipy.sparse.csr_matrix((ones, columns, starts), shape=(len(layers), n_rows * n_samples))


def _points_of(moment: _Moment) -> dict[str, Any]:
    return {name: layer.points for name, layer in moment.own.items() if layer.points is not None}


def _graphs_of(moment: _Moment) -> dict[str, NeighborGraph]:
    return {name: layer.graph for name, layer in moment.own.items() if layer.graph is not None}


def _is_table(rows: Mapping[str, Any], columns: Mapping[str, Any]) -> bool:
    """Whether there is anything to compare."""
    return len(rows) > 1 or len(columns) > 1


def _n_pairs(rows: Mapping[str, Any], columns: Mapping[str, Any], *, same: bool) -> int:
    return len(rows) * (len(rows) + 1) // 2 if same else len(rows) * len(columns)


def _limited(limit: float) -> int:
    return int(min(MAX_SAMPLES, max(_MIN_SAMPLES, limit)))


def _drawn(n_samples: int, limit: int) -> Array:
    """Draw samples at random, the same ones each time; all if there are no more."""
    if n_samples <= limit:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(0).choice(n_samples, size=limit, replace=False))


def _table_entry(
    first: _Moment,
    second: _Moment,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Array,
) -> dict[str, Any]:
    steps = np.full(values.shape, _MISSING, dtype=np.int64)
    known = np.isfinite(values)
    steps[known] = np.rint(np.clip(values[known], 0.0, 1.0) * _STEPS)
    flat = steps[np.triu_indices(len(steps))] if first is second else steps.ravel()
    return {
        "first": first.place,
        "second": second.place,
        "rows": first.indices(rows),
        "columns": second.indices(columns),
        "values": pack(flat),
    }
