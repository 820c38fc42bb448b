"""Writing a study to its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from ..._io.folders import claim, inside
from ..._io.lock import locked
from ..._typing import Array
from .._influences import known_influences, of_all_samples
from .._own_maps import TSNE, OwnMap
from .._study import Study
from .format import (
    MANIFEST,
    PARTS,
    SECONDS,
    StudyError,
    read_json,
    write_graph,
    write_zarr,
)
from .layer_records import DensityRecord, GraphRecord, InfluenceRecord, LayerRecord, MapRecord
from .metadata import records_of, write_columns
from .records import FORMAT, LabelingRecord, Manifest, MomentRecord, version_for

if TYPE_CHECKING:
    from ...metrics import Scores
else:
    Scores = Any


def save_study(study: Study, folder: str | os.PathLike[str]) -> None:
    """Save a study; as `Study.save`."""
    path = Path(folder)
    if study.map_name != TSNE:
        raise ValueError(
            f"this is the study with its maps by {study.map_name}; save the study that it was made "
            "from, which has all maps"
        )
    with writing(path):
        _save(study, path)


def _save(study: Study, path: Path) -> None:
    if _reads_from(study, path):
        raise ValueError(
            f"this study reads its points from {path}, where it is saved already; choose another "
            "folder"
        )
    parts = Parts(path / PARTS)
    written: list[Part] = []

    def part(name: str, write: Any) -> Part:
        written.append(parts.add(name, write))
        return written[-1]

    data = _write_data(study, part)
    manifest = Manifest(
        name=study.name,
        class_names=study.class_names,
        **data,
        moment=_write_moment(study, part, data["labels"]),
        # What is the same at several epochs has one fingerprint, and is stored once.
        epochs=None
        if study.epochs is None
        else {
            epoch: _write_moment(there, part, data["labels"])
            for epoch, there in study.epochs.items()
        },
        settings=study.settings,
        versions=study.versions,
        labeling=study.labeling if study.other_labelings else None,
        version=version_for(
            unlabeled=not all(each.labeled.all() for each in study.labelings.values()),
            values=any(each.targets is not None for each in study.labelings.values()),
            several=bool(study.other_labelings),
        ),
    )
    finish(path, manifest, written, study.seconds)


@contextmanager
def writing(path: Path, *, alone: bool = True) -> Iterator[None]:
    """Lock the folder of a study; a new folder becomes one.

    Unfinished parts are those of killed runs, and removed, unless a process of this one's is
    writing there, too.

    Raises
    ------
    FileExistsError
        If it is a file, or a folder that holds something else.
    LinkError
        If a link lies in the place of the study's files.
    OSError
        If it cannot be created, or another process is writing to it.
    """
    check_folder(path)
    with locked(path):
        for name in (MANIFEST, SECONDS, PARTS):
            inside(path, name)
        if alone:
            Parts(path / PARTS).remove_unfinished()
        yield


def check_folder(path: Path) -> None:
    """Refuse a folder that holds something other than a study; mark a new one."""
    claim(path, FORMAT, lambda folder: _parts_of(folder) is not None)


def _parts_of(folder: Path) -> list[str] | None:
    """Return the parts that the study of a folder lists; None if there is no study."""
    try:
        manifest = read_json(folder, MANIFEST)
        parts = [str(part) for part in manifest["parts"]]
        return parts if manifest["format"] == FORMAT else None
    except (StudyError, KeyError, TypeError):
        return None


def finish(path: Path, manifest: Manifest, parts: list[Part], seconds: Mapping[str, float]) -> None:
    """Write the manifest, which completes the study; then remove parts of the previous one."""
    used = sorted({part.path for part in parts})
    before = _parts_of(path) or []
    write_json(path / SECONDS, dict(seconds))
    listed = manifest.with_parts(part.relative_to(path).as_posix() for part in used)
    write_json(path / MANIFEST, listed.to_json())
    Parts(path / PARTS).keep_only(used, [part.rpartition("/")[2] for part in before])


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores without durations, which differ between runs."""
    values = scores.to_dict()
    values["shared_seconds"] = {}
    for score in values["scores"]:
        score["seconds"] = 0.0
    write_json(path, values)


