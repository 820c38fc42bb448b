"""What ``study.json`` says, as records: each key is spelled here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, get_type_hints

from ... import __version__
from ..._io.typed_json import check_types
from ...representations import describe_reduction

FORMAT: Final = "unknot study"
VERSION: Final = 2
# What has neither unlabeled samples, numbers as labels nor several labelings is written as format
# 1, which earlier releases read.
PLAIN_VERSION: Final = 1


@dataclass(frozen=True)
class GraphRecord:
    """Where a neighbor graph lies, and what its arrays do not say.

    Attributes
    ----------
    path : str
        The folder of its arrays, relative to the study's folder.
    metric : str
    recall : float
        The share of true neighbors found, from 0 to 1.
    """

    path: str
    metric: str
    recall: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return _fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GraphRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**_known(cls, values))


@dataclass(frozen=True)
class InfluenceRecord:
    """Where the influences of the samples on the scores of a layer lie.

    Attributes
    ----------
    path : str
        The array, relative to the study's folder: float32 (n_samples, n_scores).
    measures : tuple of str
        The score of each column.
    """

    path: str
    measures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {"path": self.path, "measures": list(self.measures)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> InfluenceRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = _known(cls, values)
        return cls(**{**known, "measures": tuple(known["measures"])})


@dataclass(frozen=True)
class DensityRecord:
    """Where the density of all samples on a map lies.

    Attributes
    ----------
    path : str
        Of its counts, relative to the study's folder.
    bounds, n_samples, placed
        As in `MapDensity`.
    """

    path: str
    bounds: list[float]
    n_samples: int
    placed: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return _fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DensityRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**_known(cls, values))


@dataclass(frozen=True)
class MapRecord:
    """Where a map beside t-SNE's lies, with its scores.

    Attributes
    ----------
    map : str
        The array, relative to the study's folder, as all paths are: float32 (n_samples, 2).
    scores : dict of str to str
        The scores' path for each labeling; the first one's under an empty name.
    influences : dict of str to InfluenceRecord
        The same of the influences.
    kl_divergence : float or None
    """

    map: str
    scores: dict[str, str] = field(default_factory=dict)
    influences: dict[str, InfluenceRecord] = field(default_factory=dict)
    kl_divergence: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        known = {labeling: each.to_json() for labeling, each in self.influences.items()}
        return {**_fields_of(self), "influences": known}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MapRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = _known(cls, values)
        influences = {
            labeling: InfluenceRecord.from_json(each)
            for labeling, each in known["influences"].items()
        }
        return cls(**{**known, "influences": influences})


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a study: what it is, and where its results lie.

    Attributes
    ----------
    name, kind : str
    shape : tuple of int
        Of one sample.
    same_as : str or None
        The layer that this one is a view of; the results are that layer's.
    notes : tuple of str
    reduction : dict or None
        How the layer was reduced before it was measured, with the distortion.
    points, map, scores : str or None
        Paths relative to the study's folder; None where there is none.
    graph : GraphRecord or None
    kl_divergence : float or None
    density : DensityRecord or None
        Of the map.
    other_scores : dict of str to str
        The scores' path for each further labeling.
    influences : InfluenceRecord or None
    other_influences : dict of str to InfluenceRecord
        Those of each further labeling.
    other_maps : dict of str to MapRecord
        Maps by other methods than t-SNE.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    same_as: str | None = None
    notes: tuple[str, ...] = ()
    reduction: dict[str, Any] | None = None
    points: str | None = None
    graph: GraphRecord | None = None
    map: str | None = None
    kl_divergence: float | None = None
    scores: str | None = None
    other_scores: dict[str, str] = field(default_factory=dict)
    influences: InfluenceRecord | None = None
    other_influences: dict[str, InfluenceRecord] = field(default_factory=dict)
    density: DensityRecord | None = None
    other_maps: dict[str, MapRecord] = field(default_factory=dict)

    def viewed_as(self, view: LayerRecord) -> LayerRecord:
        """Return the record of a view of this layer: its own description, these results."""
        return replace(
            view,
            points=None,
            graph=self.graph,
            map=self.map,
            kl_divergence=self.kl_divergence,
            scores=self.scores,
            other_scores=self.other_scores,
            influences=self.influences,
            other_influences=self.other_influences,
            density=self.density,
            other_maps=self.other_maps,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        values = _fields_of(self)
        values["shape"], values["notes"] = list(self.shape), list(self.notes)
        values["graph"] = None if self.graph is None else self.graph.to_json()
        values["influences"] = None if self.influences is None else self.influences.to_json()
        values["other_influences"] = {
            labeling: record.to_json() for labeling, record in self.other_influences.items()
        }
        values["density"] = None if self.density is None else self.density.to_json()
        values["other_maps"] = {name: each.to_json() for name, each in self.other_maps.items()}
        return _without_empty(
            values, "other_scores", "influences", "other_influences", "density", "other_maps"
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LayerRecord:
        """Build a record from what `to_json` returned; further keys are ignored.

        Raises
        ------
        KeyError
            If a key is missing.
        TypeError
            If a value is of another type.
        """
        known = _known(cls, values)
        _check_reduction(known["reduction"])
        graph, own, density = known["graph"], known.get("influences"), known.get("density")
        return cls(
            **{
                **known,
                "shape": tuple(known["shape"]),
                "notes": tuple(known["notes"]),
                "graph": None if graph is None else GraphRecord.from_json(graph),
                "influences": None if own is None else InfluenceRecord.from_json(own),
                "density": None if density is None else DensityRecord.from_json(density),
                "other_influences": {
                    labeling: InfluenceRecord.from_json(record)
                    for labeling, record in known.get("other_influences", {}).items()
                },
                "other_maps": {
                    name: MapRecord.from_json(record)
                    for name, record in known.get("other_maps", {}).items()
                },
            }
        )


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
            **_fields_of(self),
            "class_names": list(self.class_names),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LabelingRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = _known(cls, values)
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
        return _fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MetadataRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**_known(cls, values))


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
            **_fields_of(self),
            "layers": [layer.to_json() for layer in self.layers],
            "notes": list(self.notes),
            "labelings": [labeling.to_json() for labeling in self.labelings],
        }
        return _without_empty(values, "labelings")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MomentRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = _known(cls, values)
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


def _fields_of(record: Any) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


# Added after the first release of the format: absent where there is nothing to say.
_OPTIONAL: Final = frozenset(
    {"other_scores", "influences", "other_influences", "density", "other_maps", "labelings"}
)


def _without_empty(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the values without those that are empty, so that studies without are as before."""
    for name in names:
        if not values[name]:
            del values[name]
    return values


def _check_reduction(stored: dict[str, Any] | None) -> None:
    """Raise a TypeError, KeyError or ValueError unless a reduction can be told in words."""
    if stored is not None:
        check_types(stored, {"pool": str, "projection": str, "from": int, "to": int})
        describe_reduction(stored)


def _known(cls: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that are stored; a TypeError if one is not what it says."""
    check_types(values, get_type_hints(cls))
    return {
        each.name: values[each.name]
        for each in fields(cls)
        if each.name in values or each.name not in _OPTIONAL
    }
