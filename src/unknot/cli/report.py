"""``unknot report``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import PAGE, JobsOption, app
from ._paths import file_to_write, keeping
from ._streams import say


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page. (default: DIR/report.html)")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Show another study beside it: another model, the same samples."
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Above the page. (default: the model's name)")
    ] = None,
    n_jobs: JobsOption = None,
) -> None:
    """Write the page of a study: one HTML file, to open in a browser and explore."""
    from .._io.folders import inside
    from .._io.formatting import format_bytes
    from ..report import write_report
    from ..studies import Study

    target = None if out is None else file_to_write(out, "--out")
    study = Study.load(folder)
    page = inside(folder, PAGE) if target is None else target
    other = None if compare is None else Study.load(compare)
    path = write_report(study, page, other=other, title=title, n_jobs=n_jobs)
    with keeping(f"the page is in {out or path}"):
        say(f"Wrote {out or path}: {format_bytes(path.stat().st_size)}.")
