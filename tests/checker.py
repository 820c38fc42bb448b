"""What checks the types of arguments and results while the tests run."""

import functools

import jaxtyping
from beartype import BeartypeConf, beartype

# An int may stand where a float is meant, as type checkers take it.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped


@functools.wraps(_jaxtyped)
def _jaxtyped_once(fn=None, **options):
    """Wrap what is defined once: a function inside another would be wrapped at every call of it."""
    if fn is None:
        return functools.partial(_jaxtyped_once, **options)
    if "<locals>" in getattr(fn, "__qualname__", ""):
        return fn
    return _jaxtyped(fn, **options)


jaxtyping.jaxtyped = _jaxtyped_once
