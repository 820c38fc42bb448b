"""PyTorch modules, by forward hooks; and what every PyTorch adapter shares."""

import copy
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from ..._typing import Array
from .._code import code_of, plain_attributes
from .._loading.unreadable import reason_of
from .._samples import Batch, Samples, map_batch
from .base import Adapter, Naming, RunBatch, Sink


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a PyTorch module."""
    torch = sys.modules.get("torch")
    return ModuleAdapter(model) if torch and isinstance(model, torch.nn.Module) else None


class TorchAdapter:
    """What adapters of PyTorch share: tensors in, arrays out, no gradients, errors that explain."""

    several: bool | None = None
    channels_first = True
    batch_size: int | None = None
    steady = False

    def __init__(self, name: str, state: Any) -> None:
        import torch

        self._torch = torch
        self.name = name
        self._device, self._dtype = torch.device("cpu"), torch.float32
        tensors = list(state)
        if tensors:
            self._device = tensors[0].device
        for tensor in tensors:
            if tensor.is_floating_point():
                self._dtype = tensor.dtype
                break
        self._integers = True

    def running(
        self, sink: Sink, wanted: Collection[str] | None
    ) -> AbstractContextManager[RunBatch]:
        """See `Adapter`."""
        raise NotImplementedError

    def check(self, samples: Samples) -> None:
        """Run two samples; a model that does not take integers is given real numbers."""
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

    def parts(self) -> Iterator[tuple[str, Array | str]]:
        """See `Adapter`."""
        raise NotImplementedError

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Let models that draw random numbers draw the same each time, and none of the user's."""
        devices = [self._device] if self._device.type == "cuda" else []
        with self._torch.random.fork_rng(devices=devices):
            self._torch.manual_seed(seed)
            yield

    def _state(self, model: Any) -> Iterator[tuple[str, Array | str]]:
        """Yield the tensors of a model's state, as bytes."""
        for name, value in model.state_dict().items():
            if not isinstance(value, self._torch.Tensor):
                continue  # what a module adds of its own; it shows in what it computes
            tensor = value.detach().cpu()
            if tensor.layout is not self._torch.strided:
                tensor = tensor.to_dense()
            tensor = tensor.int_repr() if tensor.is_quantized else tensor
            tensor = self._torch.view_as_real(tensor) if tensor.is_complex() else tensor
            content = tensor.contiguous().reshape(-1).view(self._torch.uint8).numpy()
            yield f"{name} {value.dtype} {tuple(value.shape)}", content

    def _failure(self, how: str, error: Exception) -> ValueError:
        """Return the error of a graph that cannot be run."""
        return ValueError(
            f"model {self.name!r} cannot be run {how}: {reason_of(error)}. Run it on its own to "
            "see what it takes, or export it anew"
        )

    def _try(self, batch: Batch) -> None:
        with self.running(lambda *_: None, ()) as run:
            run(batch)

    def _call(self, function: Callable[..., Any], batch: Batch) -> Any:
        """Call a model with a tensor, several tensors, or tensors by keyword."""
        tensors = map_batch(batch, lambda _, part: self._tensor(part))
        if isinstance(tensors, dict):
            return function(**tensors)
        return function(*tensors) if isinstance(tensors, tuple) else function(tensors)

    def _tensor(self, part: Array) -> Any:
        # Copied: the model may change its input in place, and the array is somebody's.
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
        """Return what a model returned with arrays in place of tensors."""
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
        model = getattr(model, "_orig_mod", model)  # inside a compiled module, without the graph
        super().__init__(type(model).__name__, [*model.parameters(), *model.buffers()])
        self._model = model
        inside = {name: module for name, module in model.named_modules() if name}
        self._modules = inside or {self.name: model}

    def parts(self) -> Iterator[tuple[str, Array | str]]:
        """Yield weights, modules, their numbers and texts, and code that is not PyTorch's own."""
        yield from self._state(self._model)
        yield "modules", repr(self._model)
        for path, module in self._model.named_modules():
            yield from ((f"{path}.{name}", value) for name, value in plain_attributes(module))
        for kind in {type(module): None for module in self._model.modules()}:
            yield from code_of(kind)

    @contextmanager
    def running(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Set the model to evaluate and hook its modules; undo both afterward."""
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
                return self._arrays(self._call(self._model, batch))

        training = {module: module.training for module in self._model.modules()}
        fast = torch.backends.mha.get_fastpath_enabled()
        hooks = []
        try:
            self._model.eval()
            # The fused path of transformers runs past the modules inside them.
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
        """Return a copy whose modules have reset their parameters."""
        torch = self._torch
        fresh = copy.deepcopy(self._model)
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
