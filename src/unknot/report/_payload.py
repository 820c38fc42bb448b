"""The data of the page as JSON-serializable values."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import __version__
from .._io.text import whole_text
from .._typing import Array
from ..metrics import measure_names
from ..studies import LayerStudy, Study
from ._columns import cut_text, metadata_entries
from ._differences import differences_entry, layer_differences
from ._labelings import changes, common_labelings, labels_entry, suspects_entry
from ._layers import finite, layer_entry
from ._options import MAX_POINTS, KeptMoments, Options, options_of
from ._packing import Packed, pack, pack_shares
from ._settings import settings_entry
from ._similarities import similarities_entry
from ._thumbnails import image_uri, sprite_sheets

FORMAT = 3
_DPI = 130  # of the static figure, 10 inches wide
# With more layers or classes a static figure is too small to be read, and takes most of the time.
_MAX_FIGURE_LAYERS, _MAX_FIGURE_CLASSES = 12, 100


def build_payload(
    study: Study,
    *,
    other: Study | None = None,
    title: str | None = None,
    n_neighbors: int | None = None,
    max_points: int | None = MAX_POINTS,
    n_jobs: int | None = None,
) -> dict[str, Any]:
    """Build the data of the page of a study, or of two studies to compare.

    Parameters
    ----------
    study : Study
        Study of one model.
    other : Study, default=None
        Study of another model on the same samples in the same order, for comparison.
    title : str, default=None
        Title of the page. Default: the name of the model, or the names of both.
    n_neighbors : int, default=None
        Number of nearest neighbors stored per point, which are highlighted with it. Decrease it for
        a smaller page; 0 stores none. Default: 8, or where these take more than 4 MB, fewer, but 3
        at least, unless these take more than 16 MB.
    max_points : int or None, default=100,000
        Maximum number of samples shown. Of more, as many are drawn in proportion to the classes,
        and the page says so; scores, confusion, hulls and ellipses are still those of all samples.
        Increase it to see all of a large study; None shows all.
    n_jobs : int, default=None
        Number of threads. Default: all cores.

    Returns
    -------
    dict
        JSON-serializable values. Maps and other long arrays are packed in base64, thumbnails are
        WebP sprite sheets.

    Raises
    ------
    ValueError
        If `n_neighbors` is negative, `max_points` is not positive, a map is not finite, or the two
        studies differ in their samples or classes.

    See Also
    --------
    write_report : Write the page as one HTML file.
    unknot.report.Widget : Show the page in a notebook.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.report import build_payload
    >>> labels = np.repeat([0, 1], 30)
    >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None]
    >>> study = unknot.study(
    ...     {"fc1": 2 * pixels}, (pixels, labels), measures="neighborhood_hit", max_iter=250
    ... )
    >>> payload = build_payload(study, title="Two clouds")
    >>> payload["title"], payload["nSamples"]
    ('Two clouds', 60)
    >>> [layer["name"] for layer in payload["models"][0]["layers"]]
    ['inputs', 'fc1']
    """
    studies = [study] if other is None else [study, other]
    if other is not None:
        _check_same_samples(study, other)
    return _build(studies, title, options_of(studies, n_neighbors, max_points, n_jobs))


def build_live_payload(
    study: Study, kept: KeptMoments, *, max_points: int | None, n_jobs: int | None
) -> dict[str, Any]:
    """Build the data of the page of a training; as `build_payload`.

    Parameters
    ----------
    kept : KeptMoments
        Of the earlier pages of the same training, of the same samples.
    """
    options = options_of([study], None, max_points, n_jobs)
    return _build([study], None, replace(options, kept=kept))


def _build(studies: list[Study], title: str | None, options: Options) -> dict[str, Any]:
    other = studies[1] if len(studies) > 1 else None
    payload = _with_maps(_payload_of(studies, title, options), studies, title, options)
    names = common_labelings(studies)
    if len(names) > 1:
        payload["labelings"] = [{"name": names[0], "changes": []}]
        for name in names[1:]:
            labeled = [each.labelings[name] for each in studies]
            if other is not None:
                _check_same_samples(*labeled)
            # The fallback without WebGL shows the first labeling.
            shared = {key: payload[key] for key in _shared_keys(payload)}
            found = _payload_of(labeled, title, options, shared)
            found = _with_maps(found, labeled, title, options)
            differing = changes({**payload, "labelings": None}, {**found, "labelings": None})
            payload["labelings"].append({"name": name, "changes": differing})
    valid: dict[str, Any] = _with_valid_text(payload)
    return valid


def _with_maps(
    payload: dict[str, Any], studies: list[Study], title: str | None, options: Options
) -> dict[str, Any]:
    """Add what differs with the maps that all studies have beside the usual ones."""
    first = studies[0].map_name
    others = [name for name in studies[0].maps if name != first]
    names = [name for name in others if all(name in study.maps for study in studies)]
    if not names:
        return payload
    shared = {key: payload[key] for key in _shared_keys(payload)}
    maps: list[dict[str, Any]] = [{"name": first, "changes": []}]
    for name in names:
        mapped = [study.with_map(name) for study in studies]
        found = _payload_of(mapped, title, options, shared)
        maps.append({"name": name, "changes": changes(payload, found)})
    return {**payload, "maps": maps}


def _payload_of(
    studies: list[Study],
    title: str | None,
    options: Options,
    shared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the data of one labeling; ``shared`` is what does not depend on it."""
    study = studies[0]
    first_name, *more = names = _model_names(studies)
    models = [
        _model_entry(model_study, name, number, f"{name}: " if more else "", options)
        for number, (model_study, name) in enumerate(zip(studies, names, strict=True))
    ]
    if shared is None:
        shared = _shared(studies, options)
    n_samples = len(study.labels)
    points = options.points
    sampled = {} if points is None else {"sampled": {"of": n_samples, "indices": pack(points)}}
    return {
        "format": FORMAT,
        "title": title if title is not None else " and ".join([first_name, *more]),
        "unknot": __version__,
        "nSamples": n_samples if points is None else len(points),
        **sampled,
        **labels_entry(study, options),
        "predictions": _predictions(study, options),
        "confidence": _confidence(study, options),
        **shared,
        "measures": _measures(studies),
        "models": models,
        "differences": differences_entry(studies),
        "summary": [line for model in models for line in model["summary"]],
        "settings": settings_entry(studies, names, options),
    }


