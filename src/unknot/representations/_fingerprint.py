"""What tells one model from another: what it is made of, and what it computes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

import numpy as np

from .._typing import Array
from ._adapters.base import Adapter, find_adapter, leaves
from ._layers import prepare

RUN: Final = 16
"""Samples whose values tell a model."""


def model_fingerprint(model: Any, inputs: Any) -> str:
    """Hash a model: its architecture and code as far as they can be told, its weights, its values.

    The values are those of every layer on a few of the inputs, drawn from all of them. So code that
    no description of a model holds, such as what the ``forward`` of a PyTorch module calls, or a
    hook, changes the fingerprint as well.

    Parameters
    ----------
    model : object
        What `extract` takes.
    inputs : array-like, or tuple, list or dict of array-likes
        As for `extract`; not looked at for a dict of layer -> points.

    Raises
    ------
    TypeError
        If the model is of no known kind.
    ValueError
        If the inputs do not fit the model.
    """
    adapter = find_adapter(model)
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())

    def add(name: str, values: Array | str) -> None:
        array = np.array([values]) if isinstance(values, str) else values
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    for name, part in adapter.parts():
        add(name, part)
    if not hasattr(adapter, "samples"):  # stored layers are their own values
        with getattr(adapter, "seeded", nullcontext)(0):
            _run(adapter, inputs, add)
    return digest.hexdigest()


def _run(adapter: Adapter, inputs: Any, add: Callable[[str, Array | str], None]) -> None:
    """Run a few samples, spread over all, and add what the layers and the model return."""
    samples = prepare(adapter, inputs)
    size = adapter.batch_size or min(RUN, samples.n_samples)
    rows = np.linspace(0, samples.n_samples - 1, size).astype(np.int64)
    batch = samples.map(lambda _, part: part[rows]).rows(0, size)
    with adapter.running(lambda name, kind, values: add(f"{name} {kind}", values), None) as run:
        for name, value in leaves("", run(batch)):
            add(name, value if isinstance(value, np.ndarray) else repr(value))
