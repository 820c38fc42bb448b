"""Fresh weights for a PyTorch module.

A copy of the module is filled with NaN, so that nothing of the trained weights is left in it. Each
part then gets the values of one that its library or class builds again; what nothing builds is
drawn by ``reset_parameters``. A value that is still NaN at the end was not drawn: an error.
"""

import copy
import math
import random
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._loading.unreadable import reason_of
from .constructors import calls, nothing_loaded
from .libraries import EXACT, builds, is_part, name_of, refusal
from .resets import kept_buffers, own_initialization, reset_of

RESETS = "reset_parameters of PyTorch's own modules"


class NotDrawnError(Exception):
    """What could not be drawn, as a sentence without its end."""


@dataclass
class _Outcome:
    """How each part was drawn, by its path, and what stayed as it was."""

    how: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    uncertain: bool = False


def fresh_module(torch: Any, module: Any, seed: int) -> tuple[Any, str, bool]:
    """Return a copy with fresh weights, how they were drawn, and whether that is sure.

    PyTorch's, NumPy's and Python's random states are restored.

    Raises
    ------
    NotDrawnError
        If the weights of some part cannot be drawn.
    """
    if (reason := refusal(torch, module)) is not None:
        raise NotDrawnError(reason)
    fresh = _copy(torch, module)
    trained = dict(_tensors(module))
    outcome = _Outcome()
    with _seeded(torch, seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _spoil(torch, fresh)
        _refresh(torch, fresh, "", outcome, trained)
    if left := [name for name, value in _tensors(fresh) if _has_nan(value)]:
        raise NotDrawnError(f"nothing draws {_listed(left)}")
    return fresh, _described(outcome), not outcome.uncertain


def _refresh(torch: Any, module: Any, path: str, outcome: _Outcome, trained: Any) -> None:
    """Draw the weights of a module of the copy, by the first way that fits its shapes."""
    if not any(True for _ in _tensors(module)):
        return
    tried = []
    for build, how in _ways(torch, module, path, outcome, trained):
        try:
            with nothing_loaded(torch):
                built = build()
        except Exception as error:
            tried.append(f"{how} does not build it ({reason_of(error)})")
            continue
        parts = list(_differences(module, built))
        if parts and parts[0] == "":
            tried.append(f"{how} has other weights")
            continue
        _take(torch, module, built, parts)
        outcome.how[path] = how
        if not how.startswith(EXACT) and (loaded := _loaded(module, path, trained, parts)):
            raise NotDrawnError(f"{how} gives {_listed(loaded)} the values that they have")
        for part in parts:
            inner = f"{path}.{part}" if path else part
            _refresh(torch, module.get_submodule(part), inner, outcome, trained)
        return
    _reset(torch, module, path, outcome, trained, tried)


def _ways(
    torch: Any, module: Any, path: str, outcome: _Outcome, trained: Any
) -> Iterator[tuple[Callable[[], Any], str]]:
    """Yield functions that build the module again, and what they are called."""
    yield from builds(torch, module)

    def renewed(child: Any, name: str) -> Any:
        found = copy.deepcopy(child)
        _refresh(torch, found, f"{path}.{name}" if path else name, outcome, trained)
        return found

    yield from calls(torch, module, renewed)


def _reset(
    torch: Any, module: Any, path: str, outcome: _Outcome, trained: Any, tried: list[str]
) -> None:
    """Draw the children, then what the module holds itself."""
    kind = type(module)
    name = f"{path} ({kind.__name__})" if path else kind.__name__
    why = f"; {tried[0]}" if tried else ""
    if is_part(torch, module):
        raise NotDrawnError(
            f"{name} is a part of a model of {kind.__module__.partition('.')[0]}, whose weights "
            f"only the whole model draws{why}"
        )
    own = not kind.__module__.startswith(("torch.nn.", "sentence_transformers."))
    initializer = getattr(module, "init_weights", None) if name_of(kind) == "timm" else None
    reset = reset_of(module)
    if own and initializer is None and (found := own_initialization(kind)) is not None:
        raise NotDrawnError(
            f"{name} initializes its weights itself ({found}) and cannot be built again{why}"
        )
    held = [label for label, value in module._parameters.items() if value is not None]
    if held and reset is None and initializer is None:
        raise NotDrawnError(f"{name} holds {_listed(held)}, which nothing draws{why}")
    for label, child in _children(module).items():
        inner = f"{path}.{label}" if path else label
        if initializer is None:
            _refresh(torch, child, inner, outcome, trained)
        else:
            _reset_all(child)
    for function in (reset, initializer):
        if function is None:
            continue
        try:
            with torch.no_grad():
                function()
        except Exception as error:
            raise NotDrawnError(
                f"{name}.{function.__name__} cannot be called ({reason_of(error)}){why}"
            ) from error
    for label in kept_buffers(module):
        inner = f"{path}.{label}" if path else label
        if inner in trained:
            module._buffers[label] = trained[inner].detach().clone()
            outcome.kept.append(inner)
    if initializer is not None:
        outcome.how[path] = f"{kind.__name__}.init_weights"
    elif reset is not None:
        outcome.how[path] = RESETS if not own else f"{kind.__name__}.{reset.__name__}"
    outcome.uncertain |= own


def _reset_all(module: Any) -> None:
    for child in module.children():
        _reset_all(child)
    if (reset := reset_of(module)) is not None:
        reset()


def _children(module: Any) -> dict[str, Any]:
    """Return the children that hold tensors by name; of a compiled one, the module inside."""
    found = {}
    for name, child in module._modules.items():
        if child is None:
            continue
        inside = child._modules.get("_orig_mod")
        label, child = (f"{name}._orig_mod", inside) if inside is not None else (name, child)
        if any(True for _ in _tensors(child)):
            found[label] = child
    return found


def _differences(module: Any, built: Any) -> Iterator[str]:
    """Yield the outermost paths at which a module built again holds other tensors."""
    if _kind(module) != _kind(built) or _own(module) != _own(built):
        yield ""
        return
    here, there = _children(module), _children(built)
    if [name.removesuffix("._orig_mod") for name in here] != list(there):
        yield ""
        return
    for (name, child), other in zip(here.items(), there.values(), strict=True):
        for path in _differences(child, other):
            yield f"{name}.{path}" if path else name


def _kind(module: Any) -> tuple[str, ...]:
    """Return the names of a module's classes; parametrizations make a new class each time."""
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__)


