"""Run a model over the inputs once and keep the values of its layers."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from .._console import supports_live_display
from .._io.text import shown as shown_text
from .._typing import Array
from .._validation.numbers import check_integer, memory_budget
from ._adapters.base import Adapter, find_adapter, leaves
from ._columns import (
    Column,
    NotAViewError,
    finish,
    plan,
    resolve_aliases,
    without_view,
)
from ._labeled import Options, read_inputs
from ._layers import Found, Probe, Which, choose, name_views, probe, probe_sizes
from ._layout import find_layouts
from ._masks import MASK
from ._model_pooling import find_model_pooling
from ._places import Places, outputs_at, place_layers
from ._pooling import Pool, is_auto, pool_layers
from ._reduction import Reducer, check_reductions
from ._representations import Representations
from ._samples import Masked, Source, check_inputs
from ._sources.stream import KEPT_BYTES
from ._store import Store

MAX_BATCH_BYTES: Final = 256_000_000
COMPARED_BYTES: Final = 10_000_000
"""Layers of few numbers are compared whatever the limit, so that it decides nothing else."""
RUN_COPIES: Final = 4
"""A run of a model holds about so many arrays of the size of its largest layer at once."""


def extract(
    model: Any,
    inputs: Any,
    layers: Which = "blocks",
    *,
    batch_size: int = 500,
    max_memory: int | str | None = None,
    store: str | os.PathLike[str] | None = None,
    pool: Pool = "auto",
    channels: Mapping[str, str | int] | None = None,
    mask: Any = None,
    project: int | None = None,
    forward: Any = None,
    tokenizer: Any = None,
    label_key: str | None = None,
    split: str | None = None,
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
        model's precision. None for a dict of points. Or a torch ``DataLoader`` or ``Dataset``, a
        Hugging Face ``Dataset``, a ``tf.data.Dataset``, a Keras ``PyDataset``, an iterable of
        batches, or a list of texts; labels in them are ignored. Batches are read in order, and are
        not kept if they exceed 1 GB.
    layers : str, int, slice, module, callable, or sequence of these, default="blocks"
        ``"blocks"`` takes what its users call the layers of a deep model: residual or transformer
        blocks, and what stands beside them; of a model of up to 16 layers, all. ``"all"`` takes
        every module. Otherwise names (``"fc1"``), patterns (``"conv*"``), indices into the list of
        all (0 is the first, -1 the last), modules of the model, or a callable ``(name, module) ->
        bool``. Nested layers are ``outer/inner`` in Keras and ``outer.inner`` in PyTorch, a
        module's input is ``name@input``. The result is in execution order.
    batch_size : int, default=500
        Samples per run of the model, reduced so that the selected layers, and about four arrays of
        the size of the model's largest layer, take at most 256 MB (or `max_memory`) per batch.
    max_memory : int or str, optional
        How much memory the result may take, in bytes or as ``"2 GB"``; the largest layers beyond
        it go to disk, as Zarr arrays. By default 1 GB, and at most half of the free memory.
        Increase it to avoid the disk.
    store : path, optional
        The folder for these arrays, which appear in it after everything is written. By default a
        temporary folder, deleted with the last object that reads it.
    pool : str, int, callable, mapping or list, default="auto"
        How to make one vector of a layer's values at many positions, tokens or pixels:

        - ``"mean"`` or ``"max"`` over all positions; padding is left out where the inputs have a
          mask of the layer's length.
        - ``"cls"``, the first token; ``"last"``, the last one that is not padding; ``"cls+mean"``,
          both beside each other.
        - An integer: means over a grid of this many cells per side.
        - ``"flatten"``: keep every position.
        - A callable, which gets the values ``(n_samples, *shape)`` and returns one row a sample.
        - A mapping of names or patterns of layers to these; other layers are ``"auto"``.
        - A list of these: one result for each, named ``layer@cls``, ``layer@mean``.
        - ``"auto"``: tokens as the model itself pools its last ones, if that is seen, otherwise
          their mean. Images are kept whole while no layer has more than 16,384 numbers, and are
          otherwise averaged.

        The pooling of each layer is in its description. Vectors are never pooled.
    channels : mapping of str to {"first", "last"} or int, optional
        Name or pattern of layers -> the axis of the channels, among those of one sample. Found by
        running the model on inputs of another size; pass it for layers left out as not sure.
    mask : array-like of shape (n_samples, length), optional
        1 for positions that count, 0 for padding, for inputs without ``attention_mask``,
        ``padding_mask`` or ``mask`` among them.
    project : int, optional
        Reduce layers of more than this many features to this many, by a sparse random projection
        [Li2006]. The distortion of distances is measured and reported.
    forward : callable, optional
        ``forward(model, batch)``, for models that are not just called with the inputs, such as
        ``lambda model, images: model.encode_image(images)``. A batch may then be an object of any
        kind, as the loader gives it, without its labels.
    tokenizer : callable, optional
        Gives a dict of arrays for a list of texts, such as a transformers tokenizer. A
        SentenceTransformer has its own.
    label_key : str, optional
        The key of the labels in a batch that is a dict, which are no inputs. By default
        ``"labels"``, ``"label"``, ``"target"``, ``"targets"``, ``"y"`` or ``"class"``.
    split : str, optional
        The split of a Hugging Face ``DatasetDict``.
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
        no row for each sample; if the inputs do not fit the model; if no layer is left, as all
        return NaN or infinity; if `pool`, `channels` or `mask` do not fit the layers.
    TypeError
        If no adapter accepts the model.
    OSError
        If the disk is full; what was written is removed.

    See Also
    --------
    unknot.list_layers : List the layers and their shapes.
    unknot.load_model : Load a model from a file.
    unknot.study : Also map and measure every layer.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> model = unknot.networks.perceptron(n_classes=3, input_shape=(4, 4, 1), random_state=0)
    >>> unknot.extract(model, np.zeros((10, 4, 4, 1), np.float32), ["fc1", -1])
    Representations(10 samples; fc1 (100,), probabilities (3,))
    """
    check_integer(batch_size, "batch_size", 1)
    adapter = find_adapter(model)
    adapter.forward = check_forward(forward, adapter)
    options = Options(label_key, split, tokenizer, batch_size, forward is not None)
    budget = memory_budget(max_memory)
    taken = read_inputs(adapter, inputs, options, min(budget, KEPT_BYTES))
    found = extract_to(
        Store(store),
        budget,
        adapter,
        taken.inputs,
        layers,
        batch_size=batch_size,
        batch_bytes=batch_bytes(max_memory),
        pool=pool,
        channels=channels,
        mask=mask,
        project=project,
        random_state=random_state,
        progress=progress,
    )
    return replace(found, notes=(*taken.notes, *found.notes))


