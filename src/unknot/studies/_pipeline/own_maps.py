"""Maps beside t-SNE's in a study: the user's, or made by another estimator, and measured."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array
from ..._validation.preprocessing import identity_of
from .._influences import of_all_samples, of_scores
from .._own_maps import TSNE
from .._store.format import PARTS, read_graph, read_zarr, write_zarr
from .._store.layer_records import InfluenceRecord, LayerRecord, MapRecord
from .._store.saving import write_influences, write_scores
from .data import StudyData
from .labeling import Labeling
from .measuring import measure_labeled
from .spaces import preprocess
from .stages import Source, StageLabel, Stages
from .transitions import LayerBefore


@dataclass(frozen=True)
class OwnMaps:
    """The maps that a user gives, by name and layer, and the estimators that make others."""

    given: dict[str, dict[str, Array]]
    mappers: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all, in order."""
        return (*self.given, *self.mappers)


def take_maps(
    maps: Any, mapper: Any, data: StudyData, *, taken: Collection[str] = (), at: str = ""
) -> OwnMaps:
    """Validate maps and estimators, and take the rows of the samples that were drawn.

    Parameters
    ----------
    taken : collection of str
        Further names that are taken.
    at : str
        What errors add to a name, such as an epoch.

    Raises
    ------
    TypeError
        If maps are no mappings, or an estimator has no ``fit_transform``.
    ValueError
        If a name is taken, or a map has another shape or is not finite.
    """
    given: dict[str, dict[str, Array]] = {}
    if maps is not None and not isinstance(maps, Mapping):
        raise TypeError(
            "maps must be a dict of names to dicts of layers to maps, such as "
            f'{{"UMAP": {{"fc1": map_}}}}; got {type(maps).__name__}'
        )
    for name, layers in (maps or {}).items():
        own = f"maps[{str(name)!r}]{at}"
        _check_name(str(name), own, (*given, *taken))
        if not isinstance(layers, Mapping) or not layers:
            raise TypeError(
                f"{own} must be a dict of layers to maps (n_samples, 2), at least one; got "
                f"{'none' if isinstance(layers, Mapping) else type(layers).__name__}"
            )
        given[str(name)] = {
            str(layer): _rows_of(f"{own}[{str(layer)!r}]", values, data)
            for layer, values in layers.items()
        }
    mappers: dict[str, Any] = {}
    if mapper is not None:
        named = mapper if isinstance(mapper, Mapping) else {type(mapper).__name__: mapper}
        for name, estimator in named.items():
            _check_name(str(name), "mapper", (*given, *mappers, *taken))
            if isinstance(estimator, type) or not callable(
                getattr(estimator, "fit_transform", None)
            ):
                raise TypeError(
                    "mapper must be an estimator with fit_transform, such as "
                    f"umap.UMAP(random_state=0), or a dict of these; got {estimator!r}"
                )
            mappers[str(name)] = estimator
    return OwnMaps(given, mappers)


def take_epoch_maps(
    maps: Any, mappers: Mapping[str, Any], data: StudyData, epochs: Collection[int]
) -> dict[int, OwnMaps]:
    """Validate the maps of epochs, and add the estimators to those of each.

    Parameters
    ----------
    maps : mapping of str to mapping of int to mapping of str to array-like, or None
        By name, epoch and layer.

    Raises
    ------
    TypeError, ValueError
        As `take_maps`, and if an epoch was not captured.
    """
    if maps is not None and not isinstance(maps, Mapping):
        raise TypeError(
            "maps must be a dict of names to dicts of epochs to dicts of layers to maps, such as "
            f'{{"UMAP": {{1: {{"fc1": map_}}}}}}; got {type(maps).__name__}'
        )
    found: dict[int, dict[str, Any]] = {epoch: {} for epoch in epochs}
    for name, by_epoch in (maps or {}).items():
        if not isinstance(by_epoch, Mapping) or not by_epoch:
            raise TypeError(
                f"maps[{str(name)!r}] must be a dict of epochs to dicts of layers to maps, such as "
                f'{{1: {{"fc1": map_}}}}; got {by_epoch!r:.60}'
            )
        for epoch, layers in by_epoch.items():
            if epoch not in found:
                raise ValueError(
                    f"maps[{str(name)!r}] has a map of epoch {epoch!r}, which was not captured; "
                    f"captured are {', '.join(map(str, epochs))}"
                )
            found[epoch][str(name)] = layers
    taken = {
        epoch: take_maps(given, None, data, taken=mappers, at=f"[{epoch}]")
        for epoch, given in found.items()
    }
    return {epoch: OwnMaps(own.given, dict(mappers)) for epoch, own in taken.items()}


