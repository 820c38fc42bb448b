"""The control: the scores of the same network before training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..._io.cache import Part, Parts
from .._store.format import PARTS
from .._store.layer_records import LayerRecord
from .._store.saving import write_scores
from .extraction import deciding
from .labeling import Labeling
from .layers import source_of
from .measuring import measure_labeled
from .spaces import FAILURES, why_left_out
from .stages import (
    CONTROLS_LAST,
    Context,
    Source,
    StageLabel,
    StageLog,
    Stages,
    Steps,
    is_dead,
    no_scores,
)


@dataclass(frozen=True)
class Control:
    """The scores of a control.

    Attributes
    ----------
    files : dict of str to list of str, or None
        For each layer that has its own, the path of its scores for each labeling. None if the model
        cannot be initialized again.
    how : str
        How its weights were drawn; or the reason why they cannot be.
    note : str
        What must be noted about it; empty if nothing.
    """

    files: dict[str, list[str]] | None
    how: str
    note: str = ""

    def scores(
        self, layers: Sequence[LayerRecord], labelings: Iterable[str]
    ) -> dict[str, dict[str, str]]:
        """Return the path of each layer's scores, for each labeling.

        The inputs share the model's, a view its layer's.
        """
        files = self.files or {}
        of_labeling: dict[str, dict[str, str]] = {}
        for at, key in enumerate(labelings):
            paths = of_labeling[key] = {}
            for layer in layers:
                name = layer.name
                if name in files:
                    paths[name] = files[name][at]
                elif name == "inputs" and layer.scores is not None:
                    paths[name] = layer.other_scores[key] if at else layer.scores
                elif layer.same_as in paths:
                    paths[name] = paths[layer.same_as]
        return of_labeling


def deciding_control(options: Mapping[str, Any], given: tuple[Any, ...] | None) -> dict[str, Any]:
    """Return what a control depends on, beside the measures; its model may be given."""
    return {**deciding(options), **({} if given is None else {"given": given[-1]})}


def score_control(
    stages: Stages,
    log: StageLog,
    name: str,
    trained: Part,
    labelings: Mapping[str, Labeling],
    data_part: Part,
    decided: Mapping[str, Any],
    layers: Sequence[LayerRecord],
    extract: Callable[[StageLog], Steps],
) -> Steps:
    """Measure every layer of the network with fresh weights: a program that returns a `Control`.

    Its points are not kept; the scores of all layers are collected in one part.

    Parameters
    ----------
    trained : Part
        The layers of the trained model.
    decided : mapping
        What `deciding_control` returned.
    extract : callable
        Returns the program that runs the control, as `extract_control` does.
    """
    settings = stages.settings
    n_samples = len(next(iter(labelings.values())).codes)
    of_all = {
        **{key: value for key, value in decided.items() if key != "given"},
        "whole_bytes": stages.whole_bytes,
        **settings.scoring(settings.control_measures),
        **({"given": decided["given"]} if "given" in decided else {}),
    }
    needs = [data_part, trained]
    gathered = Parts(stages.folder / PARTS).find(name, of_all, needs)
    scores: dict[str, list[Path]] = {}
    how = note = ""
    if gathered is None:
        fresh, how, note = yield from extract(log)
        if fresh is None:
            return Control(None, how)
        found = {layer.record.name: layer for layer in fresh.layers if layer.array is not None}
        for number, layer in enumerate(layers):
            if layer.name in found and layer.same_as is None:
                source = source_of(fresh.part, found[layer.name], n_samples)
                scores[layer.name] = []
                for at, labeling in enumerate(labelings.values()):
                    suffix = f"-{at}" if at else ""
                    part = yield stages.task(
                        log,
                        f"{name}-{number:03d}-scores{suffix}",
                        StageLabel(f"{layer.name} ({name})", "scores"),
                        {
                            **source.described(stages.whole_bytes),
                            **settings.scoring(settings.control_measures),
                        },
                        [source.part],
                        partial(_find_scores, stages.context, source, labeling),
                        rank=(CONTROLS_LAST, -source.n_bytes),
                        n_bytes=source.n_bytes,
                        kept=False,
                    )
                    scores[layer.name].append(part.path / "scores.json")

    def gather(folder: Path, n_threads: int) -> dict[str, Any]:
        names = {}
        for number, (layer, found) in enumerate(scores.items()):
            names[layer] = [
                f"{number:03d}{f'-{at}' if at else ''}.json" for at in range(len(found))
            ]
            for path, file in zip(found, names[layer], strict=True):
                shutil.copyfile(path, folder / file)
        return {"scores": names, "how": how, "note": note}

    part = yield stages.task(
        log,
        name,
        StageLabel(f"all layers ({name})", "scores"),
        of_all,
        needs,
        gather,
        in_caller=True,
    )
    path = f"{PARTS}/{part.path.name}"
    files = {
        layer: [f"{path}/{file}" for file in names]
        for layer, names in part.result["scores"].items()
    }
    return Control(files, part.result["how"], part.result["note"])


def _find_scores(
    context: Context, source: Source, labeling: Labeling, folder: Path, n_threads: int
) -> dict[str, Any]:
    """Measure a layer of a control without map and intervals."""
    settings = context.settings
    points = source.read(context.whole_bytes)
    if is_dead(points):
        scores = no_scores(points.shape[1:], labeling, settings)
    else:
        try:
            scores = measure_labeled(
                points,
                labeling,
                None,
                settings.to_compute(settings.control_measures),
                metric=settings.metric,
                preprocess=settings.preprocess,
                k=settings.k,
                random_state=settings.random_state,
                n_jobs=n_threads,
                **{**settings.options, "n_resamples": 0, "n_permutations": 0},
            )
        except FAILURES as error:
            why = why_left_out(error)
            scores = no_scores(points.shape[1:], labeling, settings, why, why)
    write_scores(folder / "scores.json", scores)
    return {}
