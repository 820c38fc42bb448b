"""``unknot study``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .._io.text import shown
from ._app import PAGE, BackendOption, IterationsOption, JobsOption, SeedOption, app
from ._paths import folder_to_write, keeping
from ._streams import Terminal

if TYPE_CHECKING:
    from ..studies import Study
else:
    Study = Any


@app.command()
def study(
    model: Annotated[
        str,
        typer.Argument(
            help="A saved model: .keras, .h5, .yaml, .onnx, .pt2, TorchScript or a state_dict "
            "(with --factory); or an .npz of layer -> points."
        ),
    ],
    data: Annotated[
        str, typer.Argument(help="mnist, digits, an .npz file, or a folder of IDX files or images.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder. (default: study-MODEL)")
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layers", "-l", help="Layers by name, pattern or depth; repeat it for more."
        ),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures", "-m", help="Measures by name or family, or 'all'; repeat it for more."
        ),
    ] = None,
    max_samples: Annotated[
        int | None, typer.Option(min=4, help="Samples to draw, at most. (default: all)")
    ] = None,
    perplexity: Annotated[float, typer.Option(min=1, help="Of t-SNE.")] = 30.0,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors of the Neighborhood Hit.")] = 6,
    n_neighbors: Annotated[
        int, typer.Option(min=1, help="Neighbors in the graphs, 3 times the perplexity.")
    ] = 90,
    max_iter: IterationsOption = 1000,
    factory: Annotated[
        str | None,
        typer.Option(help="module:function that builds the PyTorch model of a state_dict."),
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Load a PyTorch file that can run any code.",
        ),
    ] = False,
    untrained: Annotated[
        bool,
        typer.Option("--untrained/--no-untrained", help="Measure the network with fresh weights."),
    ] = True,
    keep_points: Annotated[
        bool,
        typer.Option("--keep-points/--no-keep-points", help="Keep the points, most of the size."),
    ] = True,
    max_memory: Annotated[
        str | None, typer.Option(help='For layers, such as "2 GB". (default: 1 GB)')
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="For images: mean, max, or the side of a grid of cells.")
    ] = None,
    project: Annotated[
        int | None, typer.Option(min=1, help="Project larger layers to this many features.")
    ] = None,
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
    backend: BackendOption = None,
) -> None:
    """Study every layer of a trained model on labeled data: maps, scores and controls.

    What is done already is not done again: a run that was stopped goes on where it was.
    """
    from .._io.folders import inside
    from .._keras import import_keras
    from ..datasets import load_dataset
    from ..report import write_report
    from ..representations import load_for_inference
    from ..studies import study as study_model

    console = Terminal()
    given = out or Path(f"study-{Path(model).name}")
    folder = folder_to_write(given, "--out")
    dataset = load_dataset(data)
    if backend is not None:
        import_keras(backend, feature="This model")

    def told(layer: str, stage: str, seconds: float, reused: bool) -> None:
        what = "done before" if reused else f"{seconds:.1f} s"
        console.print(shown(f"  {layer}: {stage}, {what}"), highlight=False, markup=False)

    console.print(shown(f"Studying {model} on {data}, into {given}"), highlight=False, markup=False)
    loaded = load_for_inference(model, factory=factory, trust_pickle=trust_pickle)
    with keeping(f"what is done is in {given}, and the same command goes on from there"):
        found = study_model(
            loaded,
            dataset,
            layers=[_number_or_text(each) for each in layers] if layers else None,
            measures="all" if measures == ["all"] else measures or None,
            out=folder,
            name=Path(model).stem,
            max_samples=max_samples,
            perplexity=perplexity,
            k=k,
            n_neighbors=n_neighbors,
            max_iter=max_iter,
            untrained=untrained,
            keep_points=keep_points,
            max_memory=max_memory,
            pool=None if pool is None else _number_or_text(pool),
            project=project,
            random_state=random_state,
            n_jobs=n_jobs,
            on_stage=told,
        )
    with keeping(f"the study is whole in {given}: unknot report writes its page"):
        write_report(found, inside(folder, PAGE), n_jobs=n_jobs)
        console.print()
        print_study(console, found)
        console.say(
            f"Everything is in {given}; open {given / PAGE} in a browser, or draw the figures with "
            f"unknot show {given}."
        )


def _number_or_text(text: str) -> int | str:
    return int(text) if re.fullmatch("-?[0-9]{1,9}", text) else text


def print_study(console: Console, found: Study) -> None:
    """Print what a study found."""
    accuracy = "" if found.accuracy is None else f", accuracy {100 * found.accuracy:.2f} %"
    samples = f"{len(found.labels):,} samples of {len(found.class_names)} classes"
    console.print(shown(f"{found.name}: {samples}{accuracy}"), highlight=False, markup=False)
    console.print(found.scores, highlight=False)
    notes = [(found.name, note) for note in found.notes]
    notes += [(name, note) for name, layer in found.layers.items() for note in layer.notes]
    notes += [
        (name, f"a view of {layer.same_as}, not measured again")
        for name, layer in found.layers.items()
        if layer.same_as
    ]
    for name, note in notes:
        console.print(shown(f"{name}: {note}."), style="yellow", highlight=False, markup=False)
