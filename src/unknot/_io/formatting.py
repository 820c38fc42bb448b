"""How numbers, sizes and tables are written for people: in the terminal, in figures, in errors."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from .._typing import Array

# Which way is better, beside the name of a measure; None where neither is.
ARROWS: Final = {True: "↑", False: "↓", None: "·"}


def format_number(value: float | None, *, missing: str = "n/a") -> str:
    """Write a number with three decimals, or with about four significant digits.

    Parameters
    ----------
    value : float or None
    missing : str, default="n/a"
        What to write for None and NaN.

    Examples
    --------
    >>> [format_number(value) for value in (0.93267, 12.3456, 1234.56, 2e6, 5, 2e-5, None)]
    ['0.933', '12.35', '1234.6', '2.00e+06', '5', '2.00e-05', 'n/a']
    """
    if value is None or math.isnan(value):
        return missing
    if math.isinf(value):
        return str(float(value))
    if value == 0.0 or (abs(value) >= 1 and value == round(value) and abs(value) < 1e4):
        return f"{value:.0f}"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def format_column(values: Iterable[float | None], *, missing: str = "n/a") -> list[str]:
    """Write the numbers of a column that is justified on the left: decimal points are in line.

    Parameters
    ----------
    values : iterable of float or None
    missing : str, default="n/a"
        What to write for None and NaN.

    Examples
    --------
    >>> format_column((0.93267, 1, 12.3456, 1234.56, None))
    ['   0.933', '   1.000', '  12.35', '1234.6', '   n/a']
    """
    texts = []
    for value in values:
        text = format_number(value, missing=missing)
        if value is not None and text.lstrip("-").isdecimal():
            text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
        texts.append(text)
    # Of those without a point, the first character stands where the others have their units.
    before = [max(text.find("."), 1) if "." in text else 1 for text in texts]
    width = max(before, default=0)
    return [" " * (width - n if text else 0) + text for text, n in zip(texts, before, strict=True)]


def format_compact(value: float, *, share: bool) -> str:
    """Write a number for a figure: a share in percent, or three significant digits.

    Examples
    --------
    >>> format_compact(0.9327, share=True), format_compact(-1234.5, share=False)
    ('93.3 %', '−1,234')
    """
    if not math.isfinite(value):
        return "n/a"
    if share:
        return f"{100 * value:.1f} %"
    return typeset(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}")


def format_alike(values: Array, *, share: bool) -> list[str]:
    """Write values that stand beside each other with the same number of decimals.

    Parameters
    ----------
    values : ndarray
        Of any shape; written in the order of its elements.
    share : bool
        Write percentages, without the sign; otherwise the greatest value has three digits.

    Examples
    --------
    >>> format_alike(np.array([0.5, 0.125, np.nan]), share=True)
    ['50.0', '12.5', '–']
    """
    known = np.abs(values[np.isfinite(values)])
    greatest = float(known.max()) if known.size else 0.0
    decimals = 1 if share else max(0, 2 - math.floor(math.log10(greatest))) if greatest else 1
    factor = 100 if share else 1
    return [
        typeset(f"{factor * value:.{decimals}f}") if np.isfinite(value) else "–"
        for value in values.ravel()
    ]


def format_tick(value: float) -> str:
    """Write the number of a tick.

    Examples
    --------
    >>> format_tick(20_000), format_tick(3e6), format_tick(-0.25)
    ('20k', '3M', '−0.25')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return typeset(f"{value / (1e3 if letter == 'k' else size):.6g}{letter}")
    return typeset(f"{value:.6g}")


def format_bytes(n_bytes: float) -> str:
    """Write a size, in units of 1,000 bytes.

    Examples
    --------
    >>> format_bytes(512), format_bytes(20_500_000), format_bytes(1.25e9)
    ('512 bytes', '20.5 MB', '1.2 GB')
    """
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"


def typeset(number: str) -> str:
    """Put a minus sign in place of a hyphen."""
    return number.replace("-", "−")


def render_text(renderable: Any, width: int) -> str:
    """Render what Rich prints as plain text of a width in columns."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, legacy_windows=False)
    console.print(renderable)
    return stream.getvalue().rstrip()
