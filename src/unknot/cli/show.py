"""``unknot show``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._io.folders import inside
from ._app import app
from ._paths import file_to_write, folder_to_write, keeping
from ._streams import Terminal, say_json
from .study import print_study

if TYPE_CHECKING:
    from ..studies import Study
else:
    Study = Any

# In a study's folder.
FIGURES = "figures"
FORMATS = ("png", "svg")


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.")],
    layers: Annotated[
        list[str] | None,
        typer.Option("--layers", "-l", help="Some only, by name or pattern; repeat for more."),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Write figures into DIR/figures.")
    ] = True,
    csv: Annotated[
        Path | None, typer.Option(help="Write every score, classes included, to a CSV file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and draw nothing.")] = False,
) -> None:
    """Print the scores of a study, and draw its maps and curves."""
    from ..studies import Study

    target = None if csv is None else file_to_write(csv, "--csv")
    if figures and not as_json and folder.is_dir():
        folder_to_write(inside(folder, FIGURES), "DIR")
    study = Study.load(folder)
    if layers:
        study = study.select(layers)
    if target is not None:
        study.scores.to_csv(target)
    with keeping(f"the study in {folder} is as it was"):
        if as_json:
            say_json(study.scores.to_json())
            return
        console = Terminal()
        print_study(console, study)
        if figures:
            for path in draw_figures(study, folder):
                console.say(f"Wrote {path}")


def draw_figures(study: Study, folder: Path) -> list[Path]:
    """Draw the maps, the curves, and those over epochs where there are any, into a study's folder.

    Returns
    -------
    list of Path
        What was written.
    """
    from ..figures import save_figure

    names = [f"{name}.{ending}" for name in ("maps", "curves", "epochs") for ending in FORMATS]
    places = {name: inside(folder, f"{FIGURES}/{name}") for name in names}
    drawn = {}
    if any(layer.map is not None for layer in study.layers.values()):
        drawn["maps"] = study.figure()
    if len(study.scores.measures):
        drawn["curves"] = study.curves()
        if study.epochs is not None:
            drawn["epochs"] = study.curves(over="epochs")
    written = []
    for name, figure in drawn.items():
        for ending in FORMATS:
            written.append(places[f"{name}.{ending}"])
            save_figure(figure, written[-1])
    return written
