"""The control: the scores of the same network before training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io.cache import Part, Parts
from ..._typing import Array
from .._store.format import PARTS
from .._store.records import LayerRecord
from .._store.saving import write_scores
from .data import StudyData
from .extraction import Extracted, deciding, extract_control
from .layers import source_of
from .stages import Source, StageLabel, Stages, is_dead, no_scores

if TYPE_CHECKING:
    from ...representations import Adapter


def control_scores(
    stages: Stages,
    control: str,
    adapter: Adapter,
    trained: Extracted,
    data: StudyData,
    data_part: Part,
    options: Mapping[str, Any],
    layers: Sequence[LayerRecord],
) -> tuple[dict[str, str] | None, str]:
    """Measure every layer of the network with fresh weights.

    Its points are not kept; the scores of all layers are collected in one part.

    Returns
    -------
    dict of str to str, or None
        The path of each layer's scores. The inputs share the model's, a view its layer's. None if
        the model cannot be initialized again.
    str
        The reason why it cannot.
    """
    settings = stages.settings
    of_all = {
        **deciding(options),
        "whole_bytes": stages.whole_bytes,
        "measures": list(settings.native_measures),
        "k": settings.k,
        "options": settings.options,
    }
    needs = [data_part, trained.part]
    gathered = Parts(stages.folder / PARTS).find(control, of_all, needs)
    scores: dict[str, Path] = {}
    if gathered is None:
        fresh, problem = extract_control(stages, adapter, trained, data, data_part, options)
        if fresh is None:
            return None, problem
        untrained = {layer.record.name: layer for layer in fresh.layers if layer.array is not None}
        for number, layer in enumerate(layers):
            name = layer.name
            if name in untrained and layer.same_as is None:
                source = source_of(fresh.part, untrained[name], len(data.labels))
                scores[name] = _score_control(stages, control, number, name, source, data.labels)

    def gather(folder: Path) -> dict[str, Any]:
        for number, path in enumerate(scores.values()):
            shutil.copyfile(path, folder / f"{number:03d}.json")
        return {name: f"{number:03d}.json" for number, name in enumerate(scores)}

    part = stages.do(
        control, StageLabel(f"all layers ({control})", "scores"), of_all, needs, gather
    )
    paths: dict[str, str] = {}
    for layer in layers:
        name = layer.name
        if name in part.result:
            paths[name] = f"{PARTS}/{part.path.name}/{part.result[name]}"
        elif name == "inputs" and layer.scores is not None:
            paths[name] = layer.scores
        elif layer.same_as in paths:
            paths[name] = paths[layer.same_as]
    return paths, ""


def _score_control(
    stages: Stages, control: str, number: int, name: str, source: Source, labels: Array
) -> Path:
    """Measure a layer of a control without map and intervals; return the path of the scores."""
    settings = stages.settings

    def work(folder: Path) -> dict[str, Any]:
        from ...metrics import measure

        points = source.read(stages.whole_bytes)
        if is_dead(points):
            scores = no_scores(points, labels, settings)
        else:
            scores = measure(
                points,
                labels,
                None,
                settings.native_measures,
                k=settings.k,
                random_state=settings.random_state,
                n_jobs=stages.n_jobs,
                **{**settings.options, "n_resamples": 0, "n_permutations": 0},
            )
        write_scores(folder / "scores.json", scores)
        return {}

    part = stages.do(
        f"{control}-{number:03d}-scores",
        StageLabel(f"{name} ({control})", "scores"),
        {
            **source.described(stages.whole_bytes),
            "measures": list(settings.native_measures),
            "k": settings.k,
            "options": settings.options,
            "random_state": settings.random_state,
        },
        [source.part],
        work,
        kept=False,
    )
    return part.path / "scores.json"
