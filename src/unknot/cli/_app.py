"""The command line itself, and what its commands have in common."""

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
JobsOption = Annotated[int | None, typer.Option(help="Threads. (default: every core)")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="With --version: versions, threads, BLAS, cache."),
    ] = False,
) -> None:
    """See and measure how a neural network untangles the classes of its data, layer by layer."""
    if version:
        from ._version import describe

        typer.echo(describe() if verbose else f"unknot {__version__}")
        raise typer.Exit
    if verbose:
        raise typer.BadParameter("it goes with --version", param_hint="--verbose")
    if context.invoked_subcommand is None:
        raise typer.BadParameter("a command is missing", param_hint="COMMAND")
