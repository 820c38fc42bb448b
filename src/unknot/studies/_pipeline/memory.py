"""Studies without a folder: everything in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..._io.formatting import format_bytes
from .._layer import LayerStudy
from .._store.format import StudyError
from .._study import Study

# The most that the points of all layers may take, in bytes.
IN_MEMORY = 10**9


def in_memory(found: Study) -> Study:
    """Read everything, so that the temporary folder can be removed."""
    size = sum(4 * layer.points.size for layer in found.layers.values() if layer.points is not None)
    if size > IN_MEMORY:
        raise StudyError(
            f"the points of all layers take {format_bytes(size)}: give a folder (out=), or go "
            "without them (keep_points=False)"
        )
    layers = {name: _read(layer) for name, layer in found.layers.items()}
    epochs = found.epochs and {epoch: in_memory(there) for epoch, there in found.epochs.items()}
    others = {
        key: replace(
            other,
            layers={
                name: layers[name].with_scores(
                    each.scores, each.influences, other_maps=each.other_maps
                )
                for name, each in other.items()
            },
            epochs=epochs and {epoch: at.other_labelings[key] for epoch, at in epochs.items()},
        )
        for key, other in found.other_labelings.items()
    }
    return replace(found, layers=layers, epochs=epochs, other_labelings=others)


def _read(layer: LayerStudy) -> LayerStudy:
    points = None if layer.points is None else np.asarray(layer.points[...])
    return replace(layer, points=points)
