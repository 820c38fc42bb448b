"""The command ``unknot``: one function a command, which reads files and calls the package."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from . import __version__
from ._typing import Array

app = typer.Typer(
    name="unknot",
    help="See and measure how a neural network untangles the classes of its data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Backend(StrEnum):
    """Keras' backends."""

    tensorflow = "tensorflow"
    jax = "jax"
    torch = "torch"


class Method(StrEnum):
    """Ways to a map."""

    tsne = "tsne"
    pca = "pca"


BackendOption = Annotated[
    Backend | None, typer.Option("--backend", help="Keras' backend. (default: what Keras uses)")
]
JobsOption = Annotated[int | None, typer.Option(help="Threads. (default: every core)")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]


def _print_version(wanted: bool) -> bool:
    if wanted:
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
) -> None:
    """See and measure how a neural network untangles the classes of its data, layer by layer."""


@app.command()
def lab(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for everything. (default: unknot-lab or unknot-lab-quick)"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A subset, in seconds.")] = False,
    seed: SeedOption = 0,
    backend: BackendOption = None,
) -> None:
    """Do the five exercises of the deep-learning lab on MNIST, into one folder.

    Trains a logistic regression, a perceptron and a LeNet, saves and loads them, maps pixels and
    hidden layers by t-SNE and PCA, measures and draws the maps, and says what the numbers say. What
    is done already is not done again: a run that was stopped goes on where it was.
    """
    from .lab import run_lab

    folder = out or Path("unknot-lab-quick" if quick else "unknot-lab")
    run_lab(folder, quick=quick, seed=seed, backend=backend)


@app.command()
def train(
    network: Annotated[
        str,
        typer.Argument(
            help="logistic_regression, perceptron, lenet, or a saved model to train further."
        ),
    ],
    data: Annotated[
        str, typer.Argument(help="mnist, digits, an .npz file, or a folder of IDX files or images.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to save: .keras, .h5 or .yaml.")],
    epochs: Annotated[int, typer.Option(min=1, help="Times through the data.")] = 10,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples in a step.")] = 100,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the gradient descent. (default: 0.1, or the model's)")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Evaluate on the test data after every epoch.")
    ] = False,
    seed: SeedOption = 0,
    backend: BackendOption = None,
) -> None:
    """Train a network on labelled data; save it, and its history as CSV beside it."""
    from . import networks
    from ._keras import import_keras
    from .datasets import load_dataset
    from .training import load, save
    from .training import train as train_model
    from .training._saving import check_path

    check_path(out)
    import_keras(backend, feature="Training")
    dataset = load_dataset(data)
    if network in networks.__all__:
        model = getattr(networks, network)(
            dataset.n_classes, dataset.train.inputs.shape[1:], random_state=seed
        )
    elif Path(network).exists():
        model = load(network)
    else:
        raise ValueError(
            f"network must be {', '.join(networks.__all__)} or a saved model's path; "
            f"got {network!r}"
        )
    history = train_model(
        model,
        dataset,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validate=validate,
        random_state=seed,
    )
    save(model, out)
    history_path = out.with_name(out.name.partition(".")[0] + ".csv")
    history.to_csv(history_path)
    typer.echo(f"Saved {out} and {history_path} after {history.epochs} epochs.")
    if history.interrupted:
        raise typer.Exit(130)


@app.command()
def embed(
    points: Annotated[Path, typer.Argument(help="An .npy file (n_samples, n_features).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .npy file to write the map to.")],
    method: Annotated[Method, typer.Option(help="How to make the map.")] = Method.tsne,
    perplexity: Annotated[float, typer.Option(help="Neighbours that count, for t-SNE.")] = 30.0,
    iterations: Annotated[int, typer.Option(min=250, help="Of t-SNE.")] = 1000,
    metric: Annotated[str, typer.Option(help="euclidean or cosine, for t-SNE.")] = "euclidean",
    seed: SeedOption = 0,
    jobs: JobsOption = None,
) -> None:
    """Draw points as a map: (n_samples, 2), by t-SNE or PCA."""
    from ._files import write_array
    from .projection import PCA, TSNE

    if out.suffix != ".npy":
        raise ValueError(f"--out must be an .npy file; got {str(out)!r}")
    array = _flat(_read_array(points, "POINTS"))
    if method is Method.pca:
        map_ = PCA(n_components=2).fit_transform(array)
        said = ""
    else:
        tsne = TSNE(
            perplexity=perplexity,
            max_iter=iterations,
            metric=metric,
            random_state=seed,
            n_jobs=jobs,
            progress=True,
        )
        map_ = tsne.fit_transform(array)
        said = f", KL divergence {tsne.kl_divergence_:.4f}"
    write_array(out, map_)
    typer.echo(f"Wrote {out}: {len(map_):,} points{said}.")


@app.command()
def measure(
    points: Annotated[Path, typer.Argument(help="An .npy file (n_samples, n_features).")],
    labels: Annotated[Path, typer.Argument(help="An .npy file (n_samples,).")],
    map_: Annotated[
        Path | None, typer.Option("--map", help="A map of the points, (n_samples, 2), as .npy.")
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option("--measures", "-m", help="Some only, by name or family; repeat for more."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours of the Neighborhood Hit.")] = 6,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how untangled the classes of points are, natively and on a map.

    Each score comes with its 95 % interval and with what chance would give.
    """
    from .metrics import measure as measure_points

    array, classes = _flat(_read_array(points, "POINTS")), _read_array(labels, "LABELS")
    scores = measure_points(
        array,
        classes,
        None if map_ is None else _read_array(map_, "--map"),
        measures or None,
        k=k,
        random_state=seed,
        n_jobs=jobs,
    )
    if as_json:
        typer.echo(scores.to_json())
    else:
        Console().print(scores)


def _flat(array: Array) -> Array:
    """Flatten each sample, as a layer of a network may be of any shape."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def _read_array(path: Path, name: str) -> Array:
    if not path.is_file():
        raise FileNotFoundError(f"{name}: {path}: no such file")
    try:
        array: Any = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{name}: {path} is not a whole .npy file of plain values; "
            "write it with numpy.save(path, array)"
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{name}: {path} holds several arrays; save the one you mean as .npy")
    return array


def main() -> None:
    """Run the command line; every error is one line on standard error and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output has gone; Python must not try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # the last stop: the user gets a line, not a traceback
        if os.environ.get("UNKNOT_TRACEBACK"):
            raise
        print(f"unknot: {_one_line(error)}", file=sys.stderr)
        code = 2
    sys.exit(code or 0)


def _one_line(error: Exception) -> str:
    if callable(usage := getattr(error, "format_message", None)):  # a wrong use of the command
        return f"{' '.join(usage().split())} (unknot --help says more)"
    text = " ".join(str(error).split())
    if isinstance(error, (ValueError, TypeError, OSError, ImportError)) and text:
        return text
    if isinstance(error, MemoryError):
        return f"out of memory ({text}); use fewer samples" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (UNKNOT_TRACEBACK=1 shows where)"
