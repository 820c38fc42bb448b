"""By how much each sample shifts each score of a layer, for comparisons of scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import Array

if TYPE_CHECKING:
    from ..metrics import Scores
    from ._layer import LayerStudy
else:
    LayerStudy = Scores = Any


def of_scores(scores: Scores) -> dict[str, Array]:
    """Return the influences of the labeled samples, as float32, of the scores that have them.

    In float32, as they are stored: a study compares the same before and after it is saved.
    """
    return {
        name: np.asarray(score.influence, dtype=np.float32)
        for name, score in scores.items()
        if score.influence is not None
    }


def of_all_samples(influences: Mapping[str, Array], labeled: Array) -> dict[str, Array]:
    """Return influences of the labeled samples as those of all: NaN for the unlabeled."""
    spread = {}
    for name, values in influences.items():
        spread[name] = np.full(len(labeled), np.nan, dtype=np.float32)
        spread[name][labeled] = values
    return spread


def known_influences(layer: LayerStudy, labeled: Array) -> dict[str, Array]:
    """Return the influences of the labeled samples on the scores of a layer.

    Raises
    ------
    ValueError
        If they are of another number of samples.
    """
    if layer.influences is not None:
        for name, values in layer.influences.items():
            if values.shape != labeled.shape:
                raise ValueError(
                    f"the influences on {name} of layer {layer.name!r} have the shape "
                    f"{values.shape}, and there are {len(labeled)} samples; make the study again"
                )
        return {name: values[labeled] for name, values in layer.influences.items()}
    return {} if layer.scores is None else of_scores(layer.scores)
