"""Flax models: linen modules with their variables, and NNX modules."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._extents import is_wide
from .._loading.unreadable import reason_of
from .._samples import Batch, Source, list_parts, map_batch
from .base import Adapter, Fresh, Naming, RunBatch, Sink
from .code import class_code

ACCEPTS: Final = "a Flax module (linen: bound, or a pair (module, variables))"
LIBRARIES: Final = ("flax", "jax")
INFERENCE: Final = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "use_running_average": True,
}
"""Arguments, and attributes of modules, that select inference."""
MODES: Final = ("deterministic", "use_running_average")


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a Flax module."""
    linen, nnx = sys.modules.get("flax.linen"), sys.modules.get("flax.nnx")
    if linen is not None:
        if isinstance(model, linen.Module):
            if model.scope is None:
                raise ValueError(
                    f"model: {type(model).__name__} holds no variables; pass "
                    "model.bind(variables), or the pair (model, variables)"
                )
            return LinenAdapter(model, *model.unbind())
        if isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], linen.Module):
            return LinenAdapter(model, *model)
    if nnx is not None and isinstance(model, nnx.Module):
        return NnxAdapter(model)
    return None


class FlaxAdapter(Adapter):
    """What both kinds of modules share."""

    def check(self, samples: Source) -> None:
        """Run two samples."""
        batch = samples.first(2)
        with self.capture(lambda *_: None, ()) as run:
            try:
                run(batch)
            except Exception as error:
                shapes = ", ".join(f"{part.shape[1:]}" for part in list_parts(batch))
                raise ValueError(
                    f"inputs: model {self.name!r} does not take samples of shape {shapes} "
                    f"({reason_of(error)}). Reshape the inputs, channels last for images"
                ) from error

    def _call(self, function: Callable[..., Any], batch: Batch) -> Any:
        import jax.numpy as jnp

        def tensor(key: Any, part: Array) -> Any:
            return jnp.asarray(part.astype(np.float32) if part.dtype.kind == "f" else part)

        tensors = map_batch(batch, tensor)
        if self.forward is not None:
            return self.forward(function, tensors)
        options = _inference_options(function)
        if isinstance(tensors, dict):
            return function(**tensors, **options)
        return function(*(tensors if isinstance(tensors, tuple) else (tensors,)), **options)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Do nothing: Flax draws no random numbers that are not passed to it."""
        yield


class LinenAdapter(FlaxAdapter):
    """A linen module with its variables."""

    def __init__(self, model: Any, module: Any, variables: Any) -> None:
        super().__init__(model, module.name or type(module).__name__)
        self._module = module
        self._variables = variables

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the variables, the module's fields and its code."""
        yield from _arrays(self._variables)
        yield "module", repr(self._module)
        yield from class_code(type(self._module), LIBRARIES)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Intercept the calls of all modules."""
        from flax import linen

        def run(batch: Batch) -> Any:
            naming = Naming()

            def intercept(following: Any, args: Any, kwargs: Any, context: Any) -> Any:
                result = following(*args, **kwargs)
                path = "/".join(map(str, context.module.path))
                if context.method_name == "__call__" and path:
                    kind = type(context.module).__name__
                    _keep(sink, wanted, naming, path, kind, result)
                return result

            bound = self._module.bind(self._variables)
            with linen.intercept_methods(intercept):
                return _output(self._call(bound, batch))

        yield run

    def untrained(self, random_state: int) -> Fresh:
        """Raise a ValueError: the module is initialized with inputs, which are not known."""
        raise ValueError(
            f"model: the variables of {self.name} are drawn for inputs, which it does not keep. "
            "Pass untrained=(module, module.init(key, inputs)), or do without the control"
        )


class NnxAdapter(FlaxAdapter):
    """An NNX module."""

    def __init__(self, model: Any) -> None:
        from flax import nnx

        super().__init__(model, type(model).__name__)
        found = [
            ("/".join(map(str, path)), node)
            for path, node in nnx.iter_graph(model)
            if isinstance(node, nnx.Module)
        ]
        self._nodes = found
        self._named = {id(node): path for path, node in found if path}

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the state, the modules and the code of their classes."""
        from flax import nnx

        yield from _arrays(nnx.to_pure_dict(nnx.state(self.model)))
        yield "modules", repr([(path, type(node).__name__) for path, node in self._nodes])
        for kind in {type(node): None for _, node in self._nodes}:
            yield from class_code(kind, LIBRARIES)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Wrap the calls of all classes of modules; undo it on exit."""
        naming = Naming()
        active: list[int] = []

        def recording(call: Callable[..., Any]) -> Callable[..., Any]:
            def recorded(module: Any, *args: Any, **kwargs: Any) -> Any:
                if id(module) in active:  # the call of a base class
                    return call(module, *args, **kwargs)
                active.append(id(module))
                try:
                    result = call(module, *args, **kwargs)
                finally:
                    active.pop()
                if (path := self._named.get(id(module))) is not None:
                    _keep(sink, wanted, naming, path, type(module).__name__, result)
                return result

            return recorded

        def run(batch: Batch) -> Any:
            nonlocal naming
            naming = Naming()
            return _output(self._call(self.model, batch))

        kinds = {type(node) for _, node in self._nodes if callable(node)}
        own = {kind: vars(kind).get("__call__") for kind in kinds}
        modes = [
            (node, name, getattr(node, name))
            for _, node in self._nodes
            for name in MODES
            if isinstance(getattr(node, name, None), bool)
        ]
        try:
            for node, name, _ in modes:
                setattr(node, name, True)
            for kind in kinds:
                kind.__call__ = recording(kind.__call__)  # type: ignore[method-assign]
            yield run
        finally:
            for kind, call in own.items():
                if call is None:
                    del kind.__call__
                else:
                    kind.__call__ = call  # type: ignore[method-assign]
            for node, name, mode in modes:
                setattr(node, name, mode)


def _inference_options(function: Any) -> dict[str, bool]:
    """Return the arguments that select inference, where a module takes them."""
    try:
        parameters = inspect.signature(function.__call__).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in INFERENCE.items() if name in parameters}


def _keep(
    sink: Sink, wanted: Collection[str] | None, naming: Naming, path: str, kind: str, result: Any
) -> None:
    for entry, value in naming.entries(path, result):
        if hasattr(value, "shape") and (wanted is None or entry in wanted):
            sink(entry, kind, _array(value))


def _array(value: Any) -> Array:
    array = np.asarray(value)
    # bfloat16 and float16 have no place in NumPy's arithmetic of 32 bits.
    return array.astype(np.float32) if array.dtype.kind in "fV" and not is_wide(array) else array


def _output(result: Any) -> Any:
    import jax

    return jax.tree_util.tree_map(_array, result)


def _arrays(tree: Any) -> Iterator[tuple[str, Array]]:
    import jax

    for path, value in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if hasattr(value, "shape") and not jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
            array = np.asarray(value)
            array = array.astype(np.float32) if array.dtype.kind == "V" else array
            yield jax.tree_util.keystr(path), array
