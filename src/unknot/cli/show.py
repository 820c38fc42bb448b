"""``unknot show``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._io.folders import inside
from ._app import WidthOption, command
from ._paths import file_to_write, folder_to_write, note_on_output_error
from ._printing import print_study
from ._streams import Terminal, print_error, print_json

if TYPE_CHECKING:
    from ..studies import Study
else:
    Study = Any

# Subfolder of a study's folder.
FIGURES = "figures"
FORMATS = ("png", "svg", "pdf")
CAPTIONS = "captions.txt"


@command(
    "unknot show my-study",
    'unknot show my-study -m linear_probe -m nc1 -l "fc*"',
    "unknot show my-study -m neighborhood_hit --width 3.3    # figures for a column",
    "unknot show my-study --wide --csv scores.csv --no-figures",
    "unknot show my-study --require 'neighborhood_hit(fc1) >= 0.95'",
)
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layers",
            "-l",
            help="Name or pattern of layers; can be repeated.",
            show_default="all",
        ),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "-m",
            help="Name or family of scores; can be repeated. unknot measures lists them.",
            show_default="three printed, all drawn",
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Print all scores, in as many tables as they take.")
    ] = False,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Write figures to DIR/figures.")
    ] = True,
    width: WidthOption = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write all scores to, including those per class.", show_default="none"
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write the samples to: labels, predictions and metadata.",
            show_default="none",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Name of a labeling, of a study with several.", show_default="the first"),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            help="Requirement such as 'neighborhood_hit(fc1) >= 0.95'; can be repeated. "
            "The exit code is 1 if one does not hold.",
            show_default="none",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table, and write no figures.")
    ] = False,
) -> None:
    """Print the scores of a study and what is notable, and draw its maps and curves."""
    from ..studies import CompactTable, RequirementError, Study

    if measures and wide:
        raise ValueError("--wide: it prints all measures; leave out --measures, or --wide")
    target = None if csv is None else file_to_write(csv, "--csv")
    listed = None if samples is None else file_to_write(samples, "--samples")
    if figures and not as_json and folder.is_dir():
        folder_to_write(inside(folder, FIGURES), "DIR")
    study = Study.load(folder)
    if labels is not None:
        study = labeling_of(study, labels)
    CompactTable(study, measures or ())  # names are checked before anything is written
    failed = None
    if require:
        try:
            study.require(*require)
        except RequirementError as error:
            failed = error
    if layers:
        study = study.select(layers)
    if target is not None:
        study.scores.to_csv(target)
    if listed is not None:
        study.to_csv(listed)
    with note_on_output_error(f"the study in {folder} is unchanged"):
        if as_json:
            print_json(study.scores.to_json())
        else:
            console = Terminal()
            print_study(console, study, measures or (), wide=wide)
            if figures:
                for path in draw_figures(study, folder, measures, width):
                    console.print_line(f"Wrote {path}")
            if failed is not None:
                console.print(failed.failed)
    if failed is not None:
        for line in str(failed).splitlines():
            print_error(f"unknot: {line}" if not line.startswith(" ") else line)
        raise typer.Exit(1)


def labeling_of(study: Study, name: str) -> Study:
    """Return a study with one of its labelings.

    Raises
    ------
    ValueError
        If it has none of this name.
    """
    if name not in study.labelings:
        raise ValueError(
            f"--labels: the study has no labeling {name!r}; it has {', '.join(study.labelings)}"
        )
    labeling: Study = study.labelings[name]
    return labeling


def draw_figures(
    study: Study, folder: Path, measures: list[str] | None = None, width: float | None = None
) -> list[Path]:
    """Draw maps, curves and, if recorded, curves over epochs into the folder of a study.

    Parameters
    ----------
    study : Study
    folder : Path
        Of the study.
    measures : list of str, optional
        Names or families of the curves' measures; all by default.
    width : float, optional
        Width in inches, for print.

    Returns
    -------
    list of Path
        The files written; the last holds captions.
    """
    from .._io.atomic import write_text
    from ..figures import save_figure
    from ..studies import CompactTable

    names = [f"{name}.{suffix}" for name in ("maps", "curves", "epochs") for suffix in FORMATS]
    paths = {name: inside(folder, f"{FIGURES}/{name}") for name in [*names, CAPTIONS]}
    drawn = {}
    chosen = CompactTable(study, measures).chosen() if measures else None
    if any(layer.map is not None for layer in study.layers.values()):
        drawn["maps"] = study.figure(width=width)
    if len(study.scores.measures):
        drawn["curves"] = study.curves(chosen, width=width)
        if study.epochs is not None:
            drawn["epochs"] = study.curves(chosen, over="epochs", width=width)
    written = []
    for name, figure in drawn.items():
        for suffix in FORMATS:
            written.append(paths[f"{name}.{suffix}"])
            save_figure(figure, written[-1])
    if drawn:
        captions = (f"{name}: {getattr(figure, 'caption', '')}" for name, figure in drawn.items())
        written.append(paths[CAPTIONS])
        write_text(written[-1], "\n\n".join(captions) + "\n")
    return written
