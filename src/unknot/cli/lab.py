"""``unknot lab``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import BackendOption, SeedOption, app
from ._paths import folder_to_write, keeping
from ._streams import Terminal


@app.command()
def lab(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for everything. (default: unknot-lab or unknot-lab-quick)"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A subset, in seconds.")] = False,
    random_state: SeedOption = 0,
    backend: BackendOption = None,
) -> None:
    """Do the five exercises of the deep-learning lab on MNIST, into one folder.

    Trains a logistic regression, a perceptron and a LeNet, saves and loads them, studies perceptron
    and LeNet layer by layer, maps pixels and hidden layers by t-SNE and PCA, measures and draws the
    maps, writes report.html, to be opened in a browser, and says what the numbers say. What is done
    already is not done again: a run that was stopped goes on where it was.
    """
    from ..lab import run_lab

    given = out or Path("unknot-lab-quick" if quick else "unknot-lab")
    folder = folder_to_write(given, "--out")
    with keeping(f"what is done is in {given}, and the same command goes on from there"):
        run_lab(folder, quick=quick, random_state=random_state, backend=backend, console=Terminal())
