"""What the lab found: ``results.json``, two tables, and the conclusion drawn from the numbers."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from platform import python_version
from typing import Any

from rich.table import Table

from .. import __version__
from ._settings import TITLES, LabSettings

_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numba", "numpy", "scipy")
_MORE_LIBRARIES = ("scikit-learn", "matplotlib")


def collect_results(
    settings: LabSettings,
    models: Mapping[str, dict[str, Any]],
    studies: Mapping[str, dict[str, Any]],
    maps: Mapping[str, dict[str, Any]],
    seconds_total: float,
) -> dict[str, Any]:
    """Return what ``results.json`` holds."""
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
    for name in (*_LIBRARIES, *_MORE_LIBRARIES):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an optional one that this run did without
    return versions


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Return the networks, the maps and the layers as tables for the terminal."""
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
            f"{100 * map_['neighborhood_hit_native']:.1f} %",
            f"{100 * map_['neighborhood_hit']:.1f} %",
            f"{map_['seconds']:.1f}",
        )
    layers = Table(title="The studies, layer by layer", title_justify="left")
    for heading in ("layer", "KL", "NH native", "NH map", "linear probe", "dimension"):
        layers.add_column(heading, justify="left" if heading == "layer" else "right", no_wrap=True)
    for network, study in results["studies"].items():
        for layer, found in study["layers"].items():
            layers.add_row(
                f"{TITLES[network]} {layer}",
                f"{found['kl_divergence']:.4f}" if "kl_divergence" in found else "-",
                *(
                    _hit(found, measure) if measure in found else "-"
                    for measure in ("neighborhood_hit", "map_neighborhood_hit", "linear_probe")
                ),
                f"{found['two_nn']:.1f}" if "two_nn" in found else "-",
            )
    return [networks, maps, layers]


def conclusion(results: Mapping[str, Any]) -> str:
    """State what the numbers of this run say, whatever they say."""
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
            f"{_hit(tsne)} of the {results['settings']['k']} nearest neighbours in their class, "
            f"the PCA map {_hit(pca)}, and the pixels themselves "
            f"{_hit(tsne, 'neighborhood_hit_native')}.",
            _untangling(maps),
        ]
    )


def _hit(map_: Mapping[str, Any], key: str = "neighborhood_hit") -> str:
    return f"{100 * map_[key]:.1f} %"


def _untangling(maps: Mapping[str, dict[str, Any]]) -> str:
    """Compare pixels, perceptron and LeNet by the Neighborhood Hit of their maps of test images."""
    steps = {
        "the pixels": maps["pixels_test_tsne"],
        "the perceptron's hidden layer": maps["perceptron_hidden_tsne"],
        "LeNet's hidden layer": maps["lenet_hidden_tsne"],
    }
    hits = [step["neighborhood_hit"] for step in steps.values()]
    chain = " < ".join(
        f"{name} ({_hit(steps[name])})"
        for name in sorted(steps, key=lambda name: steps[name]["neighborhood_hit"])
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
