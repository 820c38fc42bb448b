"""Every layer of a study, one after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..._io.cache import Part
from .._store.records import LayerRecord
from .extraction import Extracted, ExtractedLayer
from .labeling import Labeling
from .stages import Source, Stages, study_layer


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
) -> tuple[LayerRecord, ...]:
    """Study every layer that is no view of another; return all with their results.

    A layer's map starts from its own in ``previous_maps``, or else from the preceding layer's. The
    new map replaces it there.
    """
    found: dict[str, LayerRecord] = {}
    previous = None
    maps: dict[str, Part] = {} if previous_maps is None else previous_maps
    for number, layer in enumerate(layers):
        name = layer.name
        if layer.same_as is not None:
            found[name] = found[layer.same_as].viewed_as(layer)
            continue
        source = sources[name]
        # The data are the same at every epoch.
        own = "" if name == "inputs" else prefix
        start = previous if name == "inputs" else maps.get(name, previous)
        found[name], mapped = study_layer(
            stages, f"{own}{number:03d}-", layer, source, start, labelings
        )
        if mapped is not None:
            maps[name] = previous = mapped
    return tuple(found.values())
