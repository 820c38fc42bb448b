"""The study of captured epochs: the layers of each are mapped and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..._io.cache import Part
from .._pipeline.control import Control, score_control
from .._pipeline.extraction import Extracted
from .._pipeline.labeling import Labeling
from .._pipeline.labelings import other_labelings, version_of
from .._pipeline.layers import (
    RefinedEpochs,
    layers_of,
    map_layers_of,
    refine_epochs,
    study_layers,
)
from .._pipeline.own_maps import OwnMaps, add_maps, check_layers
from .._pipeline.stages import Stages, Steps
from .._pipeline.versions import versions
from .._store.layer_records import LayerRecord
from .._store.records import Manifest, MomentRecord
from .captures import Capture

BEFORE = "epoch 0"
"""The control of later epochs: the same network before its training."""


@dataclass(frozen=True, eq=False)
class FreshControl:
    """The network with fresh weights, as it was run beside the first epoch.

    Attributes
    ----------
    extracted : Extracted or None
        None if it could not be made.
    how, note : str
        As `extract_control` returns them.
    decided : dict
        What the scores depend on, beside the measures.
    """

    extracted: Extracted | None
    how: str
    note: str
    decided: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Recording:
    """What all epochs have in common. It can be sent to another process.

    Attributes
    ----------
    labelings : dict of str to Labeling
    data_part : Part
    paths : dict
        Where labels, thumbnails and metadata lie.
    notes : tuple of str
        On the data and the settings.
    described : dict
        The settings of the extraction, for people.
    keep_points : bool
    takes_ids : bool
        Whether the model takes integers as they are.
    """

    labelings: dict[str, Labeling]
    data_part: Part
    paths: dict[str, Any]
    notes: tuple[str, ...] = ()
    described: dict[str, Any] = field(default_factory=dict)
    keep_points: bool = True
    takes_ids: bool = False

    @property
    def n_samples(self) -> int:
        """The number of samples."""
        return len(next(iter(self.labelings.values())).codes)


@dataclass(frozen=True, eq=False)
class Studied:
    """An epoch that was studied.

    Attributes
    ----------
    capture : Capture
    layers : tuple of LayerRecord
    maps : dict of str to Part
        The newest map of each layer, for the next epoch.
    control : Control or None
    """

    capture: Capture
    layers: tuple[LayerRecord, ...]
    maps: dict[str, Part]
    control: Control | None


def study_epochs(
    stages: Stages,
    recording: Recording,
    captures: Mapping[int, Capture],
    name: str,
    fresh: FreshControl | None,
    notes: tuple[str, ...] = (),
    studied: dict[int, Studied] | None = None,
    own_maps: Mapping[int, OwnMaps] | None = None,
) -> Manifest:
    """Study every captured epoch, and return the manifest of all; the study itself is the last.

    The map of a layer starts from its map at the epoch before. Then the maps of all layers and
    epochs are refined together.

    Parameters
    ----------
    stages : Stages
    recording : Recording
    captures : mapping of int to Capture
        At least one.
    name : str
    fresh : FreshControl or None
    notes : tuple of str
        On the whole study.
    studied : dict of int to Studied, optional
        Epochs that were studied by this process, which are not studied again; new ones are added.
    own_maps : mapping of int to OwnMaps, optional
        Maps beside t-SNE's, by epoch.

    Raises
    ------
    ValueError
        If an own map is of a layer that its epoch does not have.
    """
    studied = {} if studied is None else studied
    first, *others = recording.labelings
    maps: dict[str, Part] = {}
    turned: dict[tuple[str, str], Path] = {}
    remarks: dict[str, None] = {}
    epochs: dict[int, MomentRecord] = {}
    control: Control | None = None
    before: tuple[LayerRecord, ...] | None = None
    refined = _refined(stages, recording, captures)
    for number, epoch in enumerate(sorted(captures)):
        capture = captures[epoch]
        extracted = capture.extracted
        if epoch not in studied or studied[epoch].capture is not capture:
            records, sources = layers_of(extracted, recording.data_part, recording.n_samples)
            own = (own_maps or {}).get(epoch)
            if own is not None:
                check_layers(own, records, f"[{epoch}]")
            stages.head = capture.head
            beside = None
            if fresh is not None and control is None:
                beside = _scored(stages, recording, extracted.part, records, fresh)
            layers, scored = study_layers(
                stages,
                _prefix(epoch),
                records,
                sources,
                recording.labelings,
                maps,
                beside,
                refined,
                number,
            )
            if own is not None:
                layers, said = add_maps(
                    stages,
                    own,
                    layers,
                    sources,
                    recording.labelings,
                    prefix=_prefix(epoch),
                    previous=turned,
                )
                remarks |= dict.fromkeys(said)
            studied[epoch] = Studied(capture, layers, dict(maps), scored or control)
            for later in [each for each in studied if each > epoch]:
                del studied[later]  # their maps start from these
        done = studied[epoch]
        layers, maps, control = done.layers, dict(done.maps), done.control
        controls: dict[str, dict[str, dict[str, str]]] = {}
        if before is not None:
            controls[BEFORE] = {
                first: {layer.name: layer.scores for layer in before if layer.scores is not None},
                **{
                    key: {
                        layer.name: layer.other_scores[key]
                        for layer in before
                        if key in layer.other_scores
                    }
                    for key in others
                },
            }
        if control is not None and control.files is not None:
            controls["untrained"] = control.scores(layers, recording.labelings)
        if epoch == 0:
            before = layers
        answered = extracted.answers[first]
        moment = MomentRecord(
            answered.predictions,
            answered.probabilities,
            layers,
            {each: of_all[first] for each, of_all in controls.items()},
            (*_notes_on(control), *recording.notes, *extracted.notes, *answered.notes),
            other_labelings(recording.labelings, recording.paths, extracted, controls),
        )
        epochs[epoch] = moment if recording.keep_points else moment.without_points()
    last = max(captures)
    return Manifest(
        name=name,
        class_names=captures[last].extracted.answers[first].class_names,
        **recording.paths,
        moment=replace(epochs[last], notes=(*notes, *remarks, *epochs[last].notes)),
        epochs=epochs,
        settings={
            **stages.settings.to_dict(),
            **recording.described,
            "n_samples": recording.n_samples,
            "untrained": fresh is not None,
            "control": None if control is None or control.files is None else control.how,
        },
        versions=versions(),
        version=version_of(recording.labelings),
    )


def _prefix(epoch: int) -> str:
    """How the names of an epoch's parts begin."""
    return f"epoch-{epoch:04d}-"