def write_influences(path: Path, influences: Mapping[str, Array]) -> list[str]:
    """Write the influences on each score as the columns of one array; return their names.

    Without any, nothing is written.
    """
    if influences:
        write_zarr(path, np.stack(list(influences.values()), axis=1))
    return list(influences)


def _write_data(study: Study, part: Any) -> dict[str, Any]:
    """Write the data, which are the same at every epoch."""

    def write(folder: Path) -> dict[str, Any]:
        for suffix, each in _numbered(study):
            write_zarr(folder / f"labels{suffix}", each.labels)
            if each.targets is not None:
                write_zarr(folder / f"values{suffix}", each.targets)
        if study.thumbnails is not None:
            write_zarr(folder / "thumbnails", study.thumbnails)
        if study.snippets is not None:
            write_json(folder / "snippets.json", list(study.snippets))
        return {}

    metadata: dict[str, Any] = {}
    if study.metadata:
        columns = part("metadata", lambda folder: write_columns(folder, study.metadata))
        metadata = {"metadata": records_of(study.metadata, f"{PARTS}/{columns.path.name}")}

    path = f"{PARTS}/{part('data', write).path.name}"
    return {
        "labels": f"{path}/labels",
        "values": None if study.targets is None else f"{path}/values",
        "thumbnails": None if study.thumbnails is None else f"{path}/thumbnails",
        "snippets": None if study.snippets is None else f"{path}/snippets.json",
        **metadata,
    }


def _write_moment(study: Study, part: Any, labels: str) -> MomentRecord:
    """Write the layers, predictions and controls of one moment.

    The path of the labels, which are the same at every moment, is given.
    """

    def write(folder: Path) -> dict[str, Any]:
        for suffix, each in _numbered(study):
            for name in ("predictions", "probabilities"):
                if getattr(each, name) is not None:
                    write_zarr(folder / f"{name}{suffix}", getattr(each, name))
            for control, layers in each.controls.items():
                (folder / f"{control}{suffix}").mkdir()
                for number, scores in enumerate(layers.values()):
                    write_scores(folder / f"{control}{suffix}" / f"{number:03d}.json", scores)
        return {}

    path = f"{PARTS}/{part('model', write).path.name}"
    answered = [_answers_of(each, path, suffix) for suffix, each in _numbered(study)]
    return MomentRecord(
        **answered[0],
        layers=tuple(
            _write_layer(study, name, part, f"layer-{number:03d}")
            for number, name in enumerate(study.layers)
        ),
        notes=study.notes,
        labelings=tuple(
            LabelingRecord(
                name=each.labeling,
                labels=f"{labels}{suffix}",
                values=None if each.targets is None else f"{labels[:-6]}values{suffix}",
                class_names=each.class_names,
                notes=each.notes,
                **answers,
            )
            for (suffix, each), answers in list(zip(_numbered(study), answered, strict=True))[1:]
        ),
    )


def _numbered(study: Study) -> list[tuple[str, Study]]:
    """Return the study with each labeling, and the end of the names of its files."""
    return [
        (f"-{number}" if number else "", each)
        for number, each in enumerate(study.labelings.values())
    ]


def _answers_of(study: Study, path: str, suffix: str) -> dict[str, Any]:
    """Return where the predictions and the scores of controls lie."""
    return {
        **{
            name: None if getattr(study, name) is None else f"{path}/{name}{suffix}"
            for name in ("predictions", "probabilities")
        },
        "controls": {
            control: {
                layer: f"{path}/{control}{suffix}/{number:03d}.json"
                for number, layer in enumerate(there)
            }
            for control, there in study.controls.items()
        },
    }


