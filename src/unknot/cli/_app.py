"""The Typer app, and the options that several commands share."""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from .. import __version__
from ._command import Command, Group

app = typer.Typer(
    name="unknot",
    cls=Group,
    help="See and measure how a neural network untangles the classes of its data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(*examples: str, name: str | None = None) -> Callable[[Any], Any]:
    """Return the decorator that registers a command, with the examples that end its help.

    Parameters
    ----------
    *examples : str
        Lines as a user types them; what follows ``#`` says what for.
    name : str, optional
        Name of the command; by default that of the function.
    """
    return app.command(name, cls=Command, epilog="\n".join(examples))


# File name of the page in the folder of a study.
PAGE = "report.html"


class Backend(StrEnum):
    """Keras' backends."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


BackendOption = Annotated[
    Backend | None,
    typer.Option(
        "--backend",
        help="Keras backend: tensorflow, jax or torch.",
        show_default="Keras' own setting",
    ),
]
FactoryOption = Annotated[
    str | None,
    typer.Option(
        "--factory",
        help="module:function that builds the PyTorch model of a state_dict.",
        show_default="none",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-pickle", help="Load PyTorch files and SavedModels that can run arbitrary code."
    ),
]
JobsOption = Annotated[
    int | None, typer.Option("--n-jobs", "-j", help="Number of threads.", show_default="all cores")
]
IterationsOption = Annotated[
    int, typer.Option("--max-iter", min=250, help="Number of t-SNE iterations.")
]
MetricOption = Annotated[
    str, typer.Option("--metric", help="Distance between points: euclidean or cosine.")
]
PreprocessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--preprocess",
        help="Done to the points first: center, standardize, normalize, whiten or remove_top_3; "
        "can be repeated, in order.",
        show_default="nothing",
    ),
]
WidthOption = Annotated[
    float | None,
    typer.Option(
        help="Width of figures in inches, for print: 3.3 is a column, 6.9 two.",
        show_default="for screens",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--random-state", min=0, help="Seed for reproducible results.")
]


def _print_version(value: bool) -> bool:
    if value:
        # This option is eager: --verbose may not have been parsed yet.
        if "--verbose" in sys.argv[1:]:
            from ._version import describe

            typer.echo(describe())
        else:
            typer.echo(f"unknot {__version__}")
        raise typer.Exit
    return value


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="With --version: print library versions, threads, BLAS and cache."
        ),
    ] = False,
) -> None:
    """See and measure how a neural network untangles the classes of its data, layer by layer."""
    if verbose:
        raise typer.BadParameter("it requires --version", param_hint="--verbose")
