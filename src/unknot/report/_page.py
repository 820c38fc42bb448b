"""The page as one self-contained HTML file; its data is never parsed as HTML."""

import base64
import hashlib
import html
import json
import os
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from .._io.atomic import write_bytes
from ..studies import Study
from ._options import MAX_POINTS
from ._payload import build_payload

# regl compiles its drawing commands at run time, which needs 'unsafe-eval'; only the script with
# the given hash can use it. Nothing in the page can make a network request.
_POLICY = (
    "default-src 'none'; script-src '{hash}' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'"
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="unknot {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="unknot"><div class="unknot opening">
<h1 dir="auto">{title}</h1>
<p role="status">Opening {n_samples:,} samples …</p>
</div></div>
<noscript><style>.opening {{ display: none }}</style>
This page draws with JavaScript, which is switched off here.</noscript>
<script type="application/json" id="unknot-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def write_report(
    study: Study,
    path: str | os.PathLike[str],
    *,
    other: Study | None = None,
    title: str | None = None,
    n_neighbors: int | None = None,
    max_points: int | None = MAX_POINTS,
    n_jobs: int | None = None,
) -> Path:
    """Write the interactive page of a study, or of two studies to compare, as one HTML file.

    The file is self-contained: it opens from disk in any browser, without network or server.

    Parameters
    ----------
    study : Study
        Study of one model.
    path : path-like
        HTML file to write. It is replaced atomically; on failure an existing file is unchanged.
    other : Study, default=None
        Study of another model on the same samples in the same order, for comparison.
    title : str, default=None
        Title of the page. Default: the name of the model, or the names of both.
    n_neighbors : int, default=None
        Number of nearest neighbors stored per point, which are highlighted with it. Decrease it for
        a smaller file; 0 stores none. Default: 8, or where these take more than 4 MB, fewer, but 3
        at least, unless these take more than 16 MB.
    max_points : int or None, default=100,000
        Maximum number of samples shown. Of more, as many are drawn in proportion to the classes,
        and the page says so; scores, confusion, hulls and ellipses are still those of all samples.
        Increase it to see all of a large study; None shows all.
    n_jobs : int, default=None
        Number of threads. Default: all cores.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    IsADirectoryError
        If `path` is a folder.
    ValueError
        If `n_neighbors` is negative, `max_points` is not positive, a map is not finite, or the two
        studies differ in their samples or classes.

    See Also
    --------
    unknot.report.Widget : Show the same page in a notebook.
    build_payload : Build the data of the page.
    unknot.study : Compute a study.
    unknot.figures.layer_strip : Draw the maps of all layers as a static figure.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np, unknot
    >>> from unknot.report import write_report
    >>> labels = np.repeat([0, 1], 30)
    >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None]
    >>> study = unknot.study(
    ...     {"fc1": 2 * pixels}, (pixels, labels), measures="neighborhood_hit", max_iter=250
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = write_report(study, Path(folder) / "report.html", title="Two clouds")
    ...     "<title>Two clouds</title>" in page.read_text(encoding="utf-8")
    True
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path must be a file; {target} is a folder. Append a file name")
    payload = build_payload(
        study,
        other=other,
        title=title,
        n_neighbors=n_neighbors,
        max_points=max_points,
        n_jobs=n_jobs,
    )
    write_bytes(target, page_of(payload))
    return target


def page_of(payload: dict[str, Any]) -> bytes:
    """Render the page of a payload as UTF-8."""
    return render_page(payload)[0]


def render_page(payload: dict[str, Any]) -> tuple[bytes, bytes]:
    """Render the page of a payload as UTF-8; also return the payload as JSON, for a widget.

    Parameters
    ----------
    payload : dict
        What `build_payload` returned.

    Returns
    -------
    page, data : bytes
    """
    data = to_json(payload)
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = _PAGE.format(
        policy=_POLICY.format(hash=f"sha256-{digest}"),
        version=payload["unknot"],
        title=html.escape(payload["title"]),
        n_samples=payload["nSamples"],
        style=_style(),
        data=data.replace("<", "\\u003c"),
        script=script,
    )
    return page.encode("utf-8"), data.encode("ascii")


def to_json(payload: dict[str, Any]) -> str:
    """Serialize a payload as ASCII JSON."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":"))


def static_path(name: str) -> Path:
    """Return the path of one of the page's static files."""
    return Path(str(files(__package__) / "static" / name))


@cache
def _script() -> str:
    source = static_path("unknot.js").read_text(encoding="utf-8").replace("\r\n", "\n")
    # In JavaScript these occur only in strings and regular expressions, where \x3c is equivalent.
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", source, flags=re.IGNORECASE)


@cache
def _style() -> str:
    return static_path("unknot.css").read_text(encoding="utf-8").replace("</", "<\\/")
