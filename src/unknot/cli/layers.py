"""``unknot layers``."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .._io.text import shown
from ._app import BackendOption, FactoryOption, TrustOption, command
from ._streams import Terminal, print_json

if TYPE_CHECKING:
    from ..representations import Layer
else:
    Layer = Any


@command(
    "unknot layers model.onnx",
    "unknot layers model.keras mnist -l blocks",
)
def layers(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Saved model, or an .npz file of layer -> points, as for study."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Data set, as for study. Its first samples are run.",
            show_default="random samples that the model accepts",
        ),
    ] = None,
    patterns: Annotated[
        list[str] | None,
        typer.Option(
            "--layers",
            "-l",
            help="Name or pattern of layers, or 'blocks'; can be repeated.",
            show_default="all",
        ),
    ] = None,
    factory: FactoryOption = None,
    trust_pickle: TrustOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    backend: BackendOption = None,
) -> None:
    """List the layers of a model, and the blocks among them that a study takes by default."""
    from .._keras import import_keras
    from ..datasets import load_dataset
    from ..representations import list_layers, load_for_inference

    if backend is not None:
        import_keras(backend, feature="This model")
    inputs = None
    if data is not None:
        dataset = load_dataset(data)
        inputs = (dataset.test or dataset.train).inputs
    loaded = load_for_inference(model, factory=factory, trust_pickle=trust_pickle)
    found = list_layers(loaded, inputs)
    chosen = _matching(found, patterns or [])
    if as_json:
        print_json(json.dumps([_described(layer) for layer in chosen], indent=2))
        return
    console = Terminal()
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("shape", overflow="fold")
    table.add_column("numbers", justify="right")
    table.add_column("block")
    for layer in chosen:
        shape = " × ".join(f"{size:,}" for size in layer.shape)
        mark = "yes" if layer.is_block else ""
        table.add_row(shown(layer.name), shown(layer.kind), shape, f"{layer.size:,}", mark)
    console.print(table, highlight=False, markup=False)
    n_blocks = sum(layer.is_block for layer in found)
    of = "made-up samples" if data is None and not isinstance(loaded, dict) else "the samples"
    console.print_line(
        f"{n_blocks} of {len(found)} layers are taken by default; shapes are those of {of}."
    )


def _matching(found: tuple[Layer, ...], patterns: list[str]) -> list[Layer]:
    """Return the layers that any of the patterns names.

    Raises
    ------
    ValueError
        If a pattern names none.
    """
    from fnmatch import fnmatchcase

    from .._io.text import no_such_layer

    if not patterns:
        return list(found)
    names = [layer.name for layer in found]
    wanted: set[str] = set()
    for pattern in patterns:
        matched = {
            layer.name
            for layer in found
            if layer.name == pattern
            or fnmatchcase(layer.name, pattern)
            or (pattern == "blocks" and layer.is_block)
        }
        if not matched and pattern != "all":
            raise ValueError(f"--layers: no layer {pattern!r}{no_such_layer(pattern, names)}")
        wanted |= matched or set(names)
    return [layer for layer in found if layer.name in wanted]


def _described(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "size": layer.size,
        "is_block": layer.is_block,
        "same_as": layer.same_as,
    }