def _shared(studies: list[Study], options: Options) -> dict[str, Any]:
    thumbnails = next((s.thumbnails for s in studies if s.thumbnails is not None), None)
    snippets = next((s.snippets for s in studies if s.snippets is not None), None)
    shared = {
        "thumbnails": None if thumbnails is None else sprite_sheets(options.shown(thumbnails)),
        "snippets": None if snippets is None else _snippets_entry(snippets, options),
        "figure": _figure(studies[0]),
        "similarities": similarities_entry(
            studies,
            [list(_with_all_layers(study).layers) for study in studies],
            [[(study.epochs or {})[at] for at in _earlier_epochs(study)] for study in studies],
        ),
    }
    metadata = metadata_entries(studies, options)
    return {**shared, "metadata": metadata} if metadata else shared


def _shared_keys(payload: Mapping[str, Any]) -> list[str]:
    """Return the keys of what does not depend on the labeling."""
    keys = ("thumbnails", "snippets", "figure", "metadata", "similarities")
    return [key for key in keys if key in payload]


def _with_valid_text(value: Any) -> Any:
    """Replace lone surrogates in all strings of nested values."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): _with_valid_text(item) for key, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], float):
        return [_with_valid_text(item) for item in value]
    return value


def _check_same_samples(study: Study, other: Study) -> None:
    if len(study.labels) != len(other.labels):
        raise ValueError(
            f"other must have the same {len(study.labels):,} samples; it has {len(other.labels):,}"
        )
    if tuple(study.class_names) != tuple(other.class_names):
        raise ValueError(
            "other must have the same classes; one has "
            f"{_format_names(study.class_names)}, the other {_format_names(other.class_names)}"
        )
    differing = np.flatnonzero(study.labels != other.labels)
    if study.targets is not None and other.targets is not None:
        same = (study.targets == other.targets) | ~(study.labeled | other.labeled)
        differing = np.flatnonzero(~same)
    elif (study.targets is None) != (other.targets is None):
        raise ValueError("other must have labels of the same kind; one has numbers, one classes")
    if len(differing):
        raise ValueError(
            "other must have the same samples in the same order; the labels of "
            f"{len(differing):,} samples differ, the first at index {int(differing[0])}"
        )


def _format_names(names: Any) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _model_names(studies: list[Study]) -> list[str]:
    names = [str(study.name) for study in studies]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    return names


def _model_entry(
    study: Study, name: str, number: int, prefix: str, options: Options
) -> dict[str, Any]:
    final = _moment_entry(_with_all_layers(study), options)
    # Of the study itself: layers of other epochs alone say nothing.
    final |= _notable(study, prefix, options)
    epochs = _epochs(study, number, prefix, final["layers"], options)
    return {"name": name, **final, "epochs": epochs}


def _notable(study: Study, prefix: str, options: Options) -> dict[str, Any]:
    """Return what is notable in a study: as sentences, and the labels to check."""
    suspects = suspects_entry(study, options)
    return {
        "summary": [prefix + line for line in study.summary().lines],
        **({} if suspects is None else {"suspects": suspects}),
    }


def _moment_entry(study: Study, options: Options) -> dict[str, Any]:
    """Build the entry of a model at one epoch, or after training."""
    n_classes = len(study.class_names)
    return {
        "accuracy": finite(study.accuracy),
        "predictions": _predictions(study, options),
        "confidence": _confidence(study, options),
        "layers": [
            layer_entry(layer, study.labels, n_classes, options) for layer in study.layers.values()
        ],
        "controls": [
            {"name": str(control), "scores": {str(key): _values(s) for key, s in scores.items()}}
            for control, scores in study.controls.items()
        ],
    }


def _with_all_layers(study: Study) -> Study:
    """Add the layers that only some epochs have, without data."""
    layers = dict(study.layers)
    for moment in (study.epochs or {}).values():
        for name, layer in moment.layers.items():
            if name not in layers:
                note = "this layer is known at other epochs only"
                layers[name] = LayerStudy(name, layer.kind, layer.shape, notes=(note,))
    return replace(study, layers=layers)


def _predictions(study: Study, options: Options) -> Packed | None:
    return None if study.predictions is None else pack(options.shown(study.predictions))


def _confidence(study: Study, options: Options) -> Packed | None:
    """Pack the predicted classes' probabilities."""
    if study.probabilities is None or study.predictions is None:
        return None
    rows = np.arange(len(study.predictions))
    sure = np.nan_to_num(np.asarray(study.probabilities)[rows, study.predictions])
    return pack_shares(options.shown(sure))


