"""The stages of all samples: extraction, scores, places on the landmarks' maps and density.

The landmarks are studied first, as any samples are. What is added here is of all samples, a
partition at a time, on any workers.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ... import __version__
from ..._cluster import (
    ClusterError,
    PartitionedStage,
    Records,
    explained_here,
    finish_stage,
    partitions_of,
)
from ..._io.cache import Part
from ..._io.shared_store import SharedStore
from ..._io.stored_points import opened
from ..._typing import Array
from .._store.format import PARTS, open_zarr, read_zarr, write_zarr
from .._store.layer_records import DensityRecord, LayerRecord
from .._store.saving import write_scores
from .extraction import Extracted, deciding
from .large_data import AllSamples, StoredRows, exact_float32, identity_of, place_rows
from .large_tasks import Extraction, LayerRows, Placement, Spreads, Totals, work_of
from .plan import prepare_model
from .stages import Source, StageLabel, Stages

ALL_SAMPLES: Final = "all samples"
"""The name under which their scores stand among the controls."""
LIKE: Final = 32
"""Landmarks by which workers find the layers."""
SIZES: Final = (256, 128, 64, 32)
MOST_CELLS: Final = 2**24
MARGIN: Final = 0.02


@dataclass
class Large:
    """All samples of a study, and the stages over them.

    Attributes
    ----------
    everything : AllSamples
    store : SharedStore
    executor, client : object
        As the user gave them, for the search of neighbors.
    neighbors : bool
        Whether neighbors are searched among all samples.
    """

    everything: AllSamples
    store: SharedStore
    executor: Any = None
    client: Any = None
    neighbors: bool = False
    partitions: tuple[slice, ...] = ()
    layers: dict[str, LayerRows] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What the study says of all samples."""
        everything = self.everything
        return (
            f"maps and scores are of {len(everything.rows):,} landmarks, drawn by class among "
            f"{everything.n_samples:,} samples; the scores of all samples stand beside the controls"
        )

    def check_model(self) -> None:
        """Refuse a model in memory for workers, before the landmarks are studied.

        Raises
        ------
        ClusterError
            It says how to pass the model.
        """
        everything = self.everything
        if everything.path is None and everything.points is None:
            raise ClusterError(
                "model: workers load it from its file, so pass the path that all of them see "
                f"(unknot.save_model writes one); got {type(everything.model).__name__}"
            )

    def add(
        self,
        stages: Stages,
        adapter: Any,
        extracted: Extracted,
        records: Sequence[LayerRecord],
        sources: Mapping[str, Source],
        options: Mapping[str, Any],
    ) -> tuple[tuple[LayerRecord, ...], dict[str, str]]:
        """Run the stages of all samples.

        Returns
        -------
        tuple of LayerRecord
            The layers, with the density of all samples on their maps.
        dict of str to str
            The path of each layer's scores of all samples.
        """
        identity = self._identity(adapter, extracted, options)
        with explained_here(self.store, f"{ALL_SAMPLES}: preparation"):
            self._lay_out(stages, adapter, extracted, sources, options, identity)
        scores: dict[str, str] = {}
        changed = []
        for number, record in enumerate(records):
            if record.same_as is not None or record.name not in self.layers:
                changed.append(record)
                continue
            part = self._study(stages, number, record, sources[record.name], identity)
            path = f"{PARTS}/{part.path.name}"
            scores[record.name] = f"{path}/scores.json"
            density = part.result["density"]
            if density is not None:
                record = replace(record, density=DensityRecord(f"{path}/density", **density))
            changed.append(record)
        found = {record.name: record for record in changed}
        for number, record in enumerate(changed):
            if record.same_as in found:
                other = found[record.same_as]
                changed[number] = replace(record, density=other.density)
                if other.name in scores:
                    scores[record.name] = scores[other.name]
        return tuple(changed), scores

    def _identity(
        self, adapter: Any, extracted: Extracted, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what all results depend on."""
        everything = self.everything
        arrays = {} if everything.points is None else everything.points
        return {
            "version": __version__,
            "labels": hashlib.sha256(everything.codes.tobytes()).hexdigest(),
            "landmarks": hashlib.sha256(everything.rows.tobytes()).hexdigest(),
            "extract": extracted.part.fingerprint,
            "inputs": None if everything.inputs is None else identity_of(everything.inputs),
            "points": {name: identity_of(array) for name, array in arrays.items()},
            **deciding(options),
        }

    def _lay_out(
        self,
        stages: Stages,
        adapter: Any,
        extracted: Extracted,
        sources: Mapping[str, Source],
        options: Mapping[str, Any],
        identity: dict[str, Any],
    ) -> None:
        """Cut the samples into partitions, and find or make the points of each layer."""
        everything = self.everything
        stored = {layer.record.name: layer for layer in extracted.layers if layer.array is not None}
        row_bytes = sum(4 * layer.n_features for layer in stored.values())
        batch = 1
        if everything.points is None:
            prepared = prepare_model(adapter, everything.landmarks, options)
            batch = prepared.full_batch(
                adapter, options["batch_size"], deciding(options)["batch_bytes"]
            )
        self.partitions = partitions_of(everything.n_samples, batch, max(row_bytes, 4))
        home = f"data-{_digest(identity)}"
        labeled = everything.codes[everything.codes >= 0]
        codes = np.full(everything.n_samples, -1, np.int32)
        present = np.unique(labeled)
        codes[everything.codes >= 0] = np.searchsorted(present, labeled)
        kept = partial(place_rows, self.store, partitions=self.partitions)
        labels = kept(f"{home}/codes", codes)
        inputs = everything.inputs
        rows: dict[str, StoredRows] = {}
        if "inputs" in sources:
            rows["inputs"] = kept(f"{home}/inputs", exact_float32(inputs, "data: inputs"))
        if everything.points is not None:
            for number, name in enumerate(stored):
                array = exact_float32(everything.points[name], f"model: {name!r}")
                rows[name] = kept(f"{home}/layer-{number:03d}", array)
        else:
            # As the model takes them, which may be of another type.
            fed = kept(f"{home}/fed", inputs)
            rows |= self._extract(
                stages, adapter, stored, extracted.part, fed, options, batch, identity
            )
        self.layers = {
            name: LayerRows(name, points, labels, len(present)) for name, points in rows.items()
        }

    def _extract(
        self,
        stages: Stages,
        adapter: Any,
        stored: Mapping[str, Any],
        part: Part,
        inputs: StoredRows,
        options: Mapping[str, Any],
        batch: int,
        identity: dict[str, Any],
    ) -> dict[str, StoredRows]:
        everything = self.everything
        folder = f"extract-{_digest(identity)}"
        arrays, shapes = {}, {}
        for number, (name, layer) in enumerate(stored.items()):
            source = tuple(open_zarr(part.path, layer.array).shape[1:])
            arrays[name], shapes[name] = f"{folder}/points/{number:03d}", source
            self.store.create_array(
                arrays[name],
                (everything.n_samples, *source),
                np.float32,
                self.partitions[0].stop,
            )
        job = Extraction(
            everything.path,
            None if everything.path is not None else everything.model,
            adapter.forward,
            inputs,
            np.asarray(everything.landmarks.inputs[:LIKE]),
            dict(options),
            batch,
            arrays,
            shapes,
        )
        size = sum(4 * layer.n_features for layer in stored.values())
        self._run(stages, "extract", folder, StageLabel(ALL_SAMPLES, "extraction"), job, size)
        return {name: StoredRows(None, self.store, key) for name, key in arrays.items()}

    def _run(
        self,
        stages: Stages,
        kind: str,
        folder: str,
        label: StageLabel,
        job: Any,
        row_bytes: int,
        more_bytes: int = 0,
    ) -> Records:
        started = time.perf_counter()
        stages.on_start(*label)
        n_rows = self.partitions[0].stop
        stage = PartitionedStage(
            self.store, folder, str(label), work_of(kind, job), n_rows * row_bytes + more_bytes
        )
        found = finish_stage(stage, self.partitions, stages.workers, stages.n_jobs)
        seconds = time.perf_counter() - started
        stages.log.seconds[str(label)] = seconds
        stages.on_done(*label, seconds, False)
        return found

    def _study(
        self,
        stages: Stages,
        number: int,
        record: LayerRecord,
        source: Source,
        identity: dict[str, Any],
    ) -> Part:
        """Measure and place all samples of a layer; one part holds the result."""
        names = self._measures(stages)
        settings = {
            "all": _digest(identity),
            "layer": record.name,
            "names": names,
            "k": stages.settings.k,
            "neighbors": self.neighbors,
            "map": record.map,
            "perplexity": stages.settings.perplexity,
            "partition": self.partitions[0].stop,
        }
        layer = self.layers[record.name]

        def work(folder: Path) -> dict[str, Any]:
            home = f"{number:03d}-{{}}-{_digest(settings)}"
            scores = self._scores(stages, record, layer, home, names)
            write_scores(folder / "scores.json", scores)
            if record.map is None:
                return {"density": None}
            return {"density": self._place(stages, folder, record, source, layer, home)}

        label = StageLabel(record.name, ALL_SAMPLES)
        return stages.do(f"{number:03d}-all", label, settings, [source.part], work)

    def _measures(self, stages: Stages) -> list[str]:
        from ...metrics.by_parts import BY_PARTS

        of_neighbors = ("neighborhood_hit", "neighbor_confusion") if self.neighbors else ()
        return [name for name in stages.settings.measures if name in (*BY_PARTS, *of_neighbors)]

    def _scores(
        self, stages: Stages, record: LayerRecord, layer: LayerRows, home: str, names: list[str]
    ) -> Any:
        """Measure all samples of a layer."""
        from ...metrics.by_parts import Frame, folded, origin_rows, scores_by_parts

        everything = self.everything
        labeled = np.flatnonzero(everything.codes >= 0)
        wide = 4 * int(np.prod(layer.points.open().shape[1:]))
        totals = self._run(
            stages,
            "totals",
            home.format("totals"),
            StageLabel(record.name, "totals of all"),
            Totals(layer, labeled[origin_rows(len(labeled))]),
            wide,
        )
        sample = np.concatenate([part["sample"] for part in totals.arrays()])
        frame = Frame.of(totals.arrays(), sample)
        key = f"{home.format('frame')}/frame.bin"
        with explained_here(self.store, f"{record.name}: scores of all"):
            self.store.write_arrays(key, **frame.arrays())
        spreads = self._run(
            stages,
            "spreads",
            home.format("spreads"),
            StageLabel(record.name, "scores of all"),
            Spreads(layer, self.store, key, tuple(names)),
            wide,
        )
        classes = np.unique(everything.codes[labeled])
        results = self._of_neighbors(stages, layer, names, classes)
        return scores_by_parts(
            names,
            frame,
            folded(spreads.arrays()),
            classes,
            results,
            {},
            {"k": stages.settings.k, "random_state": stages.settings.random_state},
        )

    def _of_neighbors(
        self, stages: Stages, layer: LayerRows, names: list[str], classes: Array
    ) -> dict[str, Any]:
        """Measure the neighbors of all samples among all, exactly."""
        wanted = [name for name in ("neighborhood_hit", "neighbor_confusion") if name in names]
        if not wanted:
            return {}
        from ...metrics.neighborhood import confusion_from_graph, hit_from_graph
        from ...neighbors import nearest_neighbors

        codes = np.asarray(layer.codes.open()[:]).astype(np.int64)
        if (codes < 0).any():
            raise ValueError(
                "neighbors_of_all: every sample must be labeled, as neighbors are counted by "
                f"class; got {int((codes < 0).sum()):,} without a label. Leave them out"
            )
        k = stages.settings.k
        elsewhere: dict[str, Any] = {}
        if stages.workers is not None:
            elsewhere = {
                "executor": self.executor,
                "client": self.client,
                "store": self.store.place,
                "store_options": self.store.options or None,
            }
        points = layer.points.open()
        graph = nearest_neighbors(
            points, min(k + 1, len(codes) - 1), n_jobs=stages.n_jobs, exact=True, **elsewhere
        )
        make = {"neighborhood_hit": hit_from_graph, "neighbor_confusion": confusion_from_graph}
        # Where others are as near as the last, all choices among them count.
        rows = opened(points)
        return {name: make[name](graph, k, codes, classes, rows, stages.n_jobs) for name in wanted}

    def _place(
        self,
        stages: Stages,
        folder: Path,
        record: LayerRecord,
        source: Source,
        layer: LayerRows,
        home: str,
    ) -> dict[str, Any]:
        """Place all samples on the landmarks' map, and write how many of each class lie where."""
        assert record.map is not None
        part, _, _name = record.map.rpartition("/")
        map_ = read_zarr(stages.folder, record.map)
        bounds = bounds_of(map_)
        n_rows = layer.n_classes + 1
        size = next((s for s in SIZES if n_rows * s * s <= MOST_CELLS), SIZES[-1])
        placed = f"{home.format('placed')}/map"
        n_samples = self.everything.n_samples
        landmarks = f"{home.format('placed')}/landmarks.bin"
        with explained_here(self.store, f"{record.name}: places of all"):
            self.store.create_array(placed, (n_samples, 2), np.float32, self.partitions[0].stop)
            self.store.write_arrays(landmarks, rows=self.everything.rows)
        job = Placement(
            layer,
            source,
            str(stages.folder / part),
            self.store,
            landmarks,
            stages.settings.perplexity,
            placed,
            bounds,
            size,
        )
        wide = 4 * int(np.prod(layer.points.open().shape[1:]))
        found = self._run(
            stages,
            "placed",
            home.format("placed"),
            StageLabel(record.name, "places of all"),
            job,
            wide,
            source.n_bytes,
        )
        counts = np.zeros(n_rows * size * size, np.int64)
        for each in found.arrays():
            counts[each["cells"]] += each["counts"]
        write_zarr(folder / "density", counts.reshape(n_rows, size, size).astype(np.int32))
        return {"bounds": list(bounds), "n_samples": n_samples, "placed": placed}


def check_large(asked: Mapping[str, Any], metric: str, out: Any, *, plan: bool) -> None:
    """Refuse what a study with a store does not do.

    Raises
    ------
    ValueError
        It names the argument.
    """
    if out is None:
        raise ValueError("store: a study of very many samples goes to a folder; pass out= too")
    if plan:
        raise ValueError("store: a plan is of samples in memory; pass plan=False")
    if metric != "euclidean":
        raise ValueError(
            f"store: all samples are measured by Euclidean distance only; got metric={metric!r}"
        )
    for name, given in asked.items():
        if given is not None:
            raise ValueError(f"store: {name}= is not taken with a store; leave it out")


def bounds_of(map_: Array) -> tuple[float, float, float, float]:
    """Return the extent of a map with a margin: the least and greatest x, then y."""
    low, high = map_.min(axis=0).astype(np.float64), map_.max(axis=0).astype(np.float64)
    wide = np.where(high > low, high - low, 1.0) * MARGIN
    low, high = low - wide, high + wide
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
