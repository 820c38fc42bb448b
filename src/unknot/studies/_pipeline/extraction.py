"""The stage that runs the model: all layers in one pass, stored in one part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io.cache import Part
from .._store.format import PARTS, read_zarr, write_zarr
from .._store.records import LayerRecord
from .data import StudyData
from .models import answers
from .settings import CONTROL_FEATURES
from .stages import StageLabel, Stages

if TYPE_CHECKING:
    from ...representations import Adapter


@dataclass(frozen=True)
class ExtractedLayer:
    """One layer as it was extracted.

    Attributes
    ----------
    record : LayerRecord
        What the layer is; it has no results yet.
    array : str or None
        The array of its points in the part; None for a view of another layer.
    n_features : int
        Values per sample, after any reduction.
    """

    record: LayerRecord
    array: str | None
    n_features: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        values = self.record.to_json()
        described = {name: values[name] for name in _DESCRIPTION}
        return {**described, "n_features": self.n_features, "points": self.array}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ExtractedLayer:
        """Build a layer from what `to_json` returned."""
        record = LayerRecord(
            **{
                **{name: values[name] for name in _DESCRIPTION},
                "shape": tuple(values["shape"]),
                "notes": tuple(values["notes"]),
            }
        )
        return cls(record, values["points"], values["n_features"])


# What a record says of a layer before it is measured.
_DESCRIPTION = ("name", "kind", "shape", "same_as", "notes", "reduction")


@dataclass(frozen=True)
class Extracted:
    """The result of running the model.

    Attributes
    ----------
    part : Part
    layers : tuple of ExtractedLayer
    predictions, probabilities : str or None
        Their paths in the study's folder.
    class_names, notes : tuple of str
    """

    part: Part
    layers: tuple[ExtractedLayer, ...]
    predictions: str | None = None
    probabilities: str | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def extract_layers(
    stages: Stages,
    adapter: Adapter,
    data: StudyData,
    data_part: Part,
    options: Mapping[str, Any],
    *,
    prefix: str = "",
) -> Extracted:
    """Run the model on the data and store the activations of every layer."""
    part = stages.do(
        f"{prefix}extract",
        StageLabel(f"{prefix}all layers", "extraction"),
        {"model": adapter.fingerprint(data.inputs), **deciding(options)},
        [data_part],
        lambda folder: _extract(folder, adapter, data, options),
    )

    def answer(folder: Path) -> dict[str, Any]:
        output = read_zarr(part.path, "output") if part.result["output"] else None
        predictions, probabilities, class_names, notes = answers(
            output, data.class_names, data.labels, named=data.named
        )
        if predictions is not None and probabilities is not None:
            write_zarr(folder / "predictions", predictions)
            write_zarr(folder / "probabilities", probabilities)
        # A dict of points has no output; there is nothing to note.
        notes = notes if adapter.computes else ()
        there = predictions is not None
        return {"there": there, "class_names": list(class_names), "notes": list(notes)}

    # A part of its own, as the points need not be kept.
    answered = stages.do(
        f"{prefix}answers",
        StageLabel(f"{prefix}all layers", "answers"),
        {},
        [data_part, part],
        answer,
    )
    result, path = answered.result, f"{PARTS}/{answered.path.name}"
    return Extracted(
        part,
        _layers_of(part),
        f"{path}/predictions" if result["there"] else None,
        f"{path}/probabilities" if result["there"] else None,
        tuple(result["class_names"]),
        (*part.result["notes"], *result["notes"]),
    )


def extract_control(
    stages: Stages,
    adapter: Adapter,
    trained: Extracted,
    data: StudyData,
    data_part: Part,
    options: Mapping[str, Any],
) -> tuple[Extracted | None, str]:
    """Run the network with fresh weights; return None and the reason if that is impossible."""
    from ...representations import find_adapter

    project = min(options["project"] or CONTROL_FEATURES, CONTROL_FEATURES)
    names = [layer.record.name for layer in trained.layers]
    control = {**options, "project": project, "layers": names}
    fresh: Adapter

    def work(folder: Path) -> dict[str, Any]:
        return _extract(folder, fresh, data, control)

    settings = {**deciding(control), "seed": options["random_state"]}
    try:
        fresh = find_adapter(adapter.untrained(options["random_state"]))
        part = stages.do(
            "untrained-extract",
            StageLabel("all layers (untrained)", "extraction"),
            settings,
            [data_part, trained.part],
            work,
            kept=False,
        )
    except ValueError as error:
        return None, f"no untrained control: {error}"
    return Extracted(part, _layers_of(part)), ""


def _layers_of(part: Part) -> tuple[ExtractedLayer, ...]:
    return tuple(ExtractedLayer.from_json(layer) for layer in part.result["layers"])


def deciding(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the result depends on.

    Of ``max_memory`` that is the batch size: a model's last digits depend on it.
    """
    from ...representations import batch_bytes

    pool, project = options["pool"], options["project"]
    return {
        "layers": repr(options["layers"]),
        "batch_size": options["batch_size"],
        "batch_bytes": batch_bytes(options["max_memory"]),
        "pool": pool,
        "project": project,
        "random_state": options["random_state"],
    }


def _extract(
    folder: Path, adapter: Adapter, data: StudyData, options: Mapping[str, Any]
) -> dict[str, Any]:
    from ...representations import Store, batch_bytes, extract_to

    # Always to disk, whatever memory there is, so that a study is the same files everywhere.
    found = extract_to(
        Store(folder / "points", numbered=True),
        0,
        adapter,
        data.inputs,
        options["layers"],
        batch_size=options["batch_size"],
        batch_bytes=batch_bytes(options["max_memory"]),
        pool=options["pool"],
        project=options["project"],
        random_state=options["random_state"],
        progress=False,
    )
    layers = []
    for layer in found.layers:
        array = found[layer.name]
        same_as = layer.same_as
        # With several inputs there is no single array that a layer could be a view of.
        if same_as == "inputs" and data.points is None:
            same_as = None
        layers.append(
            ExtractedLayer(
                LayerRecord(
                    layer.name,
                    layer.kind,
                    tuple(layer.shape),
                    same_as,
                    (layer.description,) if layer.description else (),
                    found.reductions.get(layer.name),
                ),
                None if same_as is not None else f"points/{Path(array.store.root).name}",
                math.prod(array.shape[1:]),
            ).to_json()
        )
    if found.output is not None:
        write_zarr(folder / "output", found.output)
    return {"layers": layers, "output": found.output is not None, "notes": list(found.notes)}
