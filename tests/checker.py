"""What checks the types of arguments and results while the tests run."""

import functools
import inspect
import types
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError

# An int may stand where a float is meant, as type checkers take it.
check = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=TypeCheckError))
_jaxtyped = jaxtyping.jaxtyped


@functools.wraps(_jaxtyped)
def _jaxtyped_where_shapes_are(fn=None, **options):
    """Wrap what is defined once: a function inside another would be wrapped at every call of it.

    jaxtyping binds the arguments of each call and checks them twice, to compare shapes. Functions
    without a shape in their signature take beartype's check alone, which takes a tenth of the time.
    """
    if fn is None:
        return functools.partial(_jaxtyped_where_shapes_are, **options)
    if "<locals>" in getattr(fn, "__qualname__", ""):
        return fn
    if options.get("typechecker") is None or not _is_plain(fn):
        return _jaxtyped(fn, **options)
    hints = {name: _resolved(hint, fn.__globals__) for name, hint in fn.__annotations__.items()}
    if any(map(_has_shape, hints.values())):
        return _jaxtyped(fn, **options)
    if inspect.isgeneratorfunction(fn):
        hints.pop("return", None)  # a generator, whatever is in it
    return _typed(fn, hints)


def _is_plain(fn):
    lazy = inspect.iscoroutinefunction, inspect.isasyncgenfunction
    return isinstance(fn, types.FunctionType) and not any(test(fn) for test in lazy)


def _resolved(hint, names):
    """Return what an annotation means; Any if it names what only type checkers import."""

    def holder(value: hint):
        del value

    try:
        return get_type_hints(holder, names, include_extras=True)["value"]
    except Exception:  # as jaxtyping does, whatever an annotation raises
        return Any


def _has_shape(hint):
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    parts = get_args(hint) if not isinstance(hint, list) else hint
    return any(map(_has_shape, parts))


def _typed(fn, hints):
    """Check a function by its resolved annotations; to others it keeps those that were written."""
    same = types.FunctionType(
        fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__
    )
    same.__kwdefaults__, same.__annotations__ = fn.__kwdefaults__, hints
    same.__qualname__, same.__module__ = fn.__qualname__, fn.__module__
    checked = check(same)
    return fn if checked is same else functools.update_wrapper(checked, fn)


jaxtyping.jaxtyped = _jaxtyped_where_shapes_are