def check_forward(forward: Any, adapter: Adapter) -> Callable[[Any, Any], Any] | None:
    """Return how the user calls the model.

    Raises
    ------
    TypeError
        If it is no function, or the model is a graph that runs in one way only.
    """
    if forward is None:
        return None
    if not callable(forward):
        raise TypeError(f"forward must be a callable (model, batch); got {forward!r}")
    if not adapter.takes_forward:
        raise TypeError(
            f"forward: {type(adapter.model).__name__} runs in one way only; pass the module or "
            "Keras model it was made from, or do without forward"
        )
    call: Callable[[Any, Any], Any] = forward
    return call


def batch_bytes(max_memory: int | str | None) -> int:
    """Return how many bytes the selected layers may take per batch."""
    if max_memory is None:
        return MAX_BATCH_BYTES
    return min(MAX_BATCH_BYTES, memory_budget(max_memory))


@dataclass(frozen=True)
class Prepared:
    """What will be extracted, known after the first few samples.

    Attributes
    ----------
    samples : Source
    probed : Probe
    found : list of Found
        The layers that are taken, with their poolings.
    notes : list of str
    places : Places or None
        The tokens or pixels that are the points; None for one point a sample.
    """

    samples: Source
    probed: Probe
    found: list[Found]
    notes: list[str]
    places: Places | None = None

    def batch_size(self, adapter: Adapter, largest: int, n_bytes: int) -> int:
        """Return the samples per run of the model: the layers taken, and the run, fit in memory."""
        if adapter.batch_size:
            return adapter.batch_size
        return min(self.full_batch(adapter, largest, n_bytes), self.samples.n_samples)

    def full_batch(self, adapter: Adapter, largest: int, n_bytes: int) -> int:
        """Return the samples per run of the model, however many samples there are."""
        if adapter.batch_size:
            return adapter.batch_size
        taken = sum(4 * entry.layer.size for entry in self.found)
        run = RUN_COPIES * 4 * self.probed.largest if adapter.computes else 0
        return min(largest, max(1, n_bytes // max(taken, run)))

    def with_layers(self, names: Collection[str]) -> Prepared:
        """Return the same for some of the layers, none of which is a view of another."""
        found = [
            replace(entry, layer=replace(entry.layer, same_as=None))
            for entry in self.found
            if entry.layer.name in names
        ]
        return replace(self, found=found)


def prepare(
    adapter: Adapter,
    inputs: Any,
    layers: Which,
    *,
    pool: Pool = "auto",
    channels: Mapping[str, str | int] | None = None,
    mask: Any = None,
    places: Places | None = None,
    compare: int = MAX_BATCH_BYTES,
) -> Prepared:
    """Run a few samples; find the layers, their axes, and how to pool them.

    Layers are compared with each other only if few samples of all take at most `compare` bytes.
    """
    samples = adapter.samples(inputs)
    if mask is not None:
        samples = Masked(samples, mask)
    probed = probe(adapter, samples)
    found, notes = choose(probed, layers, adapter.name, adapter.modules)
    size = probe_sizes(adapter, samples)[0]
    if 4 * size * sum(entry.layer.size for entry in found) <= max(compare, COMPARED_BYTES):
        found = name_views(adapter, samples, found)
    layouts = find_layouts(adapter, samples, probed, found, channels)
    if mask is not None and MASK not in layouts.mask.values():
        raise ValueError(
            f"mask must have as many columns as a layer that is taken has positions; "
            f"got the shape {np.shape(mask)} for {_positions(found)}"
        )
    if places is not None:
        if not (isinstance(pool, str | None) and pool in ("auto", "flatten", None)):
            raise ValueError(
                "pool: labels of tokens or pixels take the values at each, so that nothing is "
                f"pooled; got {pool!r}. Leave it out, or pass one label a sample"
            )
        n_tokens = max((p.shape[1] for p in samples.parts.values() if p.ndim == 2), default=0)
        placed, left_out = place_layers(found, layouts, places, n_tokens or places.grid[0])
        taken = resolve_aliases(placed)
        return Prepared(samples, probed, taken, [*adapter.notes, *notes, *left_out], places)
    model_pools = {}
    if is_auto(pool):
        model_pools = find_model_pooling(adapter, samples, probed, found, layouts)
    pooled = pool_layers(found, pool, layouts, model_pools)
    taken = resolve_aliases(pooled.found)
    return Prepared(samples, probed, taken, [*adapter.notes, *notes, *pooled.notes])


def prepare_like(adapter: Adapter, inputs: Any, given: Prepared, mask: Any = None) -> Prepared:
    """Prepare a model as another one of the same architecture, such as its untrained copy.

    The same layers are taken, and pooled in the same way. Those that it does not have, or has in
    another shape, are left out with a note; so are views of others.
    """
    samples = adapter.samples(inputs)
    if mask is not None:
        samples = Masked(samples, mask)
    probed = probe(adapter, samples)
    here = {entry.source: entry for entry in probed.found if not entry.problem}
    found, notes = [], []
    for entry in given.found:
        if entry.layer.same_as is not None:
            continue
        own = here.get(entry.source)
        if own is not None and own.layer.shape == entry.layer.shape:
            found.append(replace(entry, axis=own.axis))
        else:
            notes.append(f"{entry.layer.name} left out: the control has no such layer")
    if not found:
        raise ValueError(
            f"model {adapter.name!r} has none of the layers "
            f"{', '.join(entry.layer.name for entry in given.found[:5])}"
        )
    return Prepared(samples, probed, found, notes, given.places)


def _positions(found: Sequence[Found]) -> str:
    shapes = {entry.layer.name: entry.layer.shape for entry in found if len(entry.layer.shape) > 1}
    return (
        ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:5]) or "vectors only"
    )


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
    channels: Mapping[str, str | int] | None = None,
    mask: Any = None,
    prepared: Prepared | None = None,
    project: int | None,
    random_state: int,
    progress: bool,
) -> Representations:
    """Extract as `extract` does; layers that exceed `budget` bytes of memory go to `store`."""
    check_reductions(pool, project)
    if prepared is None:
        prepared = prepare(
            adapter, inputs, layers, pool=pool, channels=channels, mask=mask, compare=batch_bytes
        )
    places = prepared.places
    samples, found = prepared.samples, prepared.found
    n_rows = samples.n_samples if places is None else len(places)
    size = prepared.batch_size(adapter, batch_size, batch_bytes)
    while True:
        reducers = {
            entry.layer.name: Reducer(entry, n_rows, project=project, random_state=random_state)
            for entry in found
        }
        with store.open() as stored:
            columns = plan(found, reducers, n_rows, stored, budget)
            try:
                output = _run(adapter, samples, columns, size, places, progress=progress)
            except NotAViewError as error:  # the probed samples happened to agree
                stored.remove()
                found = [without_view(entry, error.layer) for entry in found]
                continue
            for column in columns.values():
                column.settle()
            problems = {name: c.problem for name, c in columns.items() if c.problem}
            if len(problems) == len(columns):
                name, problem = next(iter(problems.items()))
                raise ValueError(
                    f"layers: {name!r} cannot be used: {problem}; fix the model or the inputs"
                )
            arrays = finish(columns, stored)
        kept = {name: column for name, column in columns.items() if name in arrays}
        reports = {name: report for name, c in kept.items() if (report := c.report())}
        described = tuple(column.described(reports) for column in kept.values())
        notes = [
            *prepared.notes,
            *(f"{name} left out: {problem}" for name, problem in problems.items()),
        ]
        return Representations(arrays, described, output, reports, tuple(notes))


