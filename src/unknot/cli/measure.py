"""``unknot measure``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import JobsOption, MetricOption, PreprocessOption, SeedOption, command
from ._files import flatten_samples, read_array
from ._streams import Terminal, print_json


@command(
    "unknot measure points.npy labels.npy",
    "unknot measure points.npy labels.npy --map map.npy -m neighborhood",
    "unknot measure points.npy labels.npy --json > scores.json",
)
def measure(
    points: Annotated[
        Path,
        typer.Argument(metavar="POINTS", help="Points (n_samples, n_features), an .npy file."),
    ],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Class labels (n_samples,), an .npy file.")
    ],
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map", help="Map of the points (n_samples, 2), an .npy file.", show_default="none"
        ),
    ] = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            "-m",
            help="Name or family of measures; can be repeated.",
            show_default="all",
        ),
    ] = None,
    metric: MetricOption = "euclidean",
    preprocess: PreprocessOption = None,
    k: Annotated[
        int, typer.Option("-k", min=1, help="Number of neighbors of the Neighborhood Hit.")
    ] = 6,
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how untangled the classes of points are, in their space and on a map.

    Each score is printed with its 95 % interval and its value by chance.
    """
    from ..metrics import measure as measure_points

    array, classes = flatten_samples(read_array(points, "POINTS")), read_array(labels, "LABELS")
    scores = measure_points(
        array,
        classes,
        None if map_ is None else read_array(map_, "--map"),
        measures or None,
        metric=metric,
        preprocess=preprocess or None,
        k=k,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    if as_json:
        print_json(scores.to_json())
    else:
        Terminal().print(scores)
