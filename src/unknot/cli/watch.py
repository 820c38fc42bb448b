"""``unknot watch``."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ._app import command
from ._streams import print_error, print_line


@command(
    "unknot watch training                 # what recorder.live() writes",
    "unknot watch training --no-browser    # prints the address",
)
def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a live page.")],
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open the page, or only print its address."),
    ] = True,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="N", help="Port on this machine.", show_default="any free"
        ),
    ] = 0,
) -> None:
    """Show the page of a training while it runs, until Ctrl-C.

    The page is served on this machine only (127.0.0.1), and is brought up to date after each epoch
    that the training records.
    """
    import webbrowser

    from ..report import Watcher

    with Watcher(folder, port) as watcher:
        print_line(watcher.url)
        if browser and not webbrowser.open(watcher.url):
            print_error(f"unknot: no browser was found; open {watcher.url} in one")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
