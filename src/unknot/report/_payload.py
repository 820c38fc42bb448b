"""Everything that the page shows of a study, as plain values that JSON has."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import __version__
from .._io.text import whole_text
from .._typing import Array
from ..metrics import measure_names
from ..studies import LayerStudy, Study
from ._layers import finite, layer_entry
from ._packing import Packed, pack, pack_shares
from ._thumbnails import image_uri, sprite_sheets

FORMAT = 2
_LONGEST_SNIPPET = 400
_DPI = 130  # of the still figure, 10 inches wide


def build_payload(
    study: Study,
    *,
    other: Study | None = None,
    title: str | None = None,
    n_neighbors: int = 8,
    n_jobs: int | None = None,
) -> dict[str, Any]:
    """Build what the page shows of a study, or of two to compare.

    Parameters
    ----------
    study : Study
        Of one model.
    other : Study, optional
        Of another model and the same samples, in the same order.
    title : str, optional
        Above the page; by default the name of the model, or of both.
    n_neighbors : int, default 8
        Neighbors of each point that are highlighted with it; 0 for none.
    n_jobs : int, optional
        Threads; every core by default.

    Returns
    -------
    dict
        Plain values, as JSON has them: maps and other long columns packed in base64, thumbnails as
        sheets in WebP.

    Raises
    ------
    ValueError
        If n_neighbors is negative, a map is not finite, or the other study is of other samples.
    """
    if n_neighbors < 0:
        raise ValueError(f"n_neighbors must be 0 or more; got {n_neighbors}")
    studies = [study] if other is None else [study, other]
    if other is not None:
        _check_same_samples(study, other)
    first_name, *more = names = _names_of(studies)
    thumbnails = next((each.thumbnails for each in studies if each.thumbnails is not None), None)
    snippets = next((each.snippets for each in studies if each.snippets is not None), None)
    payload: dict[str, Any] = {
        "format": FORMAT,
        "title": title if title is not None else " and ".join([first_name, *more]),
        "unknot": __version__,
        "nSamples": len(study.labels),
        "classNames": [str(name) for name in study.class_names],
        "labels": pack(study.labels),
        "predictions": _predictions(study),
        "confidence": _confidence(study),
        "thumbnails": None if thumbnails is None else sprite_sheets(thumbnails),
        "snippets": None if snippets is None else [_shortened(str(text)) for text in snippets],
        "measures": _measures(studies),
        "models": [
            _model_entry(each, name, n_neighbors, n_jobs)
            for each, name in zip(studies, names, strict=True)
        ],
        "figure": _figure(study),
        "settings": _settings(studies, names),
    }
    whole: dict[str, Any] = _whole(payload)
    return whole


def _whole(value: Any) -> Any:
    """Mend every text in plain values."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], float):
        return [_whole(item) for item in value]
    return value


def _check_same_samples(study: Study, other: Study) -> None:
    if len(study.labels) != len(other.labels):
        raise ValueError(
            f"other must be of the same {len(study.labels):,} samples; it is of "
            f"{len(other.labels):,}"
        )
    if tuple(study.class_names) != tuple(other.class_names):
        raise ValueError(
            "other must have the same classes; one has "
            f"{_some(study.class_names)}, the other {_some(other.class_names)}"
        )
    differing = np.flatnonzero(study.labels != other.labels)
    if len(differing):
        raise ValueError(
            "other must be of the same samples in the same order; the labels of "
            f"{len(differing):,} differ, the first of sample {int(differing[0])}"
        )


def _some(names: Any) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _names_of(studies: list[Study]) -> list[str]:
    names = [str(study.name) for study in studies]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    return names


def _model_entry(study: Study, name: str, n_neighbors: int, n_jobs: int | None) -> dict[str, Any]:
    now = _moment_entry(_with_all_layers(study), n_neighbors, n_jobs)
    return {"name": name, **now, "epochs": _epochs(study, now["layers"], n_neighbors, n_jobs)}


def _moment_entry(study: Study, n_neighbors: int, n_jobs: int | None) -> dict[str, Any]:
    """Build what is known of a model at one moment of its training."""
    n_classes = len(study.class_names)
    return {
        "accuracy": finite(study.accuracy),
        "predictions": _predictions(study),
        "confidence": _confidence(study),
        "layers": [
            layer_entry(layer, study.labels, n_classes, n_neighbors, n_jobs)
            for layer in study.layers.values()
        ],
        "controls": [
            {"name": str(control), "scores": {str(key): _values(s) for key, s in scores.items()}}
            for control, scores in study.controls.items()
        ],
    }


