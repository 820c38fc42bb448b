"""The figures of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._own_maps import TSNE
from ._study import ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ._study import Study


def strip(study: Study, options: dict[str, Any]) -> Figure:
    """Draw the maps of the layers side by side; as `Study.figure`."""
    from ..figures import layer_strip

    own = {name: layer for name, layer in study.layers.items() if layer.same_as is None}
    maps: dict[str, Any] = {
        name: "; ".join(layer.notes) or None if layer.map is None else layer.map
        for name, layer in own.items()
    }
    if all(isinstance(map_, str | None) for map_ in maps.values()):
        raise ValueError(f"the study of {study.name!r} has no maps to draw")
    scores = {name: each for name, each in study.scores.items() if name in own}
    labels: Any = study.labels
    if study.targets is None and not study.labeled.all():
        labels = np.ma.masked_array(labels, ~study.labeled)
    # Numbers have no Neighborhood Hit.
    measure = "neighborhood_hit" if study.targets is None else "neighborhood_r2"
    figure = layer_strip(
        maps,
        labels,
        **{
            "class_names": study.class_names if study.targets is None else None,
            "scores": scores,
            "measure": measure,
            "values": study.targets,
            "predictions": study.predictions,
            "title": _title(study),
            **options,
        },
    )
    return _captioned(figure, study, of_maps=True)


def curves(
    study: Study, measures: Sequence[str] | None, over: str, options: dict[str, Any]
) -> Figure:
    """Draw each measure over the layers or the epochs; as `Study.curves`."""
    from ..figures import epoch_curves, layer_curves

    if over not in ("layers", "epochs"):
        raise ValueError(f"over must be 'layers' or 'epochs'; got {over!r}")
    own = [name for name in study.scores if study.layers[name].same_as is None]
    if over == "epochs":
        if study.epochs is None:
            raise ValueError(f"the study of {study.name!r} has no epochs")
        found = {
            epoch: {name: there.scores[name] for name in own if name in there.scores}
            for epoch, there in study.epochs.items()
        }
        figure = epoch_curves(found, measures, **{"title": _title(study), **options})
        return _captioned(figure, study)
    table = study.scores
    others: dict[str, Any] = {}
    for control, scored in study.controls.items():
        # The inputs share the model's scores, including those of maps, which a control lacks.
        measured = {name for layer in scored if layer != "inputs" for name in scored[layer]}
        others[control] = {
            layer: {name: scored[layer][name] for name in scored[layer] if name in measured}
            if layer in scored
            else {}
            for layer in own
        }
    figure = layer_curves(
        {layer: table[layer] for layer in own},
        measures,
        **{"others": others, "title": _title(study), **options},
    )
    return _captioned(figure, study)


def _captioned(figure: Any, study: Study, *, of_maps: bool = False) -> Figure:
    """Add to a figure's caption what only the study knows: n, k, t-SNE's settings and the seed."""
    settings = study.settings
    parts = []
    if not of_maps:
        parts.append(f"n = {len(study.labels):,} samples of {study.labels_in_words}")
        if "k" in settings:
            parts.append(f"k = {settings['k']} neighbors")
    found = [layer.kl_divergence for layer in study.values() if layer.kl_divergence is not None]
    if of_maps and found:
        ends = f"{min(found):.2f}" + (f" to {max(found):.2f}" if len(found) > 1 else "")
        parts.append(f"Mapped by t-SNE, KL divergence {ends}")
    elif of_maps and study.map_name != TSNE:
        parts.append(f"Mapped by {study.map_name}")
    if of_maps and "perplexity" in settings and study.map_name == TSNE:
        parts.append(f"perplexity {settings['perplexity']:g}")
    if settings.get("random_state") is not None:
        parts.append(f"seed {settings['random_state']}")
    if parts:
        figure.caption = f"{figure.caption} {'; '.join(parts)}."
    drawn: Figure = figure
    return drawn


def _title(study: Study) -> str:
    """Return the name of the model, with that of the labels where there are several."""
    return study.name if study.labeling == ONLY else f"{study.name}: {study.labeling}"
