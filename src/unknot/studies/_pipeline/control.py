"""The control: the scores of the same network before training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io.cache import Part, Parts
from .._store.format import PARTS
from .._store.records import LayerRecord
from .._store.saving import write_scores
from .data import StudyData
from .extraction import Extracted, deciding, extract_control
from .labeling import Labeling
from .layers import source_of
from .measuring import measure_labeled
from .spaces import FAILURES, why_left_out
from .stages import Source, StageLabel, Stages, is_dead, no_scores
from .untrained import given_control, is_given

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
    untrained: Any = True,
) -> tuple[dict[str, dict[str, str]] | None, str, str]:
    """Measure every layer of the network with fresh weights.

    Its points are not kept; the scores of all layers are collected in one part.

    Returns
    -------
    dict of str to dict of str to str, or None
        The path of each layer's scores, for each labeling. The inputs share the model's, a view
        its layer's. None if the model cannot be initialized again.
    str
        How its weights were drawn; or the reason why they cannot be.
    str
        What must be noted about it; empty if nothing.
    """
    given = given_control(adapter, untrained, data.inputs) if is_given(untrained) else None
    settings = stages.settings
    of_all = {
        **deciding(options),
        "whole_bytes": stages.whole_bytes,
        **settings.scoring(settings.native_measures),
        **({} if given is None else {"given": given[-1]}),
    }
    needs = [data_part, trained.part]
    gathered = Parts(stages.folder / PARTS).find(control, of_all, needs)
    scores: dict[str, list[Path]] = {}
    how = note = ""
    if gathered is None:
        fresh, how, note = extract_control(
            stages, adapter, trained, data, data_part, options, given
        )
        if fresh is None:
            return None, how, note
        found = {layer.record.name: layer for layer in fresh.layers if layer.array is not None}
        for number, layer in enumerate(layers):
            name = layer.name
            if name in found and layer.same_as is None:
                source = source_of(fresh.part, found[name], len(data.labels))
                scores[name] = [
                    _score_control(stages, control, (number, at), name, source, labeling)
                    for at, labeling in enumerate(data.labelings.values())
                ]

    def gather(folder: Path) -> dict[str, Any]:
        names = {}
        for number, (name, found) in enumerate(scores.items()):
            names[name] = [f"{number:03d}{f'-{at}' if at else ''}.json" for at in range(len(found))]
            for path, file in zip(found, names[name], strict=True):
                shutil.copyfile(path, folder / file)
        return {"scores": names, "how": how, "note": note}

    part = stages.do(
        control, StageLabel(f"all layers ({control})", "scores"), of_all, needs, gather
    )
    files = part.result["scores"]
    of_labeling: dict[str, dict[str, str]] = {}
    for at, key in enumerate(data.labelings):
        paths = of_labeling[key] = {}
        for layer in layers:
            name = layer.name
            if name in files:
                paths[name] = f"{PARTS}/{part.path.name}/{files[name][at]}"
            elif name == "inputs" and layer.scores is not None:
                paths[name] = layer.other_scores[key] if at else layer.scores
            elif layer.same_as in paths:
                paths[name] = paths[layer.same_as]
    return of_labeling, part.result["how"], part.result["note"]


def _score_control(
    stages: Stages,
    control: str,
    number: tuple[int, int],
    name: str,
    source: Source,
    labeling: Labeling,
) -> Path:
    """Measure a layer of a control without map and intervals; return the path of the scores.

    The number is that of the layer and of the labeling.
    """
    settings = stages.settings
    suffix = f"-{number[1]}" if number[1] else ""

    def work(folder: Path) -> dict[str, Any]:
        points = source.read(stages.whole_bytes)
        if is_dead(points):
            scores = no_scores(points.shape[1:], labeling, settings)
        else:
            try:
                scores = measure_labeled(
                    points,
                    labeling,
                    None,
                    settings.to_compute(settings.native_measures),
                    metric=settings.metric,
                    preprocess=settings.preprocess,
                    k=settings.k,
                    random_state=settings.random_state,
                    n_jobs=stages.n_jobs,
                    **{**settings.options, "n_resamples": 0, "n_permutations": 0},
                )
            except FAILURES as error:
                why = why_left_out(error)
                scores = no_scores(points.shape[1:], labeling, settings, why, why)
        write_scores(folder / "scores.json", scores)
        return {}

    part = stages.do(
        f"{control}-{number[0]:03d}-scores{suffix}",
        StageLabel(f"{name} ({control})", "scores"),
        {
            **source.described(stages.whole_bytes),
            **settings.scoring(settings.native_measures),
        },
        [source.part],
        work,
        kept=False,
    )
    return part.path / "scores.json"
