"""Exercise 5, layer by layer: a study of the perceptron and of LeNet, and the page of both."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._io.cache import Step, Workspace, checksum
from ..datasets import Dataset
from ..studies import MANIFEST, Study, StudyError, share_inputs, study
from ..training import load_keras_model
from ._settings import HITS, STUDIED, TITLES, LabSettings

PAGE = "report.html"
# Each permutation of the labels trains another linear probe, which takes most of the time.
_OPTIONS = {"n_permutations": 3}


def study_networks(
    workspace: Workspace, settings: LabSettings, data: Dataset, trained: Mapping[str, Step]
) -> Iterator[tuple[str, Step]]:
    """Study each network that is not studied yet; yield its name and step when it is done."""
    for network in STUDIED:
        yield f"study_{network}", _study_network(network, workspace, settings, data, trained)


def write_page(workspace: Workspace, studied: Mapping[str, Step]) -> Iterator[tuple[str, Step]]:
    """Write the page, unless it is written; yield its name and step."""

    def work(_: str) -> dict[str, Any]:
        from ..report import write_report

        perceptron, lenet = (load_study(workspace, network) for network in STUDIED)
        write_report(lenet, workspace.path(PAGE), other=perceptron)
        return {}

    yield PAGE, workspace.do("report", {}, list(studied.values()), [PAGE], work)


def folder_of(network: str) -> str:
    """Return where the study of a network lies, relative to the lab's folder."""
    return f"studies/{network}"


def load_study(workspace: Workspace, network: str) -> Study:
    """Load the study of a network."""
    return Study.load(workspace.path(folder_of(network)))


def _study_network(
    network: str,
    workspace: Workspace,
    settings: LabSettings,
    data: Dataset,
    trained: Mapping[str, Step],
) -> Step:
    test = data.test
    assert test is not None
    folder = workspace.path(folder_of(network))
    manifest = f"{folder_of(network)}/{MANIFEST}"
    model = workspace.path(f"models/{network}.keras")
    layers, measures = settings.layers[network], [*HITS, *settings.measures]

    def work(_: str) -> dict[str, Any]:
        for other in STUDIED:
            if other != network and _is_whole(workspace.path(folder_of(other))):
                share_inputs(workspace.path(folder_of(other)), folder)
        found = study(
            load_keras_model(model),
            test,
            layers=layers,
            measures=measures,
            out=folder,
            name=TITLES[network],
            perplexity=settings.perplexity,
            k=settings.k,
            max_iter=settings.iterations,
            untrained=settings.untrained,
            measure_options=_OPTIONS,
            random_state=settings.seed,
        )
        return {"folder": folder_of(network), "layers": _numbers(found)}

    return workspace.do(
        f"study_{network}",
        {
            "model": checksum(model),
            "layers": layers,
            "measures": measures,
            "options": _OPTIONS,
            "untrained": settings.untrained,
            "samples": len(test),
            "seed": settings.seed,
            "k": settings.k,
            "perplexity": settings.perplexity,
            "iterations": settings.iterations,
        },
        [trained[network]],
        [manifest],
        work,
        # The study does again what is missing, and nothing else.
        is_whole=lambda: _is_whole(folder),
    )


def _is_whole(folder: Path) -> bool:
    try:
        Study.load(folder)
    except (FileNotFoundError, StudyError):
        return False
    return True


def _numbers(found: Study) -> dict[str, dict[str, float]]:
    """Return the numbers of each layer that is no view of another; one without a value has none."""
    numbers: dict[str, dict[str, float]] = {}
    for name, layer in found.items():
        if layer.same_as is None:
            scores = {} if layer.scores is None else layer.scores
            numbers[name] = {
                measure: score.value
                for measure, score in scores.items()
                if math.isfinite(score.value)
            }
            if layer.kl_divergence is not None:
                numbers[name]["kl_divergence"] = layer.kl_divergence
    return numbers
