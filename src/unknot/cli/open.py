"""``unknot open``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import PAGE, JobsOption, command
from ._paths import note_on_output_error
from ._streams import print_error, print_line


@command(
    "unknot open my-study",
    "unknot open my-study --no-browser    # prints the path of the page",
    name="open",
)
def open_page(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open the page, or only print its path."),
    ] = True,
    n_jobs: JobsOption = None,
) -> None:
    """Open the page of a study in the browser.

    The page is written first if there is none, or if the study is newer.
    """
    import webbrowser

    from .._io.folders import inside
    from ..report import write_report
    from ..studies import MANIFEST, Study

    page = inside(folder, PAGE) if folder.is_dir() else folder / PAGE
    if not (page.is_file() and _is_newer(page, folder / MANIFEST)):
        write_report(Study.load(folder), page, n_jobs=n_jobs)
    with note_on_output_error(f"the page is {page}"):
        print_line(str(page))
    if browser and not webbrowser.open(page.resolve().as_uri()):
        print_error(f"unknot: no browser was found; open {page} in one")


def _is_newer(page: Path, manifest: Path) -> bool:
    return manifest.is_file() and page.stat().st_mtime_ns >= manifest.stat().st_mtime_ns
