"""Text that is safe to print, and suggestions for unknown names."""

import re
from collections.abc import Iterable, Mapping

# What moves the cursor, colors, rings, or turns the direction of what follows.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def whole_text(text: str) -> str:
    r"""Replace lone surrogates, which file names can hold, by U+FFFD.

    Neither fonts nor UTF-8 can represent them.

    Examples
    --------
    >>> whole_text("caf\udce9 \ud83d\ude00")
    'caf� 😀'
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shown(text: object) -> str:
    r"""Write out the characters of a name that a terminal would interpret instead of showing.

    Examples
    --------
    >>> print(shown("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    return _CONTROLS.sub(lambda found: _escape(found[0]), str(text))


def did_you_mean(name: str, known: Iterable[str], *, n: int = 1) -> str:
    """Return the end of an error about an unknown name: similar known names, if any.

    Parameters
    ----------
    name : str
        The name that is not known.
    known : iterable of str
        The names that are known.
    n : int, default=1
        How many names to suggest, at most.

    Examples
    --------
    >>> did_you_mean("silhouete", ["nc1", "silhouette"])
    "; did you mean 'silhouette'?"
    >>> did_you_mean("accuracy", ["nc1", "silhouette"])
    ''
    """
    from difflib import get_close_matches

    # Compared without case.
    lowered: dict[str, str] = {}
    for each in known:
        lowered.setdefault(each.lower(), each)
    near = get_close_matches(name.lower(), lowered, n=n)
    return f"; did you mean {' or '.join(repr(lowered[each]) for each in near)}?" if near else ""


def missing_attribute(instance: object, name: str, renamed: Mapping[str, str]) -> AttributeError:
    """Return Python's error for a missing attribute, with the new name of one that was renamed.

    Parameters
    ----------
    instance : object
        The object whose attribute is missing.
    name : str
        The attribute.
    renamed : mapping of str to str
        Old names and the present ones.

    Examples
    --------
    >>> print(missing_attribute([], "add", {"add": "append"}))
    'list' object has no attribute 'add'; did you mean 'append'?
    """
    hint = f"; did you mean {renamed[name]!r}?" if name in renamed else ""
    message = f"{type(instance).__name__!r} object has no attribute {name!r}{hint}"
    return AttributeError(message, name=name, obj=instance)


def no_such_layer(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about a missing layer: similar ones, or all."""
    names = list(known)
    return did_you_mean(name, names, n=3) or f"; its layers are {', '.join(names)}"


def _escape(character: str) -> str:
    return repr(character)[1:-1]