def _check_name(name: str, own: str, taken: Collection[str]) -> None:
    if not name.strip() or name == TSNE or name in taken:
        what = "an empty name" if not name.strip() else f"the name {name!r}, which is taken"
        raise ValueError(f"{own} has {what}; give it another")


def _rows_of(own: str, values: Any, data: StudyData) -> Array:
    """Return the coordinates of the drawn samples; of tokens and pixels those of their sample."""
    try:
        map_ = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{own} must be an array (n_samples, 2): {error}") from error
    n_given = data.n_given if data.n_given is not None else data.n_inputs
    n_rows = len(data.labels) if data.places is not None else n_given
    if map_.shape != (n_rows, 2):
        raise ValueError(
            f"{own} must have the shape ({n_rows}, 2), a row for each of the {n_rows:,} samples of "
            f"data; got {map_.shape}"
        )
    if map_.dtype.kind not in "iuf":
        raise TypeError(f"{own} must be of real numbers; got {map_.dtype}")
    checked = checked_map(map_, own)
    return checked if data.rows is None or data.places is not None else checked[data.rows]


def checked_map(map_: Array, own: str) -> Array:
    """Return a map as float32.

    Raises
    ------
    ValueError
        If it is not finite, in float32 either.
    """
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(map_, dtype=np.float32)
    lost = ~np.isfinite(found).all(axis=1)
    if lost.any():
        raise ValueError(
            f"{own} must be finite in float32; {int(lost.sum()):,} samples are not, the first at "
            f"index {int(lost.argmax())}"
        )
    return found


def check_layers(maps: OwnMaps, layers: Sequence[LayerRecord], at: str = "") -> None:
    """Refuse maps of layers that the study does not have, or that are views of others.

    Parameters
    ----------
    at : str
        What errors add to a name, such as an epoch.
    """
    known = {layer.name: layer.same_as for layer in layers}
    for name, of_layers in maps.given.items():
        for layer in of_layers:
            if layer not in known:
                raise ValueError(
                    f"maps[{name!r}]{at}: the study has no layer {layer!r}; it has "
                    f"{', '.join(known)}{did_you_mean(layer, known)}"
                )
            if (of := known[layer]) is not None:
                raise ValueError(
                    f"maps[{name!r}]{at}: {layer!r} is the same as {of!r}; give the map as that of "
                    f"{of!r}"
                )


def add_maps(
    stages: Stages,
    maps: OwnMaps,
    layers: Sequence[LayerRecord],
    sources: Mapping[str, Source],
    labelings: Mapping[str, Labeling],
    *,
    prefix: str = "",
    previous: dict[tuple[str, str], Path] | None = None,
) -> tuple[tuple[LayerRecord, ...], tuple[str, ...]]:
    """Store and measure the maps of every layer; return the layers with them, and notes.

    Parameters
    ----------
    prefix : str
        Of the stages of all layers but the inputs, which are the same at every epoch.
    previous : dict of (str, str) to Path, optional
        The map by name and layer at the epoch before, which an estimator's map is turned to; else
        it is turned to that of the preceding layer. The new maps replace them.
    """
    previous = {} if previous is None else previous
    notes: list[str] = []
    found: dict[str, dict[str, MapRecord]] = {layer.name: {} for layer in layers}
    for number, name in enumerate(maps.names):
        before: Path | None = None
        compared: LayerBefore | None = None
        since: list[str] = []
        for place, layer in enumerate(layers):
            if layer.same_as is not None:
                continue
            own = "" if layer.name == "inputs" else prefix
            key, source = f"{own}{place:03d}-own-map-{number}", sources[layer.name]
            since.append(layer.name)
            if name in maps.given:
                if layer.name not in maps.given[name]:
                    continue
                stored = _store_given(stages, key, name, layer, maps.given[name][layer.name])
            elif layer.graph is None:
                continue
            elif source.n_bytes > stages.whole_bytes:
                notes.append(f"{name} has no map of {layer.name}: its points are not in memory")
                continue
            else:
                start = previous.get((name, layer.name), before) if own else before
                stored = _store_made(stages, key, name, layer, source, maps.mappers[name], start)
                before = previous[name, layer.name] = stages.folder / stored
            if compared is not None:
                compared = replace(compared, left_out=tuple(since[:-1]))
            found[layer.name][name] = _measured(
                stages, key, name, layer, source, stored, labelings, compared
            )
            if layer.graph is not None:
                if compared is not None and stages.settings.of_previous:
                    notes += [f"{layer.name} by {name}: {note}" for note in compared.notes]
                since.clear()
                compared = LayerBefore(layer.name, source, layer.graph, stored)
    with_maps = {layer.name: replace(layer, other_maps=found[layer.name]) for layer in layers}
    for layer in layers:
        if layer.same_as is not None:
            shared = with_maps[layer.same_as].other_maps
            with_maps[layer.name] = replace(layer, other_maps=shared)
    return tuple(with_maps.values()), tuple(notes)


