"""Text that can be written anywhere."""


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
