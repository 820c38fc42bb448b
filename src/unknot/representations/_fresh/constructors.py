"""Classes of one's own, built again by their constructor with what they keep of its arguments."""

import copy
import inspect
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from .._loading.offline import refusing
from .libraries import Build, name_of

KEPT: Final = ("hparams", "_hparams", "config", "cfg", "args", "opt")
"""Attributes in which a module may keep all arguments together."""
NOT_CALLED: Final = ("torch", "transformers", "sentence_transformers", "peft", "keras")
"""Packages whose classes are built in another way."""
MISSING: Final = object()


class LoadedError(Exception):
    """A constructor loads weights, or uses the network."""


def calls(torch: Any, module: Any, renewed: Callable[[Any, str], Any]) -> Iterator[Build]:
    """Yield calls of a module's constructor with the attributes of its parameters' names.

    A child that is an argument is passed on with fresh weights, which ``renewed`` draws.
    """
    kind = type(module)
    if name_of(kind) in NOT_CALLED or isinstance(module, torch.fx.GraphModule):
        return
    try:
        parameters = list(inspect.signature(kind).parameters.values())
    except (TypeError, ValueError):
        return
    needed: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    left: list[str] = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = _kept(torch, module, parameter.name)
        if value is not MISSING:
            group = needed if parameter.default is parameter.empty else optional
            group[parameter.name] = value
        elif parameter.default is parameter.empty:
            return
        else:
            left.append(parameter.name)
    for given in ({**needed, **optional}, needed):

        def build(given: dict[str, Any] = given) -> Any:
            arguments = {
                name: renewed(value, name)
                if isinstance(value, torch.nn.Module)
                else copy.deepcopy(value)
                for name, value in given.items()
            }
            places = [
                arguments.pop(parameter.name)
                for parameter in parameters
                if parameter.kind is parameter.POSITIONAL_ONLY and parameter.name in arguments
            ]
            return kind(*places, **arguments)

        text = ", ".join(f"{name}={_short(value)}" for name, value in given.items())
        default = [*left, *(name for name in optional if name not in given)]
        end = f", {' and '.join(default)} by default" if default else ""
        yield build, f"{kind.__name__}({text}){end}"
        if not optional:
            return


def _kept(torch: Any, module: Any, name: str) -> Any:
    """Return the argument of this name that a module keeps, or MISSING."""
    for label in (name, f"_{name}"):
        value = vars(module).get(label, module._modules.get(label, MISSING))
        if value is not MISSING:
            return value
        if module._parameters.get(label) is not None or module._buffers.get(label) is not None:
            return MISSING  # a trained value is no argument
    for holder in KEPT:
        kept = vars(module).get(holder)
        if isinstance(kept, Mapping) and name in kept:
            return kept[name]
        if kept is not None and not callable(kept) and hasattr(kept, name):
            return getattr(kept, name)
    return MISSING


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"<{type(value).__name__}>"


@contextmanager
def nothing_loaded(torch: Any) -> Iterator[None]:
    """Raise an error where this thread loads weights or opens a connection."""

    def error() -> LoadedError:
        return LoadedError("it loads weights")

    places = [
        (torch, "load"),
        (torch.hub, "load"),
        (torch.hub, "load_state_dict_from_url"),
        (torch.nn.Module, "load_state_dict"),
        (socket.socket, "connect"),
    ]
    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(
                mock.patch.object(owner, name, refusing(getattr(owner, name), error))
            )
        if (transformers := sys.modules.get("transformers")) is not None:
            kind = transformers.PreTrainedModel
            refused: Any = classmethod(refusing(kind.from_pretrained.__func__, error))
            stack.enter_context(mock.patch.object(kind, "from_pretrained", refused))
        yield