def _own(module: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a module holds itself and saves."""
    held = {**module._parameters, **module._buffers}
    passing = module._non_persistent_buffers_set
    return {
        name: tuple(value.shape)
        for name, value in held.items()
        if value is not None and name not in passing
    }


def _take(torch: Any, module: Any, built: Any, parts: list[str], path: str = "") -> None:
    """Copy the values of a module that was built, but for those of some paths."""
    with torch.no_grad():
        for group in (module._parameters, module._buffers):
            for name, value in group.items():
                other = getattr(built, name, None)
                if value is None or not isinstance(other, torch.Tensor):
                    continue
                if other.shape == value.shape:
                    value.data = other.detach().to(value.device, value.dtype, copy=True)
                elif group is module._buffers:
                    group[name] = other.detach().to(value.device, value.dtype, copy=True)
    there = _children(built)
    for name, child in _children(module).items():
        inner = f"{path}.{name}" if path else name
        if inner not in parts:
            _take(torch, child, there[name.removesuffix("._orig_mod")], parts, inner)


def _loaded(module: Any, path: str, trained: Any, parts: list[str]) -> list[str]:
    """Return the weights of PyTorch's own modules that a constructor made as they are."""
    found = []
    for label, inner in module.named_modules():
        if any(label == part or label.startswith(f"{part}.") for part in parts):
            continue
        if type(inner).__module__.startswith("torch.nn."):
            for name, value in inner.named_parameters(prefix=label, recurse=False):
                old = trained[f"{path}.{name}" if path else name]
                same = value.numel() > 1 and bool((value == old).all())
                if same and bool((value != value.reshape(-1)[0]).any()):
                    found.append(f"{path}.{name}" if path else name)
    return found


def _tensors(module: Any) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _has_nan(value: Any) -> bool:
    floating = value.is_floating_point() or value.is_complex()
    return floating and bool(value.detach().float().isnan().any())


def _spoil(torch: Any, module: Any) -> None:
    """Fill a copy with NaN; raise an error for weights that cannot be NaN."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            if not (value.is_floating_point() or value.is_complex()):
                raise NotDrawnError(f"{name} is quantized: its values are of type {value.dtype}")
            if torch.nn.parameter.is_lazy(value):
                raise NotDrawnError(f"{name} has no shape yet; call the model once")
            value.data = torch.full_like(value.data, math.nan)
        for inner in module.modules():
            for name, value in inner._buffers.items():
                if value is not None and value.is_floating_point():
                    inner._buffers[name] = torch.full_like(value, math.nan)


def _copy(torch: Any, module: Any) -> Any:
    """Copy a module; tensors with a history, which activations kept in it are, are detached."""
    inside = {id(part) for part in module.modules()}
    memo: dict[int, Any] = {}
    for part in module.modules():
        functions = [vars(part).get("forward"), *part._forward_hooks.values()]
        functions += part._forward_pre_hooks.values()
        for function in functions:
            if _refers_to(torch, function, inside):
                raise NotDrawnError(
                    f"a function that was put on {type(part).__name__} uses the trained modules"
                )
        for value in _values(vars(part)):
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise NotDrawnError(f"the model cannot be copied ({reason_of(error)})") from error


def _values(attributes: Mapping[Any, Any]) -> Iterator[Any]:
    for value in attributes.values():
        if isinstance(value, dict):
            yield from _values(value)
        elif isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _refers_to(torch: Any, function: Any, inside: set[int]) -> bool:
    """Whether a function, which a copy shares, keeps one of these modules."""
    if not isinstance(function, types.FunctionType):
        return False  # methods and partial functions are copied with what they keep
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # empty
            continue
        owner = getattr(value, "__self__", value)
        if isinstance(owner, torch.nn.Module) and id(owner) in inside:
            return True
    return False


@contextmanager
def _seeded(torch: Any, seed: int) -> Iterator[None]:
    """Seed the generators of NumPy and Python, which constructors may use, and of PyTorch."""
    # Constructors draw from NumPy's global generator.
    state, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numbers)  # noqa: NPY002


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _described(outcome: _Outcome) -> str:
    """Say in one line how the weights were drawn."""
    ways: dict[str, list[str]] = {}
    for path, how in outcome.how.items():
        ways.setdefault(how, []).append(path)
    if len(ways) == 1:
        text = next(iter(ways), "it has no weights")
    else:
        text = "; ".join(
            f"{_listed([p or 'the whole' for p in paths])} by {how}" for how, paths in ways.items()
        )
    if outcome.kept:
        text += f"; kept as they are: {_listed(outcome.kept)}"
    if outcome.uncertain:
        text += "; uncertain, as the model's own code may draw them in another way"
    return text
