"""The stages of one layer: neighbors, map and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..._io.cache import Part
from ..._parallel.lanes import Promise
from .._influences import of_all_samples, of_scores
from .._store.format import PARTS, read_graph, read_zarr, write_graph, write_zarr
from .._store.layer_records import GraphRecord, InfluenceRecord, LayerRecord
from .._store.saving import write_influences, write_scores
from .coherence import MappedLayer, shown_refined
from .labeling import Labeling
from .measuring import measure_labeled
from .spaces import FAILURES, FATAL, conflicts, preprocess, why_left_out
from .stages import (
    DEAD,
    MAPS_FIRST,
    NEIGHBORS_NEXT,
    SCORES_THEN,
    Context,
    Source,
    StageLabel,
    StageLog,
    Stages,
    Steps,
    is_dead,
    no_scores,
)
from .transitions import LayerBefore


@dataclass(frozen=True, eq=False)
class LayerJob:
    """A layer to study.

    Attributes
    ----------
    stages : Stages
    log : StageLog
        Of this layer's stages.
    prefix : str
        How the names of its parts begin.
    layer : LayerRecord
    source : Source
        Its points.
    labelings : mapping of str to Labeling
    start : Part or None
        The part with the map to start from; by default the previous layer's.
    previous, mapped : Promise of Part or None
        The previous layer's map; and what the next layer gets: this one's map, or the previous one
        if it has none.
    before, known : Promise of LayerBefore or None
        What the scores of the transition need of the previous layer; and what the next layer gets.
    own : Promise of MappedLayer or None
        What the refinement of all maps needs of this one; None if it has no map.
    refined : Promise of Part or None
        All maps after their refinement; None if they are not refined.
    epoch : int
        The number of the layer's epoch among those that are refined.
    """

    stages: Stages
    log: StageLog
    prefix: str
    layer: LayerRecord
    source: Source
    labelings: Mapping[str, Labeling]
    start: Part | None
    previous: Promise[Part | None]
    mapped: Promise[Part | None]
    before: Promise[LayerBefore | None]
    known: Promise[LayerBefore | None]
    own: Promise[MappedLayer | None]
    refined: Promise[Part | None]
    epoch: int = 0


def study_layer(job: LayerJob) -> Steps:
    """Find the neighbors, map and scores of a layer, the scores for each labeling: a program.

    Returns
    -------
    LayerRecord
        The layer with its results.
    Part or None
        The part with its map; None for a dead layer, or one that is left out.
    """
    try:
        return (yield from _study_layer(job))
    except FATAL:
        raise
    except FAILURES as error:
        yield from _give_up_map(job)
        if not job.known.is_set:
            job.known.set(_passed_on((yield job.before), job.layer.name))
        return (yield from _left_out(job, why_left_out(error))), None


def map_layer(job: LayerJob) -> Steps:
    """Find the neighbors and the map of a layer: a program.

    Returns
    -------
    MappedLayer or None
        None for a dead layer, or one that is left out.
    """
    try:
        yield from _map_layer(job)
    except FATAL:
        raise
    except FAILURES:
        yield from _give_up_map(job)
    return (yield job.own)


def _give_up_map(job: LayerJob) -> Steps:
    """Hand on the previous layer's map in the place of one that this layer will not have."""
    if not job.mapped.is_set:
        job.mapped.set((yield job.previous))
    if not job.own.is_set:
        job.own.set(None)


def _left_out(job: LayerJob, why: str) -> Steps:
    """Return the record of a layer that could not be studied, with the reason alone."""
    layer, settings = job.layer, job.stages.settings
    scores: dict[str, str] = {}
    for number, (key, labeling) in enumerate(job.labelings.items()):

        def write(folder: Path, n_threads: int, labeling: Labeling = labeling) -> dict[str, Any]:
            nothing = no_scores(layer.shape, labeling, settings, why, why)
            write_scores(folder / "scores.json", nothing)
            return {}

        part = yield job.stages.task(
            job.log,
            f"{job.prefix}left-out-{number}" if number else f"{job.prefix}left-out",
            StageLabel(layer.name, "left out"),
            {"why": why, **settings.scoring(settings.measures)},
            [job.source.part],
            write,
            in_caller=True,
        )
        scores[key] = f"{PARTS}/{part.path.name}/scores.json"
    return replace(
        layer,
        notes=(*layer.notes, why),
        points=job.source.path,
        scores=scores.pop(next(iter(job.labelings))),
        other_scores=scores,
    )


def _map_layer(job: LayerJob) -> Steps:
    """Find the neighbors of a layer and its own map; return the parts of both."""
    stages, log, prefix, source = job.stages, job.log, job.prefix, job.source
    settings, name = stages.settings, job.layer.name
    neighbors = yield stages.task(
        log,
        f"{prefix}neighbors",
        StageLabel(name, "neighbors"),
        {
            **source.described(stages.whole_bytes),
            **settings.space,
            "n_neighbors": settings.n_neighbors,
        },
        [source.part],
        partial(_find_neighbors, stages.context, source),
        # The first map, for which all others wait, waits for these.
        rank=(MAPS_FIRST if job.previous.is_set else NEIGHBORS_NEXT, -source.n_bytes),
        n_bytes=source.n_bytes,
    )
    if neighbors.result["dead"]:
        job.mapped.set((yield job.previous))
        job.own.set(None)
        return neighbors, None, None
    graph = GraphRecord(f"{PARTS}/{neighbors.path.name}", **neighbors.result["graph"])
    before = (yield job.previous) if job.start is None else job.start
    mapped = yield stages.task(
        log,
        f"{prefix}map",
        StageLabel(name, "map"),
        settings.mapping,
        [neighbors, *([] if before is None else [before])],
        partial(_find_map, stages.context, source, graph, before),
        rank=(MAPS_FIRST,),
        n_bytes=source.n_bytes if before is None else 0,
    )
    job.mapped.set(mapped)
    job.own.set(MappedLayer(name, graph, neighbors, mapped))
    return neighbors, graph, mapped


