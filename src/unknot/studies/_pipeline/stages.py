"""The stages of a study: of the data and of each layer, with a cached part for each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from ..._parallel.lanes import Promise, Task
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
# Yields tasks and receives their parts, or promises and receives their values.
Steps: TypeAlias = Generator[Task | Promise[Any], Any, Any]

# Which stage starts first, of those that can. Each map waits for the one before it.
MAPS_FIRST: Final = 0
NEIGHBORS_NEXT: Final = 1
SCORES_THEN: Final = 2
CONTROLS_LAST: Final = 3


class StageLabel(NamedTuple):
    """What a stage works on, and what it does, for people to read."""

    layer: str
    stage: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.stage}"


@dataclass
class StageLog:
    """What was done, in order: the parts that the study refers to, and the durations."""

    parts: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, label: StageLabel, part: Part, *, kept: bool) -> None:
        """Add a stage; `kept` if the study refers to its part."""
        if kept:
            self.parts.append(part)
        self.seconds[str(label)] = part.seconds

    def extend(self, other: StageLog) -> None:
        """Add the stages of another log."""
        self.parts += other.parts
        self.seconds |= other.seconds


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
    log: StageLog = field(default_factory=lambda: StageLog())
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
        self.log.add(label, part, kept=kept)
        self.on_done(*label, part.seconds, part.reused)
        return part

    def task(
        self,
        log: StageLog,
        name: str,
        label: StageLabel,
        settings: dict[str, Any],
        needs: Sequence[Part],
        work: Callable[[Path, int], dict[str, Any]],
        *,
        rank: tuple[float, ...] = (),
        n_bytes: int = 0,
        kept: bool = True,
        in_caller: bool = False,
    ) -> Task:
        """Return a stage as a task, whose result is its part; its work takes a number of threads.

        The log is that of the program that the task is a step of. A model runs in the caller.
        """

        def run(n_threads: int) -> Part:
            part = Parts(self.folder / PARTS).do(
                name, settings, needs, lambda folder: work(folder, n_threads)
            )
            log.add(label, part, kept=kept)
            return part

        def ended(part: Part) -> None:
            self.on_done(*label, part.seconds, part.reused)

        return Task(
            run,
            rank=rank,
            n_bytes=min(n_bytes, self.whole_bytes),
            in_caller=in_caller,
            started=lambda: self.on_start(*label),
            ended=ended,
        )


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
    log: StageLog,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    labelings: Mapping[str, Labeling],
    start: Part | None,
    previous: Promise[Part | None],
    mapped: Promise[Part | None],
) -> Steps:
    """Find the neighbors, map and scores of a layer, the scores for each labeling: a program.

    The map starts from the one in `start`, or else from the previous layer's. The promise `mapped`
    is for the next layer: this one's map, or the previous one if it has none.

    Returns
    -------
    LayerRecord
        The layer with its results.
    Part or None
        The part with its map; None for a dead layer, or one that is left out.
    """
    try:
        return (
            yield from _study_layer(
                stages, log, prefix, layer, source, labelings, start, previous, mapped
            )
        )
    except FATAL:
        raise
    except FAILURES as error:
        if not mapped.is_set:
            mapped.set((yield previous))
        why = why_left_out(error)
        return (yield from _left_out(stages, log, prefix, layer, source, labelings, why)), None


def _left_out(
    stages: Stages,
    log: StageLog,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    labelings: Mapping[str, Labeling],
    why: str,
) -> Steps:
    """Return the record of a layer that could not be studied, with the reason alone."""
    scores: dict[str, str] = {}
    for number, (key, labeling) in enumerate(labelings.items()):

        def write(folder: Path, n_threads: int, labeling: Labeling = labeling) -> dict[str, Any]:
            nothing = no_scores(layer.shape, labeling, stages.settings, why, why)
            write_scores(folder / "scores.json", nothing)
            return {}

        part = yield stages.task(
            log,
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
    log: StageLog,
    prefix: str,
    layer: LayerRecord,
    source: Source,
    labelings: Mapping[str, Labeling],
    start: Part | None,
    previous: Promise[Part | None],
    promised: Promise[Part | None],
) -> Steps:
    settings, name = stages.settings, layer.name
    where = source.described(stages.whole_bytes)
    neighbors = yield stages.task(
        log,
        f"{prefix}neighbors",
        StageLabel(name, "neighbors"),
        {**where, **settings.space, "n_neighbors": settings.n_neighbors},
        [source.part],
        partial(_find_neighbors, stages, source),
        # The first map, for which all others wait, waits for these.
        rank=(MAPS_FIRST if previous.is_set else NEIGHBORS_NEXT, -source.n_bytes),
        n_bytes=source.n_bytes,
    )
    dead = neighbors.result["dead"]
    path = f"{PARTS}/{neighbors.path.name}"
    graph = None if dead else GraphRecord(path, **neighbors.result["graph"])
    mapped = None
    if graph is not None:
        before = (yield previous) if start is None else start
        mapped = yield stages.task(
            log,
            f"{prefix}map",
            StageLabel(name, "map"),
            {
                "perplexity": settings.perplexity,
                "max_iter": settings.max_iter,
                "random_state": settings.random_state,
            },
            [neighbors, *([] if before is None else [before])],
            partial(_find_map, stages, source, graph, before),
            rank=(MAPS_FIRST,),
            n_bytes=source.n_bytes if before is None else 0,
        )
    promised.set((yield previous) if mapped is None else mapped)

    head = stages.head[1] if stages.head is not None and stages.head[0] == name else None
    known = {} if head is None else {"head": True}
    notes = [*neighbors.result["notes"]]
    notes += [DEAD] if mapped is None else _notes_on_map(mapped.result)
    scores: dict[str, str] = {}
    influences: dict[str, InfluenceRecord] = {}
    for number, (key, labeling) in enumerate(labelings.items()):
        scored = yield stages.task(
            log,
            f"{prefix}scores-{number}" if number else f"{prefix}scores",
            StageLabel(name, f"scores of {key}" if number else "scores"),
            {**where, **settings.scoring(settings.measures), **known, "influences": True},
            [neighbors, *([] if mapped is None else [mapped])],
            partial(
                _find_scores,
                stages,
                source,
                graph,
                mapped,
                labeling,
                head if not number and not settings.preprocess else None,
            ),
            rank=(SCORES_THEN, -source.n_bytes),
            n_bytes=source.n_bytes,
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


def _find_neighbors(stages: Stages, source: Source, folder: Path, n_threads: int) -> dict[str, Any]:
    from ...neighbors import nearest_neighbors

    settings = stages.settings
    points = source.read(stages.whole_bytes)
    if is_dead(points):
        return {"dead": True, "graph": None, "notes": []}
    points, notes = preprocess(points, settings, stages.whole_bytes // 2)
    if is_dead(points):
        return {"dead": True, "graph": None, "notes": list(notes)}
    graph = nearest_neighbors(
        points,
        settings.n_neighbors,
        settings.metric,
        n_jobs=n_threads,
        max_memory=stages.whole_bytes // 2,
    )
    return {"dead": False, "graph": write_graph(folder, graph), "notes": list(notes)}


def _find_map(
    stages: Stages,
    source: Source,
    graph: GraphRecord,
    previous: Part | None,
    folder: Path,
    n_threads: int,
) -> dict[str, Any]:
    from ...projection import map_after

    settings = stages.settings
    before = None if previous is None else read_zarr(previous.path, "map")
    points = None
    if before is None:
        read = source.read(stages.whole_bytes)
        points, _ = preprocess(read, settings, stages.whole_bytes // 2)
    found = map_after(
        read_graph(stages.folder, graph),
        before,
        points=points,
        perplexity=settings.perplexity,
        max_iter=settings.max_iter,
        random_state=settings.random_state,
        n_jobs=n_threads,
    )
    write_zarr(folder / "map", found.map_)
    return {
        "kl_divergence": float(found.kl_divergence),
        "start": found.start,
        "copies": found.n_copies_left_out,
    }


def _find_scores(
    stages: Stages,
    source: Source,
    graph: GraphRecord | None,
    mapped: Part | None,
    labeling: Labeling,
    head: Any,
    folder: Path,
    n_threads: int,
) -> dict[str, Any]:
    settings = stages.settings
    points = source.read(stages.whole_bytes)
    if mapped is None or graph is None:
        write_scores(folder / "scores.json", no_scores(points.shape[1:], labeling, settings))
        return {"notes": [], "influences": []}
    scores = measure_labeled(
        points,
        labeling,
        read_zarr(mapped.path, "map"),
        settings.to_compute(settings.measures),
        metric=settings.metric,
        preprocess=settings.preprocess,
        head=head,
        k=settings.k,
        graph=read_graph(stages.folder, graph),
        maps={
            "perplexity": settings.perplexity,
            "max_iter": settings.max_iter,
            "random_state": settings.random_state,
            "n_jobs": n_threads,
        },
        random_state=settings.random_state,
        n_jobs=n_threads,
        max_memory=stages.whole_bytes // 2,
        **settings.options,
    )
    write_scores(folder / "scores.json", scores)
    known = of_all_samples(of_scores(scores), labeling.labeled)
    names = write_influences(folder / "influences", known)
    return {"notes": conflicts(scores), "influences": names}


def _notes_on_map(result: dict[str, Any]) -> tuple[str, ...]:
    copies = result["copies"]
    if not copies:
        return ()
    return (
        f"{copies:,} samples have more copies than neighbors are looked at; on the map they lie in "
        "the place of one of them",
    )


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
