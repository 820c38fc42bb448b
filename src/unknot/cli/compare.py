"""``unknot compare``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import command
from ._paths import file_to_write, note_on_output_error
from ._streams import Terminal, print_json
from .show import labeling_of


@command(
    "unknot compare study-a study-b",
    "unknot compare study-a -m linear_probe              # its layers, one by one",
    "unknot compare study-a --reference inputs -m nc1",
)
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    other: Annotated[
        Path | None,
        typer.Argument(
            metavar="OTHER",
            help="Folder of a second study, of another model on the same samples. Without, the "
            "layers of the first are compared with each other.",
            show_default="none",
        ),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "--measure",
            "-m",
            help="Name or family of measures; can be repeated. p values are corrected for the "
            "number of comparisons.",
            show_default="all",
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layers",
            "-l",
            help="Name or pattern of layers, of both studies; can be repeated.",
            show_default="all",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Layer that all others are compared with, of one study.",
            show_default="the layer before",
        ),
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="The two studies are of different samples.")
    ] = False,
    labels: Annotated[
        str | None,
        typer.Option(help="Name of a labeling, of studies with several.", show_default="the first"),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="CSV file to write all differences to.", show_default="none"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare the scores of two studies, or of the layers of one.

    Each difference is printed with its 95 % interval and a p value.
    """
    from ..studies import Study

    target = None if csv is None else file_to_write(csv, "--csv")
    if other is not None and reference is not None:
        raise ValueError("--reference: layers are compared within one study; got two folders")
    if other is None and independent:
        raise ValueError("--independent: it is for two studies; got one folder")
    studies = [Study.load(path) for path in (folder, other) if path is not None]
    if labels is not None:
        studies = [labeling_of(study, labels) for study in studies]
    if layers:
        studies = [study.select(layers) for study in studies]
    if len(studies) == 1:
        found = studies[0].compare_layers(measures or None, reference)
    else:
        found = studies[0].compare(studies[1], measures=measures or None, paired=not independent)
    if target is not None:
        found.to_csv(target)
    with note_on_output_error("the studies are unchanged"):
        if as_json:
            print_json(found.to_json())
            return
        console = Terminal()
        console.print(found)
        if csv is not None:
            console.print_line(f"Wrote {csv}")
