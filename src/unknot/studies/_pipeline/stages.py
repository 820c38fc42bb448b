"""The stages of a study: of the data and of each layer, with a cached part for each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from ..._io.atomic import write_json
from ..._io.cache import Part, Parts
from ..._parallel.lanes import Promise, Task, Workers
from .._store.format import PARTS, blocks, open_zarr, read_zarr, write_zarr
from .data import StudyData, snippets_of, thumbnails_of
from .labeling import Labeling
from .measuring import measures_for
from .settings import StudySettings

DEAD = "dead: all points coincide, which says nothing about the classes"

# A larger layer is never read whole.
WHOLE_BYTES = 600_000_000

OnStage = Callable[[str, str, float, bool], None]
OnPlan = Callable[[Any], None]
# Called with an empty folder to write to, and the number of threads; returns plain JSON.
Work: TypeAlias = Callable[[Path, int], dict[str, Any]]
# Yields tasks and receives their parts, or promises and receives their values.
Steps: TypeAlias = Generator[Task | Promise[Any], Any, Any]

# Which stage starts first, of those that can. Each map waits for the one before it.
MAPS_FIRST: Final = 0
NEIGHBORS_NEXT: Final = 1
SCORES_THEN: Final = 2
CONTROLS_LAST: Final = 3


class StageLabel(NamedTuple):
    """What a stage works on, and what it does, for people to read."""

    layer: str
    stage: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.stage}"


@dataclass
class StageLog:
    """What was done, in order: the parts that the study refers to, and the durations."""

    parts: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, label: StageLabel, part: Part, *, kept: bool) -> None:
        """Add a stage; `kept` if the study refers to its part."""
        if kept:
            self.parts.append(part)
        self.seconds[str(label)] = part.seconds

    def extend(self, other: StageLog) -> None:
        """Add the stages of another log."""
        self.parts += other.parts
        self.seconds |= other.seconds


@dataclass
class Stages:
    """Runs the stages of one study in its folder, and collects their parts and durations."""

    folder: Path
    settings: StudySettings
    n_jobs: int | None = None
    whole_bytes: int = WHOLE_BYTES
    workers: Workers | None = None
    on_start: Callable[[str, str], None] = lambda layer, stage: None
    on_done: OnStage = lambda layer, stage, seconds, reused: None
    on_plan: OnPlan | None = None
    log: StageLog = field(default_factory=lambda: StageLog())
    # The layer that a linear classifier takes, and its weights and bias.
    head: tuple[str, Any] | None = None

    def do(
        self,
        name: str,
        label: StageLabel,
        settings: dict[str, Any],
        needs: list[Part],
        work: Callable[[Path], dict[str, Any]],
        *,
        kept: bool = True,
    ) -> Part:
        """Run a stage, or reuse its part; `kept` if the study refers to the part."""
        self.on_start(*label)
        part = Parts(self.folder / PARTS).do(name, settings, needs, work)
        self.log.add(label, part, kept=kept)
        self.on_done(*label, part.seconds, part.reused)
        return part

    def task(
        self,
        log: StageLog,
        name: str,
        label: StageLabel,
        settings: dict[str, Any],
        needs: Sequence[Part],
        work: Work,
        *,
        rank: tuple[float, ...] = (),
        n_bytes: int = 0,
        kept: bool = True,
        in_caller: bool = False,
    ) -> Task:
        """Return a stage as a task, whose result is its part.

        The log is that of the program that the task is a step of. A model runs in the caller; other
        work may be sent to another process.
        """

        def ended(part: Part) -> None:
            log.add(label, part, kept=kept)
            self.on_done(*label, part.seconds, part.reused)

        return Task(
            partial(_do_stage, self.folder, name, settings, tuple(needs), work),
            label=str(label),
            rank=rank,
            n_bytes=min(n_bytes, self.whole_bytes),
            in_caller=in_caller,
            started=lambda: self.on_start(*label),
            ended=ended,
        )

    @property
    def context(self) -> Context:
        """What the work of a stage needs to know of the study."""
        return Context(self.folder, self.settings, self.whole_bytes)


def _do_stage(
    folder: Path,
    name: str,
    settings: dict[str, Any],
    needs: tuple[Part, ...],
    work: Work,
    n_threads: int,
) -> Part:
    return Parts(folder / PARTS).do(name, settings, needs, partial(_call, work, n_threads))


def _call(work: Work, n_threads: int, folder: Path) -> dict[str, Any]:
    return work(folder, n_threads)


@dataclass(frozen=True)
class Context:
    """What the work of a stage needs to know of its study, wherever it is done."""

    folder: Path
    settings: StudySettings
    whole_bytes: int


@dataclass(frozen=True)
class Source:
    """The array that holds the points of a layer, and its size."""

    part: Part
    name: str
    n_bytes: int

    @property
    def path(self) -> str:
        """The array's path in the study's folder."""
        return f"{PARTS}/{self.part.path.name}/{self.name}"

    def described(self, whole_bytes: int) -> dict[str, Any]:
        """Return the settings of a stage that reads this source.

        One part holds the points of all layers, so the array's name is needed. The block size is,
        too: sums over blocks differ in the last digits.
        """
        in_parts = whole_bytes if self.n_bytes > whole_bytes else None
        return {"source": self.name, "in_parts_of": in_parts}

    def read(self, whole_bytes: int) -> Any:
        """Read all samples, flattened; return an array above the size limit as it is on disk."""
        stored = open_zarr(self.part.path, self.name)
        if self.n_bytes > whole_bytes:
            return stored
        points = read_zarr(self.part.path, self.name)
        return np.ascontiguousarray(points.reshape(len(points), -1))


def prepare_data(
    stages: Stages, data: StudyData, fingerprint: str, *, takes_ids: bool = False
) -> tuple[Part, dict[str, Any]]:
    """Store labels, thumbnails or snippets, and the inputs themselves unless they are ids."""

    def work(folder: Path) -> dict[str, Any]:
        for number, labeling in enumerate(data.labelings.values()):
            suffix = f"-{number}" if number else ""
            write_zarr(folder / f"labels{suffix}", labeling.codes)
            if labeling.values is not None:
                write_zarr(folder / f"values{suffix}", labeling.values)
        points, notes = data.points_and_notes(takes_ids=takes_ids)
        if points is not None:
            write_zarr(folder / "inputs", points)
        thumbnails = thumbnails_of(data.inputs) if data.places is None else None
        snippets = data.snippets if thumbnails is None else None
        if thumbnails is None and snippets is None and points is not None:
            snippets = snippets_of(data.inputs)
        if thumbnails is not None:
            write_zarr(folder / "thumbnails", thumbnails)
        if snippets is not None:
            write_json(folder / "snippets.json", list(snippets))
        return {
            "shape": None if points is None else list(points.shape[1:]),
            "notes": notes,
            "thumbnails": thumbnails is not None,
            "snippets": snippets is not None,
        }

    settings = {"data": fingerprint, **({"ids": True} if takes_ids else {})}
    part = stages.do("data", StageLabel("data", "preparation"), settings, [], work)
    path = f"{PARTS}/{part.path.name}"
    return part, {
        "labels": f"{path}/labels",
        "values": None if data.labeling.values is None else f"{path}/values",
        "labeling": None if len(data.labelings) == 1 else next(iter(data.labelings)),
        "thumbnails": f"{path}/thumbnails" if part.result["thumbnails"] else None,
        "snippets": f"{path}/snippets.json" if part.result["snippets"] else None,
    }


def is_dead(points: Any) -> bool:
    """Whether all points coincide."""
    first = np.asarray(points[:1])
    return all(bool((np.asarray(points[block]) == first).all()) for block in blocks(points))


def no_scores(
    shape: Sequence[int],
    labeling: Labeling,
    settings: StudySettings,
    why: str = "all points coincide",
    note: str = DEAD,
) -> Any:
    """Return the scores of a layer that has none, such as a dead one: the reason."""
    from ...metrics import Scores

    classes, counts = np.unique(labeling.codes[labeling.codes >= 0], return_counts=True)
    return Scores(
        scores={},
        classes=classes,
        counts=counts,
        n_features=int(np.prod(shape)),
        settings={"k": settings.k, "random_state": settings.random_state, **settings.options},
        skipped=dict.fromkeys(measures_for(labeling, settings.measures), why),
        notes=(note,),
        shared_seconds={},
    )
