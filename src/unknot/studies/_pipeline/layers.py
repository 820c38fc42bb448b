"""Every layer of a study: their stages overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..._io.cache import Part, Parts
from ..._parallel.lanes import Promise, run_programs
from ..._parallel.n_jobs import resolve_n_jobs
from .._store.format import PARTS
from .._store.layer_records import LayerRecord
from .extraction import Extracted, ExtractedLayer
from .labeling import Labeling
from .layer_stages import LayerJob, study_layer
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
) -> tuple[tuple[LayerRecord, ...], Any]:
    """Study every layer that is no view of another; return all with their results.

    A layer's map starts from its own in ``previous_maps``, or else from the preceding layer's. The
    new map replaces it there. Stages of several layers run at the same time, unless they call
    functions of the user.

    Parameters
    ----------
    beside : callable, optional
        Makes a program that runs at the same time; its result is returned, too.
    """
    studied: list[str] = []
    programs: list[Steps] = []
    logs: list[StageLog] = []
    maps: dict[str, Part] = {} if previous_maps is None else previous_maps
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
        after: Promise[Part | None] = Promise()
        known: Promise[LayerBefore | None] = Promise()
        logs.append(StageLog())
        where = f"{own}{number:03d}-"
        source = sources[name]
        programs.append(
            study_layer(
                LayerJob(
                    stages,
                    logs[-1],
                    where,
                    layer,
                    source,
                    labelings,
                    start,
                    before,
                    after,
                    compared,
                    known,
                )
            )
        )
        studied.append(name)
        before, compared = after, known
    if beside is not None:
        logs.append(StageLog())
        programs.append(beside(logs[-1]))
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
    for log in logs:
        stages.log.extend(log)
    found: dict[str, LayerRecord] = {}
    for name, (record, mapped) in zip(studied, results[: len(studied)], strict=True):
        found[name] = record
        if mapped is not None:
            maps[name] = mapped
    for layer in layers:
        if layer.same_as is not None:
            found[layer.name] = found[layer.same_as].viewed_as(layer)
    in_order = tuple(found[layer.name] for layer in layers)
    return in_order, None if beside is None else results[-1]
