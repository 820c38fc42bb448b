"""One traced run of a PyTorch module, by hooks before and after every call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from .._trace import MODEL, Call, Identities, Recorder, Side, Trace, Value
from .base import Naming, leaves


class TensorKeys:
    """Identities of tensors: their storage, the part of it, and how often that was written to.

    Without the count, what an operation in place returns would be its input. Storages are held by
    weak references, so that their numbers are not used again, and their memory is.
    """

    def __init__(self, torch: Any) -> None:
        from torch.multiprocessing.reductions import StorageWeakRef

        self._torch = torch
        self._reference = StorageWeakRef
        self._references: dict[int, Any] = {}
        self._others = Identities()

    def of(self, tensor: Any) -> Hashable:
        """Return the identity of a tensor."""
        try:
            reference = self._reference(tensor.untyped_storage())
            place = tensor.storage_offset()
        except (NotImplementedError, RuntimeError):  # a sparse tensor has no storage
            return self._others.of(tensor)
        self._references.setdefault(reference.cdata, reference)
        version = 0 if tensor.is_inference() else tensor._version
        return reference.cdata, place, tensor.numel(), version


@contextmanager
def traced(
    torch: Any, modules: dict[str, Any], root: Any, name: str
) -> Iterator[Callable[[Callable[[Any], Any], Any], Trace]]:
    """Register hooks; yield a function that runs a batch and returns its trace.

    Parameters
    ----------
    torch : module
    modules : dict of str to Module
        The modules by name, or the model itself under its own name if it has none.
    root : Module
    name : str
        The model's name.
    """
    recorder = Recorder()
    keys = TensorKeys(torch)
    naming = Naming()
    alone = root in modules.values()

    def tensors(value: Any) -> Iterator[Any]:
        for _, leaf in leaves("", value):
            if isinstance(leaf, torch.Tensor):
                yield leaf

    def begin(path: str, module: Any, args: Any, kwargs: Any) -> None:
        given = list(tensors([args, kwargs]))
        side, width = channels_of(torch, module)
        if side == "first" and given and given[0].ndim == 2:
            side = "last"  # a batch norm of rows (samples x positions, channels)
        own = list(module.parameters(recurse=False))
        recorder.enter(
            Call(
                path,
                type(module).__name__,
                has_parameters=next(module.parameters(), None) is not None,
                has_weights=any(part.ndim > 1 for part in own) and not any(module.children()),
                is_container=isinstance(
                    module, torch.nn.Sequential | torch.nn.ModuleList | torch.nn.ModuleDict
                ),
                inputs=[keys.of(tensor) for tensor in given],
                first_input=tuple(given[0].shape)
                if given and given[0].is_floating_point()
                else None,
                side=side,
                width=width,
                returns_state=isinstance(module, torch.nn.RNNBase),
            )
        )

    def end(path: str, output: Any) -> None:
        call = recorder.leave()
        call.values = [
            Value(entry, keys.of(value), tuple(value.shape), dtype_name(value))
            for entry, value in naming.entries(path, output)
            if isinstance(value, torch.Tensor)
        ]

    def run(function: Callable[[Any], Any], batch: Any) -> Trace:
        nonlocal recorder, naming
        recorder, naming = Recorder(), Naming()
        if alone:
            function(batch)
            if not recorder.calls:  # the caller ran something else of the module
                raise ValueError(f"model {name!r} was not called")
        else:
            begin("", root, batch, {})
            end(MODEL, function(batch))
        return recorder.trace()

    hooks = []
    state = State(torch, root)
    try:
        for path, module in modules.items():
            inside = "" if alone else path

            def before(module: Any, args: Any, kwargs: Any, inside: str = inside) -> None:
                begin(inside, module, args, kwargs)

            def after(module: Any, args: Any, output: Any, path: str = path) -> None:
                end(path, output)

            hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(module.register_forward_hook(after))
        yield run
    finally:
        for hook in hooks:
            hook.remove()
        state.restore()


class State:
    """What a module keeps beside its parameters: a run on inputs of another size may change it.

    The windows of a Swin transformer, for one, become smaller with the first small image, and stay
    so. Attributes are set back, and buffers filled again.
    """

    def __init__(self, torch: Any, root: Any) -> None:
        self._torch = torch
        self._attributes = [(module, _copied(vars(module))) for module in root.modules()]
        self._buffers = [
            (buffer, buffer.clone(), _version(buffer))
            for buffer in root.buffers()
            if not buffer.is_meta
        ]

    def restore(self) -> None:
        """Set everything back."""
        for module, before in self._attributes:
            now = vars(module)
            for name in [name for name in now if name not in before]:
                del now[name]
            for name, value in before.items():
                kept, content = value
                if content is not None:
                    _fill(kept, content)
                now[name] = kept
        with self._torch.no_grad():
            for buffer, content, version in self._buffers:
                if _version(buffer) != version:
                    buffer.copy_(content)


@contextmanager
def preserved(model: Any) -> Iterator[None]:
    """Set everything that a PyTorch module keeps beside its parameters back on exit.

    Raises
    ------
    ValueError
        If the module still waits for its first inputs, whose shape it takes.
    """
    torch = sys.modules.get("torch")
    module = getattr(model, "_orig_mod", model)
    if torch is None or not isinstance(module, torch.nn.Module):
        yield
        return
    lazy = torch.nn.parameter.is_lazy
    if any(lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        raise ValueError(
            f"model {type(module).__name__!r} takes its shapes from the first inputs; call it once "
            "before, or pass inputs"
        )
    if isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule):
        yield
        return
    state = State(torch, module)
    try:
        yield
    finally:
        state.restore()


def _copied(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return each attribute with a copy of its content, if it is a collection."""
    return {
        name: (value, type(value)(value) if type(value) in (dict, list, set) else None)
        for name, value in attributes.items()
    }


def _fill(collection: Any, content: Any) -> None:
    collection.clear()
    collection.extend(content) if isinstance(collection, list) else collection.update(content)


def _version(tensor: Any) -> int:
    return -1 if tensor.is_inference() else int(tensor._version)


def dtype_name(tensor: Any) -> str:
    """Return the name of a tensor's type as NumPy has it; quantized numbers are real."""
    return "float32" if tensor.is_quantized else str(tensor.dtype).removeprefix("torch.")


def channels_of(torch: Any, module: Any) -> tuple[Side | None, int | None]:
    """Return where a module with parameters of its own has its channels, and how many."""
    nn = torch.nn
    if next(module.parameters(recurse=False), None) is None:
        return None, None
    if isinstance(module, nn.modules.conv._ConvNd):
        return "first", int(module.out_channels)
    for name in ("num_features", "num_channels"):
        width = getattr(module, name, None)
        if isinstance(width, int) and "Norm" in type(module).__name__:
            return "first", width
    if isinstance(module, nn.Linear):
        return "last", int(module.out_features)
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "last", int(module.embedding_dim)
    if isinstance(module, nn.RNNBase):
        width = module.proj_size or module.hidden_size
        return "last", int(width * (2 if module.bidirectional else 1))
    if isinstance(module, nn.MultiheadAttention):
        return "last", int(module.embed_dim)
    weight = getattr(module, "weight", None)
    if isinstance(weight, torch.Tensor) and weight.ndim == 1:
        # A norm over the last axis, or, as its name says, over channels that come first.
        name = type(module).__name__
        return ("first" if "2d" in name or "ChannelsFirst" in name else "last"), len(weight)
    bias = getattr(module, "bias", None)
    if isinstance(bias, torch.Tensor) and bias.ndim == 1:
        return "last", len(bias)
    return None, None
