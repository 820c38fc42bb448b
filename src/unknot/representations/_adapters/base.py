"""What a framework's adapter does, and the list of adapters.

An adapter knows one framework. It says whether inputs fit the model, and runs batches while every
layer hands over what it returns. It neither stores, reduces nor chooses: that is the same for all.
To add a framework, write one file with a function ``adapt`` and add its name to `ADAPTERS`.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from ..._typing import Array
from .._samples import Batch, Samples

ADAPTERS: Final = ("keras", "torch_graphs", "torch", "onnx", "arrays")
"""Modules of this package; each holds ``adapt(model)``, which returns None for other models."""

Sink: TypeAlias = Callable[[str, str, Array], None]
"""Takes a layer's name, its kind and its values, and has copied them when it returns."""

RunBatch: TypeAlias = Callable[[Batch], Any]
"""Runs the model on one batch; returns what the model itself returned, in NumPy arrays."""

INPUTS: Final = "inputs"
"""What views of the model's input are views of; no layer has this name."""


@runtime_checkable
class Adapter(Protocol):
    """A model of one framework.

    Attributes
    ----------
    name : str
        The model's.
    several : bool or None
        Whether the model takes several inputs; None where only its author knows.
    channels_first : bool
        Whether images are (channels, height, width) inside the model.
    batch_size : int or None
        The only size of batches that the model takes, if it takes one only.
    steady : bool
        Whether every new size of batches costs a compilation.
    """

    name: str
    several: bool | None
    channels_first: bool
    batch_size: int | None
    steady: bool

    def check(self, samples: Samples) -> None:
        """Raise a ValueError if the inputs are not what the model says it takes."""

    def parts(self) -> Iterator[tuple[str, Array | str]]:
        """Yield what tells the model from others without running it: weights, description, code."""

    def running(
        self, sink: Sink, wanted: Collection[str] | None
    ) -> AbstractContextManager[RunBatch]:
        """Make the model ready to run as it predicts; put it back as it was afterward.

        In the order in which they ran, the layers that are wanted (None: all) go to the sink.
        Entries are named by `Naming`.
        """


class Naming:
    """Names for what layers return while a model runs once.

    A layer that runs again is ``name:2``, ``name:3``... Several values are ``name[0]``,
    ``name[key]``, one inside another ``name[1][0]``; a single value in a tuple, list or dict is
    taken out of it. A number that another layer has in its own name is passed over.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter({INPUTS: 1})
        self._taken: set[str] = {INPUTS}

    def entries(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of each thing that a layer returned in one call."""
        found: list[tuple[str, Any]] = []
        while not found or not self._taken.isdisjoint(entry for entry, _ in found):
            self._counts[name] += 1
            times = self._counts[name]
            found = list(leaves(f"{name}:{times}" if times > 1 else name, value))
            if not found:
                return
        self._taken.update(entry for entry, _ in found)
        yield from found


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what nested tuples, lists and mappings hold, each with its place after the name."""
    if isinstance(value, Mapping):
        parts = [(key, part) for key, part in value.items() if part is not None]
    elif isinstance(value, (tuple, list)):
        parts = [(place, part) for place, part in enumerate(value) if part is not None]
    elif (fields := getattr(value, "__dataclass_fields__", None)) is not None:
        parts = [(key, getattr(value, key)) for key in fields if getattr(value, key) is not None]
    else:
        yield name, value
        return
    for key, part in parts:
        yield from leaves(name if len(parts) == 1 else f"{name}[{key}]", part)


def find_adapter(model: Any) -> Adapter:
    """Return the adapter of a model.

    Raises
    ------
    TypeError
        If it is of no known kind.
    """
    for name in ADAPTERS:
        adapter: Adapter | None = importlib.import_module(f".{name}", __package__).adapt(model)
        if adapter is not None:
            return adapter
    raise TypeError(
        "model must be a Keras model, a PyTorch module or exported program, an ONNX model, or a "
        f"dict of layer -> points; got {type(model).__name__}"
    )