def _store_given(stages: Stages, key: str, name: str, layer: LayerRecord, map_: Array) -> str:
    digest = hashlib.sha256(map_.tobytes()).hexdigest()

    def work(folder: Path) -> dict[str, Any]:
        write_zarr(folder / "map", map_)
        return {}

    label = StageLabel(layer.name, f"map by {name}")
    return f"{PARTS}/{stages.do(key, label, {'map': digest}, [], work).path.name}/map"


def _store_made(
    stages: Stages,
    key: str,
    name: str,
    layer: LayerRecord,
    source: Source,
    mapper: Any,
    before: Path | None,
) -> str:
    """Fit the estimator to the points of a layer; turn its map to the one before."""
    from ...projection import align_map

    settings = stages.settings

    def work(folder: Path) -> dict[str, Any]:
        points, _ = preprocess(source.read(stages.whole_bytes), settings, stages.whole_bytes // 2)
        points = np.asarray(points, dtype=np.float32)
        own = f"mapper {name!r} at layer {layer.name!r}"
        try:
            made = copy.deepcopy(mapper).fit_transform(points)
        except Exception as error:
            error.add_note(f"raised by {own}")
            raise
        map_ = np.asarray(made)
        if map_.shape != (len(points), 2):
            raise ValueError(
                f"{own} must return a map ({len(points)}, 2); got {map_.shape}. Set its number of "
                "components to 2"
            )
        map_ = checked_map(map_, own)
        if before is not None:
            map_ = align_map(map_, read_zarr(before.parent, before.name))
        write_zarr(folder / "map", np.asarray(map_, dtype=np.float32))
        return {}

    known = {
        **source.described(stages.whole_bytes),
        **settings.space,
        "mapper": [type(mapper).__module__, type(mapper).__name__, _identity(mapper)],
        "before": None if before is None else before.parent.name,
    }
    label = StageLabel(layer.name, f"map by {name}")
    part = stages.do(key, label, known, [source.part], work)
    return f"{PARTS}/{part.path.name}/map"


def _identity(mapper: Any) -> str:
    """Return a text that is the same for an estimator of the same parameters, and else no other."""
    if not hasattr(mapper, "get_params"):
        return identity_of(mapper.fit_transform)
    version = type(mapper).__module__.partition(".")[0]
    return f"{version} {identity_of(tuple(sorted(mapper.get_params().items())))}"


def _measured(
    stages: Stages,
    key: str,
    name: str,
    layer: LayerRecord,
    source: Source,
    stored: str,
    labelings: Mapping[str, Labeling],
    compared: LayerBefore | None,
) -> MapRecord:
    """Measure a map, for each labeling, by the measures that take one.

    Transitions are from the last layer before that has a map of this name.
    """
    settings, graph = stages.settings, layer.graph
    wanted = [each for each in settings.measures if each not in settings.native_measures]
    scores: dict[str, str] = {}
    influences: dict[str, InfluenceRecord] = {}
    for number, (own, labeling) in enumerate(labelings.items()):
        if graph is None or not wanted:
            break

        def work(folder: Path, labeling: Labeling = labeling) -> dict[str, Any]:
            assert graph is not None
            options = {key: each for key, each in settings.options.items() if key != "n_refits"}
            found = measure_labeled(
                source.read(stages.whole_bytes),
                labeling,
                read_zarr(stages.folder, stored),
                settings.to_compute(wanted),
                metric=settings.metric,
                preprocess=settings.preprocess,
                k=settings.k,
                graph=read_graph(stages.folder, graph),
                before=None
                if compared is None
                else partial(compared.known, stages.context, stages.n_jobs),
                random_state=settings.random_state,
                n_jobs=stages.n_jobs,
                max_memory=stages.whole_bytes // 2,
                **options,
            )
            write_scores(folder / "scores.json", found)
            known = of_all_samples(of_scores(found), labeling.labeled)
            return {"influences": write_influences(folder / "influences", known)}

        known = {
            **source.described(stages.whole_bytes),
            **settings.scoring(wanted),
            "map": stored,
            "graph": graph.path,
            "labeling": own,
        }
        if compared is not None and settings.of_previous:
            known |= {
                **compared.decided,
                "map_before": compared.map,
                "graph_before": compared.graph.path,
            }
        label = StageLabel(layer.name, f"scores of {name}")
        part = stages.do(f"{key}-scores-{number}", label, known, [source.part], work)
        path = f"{PARTS}/{part.path.name}"
        under = own if number else ""
        scores[under] = f"{path}/scores.json"
        if part.result["influences"]:
            names = tuple(part.result["influences"])
            influences[under] = InfluenceRecord(f"{path}/influences", names)
    return MapRecord(stored, scores, influences)
