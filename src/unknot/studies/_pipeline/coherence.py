"""The maps of a study, refined together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io.cache import Part
from ..._parallel.lanes import Promise
from .._store.format import PARTS, read_graph, read_zarr, write_zarr
from .._store.layer_records import GraphRecord
from .labeling import Labeling
from .stages import MAPS_FIRST, Context, StageLabel, StageLog, Stages, Steps

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

ALL = "all layers"


@dataclass(frozen=True)
class MappedLayer:
    """A layer that has a map of its own.

    Attributes
    ----------
    name : str
    graph : GraphRecord
    neighbors, map : Part
    """

    name: str
    graph: GraphRecord
    neighbors: Part
    map: Part


@dataclass(frozen=True)
class ShownMap:
    """The map of a layer that is shown and scored.

    Attributes
    ----------
    part : Part
        The part that holds it.
    path : str
        The array, relative to the study's folder.
    kl_divergence : float
    notes : tuple of str
    """

    part: Part
    path: str
    kl_divergence: float
    notes: tuple[str, ...]


def shown_alone(mapped: Part) -> ShownMap:
    """Return the map of a layer that is coupled with no other."""
    return ShownMap(
        mapped,
        f"{PARTS}/{mapped.path.name}/map",
        mapped.result["kl_divergence"],
        _notes_on_copies(mapped),
    )


def shown_refined(refined: Part | None, number: int, name: str, mapped: Part) -> ShownMap:
    """Return the map of a layer after the refinement, in which ``number`` is that of its epoch."""
    for entry in () if refined is None else refined.result["maps"]:
        if (entry["epoch"], entry["layer"]) == (number, name):
            assert refined is not None
            note = (entry["note"],) if entry["note"] else ()
            return ShownMap(
                refined,
                f"{PARTS}/{refined.path.name}/{entry['folder']}/map",
                entry["kl_divergence"],
                (*_notes_on_copies(mapped), *note),
            )
    return shown_alone(mapped)


def _notes_on_copies(mapped: Part) -> tuple[str, ...]:
    copies = mapped.result["copies"]
    if not copies:
        return ()
    return (
        f"{copies:,} samples have more copies than neighbors are looked at; on the map they lie in "
        "the place of one of them",
    )


def refine_layers(
    stages: Stages,
    log: StageLog,
    labeling: Labeling,
    layers: Sequence[Promise[MappedLayer | None]],
    refined: Promise[Part | None],
) -> Steps:
    """Refine the maps of all layers of a study when the last one is there: a program."""
    found = []
    for layer in layers:
        mapped = yield layer
        if mapped is not None:
            found.append(mapped)
    refined.set((yield from refine(stages, log, labeling, [found])))


def refine(
    stages: Stages, log: StageLog, labeling: Labeling, epochs: Sequence[Sequence[MappedLayer]]
) -> Steps:
    """Refine the maps of all epochs; return the part that holds them, None if there is one map."""
    parts = {layer.map.path: layer for layers in epochs for layer in layers}
    if len(parts) < 2:
        return None
    settings = stages.settings
    return (
        yield stages.task(
            log,
            "coherence",
            StageLabel(ALL, "coherence"),
            {
                **settings.mapping,
                "coherence": settings.coherence,
                "k": settings.k,
                "epochs": [[layer.name for layer in layers] for layers in epochs],
            },
            [part for layer in parts.values() for part in (layer.neighbors, layer.map)],
            partial(_refine, stages.context, labeling, tuple(map(tuple, epochs))),
            rank=(MAPS_FIRST,),
        )
    )


def _refine(
    context: Context,
    labeling: Labeling,
    epochs: tuple[tuple[MappedLayer, ...], ...],
    folder: Path,
    n_threads: int,
) -> dict[str, Any]:
    from ...projection import refine_maps

    settings = context.settings
    # A layer that is the same at all epochs, as the inputs are, has one map and one graph.
    counts = Counter(layer.map.path for layers in epochs for layer in layers)
    maps = {path: read_zarr(path, "map") for path in counts}
    shared = {
        layer.map.path: read_graph(context.folder, layer.graph)
        for layer in {layer.map.path: layer for layers in epochs for layer in layers}.values()
        if counts[layer.map.path] > 1
    }
    guard = hit_guard(labeling, settings.k, n_threads)
    found = refine_maps(
        [_Graphs(context.folder, layers, shared) for layers in epochs],
        [{layer.name: maps[layer.map.path] for layer in layers} for layers in epochs],
        coherence=settings.coherence,
        accept=guard,
        kl_divergences=[
            {layer.name: layer.map.result["kl_divergence"] for layer in layers} for layers in epochs
        ],
        max_memory=context.whole_bytes // 2,
        perplexity=settings.perplexity,
        random_state=settings.random_state,
        n_jobs=n_threads,
    )
    entries = []
    folders: dict[int, str] = {}
    for number, epoch in enumerate(found):
        for position, (name, refined) in enumerate(epoch.items()):
            if id(refined) not in folders:
                folders[id(refined)] = where = f"{number:04d}-{position:03d}"
                (folder / where).mkdir()
                write_zarr(folder / where / "map", refined.map_)
            # A map is coupled as strongly as its divergence allows: that needs no words.
            refused = guard is not None and (number, name) in guard.refused
            worth_saying = refused or refined.coherence == 0.0
            entries.append(
                {
                    "epoch": number,
                    "layer": name,
                    "folder": folders[id(refined)],
                    "kl_divergence": float(refined.kl_divergence),
                    "coherence": float(refined.coherence),
                    "note": refined.note if worth_saying else "",
                }
            )
    return {"maps": entries}


class _Graphs(Mapping[str, Any]):
    """The neighbors of layers, each read when it is asked for."""

    def __init__(
        self, folder: Path, layers: Sequence[MappedLayer], known: Mapping[Path, NeighborGraph]
    ) -> None:
        self._folder = folder
        self._known = known
        self._layers = {layer.name: layer for layer in layers}

    def __getitem__(self, name: str) -> NeighborGraph:
        layer = self._layers[name]
        known = self._known.get(layer.map.path)
        return read_graph(self._folder, layer.graph) if known is None else known

    def __contains__(self, name: object) -> bool:
        return name in self._layers  # without reading one

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class HitGuard:
    """Refuses a refined map that shows the classes otherwise than the map before.

    That is, one whose Neighborhood Hit is outside the 95 % interval of the former map's.

    Parameters
    ----------
    labeling : Labeling
    k : int
    n_jobs : int or None

    Attributes
    ----------
    refused : set of (int, str)
        The maps that were refused.
    """

    def __init__(self, labeling: Labeling, k: int, n_jobs: int | None) -> None:
        self._labeled = labeling.labeled
        self._codes = labeling.codes[self._labeled]
        self._k = min(k, len(self._codes) - 1)
        self._n_jobs = n_jobs
        self._before: dict[Any, Any] = {}
        self.refused: set[tuple[int, str]] = set()

    def __call__(self, key: tuple[int, str], old: Any, new: Any) -> str | None:
        """Return what speaks against the new map, or None."""
        if key not in self._before:
            self._before[key] = self._hit(old)
        first, second = self._before[key], self._hit(new)
        if first.interval is None:
            return None
        half = (first.interval[1] - first.interval[0]) / 2
        if abs(second.value - first.value) <= half:
            return None
        self.refused.add(key)
        return (
            f"its Neighborhood Hit changes from {first.value:.3f} to {second.value:.3f}, by more "
            f"than half the width of its interval, {half:.3f}"
        )

    def _hit(self, map_: Any) -> Any:
        from ...metrics import measure

        name = "neighborhood_hit"
        labeled = map_[self._labeled]
        scores = measure(
            labeled, self._codes, None, name, k=self._k, n_permutations=0, n_jobs=self._n_jobs
        )
        return scores[name]


def hit_guard(labeling: Labeling, k: int, n_jobs: int | None) -> HitGuard | None:
    """Return a guard; None where labels are numbers, or there is one class."""
    if labeling.kind != "classes" or labeling.problem is not None or labeling.labeled.sum() < 3:
        return None
    return HitGuard(labeling, k, n_jobs)
