"""Writing figures to files."""

import io
import os
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .._io.atomic import atomic_path
from ._style import house_style

# Drop the date and the version of matplotlib, so that files are reproducible.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save_figure(fig: Figure, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Save a figure as PNG, SVG or PDF.

    The file is written atomically, and the same figure always gives the same bytes. SVG files store
    text as paths, so that it looks the same on every machine. The points of a map are rasterized in
    SVG and PDF to keep the files small; everything else is vector graphics.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Any matplotlib figure.
    path : path-like
        File to write. The suffix ``.png``, ``.svg`` or ``.pdf`` selects the format. Missing parent
        folders are created.
    dpi : int, default=200
        Resolution, in dots per inch, of a PNG file and of the rasterized points in SVG and PDF.
        Increase it for print; decrease it for smaller files.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        If the suffix is not one of the three.

    See Also
    --------
    lab_panel : Draw a map with its points, hulls and ellipses.
    layer_strip : Draw the maps of all layers of a network.
    unknot.report.write_report : Write an interactive HTML page instead of a figure.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unknot.figures import class_bars, save_figure
    >>> figure = class_bars([0.9, 0.7], ["cat", "dog"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_figure(figure, Path(folder) / "bars.svg")
    ...     path.name, path.read_text()[:5]
    ('bars.svg', '<?xml')
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
    """Return the contents of the file that `save_figure` writes for a suffix."""
    stream = io.BytesIO()
    with house_style():
        fig.savefig(stream, format=kind[1:], dpi=dpi, metadata=_METADATA[kind], facecolor="white")
    return stream.getvalue()
