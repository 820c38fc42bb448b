"""``unknot report``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import PAGE, JobsOption, command
from ._paths import file_to_write, note_on_output_error
from ._streams import print_line


@command(
    "unknot report my-study",
    "unknot report study-a --compare study-b -o both.html",
)
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="HTML file to write.",
            show_default="DIR/report.html",
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of a second study, of another model on the same samples.",
            show_default="none",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the page.", show_default="name of the model")
    ] = None,
    n_neighbors: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of neighbors of each point on the page; fewer make it smaller.",
            show_default="3 to 8, by the number of samples",
        ),
    ] = None,
    max_points: Annotated[
        int,
        typer.Option(
            min=1, help="Maximum number of samples on the page, drawn in proportion to the classes."
        ),
    ] = 100_000,
    n_jobs: JobsOption = None,
) -> None:
    """Write the interactive page of a study as one HTML file."""
    from .._io.folders import inside
    from .._io.formatting import format_bytes
    from ..report import write_report
    from ..studies import Study

    target = None if out is None else file_to_write(out, "--out")
    study = Study.load(folder)
    page = inside(folder, PAGE) if target is None else target
    other = None if compare is None else Study.load(compare)
    path = write_report(
        study,
        page,
        other=other,
        title=title,
        n_neighbors=n_neighbors,
        max_points=max_points,
        n_jobs=n_jobs,
    )
    with note_on_output_error(f"the page was written to {out or path}"):
        print_line(f"Wrote {out or path}: {format_bytes(path.stat().st_size)}.")
