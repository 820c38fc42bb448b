"""What ``study.json`` says, as records: each key is spelled here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_type_hints

from ... import __version__
from ..._io.typed_json import check_types
from .layer_records import (
    LayerRecord,
    fields_of,
    known_fields,
    without_empty,
)

FORMAT: Final = "unknot study"
VERSION: Final = 2
# What has neither unlabeled samples, numbers as labels nor several labelings is written as format
# 1, which earlier releases read.
PLAIN_VERSION: Final = 1


@dataclass(frozen=True)
class LabelingRecord:
    """A further labeling of the same samples: all that depends on it but the layers' scores.

    Attributes
    ----------
    name : str
    labels : str
        The path of its codes, relative to the study's folder, as all paths are.
    values : str or None
        The path of its numbers; None for classes.
    class_names : tuple of str
    predictions, probabilities : str or None
    controls : dict of str to dict of str to str
        The scores' path of each layer of each control.
    notes : tuple of str
    """

    name: str
    labels: str
    values: str | None
    class_names: tuple[str, ...]
    predictions: str | None
    probabilities: str | None
    controls: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {
            **fields_of(self),
            "class_names": list(self.class_names),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LabelingRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = known_fields(cls, values)
        return cls(
            **{
                **known,
                "class_names": tuple(known["class_names"]),
                "notes": tuple(known["notes"]),
            }
        )


@dataclass(frozen=True)
class MetadataRecord:
    """A column of metadata.

    Attributes
    ----------
    name : str
    kind : str
        As in `MetadataColumn`.
    values : str
        The path of its array, or of the JSON list of its texts, relative to the study's folder.
    categories : str or None
        The path of the JSON list of the name of each code.
    """

    name: str
    kind: Literal["number", "category", "boolean", "date", "text"]
    values: str
    categories: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MetadataRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**known_fields(cls, values))


@dataclass(frozen=True)
class MomentRecord:
    """What the model makes of the data at one moment: after its training, or at an epoch.

    Attributes
    ----------
    predictions, probabilities : str or None
        Paths relative to the study's folder.
    layers : tuple of LayerRecord
        In the order of the model, the inputs first.
    controls : dict of str to dict of str to str
        The scores' path of each layer of each control.
    notes : tuple of str
    labelings : tuple of LabelingRecord
        The further labelings.
    """

    predictions: str | None
    probabilities: str | None
    layers: tuple[LayerRecord, ...]
    controls: dict[str, dict[str, str]]
    notes: tuple[str, ...] = ()
    labelings: tuple[LabelingRecord, ...] = ()

    def without_points(self) -> MomentRecord:
        """Return the same without the layers' points."""
        return replace(self, layers=tuple(replace(layer, points=None) for layer in self.layers))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        values = {
            **fields_of(self),
            "layers": [layer.to_json() for layer in self.layers],
            "notes": list(self.notes),
            "labelings": [labeling.to_json() for labeling in self.labelings],
        }
        return without_empty(values, "labelings")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MomentRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = known_fields(cls, values)
        return cls(
            **{
                **known,
                "layers": tuple(LayerRecord.from_json(layer) for layer in known["layers"]),
                "notes": tuple(known["notes"]),
                "labelings": tuple(
                    LabelingRecord.from_json(each) for each in known.get("labelings", ())
                ),
            }
        )


@dataclass(frozen=True)
class Manifest:
    """What the folder of a study holds: the content of ``study.json``.

    Attributes
    ----------
    name : str
        What the model is called.
    class_names : tuple of str
    labels : str
        The path of the labels, relative to the study's folder, as all paths are.
    thumbnails, snippets : str or None
    moment : MomentRecord
        The study itself; of a training, its last epoch.
    epochs : dict of int to MomentRecord, or None
        Each captured epoch of a training.
    settings, versions : dict
    parts : tuple of str
        The folders of finished work that belong to the study.
    values : str or None
        The path of the numbers that are the labels; None for classes.
    labeling : str or None
        What the labels are called; None if there are no others.
    metadata : tuple of MetadataRecord
        The columns of metadata.
    version : int
        Of the format.
    written_by : str
        The version of the package.
    """

    name: str
    class_names: tuple[str, ...]
    labels: str
    thumbnails: str | None
    snippets: str | None
    moment: MomentRecord
    epochs: dict[int, MomentRecord] | None
    settings: dict[str, Any]
    versions: dict[str, Any]
    parts: tuple[str, ...] = ()
    values: str | None = None
    labeling: str | None = None
    metadata: tuple[MetadataRecord, ...] = ()
    version: int = PLAIN_VERSION
    written_by: str = __version__

    def with_parts(self, parts: Iterable[str]) -> Manifest:
        """Return the same manifest with the parts that it refers to."""
        return replace(self, parts=tuple(parts))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them; those of the moment stand among the others."""
        moment = self.moment.to_json()
        notes = moment.pop("notes")
        epochs = self.epochs
        columns = [record.to_json() for record in self.metadata] or None
        new = {"values": self.values, "labeling": self.labeling, "metadata": columns}
        return {
            "format": FORMAT,
            "version": self.version,
            "written_by": self.written_by,
            "name": self.name,
            "class_names": list(self.class_names),
            "labels": self.labels,
            "thumbnails": self.thumbnails,
            "snippets": self.snippets,
            **moment,
            "epochs": None
            if epochs is None
            else {str(epoch): there.to_json() for epoch, there in epochs.items()},
            "notes": notes,
            "settings": self.settings,
            "versions": self.versions,
            "parts": list(self.parts),
            **{name: value for name, value in new.items() if value is not None},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Manifest:
        """Build a manifest from what `to_json` returned; further keys are ignored.

        Raises
        ------
        KeyError
            If a key is missing.
        TypeError
            If a value is of another type.
        """
        check_types(values, get_type_hints(cls))
        epochs = values["epochs"]
        return cls(
            name=values["name"],
            class_names=tuple(values["class_names"]),
            labels=values["labels"],
            thumbnails=values["thumbnails"],
            snippets=values["snippets"],
            moment=MomentRecord.from_json(values),
            epochs=None
            if epochs is None
            else {int(epoch): MomentRecord.from_json(there) for epoch, there in epochs.items()},
            settings=values["settings"],
            versions=values["versions"],
            parts=tuple(values["parts"]),
            values=values.get("values"),
            labeling=values.get("labeling"),
            metadata=tuple(
                MetadataRecord.from_json(record) for record in values.get("metadata", ())
            ),
            version=values["version"],
            written_by=values["written_by"],
        )


def version_for(*, unlabeled: bool, values: bool, several: bool) -> int:
    """Return the version of the format that a study needs: the oldest that can say it."""
    return VERSION if unlabeled or values or several else PLAIN_VERSION
