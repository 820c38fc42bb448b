"""What a study will take, said before the work."""

from __future__ import annotations

import errno
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..._io.folders import TooLargeError
from ..._io.formatting import format_bytes
from .data import StudyData, leaf_arrays
from .settings import CONTROL_FEATURES

if TYPE_CHECKING:
    from ...representations import Adapter, Prepared

# Measured on two cores of an AMD EPYC; a study of another machine is told within a factor of two.
SECONDS_PER_DISTANCE: Final = 6e-13
SECONDS_PER_POINT: Final = 4.5e-4
SECONDS_PER_VALUE: Final = 4e-9
PROCESS_BYTES: Final = 500_000_000
"""What the process takes without any data."""
GRAPH_BYTES: Final = 800
"""Of a point: its neighbors with their distances, place on the map, and influences on scores."""
WHOLE_BYTES: Final = 600_000_000


@dataclass(frozen=True)
class Plan:
    """What a study will take, from a run of a few samples.

    Attributes
    ----------
    model : str
        The model's name.
    layers : dict of str to int
        The number of values of each layer for one sample, after pooling; without views.
    n_samples : int
        The number of points of each layer.
    n_modules : int
        The number of layers that the model has in all.
    disk : int
        Bytes that the study takes while it runs.
    free : int
        Bytes that are free where it goes.
    memory : int
        Bytes of memory at the peak, about.
    seconds : float
        The time, about: within a factor of two.
    notes : tuple of str
        Which layers are left out, and why.

    See Also
    --------
    unknot.study : Makes a plan with ``plan=True``.
    """

    model: str
    layers: dict[str, int]
    n_samples: int
    n_modules: int
    disk: int
    free: int
    memory: int
    seconds: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        minutes = self.seconds / 60
        time = f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{self.seconds:.0f} s"
        return (
            f"{self.model}: {len(self.layers)} of {self.n_modules} layers, {self.n_samples:,} "
            f"points of up to {max(self.layers.values(), default=0):,} numbers, "
            f"{format_bytes(self.disk)} of disk ({format_bytes(self.free)} free), "
            f"{format_bytes(self.memory)} of memory, about {time}"
        )

    def require_space(self, pooled: Plan | None = None) -> None:
        """Raise an OSError with remedies that would fit if the disk is too small.

        Parameters
        ----------
        pooled : Plan, optional
            The plan with the mean over all positions.
        """
        if self.disk <= self.free:
            return
        room = 0.9 * self.free
        remedies = []
        if pooled is not None and pooled.disk <= room:
            remedies.append(f"pool='mean' ({format_bytes(pooled.disk)})")
        per_sample = self.disk / self.n_samples
        if (count := int(room / per_sample)) >= 4:
            remedies.append(f"max_samples={count} ({format_bytes(int(count * per_sample))})")
        kept, taken = [], 0
        for name, size in sorted(self.layers.items(), key=lambda item: item[1]):
            taken += self.n_samples * (4 * size + GRAPH_BYTES)
            if taken > room:
                break
            kept.append((name, taken))
        if kept:
            names = [name for name in self.layers if name in {name for name, _ in kept}][-3:]
            remedies.append(
                f"fewer layers, such as layers={names} (the {len(kept)} smallest take "
                f"{format_bytes(kept[-1][1])})"
            )
        largest = max(self.layers, key=lambda name: self.layers[name])
        raise TooLargeError(
            errno.ENOSPC,
            f"the study needs {format_bytes(self.disk)} on disk, and {format_bytes(self.free)} are "
            f"free: {len(self.layers)} layers of {self.n_samples:,} points, {largest!r} of "
            f"{self.layers[largest]:,} numbers each. What fits: {'; '.join(remedies) or 'nothing'}",
        )


def prepare_model(adapter: Adapter, data: StudyData, options: Mapping[str, Any]) -> Prepared:
    """Run a few samples; find the layers of a study, and how they are pooled."""
    from ...representations import batch_bytes, prepare

    return prepare(
        adapter,
        data.inputs,
        options["layers"],
        pool=options["pool"],
        channels=options.get("channels"),
        mask=options.get("mask"),
        places=data.places,
        compare=batch_bytes(options["max_memory"]),
    )


def plan_of(
    adapter: Adapter,
    data: StudyData,
    prepared: Prepared,
    options: Mapping[str, Any],
    folder: Path | None,
    *,
    untrained: bool,
) -> Plan:
    """Return what a study will take.

    Parameters
    ----------
    adapter, data, prepared, options
        Of the study.
    folder : Path or None
        Where it goes; None for a temporary folder.
    untrained : bool
        Whether the control runs as well.
    """
    n = len(data.labels)
    project = options["project"]
    layers = {
        entry.layer.name: min(entry.n_values, project or entry.n_values)
        for entry in prepared.found
        if entry.layer.same_as is None
    }
    numbers = [a for a in leaf_arrays(data.inputs) if a.dtype.kind == "f" or a.ndim > 2]
    inputs = 0 if data.places is not None else sum(math.prod(a.shape[1:]) for a in numbers)
    control = sum(min(size, CONTROL_FEATURES) for size in layers.values()) if untrained else 0
    seconds = 0.0
    for size in (*layers.values(), *([inputs] if inputs else [])):
        seconds += n * (SECONDS_PER_POINT + SECONDS_PER_VALUE * size)
        seconds += n * n * size * SECONDS_PER_DISTANCE
    if untrained:
        seconds *= 1.5
    passes = 2 if untrained else 1
    seconds += passes * prepared.probed.seconds * prepared.samples.n_samples
    largest = max((*layers.values(), inputs), default=0)
    kept = sum(a.nbytes for a in leaf_arrays(data.inputs))
    return Plan(
        model=adapter.name,
        layers=layers,
        n_samples=n,
        n_modules=prepared.probed.n_layers,
        disk=4 * n * (sum(layers.values()) + inputs + control) + GRAPH_BYTES * n * len(layers),
        free=shutil.disk_usage(_existing(folder)).free,
        memory=PROCESS_BYTES + kept + 3 * min(4 * n * largest, WHOLE_BYTES),
        seconds=seconds,
        notes=tuple(prepared.notes),
    )


def say_plan(
    adapter: Adapter,
    data: StudyData,
    prepared: Prepared,
    options: Mapping[str, Any],
    folder: Path,
    on_plan: Callable[[Plan], None],
) -> None:
    """Tell the plan; raise an OSError with what would fit if the disk is too small."""
    untrained = bool(options["untrained"])
    plan = plan_of(adapter, data, prepared, options, folder, untrained=untrained)
    if plan.disk > plan.free:
        pooled = None
        if data.places is None:
            averaged = {**options, "pool": "mean"}
            again = prepare_model(adapter, data, averaged)
            pooled = plan_of(adapter, data, again, averaged, folder, untrained=untrained)
        plan.require_space(pooled)
    on_plan(plan)


def _existing(folder: Path | None) -> Path:
    """Return the innermost folder around a path that exists."""
    path = Path(tempfile.gettempdir()) if folder is None else folder.absolute()
    while not path.exists():
        path = path.parent
    return path
