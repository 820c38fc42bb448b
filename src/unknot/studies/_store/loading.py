"""Reading a study from its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from ..._io.cache import RECORD
from ..._io.folders import inside, marker_of
from ..._io.typed_json import check_types
from ..._typing import Array
from .._density import read_density
from .._layer import LayerStudy
from .._own_maps import OwnMap
from .._study import ONLY, Study
from .format import (
    MANIFEST,
    PARTS,
    SECONDS,
    StudyError,
    damaged,
    open_zarr,
    read_graph,
    read_json,
    read_zarr,
)
from .layer_records import InfluenceRecord, LayerRecord
from .metadata import read_columns
from .records import FORMAT, VERSION, LabelingRecord, Manifest, MomentRecord

if TYPE_CHECKING:
    from ...metrics import Scores
else:
    Scores = Any


def load_study(folder: str | os.PathLike[str]) -> Study:
    """Load a study; as `Study.load`."""
    path = Path(folder)
    stored = read_manifest(path)
    try:
        manifest = Manifest.from_json(stored)
        _check_parts(path, manifest.parts)
        return study_of(path, manifest, _seconds(path))
    except StudyError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise damaged(path, MANIFEST, f"{type(error).__name__}: {error}") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a folder and check its format and version.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    StudyError
        If it holds no study, an unfinished one, or one of a newer format.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; give the folder of a study")
    if not os.path.lexists(path / MANIFEST):
        if (path / PARTS).is_dir() or (marker_of(path) or {}).get("format") == FORMAT:
            raise StudyError(
                f"{path} holds a study that is not finished; run the same unknot study again, and "
                "it goes on where it was"
            )
        below = [*path.glob(f"*/{MANIFEST}"), *path.glob(f"*/*/{MANIFEST}")]
        inside = sorted(str(each.parent) for each in below)
        remedy = f". Did you mean {' or '.join(inside[:5])}?" if inside else ""
        raise StudyError(f"{path} is not the folder of a study: it has no {MANIFEST}{remedy}")
    manifest = read_json(path, MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StudyError(f"{path} is not the folder of a study: {MANIFEST} is of something else")
    version = manifest.get("version")
    if not isinstance(version, int):
        raise damaged(path, MANIFEST, f"its version is {version!r}")
    if version > VERSION:
        raise StudyError(
            f"{path} was written by unknot {manifest.get('written_by')} in format {version}; this "
            f"is unknot {__version__}, which reads formats up to {VERSION}. "
            "Upgrade: pip install --upgrade unknot"
        )
    return manifest


def _check_parts(folder: Path, parts: tuple[str, ...]) -> None:
    """Check that every listed file exists and has its full size."""
    for part in parts:
        record = read_json(folder, f"{part}/{RECORD}")
        try:
            files = {name: int(size) for name, (size, _) in record["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(folder, f"{part}/{RECORD}", error) from error
        for name, size in files.items():
            try:
                found = inside(folder, f"{part}/{name}").lstat().st_size
            except OSError as error:
                raise damaged(folder, f"{part}/{name}", error) from error
            if found != size:
                raise damaged(folder, f"{part}/{name}", f"it has {found} bytes of {size}")


def _seconds(path: Path) -> dict[str, float]:
    # Durations are not results: a study without them is complete.
    if not os.path.lexists(path / SECONDS):
        return {}
    return {name: float(value) for name, value in read_json(path, SECONDS).items()}


def study_of(folder: Path, manifest: Manifest, seconds: dict[str, float]) -> Study:
    """Return the study that a manifest describes, whose parts lie in a folder."""
    snippets = manifest.snippets
    # The same at every epoch, and read once.
    samples = {
        "labels": read_zarr(folder, manifest.labels),
        "targets": _array(folder, manifest.values),
        "thumbnails": _array(folder, manifest.thumbnails),
        "snippets": None if snippets is None else _snippets(folder, snippets),
        "metadata": read_columns(folder, manifest.metadata),
    }
    epochs = None
    if manifest.epochs is not None:
        epochs = {}
        for epoch, moment in manifest.epochs.items():
            name = f"{manifest.name}, epoch {epoch}"
            there = replace(manifest, name=name, moment=moment, epochs=None)
            epochs[epoch] = _build(folder, there, {}, samples, None)
    return _build(folder, manifest, seconds, samples, epochs)


def _build(
    folder: Path,
    manifest: Manifest,
    seconds: dict[str, float],
    samples: dict[str, Any],
    epochs: dict[int, Study] | None,
) -> Study:
    moment = manifest.moment
    study = Study(
        name=manifest.name,
        layers={
            record.name: _layer(folder, record, len(manifest.class_names))
            for record in moment.layers
        },
        **samples,
        class_names=manifest.class_names,
        predictions=_array(folder, moment.predictions),
        probabilities=_array(folder, moment.probabilities),
        controls=_controls(folder, moment.controls, len(manifest.class_names)),
        epochs=epochs,
        settings=manifest.settings,
        versions=manifest.versions,
        seconds=seconds,
        notes=moment.notes,
        labeling=ONLY if manifest.labeling is None else manifest.labeling,
    )
    others = {record.name: _labeled(folder, study, moment, record) for record in moment.labelings}
    return replace(study, other_labelings=others) if others else study


def _labeled(folder: Path, study: Study, moment: MomentRecord, record: LabelingRecord) -> Study:
    """Return a study with another labeling of its samples."""
    n_classes = len(record.class_names)
    layers = {}
    for stored in moment.layers:
        path = stored.other_scores.get(record.name)
        scores = None if path is None else _scores(folder, path, n_classes, stored.same_as)
        influences = stored.other_influences.get(record.name)
        read = None if influences is None else partial(_influences, folder, influences)
        layers[stored.name] = study.layers[stored.name].with_scores(
            scores,
            read_influences=read,
            other_maps=_other_maps(folder, stored, n_classes, record.name),
        )
    epochs = study.epochs
    return replace(
        study,
        layers=layers,
        labels=read_zarr(folder, record.labels),
        targets=_array(folder, record.values),
        class_names=record.class_names,
        predictions=_array(folder, record.predictions),
        probabilities=_array(folder, record.probabilities),
        controls=_controls(folder, record.controls, n_classes),
        epochs=epochs and {e: there.other_labelings[record.name] for e, there in epochs.items()},
        notes=record.notes,
        labeling=record.name,
    )


def _controls(
    folder: Path, controls: dict[str, dict[str, str]], n_classes: int
) -> dict[str, dict[str, Scores]]:
    return {
        control: {layer: _scores(folder, path, n_classes) for layer, path in there.items()}
        for control, there in controls.items()
    }


def _layer(folder: Path, record: LayerRecord, n_classes: int) -> LayerStudy:
    layer = LayerStudy(
        name=record.name,
        kind=record.kind,
        shape=record.shape,
        points=None if record.points is None else open_zarr(folder, record.points),
        map=_array(folder, record.map),
        kl_divergence=record.kl_divergence,
        scores=None
        if record.scores is None
        else _scores(folder, record.scores, n_classes, record.same_as),
        same_as=record.same_as,
        notes=record.notes,
        reduction=record.reduction,
        density=None if record.density is None else read_density(folder, record.density),
        other_maps=_other_maps(folder, record, n_classes),
    )
    graph = record.graph
    readers: dict[str, Callable[[], Any]] = {}
    if graph is not None:
        # Read once, for all labelings.
        readers["graph"] = cache(partial(read_graph, folder, graph))
    if record.influences is not None:
        readers["influences"] = partial(_influences, folder, record.influences)
    return layer.stored_in(folder, readers)


def _other_maps(
    folder: Path, record: LayerRecord, n_classes: int, labeling: str = ""
) -> dict[str, OwnMap]:
    """Read the maps beside t-SNE's, with the scores of a labeling; the first has an empty name."""
    found = {}
    for name, stored in record.other_maps.items():
        path, influences = stored.scores.get(labeling), stored.influences.get(labeling)
        try:
            found[name] = OwnMap(
                read_zarr(folder, stored.map),
                None if path is None else _scores(folder, path, n_classes, record.same_as),
                {} if influences is None else _influences(folder, influences),
                stored.kl_divergence,
            )
        except StudyError:
            raise
        except ValueError as error:
            raise damaged(folder, stored.map, error) from error
    return found


