"""``unknot study``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .._io.text import shown
from ._app import (
    PAGE,
    BackendOption,
    FactoryOption,
    IterationsOption,
    JobsOption,
    MetricOption,
    PreprocessOption,
    SeedOption,
    TrustOption,
    command,
)
from ._files import read_labels_alone, read_table
from ._maps import mappers_of, maps_of
from ._paths import folder_to_write, note_on_output_error
from ._printing import print_study
from ._streams import Terminal

# Headings in the help, below the options that most users need.
_MODEL = "Model and labels"
_MAPS = "Maps and scores"
_SIZE = "Time and space"


@command(
    "unknot study lenet.keras mnist -o my-study",
    "unknot study layers.npz labels.npy      # saved activations and their labels",
    'unknot study model.onnx photos/ -l "block*" --max-samples 5000',
    "unknot study bert/ texts.npz --plan     # only says what it would take",
    "unknot study epochs/*.keras mnist       # each checkpoint, and a page of all",
    "unknot study lenet.keras mnist --mapper umap.UMAP",
)
def study(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="One or several saved models: .keras, .h5, .yaml, .onnx, .pt2, TorchScript, a "
            "state_dict or .safetensors (with --factory), or a folder of Hugging Face, "
            "SentenceTransformers, timm or a SavedModel; or an .npz file of layer -> points.",
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Data set: mnist, digits, an .npz file, or a folder of IDX files or images. For "
            "an .npz file of layers, labels alone: an .npy file, or a .txt file with one a line.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Output folder.", show_default="study-MODEL"
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layers",
            "-l",
            help="Name, pattern or depth of layers; can be repeated.",
            show_default="all",
        ),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "-m",
            help="Name or family of measures, or 'all'; can be repeated.",
            show_default="fast measures",
        ),
    ] = None,
    metric: MetricOption = "euclidean",
    preprocess: PreprocessOption = None,
    max_samples: Annotated[
        int | None, typer.Option(min=4, help="Maximum number of samples.", show_default="all")
    ] = None,
    perplexity: Annotated[
        float,
        typer.Option(min=1, help="Effective number of neighbors of t-SNE.", rich_help_panel=_MAPS),
    ] = 30.0,
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, help="Number of neighbors of the Neighborhood Hit.", rich_help_panel=_MAPS
        ),
    ] = 6,
    n_neighbors: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of neighbors in the graphs; at least 3 times the perplexity.",
            rich_help_panel=_MAPS,
        ),
    ] = 90,
    max_iter: IterationsOption = 1000,
    mapper: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="What else maps each layer: a class of an installed module with fit_transform, "
            'such as umap.UMAP, "umap.UMAP(n_neighbors=50)" or NAME=CLASS; can be repeated. It is '
            "given the seed of --random-state.",
            show_default="none",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Your own maps, as NAME=FILE: an .npz file of layer -> map (n_samples, 2); can be "
            "repeated.",
            show_default="none",
            rich_help_panel=_MAPS,
        ),
    ] = None,
    coherence: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="How strongly the maps of layers are coupled, so that only what changed moves; 0: "
            "not at all.",
            rich_help_panel=_MAPS,
        ),
    ] = 0.1,
    factory: FactoryOption = None,
    trust_pickle: TrustOption = False,
    class_names: Annotated[
        str | None,
        typer.Option(
            help="Names of the classes in the order of the model's outputs: with commas between "
            "them, or a text file with one a line.",
            show_default="the data's",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    ignore_labels: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore-label",
            help="Label of samples that are mapped but in no score; can be repeated.",
            show_default="-1 and -100",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    label_kind: Annotated[
        str | None,
        typer.Option(
            help="What labels are: classes or values.",
            show_default="values if they have fractions",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="CSV file of what else is known of each sample, with a header.",
            show_default="none",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    accuracy: Annotated[
        bool | None,
        typer.Option(
            "--accuracy/--no-accuracy",
            help="Whether the outputs are the classes in their order; not those of an encoder.",
            show_default="if it is known",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained/--no-untrained",
            help="Also measure an untrained copy of the network.",
            rich_help_panel=_MODEL,
        ),
    ] = True,
    keep_points: Annotated[
        bool,
        typer.Option(
            "--keep-points/--no-keep-points",
            help="Store the points of the layers, which take most of the space.",
            rich_help_panel=_SIZE,
        ),
    ] = True,
    max_memory: Annotated[
        str | None,
        typer.Option(
            help='Memory limit for layers, such as "2 GB".',
            show_default="1 GB",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(
            help="Pooling of tokens and pixels: auto, mean, max, cls, last, cls+mean, flatten, or "
            "the side of a grid of cells; can be repeated.",
            show_default="auto",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only say what the study would take, after a few samples."),
    ] = False,
    project: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of features to which larger layers are projected.",
            show_default="none",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    n_refits: Annotated[
        int,
        typer.Option(
            min=0,
            help="Times to map halves of the samples anew, for intervals of the maps' scores.",
            rich_help_panel=_MAPS,
        ),
    ] = 0,
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
    backend: BackendOption = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler whose workers make the studies, or the stages of one: its "
            "address, the path of its file, or auto for one on this machine.",
            show_default="none",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder, or address such as s3://bucket/prefix, for all samples, where they are "
            "more than memory holds: --max-samples of them (100,000) are mapped, and all get "
            "scores and places on the maps.",
            show_default="none",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    neighbors_of_all: Annotated[
        bool,
        typer.Option(
            "--neighbors-of-all",
            help="With --store, also search the neighbors of all samples; slow.",
            rich_help_panel=_SIZE,
        ),
    ] = False,
) -> None:
    """Study every layer of a trained model on labeled data: maps, scores and controls.

    Finished parts are reused: an interrupted run continues where it stopped.
    """
    from .._keras import import_keras

    if backend is not None:
        import_keras(backend, feature="This model")
    options = {
        "layers": _layers_of(layers),
        "measures": "all" if measures == ["all"] else measures or None,
        "metric": metric,
        "preprocess": preprocess or None,
        "max_samples": max_samples,
        "perplexity": perplexity,
        "k": k,
        "n_neighbors": n_neighbors,
        "max_iter": max_iter,
        "mapper": mappers_of(mapper, random_state),
        "coherence": coherence,
        "untrained": untrained,
        "keep_points": keep_points,
        "metadata": None if metadata is None else read_table(metadata, "--metadata"),
        "class_names": _class_names_of(class_names),
        "ignore_labels": [*map(_int_or_str, ignore_labels)] if ignore_labels else (-1, -100),
        "label_kind": label_kind,
        "accuracy": accuracy,
        "max_memory": max_memory,
        "pool": _pool_of(pool),
        "project": project,
        "measure_options": {"n_refits": n_refits} if n_refits else None,
        "random_state": random_state,
        "n_jobs": n_jobs,
        "client": True if scheduler == "auto" else scheduler,
    }
    loading = {"factory": factory, "trust_pickle": trust_pickle}
    if len(models) > 1:
        if plan:
            raise ValueError("--plan is of one model; name one")
        if store is not None or neighbors_of_all:
            raise ValueError("--store is of one model; name one")
        if maps:
            raise ValueError("--maps is of one model; name one")
        _study_many(models, data, out or Path("studies"), loading, options)
    else:
        all_samples = {"store": store, "neighbors_of_all": neighbors_of_all}
        own = {"maps": maps_of(maps), "plan": plan, **all_samples}
        _study_one(models[0], data, out, loading, {**options, **own})


def _study_one(
    model: str, data: str, out: Path | None, loading: dict[str, Any], options: dict[str, Any]
) -> None:
    from .._io.folders import inside
    from ..datasets import load_dataset
    from ..report import write_report
    from ..representations import load_for_inference
    from ..studies import Plan
    from ..studies import study as study_model

    console = Terminal()
    out = out or Path(f"study-{Path(model).name}")
    folder = folder_to_write(out, "--out")
    labels = read_labels_alone(data)
    dataset: Any = load_dataset(data) if labels is None else (None, labels)

    def print_stage(layer: str, stage: str, seconds: float, reused: bool) -> None:
        status = "done before" if reused else f"{seconds:.1f} s"
        console.print(shown(f"  {layer}: {stage}, {status}"), highlight=False, markup=False)

    def print_plan(said: Plan) -> None:
        # Between words on a terminal, and on one line elsewhere.
        whole = not console.is_terminal
        console.print(shown(str(said)), highlight=False, markup=False, soft_wrap=whole)

    console.print(shown(f"Studying {model} on {data}, into {out}"), highlight=False, markup=False)
    loaded = load_for_inference(model, **loading)
    is_points = isinstance(loaded, Mapping)
    if options["store"] is not None and not is_points and not any(loading.values()):
        loaded = Path(model)  # which workers load
    if labels is not None and not is_points:
        raise ValueError(
            f"DATA: {data} holds labels alone, which do for an .npz file of layers; {model} needs "
            "inputs too: write both with numpy.savez(path, inputs=inputs, labels=labels)"
        )
    with note_on_output_error(f"finished parts are in {out}; run the same command to continue"):
        result: Any = study_model(
            loaded,
            dataset,
            out=folder,
            name=Path(model).stem,
            on_stage=print_stage,
            on_plan=print_plan,
            **options,
        )
    if isinstance(result, Plan):
        print_plan(result)
        for note in result.notes:
            console.print_line(f"{note}.")
        return
    with note_on_output_error(f"the study is complete in {out}; write its page with unknot report"):
        write_report(result, inside(folder, PAGE), n_jobs=options["n_jobs"])
        console.print()
        print_study(console, result)
        console.print_line(
            f"Everything is in {out}. Its page is {out / PAGE} (unknot open {out}); all scores and "
            f"the figures: unknot show {out} --wide."
        )


def _study_many(
    models: list[str], data: str, out: Path, loading: dict[str, Any], options: dict[str, Any]
) -> None:
    from .._io.folders import inside
    from ..studies import study_many

    console = Terminal()
    folder = folder_to_write(out, "--out")
    labels = read_labels_alone(data)

    def print_study_ended(name: str, seconds: float, error: str) -> None:
        outcome = f"failed: {error}" if error else f"{seconds:.1f} s"
        console.print_line(f"  {name}: {outcome}")

    console.print_line(f"Studying {len(models)} models on {data}, into {out}")
    with note_on_output_error(f"finished parts are in {out}; run the same command to continue"):
        studies = study_many(
            models,
            data if labels is None else (None, labels),
            out=folder,
            load_options=loading,
            on_study=print_study_ended,
            **options,
        )
        studies.report(inside(folder, PAGE))
        console.print()
        console.print(studies, highlight=False)
        console.print_line(
            f"Everything is in {out}, a study in each folder (unknot open {out}/NAME); the page of "
            f"all is {out / PAGE}."
        )


def _layers_of(layers: list[str] | None) -> Any:
    """Return what `study` takes: blocks, all, or names, patterns and indices."""
    if not layers or layers == ["blocks"]:
        return "blocks"
    return "all" if layers == ["all"] else [_int_or_str(layer) for layer in layers]


def _pool_of(pool: list[str] | None) -> Any:
    found = [_int_or_str(item) for item in pool or ["auto"]]
    return found[0] if len(found) == 1 else found


def _class_names_of(given: str | None) -> list[str] | None:
    """Return the names in a text file, or between commas."""
    if given is None:
        return None
    if Path(given).is_file():
        text = Path(given).read_text(encoding="utf-8-sig")
        return [line.strip() for line in text.splitlines() if line.strip()]
    return [name.strip() for name in given.split(",")]


def _int_or_str(text: str) -> int | str:
    return int(text) if re.fullmatch("-?[0-9]{1,9}", text) else text