def _run(
    adapter: Adapter,
    samples: Source,
    columns: dict[str, Column],
    size: int,
    places: Places | None,
    *,
    progress: bool,
) -> Array | None:
    """Run all batches; return the model's output if it is one array (n_samples, n_outputs)."""
    n_samples = samples.n_samples
    start, stop, raw = 0, 0, None
    masks: dict[str, Array] = {}
    by_source: dict[str, list[Column]] = {}
    for column in columns.values():
        by_source.setdefault(column.found.source, []).append(column)

    def sink(name: str, kind: str, values: Array) -> None:
        for column in by_source.get(name, ()):
            column.append(values, start, stop, raw, masks)

    console = Console(stderr=True)
    pad = adapter.pad_batches or adapter.batch_size is not None
    output: Array | None = None
    with (
        adapter.capture(sink, set(by_source)) as run,
        Progress(
            *Progress.get_default_columns(),
            console=console,
            transient=True,
            disable=not (progress and supports_live_display(console)),
        ) as bar,
    ):
        task = bar.add_task(escape(shown_text(f"{adapter.name}: extracting")), total=n_samples)
        for start, stop, batch in samples.batches(size, pad=pad):
            if adapter.computes:  # stored layers are checked as layers
                check_inputs(batch, start)
            raw = batch if isinstance(batch, np.ndarray) else None
            masks = samples.masks(batch, start, stop)
            rows = _output_rows(run(batch), start, stop, places, adapter.channels_first)
            for name, column in columns.items():
                if column.n_written != stop:
                    raise ValueError(
                        f"layers: model {adapter.name!r} does not run {name!r} for samples "
                        f"{start} to {stop - 1}; leave it out"
                    )
            if start == 0 and rows is not None:
                n_rows = n_samples if places is None else len(places)
                output = np.empty((n_rows, rows.shape[1]), np.float32)
            if output is not None and rows is not None:
                with np.errstate(over="ignore"):  # predictions of infinite outputs are refused
                    output[
                        slice(start, stop) if places is None else places.between(start, stop)
                    ] = rows
            bar.update(task, completed=stop)
    return output


def _output_rows(
    result: Any, start: int, stop: int, places: Places | None, channels_first: bool
) -> Array | None:
    """Return a model's output as (n_rows, n_outputs), or None if it is not one such array."""
    if isinstance(result, dict) and "logits" in result:
        result = result["logits"]
    found = [values for _, values in leaves("", result)]
    if len(found) != 1 or not isinstance(found[0], np.ndarray):
        return None
    values = found[0]
    if values.dtype.kind != "f":
        return None
    if places is not None:
        return outputs_at(values, start, stop, places, channels_first=channels_first)
    if values.ndim not in (1, 2) or len(values) < stop - start:
        return None
    return values[: stop - start].reshape(stop - start, -1)
