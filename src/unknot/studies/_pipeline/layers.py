"""Every layer of a study: their stages overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._io.cache import Part, Parts
from ..._parallel.lanes import Promise, run_programs
from ..._parallel.n_jobs import resolve_n_jobs
from .._store.format import PARTS
from .._store.layer_records import LayerRecord
from .coherence import MappedLayer, refine, refine_layers
from .extraction import Extracted, ExtractedLayer
from .labeling import Labeling
from .layer_stages import LayerJob, map_layer, study_layer
from .stages import Source, StageLog, Stages, Steps
from .transitions import LayerBefore


def layers_of(
    extracted: Extracted, data_part: Part, n_samples: int
) -> tuple[list[LayerRecord], dict[str, Source]]:
    """Return the record of every layer, the inputs first, and the source of each one's points."""
    records: list[LayerRecord] = []
    sources: dict[str, Source] = {}
    shape = data_part.result["shape"]
    if shape is not None:
        notes = tuple(data_part.result.get("notes", ()))
        records.append(LayerRecord("inputs", "input", tuple(shape), notes=notes))
        sources["inputs"] = Source(data_part, "inputs", 4 * n_samples * math.prod(shape))
    for layer in extracted.layers:
        records.append(layer.record)
        if layer.array is not None:
            sources[layer.record.name] = source_of(extracted.part, layer, n_samples)
    return records, sources


def source_of(part: Part, layer: ExtractedLayer, n_samples: int) -> Source:
    """Return the source of an extracted layer's points; the layer must not be a view."""
    assert layer.array is not None
    return Source(part, layer.array, 4 * n_samples * layer.n_features)


def study_layers(
    stages: Stages,
    prefix: str,
    layers: Sequence[LayerRecord],
    sources: Mapping[str, Source],
    labelings: Mapping[str, Labeling],
    previous_maps: dict[str, Part] | None = None,
    beside: Callable[[StageLog], Steps] | None = None,
    refined: RefinedEpochs | None = None,
    epoch: int = 0,
) -> tuple[tuple[LayerRecord, ...], Any]:
    """Study every layer that is no view of another; return all with their results.

    A layer's map starts from its own in ``previous_maps``, or else from the preceding layer's. The
    new map replaces it there. Stages of several layers run at the same time, unless they call
    functions of the user.

    Parameters
    ----------
    beside : callable, optional
        Makes a program that runs at the same time; its result is returned, too.
    refined : RefinedEpochs, optional
        The maps of all epochs, which were refined together; by default those of these layers are.
    epoch : int
        The number of these layers among ``refined``.
    """
    maps: dict[str, Part] = {} if previous_maps is None else previous_maps
    jobs = _jobs(stages, prefix, layers, sources, labelings, maps, epoch)
    programs = [study_layer(job) for job in jobs]
    logs = [job.log for job in jobs]
    together: Promise[Part | None] = Promise()
    if refined is not None:
        together.set(refined.part)
    elif stages.settings.coherence == 0.0:
        together.set(None)
    else:
        logs.append(StageLog())
        labeling = next(iter(labelings.values()))
        own = [job.own for job in jobs]
        programs.append(refine_layers(stages, logs[-1], labeling, own, together))
    for job in jobs:
        together.then(job.refined.set)
    if beside is not None:
        logs.append(StageLog())
        programs.append(beside(logs[-1]))
    results = _run(stages, programs)
    for log in logs:
        stages.log.extend(log)
    found: dict[str, LayerRecord] = {}
    for job, (record, mapped) in zip(jobs, results[: len(jobs)], strict=True):
        found[job.layer.name] = record
        if mapped is not None:
            maps[job.layer.name] = mapped
    for layer in layers:
        if layer.same_as is not None:
            found[layer.name] = found[layer.same_as].viewed_as(layer)
    in_order = tuple(found[layer.name] for layer in layers)
    return in_order, None if beside is None else results[-1]


def map_layers_of(
    stages: Stages,
    prefix: str,
    layers: Sequence[LayerRecord],
    sources: Mapping[str, Source],
    labelings: Mapping[str, Labeling],
    previous_maps: dict[str, Part],
) -> list[MappedLayer]:
    """Find the neighbors and the own map of every layer that is no view; return those with a map.

    Maps start as in `study_layers`, which then finds these parts.
    """
    jobs = _jobs(stages, prefix, layers, sources, labelings, previous_maps, 0)
    found = _run(stages, [map_layer(job) for job in jobs])
    mapped = [layer for layer in found if layer is not None]
    previous_maps |= {layer.name: layer.map for layer in mapped}
    return mapped


def refine_epochs(
    stages: Stages, labeling: Labeling, epochs: Sequence[Sequence[MappedLayer]]
) -> RefinedEpochs:
    """Refine the maps of all layers and epochs together."""
    log = StageLog()
    (part,) = _run(stages, [refine(stages, log, labeling, epochs)])
    stages.log.extend(log)
    return RefinedEpochs(part)


@dataclass(frozen=True)
class RefinedEpochs:
    """The part that holds the maps of all epochs; None if there is one map."""

    part: Part | None


def _jobs(
    stages: Stages,
    prefix: str,
    layers: Sequence[LayerRecord],
    sources: Mapping[str, Source],
    labelings: Mapping[str, Labeling],
    maps: Mapping[str, Part],
    epoch: int,
) -> list[LayerJob]:
    """Return a job for every layer that is no view of another."""
    jobs: list[LayerJob] = []
    before: Promise[Part | None] = Promise()
    before.set(None)
    compared: Promise[LayerBefore | None] = Promise()
    compared.set(None)
    for number, layer in enumerate(layers):
        if layer.same_as is not None:
            continue
        name = layer.name
        # The data are the same at every epoch.
        own = "" if name == "inputs" else prefix
        start = None if name == "inputs" else maps.get(name)
        jobs.append(
            LayerJob(
                stages,
                StageLog(),
                f"{own}{number:03d}-",
                layer,
                sources[name],
                labelings,
                start,
                before,
                mapped=Promise(),
                before=compared,
                known=Promise(),
                own=Promise(),
                refined=Promise(),
                epoch=epoch,
            )
        )
        before, compared = jobs[-1].mapped, jobs[-1].known
    return jobs


def _run(stages: Stages, programs: Sequence[Steps]) -> list[Any]:
    """Run programs at the same time, unless they call functions of the user."""
    settings = stages.settings
    results = run_programs(
        programs,
        resolve_n_jobs(stages.n_jobs),
        stages.whole_bytes,
        overlap=not settings.own and not settings.preprocess,
        workers=stages.workers,
    )
    if stages.workers is not None:
        # Of workers that died, whose tasks others have done.
        Parts(stages.folder / PARTS).remove_unfinished()
    return results
