"""Dimension reduction of layers: pooling, and random projection with measured distortion."""

from typing import Any, Final

import numpy as np

from .._typing import Array, Float32, Float64
from .._validation.numbers import is_integer, random_generator
from ._layers import Found
from ._pooling import Pool, check_pool

PAIRED_SAMPLES: Final = 64
"""The distortion of a projection is measured on at most 64 · 63 / 2 = 2,016 pairs."""
PAIRED_BYTES: Final = 32_000_000


def check_reductions(pool: Pool, project: int | None) -> None:
    """Raise a ValueError or TypeError if a setting is invalid."""
    check_pool(pool)
    if project is not None and not is_integer(project):
        raise TypeError(f"project must be an integer; got {project!r}")
    if project is not None and project < 1:
        raise ValueError(f"project must be at least 1; got {project}")


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
        rng = random_generator(random_state)
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
        found: Found,
        n_samples: int,
        *,
        project: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.shape = found.layer.shape
        self.pooling = found.pooling
        self._projection: Projection | None = None
        if self.pooling is not None:
            self.shape = self.pooling.shape
        if project is not None and (size := int(np.prod(self.shape))) > project:
            self._projection = Projection(size, int(project), n_samples, random_state)
            self.shape = self._projection.shape

    @property
    def exact(self) -> bool:
        """Whether there is no reduction."""
        return self.pooling is None and self._projection is None

    def apply(self, rows: Array, start: int, mask: Array | None = None) -> Array:
        """Return the reduced rows; `start` is the index of the first among all samples."""
        if self.pooling is not None:
            rows = self.pooling.apply(rows, start, mask)
        if self._projection is not None:
            rows = self._projection.apply(rows, start)
        return rows

    def report(self) -> dict[str, Any]:
        """Return the entry of `Representations.reductions`."""
        pooled = {} if self.pooling is None else self.pooling.report
        return pooled | ({} if self._projection is None else self._projection.report)


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
