"""Run a model over the inputs once and keep what its layers make of them."""

import os
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from .._console import supports_live_display
from .._io.text import shown as shown_text
from .._typing import Array
from .._validation.numbers import memory_budget
from ._adapters.base import Adapter, find_adapter, leaves
from ._columns import (
    Column,
    NotAViewError,
    finish,
    plan,
    resolve_aliases,
    without_view,
)
from ._layers import Which, choose, prepare, probe
from ._reduction import Pool, Reducer, check_reductions
from ._representations import Representations
from ._samples import Samples, check_inputs
from ._store import Store

CAPTURED_BYTES: Final = 256_000_000


def extract(
    model: Any,
    inputs: Any,
    layers: Which = None,
    *,
    batch_size: int = 500,
    max_memory: int | str | None = None,
    store: str | os.PathLike[str] | None = None,
    pool: Pool = None,
    project: int | None = None,
    random_state: int = 0,
    progress: bool = True,
) -> Representations:
    """Take the representations of samples at any or all layers of a model.

    However many layers are asked for, the model runs once over the inputs, as it does when it
    predicts (dropout is off); a few samples are run before, to see what there is. The model is
    not altered.

    Parameters
    ----------
    model : object
        A Keras model (built or loaded; Sequential, functional, subclassed or nested), a PyTorch
        module, TorchScript or exported program, an ONNX model, or a dict of layer -> points.
    inputs : array-like, (n_samples, ...), or tuple, list or dict of array-likes
        As the model takes them; several for a model of several inputs. Real numbers are given in
        the precision of the model, and integers such as token numbers as integers where it takes
        them. None for a dict of points.
    layers : str, int, slice, or sequence of these, optional
        Names (``"fc1"``), patterns (``"conv*"``), or places among `list_layers` (0 is the first,
        -1 the last); all by default. They come in the order in which they run. A layer inside
        another is ``outer/inner`` in Keras, ``outer.inner`` in PyTorch.
    batch_size : int
        Samples that pass through the model at once; fewer where a batch's representations would
        take more than 256 MB or `max_memory`.
    max_memory : int or str, optional
        What the representations may take in memory, in bytes or as ``"2 GB"``; by default 1 GB,
        and at most half of what is free. The largest go to disk, as Zarr arrays.
    store : path, optional
        The folder for these, which appear in it when all are written; by default a temporary one,
        removed with the last object that reads it.
    pool : {"mean", "max"} or int, optional
        Reduce layers of images (samples of 3 dimensions or more) to one number a channel, or to
        the means of a grid of that many cells a side.
    project : int, optional
        Reduce layers of more numbers to that many, by a sparse random projection. How far it
        changes distances is measured and stated.
    random_state : int
        Seeds the projection.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    Representations
        Layer name -> float32 array (n_samples, *shape). A layer that the model calls several
        times appears as ``name``, ``name:2``, ...; one that returns several values as
        ``name[0]``, ``name[1]``, ...

    Raises
    ------
    ValueError
        If a layer does not exist (near names are listed) or, asked for by its name, has no row
        for each sample; if the inputs do not fit the model; if a layer gives NaN or infinity.
    TypeError
        If `model` is of no known kind.
    OSError
        If the disk is full; nothing is left there.
    """
    return extract_to(
        Store(store),
        memory_budget(max_memory),
        model,
        inputs,
        layers,
        batch_size=batch_size,
        batch_bytes=batch_bytes(max_memory),
        pool=pool,
        project=project,
        random_state=random_state,
        progress=progress,
    )


def batch_bytes(max_memory: int | str | None) -> int:
    """Return what the layers may hand over in one batch; larger batches are run in parts."""
    if max_memory is None:
        return CAPTURED_BYTES
    return min(CAPTURED_BYTES, memory_budget(max_memory))


def extract_to(
    store: Store,
    budget: int,
    model: Any,
    inputs: Any,
    layers: Which,
    *,
    batch_size: int,
    batch_bytes: int,
    pool: Pool,
    project: int | None,
    random_state: int,
    progress: bool,
) -> Representations:
    """Extract as `extract` does, with so many bytes of memory, and what is larger in a store."""
    adapter = find_adapter(model)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    check_reductions(pool, project)
    samples = prepare(adapter, inputs)
    found, notes = choose(probe(adapter, samples), layers, adapter.name)
    notes = [*getattr(adapter, "notes", ()), *notes]
    found = resolve_aliases(found)
    captured = sum(4 * int(np.prod(entry.layer.shape)) for entry in found)
    size = adapter.batch_size or min(batch_size, max(1, batch_bytes // captured), samples.n_samples)
    while True:
        reducers = {
            entry.layer.name: Reducer(
                entry.layer,
                samples.n_samples,
                pool=pool,
                project=project,
                channels_first=adapter.channels_first,
                random_state=random_state,
            )
            for entry in found
        }
        with store.open() as places:
            columns = plan(found, reducers, samples.n_samples, places, budget)
            try:
                output = _run(adapter, samples, columns, size, progress=progress)
            except NotAViewError as error:  # the few samples before were not enough to tell
                places.remove()
                found = [without_view(entry, error.layer) for entry in found]
                continue
            arrays = finish(columns, places)
        reports = {name: report for name, c in columns.items() if (report := c.report())}
        kept = tuple(column.described(reports) for column in columns.values())
        return Representations(arrays, kept, output, reports, tuple(notes))


def _run(
    adapter: Adapter,
    samples: Samples,
    columns: dict[str, Column],
    size: int,
    *,
    progress: bool,
) -> Array | None:
    """Run all batches; return the model's output, if it is one array (n_samples, n_outputs)."""
    n_samples = samples.n_samples
    start, stop, raw = 0, 0, None

    def sink(name: str, kind: str, values: Array) -> None:
        if (column := columns.get(name)) is not None:
            column.take(values, start, stop, raw)

    console = Console(stderr=True)
    shown = track(
        range(0, n_samples, size),
        escape(shown_text(f"{adapter.name}: extracting")),
        console=console,
        transient=True,
        disable=not (progress and supports_live_display(console)),
    )
    output: Array | None = None
    with adapter.running(sink, set(columns)) as run:
        for start in shown:
            stop = min(start + size, n_samples)
            padded = adapter.steady or adapter.batch_size is not None
            batch = samples.rows(start, start + size if padded else stop)
            if not hasattr(adapter, "samples"):  # stored layers are looked at as layers
                check_inputs(batch, start)
            raw = None if samples.several else batch
            rows = _output_rows(run(batch), stop - start)
            for name, column in columns.items():
                if column.n_written != stop:
                    raise ValueError(
                        f"layers: model {adapter.name!r} does not run {name!r} for the samples "
                        f"{start} to {stop - 1}; leave it out"
                    )
            if start == 0 and rows is not None:
                output = np.empty((n_samples, rows.shape[1]), np.float32)
            if output is not None and rows is not None:
                output[start:stop] = rows
    return output


def _output_rows(result: Any, n_rows: int) -> Array | None:
    """Return the one array of numbers by sample that a model returned, if that is what it did."""
    if isinstance(result, dict) and "logits" in result:
        result = result["logits"]
    found = [values for _, values in leaves("", result)]
    if len(found) != 1 or not isinstance(found[0], np.ndarray):
        return None
    values = found[0]
    if values.ndim not in (1, 2) or len(values) < n_rows or values.dtype.kind != "f":
        return None
    return values[:n_rows].reshape(n_rows, -1)
