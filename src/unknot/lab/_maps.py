"""Exercises 4 and 5: maps of the pixels and of the hidden representations, and their measures."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._files import write_array
from .._typing import Points
from .._workspace import Step, Workspace
from ..datasets import Dataset, Split
from ..metrics import neighborhood_hit
from ..neighbors import nearest_neighbors
from ..projection import PCA, TSNE
from ._networks import HIDDEN_LAYER
from ._settings import LabSettings

MAPS = (
    "pixels_train_tsne",
    "pixels_test_tsne",
    "pixels_test_pca",
    "perceptron_hidden_tsne",
    "lenet_hidden_tsne",
)


def draw_maps(
    workspace: Workspace, settings: LabSettings, data: Dataset, trained: Mapping[str, Step]
) -> Iterator[tuple[str, Step]]:
    """Make and measure each map that is not made yet; yield its name and step when it is done."""
    for name in MAPS:
        yield name, _draw_map(name, workspace, settings, data, trained)


def split_of_map(name: str, settings: LabSettings, data: Dataset) -> Split:
    """Return the samples that a map shows, in its order."""
    if name != "pixels_train_tsne":
        assert data.test is not None
        return data.test
    if settings.map_train_samples >= len(data.train):
        return data.train
    return data.train.sample(settings.map_train_samples, settings.seed)


def _draw_map(
    name: str,
    workspace: Workspace,
    settings: LabSettings,
    data: Dataset,
    trained: Mapping[str, Step],
) -> Step:
    network = name.partition("_hidden")[0]
    needs = [trained[network]] if network in trained else []
    split = split_of_map(name, settings, data)

    def points() -> Points:
        if needs:
            hidden: Points = np.load(
                workspace.path(f"representations/{network}_{HIDDEN_LAYER}.npy")
            )
            return hidden
        return split.inputs.reshape(len(split), -1)

    def work(_: str) -> dict[str, Any]:
        return _embed_and_measure(name, workspace, settings, points(), split)

    return workspace.do(
        f"map_{name}",
        {
            "samples": len(split),
            "seed": settings.seed,
            "k": settings.k,
            **(
                {"perplexity": settings.perplexity, "iterations": settings.iterations}
                if name.endswith("tsne")
                else {}
            ),
        },
        needs,
        [f"maps/{name}.npy"],
        work,
    )


def _embed_and_measure(
    name: str, workspace: Workspace, settings: LabSettings, points: Points, split: Split
) -> dict[str, Any]:
    started = time.perf_counter()
    result: dict[str, Any] = {"n_samples": len(points)}
    if name.endswith("pca"):
        map_ = PCA(n_components=2).fit_transform(points)
        graph = nearest_neighbors(points, settings.k)
    else:
        # One search serves the affinities and the native Neighborhood Hit.
        graph = nearest_neighbors(points, int(3 * settings.perplexity))
        tsne = TSNE(
            perplexity=settings.perplexity,
            max_iter=settings.iterations,
            random_state=settings.seed,
            progress=True,
        )
        map_ = tsne.fit_transform(points, graph=graph)
        result["kl_divergence"] = float(tsne.kl_divergence_)
    seconds = time.perf_counter() - started
    hit = neighborhood_hit(map_, split.labels, settings.k)
    native = neighborhood_hit(points, split.labels, settings.k, graph=graph)
    write_array(workspace.path(f"maps/{name}.npy"), map_)
    return {
        **result,
        "neighborhood_hit": hit.value,
        "neighborhood_hit_per_class": [float(value) for value in hit.per_class],
        "neighborhood_hit_native": native.value,
        "seconds": seconds,
    }
