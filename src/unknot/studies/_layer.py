"""One layer of a study: its points, their neighbors, their map, its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import Array
from ._own_maps import OwnMap

if TYPE_CHECKING:
    from ..metrics import Scores
    from ..neighbors import NeighborGraph
    from ._density import MapDensity
else:  # importing them would import Numba
    NeighborGraph = Scores = MapDensity = Any


def _conflicts(scores: Scores | None) -> list[str]:
    """Return the notes of scores that stand with the layer: that the metric decides."""
    if scores is None:
        return []
    from ..metrics import CONFLICT

    return [note for note in scores.notes if note.startswith(CONFLICT)]


@dataclass(frozen=True, eq=False, repr=False)
class LayerStudy:
    """One layer of a study: its points, neighbors, map and scores.

    Attributes
    ----------
    name : str
        The layer's name; ``"inputs"`` is the data themselves.
    kind : str
        The operator or class, such as ``"Conv2D"``, ``"ReLU"``, ``"Gemm"``; ``"input"``.
    shape : tuple of int
        The shape of one sample.
    points : array-like ``(n_samples, *shape)``, or None
        An array in memory, or one on disk that is read when sliced. None if points were not kept,
        and for a view, whose points are those of the layer in `same_as`.
    graph : NeighborGraph or None
        The nearest neighbors in the representation; read on first use.
    map : array of float32 (n_samples, 2), or None
        Aligned with the map of the preceding layer.
    kl_divergence : float or None
        The KL divergence of the map.
    scores : Scores or None
        The result of `unknot.measure`.
    same_as : str or None
        The layer that this one is a view of, as a dropout or flatten layer is. A view is not
        measured again; graph, map and scores are those of that layer.
    notes : tuple of str
        Remarks, such as that all points coincide.
    reduction : dict or None
        How a layer of many features was reduced before it was measured, with the distortion.
    influences : mapping of str to array of float32 (n_samples,), or None
        By how much each sample shifts each score that has an interval, NaN where it is unlabeled;
        for `Study.compare`. Read on first use. None in studies stored before these were kept.
    density : MapDensity or None
        Of a study with ``store=``, how many of all samples lie where on the map of the landmarks.
    other_maps : mapping of str to OwnMap
        Maps by other methods than t-SNE, with their scores; see `Study.with_map`.

    Raises
    ------
    ValueError
        If the map is not float32 (n_samples, 2), or the name is empty.

    See Also
    --------
    Study : The study that holds it.
    unknot.measure : Measures points again, with other options.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    points: Any = None
    # With a factory there is no class attribute, so that `__getattr__` can read the graph later.
    graph: NeighborGraph | None = field(default_factory=lambda: None)
    map: Array | None = None
    kl_divergence: float | None = None
    scores: Scores | None = None
    same_as: str | None = None
    notes: tuple[str, ...] = ()
    reduction: dict[str, Any] | None = None
    influences: Mapping[str, Array] | None = field(default_factory=lambda: None)
    density: MapDensity | None = None
    other_maps: Mapping[str, OwnMap] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name of a layer must not be empty")
        if self.map is not None and (
            self.map.ndim != 2 or self.map.shape[1] != 2 or self.map.dtype != np.float32
        ):
            raise ValueError(
                f"map of layer {self.name!r} must be float32 (n_samples, 2); "
                f"got {self.map.dtype} {self.map.shape}"
            )
        for name, own in self.other_maps.items():
            if self.n_samples is not None and len(own.map) != self.n_samples:
                raise ValueError(
                    f"map {name!r} of layer {self.name!r} must be of {self.n_samples} samples; got "
                    f"{len(own.map)}"
                )

    def stored_in(
        self, folder: Path, readers: Mapping[str, Callable[[], Any]] | None = None
    ) -> LayerStudy:
        """Return this layer with its folder, and its graph and influences read on first use.

        ``readers`` has a function for each of the two that is stored.
        """
        layer = replace(self)
        layer.__dict__["_folder"] = folder
        layer._read_later(readers or {})
        return layer

    def _read_later(self, readers: Mapping[str, Callable[[], Any]]) -> None:
        for name in readers:
            self.__dict__.pop(name, None)
        self.__dict__["_readers"] = dict(readers)

    def with_scores(
        self,
        scores: Scores | None,
        influences: Mapping[str, Array] | None = None,
        read_influences: Callable[[], Any] | None = None,
        other_maps: Mapping[str, OwnMap] | None = None,
    ) -> LayerStudy:
        """Return this layer with other scores and their influences, of which one may be a reader.

        Its graph is still read on first use. Scores of other maps are those of ``other_maps``.
        """
        held = self.__dict__
        values = {each.name: held[each.name] for each in fields(self) if each.name in held}
        own = _conflicts(self.scores)
        notes = (*(note for note in self.notes if note not in own), *_conflicts(scores))
        changed = {"scores": scores, "notes": notes, "influences": influences}
        maps = self.other_maps if other_maps is None else other_maps
        return self._changed({**values, **changed, "other_maps": maps}, read_influences)

    def with_map(
        self,
        shown: OwnMap | None,
        scores: Scores | None,
        influences: Mapping[str, Array] | None,
        other_maps: Mapping[str, OwnMap],
    ) -> LayerStudy:
        """Return this layer with another map, or none; its graph is still read on first use."""
        held = self.__dict__
        values = {each.name: held[each.name] for each in fields(self) if each.name in held}
        changed = {
            "map": None if shown is None else shown.map,
            "kl_divergence": None if shown is None else shown.kl_divergence,
            "scores": scores,
            "influences": influences,
            "other_maps": other_maps,
        }
        return self._changed({**values, **changed})

    def _changed(
        self, values: Mapping[str, Any], read_influences: Callable[[], Any] | None = None
    ) -> LayerStudy:
        held = self.__dict__
        layer = type(self)(**values)
        readers = {name: read for name, read in held.get("_readers", {}).items() if name == "graph"}
        if "graph" in held:
            readers.pop("graph", None)
        if read_influences is not None:
            readers["influences"] = read_influences
        layer._read_later(readers)
        if "_folder" in held:
            layer.__dict__["_folder"] = held["_folder"]
        return layer

    @property
    def origin(self) -> Path | None:
        """The folder that it reads from; None if everything is in memory."""
        folder: Path | None = self.__dict__.get("_folder")
        return folder

    def __getattr__(self, name: str) -> Any:
        readers = self.__dict__.get("_readers", {})
        if name in readers:
            self.__dict__[name] = readers[name]()
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def n_samples(self) -> int | None:
        """The number of samples; None if there are no arrays."""
        for array in (self.map, self.points):
            if array is not None:
                return int(array.shape[0])
        return None if self.scores is None else self.scores.n_samples

    @property
    def pool(self) -> str | None:
        """How tokens or pixels were pooled to one row a sample; None if they were not."""
        return None if self.reduction is None else self.reduction.get("pool")

    @property
    def n_features(self) -> int:
        """The number of features of one sample."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        parts = [self.kind, " x ".join(map(str, self.shape)) or "scalar"]
        if self.same_as:
            parts.append(f"the same as {self.same_as}")
        if self.scores is not None and "neighborhood_hit" in self.scores:
            parts.append(f"NH {self.scores['neighborhood_hit'].value:.3f}")
        if self.kl_divergence is not None:
            parts.append(f"KL {self.kl_divergence:.3f}")
        return f"LayerStudy({self.name!r}: {', '.join(parts)})"
