"""Results of the lab: ``results.json``, three tables and a conclusion."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import metadata
from platform import python_version
from typing import Any

from rich.table import Table
from rich.text import Text

from .. import __version__
from .._io.text import shown
from ._settings import TITLES, LabSettings

_LIBRARIES = (
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "torch",
    "numba",
    "numpy",
    "scipy",
    "scikit-learn",
    "matplotlib",
)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


# Heading and format of each column of the table of layers.
_LAYER_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "kl_divergence": ("KL", "{:.4f}".format),
    "neighborhood_hit": ("NH native", _percent),
    "map_neighborhood_hit": ("NH map", _percent),
    "linear_probe": ("linear probe", _percent),
    "two_nn": ("dimension", "{:.1f}".format),
}


def collect_results(
    settings: LabSettings,
    models: Mapping[str, dict[str, Any]],
    studies: Mapping[str, dict[str, Any]],
    maps: Mapping[str, dict[str, Any]],
    seconds_total: float,
) -> dict[str, Any]:
    """Return the contents of ``results.json``."""
    return {
        "models": dict(models),
        "studies": dict(studies),
        "maps": dict(maps),
        "settings": asdict(settings),
        "versions": {"unknot": __version__, "python": python_version(), **_installed()},
        "seconds_total": seconds_total,
    }


def _installed() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # optional, not installed
    return versions


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Return the tables of the networks, the maps and the layers."""
    networks = Table(title="The networks", title_justify="left")
    for heading in ("network", "parameters", "epochs", "test loss", "accuracy", "s/epoch"):
        networks.add_column(
            heading, justify="left" if heading == "network" else "right", no_wrap=True
        )
    for name, model in results["models"].items():
        networks.add_row(
            TITLES[name],
            f"{model['parameters']:,}",
            str(model["epochs"]),
            f"{model['test_loss']:.4f}",
            f"{100 * model['test_accuracy']:.2f} %",
            f"{model['seconds_per_epoch']:.2f}",
        )
    k = results["settings"]["k"]
    maps = Table(
        title=f"The maps (KL: divergence; NH: Neighborhood Hit with k = {k})", title_justify="left"
    )
    for heading in ("map", "samples", "KL", "NH native", "NH map", "seconds"):
        maps.add_column(heading, justify="left" if heading == "map" else "right", no_wrap=True)
    for name, map_ in results["maps"].items():
        maps.add_row(
            TITLES[name],
            f"{map_['n_samples']:,}",
            f"{map_['kl_divergence']:.4f}" if "kl_divergence" in map_ else "-",
            _hit(map_, "neighborhood_hit_native"),
            _hit(map_),
            f"{map_['seconds']:.1f}",
        )
    return [networks, maps, _layer_table(results["studies"])]


def _layer_table(studies: Mapping[str, Any]) -> Table:
    """Return the table of the layers, with a column for each measure of this run."""
    rows = {
        f"{TITLES[network]} {layer}": numbers
        for network, study in studies.items()
        for layer, numbers in study["layers"].items()
    }
    measures = [
        measure
        for measure in _LAYER_COLUMNS
        if any(measure in numbers for numbers in rows.values())
    ]
    sizes: dict[str, int] = {}
    for study in studies.values():
        sizes |= study.get("n_samples", {})
    most = max(sizes.values(), default=0)
    title = "The studies, layer by layer" + (f"; n {most:,}" if most else "")
    table = Table(title=title, title_justify="left")
    table.add_column("layer", no_wrap=True)
    for measure in measures:
        n = sizes.get(measure, most)
        heading = _LAYER_COLUMNS[measure][0] + (f"\nn {n:,}" if n != most else "")
        table.add_column(heading, justify="right", no_wrap=True)
    for name, numbers in rows.items():
        cells = (
            _LAYER_COLUMNS[measure][1](numbers[measure]) if measure in numbers else "-"
            for measure in measures
        )
        table.add_row(Text(shown(name)), *cells)
    return table


def conclusion(results: Mapping[str, Any]) -> str:
    """Return a conclusion that follows from the numbers of this run."""
    models, maps = results["models"], results["maps"]
    best = max(models, key=lambda name: models[name]["test_accuracy"])
    ranked = sorted(models, key=lambda name: models[name]["test_accuracy"])
    accuracies = ", ".join(
        f"{TITLES[name]} {100 * models[name]['test_accuracy']:.2f} %" for name in ranked
    )
    tsne, pca = maps["pixels_test_tsne"], maps["pixels_test_pca"]
    return "\n".join(
        [
            f"Accuracy on the test images: {accuracies}. "
            f"Best is the {TITLES[best]}, with {models[best]['parameters']:,} parameters.",
            "Of the same test pixels, the t-SNE map keeps "
            f"{_hit(tsne)} of the {results['settings']['k']} nearest neighbors in their class, "
            f"the PCA map {_hit(pca)}, and the pixels themselves "
            f"{_hit(tsne, 'neighborhood_hit_native')}.",
            _compare_representations(maps),
        ]
    )


def _hit(map_: Mapping[str, Any], key: str = "neighborhood_hit") -> str:
    return _percent(map_[key])


def _compare_representations(maps: Mapping[str, dict[str, Any]]) -> str:
    """Compare pixels, perceptron and LeNet by the Neighborhood Hit of their test maps."""
    by_name = {
        "the pixels": maps["pixels_test_tsne"],
        "the perceptron's hidden layer": maps["perceptron_hidden_tsne"],
        "LeNet's hidden layer": maps["lenet_hidden_tsne"],
    }
    hits = [map_["neighborhood_hit"] for map_ in by_name.values()]
    chain = " < ".join(
        f"{name} ({_hit(by_name[name])})"
        for name in sorted(by_name, key=lambda name: by_name[name]["neighborhood_hit"])
    )
    if hits[0] < hits[1] < hits[2]:
        return (
            f"Neighborhood Hit of the maps: {chain}. The hidden layers untangle the classes: the "
            "perceptron's separates them better than the pixels do, and LeNet's best."
        )
    return (
        f"Neighborhood Hit of the maps: {chain}. In this run the classes do not come apart step by "
        "step from the pixels over the perceptron to LeNet."
    )
