"""The function `study`: every layer of a model, from the data to the saved study."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._store.loading import load_study
from .._store.records import Manifest, MomentRecord
from .._store.saving import finish, writing
from .._study import Study
from .control import control_scores
from .data import StudyData, take_data
from .extraction import extract_layers
from .layers import layers_of, study_layers
from .memory import in_memory
from .progress import stage_callbacks
from .settings import StudySettings
from .stages import WHOLE_BYTES, OnStage, Stages, prepare_data
from .versions import versions

if TYPE_CHECKING:
    from ...representations import Adapter


def study(
    model: Any,
    data: Any,
    *,
    layers: Any = None,
    measures: str | Iterable[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    max_samples: int | None = None,
    perplexity: float = 30.0,
    k: int = 6,
    n_neighbors: int = 90,
    max_iter: int = 1000,
    untrained: bool = True,
    keep_points: bool = True,
    snippets: Sequence[str] | None = None,
    measure_options: Mapping[str, Any] | None = None,
    batch_size: int = 500,
    max_memory: int | str | None = None,
    pool: Any = None,
    project: int | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
    on_stage: OnStage | None = None,
) -> Study:
    """Study what a model makes of labeled data, layer by layer.

    The data pass through the model once, and every layer is kept; then, layer by layer, the nearest
    neighbors are found, the map is drawn, starting from that of the layer before, and classes are
    measured. Beside it runs a control: the same network with fresh weights. What permuted labels
    would give is in every score.

    Parameters
    ----------
    model : object
        What `unknot.extract` takes: a Keras model, a PyTorch module or exported program, an ONNX
        model, or a dict of layer -> points.
    data : Dataset, Split, str, path, or pair (inputs, labels)
        Of a data set its test part, or all where there is none. ``(None, labels)`` for a dict of
        points whose inputs are not known.
    layers : str, int, slice, or sequence of these, optional
        Names, patterns (``"conv*"``) or depths, as `unknot.extract` takes them; all by default.
    measures : str or iterable of str, optional
        Names or families of measures, as `unknot.measure` takes them, or "all"; by default those
        that take a second or two a layer.
    out : path, optional
        The folder of the study. What it holds already, from the same model, data and settings, is
        not done again: a run that was killed goes on where it was. Another study there is replaced
        when the new one is whole.
    name : str, optional
        What to call the model.
    max_samples : int, optional
        Draw at most this many samples, stratified by class; all by default.
    perplexity, max_iter
        Of t-SNE.
    k : int
        Neighbors of the Neighborhood Hit.
    n_neighbors : int
        Neighbors in the graphs, at least three times the perplexity.
    untrained : bool
        Run the control, where the model says how its weights began. It is measured without a map
        and without intervals; its layers of more than 512 numbers are projected to so many.
    keep_points : bool
        Keep the points of the layers, which are most of what is stored; without them the study
        cannot be measured anew.
    snippets : sequence of str, optional
        A few words for each sample, such as the text it is, where samples are no images.
    measure_options : mapping, optional
        ``max_samples``, ``probe_max_samples``, ``capacity_max_samples_per_class``, ``n_draws``,
        ``n_resamples`` and ``n_permutations`` of `unknot.measure`.
    batch_size, max_memory, pool, project
        As for `unknot.extract`.
    random_state : int
        Seeds everything random; the same seed gives the same study, to the byte.
    n_jobs : int, optional
        Threads; every core by default.
    progress : bool
        Show the layer and stage at work on a terminal.
    on_stage : callable, optional
        Called after each stage with the layer, the stage, its seconds, and whether it was done
        before.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If data, layers or settings do not fit; the message names the argument.
    FileExistsError
        If `out` holds something else than a study.
    OSError
        If the disk is full; what was finished is kept, and a new run goes on from there. If another
        process is writing to `out`.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> labels = np.repeat([0, 1], 30)
    >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None]
    >>> layers = {"fc1": pixels + 9 * labels[:, None]}
    >>> study = unknot.study(layers, (pixels, labels), measures="neighborhood_hit", max_iter=250)
    >>> study
    Study('arrays': 60 samples, 2 classes; layers: inputs, fc1)
    >>> study.scores.value("inputs", "neighborhood_hit") < study.scores.value(
    ...     "fc1", "neighborhood_hit"
    ... )
    True
    """
    from ...representations import find_adapter

    settings = StudySettings.of(
        measures,
        measure_options,
        perplexity=perplexity,
        k=k,
        n_neighbors=n_neighbors,
        max_iter=max_iter,
        random_state=random_state,
    )
    taken = take_data(data, snippets).sample(max_samples, random_state)
    fitted, notes = settings.fitted(len(taken.labels))
    adapter = find_adapter(taken.rows_of(model))
    extraction = {
        "layers": layers,
        "batch_size": batch_size,
        "max_memory": max_memory,
        "pool": pool,
        "project": project,
        "random_state": random_state,
    }

    def run(folder: Path) -> Study:
        with stage_callbacks(progress, on_stage) as (start, done):
            stages = Stages(folder, fitted, n_jobs, whole_bytes(max_memory), start, done)
            _run(
                stages,
                adapter,
                taken,
                name or adapter.name,
                extraction,
                notes,
                untrained=untrained,
                keep_points=keep_points,
            )
        return load_study(folder)

    if out is not None:
        with writing(Path(out)):
            return run(Path(out))
    with tempfile.TemporaryDirectory(prefix="unknot-study-") as folder:
        return in_memory(run(Path(folder)))


def _run(
    stages: Stages,
    adapter: Adapter,
    data: StudyData,
    name: str,
    extraction: dict[str, Any],
    notes: tuple[str, ...],
    *,
    untrained: bool,
    keep_points: bool,
) -> None:
    data_part, paths = prepare_data(stages, data, data.fingerprint)
    extracted = extract_layers(stages, adapter, data, data_part, extraction)
    records, sources = layers_of(extracted, data_part, len(data.labels))
    studied, controls = study_layers(stages, "", records, sources, data.labels), {}
    if untrained:
        scores, problem = control_scores(
            stages, "untrained", adapter, extracted, data, data_part, extraction, studied
        )
        if scores is None:
            notes = (*notes, problem)
        else:
            controls["untrained"] = scores
    moment = MomentRecord(
        extracted.predictions,
        extracted.probabilities,
        studied,
        controls,
        (*notes, *extracted.notes),
    )
    kept = [part for part in stages.parts if keep_points or part.name != "extract"]
    finish(
        stages.folder,
        Manifest(
            name=name,
            class_names=extracted.class_names,
            **paths,
            moment=moment if keep_points else moment.without_points(),
            epochs=None,
            settings={
                **stages.settings.to_dict(),
                "layers": None if extraction["layers"] is None else repr(extraction["layers"]),
                "pool": extraction["pool"],
                "project": extraction["project"],
                "n_samples": len(data.labels),
                "untrained": untrained,
            },
            versions=versions(),
        ),
        kept,
        stages.seconds,
    )


def whole_bytes(max_memory: int | str | None) -> int:
    """Return how large a layer may be that is read whole; a number that is the same on each run."""
    from ..._validation.numbers import memory_budget

    return WHOLE_BYTES if max_memory is None else memory_budget(max_memory)
