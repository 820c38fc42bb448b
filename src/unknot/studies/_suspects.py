"""Labels that may be wrong: what the neighbors of a sample say at several layers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .._typing import Array

if TYPE_CHECKING:
    from ._layer import LayerStudy
    from ._study import Study
else:
    LayerStudy = Study = Any

# Layers that are asked, spread over all; neighbors of each sample; and the share of all samples
# above which classes overlap.
MAX_LAYERS: Final = 12
_NEIGHBORS: Final = 10
_LARGEST_SHARE: Final = 0.05


class Suspect(NamedTuple):
    """A sample whose neighbors are of one other class, at most layers.

    Attributes
    ----------
    sample : int
        The number of the sample.
    label, suggested : str
        The class of its label, and that of its neighbors.
    n_layers : int
        At how many layers most neighbors are of the suggested class.
    share : float
        The mean share of the neighbors there that are, in [0, 1].
    """

    sample: int
    label: str
    suggested: str
    n_layers: int
    share: float


@dataclass(frozen=True, eq=False)
class SuspectedLabels:
    """The samples whose label may be wrong, the most suspicious first.

    Attributes
    ----------
    n_asked : int
        How many layers were asked; 0 where too few have neighbors.
    overlap : bool
        Whether so many samples are such that classes rather overlap.
    samples, classes : ndarray of int64 (n,)
        The samples, and the class that their neighbors are of.
    n_layers : ndarray of int64 (n,)
        At how many layers they are.
    shares : ndarray of float64 (n,)
        The mean share of the neighbors there that are of that class, in [0, 1].
    """

    n_asked: int
    overlap: bool
    samples: Array
    classes: Array
    n_layers: Array
    shares: Array

    def suspects(self, study: Study) -> tuple[Suspect, ...]:
        """Return them with the names of their classes."""
        names = study.class_names
        return tuple(
            Suspect(
                int(sample),
                names[int(study.labels[sample])],
                names[int(code)],
                int(n),
                float(share),
            )
            for sample, code, n, share in zip(
                self.samples, self.classes, self.n_layers, self.shares, strict=True
            )
        )


def suspected_labels(study: Study) -> SuspectedLabels:
    """Find the samples most of whose neighbors are of one other class, at most layers.

    At two layers at least, and at half of those that are asked, more than half of the ten nearest
    neighbors are of that class.
    """
    own = {name: layer for name, layer in study.layers.items() if layer.same_as is None}
    names = [name for name, layer in own.items() if _has_graph(layer)]
    if study.targets is not None or len(names) < 2 or not study.labeled.any():
        none = np.zeros(0, dtype=np.int64)
        return SuspectedLabels(0, False, none, none, none, np.zeros(0))
    chosen = np.unique(np.linspace(0, len(names) - 1, min(MAX_LAYERS, len(names))).round())
    layers = [own[names[int(number)]] for number in chosen]
    votes = [neighbors_vote(_graph_of(layer).indices, study.labels) for layer in layers]
    classes = np.stack([each[0] for each in votes], axis=1)
    shares = np.stack([each[1] for each in votes], axis=1)
    needed = max(2, -(-len(layers) // 2))
    counts = np.zeros(classes.shape, dtype=np.int64)
    for column in range(classes.shape[1]):
        counts[:, column] = (classes == classes[:, column, None]).sum(axis=1)
    counts[classes < 0] = 0
    which = counts.argmax(axis=1)
    rows = np.arange(len(which))
    n_layers, suggested = counts[rows, which], classes[rows, which]
    found = np.flatnonzero(n_layers >= needed)
    agreeing = classes[found] == suggested[found, None]
    mean = (shares[found] * agreeing).sum(axis=1) / np.maximum(agreeing.sum(axis=1), 1)
    found_in_order = np.lexsort((found, -mean, -n_layers[found]))
    samples = found[found_in_order]
    return SuspectedLabels(
        len(layers),
        bool(len(found) > _LARGEST_SHARE * np.count_nonzero(study.labeled)),
        samples,
        suggested[samples],
        n_layers[samples],
        mean[found_in_order],
    )


def neighbors_vote(indices: Array, labels: Array) -> tuple[Array, Array]:
    """Return the other class that most nearest neighbors of each sample are of.

    Parameters
    ----------
    indices : ndarray of int32 (n_samples, n_neighbors)
        The nearest neighbors, nearest first; ten are asked at most.
    labels : ndarray of int64 (n_samples,)
        -1 where a sample is unlabeled: it has no vote and none is suggested for it.

    Returns
    -------
    classes : ndarray of int64 (n_samples,)
        -1 where no other class has more than half of the votes.
    shares : ndarray of float64 (n_samples,)
        The share of the votes of that class, 0 where there is none.
    """
    asked = labels[indices[:, :_NEIGHBORS]]
    counts = np.zeros(asked.shape, dtype=np.int64)
    for column in range(asked.shape[1]):
        counts[:, column] = (asked == asked[:, column, None]).sum(axis=1)
    counts[asked < 0] = 0
    n_votes = (asked >= 0).sum(axis=1)
    which = counts.argmax(axis=1)
    rows = np.arange(len(asked))
    classes, most = asked[rows, which], counts[rows, which]
    clear = (2 * most > n_votes) & (classes != labels) & (labels >= 0)
    return np.where(clear, classes, -1), np.where(clear, most / np.maximum(n_votes, 1), 0.0)


def _has_graph(layer: LayerStudy) -> bool:
    return "graph" in layer.__dict__.get("_readers", {}) or layer.graph is not None


def _graph_of(layer: LayerStudy) -> Any:
    """Return the neighbors of a layer; those that are read are not kept in memory."""
    return copy.copy(layer).graph
