"""The stages of a study: of the data and of each layer, with a cached part for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from ..._typing import Array
from .._store.format import PARTS, blocks, open_zarr, read_graph, read_zarr, write_graph, write_zarr
from .._store.records import GraphRecord, LayerRecord
from .._store.saving import write_scores
from .data import StudyData, snippets_of, thumbnails_of
from .settings import StudySettings

DEAD = "dead: all points coincide, which says nothing about the classes"

# A larger layer is never read whole.
WHOLE_BYTES = 600_000_000

OnStage = Callable[[str, str, float, bool], None]


class StageLabel(NamedTuple):
    """What a stage works on, and what it does, for people to read."""

    layer: str
    stage: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.stage}"


@dataclass
class Stages:
    """Runs the stages of one study in its folder, and collects their parts and durations."""

    folder: Path
    settings: StudySettings
    n_jobs: int | None = None
    whole_bytes: int = WHOLE_BYTES
    on_start: Callable[[str, str], None] = lambda layer, stage: None
    on_done: OnStage = lambda layer, stage, seconds, reused: None
    parts: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def do(
        self,
        name: str,
        label: StageLabel,
        settings: dict[str, Any],
        needs: list[Part],
        work: Callable[[Path], dict[str, Any]],
        *,
        kept: bool = True,
    ) -> Part:
        """Run a stage, or reuse its part; `kept` if the study refers to the part."""
        self.on_start(*label)
        part = Parts(self.folder / PARTS).do(name, settings, needs, work)
        if kept:
            self.parts.append(part)
        self.seconds[str(label)] = part.seconds
        self.on_done(*label, part.seconds, part.reused)
        return part


@dataclass(frozen=True)
class Source:
    """The array that holds the points of a layer, and its size."""

    part: Part
    name: str
    n_bytes: int

    @property
    def path(self) -> str:
        """The array's path in the study's folder."""
        return f"{PARTS}/{self.part.path.name}/{self.name}"

    def described(self, whole_bytes: int) -> dict[str, Any]:
        """Return the settings of a stage that reads this source.

        One part holds the points of all layers, so the array's name is needed. The block size is,
        too: sums over blocks differ in the last digits.
        """
        in_parts = whole_bytes if self.n_bytes > whole_bytes else None
        return {"source": self.name, "in_parts_of": in_parts}

    def read(self, whole_bytes: int) -> Any:
        """Read all samples, flattened; return an array above the size limit as it is on disk."""
        stored = open_zarr(self.part.path, self.name)
        if self.n_bytes > whole_bytes:
            return stored
        points = read_zarr(self.part.path, self.name)
        return np.ascontiguousarray(points.reshape(len(points), -1))


def prepare_data(stages: Stages, data: StudyData, fingerprint: str) -> tuple[Part, dict[str, Any]]:
    """Store labels, thumbnails or snippets, and the inputs themselves."""

    def work(folder: Path) -> dict[str, Any]:
        write_zarr(folder / "labels", data.labels)
        points, notes = data.points_and_notes()
        if points is not None:
            write_zarr(folder / "inputs", points)
        thumbnails = thumbnails_of(data.inputs)
        snippets = data.snippets if thumbnails is None else None
        if thumbnails is None and snippets is None:
            snippets = snippets_of(data.inputs)
        if thumbnails is not None:
            write_zarr(folder / "thumbnails", thumbnails)
        if snippets is not None:
            write_json(folder / "snippets.json", list(snippets))
        return {
            "shape": None if points is None else list(points.shape[1:]),
            "notes": notes,
            "thumbnails": thumbnails is not None,
            "snippets": snippets is not None,
        }

    part = stages.do("data", StageLabel("data", "preparation"), {"data": fingerprint}, [], work)
    path = f"{PARTS}/{part.path.name}"
    return part, {
        "labels": f"{path}/labels",
        "thumbnails": f"{path}/thumbnails" if part.result["thumbnails"] else None,
        "snippets": f"{path}/snippets.json" if part.result["snippets"] else None,
    }


def study_layer(
    stages: Stages,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    previous: Part | None,
    labels: Array,
) -> tuple[LayerRecord, Part | None]:
    """Find the neighbors, map and scores of a layer.

    Returns
    -------
    LayerRecord
        The layer with its results.
    Part or None
        The part with the map that the next layer starts from; None for a dead layer.
    """
    settings, name = stages.settings, layer.name
    memory = _Points(source, stages.whole_bytes)

    def find_neighbors(folder: Path) -> dict[str, Any]:
        from ...neighbors import nearest_neighbors

        points = memory.points
        if is_dead(points):
            return {"dead": True, "graph": None}
        graph = nearest_neighbors(
            points,
            settings.n_neighbors,
            n_jobs=stages.n_jobs,
            max_memory=stages.whole_bytes // 2,
        )
        return {"dead": False, "graph": write_graph(folder, graph)}

    where = source.described(stages.whole_bytes)
    neighbors = stages.do(
        f"{prefix}neighbors",
        StageLabel(name, "neighbors"),
        {**where, "n_neighbors": settings.n_neighbors},
        [source.part],
        find_neighbors,
    )
    dead = neighbors.result["dead"]
    path = f"{PARTS}/{neighbors.path.name}"
    graph = None if dead else GraphRecord(path, **neighbors.result["graph"])
    mapped = None
    if not dead:

        def find_map(folder: Path) -> dict[str, Any]:
            from ...projection import map_after

            before = None if previous is None else read_zarr(previous.path, "map")
            assert graph is not None
            found = map_after(
                read_graph(stages.folder, graph),
                before,
                points=None if before is not None else memory.points,
                perplexity=settings.perplexity,
                max_iter=settings.max_iter,
                random_state=settings.random_state,
                n_jobs=stages.n_jobs,
            )
            write_zarr(folder / "map", found.map_)
            return {
                "kl_divergence": float(found.kl_divergence),
                "start": found.start,
                "copies": found.n_copies_left_out,
            }

        mapped = stages.do(
            f"{prefix}map",
            StageLabel(name, "map"),
            {
                "perplexity": settings.perplexity,
                "max_iter": settings.max_iter,
                "random_state": settings.random_state,
            },
            [neighbors, *([] if previous is None else [previous])],
            find_map,
        )

    def find_scores(folder: Path) -> dict[str, Any]:
        from ...metrics import measure

        if mapped is None:
            write_scores(folder / "scores.json", no_scores(memory.points, labels, settings))
            return {}
        assert graph is not None
        scores = measure(
            memory.points,
            labels,
            read_zarr(mapped.path, "map"),
            settings.measures,
            k=settings.k,
            graph=read_graph(stages.folder, graph),
            random_state=settings.random_state,
            n_jobs=stages.n_jobs,
            max_memory=stages.whole_bytes // 2,
            **settings.options,
        )
        write_scores(folder / "scores.json", scores)
        return {}

    scored = stages.do(
        f"{prefix}scores",
        StageLabel(name, "scores"),
        {
            **where,
            "measures": list(settings.measures),
            "k": settings.k,
            "options": settings.options,
            "random_state": settings.random_state,
        },
        [neighbors, *([] if mapped is None else [mapped])],
        find_scores,
    )
    notes = (DEAD,) if mapped is None else _notes_on_map(mapped.result)
    record = replace(
        layer,
        notes=(*layer.notes, *notes),
        points=source.path,
        graph=graph,
        map=None if mapped is None else f"{PARTS}/{mapped.path.name}/map",
        kl_divergence=None if mapped is None else mapped.result["kl_divergence"],
        scores=f"{PARTS}/{scored.path.name}/scores.json",
    )
    return record, mapped


def _notes_on_map(result: dict[str, Any]) -> tuple[str, ...]:
    copies = result["copies"]
    if not copies:
        return ()
    return (
        f"{copies:,} samples have more copies than neighbors are looked at; on the map they lie in "
        "the place of one of them",
    )


class _Points:
    """A layer's points, read on first use and kept while the layer is studied."""

    def __init__(self, source: Source, whole_bytes: int) -> None:
        self._source = source
        self._whole_bytes = whole_bytes
        self._points: Any = None

    @property
    def points(self) -> Any:
        if self._points is None:
            self._points = self._source.read(self._whole_bytes)
        return self._points


def is_dead(points: Any) -> bool:
    """Whether all points coincide."""
    first = np.asarray(points[:1])
    return all(bool((np.asarray(points[block]) == first).all()) for block in blocks(points))


def no_scores(points: Any, labels: Array, settings: StudySettings) -> Any:
    """Return the scores of a dead layer: none, with the reason."""
    from ...metrics import Scores

    classes, counts = np.unique(labels, return_counts=True)
    return Scores(
        scores={},
        classes=classes,
        counts=counts,
        n_features=int(np.prod(points.shape[1:])),
        settings={"k": settings.k, "random_state": settings.random_state, **settings.options},
        skipped=dict.fromkeys(settings.measures, "all points coincide"),
        notes=(DEAD,),
        shared_seconds={},
    )
