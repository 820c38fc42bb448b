"""Dimension reduction of layers: pooling, and random projection with measured distortion."""

from itertools import product
from typing import Any, Final

import numpy as np

from .._typing import Array, Float32, Float64
from .._validation.numbers import is_integer
from ._layers import Layer

PAIRED_SAMPLES: Final = 64
"""The distortion of a projection is measured on at most 64 · 63 / 2 = 2,016 pairs."""
PAIRED_BYTES: Final = 32_000_000

Pool = str | int | None


def check_reductions(pool: Pool, project: int | None) -> None:
    """Raise a ValueError or TypeError if a setting is invalid."""
    if isinstance(pool, str) and pool not in ("mean", "max"):
        raise ValueError(f'pool must be "mean", "max" or the size of a grid; got {pool!r}')
    for name, value in (("pool", pool), ("project", project)):
        if not (is_integer(value) or isinstance(value, str | None)):
            raise TypeError(f"{name} must be an integer; got {value!r}")
        if is_integer(value) and value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")


class Pooling:
    """Means or maxima over a grid of cells of an image; channels are kept.

    Along an axis of n positions, cell i of g covers floor(i n / g) up to but not including
    ceil((i + 1) n / g); cells overlap if g does not divide n.
    """

    def __init__(self, shape: tuple[int, ...], pool: str | int, *, channels_first: bool) -> None:
        self._axes = tuple(range(2, len(shape) + 1) if channels_first else range(1, len(shape)))
        self._kind = pool if isinstance(pool, str) else "mean"
        sizes = [shape[axis - 1] for axis in self._axes]
        grid = [1 if isinstance(pool, str) else min(int(pool), size) for size in sizes]
        self._cells = [
            [slice(i * size // cells, -(-(i + 1) * size // cells)) for i in range(cells)]
            for size, cells in zip(sizes, grid, strict=True)
        ]
        pooled = list(shape)
        for axis, cells in zip(self._axes, grid, strict=True):
            pooled[axis - 1] = cells
        if isinstance(pool, str):
            pooled = [shape[0] if channels_first else shape[-1]]
        self.shape = tuple(pooled)
        how = f"{self._kind} over " + (
            "all positions" if isinstance(pool, str) else f"a grid of {' × '.join(map(str, grid))}"
        )
        self.report: dict[str, Any] = {"pool": how, "shape": list(self.shape)}

    def apply(self, rows: Array, start: int) -> Array:
        """Return the pooled rows."""
        reduce = np.max if self._kind == "max" else np.mean
        result = np.empty((len(rows), *self._full(rows)), np.float32)
        for places in product(*(range(len(cells)) for cells in self._cells)):
            source: list[Any] = [slice(None)] * rows.ndim
            target: list[Any] = [slice(None)] * rows.ndim
            for axis, cells, place in zip(self._axes, self._cells, places, strict=True):
                source[axis], target[axis] = cells[place], place
            result[tuple(target)] = reduce(rows[tuple(source)], axis=self._axes)
        return result.reshape(len(rows), *self.shape)

    def _full(self, rows: Array) -> tuple[int, ...]:
        sizes = list(rows.shape[1:])
        for axis, cells in zip(self._axes, self._cells, strict=True):
            sizes[axis - 1] = len(cells)
        return tuple(sizes)


class Projection:
    r"""A sparse random projection to k features, which approximately preserves distances.

    Of the d · k entries, one in :math:`\sqrt d` is :math:`\pm d^{1/4} / \sqrt k` and the others 0
    [Li2006]_. The distortion is measured: distances before and after, between samples drawn at
    random.
    """

    def __init__(self, n_features: int, project: int, n_samples: int, random_state: int) -> None:
        from sklearn.random_projection import SparseRandomProjection

        self._matrix = (
            SparseRandomProjection(project, random_state=random_state)
            .fit(np.zeros((1, n_features), np.float32))
            .components_.T.astype(np.float32)
            .tocsr()
        )
        self.shape = (project,)
        self._seed = random_state
        affordable = max(2, PAIRED_BYTES // (4 * n_features))
        count = min(PAIRED_SAMPLES, affordable, n_samples)
        rng = np.random.default_rng(random_state)
        self._chosen = np.sort(rng.choice(n_samples, count, replace=False))
        self._before = np.empty((count, n_features), np.float32)
        self._after = np.empty((count, project), np.float32)

    def apply(self, rows: Array, start: int) -> Array:
        """Return the projected rows; keep the samples whose distances are compared."""
        flat = rows.reshape(len(rows), -1)
        result = np.ascontiguousarray(flat @ self._matrix, dtype=np.float32)
        here = slice(*np.searchsorted(self._chosen, [start, start + len(rows)]))
        places = self._chosen[here] - start
        self._before[here], self._after[here] = flat[places], result[places]
        return result

    @property
    def report(self) -> dict[str, Any]:
        """The settings, and the distortion as ratios of distances after / before."""
        ratios = _distances(self._after), _distances(self._before)
        apart = ratios[1] > 0
        changes = ratios[0][apart] / ratios[1][apart]
        result: dict[str, Any] = {
            "projection": "sparse random",
            "from": int(self._before.shape[1]),
            "to": int(self.shape[0]),
            "random_state": self._seed,
            "pairs": int(apart.sum()),
        }
        if apart.any():
            result |= {
                "smallest_ratio": float(changes.min()),
                "largest_ratio": float(changes.max()),
                "typical_change": float(np.sqrt(np.mean((changes - 1) ** 2))),
                "largest_change": float(np.abs(changes - 1).max()),
            }
        return result


class Reducer:
    """The reductions of a layer's values, in order; none for most layers."""

    def __init__(
        self,
        layer: Layer,
        n_samples: int,
        *,
        pool: Pool = None,
        project: int | None = None,
        channels_first: bool = False,
        random_state: int = 0,
    ) -> None:
        self.shape = layer.shape
        self._steps: list[Pooling | Projection] = []
        if pool is not None and len(layer.shape) >= 3:
            self._add(Pooling(self.shape, pool, channels_first=channels_first))
        if project is not None and (size := int(np.prod(self.shape))) > project:
            self._add(Projection(size, int(project), n_samples, random_state))

    def _add(self, step: Pooling | Projection) -> None:
        self._steps.append(step)
        self.shape = step.shape

    @property
    def exact(self) -> bool:
        """Whether there is no reduction."""
        return not self._steps

    def apply(self, rows: Array, start: int) -> Array:
        """Return the reduced rows; `start` is the index of the first among all samples."""
        for step in self._steps:
            rows = step.apply(rows, start)
        return rows

    def report(self) -> dict[str, Any]:
        """Return the entry of `Representations.reductions`."""
        result: dict[str, Any] = {}
        for step in self._steps:
            result |= step.report
        return result


def describe_reduction(report: dict[str, Any]) -> str:
    """Return an entry of `Representations.reductions` as text."""
    parts = []
    if "pool" in report:
        parts.append(f"pooled: {report['pool']}")
    if "projection" in report:
        text = (
            f"projected at random from {report['from']:,} to {report['to']:,} numbers "
            f"(seed {report['random_state']})"
        )
        if "largest_change" in report:
            text += (
                f"; distances change by {report['typical_change']:.1%} typically and "
                f"{report['largest_change']:.1%} at most ({report['pairs']:,} pairs)"
            )
        parts.append(text)
    return "; ".join(parts)


def _distances(points: Float32[Array, "samples features"]) -> Float64[Array, " pairs"]:
    from scipy.spatial.distance import pdist

    distances: Array = pdist(points.astype(np.float64))
    return distances