def _refined(
    stages: Stages, recording: Recording, captures: Mapping[int, Capture]
) -> RefinedEpochs:
    """Find the maps of all epochs, and refine them together."""
    if stages.settings.coherence == 0.0:
        return RefinedEpochs(None)
    maps: dict[str, Part] = {}
    epochs = []
    for epoch in sorted(captures):
        extracted = captures[epoch].extracted
        records, sources = layers_of(extracted, recording.data_part, recording.n_samples)
        labelings = recording.labelings
        epochs.append(map_layers_of(stages, _prefix(epoch), records, sources, labelings, maps))
    return refine_epochs(stages, next(iter(recording.labelings.values())), epochs)


def _scored(
    stages: Stages,
    recording: Recording,
    trained: Part,
    records: list[LayerRecord],
    fresh: FreshControl,
) -> Any:
    def known(log: Any) -> Steps:
        yield from ()
        return fresh.extracted, fresh.how, fresh.note

    return partial(
        score_control,
        stages,
        name="untrained",
        trained=trained,
        labelings=recording.labelings,
        data_part=recording.data_part,
        decided=fresh.decided,
        layers=records,
        extract=known,
    )


def _notes_on(control: Control | None) -> tuple[str, ...]:
    if control is None:
        return ()
    note = control.how if control.files is None else control.note
    return (note,) if note else ()
