"""The interface between the package and a deep-learning framework, and the list of adapters.

An adapter owns everything that depends on a model's framework: how inputs become samples, how the
model runs, which values its layers return, what identifies the model, and how to make an untrained
copy. It neither stores, reduces nor selects layers: that is the same for all frameworks.

To add a framework:

1. Write a module in this package with a subclass of `Adapter`; a function ``adapt(model)``, which
   returns the adapter, or None for models of other frameworks; and ``ACCEPTS``, the kinds of
   models as a noun phrase for an error message. Import the framework inside functions only.
2. Add the module's name to `ADAPTERS`, before any other that would accept the same models.

A subclass sets `name` and implements `check`, `definition` and `capture`. It overrides `untrained`
if a fresh copy of a model can be made, and `seeded` if models may draw random numbers. To open
its files with `unknot.load_model` as well, add their extensions there.
"""

import hashlib
import importlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from ..._typing import Array
from .._samples import Batch, Samples, Source
from .._trace import Trace

ADAPTERS: Final = (
    *("keras", "torch_graphs", "torch", "onnx", "flax", "sklearn", "tensorflow", "arrays"),
)
"""Modules of this package, in the order in which they are tried."""

Sink: TypeAlias = Callable[[str, str, Array], None]
"""Receives a layer's name, kind and values; copies the values if it keeps them."""

RunBatch: TypeAlias = Callable[[Batch], Any]
"""Runs the model on one batch and returns its output as NumPy arrays."""

INPUTS: Final = "inputs"
"""Stands for the model's input in `Layer.same_as`; no layer has this name."""

FINGERPRINT_SAMPLES: Final = 16


class Fresh(NamedTuple):
    """A model with fresh weights, how they were drawn, and whether that is sure."""

    model: Any
    how: str
    certain: bool = True


class Adapter(ABC):
    """A model of one framework.

    Attributes
    ----------
    model : object
        As the user passed it.
    name : str
        The model's name.
    multi_input : bool or None
        Whether the model takes several inputs; None if unknown.
    channels_first : bool
        Whether images are (channels, height, width) inside the model.
    batch_size : int or None
        The only batch size that the model accepts; None if it accepts any.
    pad_batches : bool
        Whether to pad the last batch to the size of the others, for example because each new size
        triggers a compilation.
    computes : bool
        Whether layers are computed from the inputs, as opposed to stored.
    notes : sequence of str
        Remarks for `Representations.notes`.
    """

    multi_input: bool | None = None
    channels_first: bool = False
    batch_size: int | None = None
    pad_batches: bool = False
    computes: bool = True
    notes: Sequence[str] = ()
    forward: Callable[[Any, Any], Any] | None = None
    """Calls the model with a batch, where the user says how."""
    takes_forward: bool = False
    """Whether `forward` may be given."""
    tokenizer: Callable[..., Any] | None = None
    """Makes inputs of texts, where the model has a tokenizer of its own."""

    def __init__(self, model: Any, name: str) -> None:
        self.model = model
        self.name = name

    def samples(self, inputs: Any) -> Source:
        """Return the inputs as samples.

        Raises
        ------
        ValueError
            If they do not fit the model.
        """
        samples = inputs if isinstance(inputs, Source) else self.take(inputs)
        self.check(samples)
        return samples

    def take(self, inputs: Any) -> Samples:
        """Return arrays as samples, unchecked."""
        return Samples(inputs, multi_input=self.multi_input)

    @abstractmethod
    def check(self, samples: Source) -> None:
        """Raise a ValueError if the samples do not fit the model."""

    @abstractmethod
    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the named weights, configuration and code that define the model."""

    def weights(self) -> Iterator[Array]:
        """Yield the arrays of numbers among the model's weights."""
        for _, values in self.definition():
            if not isinstance(values, str):
                yield values

    @abstractmethod
    def capture(
        self, sink: Sink, wanted: Collection[str] | None
    ) -> AbstractContextManager[RunBatch]:
        """Prepare the model for inference, and restore it on exit.

        While a batch runs, each layer in `wanted` (None: all) is passed to `sink`, in execution
        order, under the names that `Naming` gives.
        """

    def declared(self) -> Mapping[str, tuple[tuple[int | None, ...], str]]:
        """Return the shape of a sample and the type of each input by name; empty if not known.

        Sizes that are left open are None.
        """
        return {}

    def takes_ids(self, inputs: Any) -> bool:
        """Whether the model takes rows of integers as they are, as the ids of tokens."""
        return False

    @property
    def modules(self) -> Mapping[str, Any]:
        """The layers' own objects by name; empty if the framework has none."""
        return {}

    def trace(self, batch: Batch) -> Trace | None:
        """Run a batch; return the calls of layers, or None if they cannot be told.

        With them, the model's blocks are found, and the axes of their values.
        """
        return None

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Seed the random numbers that the model may draw; restore the user's state on exit."""
        return nullcontext()

    def untrained(self, random_state: int) -> Fresh:
        """Return a copy of the model with fresh weights, and how they were drawn.

        Raises
        ------
        ValueError
            If there is no way to initialize the weights.
        """
        raise ValueError(
            f"model: {type(self.model).__name__} does not record how its weights were initialized, "
            "so there is no untrained control; pass the Keras or PyTorch model it was made from, "
            "a model to compare with (untrained=), or do without the control"
        )

    def fingerprint(self, inputs: Any) -> str:
        """Hash the model: its class, its definition, and its layers' values on a few inputs.

        The values identify what the definition lacks, such as functions that the ``forward`` of a
        PyTorch module calls, or hooks. Stored layers are identified by their definition alone.

        Raises
        ------
        ValueError
            If the inputs do not fit the model.
        """
        kind = type(self.model)
        digest = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}".encode())

        def add(name: str, values: Array | str) -> None:
            array = np.array([values]) if isinstance(values, str) else values
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode("utf-8", "surrogatepass"))
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

        for name, part in self.definition():
            add(name, part)
        if self.computes:
            with self.seeded(0):
                self._add_values(inputs, add)
        return digest.hexdigest()

    def _add_values(self, inputs: Any, add: Callable[[str, Array | str], None]) -> None:
        """Run evenly spaced samples; add the values of all layers and the output."""
        samples = self.samples(inputs)
        size = self.batch_size or min(FINGERPRINT_SAMPLES, samples.n_samples)
        batch = samples.spread(size)
        with self.capture(lambda name, kind, values: add(f"{name} {kind}", values), None) as run:
            for name, value in leaves("", run(batch)):
                add(name, value if isinstance(value, np.ndarray) else repr(value))


class Naming:
    """Names for the values that layers return during one run of the model.

    The second call of a layer is ``name:2``, the third ``name:3``. The values of a tuple, list or
    dict are ``name[0]`` or ``name[key]``, nested ones ``name[1][0]``; a single value is just
    ``name``. A number is skipped if another layer's own name contains it.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter({INPUTS: 1})
        self._taken: set[str] = {INPUTS}

    def entries(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of everything that a layer returned in one call."""
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
    """Yield the leaves of nested tuples, lists, mappings and dataclasses, with their names."""
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
        If no adapter accepts it.
    """
    modules = [importlib.import_module(f".{name}", __package__) for name in ADAPTERS]
    for module in modules:
        adapter: Adapter | None = module.adapt(model)
        if adapter is not None:
            return adapter
    accepted = [module.ACCEPTS for module in modules]
    raise TypeError(
        f"model must be {', '.join(accepted[:-1])} or {accepted[-1]}; got {type(model).__name__}"
    )
