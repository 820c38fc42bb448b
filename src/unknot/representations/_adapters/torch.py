"""PyTorch modules, read by forward hooks; and the base class of all PyTorch adapters."""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._loading.unreadable import reason_of
from .._samples import Batch, Source, list_parts, map_batch
from .._trace import INPUT, MODEL, Trace
from .base import Adapter, Fresh, Naming, RunBatch, Sink, leaves
from .code import class_code, function_code, simple_attributes

ACCEPTS: Final = "a PyTorch module"
LIBRARIES: Final = ("keras", "tensorflow", "torch")
"""Their classes are identified by the modules' descriptions, not by their code."""


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a PyTorch module."""
    torch = sys.modules.get("torch")
    return ModuleAdapter(model) if torch and isinstance(model, torch.nn.Module) else None


def unwrapped(model: Any) -> Any:
    """Return the module inside those that compile it or spread it over devices and processes.

    Hooks do not run in a compiled module. Copies on several devices would call them once each, with
    a part of the batch; and of several processes one would wait for the others, which do not call
    the model.
    """
    import torch

    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, parallel):
            model = model.module
        elif (inside := getattr(model, "_orig_mod", None)) is not None:
            model = inside
        else:
            return model


class TorchAdapter(Adapter):
    """Conversion of tensors, random state and error messages of all PyTorch adapters."""

    channels_first = True

    def __init__(self, model: Any, name: str, state: Any) -> None:
        import torch

        super().__init__(model, name)
        self._torch = torch
        self._device, self._dtype = torch.device("cpu"), torch.float32
        tensors = list(state)
        if tensors:
            self._device = tensors[0].device
        for tensor in tensors:
            if tensor.is_floating_point():
                self._dtype = tensor.dtype
                break
        self._integers = True

    def check(self, samples: Source) -> None:
        """Run two samples; convert integers to floats if the model does not accept integers."""
        batch = samples.first(self.batch_size or 2)
        parts = list_parts(batch)
        try:
            self._try(batch)
        except Exception as error:
            if any(part.dtype.kind in "iu" for part in parts):
                self._integers = False
                try:
                    self._try(batch)
                except Exception:
                    self._integers = True
                else:
                    return
            shapes = ", ".join(f"{part.shape[1:]}" for part in parts)
            raise ValueError(
                f"inputs: model {self.name!r} does not take samples of shape {shapes} "
                f"({reason_of(error)}). "
                "Reshape the inputs, channels first for images"
            ) from error

    def takes_ids(self, inputs: Any) -> bool:
        """Whether the model fails for the same numbers as floats, so that they are ids."""
        if inputs is None:
            return False
        samples = self.samples(inputs)
        ids = [p for p in samples.parts.values() if p.dtype.kind in "iu" and p.ndim <= 2]
        if not ids or not self._integers:
            return False
        batch = map_batch(
            samples.first(self.batch_size or 2),
            lambda _, part: (
                part.astype(np.float32)
                if isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.ndim <= 2
                else part
            ),
        )
        try:
            self._try(batch)
        except Exception:  # each model has its own way to refuse them
            return True
        return False

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed PyTorch's generators; restore their state on exit."""
        devices = [self._device] if self._device.type == "cuda" else []
        with self._torch.random.fork_rng(devices=devices):
            self._torch.manual_seed(seed)
            yield

    def _state(self, model: Any) -> Iterator[tuple[str, Array | str]]:
        """Yield the tensors of a model's state as bytes."""
        for name, value in model.state_dict().items():
            if not isinstance(value, self._torch.Tensor):
                continue  # a module's extra state; the values of its layers depend on it
            tensor = value.detach().cpu()
            if tensor.layout is not self._torch.strided:
                tensor = tensor.to_dense()
            tensor = tensor.int_repr() if tensor.is_quantized else tensor
            tensor = self._torch.view_as_real(tensor) if tensor.is_complex() else tensor
            content = tensor.contiguous().reshape(-1).view(self._torch.uint8).numpy()
            yield f"{name} {value.dtype} {tuple(value.shape)}", content

    def weights(self) -> Iterator[Array]:
        """Yield the floating-point tensors of the model's state."""
        state = getattr(getattr(self, "_module", self.model), "state_dict", None)
        for value in () if state is None else state().values():
            if not isinstance(value, self._torch.Tensor) or not value.is_floating_point():
                continue
            if value.layout is self._torch.strided and not value.is_quantized:
                yield value.detach().cpu().float().numpy()

    def _failure(self, how: str, error: Exception) -> ValueError:
        """Return the error for a graph that cannot be run."""
        return ValueError(
            f"model {self.name!r} cannot be run {how}: {reason_of(error)}. Run it on its own to "
            "see what it takes, or export it again"
        )

    def _try(self, batch: Batch) -> None:
        with self.capture(lambda *_: None, ()) as run:
            run(batch)

    def _call(self, function: Callable[..., Any], batch: Batch) -> Any:
        """Call a function with a batch of arrays, as tensors."""
        return self._apply(function, self._tensors(batch))

    def _tensors(self, batch: Batch) -> Any:
        return map_batch(
            batch, lambda _, part: self._tensor(part) if isinstance(part, np.ndarray) else part
        )

    def _apply(self, function: Callable[..., Any], tensors: Any) -> Any:
        """Call a function with a tensor, several tensors, or tensors by keyword."""
        if isinstance(tensors, dict):
            return function(**tensors)
        return function(*tensors) if isinstance(tensors, tuple) else function(tensors)

    def _tensor(self, part: Array) -> Any:
        # A copy: the model may change its input in place.
        if part.dtype.kind in "iu" and self._integers:
            return self._torch.tensor(part.astype(np.int64)).to(self._device)
        if part.dtype.kind == "b":
            return self._torch.tensor(part).to(self._device)
        return self._torch.tensor(part.astype(np.float32)).to(self._device, self._dtype)

    def _array(self, value: Any) -> Array:
        value = value.detach()
        if value.is_quantized:
            value = value.dequantize()
        if value.layout is not self._torch.strided:
            value = value.to_dense()
        value = value.cpu()
        # Values of 64 bits stay: whether 32 hold them is told where they are kept.
        small = value.is_floating_point() and value.dtype.itemsize < 4
        array: Array = (value.float() if small else value).numpy()
        return array

    def _arrays(self, result: Any) -> Any:
        """Convert the tensors in a model's output to arrays."""
        if isinstance(result, self._torch.Tensor):
            return self._array(result)
        if isinstance(result, dict):
            return {key: self._arrays(value) for key, value in result.items()}
        if isinstance(result, (tuple, list)):
            return [self._arrays(value) for value in result]
        return result


