"""Exercises 4 and 5: map the pixels and the hidden representations, and measure the maps."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._io.atomic import write_array
from .._io.cache import Step, Workspace
from .._typing import Map, Points
from ..datasets import Dataset, Split
from ..metrics import neighborhood_hit
from ..neighbors import NeighborGraph, nearest_neighbors
from ..projection import PCA, TSNE
from ._settings import HIDDEN_LAYER, STUDIED, LabSettings
from ._studies import folder_of, load_study

MAPS = (
    "pixels_train_tsne",
    "pixels_test_tsne",
    "pixels_test_pca",
    "perceptron_hidden_tsne",
    "lenet_hidden_tsne",
)


def draw_maps(
    workspace: Workspace, settings: LabSettings, data: Dataset, studied: Mapping[str, Step]
) -> Iterator[tuple[str, Step]]:
    """Compute and measure the maps, reusing finished ones; yield the name and step of each."""
    for name in MAPS:
        yield name, _draw_map(name, workspace, settings, data, studied)


def split_of_map(name: str, settings: LabSettings, data: Dataset) -> Split:
    """Return the samples of a map, in its order."""
    if name != "pixels_train_tsne":
        assert data.test is not None
        return data.test
    if settings.map_train_samples >= len(data.train):
        return data.train
    return data.train.sample(settings.map_train_samples, settings.random_state)


def _draw_map(
    name: str,
    workspace: Workspace,
    settings: LabSettings,
    data: Dataset,
    studied: Mapping[str, Step],
) -> Step:
    network = name.partition("_hidden")[0]
    hidden = network in STUDIED
    # The pixels are the same for all networks, so these maps depend on no study.
    needs = [studied[f"study_{network}"]] if hidden else []
    files = [f"maps/{name}.npy"]
    if hidden:
        files.append(f"representations/{network}_{HIDDEN_LAYER}.npy")
    split = split_of_map(name, settings, data)

    def work(_: str) -> dict[str, Any]:
        if hidden:
            return _map_of_study(files, workspace, network, HIDDEN_LAYER)
        if name == "pixels_test_tsne":
            return _map_of_study(files, workspace, STUDIED[0], "inputs")
        points = split.inputs.reshape(len(split), -1)
        if name == "pixels_test_pca":
            return _pca_map(files[0], workspace, settings, points, split)
        return _tsne_map(files[0], workspace, settings, points, split)

    return workspace.do(
        f"map_{name}",
        {
            "samples": len(split),
            "random_state": settings.random_state,
            "k": settings.k,
            **(
                {"perplexity": settings.perplexity, "max_iter": settings.max_iter}
                if name.endswith("tsne")
                else {}
            ),
        },
        needs,
        files,
        work,
    )


def _map_of_study(
    files: list[str], workspace: Workspace, network: str, name: str
) -> dict[str, Any]:
    """Write the map of a studied layer, and its points if a second file is given."""
    study = load_study(workspace, network)
    layer = study[name]
    assert layer.map is not None
    assert layer.scores is not None
    for file, array in zip(files, (layer.map, layer.points), strict=False):
        write_array(workspace.path(file), np.asarray(array[...]))
    hit = layer.scores["map_neighborhood_hit"]
    return {
        "n_samples": len(layer.map),
        "kl_divergence": layer.kl_divergence,
        **_hits(hit, layer.scores["neighborhood_hit"]),
        "seconds": study.seconds[f"{name}: neighbors"] + study.seconds[f"{name}: map"],
        "study": folder_of(network),
    }


def _pca_map(
    file: str, workspace: Workspace, settings: LabSettings, points: Points, split: Split
) -> dict[str, Any]:
    started = time.perf_counter()
    map_ = PCA(n_components=2).fit_transform(points)
    seconds = time.perf_counter() - started
    graph = load_study(workspace, STUDIED[0])["inputs"].graph
    assert graph is not None
    return _measure_map(file, workspace, settings, points, split, map_, graph, seconds)


def _tsne_map(
    file: str, workspace: Workspace, settings: LabSettings, points: Points, split: Split
) -> dict[str, Any]:
    started = time.perf_counter()
    # t-SNE and the Neighborhood Hit of the points share one neighbor graph.
    graph = nearest_neighbors(points, int(3 * settings.perplexity))
    tsne = TSNE(
        perplexity=settings.perplexity,
        max_iter=settings.max_iter,
        random_state=settings.random_state,
        progress=True,
    )
    map_ = tsne.fit_transform(points, graph=graph)
    seconds = time.perf_counter() - started
    result = _measure_map(file, workspace, settings, points, split, map_, graph, seconds)
    return {**result, "kl_divergence": float(tsne.kl_divergence_)}


def _measure_map(
    file: str,
    workspace: Workspace,
    settings: LabSettings,
    points: Points,
    split: Split,
    map_: Map,
    graph: NeighborGraph,
    seconds: float,
) -> dict[str, Any]:
    hit = neighborhood_hit(map_, split.labels, settings.k)
    native = neighborhood_hit(points, split.labels, settings.k, graph=graph)
    write_array(workspace.path(file), map_)
    return {"n_samples": len(points), **_hits(hit, native), "seconds": seconds}


def _hits(hit: Any, native: Any) -> dict[str, Any]:
    return {
        "neighborhood_hit": hit.value,
        "neighborhood_hit_per_class": [float(value) for value in hit.per_class],
        "neighborhood_hit_native": native.value,
    }
