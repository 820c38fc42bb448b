"""What is known of the layer before, for the measures of the transition from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.cache import Part
from ..._typing import Array
from .._slices import SomeRows
from .._store.format import read_graph, read_zarr
from .._store.layer_records import GraphRecord
from .spaces import preprocess
from .stages import Context, Source

if TYPE_CHECKING:
    from ...metrics import Previous


@dataclass(frozen=True, eq=False)
class LayerBefore:
    """The last layer before another that has a map.

    Attributes
    ----------
    name : str
    source : Source
        Its points.
    graph : GraphRecord
        Its neighbors.
    map : str
        The path of its map in the study's folder.
    parts : tuple of Part
        Those of its neighbors and its map.
    left_out : tuple of str
        The layers between, which have no map.
    """

    name: str
    source: Source
    graph: GraphRecord
    map: str
    parts: tuple[Part, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What must be said of a layer that is compared with it."""
        if not self.left_out:
            return []
        return [
            f"its transition is from {self.name}, as {', '.join(self.left_out)} between them has "
            "no map"
        ]

    @property
    def decided(self) -> dict[str, Any]:
        """What scores depend on, beside the parts, for the settings of a stage."""
        return {"previous": [self.name, *self.left_out]}

    def known(self, context: Context, n_threads: int | None, rows: Array | None) -> Previous | None:
        """Return what is known of it; of some samples, their neighbors among themselves.

        None if these are too few to have neighbors.
        """
        from ...metrics import Previous
        from ...neighbors import nearest_neighbors

        map_ = read_zarr(context.folder, self.map)
        if rows is None:
            return Previous(read_graph(context.folder, self.graph), map_, self.name)
        if len(rows) < 2:
            return None
        settings, half = context.settings, context.whole_bytes // 2
        points = self.source.read(context.whole_bytes)
        points = points[rows] if isinstance(points, np.ndarray) else SomeRows(points, rows)
        points, _ = preprocess(points, settings, half)
        graph = nearest_neighbors(
            points,
            min(settings.n_neighbors, len(rows) - 1),
            settings.metric,
            n_jobs=n_threads,
            max_memory=half,
        )
        return Previous(graph, map_[rows], self.name)
