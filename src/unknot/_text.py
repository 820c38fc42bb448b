"""Text that can be written anywhere."""

import re

# What moves the cursor, colors, rings, or turns the direction of what follows.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def whole_text(text: str) -> str:
    r"""Put U+FFFD in place of halves of characters, which names of files can hold.

    Neither fonts nor UTF-8 know them.

    Examples
    --------
    >>> whole_text("caf\udce9 \ud83d\ude00")
    'caf� 😀'
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shown(text: object) -> str:
    r"""Write out the characters of a name that a terminal would obey instead of showing.

    Examples
    --------
    >>> print(shown("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    return _CONTROLS.sub(lambda found: _escape(found[0]), str(text))


def _escape(character: str) -> str:
    return repr(character)[1:-1]
