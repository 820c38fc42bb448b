"""The stages of a study: of the data and of each layer, with a cached part for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from .._influences import of_all_samples, of_scores
from .._store.format import PARTS, blocks, open_zarr, read_graph, read_zarr, write_graph, write_zarr
from .._store.records import GraphRecord, InfluenceRecord, LayerRecord
from .._store.saving import write_influences, write_scores
from .data import StudyData, snippets_of, thumbnails_of
from .labeling import Labeling
from .measuring import measure_labeled, measures_for
from .settings import StudySettings
from .spaces import FAILURES, FATAL, conflicts, preprocess, why_left_out

DEAD = "dead: all points coincide, which says nothing about the classes"

# A larger layer is never read whole.
WHOLE_BYTES = 600_000_000

OnStage = Callable[[str, str, float, bool], None]
OnPlan = Callable[[Any], None]


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
    on_plan: OnPlan | None = None
    parts: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    # The layer that a linear classifier takes, and its weights and bias.
    head: tuple[str, Any] | None = None

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


def prepare_data(
    stages: Stages, data: StudyData, fingerprint: str, *, takes_ids: bool = False
) -> tuple[Part, dict[str, Any]]:
    """Store labels, thumbnails or snippets, and the inputs themselves unless they are ids."""

    def work(folder: Path) -> dict[str, Any]:
        for number, labeling in enumerate(data.labelings.values()):
            suffix = f"-{number}" if number else ""
            write_zarr(folder / f"labels{suffix}", labeling.codes)
            if labeling.values is not None:
                write_zarr(folder / f"values{suffix}", labeling.values)
        points, notes = data.points_and_notes(takes_ids=takes_ids)
        if points is not None:
            write_zarr(folder / "inputs", points)
        thumbnails = thumbnails_of(data.inputs) if data.places is None else None
        snippets = data.snippets if thumbnails is None else None
        if thumbnails is None and snippets is None and points is not None:
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

    settings = {"data": fingerprint, **({"ids": True} if takes_ids else {})}
    part = stages.do("data", StageLabel("data", "preparation"), settings, [], work)
    path = f"{PARTS}/{part.path.name}"
    return part, {
        "labels": f"{path}/labels",
        "values": None if data.labeling.values is None else f"{path}/values",
        "labeling": None if len(data.labelings) == 1 else next(iter(data.labelings)),
        "thumbnails": f"{path}/thumbnails" if part.result["thumbnails"] else None,
        "snippets": f"{path}/snippets.json" if part.result["snippets"] else None,
    }


def study_layer(
    stages: Stages,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    previous: Part | None,
    labelings: Mapping[str, Labeling],
) -> tuple[LayerRecord, Part | None]:
    """Find the neighbors, map and scores of a layer, the scores for each labeling.

    Returns
    -------
    LayerRecord
        The layer with its results.
    Part or None
        The part with the map that the next layer starts from; None for a dead layer.
    """
    try:
        return _study_layer(stages, prefix, layer, source, previous, labelings)
    except FATAL:
        raise
    except FAILURES as error:
        return _left_out(stages, prefix, layer, source, labelings, why_left_out(error)), None


def _left_out(
    stages: Stages,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    labelings: Mapping[str, Labeling],
    why: str,
) -> LayerRecord:
    """Return the record of a layer that could not be studied, with the reason alone."""
    scores: dict[str, str] = {}
    for number, (key, labeling) in enumerate(labelings.items()):

        def write(folder: Path, labeling: Labeling = labeling) -> dict[str, Any]:
            nothing = no_scores(layer.shape, labeling, stages.settings, why, why)
            write_scores(folder / "scores.json", nothing)
            return {}

        part = stages.do(
            f"{prefix}left-out-{number}" if number else f"{prefix}left-out",
            StageLabel(layer.name, "left out"),
            {"why": why, **stages.settings.scoring(stages.settings.measures)},
            [source.part],
            write,
        )
        scores[key] = f"{PARTS}/{part.path.name}/scores.json"
    return replace(
        layer,
        notes=(*layer.notes, why),
        points=source.path,
        scores=scores.pop(next(iter(labelings))),
        other_scores=scores,
    )


def _study_layer(
    stages: Stages,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    previous: Part | None,
    labelings: Mapping[str, Labeling],
) -> tuple[LayerRecord, Part | None]:
    settings, name = stages.settings, layer.name
    memory = _Points(source, stages.whole_bytes)

    def find_neighbors(folder: Path) -> dict[str, Any]:
        from ...neighbors import nearest_neighbors

        points = memory.points
        if is_dead(points):
            return {"dead": True, "graph": None, "notes": []}
        points, notes = preprocess(points, settings, stages.whole_bytes // 2)
        if is_dead(points):
            return {"dead": True, "graph": None, "notes": list(notes)}
        graph = nearest_neighbors(
            points,
            settings.n_neighbors,
            settings.metric,
            n_jobs=stages.n_jobs,
            max_memory=stages.whole_bytes // 2,
        )
        return {"dead": False, "graph": write_graph(folder, graph), "notes": list(notes)}

    where = source.described(stages.whole_bytes)
    neighbors = stages.do(
        f"{prefix}neighbors",
        StageLabel(name, "neighbors"),
        {**where, **settings.space, "n_neighbors": settings.n_neighbors},
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
            points = None
            if before is None:
                points, _ = preprocess(memory.points, settings, stages.whole_bytes // 2)
            found = map_after(
                read_graph(stages.folder, graph),
                before,
                points=points,
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

    head = stages.head[1] if stages.head is not None and stages.head[0] == name else None

    known = {} if head is None else {"head": True}

    def find_scores(folder: Path, labeling: Labeling, is_first: bool) -> dict[str, Any]:
        if mapped is None:
            write_scores(
                folder / "scores.json", no_scores(memory.points.shape[1:], labeling, settings)
            )
            return {"notes": [], "influences": []}
        assert graph is not None
        scores = measure_labeled(
            memory.points,
            labeling,
            read_zarr(mapped.path, "map"),
            settings.to_compute(settings.measures),
            metric=settings.metric,
            preprocess=settings.preprocess,
            head=head if is_first and not settings.preprocess else None,
            k=settings.k,
            graph=read_graph(stages.folder, graph),
            maps={
                "perplexity": settings.perplexity,
                "max_iter": settings.max_iter,
                "random_state": settings.random_state,
                "n_jobs": stages.n_jobs,
            },
            random_state=settings.random_state,
            n_jobs=stages.n_jobs,
            max_memory=stages.whole_bytes // 2,
            **settings.options,
        )
        write_scores(folder / "scores.json", scores)
        known = of_all_samples(of_scores(scores), labeling.labeled)
        names = write_influences(folder / "influences", known)
        return {"notes": conflicts(scores), "influences": names}

    notes = [*neighbors.result["notes"]]
    notes += [DEAD] if mapped is None else _notes_on_map(mapped.result)
    scores: dict[str, str] = {}
    influences: dict[str, InfluenceRecord] = {}
    for number, (key, labeling) in enumerate(labelings.items()):
        scored = stages.do(
            f"{prefix}scores-{number}" if number else f"{prefix}scores",
            StageLabel(name, f"scores of {key}" if number else "scores"),
            {**where, **settings.scoring(settings.measures), **known, "influences": True},
            [neighbors, *([] if mapped is None else [mapped])],
            partial(find_scores, labeling=labeling, is_first=not number),
        )
        path = f"{PARTS}/{scored.path.name}"
        scores[key] = f"{path}/scores.json"
        if scored.result["influences"]:
            names = tuple(scored.result["influences"])
            influences[key] = InfluenceRecord(f"{path}/influences", names)
        # Those of the others are in their scores, and shown with them.
        notes += scored.result["notes"] if not number else []
    record = replace(
        layer,
        notes=(*layer.notes, *notes),
        points=source.path,
        graph=graph,
        map=None if mapped is None else f"{PARTS}/{mapped.path.name}/map",
        kl_divergence=None if mapped is None else mapped.result["kl_divergence"],
        scores=scores.pop(next(iter(labelings))),
        other_scores=scores,
        influences=influences.pop(next(iter(labelings)), None),
        other_influences=influences,
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


def no_scores(
    shape: Sequence[int],
    labeling: Labeling,
    settings: StudySettings,
    why: str = "all points coincide",
    note: str = DEAD,
) -> Any:
    """Return the scores of a layer that has none, such as a dead one: the reason."""
    from ...metrics import Scores

    classes, counts = np.unique(labeling.codes[labeling.codes >= 0], return_counts=True)
    return Scores(
        scores={},
        classes=classes,
        counts=counts,
        n_features=int(np.prod(shape)),
        settings={"k": settings.k, "random_state": settings.random_state, **settings.options},
        skipped=dict.fromkeys(measures_for(labeling, settings.measures), why),
        notes=(note,),
        shared_seconds={},
    )
