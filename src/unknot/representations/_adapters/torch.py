"""PyTorch modules, read by forward hooks; and the base class of all PyTorch adapters."""

import copy
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._loading.unreadable import reason_of
from .._samples import Batch, Samples, map_batch
from .base import Adapter, Naming, RunBatch, Sink
from .code import class_code, simple_attributes

ACCEPTS: Final = "a PyTorch module"
LIBRARIES: Final = ("keras", "tensorflow", "torch")
"""Their classes are identified by the modules' descriptions, not by their code."""


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a PyTorch module."""
    torch = sys.modules.get("torch")
    return ModuleAdapter(model) if torch and isinstance(model, torch.nn.Module) else None


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

    def check(self, samples: Samples) -> None:
        """Run two samples; convert integers to floats if the model does not accept integers."""
        batch = samples.rows(0, self.batch_size or 2)
        try:
            self._try(batch)
        except Exception as error:
            if any(part.dtype.kind in "iu" for part in samples.parts.values()):
                self._integers = False
                try:
                    self._try(batch)
                except Exception:
                    self._integers = True
                else:
                    return
            shapes = ", ".join(f"{part.shape[1:]}" for part in samples.parts.values())
            raise ValueError(
                f"inputs: model {self.name!r} does not take samples of shape {shapes} "
                f"({reason_of(error)}). "
                "Reshape the inputs, channels first for images"
            ) from error

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
        """Call a model with a tensor, several tensors, or tensors by keyword."""
        tensors = map_batch(batch, lambda _, part: self._tensor(part))
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
        array: Array = (value.float() if value.is_floating_point() else value).numpy()
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

    def __init__(self, model: Any) -> None:
        module = getattr(model, "_orig_mod", model)  # hooks do not run in a compiled module
        super().__init__(model, type(module).__name__, [*module.parameters(), *module.buffers()])
        self._module = module
        inside = {name: inner for name, inner in module.named_modules() if name}
        self._modules = inside or {self.name: module}

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the weights, the modules with their attributes, and the code of custom classes."""
        yield from self._state(self._module)
        yield "modules", repr(self._module)
        for path, module in self._module.named_modules():
            yield from ((f"{path}.{name}", value) for name, value in simple_attributes(module))
        for kind in {type(module): None for module in self._module.modules()}:
            yield from class_code(kind, LIBRARIES)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Set evaluation mode and register forward hooks; undo both on exit."""
        torch = self._torch
        naming = Naming()

        def hook_of(name: str, kind: str) -> Callable[[Any, Any, Any], None]:
            def hook(module: Any, inputs: Any, output: Any) -> None:
                for entry, value in naming.entries(name, output):
                    if isinstance(value, torch.Tensor) and (wanted is None or entry in wanted):
                        sink(entry, kind, self._array(value))

            return hook

        def run(batch: Batch) -> Any:
            nonlocal naming
            naming = Naming()
            with torch.no_grad():
                return self._arrays(self._call(self._module, batch))

        training = {module: module.training for module in self._module.modules()}
        fast = torch.backends.mha.get_fastpath_enabled()
        hooks = []
        try:
            self._module.eval()
            # The fused path of transformers does not call the modules inside them.
            torch.backends.mha.set_fastpath_enabled(False)
            for name, module in self._modules.items():
                hooks.append(module.register_forward_hook(hook_of(name, type(module).__name__)))
            yield run
        finally:
            for hook in hooks:
                hook.remove()
            torch.backends.mha.set_fastpath_enabled(fast)
            for module, flag in training.items():
                module.training = flag

    def untrained(self, random_state: int) -> Any:
        """Return a copy whose modules' ``reset_parameters`` were called.

        Parameters of modules without that method are drawn from a normal distribution with their
        present mean and standard deviation.
        """
        torch = self._torch
        fresh = copy.deepcopy(self._module)
        with self.seeded(random_state), torch.no_grad():
            for module in fresh.modules():
                reset = getattr(module, "reset_parameters", None) or getattr(
                    module, "_reset_parameters", None
                )
                if reset is not None:
                    reset()
                    continue
                for parameter in module.parameters(recurse=False):
                    values = parameter.float()
                    spread = values.std(correction=0)
                    parameter.copy_(torch.randn_like(values) * spread + values.mean())
        return fresh
