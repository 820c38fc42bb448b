"""Writing figures to files."""

import io
import os
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .._io.atomic import atomic_path
from ._style import house_style

_DPI, _PRINT_DPI = 200, 300
# Drop the date and the version of matplotlib, so that files are reproducible.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save_figure(
    fig: Figure, path: str | os.PathLike[str], *, dpi: int | None = None, svg_paths: bool = False
) -> Path:
    """Save a figure as PNG, SVG or PDF.

    The file is written atomically, and the same figure always gives the same bytes. Text stays text
    in SVG and PDF: it can be searched, edited and set in another font. The points of a map are
    rasterized in SVG and PDF to keep the files small; everything else is vector graphics.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Any matplotlib figure.
    path : path-like
        File to write. The suffix ``.png``, ``.svg`` or ``.pdf`` selects the format. Missing parent
        folders are created.
    dpi : int, default=None
        Resolution, in dots per inch, of a PNG file and of the rasterized points in SVG and PDF.
        Default: 300 for figures that were drawn with a ``width``, for print; 200 for others.
    svg_paths : bool, default=False
        Store the text of an SVG file as paths, which look the same on machines that lack the font
        (DejaVu Sans). PDF files hold the font.

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
    content = figure_bytes(fig, kind, dpi=dpi, svg_paths=svg_paths)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def figure_bytes(
    fig: Figure, kind: str = ".png", *, dpi: int | None = None, svg_paths: bool = False
) -> bytes:
    """Return the contents of the file that `save_figure` writes for a suffix."""
    stream = io.BytesIO()
    if dpi is None:
        dpi = _PRINT_DPI if getattr(fig, "for_print", False) else _DPI
    with house_style(**{"svg.fonttype": "path" if svg_paths else "none"}):
        fig.savefig(stream, format=kind[1:], dpi=dpi, metadata=_METADATA[kind], facecolor="white")
    return stream.getvalue()
