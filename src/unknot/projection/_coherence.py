"""The coupling of maps of the same samples: how strong, for which samples, and one step of it.

What is measured here is in docs/coherence.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._typing import Array, Float64, Int32
from ..neighbors import NeighborGraph

# Neighbors that tell whether a neighborhood changed. With half as many, the shares are coarse.
NEIGHBORS = 30
# A neighborhood that changed by this part of the mean change is held 1/e as strongly as one that
# did not change: coupled by their share alone, maps of LeNet's layers have a divergence .3 % higher
# for the same movement.
CONTRAST = 3.0


@dataclass(frozen=True, eq=False)
class NearGraph:
    """The nearest neighbors that tell whether a neighborhood changed.

    Attributes
    ----------
    indices : ndarray of int32 (n_samples, k)
    """

    indices: Int32[Array, "samples k"]

    @classmethod
    def of(cls, graph: NeighborGraph) -> NearGraph:
        """Take them from a graph."""
        return cls(graph.indices[:, :NEIGHBORS].copy())


def kept_share(first: NearGraph, second: NearGraph) -> Float64[Array, " samples"]:
    """Return the share of each sample's nearest neighbors that two layers have in common."""
    k = _n_compared(first, second)
    both = np.concatenate([first.indices[:, :k], second.indices[:, :k]], axis=1)
    both.sort(axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1) / k)


def by_chance(first: NearGraph, second: NearGraph) -> float:
    """Return the share that unrelated layers have in common."""
    return _n_compared(first, second) / max(1, len(first.indices) - 1)


def _n_compared(first: NearGraph, second: NearGraph) -> int:
    return int(min(first.indices.shape[1], second.indices.shape[1]))


def weights_of(kept: Float64[Array, " samples"], unrelated: float) -> Float64[Array, " samples"]:
    """Return how strongly each sample's positions on two maps are coupled.

    Their mean is the mean share of kept neighbors, less what unrelated layers have in common: such
    layers are not coupled. Among the samples, the weight falls with what changed.

    Parameters
    ----------
    kept : array of float64 (n_samples,)
        The share of kept neighbors.
    unrelated : float
        That share for unrelated layers.
    """
    changed = 1.0 - kept
    mean = float(changed.mean())
    strength = max(0.0, (1.0 - mean - unrelated) / max(1.0 - unrelated, 1e-9))
    if mean == 0.0:
        return np.full(len(kept), strength)
    weights = np.exp(-CONTRAST * changed / mean)
    return np.asarray(strength * weights / weights.mean())


def proximal_step(
    positions: Float64[Array, "maps components samples"],
    weights: Float64[Array, "links samples"],
    fixed: Sequence[bool] = (),
) -> Float64[Array, "maps components samples"]:
    r"""Return where positions on a chain of maps go if they attract each other.

    .. math:: \operatorname*{argmin}_z \sum_t |z_t - u_t|^2 + \sum_t w_t |z_t - z_{t+1}|^2

    for each sample: a tridiagonal system, solved by elimination from first to last and back. It is
    stable for weights of any size, and the mean of a sample's positions does not change, unless
    some maps are fixed.

    Parameters
    ----------
    positions : array of float64 (n_maps, n_components, n_samples)
    weights : array of float64 (n_maps - 1, n_samples)
        Of the links between maps that follow one another, 0 or more.
    fixed : sequence of bool, optional
        Which maps stay where they are.
    """
    n_maps, _, n_samples = positions.shape
    found = positions.copy()
    is_fixed = tuple(fixed) or (False,) * n_maps
    diagonal = np.ones((n_maps, n_samples))
    diagonal[:-1] += weights
    diagonal[1:] += weights
    # A fixed map attracts those beside it; it ends one system and begins another.
    links = weights.copy()
    for t in range(n_maps - 1):
        if is_fixed[t] or is_fixed[t + 1]:
            links[t] = 0.0
            for one, other in ((t, t + 1), (t + 1, t)):
                if is_fixed[other] and not is_fixed[one]:
                    found[one] += weights[t] * positions[other]
    for t in range(1, n_maps):
        if not is_fixed[t]:
            factor = links[t - 1] / diagonal[t - 1]
            diagonal[t] -= factor * links[t - 1]
            found[t] += factor * found[t - 1]
    for t in range(n_maps - 1, -1, -1):
        if is_fixed[t]:
            continue
        if t + 1 < n_maps:
            found[t] += links[t] * found[t + 1]
        found[t] /= diagonal[t]
    return found


def turned(
    map_: Float64[Array, "components samples"],
    references: Sequence[Float64[Array, "components samples"]],
) -> Float64[Array, "components samples"]:
    """Rotate or reflect a centered map onto the sum of others.

    The sums do not depend on the number of threads, as those of a matrix product may.
    """
    products = np.zeros((len(map_), len(map_)))
    for reference in references:
        products += np.einsum("in,jn->ij", map_, reference)
    if not np.any(products):
        return map_
    u, _, vt = np.linalg.svd(products)
    return np.asarray(np.einsum("ij,in->jn", u @ vt, map_))
