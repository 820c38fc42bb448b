"""Every layer of a study, one after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..._io.cache import Part
from ..._typing import Array
from .extraction import Extracted
from .stages import Source, Stages, study_layer


def layers_of(
    extracted: Extracted, data_part: Any, n_samples: int
) -> tuple[list[dict[str, Any]], dict[str, Source]]:
    """Return what every layer is, the inputs first, and where the points of each lie."""
    described: list[dict[str, Any]] = []
    sources: dict[str, Source] = {}
    shape = data_part.result["shape"]
    if shape is not None:
        described.append(
            {
                "name": "inputs",
                "kind": "input",
                "shape": shape,
                "same_as": None,
                "notes": list(data_part.result.get("notes", ())),
                "reduction": None,
            }
        )
        sources["inputs"] = Source(data_part, "inputs", 4 * n_samples * math.prod(shape))
    for layer in extracted.layers:
        of_the_part = ("points", "n_features")
        described.append({key: layer[key] for key in layer if key not in of_the_part})
        if layer["same_as"] is None:
            sources[layer["name"]] = source_of(extracted.part, layer, n_samples)
    return described, sources


def source_of(part: Part, layer: Mapping[str, Any], n_samples: int) -> Source:
    """Return where the points of an extracted layer lie."""
    return Source(part, layer["points"], 4 * n_samples * layer["n_features"])


def study_layers(
    stages: Stages,
    prefix: str,
    described: list[dict[str, Any]],
    sources: Mapping[str, Source],
    labels: Array,
    before: dict[str, Part] | None = None,
) -> list[dict[str, Any]]:
    """Study every layer that is no view; return what the manifest says of all.

    The map of a layer starts from its own in `before`, which gets the new one, or else from that
    of the layer before.
    """
    found: dict[str, dict[str, Any]] = {}
    previous = None
    maps: dict[str, Part] = {} if before is None else before
    for number, layer in enumerate(described):
        name = layer["name"]
        if layer["same_as"] is not None:
            base = found[layer["same_as"]]
            results = {key: base[key] for key in ("graph", "map", "kl_divergence", "scores")}
            found[name] = {**layer, "points": None, **results}
            continue
        source = sources[name]
        # The data are the same at every epoch.
        own = "" if name == "inputs" else prefix
        start = previous if name == "inputs" else maps.get(name, previous)
        results, mapped = study_layer(stages, f"{own}{number:03d}-", name, source, start, labels)
        if mapped is not None:
            maps[name] = previous = mapped
        said = [*layer["notes"], *results.pop("said")]
        found[name] = {**layer, "notes": said, "points": source.path, **results}
    return list(found.values())