def _study_layer(job: LayerJob) -> Steps:
    stages, log, prefix, source = job.stages, job.log, job.prefix, job.source
    layer, labelings = job.layer, job.labelings
    settings, name = stages.settings, layer.name
    where = source.described(stages.whole_bytes)
    neighbors, graph, mapped = yield from _map_layer(job)
    refined = yield job.refined
    shown = None if mapped is None else shown_refined(refined, job.epoch, name, mapped)
    if shown is None or graph is None:
        job.known.set(_passed_on((yield job.before), name))
    else:
        parts = (neighbors, shown.part)
        job.known.set(LayerBefore(name, source, graph, shown.path, parts))
    compared = None
    if settings.of_previous and shown is not None:
        compared = yield job.before

    head = stages.head[1] if stages.head is not None and stages.head[0] == name else None
    known = {} if head is None else {"head": True}
    notes = [*neighbors.result["notes"]]
    notes += [DEAD] if shown is None else shown.notes
    scores: dict[str, str] = {}
    influences: dict[str, InfluenceRecord] = {}
    for number, (key, labeling) in enumerate(labelings.items()):
        scored = yield stages.task(
            log,
            f"{prefix}scores-{number}" if number else f"{prefix}scores",
            StageLabel(name, f"scores of {key}" if number else "scores"),
            {
                **where,
                **settings.scoring(settings.measures),
                **known,
                **({} if compared is None else compared.decided),
                "influences": True,
            },
            [
                neighbors,
                *([] if shown is None else [shown.part]),
                *([] if compared is None else compared.parts),
            ],
            partial(
                _find_scores,
                stages.context,
                source,
                graph,
                None if shown is None else shown.path,
                labeling,
                head if not number and not settings.preprocess else None,
                compared,
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
        map=None if shown is None else shown.path,
        kl_divergence=None if shown is None else shown.kl_divergence,
        scores=scores.pop(next(iter(labelings))),
        other_scores=scores,
        influences=influences.pop(next(iter(labelings)), None),
        other_influences=influences,
    )
    return record, mapped


def _find_neighbors(
    context: Context, source: Source, folder: Path, n_threads: int
) -> dict[str, Any]:
    from ...neighbors import nearest_neighbors

    settings = context.settings
    points = source.read(context.whole_bytes)
    if is_dead(points):
        return {"dead": True, "graph": None, "notes": []}
    points, notes = preprocess(points, settings, context.whole_bytes // 2)
    if is_dead(points):
        return {"dead": True, "graph": None, "notes": list(notes)}
    graph = nearest_neighbors(
        points,
        settings.n_neighbors,
        settings.metric,
        n_jobs=n_threads,
        max_memory=context.whole_bytes // 2,
    )
    return {"dead": False, "graph": write_graph(folder, graph), "notes": list(notes)}


def _find_map(
    context: Context,
    source: Source,
    graph: GraphRecord,
    previous: Part | None,
    folder: Path,
    n_threads: int,
) -> dict[str, Any]:
    from ...projection import map_after

    settings = context.settings
    before = None if previous is None else read_zarr(previous.path, "map")
    points = None
    if before is None:
        read = source.read(context.whole_bytes)
        points, _ = preprocess(read, settings, context.whole_bytes // 2)
    found = map_after(
        read_graph(context.folder, graph),
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
    context: Context,
    source: Source,
    graph: GraphRecord | None,
    map_: str | None,
    labeling: Labeling,
    head: Any,
    before: LayerBefore | None,
    folder: Path,
    n_threads: int,
) -> dict[str, Any]:
    settings = context.settings
    points = source.read(context.whole_bytes)
    if map_ is None or graph is None:
        write_scores(folder / "scores.json", no_scores(points.shape[1:], labeling, settings))
        return {"notes": [], "influences": []}
    scores = measure_labeled(
        points,
        labeling,
        read_zarr(context.folder, map_),
        settings.to_compute(settings.measures),
        metric=settings.metric,
        preprocess=settings.preprocess,
        head=head,
        k=settings.k,
        graph=read_graph(context.folder, graph),
        before=None if before is None else partial(before.known, context, n_threads),
        maps={
            "perplexity": settings.perplexity,
            "max_iter": settings.max_iter,
            "random_state": settings.random_state,
            "n_jobs": n_threads,
        },
        random_state=settings.random_state,
        n_jobs=n_threads,
        max_memory=context.whole_bytes // 2,
        **settings.options,
    )
    write_scores(folder / "scores.json", scores)
    known = of_all_samples(of_scores(scores), labeling.labeled)
    names = write_influences(folder / "influences", known)
    notes = [*conflicts(scores), *([] if before is None else before.notes)]
    return {"notes": notes, "influences": names}


def _passed_on(before: LayerBefore | None, name: str) -> LayerBefore | None:
    """Return what the layer after one without a map is compared with."""
    return None if before is None else replace(before, left_out=(*before.left_out, name))