class ModuleAdapter(TorchAdapter):
    """Any `torch.nn.Module`."""

    takes_forward = True

    def __init__(self, model: Any) -> None:
        module = unwrapped(model)
        super().__init__(module, type(module).__name__, [*module.parameters(), *module.buffers()])
        self._module = module
        inside = {name: inner for name, inner in module.named_modules() if name}
        self._modules = inside or {self.name: module}
        if hasattr(module, "encode"):  # a SentenceTransformer; older ones call it tokenize
            self.tokenizer = getattr(module, "preprocess", getattr(module, "tokenize", None))

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the weights, the modules with their attributes, and the code of custom classes."""
        yield from self._state(self._module)
        yield "modules", repr(self._module)
        for path, module in self._module.named_modules():
            yield from ((f"{path}.{name}", value) for name, value in simple_attributes(module))
        for kind in {type(module): None for module in self._module.modules()}:
            yield from class_code(kind, LIBRARIES)
        if self.forward is not None:
            yield "forward", function_code(self.forward)

    @property
    def modules(self) -> dict[str, Any]:
        """The modules by name."""
        return self._modules

    def trace(self, batch: Batch) -> Trace:
        """Run a batch; return the calls, their nesting, and the tensors that they pass on."""
        from .torch_trace import traced

        with (
            self._inference(),
            traced(self._torch, self._modules, self._module, self.name) as run,
            self._torch.no_grad(),
        ):
            return run(self._run, self._tensors(batch))

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Set evaluation mode and register forward hooks; undo both on exit."""
        torch = self._torch
        naming, inputs = Naming(), Counter[str]()
        asked = {entry.removesuffix(INPUT) for entry in wanted or () if entry.endswith(INPUT)}
        with_inputs = asked | {name.rpartition(":")[0] for name in asked}
        with_output = any(entry.startswith(MODEL) for entry in wanted or ())

        def keep(name: str, kind: str, value: Any) -> None:
            if isinstance(value, torch.Tensor) and (wanted is None or name in wanted):
                sink(name, kind, self._array(value))

        def after(name: str, kind: str) -> Callable[[Any, Any, Any], None]:
            def hook(module: Any, args: Any, output: Any) -> None:
                for entry, value in naming.entries(name, output):
                    keep(entry, kind, value)

            return hook

        def before(name: str, kind: str) -> Callable[[Any, Any, Any], None]:
            def hook(module: Any, args: Any, kwargs: Any) -> None:
                inputs[name] += 1
                number = f":{inputs[name]}" if inputs[name] > 1 else ""
                tensors = (
                    value
                    for _, value in leaves("", [args, kwargs])
                    if isinstance(value, torch.Tensor)
                )
                keep(f"{name}{number}{INPUT}", f"input of {kind}", next(tensors, None))

            return hook

        def run(batch: Batch) -> Any:
            nonlocal naming
            naming = Naming()
            inputs.clear()
            with torch.no_grad():
                result = self._run(self._tensors(batch))
            if with_output:
                for entry, value in naming.entries(MODEL, result):
                    keep(entry, type(self._module).__name__, value)
            return self._arrays(result)

        hooks = []
        with self._inference():
            try:
                for name, module in self._modules.items():
                    kind = type(module).__name__
                    if name in with_inputs:
                        hooks.append(
                            module.register_forward_pre_hook(before(name, kind), with_kwargs=True)
                        )
                    hooks.append(module.register_forward_hook(after(name, kind)))
                yield run
            finally:
                for hook in hooks:
                    hook.remove()

    def _run(self, tensors: Any) -> Any:
        """Call the model, or what the user gave to call it."""
        if self.forward is not None:
            return self.forward(self._module, tensors)
        if isinstance(tensors, dict) and self._takes_one_dict(tensors):
            return self._module(tensors)
        return self._apply(self._module, tensors)

    def _takes_one_dict(self, tensors: dict[str, Any]) -> bool:
        """Whether the inputs go in as one dict, as into a SentenceTransformer."""
        try:
            parameters = inspect.signature(self._module.forward).parameters.values()
        except (TypeError, ValueError):
            return False
        needed = [
            parameter.name
            for parameter in parameters
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        return len(needed) == 1 and needed[0] not in tensors

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """Set evaluation mode; restore the mode of every module on exit."""
        torch = self._torch
        training = {module: module.training for module in self._module.modules()}
        fast = torch.backends.mha.get_fastpath_enabled()
        try:
            self._module.eval()
            # The fused path of transformers does not call the modules inside them.
            torch.backends.mha.set_fastpath_enabled(False)
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for module, flag in training.items():
                module.training = flag

    def untrained(self, random_state: int) -> Fresh:
        """Return a copy with fresh weights, drawn as the model's authors draw them."""
        from .._fresh.torch import NotDrawnError, fresh_module

        try:
            return Fresh(*fresh_module(self._torch, self._module, random_state))
        except NotDrawnError as error:
            raise ValueError(
                f"model: {self.name} cannot be built again with fresh weights: {error}. Pass "
                "untrained=a function that builds it, or do without the control"
            ) from error
