"""Run a model over the inputs once and keep the values of its layers."""

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
from ._layers import Which, choose, probe
from ._reduction import Pool, Reducer, check_reductions
from ._representations import Representations
from ._samples import Samples, check_inputs
from ._store import Store

MAX_BATCH_BYTES: Final = 256_000_000


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
    """Compute the representations of samples at the layers of a model.

    The model runs once over the inputs, in inference mode (dropout is off), however many layers
    are selected; a few samples are run before, to find the layers. The model is not modified.

    Parameters
    ----------
    model : object
        A Keras model (Sequential, functional, subclassed or nested), a PyTorch module, a
        TorchScript module, an exported program, an ONNX model, or a dict of layer -> points.
    inputs : array-like of shape (n_samples, ...), or tuple, list or dict of array-likes
        The samples; several arrays for a multi-input model. Real numbers are converted to the
        model's precision. None for a dict of points.
    layers : str, int, slice, or sequence of these, optional
        Names (``"fc1"``), patterns (``"conv*"``), or indices into `list_layers` (0 is the first,
        -1 the last). By default all. Nested layers are ``outer/inner`` in Keras and
        ``outer.inner`` in PyTorch. The result is in execution order.
    batch_size : int, default=500
        Samples per run of the model, reduced so that the selected layers take at most 256 MB (or
        `max_memory`) per batch. Decrease it if the model itself runs out of memory.
    max_memory : int or str, optional
        How much memory the result may take, in bytes or as ``"2 GB"``; the largest layers beyond
        it go to disk, as Zarr arrays. By default 1 GB, and at most half of the free memory.
        Increase it to avoid the disk.
    store : path, optional
        The folder for these arrays, which appear in it after everything is written. By default a
        temporary folder, deleted with the last object that reads it.
    pool : {"mean", "max"} or int, optional
        Reduce images (3 or more dimensions per sample) to one number per channel, or to the
        means over a grid of this many cells per side. Use it if convolutional layers are too
        large.
    project : int, optional
        Reduce layers of more than this many features to this many, by a sparse random projection
        [Li2006]. The distortion of distances is measured and reported.
    random_state : int, default=0
        Seeds the projection.
    progress : bool, default=True
        Show a progress bar if standard error is a terminal.

    Returns
    -------
    Representations
        Layer name -> float32 array ``(n_samples, *shape)``. Repeated calls of a layer are ``name``,
        ``name:2``, ...; several values of one layer are ``name[0]``, ``name[1]``, ...

    Raises
    ------
    ValueError
        If a layer does not exist (similar names are suggested); if a layer selected by name has
        no row for each sample; if the inputs do not fit the model; if a layer returns NaN or
        infinity.
    TypeError
        If no adapter accepts the model.
    OSError
        If the disk is full; what was written is removed.

    See Also
    --------
    unknot.representations.list_layers : List the layers and their shapes.
    unknot.load_model : Load a model from a file.
    unknot.study : Also map and measure every layer.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> model = unknot.networks.perceptron(n_classes=3, input_shape=(4, 4, 1), random_state=0)
    >>> unknot.extract(model, np.zeros((10, 4, 4, 1), np.float32), ["fc1", -1])
    Representations(10 samples; fc1 (100,), probabilities (3,))
    """
    return extract_to(
        Store(store),
        memory_budget(max_memory),
        find_adapter(model),
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
    """Return how many bytes the selected layers may take per batch."""
    if max_memory is None:
        return MAX_BATCH_BYTES
    return min(MAX_BATCH_BYTES, memory_budget(max_memory))


def extract_to(
    store: Store,
    budget: int,
    adapter: Adapter,
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
    """Extract as `extract` does; layers that exceed `budget` bytes of memory go to `store`."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    check_reductions(pool, project)
    samples = adapter.samples(inputs)
    found, notes = choose(probe(adapter, samples), layers, adapter.name)
    notes = [*adapter.notes, *notes]
    found = resolve_aliases(found)
    sample_bytes = sum(4 * int(np.prod(entry.layer.shape)) for entry in found)
    size = adapter.batch_size or min(
        batch_size, max(1, batch_bytes // sample_bytes), samples.n_samples
    )
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
            except NotAViewError as error:  # the probed samples happened to agree
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
    """Run all batches; return the model's output if it is one array (n_samples, n_outputs)."""
    n_samples = samples.n_samples
    start, stop, raw = 0, 0, None

    def sink(name: str, kind: str, values: Array) -> None:
        if (column := columns.get(name)) is not None:
            column.append(values, start, stop, raw)

    console = Console(stderr=True)
    shown = track(
        range(0, n_samples, size),
        escape(shown_text(f"{adapter.name}: extracting")),
        console=console,
        transient=True,
        disable=not (progress and supports_live_display(console)),
    )
    output: Array | None = None
    with adapter.capture(sink, set(columns)) as run:
        for start in shown:
            stop = min(start + size, n_samples)
            pad = adapter.pad_batches or adapter.batch_size is not None
            batch = samples.rows(start, start + size if pad else stop)
            if adapter.computes:  # stored layers are checked as layers
                check_inputs(batch, start)
            raw = None if samples.multi_input else batch
            rows = _output_rows(run(batch), stop - start)
            for name, column in columns.items():
                if column.n_written != stop:
                    raise ValueError(
                        f"layers: model {adapter.name!r} does not run {name!r} for samples "
                        f"{start} to {stop - 1}; leave it out"
                    )
            if start == 0 and rows is not None:
                output = np.empty((n_samples, rows.shape[1]), np.float32)
            if output is not None and rows is not None:
                output[start:stop] = rows
    return output


def _output_rows(result: Any, n_rows: int) -> Array | None:
    """Return a model's output as (n_rows, n_outputs), or None if it is not one such array."""
    if isinstance(result, dict) and "logits" in result:
        result = result["logits"]
    found = [values for _, values in leaves("", result)]
    if len(found) != 1 or not isinstance(found[0], np.ndarray):
        return None
    values = found[0]
    if values.ndim not in (1, 2) or len(values) < n_rows or values.dtype.kind != "f":
        return None
    return values[:n_rows].reshape(n_rows, -1)
