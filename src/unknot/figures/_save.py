"""Figures to files."""

import io
import os
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .._io.atomic import atomic_path
from ._style import house_style

# What would make two runs differ: the date, and the version of matplotlib.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save_figure(fig: Figure, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Save a figure as PNG, SVG or PDF, by the ending of the path.

    The file is written whole or not at all, and the same figure gives the same bytes. In SVG, text
    is stored as paths, so that it looks the same on every machine, and the points of a map as an
    image, so that the file stays small; everything else is drawn with vectors.

    Parameters
    ----------
    fig : matplotlib Figure
        Any figure.
    path : path
        Ending in ``.png``, ``.svg`` or ``.pdf``. Its folder is made where there is none.
    dpi : int, default 200
        Dots an inch, of a PNG and of the points of a map in SVG and PDF.

    Returns
    -------
    Path
        Of the file written.

    Raises
    ------
    ValueError
        If the path ends otherwise.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in _METADATA:
        raise ValueError(
            f"path must end in {', '.join(sorted(_METADATA))}; got {os.fspath(path)!r}"
        )
    content = figure_bytes(fig, kind, dpi=dpi)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def figure_bytes(fig: Figure, kind: str = ".png", *, dpi: int = 200) -> bytes:
    """Return the file that `save_figure` writes for this ending."""
    stream = io.BytesIO()
    with house_style():
        fig.savefig(stream, format=kind[1:], dpi=dpi, metadata=_METADATA[kind], facecolor="white")
    return stream.getvalue()