def _write_layer(study: Study, key: str, part: Any, name: str) -> LayerRecord:
    layer = study.layers[key]
    graph = layer.graph
    suffixes = {each.labeling: suffix for suffix, each in _numbered(study)}
    influences = {
        suffix: of_all_samples(known_influences(each.layers[key], each.labeled), each.labeled)
        for suffix, each in _numbered(study)
    }
    others = {
        labeling: scores
        for labeling, other in study.other_labelings.items()
        if (scores := other.layers[key].scores) is not None
    }

    own_maps = {
        name: (
            own_map,
            {suffix: each.layers[key].other_maps[name] for suffix, each in _numbered(study)},
        )
        for name, own_map in layer.other_maps.items()
    }

    def write(folder: Path) -> dict[str, Any]:
        if layer.points is not None:
            write_zarr(folder / "points", layer.points)
        if layer.map is not None:
            write_zarr(folder / "map", layer.map)
        if layer.density is not None:
            write_zarr(folder / "density", layer.density.counts)
        if layer.scores is not None:
            write_scores(folder / "scores.json", layer.scores)
        for number, scores in enumerate(others.values(), 1):
            write_scores(folder / f"scores-{number}.json", scores)
        for suffix, known in influences.items():
            write_influences(folder / f"influences{suffix}", known)
        for number, (own_map, of_it) in enumerate(own_maps.values()):
            write_zarr(folder / f"map-{number}", own_map.map)
            for suffix, own in of_it.items():
                if own.scores is not None:
                    write_scores(folder / f"map-{number}-scores{suffix}.json", own.scores)
                write_influences(folder / f"map-{number}-influences{suffix}", own.influences)
        return {} if graph is None else write_graph(folder / "graph", graph)

    written = part(name, write)
    path = f"{PARTS}/{written.path.name}"
    records = {
        labeling: InfluenceRecord(f"{path}/influences{suffix}", tuple(influences[suffix]))
        for labeling, suffix in suffixes.items()
        if influences[suffix]
    }
    return LayerRecord(
        name=layer.name,
        kind=layer.kind,
        shape=layer.shape,
        same_as=layer.same_as,
        notes=layer.notes,
        reduction=layer.reduction,
        points=None if layer.points is None else f"{path}/points",
        graph=None if graph is None else GraphRecord(f"{path}/graph", **written.result),
        map=None if layer.map is None else f"{path}/map",
        kl_divergence=layer.kl_divergence,
        scores=None if layer.scores is None else f"{path}/scores.json",
        other_scores={
            labeling: f"{path}/scores-{number}.json" for number, labeling in enumerate(others, 1)
        },
        influences=records.pop(study.labeling, None),
        other_influences=records,
        density=None
        if layer.density is None
        else DensityRecord(
            f"{path}/density",
            list(layer.density.bounds),
            layer.density.n_samples,
            layer.density.placed,
        ),
        other_maps={
            name: _map_record(f"{path}/map-{number}", of_it, suffixes)
            for number, (name, (_, of_it)) in enumerate(own_maps.items())
        },
    )


def _map_record(path: str, maps: Mapping[str, OwnMap], suffixes: Mapping[str, str]) -> MapRecord:
    """Return the record of a map; of each labeling the map with its scores is given by suffix."""
    scores: dict[str, str] = {}
    influences: dict[str, InfluenceRecord] = {}
    for labeling, suffix in suffixes.items():
        own = maps[suffix]
        under = labeling if suffix else ""
        if own.scores is not None:
            scores[under] = f"{path}-scores{suffix}.json"
        if own.influences:
            influences[under] = InfluenceRecord(f"{path}-influences{suffix}", tuple(own.influences))
    return MapRecord(path, scores, influences, maps[""].kl_divergence)


def _reads_from(study: Study, folder: Path) -> bool:
    """Whether the study reads points or neighbors from a folder."""
    home = folder.resolve()
    studies = [study, *(study.epochs or {}).values()]
    for layer in (layer for each in studies for layer in each.layers.values()):
        origin = layer.origin
        if origin is not None and origin.resolve() == home:
            return True
    return False
