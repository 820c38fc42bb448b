"""The stage that runs the model: all layers in one pass, stored in one part."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.cache import Part
from .._store.format import PARTS, read_zarr, write_zarr
from .._store.layer_records import LayerRecord
from .data import StudyData
from .labeling import Labeling
from .models import answers, model_names_of
from .plan import prepare_model, say_plan
from .settings import CONTROL_FEATURES
from .stages import OnPlan, StageLabel, StageLog, Stages, Steps
from .untrained import fresh_control

if TYPE_CHECKING:
    from ...representations import Adapter, Prepared


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
class AnswerRecord:
    """What the model answers for one labeling.

    Attributes
    ----------
    predictions, probabilities : str or None
        Their paths in the study's folder.
    class_names, notes : tuple of str
    """

    predictions: str | None
    probabilities: str | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Extracted:
    """The result of running the model.

    Attributes
    ----------
    part : Part
    layers : tuple of ExtractedLayer
    answers : dict of str to AnswerRecord
        For each labeling.
    notes : tuple of str
    answered : Part or None
        The part that holds the answers.
    """

    part: Part
    layers: tuple[ExtractedLayer, ...]
    answers: dict[str, AnswerRecord] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    answered: Part | None = None


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
        lambda folder: _extract(folder, adapter, data, data_part, options, stages.on_plan),
    )

    # Data may say how the model is called, but not what its outputs are.
    model_names, accuracy = model_names_of(adapter.model), options.get("accuracy")

    def answer(folder: Path) -> dict[str, Any]:
        output = read_zarr(part.path, "output") if part.result["output"] else None
        found = []
        for number, labeling in enumerate(data.labelings.values()):
            # The outputs are the classes of one labeling, unless each column is a labeling.
            of_another = number > 0 and labeling.column is None
            answered = answers(
                output,
                labeling,
                model_names=model_names,
                accuracy=False if of_another else accuracy,
            )
            suffix = f"-{number}" if number else ""
            if answered.predictions is not None and answered.probabilities is not None:
                write_zarr(folder / f"predictions{suffix}", answered.predictions)
                write_zarr(folder / f"probabilities{suffix}", answered.probabilities)
            # A dict of points has no output; there is nothing to note.
            found.append(
                {
                    "there": answered.predictions is not None,
                    "class_names": list(answered.class_names),
                    "notes": list(answered.notes) if adapter.computes else [],
                }
            )
        return {"answers": found}

    decided = {"accuracy": accuracy, "model_names": model_names and list(model_names)}
    # A part of its own, as the points need not be kept.
    answered = stages.do(
        f"{prefix}answers",
        StageLabel(f"{prefix}all layers", "answers"),
        {name: value for name, value in decided.items() if value is not None},
        [data_part, part],
        answer,
    )
    return extracted_of(part, answered, data.labelings, data_part)


def extracted_of(
    part: Part, answered: Part, labelings: Mapping[str, Labeling], data_part: Part
) -> Extracted:
    """Return what two parts hold: of the layers, and of the answers for each labeling."""
    path = f"{PARTS}/{answered.path.name}"
    # Of inputs that are a layer, the notes stand with that layer.
    of_inputs = data_part.result["notes"] if data_part.result["shape"] is None else ()
    records = {}
    for number, (key, result) in enumerate(zip(labelings, answered.result["answers"], strict=True)):
        suffix = f"-{number}" if number else ""
        records[key] = AnswerRecord(
            f"{path}/predictions{suffix}" if result["there"] else None,
            f"{path}/probabilities{suffix}" if result["there"] else None,
            tuple(result["class_names"]),
            tuple(result["notes"]),
        )
    notes = (*of_inputs, *part.result["notes"])
    return Extracted(part, _layers_of(part), records, notes, answered)


def extract_control(
    stages: Stages,
    log: StageLog,
    adapter: Adapter,
    trained: Extracted,
    data: StudyData,
    data_part: Part,
    options: Mapping[str, Any],
    given: tuple[Adapter, str, str] | None = None,
) -> Steps:
    """Run the network with fresh weights, or the control that was given: a program.

    Returns
    -------
    Extracted or None
        None if there is no way to draw fresh weights.
    str
        How the control was made; or why there is none.
    str
        What must be noted about it; empty if nothing.
    """
    from ...representations import prepare_like

    project = min(options["project"] or CONTROL_FEATURES, CONTROL_FEATURES)
    names = [layer.record.name for layer in trained.layers]
    control = {**options, "project": project, "layers": names}
    of_trained = adapter
    settings = {**deciding(control), "seed": options["random_state"]}

    def extract(folder: Path, n_threads: int) -> dict[str, Any]:
        # The same layers, pooled in the same way, whatever the values of this model.
        like = prepare_model(of_trained, data, options)
        prepared = prepare_like(adapter, data.inputs, like, options.get("mask"))
        return _extract(folder, adapter, data, data_part, control, prepared=prepared)

    try:
        if given is None:
            adapter, drawn = fresh_control(adapter, options["random_state"])
            how, note = drawn.how, "" if drawn.certain else f"the untrained control: {drawn.how}"
            settings["how"] = how
        else:
            adapter, how, settings["control"] = given
            note = ""
        part = yield stages.task(
            log,
            "untrained-extract",
            StageLabel("all layers (untrained)", "extraction"),
            settings,
            [data_part, trained.part],
            extract,
            kept=False,
            in_caller=True,
        )
    except ValueError as error:
        if given is not None:
            raise ValueError(f"untrained: {error}") from error
        return None, f"no untrained control: {error}", ""
    return Extracted(part, _layers_of(part)), how, note


def _layers_of(part: Part) -> tuple[ExtractedLayer, ...]:
    return tuple(ExtractedLayer.from_json(layer) for layer in part.result["layers"])


def deciding(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the result depends on.

    Of ``max_memory`` that is the batch size: a model's last digits depend on it.
    """
    from ...representations import batch_bytes

    mask = options.get("mask")
    return {
        **described(options),
        "batch_size": options["batch_size"],
        "batch_bytes": batch_bytes(options["max_memory"]),
        "mask": None
        if mask is None
        else hashlib.sha256(np.ascontiguousarray(mask).tobytes()).hexdigest(),
        "project": options["project"],
        "random_state": options["random_state"],
    }


def described(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return which layers are taken and how they are pooled, as JSON has it."""
    from ...representations import describe_choice

    return {
        "layers": describe_choice(options["layers"]),
        "pool": describe_choice(options["pool"]),
        "channels": None if options.get("channels") is None else dict(options["channels"]),
    }


def _extract(
    folder: Path,
    adapter: Adapter,
    data: StudyData,
    data_part: Part,
    options: Mapping[str, Any],
    on_plan: OnPlan | None = None,
    prepared: Prepared | None = None,
) -> dict[str, Any]:
    from ...representations import Store, batch_bytes, extract_to

    has_inputs = data_part.result["shape"] is not None
    if prepared is None:
        prepared = prepare_model(adapter, data, options)
    if on_plan is not None:
        say_plan(adapter, data, prepared, options, folder, on_plan)

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
        prepared=prepared,
        project=options["project"],
        random_state=options["random_state"],
        progress=False,
    )
    layers = []
    for layer in found.layers:
        array = found[layer.name]
        same_as = layer.same_as
        # With several inputs there is no single array that a layer could be a view of.
        if same_as == "inputs" and not has_inputs:
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
