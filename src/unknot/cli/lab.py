"""``unknot lab``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import BackendOption, SeedOption, command
from ._paths import folder_to_write, note_on_output_error
from ._streams import Terminal


@command(
    "unknot lab --quick         # on a part of MNIST, in seconds",
    "unknot lab --out my-lab    # in full; run it again to continue",
)
def lab(
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Output folder.", show_default="unknot-lab or unknot-lab-quick"
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run a subset that takes seconds.")
    ] = False,
    random_state: SeedOption = 0,
    backend: BackendOption = None,
) -> None:
    """Run the five exercises of the deep-learning lab on MNIST.

    Trains a logistic regression, a perceptron and LeNet; saves and reloads them; studies perceptron
    and LeNet layer by layer; maps pixels and hidden layers by t-SNE and PCA; measures and draws the
    maps; writes report.html, to open in a browser; and prints a summary. Finished steps are reused:
    an interrupted run continues where it stopped.
    """
    from ..lab import run_lab

    out = out or Path("unknot-lab-quick" if quick else "unknot-lab")
    folder = folder_to_write(out, "--out")
    with note_on_output_error(f"finished steps are in {out}; run the same command to continue"):
        run_lab(folder, quick=quick, random_state=random_state, backend=backend, console=Terminal())
