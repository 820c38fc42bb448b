"""Figures of the lab, redrawn only if their data have changed."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .. import figures
from .._io.cache import Step, Workspace
from .._typing import Array, Map
from ..datasets import Dataset
from ..training import History
from ._maps import split_of_map
from ._settings import NETWORKS, TITLES, LabSettings
from ._studies import load_study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")


def draw_figures(
    workspace: Workspace,
    settings: LabSettings,
    data: Dataset,
    trained: Mapping[str, Step],
    studied: Mapping[str, Step],
    mapped: Mapping[str, Step],
) -> Iterator[tuple[str, Step]]:
    """Draw the figures, reusing finished ones; yield the name and step of each."""
    test = data.test
    assert test is not None

    def map_of(name: str) -> tuple[Map, Array]:
        map_: Map = np.load(workspace.path(f"maps/{name}.npy"))
        return map_, split_of_map(name, settings, data).labels

    def panel(name: str) -> "Figure":
        return figures.lab_panel(
            *map_of(name), class_names=data.class_names, title=TITLES[name], k=settings.k
        )

    def comparison() -> "Figure":
        maps = {TITLES[name]: map_of(name) for name in mapped}
        return figures.compare_maps(
            {title: map_ for title, (map_, _) in maps.items()},
            {title: labels for title, (_, labels) in maps.items()},
            class_names=data.class_names,
            k=settings.k,
        )

    def curves() -> "Figure":
        return figures.learning_curves(
            {
                TITLES[name]: History.from_csv(workspace.path(f"histories/{name}.csv"))
                for name in NETWORKS
            }
        )

    def mistakes(name: str) -> "Figure":
        probabilities = np.load(workspace.path(f"predictions/{name}.npy"))
        predictions = probabilities.argmax(axis=1)
        n_wrong = int((predictions != test.labels).sum())
        return figures.wrong_images(
            test.inputs,
            test.labels,
            predictions,
            data.class_names,
            probabilities,
            title=f"{TITLES[name]}: {n_wrong:,} of {len(test):,} test images wrong "
            f"({100 * n_wrong / len(test):.2f} %), the most confident first",
        )

    def layers() -> "Figure":
        return load_study(workspace, "lenet").figure(title="LeNet, layer by layer")

    def layer_curves() -> "Figure":
        return load_study(workspace, "lenet").curves(title="LeNet, layer by layer")

    def draw(name: str, needs: list[Step], make_figure: Callable[[], "Figure"]) -> tuple[str, Step]:
        files = [f"figures/{name}.{suffix}" for suffix in FORMATS]

        def work(_: str) -> dict[str, str]:
            fig = make_figure()
            for file in files:
                figures.save_figure(fig, workspace.path(file))
            return {}

        return f"figures/{name}", workspace.do(
            f"figure_{name}", {"k": settings.k}, needs, files, work
        )

    yield draw("learning_curves", list(trained.values()), curves)
    for name in settings.mistakes:
        yield draw(f"{name}_mistakes", [trained[name]], partial(mistakes, name))
    for name, step in mapped.items():
        yield draw(name, [step], partial(panel, name))
    yield draw("comparison", list(mapped.values()), comparison)
    yield draw("lenet_layers", [studied["study_lenet"]], layers)
    yield draw("lenet_curves", [studied["study_lenet"]], layer_curves)
