"""Maps of a layer beside t-SNE's: a user's own, or those of another method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._typing import Array

if TYPE_CHECKING:
    from ..metrics import Scores
    from ._layer import LayerStudy
    from ._study import Study
else:
    LayerStudy = Scores = Study = Any

# What the maps that every study has are called.
TSNE: Final = "t-SNE"


@dataclass(frozen=True, eq=False)
class OwnMap:
    """A further map of a layer, with its scores.

    Attributes
    ----------
    map : ndarray of float32 (n_samples, 2)
    scores : Scores or None
        The scores of the map alone, or of the map and the representation, such as trustworthiness.
        None where all points coincide.
    influences : mapping of str to array of float32 (n_samples,)
        As of `LayerStudy`.
    kl_divergence : float or None
        Of t-SNE.

    Raises
    ------
    ValueError
        If the map is not float32 (n_samples, 2), or not finite.

    See Also
    --------
    Study.with_map : The study with these maps and scores.

    Examples
    --------
    >>> import numpy as np
    >>> OwnMap(np.zeros((3, 2), dtype=np.float32))
    OwnMap(3 samples)
    """

    map: Array
    scores: Scores | None = None
    influences: Mapping[str, Array] = field(default_factory=dict)
    kl_divergence: float | None = None

    def __post_init__(self) -> None:
        if self.map.ndim != 2 or self.map.shape[1] != 2 or self.map.dtype != np.float32:
            raise ValueError(
                f"map must be float32 (n_samples, 2); got {self.map.dtype} {self.map.shape}"
            )
        if not np.isfinite(self.map).all():
            raise ValueError("map must be finite")

    def __repr__(self) -> str:
        return f"OwnMap({len(self.map)} samples)"


def map_names(study: Study) -> tuple[str, ...]:
    """Return the names of the maps that some layer has at some epoch, the usual ones first."""
    moments = (study, *(study.epochs or {}).values())
    layers = [layer for moment in moments for layer in moment.layers.values()]
    further = {name: None for layer in layers for name in layer.other_maps}
    # The maps that are shown are of that name, and the usual ones among the others.
    names = dict.fromkeys([study.map_name, *further])
    return (TSNE, *(name for name in names if name != TSNE))


def study_with_map(study: Study, name: str) -> Study:
    """Return the study with other maps in the place of the usual ones; as `Study.with_map`.

    Raises
    ------
    ValueError
        If no layer has a map of this name.
    """
    if name not in study.maps:
        raise ValueError(f"map: the study has maps by {', '.join(study.maps)}; got {name!r}")
    return study if name == study.map_name else _mapped(study, name)


def _mapped(study: Study, name: str) -> Study:
    """Return a study, or one of its epochs, with other maps; without those it lacks."""
    shown = study.map_name
    epochs = study.epochs or {}
    return replace(
        study,
        layers={key: _layer_with_map(layer, name, shown) for key, layer in study.layers.items()},
        other_labelings={key: _mapped(other, name) for key, other in study.other_labelings.items()},
        # Controls have no maps but t-SNE's.
        controls={
            control: {layer: native(scores) for layer, scores in there.items()}
            for control, there in study.controls.items()
        },
        epochs={epoch: _mapped(there, name) for epoch, there in epochs.items()} or study.epochs,
        map_name=name,
    )


def _layer_with_map(layer: LayerStudy, name: str, shown: str) -> LayerStudy:
    """Return a layer with another map and its scores; without it, with neither."""
    others = dict(layer.other_maps)
    wanted = others.pop(name, None)
    influences = dict(layer.influences or {})
    if layer.map is not None:
        scores = None if layer.scores is None else of_map(layer.scores)
        of_it = {key: values for key, values in influences.items() if scores and key in scores}
        others[shown] = OwnMap(layer.map, scores, of_it, layer.kl_divergence)
    scores = None if layer.scores is None else native(layer.scores)
    influences = {key: values for key, values in influences.items() if scores and key in scores}
    if wanted is not None and wanted.scores is not None and scores is not None:
        scores = replace(
            scores,
            scores={**scores.scores, **wanted.scores.scores},
            skipped={**scores.skipped, **wanted.scores.skipped},
        )
        influences |= wanted.influences
    return layer.with_map(wanted, scores, influences, others)


def native(scores: Scores) -> Scores:
    """Return the scores of the representation alone."""
    return _some(scores, lambda space: space == "native")


def of_map(scores: Scores) -> Scores:
    """Return the scores that depend on the map."""
    return _some(scores, lambda space: space != "native")


def _some(scores: Scores, wanted: Callable[[str], bool]) -> Scores:
    spaces = partial(_space_of, scores)
    return replace(
        scores,
        scores={name: score for name, score in scores.items() if wanted(spaces(name))},
        skipped={name: why for name, why in scores.skipped.items() if wanted(spaces(name))},
    )


def _space_of(scores: Scores, name: str) -> str:
    from ..metrics import all_measures

    if name in scores.scores:
        return str(scores.scores[name].space)
    places = {name: space for entry in all_measures() for name, space in entry.places}
    return str(places.get(name, "native"))
