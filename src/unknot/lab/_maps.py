"""Exercises 4 and 5: maps of the pixels and of the hidden representations, and their measures."""

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
    """Make and measure each map that is not made yet; yield its name and step when it is done."""
    for name in MAPS:
        yield name, _draw_map(name, workspace, settings, data, studied)


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
    studied: Mapping[str, Step],
) -> Step:
    network = name.partition("_hidden")[0]
    hidden = network in STUDIED
    # The studies' inputs are the same pixels, whatever the network.
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
            return _by_pca(files[0], workspace, settings, points, split)
        return _by_tsne(files[0], workspace, settings, points, split)

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
        files,
        work,
    )


def _map_of_study(
    files: list[str], workspace: Workspace, network: str, name: str
) -> dict[str, Any]:
    """Write the map of a layer, and its points if there is a file for them."""
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


def _by_pca(
    file: str, workspace: Workspace, settings: LabSettings, points: Points, split: Split
) -> dict[str, Any]:
    started = time.perf_counter()
    map_ = PCA(n_components=2).fit_transform(points)
    seconds = time.perf_counter() - started
    graph = load_study(workspace, STUDIED[0])["inputs"].graph
    assert graph is not None
    return _measured(file, workspace, settings, points, split, map_, graph, seconds)


def _by_tsne(
    file: str, workspace: Workspace, settings: LabSettings, points: Points, split: Split
) -> dict[str, Any]:
    started = time.perf_counter()
    # One search serves the affinities and the native Neighborhood Hit.
    graph = nearest_neighbors(points, int(3 * settings.perplexity))
    tsne = TSNE(
        perplexity=settings.perplexity,
        max_iter=settings.iterations,
        random_state=settings.seed,
        progress=True,
    )
    map_ = tsne.fit_transform(points, graph=graph)
    seconds = time.perf_counter() - started
    found = _measured(file, workspace, settings, points, split, map_, graph, seconds)
    return {**found, "kl_divergence": float(tsne.kl_divergence_)}


def _measured(
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