def _snippets_entry(snippets: Sequence[str], options: Options) -> list[str]:
    points = range(len(snippets)) if options.points is None else options.points
    return [cut_text(str(snippets[point])) for point in points]


def _values(scores: Mapping[str, Any] | None) -> dict[str, float | None]:
    return {name: finite(score.value) for name, score in (scores or {}).items()}


def _measures(studies: list[Study]) -> list[dict[str, Any]]:
    """List the measures of all layers, in the order of `measure_names`."""
    entries: dict[str, dict[str, Any]] = {}
    for study in studies:
        moments = [study, *(study.epochs or {}).values()]
        for layer in (layer for moment in moments for layer in moment.layers.values()):
            for name, score in (layer.scores or {}).items():
                entries.setdefault(name, _measure_entry(score))
    order = {name: index for index, name in enumerate(measure_names())}
    return sorted(entries.values(), key=lambda entry: order.get(entry["name"], len(order)))


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
    study: Study,
    number: int,
    prefix: str,
    final_layers: list[dict[str, Any]],
    options: Options,
) -> dict[str, Any] | None:
    """Build the entries of the epochs; the last one is the study itself.

    Its epoch is None if the study is not identical to any recorded epoch. Layers that are the same
    at an epoch as in the study, such as the inputs, are stored by name only.
    """
    if not study.epochs:
        return None
    epochs = _earlier_epochs(study)
    last: list[int | None] = [int(epoch) for epoch in sorted(study.epochs)[len(epochs) :]]
    listed = [entry["name"] for entry in final_layers]
    moments = []
    for epoch in epochs:
        there = study.epochs[epoch]

        def build(there: Study = there) -> dict[str, Any]:
            entry = _moment_entry(there, options) | _notable(there, prefix, options)
            differences = layer_differences(there, number, listed)
            return {**entry, "differences": differences} if differences else entry

        of = (there.labeling, there.map_name, number, options.n_neighbors, *listed)
        moments.append(dict(options.kept.entry(int(epoch), of, build)))
    for moment in moments:
        moment["layers"] = [
            {"name": entry["name"], "unchanged": True} if entry in final_layers else entry
            for entry in moment["layers"]
        ]
    return {"epochs": [*map(int, epochs), *(last or [None])], "moments": moments}


def _earlier_epochs(study: Study) -> list[int]:
    """Return the epochs without the last one where that is the study itself."""
    epochs = sorted(study.epochs or {})
    if study.epochs and _is_same_model(study, study.epochs[epochs[-1]]):
        epochs.pop()
    return epochs


def _is_same_model(study: Study, epoch: Study) -> bool:
    """Return whether a study and one of its epochs agree in everything that both contain."""
    return _agree(study.predictions, epoch.predictions) and all(
        name in study.layers and _same_layer(layer, study.layers[name])
        for name, layer in epoch.layers.items()
    )


def _same_layer(one: LayerStudy, other: LayerStudy) -> bool:
    if one.scores and other.scores and _values(one.scores) != _values(other.scores):
        return False
    return _agree(one.map, other.map)


def _agree(one: Array | None, other: Array | None) -> bool:
    return one is None or other is None or np.array_equal(one, other)


def _figure(study: Study) -> str | None:
    """Draw the strip of maps as a fallback for browsers without WebGL."""
    from ..figures import figure_bytes

    n_drawn = sum(layer.same_as is None for layer in study.layers.values())
    if n_drawn > _MAX_FIGURE_LAYERS or len(study.class_names) > _MAX_FIGURE_CLASSES:
        return None
    if all(layer.map is None for layer in study.layers.values()):
        return None
    with warnings.catch_warnings():
        # Names may have glyphs that the figure's font lacks; the page itself shows them.
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        return image_uri(figure_bytes(study.figure(), dpi=_DPI))
