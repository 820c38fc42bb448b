"""Data of any kind as a model's inputs with their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._typing import Array
from ._adapters.base import Adapter
from ._sources.reader import Options, Reader, accepted_kinds, open_reader
from ._sources.stream import KEPT_BYTES, Stream, read
from ._sources.texts import as_texts

__all__ = ["LabeledInputs", "Options", "Stream", "accepted_kinds", "open_labeled", "read_inputs"]


@dataclass(frozen=True)
class LabeledInputs:
    """A model's inputs with their labels.

    Attributes
    ----------
    inputs : array, tuple or dict of arrays, or Stream
    labels : array-like or None
    class_names : tuple of str or None
        In the order of the labels' numbers, if the data know them.
    snippets : tuple of str or None
        A short text for each sample.
    notes : tuple of str
    rows : ndarray of int, or None
        Which samples of the data these are; None for all.
    n_given : int or None
        How many samples the data have, if these are not all.
    """

    inputs: Any
    labels: Any
    class_names: tuple[str, ...] | None = None
    snippets: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    rows: Array | None = None
    n_given: int | None = None


def open_labeled(
    data: Any,
    options: Options,
    *,
    labels: Any = None,
    draw: Callable[[Any], Array | None] | None = None,
    kept_bytes: int = KEPT_BYTES,
) -> LabeledInputs | None:
    """Read labeled data that are no arrays; return None for any other.

    Parameters
    ----------
    data : DataLoader, Dataset, iterable of batches, texts ...
    options : Options
    labels : array-like, optional
        Given beside the data, instead of those in them.
    draw : callable, optional
        Returns which rows to take, given all labels; called before the inputs are read, where the
        labels are known then.
    kept_bytes : int
        The most that inputs may take in memory.
    """
    reader = open_reader(data, options)
    if reader is None:
        return None
    rows = None
    early = labels if labels is not None else reader.labels()
    if draw is not None and early is not None and (rows := draw(early)) is not None:
        part = reader.subset(rows)
        if part is not None:
            part.notes = reader.notes
            taken = _read(part, kept_bytes)
            given = None if labels is None else np.asarray(labels)[rows]
            return replace(
                taken,
                labels=taken.labels if given is None else given,
                rows=np.asarray(rows),
                n_given=len(early),
            )
    taken = _read(reader, kept_bytes)
    return taken if labels is None else replace(taken, labels=labels)


def _read(reader: Reader, kept_bytes: int) -> LabeledInputs:
    found = read(reader, kept_bytes)
    return LabeledInputs(
        found.inputs, found.labels, reader.class_names, reader.snippets, tuple(found.notes)
    )


def read_inputs(adapter: Adapter, inputs: Any, options: Options, kept_bytes: int) -> LabeledInputs:
    """Return the inputs of a model as its adapter takes them; labels in the data are ignored."""
    if options.tokenizer is None and as_texts(inputs) is not None:
        options = replace(options, tokenizer=adapter.tokenizer)
    opened = open_labeled(inputs, options, kept_bytes=kept_bytes)
    return LabeledInputs(inputs, None) if opened is None else opened
