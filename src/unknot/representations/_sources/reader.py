"""The interface between the package and a kind of labeled data, and the list of kinds.

To add a kind, write a module in this package with a function ``adapt(data, options)``, which
returns a `Reader`, or None for data of other kinds, and ``ACCEPTS``, a noun phrase for an error
message; then add its name to `KINDS`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array

KINDS: Final = ("texts", "torch_data", "huggingface", "tensorflow", "batches")
"""Modules of this package, in the order in which they are tried."""

LABEL_KEYS: Final = ("labels", "label", "target", "targets", "y", "class")


@dataclass(frozen=True)
class Options:
    """What the user said about the data.

    Attributes
    ----------
    label_key : str or None
        The key or column of the labels.
    split : str or None
        The split of a data set that has several.
    tokenizer : callable or None
        Gives a dict of arrays for a list of texts.
    batch_size : int
        Samples in a batch, where the data have no batches of their own.
    is_raw : bool
        Whether the user calls the model himself, so that batches may be objects of any kind.
    """

    label_key: str | None = None
    split: str | None = None
    tokenizer: Callable[..., Any] | None = None
    batch_size: int = 500
    is_raw: bool = False


class Reader(ABC):
    """Labeled batches of one kind of data, the same in every iteration.

    Attributes
    ----------
    notes : list of str
        Remarks, such as that a shuffling loader is read in order.
    class_names : tuple of str or None
        In the order of the labels' numbers, if the data know them.
    snippets : tuple of str or None
        A short text for each sample.
    is_stable : bool
        Whether a second iteration gives the same batches; otherwise the first is kept.
    """

    class_names: tuple[str, ...] | None = None
    snippets: tuple[str, ...] | None = None
    is_stable: bool = True

    def __init__(self, options: Options) -> None:
        self.options = options
        self.notes: list[str] = []

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the inputs and the labels (None if there are none) of each batch."""

    def labels(self) -> Any:
        """Return the labels of all samples if they are known without reading inputs, or None."""
        return None

    def subset(self, rows: Array) -> Reader | None:
        """Return a reader of some samples, which reads no others; None if there is no such way."""
        return None


def open_reader(data: Any, options: Options) -> Reader | None:
    """Return the reader of data of any kind that is not arrays; None for other data."""
    for name in KINDS:
        reader: Reader | None = importlib.import_module(f".{name}", __package__).adapt(
            data, options
        )
        if reader is not None:
            return reader
    return None


def accepted_kinds() -> list[str]:
    """Return what the readers take, as noun phrases."""
    return [importlib.import_module(f".{name}", __package__).ACCEPTS for name in KINDS]


def split_batch(batch: Any, options: Options) -> tuple[Any, Any]:
    """Return the inputs and labels of a batch.

    The last item of a tuple or list of two or more is the labels. Those of a mapping stand under
    `label_key`, or one of the usual keys; those of another object in an attribute of that name.

    Raises
    ------
    ValueError
        If a mapping has no `label_key`.
    """
    key = options.label_key
    if isinstance(batch, Mapping):
        if key is not None and key not in batch:
            known = ", ".join(map(repr, batch))
            raise ValueError(
                f"label_key must be one of {known}; got {key!r}{did_you_mean(key, list(batch))}"
            )
        found = key or next((name for name in LABEL_KEYS if name in batch), None)
        named = {name: part for name, part in batch.items() if name != found}
        return named, None if found is None else batch[found]
    if isinstance(batch, tuple | list) and not hasattr(batch, "_fields"):
        if len(batch) == 1:
            return batch[0], None
        inputs = batch[0] if len(batch) == 2 else tuple(batch[:-1])
        return inputs, batch[-1]
    if hasattr(batch, "shape"):
        return batch, None
    for name in (key,) if key else LABEL_KEYS:
        if (labels := getattr(batch, str(name), None)) is not None:
            return batch, labels
    return batch, None


def without_weights(batch: Any) -> Any:
    """Return a batch (inputs, labels, sample weights), as Keras has them, without the weights."""
    return batch[:2] if isinstance(batch, tuple | list) and len(batch) == 3 else batch


def as_names(names: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Return names of classes as a tuple of strings."""
    if names is None or isinstance(names, str) or not len(names):
        return None
    return tuple(map(str, names))


def as_list(labels: Any) -> Any:
    """Return labels of one batch as an array of one label or more for each sample."""
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
        labels = (
            labels.float().numpy() if str(labels.dtype).endswith("bfloat16") else labels.numpy()
        )
    elif hasattr(labels, "numpy") and not isinstance(labels, np.ndarray):
        labels = labels.numpy()
    return labels
