"""The function `study`, which runs every stage, from the data to the saved study."""

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
    """Study how a model represents labeled data, layer by layer.

    The model runs once, and the activations of every layer are stored. Then each layer gets its
    nearest neighbors, a map that starts from the preceding layer's map, and scores of how separable
    the classes are. A control, the same network with fresh weights, is measured beside it. Every
    score comes with the value that permuted labels give.

    Parameters
    ----------
    model : object
        As for `unknot.extract`: a Keras model, a PyTorch module or exported program, an ONNX
        model, or a dict that maps layers to points.
    data : Dataset, Split, str, path, or pair (inputs, labels)
        The test split of a data set, or all of it if it has none. Use ``(None, labels)`` for a dict
        of points whose inputs are unknown.
    layers : str, int, slice, or sequence of these, default=None
        Names, patterns (``"conv*"``) or depths, as for `unknot.extract`. All layers by default;
        select some to save time and disk space.
    measures : str or iterable of str, default=None
        Names or families of measures, as for `unknot.measure`, or ``"all"``. The default takes a
        second or two per layer of 10,000 samples.
    out : path, default=None
        The folder of the study. Finished work in it, of the same model, data and settings, is
        reused, so an interrupted run resumes. A different study there is replaced once the new one
        is complete. By default the study is kept in memory.
    name : str, default=None
        The model's name in figures and tables; by default the model's own.
    max_samples : int, optional
        Draw at most this many samples, stratified by class; all by default.
    perplexity : float, default=30.0
        The effective number of neighbors of t-SNE. Increase it to see coarser structure.
    k : int, default=6
        The neighborhood size of the Neighborhood Hit.
    n_neighbors : int, default=90
        Neighbors in the graphs; raised to three times the perplexity if it is lower.
    max_iter : int, default=1000
        Iterations of t-SNE, at least 250.
    untrained : bool, default=True
        Measure a control with fresh weights, if the framework can initialize the model again. It
        has neither a map nor intervals; layers of more than 512 features are projected to 512.
    keep_points : bool, default=True
        Keep the points of the layers, which take most of the space. Without them the study cannot
        be measured again.
    snippets : sequence of str, default=None
        A short text for each sample, to show where the samples are not images.
    measure_options : mapping, default=None
        ``max_samples``, ``probe_max_samples``, ``capacity_max_samples_per_class``, ``n_draws``,
        ``n_resamples`` and ``n_permutations`` of `unknot.measure`.
    batch_size, max_memory, pool, project
        As for `unknot.extract`.
    random_state : int, default=0
        Seeds every random draw. The same seed gives the same study, byte for byte.
    n_jobs : int, default=None
        The number of threads. None means every core (in scikit-learn it means one). The result
        does not depend on it.
    progress : bool, default=True
        Show the current layer and stage on a terminal.
    on_stage : callable, default=None
        Called after each stage with the layer, the stage, its duration in seconds, and whether it
        was reused.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If data, layers or settings do not match; the message names the argument.
    FileExistsError
        If `out` holds something other than a study.
    OSError
        If the disk is full, in which case finished work is kept and the next run resumes, or if
        another process is writing to `out`.

    See Also
    --------
    unknot.extract : The activations alone.
    unknot.measure : The scores of one set of points.
    unknot.studies.EpochRecorder : Studies of a training, epoch by epoch.
    unknot.Study.load : Open a study that was saved.

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
    """Return up to which size a layer is read whole; the same number in every run."""
    from ..._validation.numbers import memory_budget

    return WHOLE_BYTES if max_memory is None else memory_budget(max_memory)