def _influences(folder: Path, record: InfluenceRecord) -> dict[str, Array]:
    stored = read_zarr(folder, record.path)
    if stored.ndim != 2 or stored.shape[1] != len(record.measures) or stored.dtype != np.float32:
        raise damaged(
            folder,
            record.path,
            f"it is {stored.dtype} {stored.shape}, and there are {len(record.measures)} measures",
        )
    columns = np.ascontiguousarray(stored.T)
    return dict(zip(record.measures, columns, strict=True))


def _array(folder: Path, path: str | None) -> Any:
    return None if path is None else read_zarr(folder, path)


def _of_view(scores: Scores, same_as: str) -> Scores:
    from ...metrics import MEASURES

    names = {name for entry in MEASURES if entry.of_previous for name in entry.score_names}
    there = names & (scores.keys() | scores.skipped.keys())
    why = f"it is the same as {same_as}, from which nothing changes"
    return replace(
        scores,
        scores={name: score for name, score in scores.items() if name not in names},
        skipped={**scores.skipped, **dict.fromkeys(sorted(there), why)},
    )


def _snippets(folder: Path, path: str) -> tuple[str, ...]:
    stored = read_json(folder, path)
    try:
        check_types({"snippets": stored}, {"snippets": list[str]})
    except TypeError as error:
        raise damaged(folder, path, error) from error
    return tuple(stored)


def _scores(folder: Path, path: str, n_classes: int, same_as: str | None = None) -> Scores:
    """Read scores; a view of a layer has those of the layer, but no transition of its own."""
    from ...metrics import Scores

    values = read_json(folder, path)
    try:
        scores = Scores.from_dict(values)
        codes = scores.classes.tolist()
        if len(set(codes)) != len(codes) or not set(codes) <= set(range(n_classes)):
            raise ValueError(f"its classes are not those of {n_classes}: {codes[:5]}")
        return scores if same_as is None else _of_view(scores, same_as)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise damaged(folder, path, error) from error
