"""What ``study.json`` says of a layer, as records, and what all records share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, get_type_hints

from ..._io.typed_json import check_types
from ...representations import describe_reduction


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
        return fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GraphRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**known_fields(cls, values))


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
        known = known_fields(cls, values)
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
        return fields_of(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DensityRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        return cls(**known_fields(cls, values))


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
        return {**fields_of(self), "influences": known}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MapRecord:
        """Build a record from what `to_json` returned; further keys are ignored."""
        known = known_fields(cls, values)
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
        values = fields_of(self)
        values["shape"], values["notes"] = list(self.shape), list(self.notes)
        values["graph"] = None if self.graph is None else self.graph.to_json()
        values["influences"] = None if self.influences is None else self.influences.to_json()
        values["other_influences"] = {
            labeling: record.to_json() for labeling, record in self.other_influences.items()
        }
        values["density"] = None if self.density is None else self.density.to_json()
        values["other_maps"] = {name: each.to_json() for name, each in self.other_maps.items()}
        return without_empty(
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
        known = known_fields(cls, values)
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


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a record by name."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


# Added after the first release of the format: absent where there is nothing to say.
_OPTIONAL: Final = frozenset(
    {"other_scores", "influences", "other_influences", "density", "other_maps", "labelings"}
)


def without_empty(values: dict[str, Any], *names: str) -> dict[str, Any]:
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


def known_fields(cls: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that are stored; a TypeError if one is not what it says."""
    check_types(values, get_type_hints(cls))
    return {
        each.name: values[each.name]
        for each in fields(cls)
        if each.name in values or each.name not in _OPTIONAL
    }
