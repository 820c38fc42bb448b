"""``unknot embed``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ._app import IterationsOption, JobsOption, SeedOption, app
from ._files import flat, read_array
from ._paths import file_to_write, keeping
from ._streams import Terminal, say


class Method(StrEnum):
    """Ways to a map."""

    tsne = "tsne"
    pca = "pca"


@app.command()
def embed(
    points: Annotated[Path, typer.Argument(help="An .npy file (n_samples, n_features).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .npy file to write the map to.")],
    method: Annotated[Method, typer.Option(help="How to make the map.")] = Method.tsne,
    perplexity: Annotated[float, typer.Option(help="Neighbors that count, for t-SNE.")] = 30.0,
    max_iter: IterationsOption = 1000,
    metric: Annotated[str, typer.Option(help="euclidean or cosine, for t-SNE.")] = "euclidean",
    random_state: SeedOption = 0,
    n_jobs: JobsOption = None,
) -> None:
    """Draw points as a map: (n_samples, 2), by t-SNE or PCA."""
    from .._io.atomic import write_array
    from ..projection import PCA, TSNE

    if out.suffix.lower() != ".npy":
        raise ValueError(f"--out must be an .npy file; got {str(out)!r}")
    target = file_to_write(out, "--out", inputs=(points,))
    array = flat(read_array(points, "POINTS"))
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
    with keeping(f"the map is in {out}"):
        say(f"Wrote {out}: {len(map_):,} points{message}.")
