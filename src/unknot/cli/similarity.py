"""``unknot similarity``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import SeedOption, WidthOption, command
from ._paths import file_to_write, note_on_output_error
from ._streams import Terminal, print_json


@command(
    "unknot similarity study-a",
    "unknot similarity study-a study-b -m rsa -o similarity.pdf",
)
def similarity(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    other: Annotated[
        Path | None,
        typer.Argument(
            metavar="OTHER",
            help="Folder of a second study, of another model on the same samples.",
            show_default="none",
        ),
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            "--measure",
            "-m",
            help="linear_cka, rsa, procrustes, mutual_knn, svcca or pwcca.",
        ),
    ] = "linear_cka",
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layers",
            "-l",
            help="Name or pattern of layers, of both studies; can be repeated.",
            show_default="all",
        ),
    ] = None,
    max_samples: Annotated[
        int, typer.Option(min=4, help="Number of samples to compare, drawn at random.")
    ] = 2000,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Figure to write: .png, .svg or .pdf.",
            show_default="none",
        ),
    ] = None,
    width: WidthOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    random_state: SeedOption = 0,
) -> None:
    """Print how similar the layers of a study are, to each other or to those of a second one."""
    from ..studies import Study

    target = None if out is None else file_to_write(out, "--out")
    if target is not None and target.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--out: a figure must end in .png, .svg or .pdf; got {out}")
    studies = [Study.load(path) for path in (folder, other) if path is not None]
    if layers:
        studies = [study.select(layers) for study in studies]
    matrix = studies[0].similarity(
        studies[1] if len(studies) > 1 else None,
        measure,
        max_samples=max_samples,
        random_state=random_state,
    )
    if target is not None:
        from ..figures import save_figure

        save_figure(matrix.figure(width=width), target)
    with note_on_output_error("the studies are unchanged"):
        if as_json:
            print_json(matrix.to_json())
            return
        console = Terminal()
        console.print(matrix)
        if out is not None:
            console.print_line(f"Wrote {out}")
