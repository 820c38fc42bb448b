"""Text that is safe to print, and suggestions for unknown names."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

# What moves the cursor, colors, rings, or turns the direction of what follows.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# A note that begins with the name of a layer.
_NAMED = re.compile(r"(?!the |no )(\S+:|.+? left out:)")


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


def sentence(note: str) -> str:
    """Return a note as a sentence. A name at its beginning stays as it is.

    Examples
    --------
    >>> sentence("no untrained control")
    'No untrained control.'
    >>> sentence("conv1 left out: it is empty")
    'conv1 left out: it is empty.'
    """
    started = note if _NAMED.match(note) else f"{note[:1].upper()}{note[1:]}"
    return started if started.endswith((".", "!", "?", "…")) else f"{started}."


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


def cut_names(
    names: Sequence[str], width: float, length_of: Callable[[str], float] = len
) -> list[str]:
    """Cut names that are too long, where all of these begin alike, then where they end alike.

    What is still too long is cut in its middle.

    Parameters
    ----------
    names : sequence of str
    width : float
        The greatest length.
    length_of : callable, default=len
        The length of a text, such as its inches.

    Examples
    --------
    >>> cut_names(["inputs", "encoder.block.1.dense", "encoder.block.12.dense"], 12)
    ['inputs', '…1.dense', '…12.dense']
    >>> cut_names(["a_name_without_parts"], 12)
    ['a_name_…arts']
    """
    long = [name for name in names if length_of(name) > width]
    cut: dict[str, str] = {}
    if len(long) > 1:
        parts = [re.findall(r"[^./]+|[./]", name) for name in long]
        start = _in_common(parts)
        end = _in_common([each[start:][::-1] for each in parts])
        for name, each in zip(long, parts, strict=True):
            head = "…" if start else ""
            without = head + "".join(each[start:])
            if length_of(without) > width and end:
                without = head + "".join(each[start : len(each) - end]) + "…"
            cut[name] = without
    return [_cut_middle(cut.get(name, name), width, length_of) for name in names]


def _in_common(parts: Sequence[Sequence[str]]) -> int:
    """Return how many parts all begin with, but one of each at least is left."""
    most = min(map(len, parts)) - 1
    return next((n for n in range(most) if len({each[n] for each in parts}) > 1), max(most, 0))


def _cut_middle(name: str, width: float, length_of: Callable[[str], float]) -> str:
    """Keep about two thirds of the beginning and one of the end."""
    if length_of(name) <= width:
        return name
    n_end = 0
    while n_end < len(name) and length_of(name[len(name) - n_end - 1 :]) <= width / 3:
        n_end += 1
    end = name[len(name) - n_end :]
    start = len(name) - n_end
    while start > 0 and length_of(f"{name[:start]}…{end}") > width:
        start -= 1
    return f"{name[:start]}…{end}"


def no_such_layer(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about a missing layer: similar ones, or all."""
    names = list(known)
    return did_you_mean(name, names, n=3) or f"; its layers are {', '.join(names)}"


def _escape(character: str) -> str:
    return repr(character)[1:-1]
