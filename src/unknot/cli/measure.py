"""``unknot measure``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import JobsOption, SeedOption, app
from ._files import flat, read_array
from ._streams import Terminal, say_json


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
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors of the Neighborhood Hit.")] = 6,
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how untangled the classes of points are, natively and on a map.

    Each score comes with its 95 % interval and with what chance would give.
    """
    from ..metrics import measure as measure_points

    array, classes = flat(read_array(points, "POINTS")), read_array(labels, "LABELS")
    scores = measure_points(
        array,
        classes,
        None if map_ is None else read_array(map_, "--map"),
        measures or None,
        k=k,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    if as_json:
        say_json(scores.to_json())
    else:
        Terminal().print(scores)
