"""``unknot embed``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ._app import IterationsOption, JobsOption, SeedOption, command
from ._files import flatten_samples, read_array
from ._paths import file_to_write, note_on_output_error
from ._streams import Terminal, print_line


class Method(StrEnum):
    """Projection methods."""

    tsne = "tsne"
    pca = "pca"


@command(
    "unknot embed points.npy -o map.npy",
    "unknot embed points.npy -o map.npy --metric cosine --perplexity 50",
    "unknot embed points.npy -o map.npy --method pca",
)
def embed(
    points: Annotated[
        Path,
        typer.Argument(metavar="POINTS", help="Points (n_samples, n_features), an .npy file."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Map to write, an .npy file.")
    ],
    method: Annotated[Method, typer.Option(help="Projection method: tsne or pca.")] = Method.tsne,
    perplexity: Annotated[
        float, typer.Option(help="Effective number of neighbors of t-SNE.")
    ] = 30.0,
    max_iter: IterationsOption = 1000,
    metric: Annotated[
        str, typer.Option(help="Metric of t-SNE: euclidean or cosine.")
    ] = "euclidean",
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
) -> None:
    """Compute a two-dimensional map of points by t-SNE or PCA."""
    from .._io.atomic import write_array
    from .._validation.points import require_finite
    from ..projection import PCA, TSNE

    if out.suffix.lower() != ".npy":
        raise ValueError(f"--out must be an .npy file; got {str(out)!r}")
    target = file_to_write(out, "--out", inputs=(points,))
    array = flatten_samples(read_array(points, "POINTS"))
    require_finite(array, "POINTS")
    if method is Method.pca:
        map_ = PCA(n_components=2).fit_transform(array)
        message = ""
    else:
        tsne = TSNE(
            perplexity=perplexity,
            max_iter=max_iter,
            metric=metric,
            random_state=random_state,
            n_jobs=n_jobs,
            progress=Terminal().is_terminal,
        )
        map_ = tsne.fit_transform(array)
        message = f", KL divergence {tsne.kl_divergence_:.4f}"
    write_array(target, map_)
    with note_on_output_error(f"the map was written to {out}"):
        print_line(f"Wrote {out}: {len(map_):,} points{message}.")
