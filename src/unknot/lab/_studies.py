"""Exercise 5: studies of the perceptron and LeNet, layer by layer, and their page."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._io.cache import Step, Workspace, checksum
from ..datasets import Dataset
from ..studies import MANIFEST, EpochRecorder, Study, StudyError, share_inputs, study
from ..training import load_keras_model
from ._networks import epoch_file, network_at
from ._settings import HITS, STUDIED, TITLES, LabSettings

PAGE = "report.html"
# Each permutation of the labels trains another linear probe, which dominates the run time.
_OPTIONS = {"n_permutations": 3}


def study_networks(
    workspace: Workspace, settings: LabSettings, data: Dataset, trained: Mapping[str, Step]
) -> Iterator[tuple[str, Step]]:
    """Study the networks, reusing finished studies; yield the name and step of each."""
    for network in STUDIED:
        yield f"study_{network}", _study_network(network, workspace, settings, data, trained)


def write_page(workspace: Workspace, studied: Mapping[str, Step]) -> Iterator[tuple[str, Step]]:
    """Write the page unless it is up to date; yield its name and step."""

    def work(_: str) -> dict[str, Any]:
        from ..report import write_report

        perceptron, lenet = (load_study(workspace, network) for network in STUDIED)
        write_report(lenet, workspace.path(PAGE), other=perceptron)
        return {}

    yield PAGE, workspace.do("report", {}, list(studied.values()), [PAGE], work)


def folder_of(network: str) -> str:
    """Return the folder of a network's study, relative to that of the lab."""
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
    epochs = settings.recorded_epochs(network)
    fewer = [name for name in layers if name in settings.recorded_layers.get(network, layers)]

    def work(_: str) -> dict[str, Any]:
        for other in STUDIED:
            if other != network and _is_complete(workspace.path(folder_of(other))):
                share_inputs(workspace.path(folder_of(other)), folder)
        options: dict[str, Any] = {
            "layers": layers,
            "measures": measures,
            "out": folder,
            "name": TITLES[network],
            "perplexity": settings.perplexity,
            "k": settings.k,
            "max_iter": settings.max_iter,
            # The pixels have one map in the whole lab, which no network may move.
            "coherence": 0,
            "measure_options": _OPTIONS,
            "random_state": settings.random_state,
        }
        if epochs:
            # The network at epoch 0 is its own control.
            untrained = settings.untrained and 0 not in epochs
            recorder = EpochRecorder(test, untrained=untrained, **options)
            for epoch in epochs:
                there = network_at(network, epoch, workspace, settings)
                recorder.capture(there, epoch, layers=None if epoch == epochs[-1] else fewer)
            result = recorder.study()
        else:
            result = study(load_keras_model(model), test, untrained=settings.untrained, **options)
        return {
            "folder": folder_of(network),
            "layers": _numbers(result),
            "n_samples": _sizes(result),
        }

    return workspace.do(
        f"study_{network}",
        {
            "model": checksum(model),
            "epochs": {
                str(epoch): checksum(workspace.path(epoch_file(network, epoch)))
                for epoch in epochs[:-1]
                if epoch
            },
            "recorded": epochs,
            "recorded_layers": fewer if epochs else [],
            "layers": layers,
            "measures": measures,
            "options": _OPTIONS,
            "untrained": settings.untrained,
            "samples": len(test),
            "random_state": settings.random_state,
            "k": settings.k,
            "perplexity": settings.perplexity,
            "max_iter": settings.max_iter,
        },
        [trained[network]],
        [manifest],
        work,
        # The study itself recomputes only missing parts.
        is_whole=lambda: _is_complete(folder),
    )


def _is_complete(folder: Path) -> bool:
    try:
        Study.load(folder)
    except (FileNotFoundError, StudyError):
        return False
    return True


def _sizes(result: Study) -> dict[str, int]:
    """Return the largest number of samples that each measure was computed from."""
    sizes: dict[str, int] = {}
    for layer in result.values():
        for measure, score in ({} if layer.scores is None else layer.scores).items():
            if score.n_samples is not None:
                sizes[measure] = max(score.n_samples, sizes.get(measure, 0))
    return sizes


def _numbers(result: Study) -> dict[str, dict[str, float]]:
    """Return the finite scores and KL divergence of each layer that is not a view of another."""
    numbers: dict[str, dict[str, float]] = {}
    for name, layer in result.items():
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
