"""The command line itself, and what its commands have in common."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from .. import __version__

app = typer.Typer(
    name="unknot",
    help="See and measure how a neural network untangles the classes of its data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# The page in a study's folder.
PAGE = "report.html"


class Backend(StrEnum):
    """Keras' backends."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


BackendOption = Annotated[
    Backend | None, typer.Option("--backend", help="Keras' backend. (default: what Keras uses)")
]
JobsOption = Annotated[
    int | None, typer.Option("--n-jobs", "-j", help="Threads. (default: every core)")
]
IterationsOption = Annotated[int, typer.Option("--max-iter", min=250, help="Iterations of t-SNE.")]
SeedOption = Annotated[
    int, typer.Option("--random-state", min=0, help="Seed of every random draw.")
]


def _print_version(wanted: bool) -> bool:
    if wanted:
        # Options are read in the order they are given in, and this one ends the reading.
        if "--verbose" in sys.argv[1:]:
            from ._version import describe

            typer.echo(describe())
        else:
            typer.echo(f"unknot {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With --version: versions, threads, BLAS, cache.")
    ] = False,
) -> None:
    """See and measure how a neural network untangles the classes of its data, layer by layer."""
    if verbose:
        raise typer.BadParameter("it goes with --version", param_hint="--verbose")
