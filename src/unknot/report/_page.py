"""The page as one HTML file: nothing in it is fetched, and no data in it is read as HTML."""

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
from ._payload import build_payload

# The points are drawn by programs that regl writes while it runs, hence 'unsafe-eval'; only the
# one script whose hash is named can use it. No address can be reached from anything in the page.
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
    n_neighbors: int = 8,
    n_jobs: int | None = None,
) -> Path:
    """Write the page of a study, or of two to compare, as one HTML file.

    The file opens from disk without a network, a server or another file.

    Parameters
    ----------
    study : Study
        Of one model.
    path : path-like
        Where to write; replaced whole, or left as it was if anything fails.
    other, title, n_neighbors, n_jobs
        As in `build_payload`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        As from `build_payload`.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path must be a file; {target} is a folder. Add a name to it")
    payload = build_payload(study, other=other, title=title, n_neighbors=n_neighbors, n_jobs=n_jobs)
    write_bytes(target, page_of(payload))
    return target


def page_of(payload: dict[str, Any]) -> bytes:
    """Return the page of a payload, in UTF-8."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = _PAGE.format(
        policy=_POLICY.format(hash=f"sha256-{digest}"),
        version=payload["unknot"],
        title=html.escape(payload["title"]),
        n_samples=payload["nSamples"],
        style=_style(),
        data=to_json(payload).replace("<", "\\u003c"),
        script=script,
    )
    return page.encode("utf-8")


def to_json(payload: dict[str, Any]) -> str:
    """Return a payload as JSON, in ASCII."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":"))


def static_path(name: str) -> Path:
    """Return the path of a file of the page's program."""
    return Path(str(files(__package__) / "static" / name))


@cache
def _script() -> str:
    source = static_path("unknot.js").read_text(encoding="utf-8").replace("\r\n", "\n")
    # In a script these can only stand in text and patterns, where \x3c means the same.
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", source, flags=re.IGNORECASE)


@cache
def _style() -> str:
    return static_path("unknot.css").read_text(encoding="utf-8").replace("</", "<\\/")