def _with_all_layers(study: Study) -> Study:
    """Add, without values, the layers that only an earlier epoch has."""
    layers = dict(study.layers)
    for there in (study.epochs or {}).values():
        for name, layer in there.layers.items():
            if name not in layers:
                note = "this layer is known at other epochs only"
                layers[name] = LayerStudy(name, layer.kind, layer.shape, notes=(note,))
    return replace(study, layers=layers)


def _predictions(study: Study) -> Packed | None:
    return None if study.predictions is None else pack(study.predictions)


def _confidence(study: Study) -> Packed | None:
    """Pack the probability of each predicted class."""
    if study.probabilities is None or study.predictions is None:
        return None
    rows = np.arange(len(study.predictions))
    return pack_shares(np.nan_to_num(np.asarray(study.probabilities)[rows, study.predictions]))


def _values(scores: Mapping[str, Any] | None) -> dict[str, float | None]:
    return {name: finite(score.value) for name, score in (scores or {}).items()}


def _measures(studies: list[Study]) -> list[dict[str, Any]]:
    """List the measures that any layer has, in the order in which they are always listed."""
    found: dict[str, dict[str, Any]] = {}
    for study in studies:
        moments = [study, *(study.epochs or {}).values()]
        for layer in (layer for moment in moments for layer in moment.layers.values()):
            for name, score in (layer.scores or {}).items():
                found.setdefault(name, _measure_entry(score))
    order = {name: place for place, name in enumerate(measure_names())}
    return sorted(found.values(), key=lambda entry: order.get(entry["name"], len(order)))


def _measure_entry(score: Any) -> dict[str, Any]:
    return {
        "name": score.name,
        "title": score.title,
        "family": score.family,
        "space": score.space,
        "better": {True: "more", False: "less", None: None}[score.higher_is_better],
        "range": [finite(end) for end in score.range],
    }


def _epochs(
    study: Study, now: list[dict[str, Any]], n_neighbors: int, n_jobs: int | None
) -> dict[str, Any] | None:
    """Build the axis of the epochs, whose last step is the study itself.

    That step has the number of its epoch, or None where the study is of none of them. A layer that
    is the same at an epoch as in the study, such as the inputs, is named only.
    """
    if not study.epochs:
        return None
    epochs = sorted(study.epochs)
    last: list[int | None] = [None]
    if _is_of(study, study.epochs[epochs[-1]]):
        last = [int(epochs.pop())]
    moments = [_moment_entry(study.epochs[epoch], n_neighbors, n_jobs) for epoch in epochs]
    for moment in moments:
        moment["layers"] = [
            {"name": entry["name"], "unchanged": True} if entry in now else entry
            for entry in moment["layers"]
        ]
    return {"epochs": [int(epoch) for epoch in epochs] + last, "moments": moments}


def _is_of(study: Study, there: Study) -> bool:
    """Whether a study is of the moment that an epoch of it is of: all that both know agrees."""
    return _agree(study.predictions, there.predictions) and all(
        name in study.layers and _same_layer(layer, study.layers[name])
        for name, layer in there.layers.items()
    )


def _same_layer(one: LayerStudy, other: LayerStudy) -> bool:
    if one.scores and other.scores and _values(one.scores) != _values(other.scores):
        return False
    return _agree(one.map, other.map)


def _agree(one: Array | None, other: Array | None) -> bool:
    return one is None or other is None or np.array_equal(one, other)


def _figure(study: Study) -> str | None:
    """Draw the strip of maps, for a browser that cannot draw the points."""
    from ..figures import figure_bytes

    if all(layer.map is None for layer in study.layers.values()):
        return None
    with warnings.catch_warnings():
        # Of names in scripts that the figure's font lacks; the page itself shows them.
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        return image_uri(figure_bytes(study.figure(), dpi=_DPI))


def _settings(studies: list[Study], names: list[str]) -> dict[str, str]:
    """Say how the studies were made, as keys and text."""
    settings: dict[str, str] = {}
    for study, name in zip(studies, names, strict=True):
        before = f"{name}: " if len(studies) > 1 else ""
        for heading, values in (
            ("", study.settings),
            ("version of ", study.versions),
            ("seconds of ", study.seconds),
        ):
            for key, value in values.items():
                settings[f"{before}{heading}{key}"] = _as_text(value)
    return settings


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_as_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_text, value))
    return str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SNIPPET else text[: _LONGEST_SNIPPET - 1] + "…"
