"""The function `study`, which runs every stage, from the data to the saved study."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..._cluster import workers_of
from ..._io.shared_store import SharedStore
from ..._io.temporary import TemporaryFolder
from ..._validation.numbers import memory_budget, plain, plain_values
from .._metadata import MetadataColumn
from .._store.loading import load_study
from .._store.records import Manifest, MomentRecord
from .._store.saving import finish, writing
from .._study import Study
from .control import deciding_control, score_control
from .data import StudyData, take_data
from .extraction import described, extract_control, extract_layers
from .heads import find_head
from .label_kinds import IGNORED
from .labelings import other_labelings, version_of
from .large import ALL_SAMPLES, Large, check_large
from .large_data import take_all
from .layers import layers_of, study_layers
from .measuring import HEADS
from .memory import in_memory
from .metadata import store_metadata, take_metadata
from .own_maps import OwnMaps, add_maps, check_layers, take_maps
from .plan import Plan, plan_of, prepare_model
from .progress import stage_callbacks
from .settings import COHERENCE, StudySettings
from .sources import Reading
from .stages import WHOLE_BYTES, OnStage, Stages, prepare_data
from .untrained import check_untrained, given_control, is_given
from .versions import versions

if TYPE_CHECKING:
    from ...representations import Adapter

    StudyOrPlan = Study  # a plan is returned only where it is asked for
else:
    StudyOrPlan = Study | Plan


def study(
    model: Any,
    data: Any,
    *,
    layers: Any = "blocks",
    measures: Any = None,
    metric: str = "euclidean",
    preprocess: Any = None,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    max_samples: int | None = None,
    perplexity: float = 30.0,
    k: int = 6,
    n_neighbors: int = 90,
    max_iter: int = 1000,
    coherence: float = COHERENCE,
    untrained: Any = True,
    keep_points: bool = True,
    snippets: Sequence[str] | None = None,
    metadata: Any = None,
    maps: Any = None,
    mapper: Any = None,
    class_names: Any = None,
    ignore_labels: Any = IGNORED,
    label_kind: Any = None,
    accuracy: bool | None = None,
    measure_options: Mapping[str, Any] | None = None,
    batch_size: int = 500,
    max_memory: int | str | None = None,
    pool: Any = "auto",
    channels: Mapping[str, str | int] | None = None,
    mask: Any = None,
    project: int | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
    tokenizer: Callable[..., Any] | None = None,
    label_key: str | None = None,
    split: str | None = None,
    plan: bool = False,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
    on_stage: OnStage | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    executor: Any = None,
    client: Any = None,
    store: str | os.PathLike[str] | None = None,
    store_options: Mapping[str, Any] | None = None,
    neighbors_of_all: bool = False,
) -> StudyOrPlan:
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
    data : Dataset, Split, str, path, pair (inputs, labels), or data with batches
        The test split of a data set, or all of it if it has none. Use ``(None, labels)`` for a dict
        of points whose inputs are unknown. Labels are classes of any type, or a number each; or
        several by name, ``{"species": ..., "place": ...}``, each with scores of its own, of which
        the first is what the model's outputs are compared with; or columns of 0 and 1, which are as
        many labelings of no and yes. Inputs may be arrays, a list of several, or texts. Or a
        torch ``DataLoader`` or ``Dataset``, a Hugging Face ``Dataset``, a ``tf.data.Dataset``, a
        Keras ``PyDataset``, or an iterable of batches ``(inputs, labels)``; they are read in order,
        and not kept if they exceed 1 GB. Labels of tokens, ``(n_samples, length)``, or of pixels,
        ``(n_samples, height, width)``, make each of these a point; 10,000 are drawn by class if
        `max_samples` does not say how many.
    layers : str, int, slice, module, callable, or sequence of these, default="blocks"
        As for `unknot.extract`: the blocks of a deep model and what stands beside them, ``"all"``,
        names, patterns (``"conv*"``) or depths.
    measures : str, callable or iterable of these, default=None
        Names or families of measures and functions of your own, as for `unknot.measure`, or
        ``"all"``. The default takes a
        second or two per layer of 10,000 samples.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance between points for neighbors, maps and scores, as for `unknot.measure`.
    preprocess : str, callable or list of these, default=None
        What is done to each layer's points first, as for `unknot.measure`, fitted to the samples of
        the study. The points are kept as the model gave them.
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
        The most iterations of a t-SNE, at least 250.
    coherence : float, default=0.1
        How strongly maps that follow one another are coupled, from 0 to 1, so that what moves from
        map to map is what changed; see `unknot.projection.refine_maps`. A map whose KL divergence
        grows by more than 1 %, or whose Neighborhood Hit leaves its interval, is coupled more
        weakly, and a note says so.
    untrained : bool, model or callable, default=True
        Measure a control with fresh weights, drawn as `unknot.representations.untrained` says;
        where they cannot be, a note says why. Or pass the control: a model with layers of the
        same names, or a function without arguments that builds one, such as
        ``lambda: Net(width=64)``. The control has neither a map nor intervals; its layers of more
        than 512 features are projected to 512.
    keep_points : bool, default=True
        Keep the points of the layers, which take most of the space. Without them the study cannot
        be measured again.
    snippets : sequence of str, default=None
        A short text for each sample, to show where the samples are not images.
    metadata : DataFrame or mapping of str to array-like, default=None
        What else is known of each sample, by column: numbers, booleans, dates, or text, of which
        few different ones are categories (at most 1,000, and half of the samples). NaN, None, NA,
        NaT and masked values are missing. It is stored with the study, and changes no score.
    maps : mapping of str to mapping of str to array-like (n_samples, 2), default=None
        Your own maps of layers, by their name and layer: ``{"UMAP": {"fc1": map_}}``. They are
        stored as they are and measured as t-SNE's are; `Study.with_map` shows them, and the page
        switches between them.
    mapper : estimator or mapping of str to estimator, default=None
        What else maps each layer: anything with ``fit_transform``, such as ``umap.UMAP()`` or
        ``pacmap.PaCMAP()``, called by its class unless a name is given. A copy of it is fitted to
        each layer, and its map turned as the one before; distances stay. Set its seed.
    class_names : sequence of str, or mapping of labels to str, default=None
        The name of each class, in the order of the model's outputs: then predictions and accuracy
        are known for labels of any kind. Labels 0..C-1 number the outputs, and need no names.
        Strings are sorted, which is no order: without names there is no accuracy. For several
        labelings a mapping of their names to these; for columns of 0 and 1, the name of each.
    ignore_labels : label or collection of labels, default=(-1, -100)
        Samples with these labels are unlabeled, as are those whose label is NaN, None or masked:
        they are mapped, drawn in gray, and left out of every score. If -1 and 1 are the only
        labels, -1 is a class. Numbers with fractions are ignored only where this is given.
    label_kind : {"classes", "values"} or mapping of str to these, default=None
        Whether labels are classes or numbers. By default numbers with fractions are numbers; say
        ``"values"`` for whole ones, such as ages.
    accuracy : bool, default=None
        False for no predictions, as for an encoder, whose outputs are no classes. True if the
        outputs are known to stand in the order of the classes. By default, there are predictions
        where the order is known.
    measure_options : mapping, default=None
        ``max_samples``, ``probe_max_samples``, ``capacity_max_samples_per_class``, ``n_draws``,
        ``n_resamples``, ``n_permutations`` and ``n_refits`` of `unknot.measure`; with
        ``{"n_refits": 5}`` the intervals of scores of the maps hold the maps of halves of the
        samples as well.
    batch_size, max_memory, pool, channels, mask, project, forward, tokenizer, label_key, split
        As for `unknot.extract`.
    plan : bool, default=False
        Only say what the study would take: run a few samples, and return a `Plan` with layers,
        numbers, disk, memory and minutes.
    random_state : int, default=0
        Seeds every random draw. The same seed gives the same study, byte for byte.
    n_jobs : int, default=None
        The number of threads. None means every core (in scikit-learn it means one). The result
        does not depend on it.
    progress : bool, default=True
        Show the current layer and stage on a terminal.
    on_stage : callable, default=None
        Called after each stage with the layer, the stage, its duration in seconds, and whether it
        was reused; in the calling thread, in the order in which stages end. Stages of several
        layers run at the same time, unless `n_jobs` is 1.
    on_plan : callable, default=None
        Called with the `Plan` before the model runs over all samples; prints it by default.
    executor : concurrent.futures.Executor, default=None
        Where neighbors, maps and scores are computed, such as a ``ProcessPoolExecutor``; the model
        runs in this process. `out` must be a folder that the workers see.
    client : distributed.Client, str or True, default=None
        The same on a Dask cluster: a client, the address of a scheduler or the path of its file, or
        True for a cluster on this machine. The files are the same, byte for byte. For many models
        or checkpoints use `unknot.study_many`, which scales further.
    store : path or str, default=None
        For more samples than memory holds, the folder where all of them are kept by layer, which
        all workers see. `max_samples` of them (by default 100,000), the landmarks, are studied as
        ever. Then all samples go through the model, get exact scores where sums give them (neural
        collapse, Fisher ratio, distance consistency, Davies-Bouldin, Calinski-Harabasz,
        participation ratio: ``study.controls["all samples"]``), and places on the landmarks' maps
        (``layer.density``). Inputs are one array, on disk or in memory; `model` may be the path of
        a file, which workers load, or a dict of arrays on disk.
        Or the address of an object store, such as ``"s3://bucket/prefix"``, with the extra
        ``cluster``; `out` is a folder that all workers see nevertheless.
    store_options : mapping, optional
        Of an object store, as for `obstore.store.from_url`: ``endpoint``, ``region``, credentials
        that are not in the environment, ``client_options={"allow_http": True}``. They are sent to
        workers, and not stored.
    neighbors_of_all : bool, default=False
        With `store`, also search the neighbors of all samples among all, exactly, for the
        Neighborhood Hit and the confusion of neighbors. The time grows with the square of their
        number.

    Returns
    -------
    Study
        Or a `Plan`, if that is asked for.

    Raises
    ------
    ValueError
        If data, layers or settings do not match; the message names the argument.
    FileExistsError
        If `out` holds something other than a study.
    OSError
        If the study does not fit on the disk, which is known before the work; if the disk is full
        nevertheless, in which case finished work is kept and the next run resumes; or if
        another process is writing to `out`.
    ClusterError
        If workers do not answer, do not see `out` or `store`, or die, or fail at a partition; the
        message names the worker, the partition and the remedy. Finished partitions are kept.

    See Also
    --------
    unknot.study_many : Studies many models, checkpoints or seeds.
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
    from ...representations import check_forward, find_adapter

    settings = StudySettings.of(
        measures,
        measure_options,
        metric=metric,
        preprocess=preprocess,
        perplexity=perplexity,
        k=k,
        n_neighbors=n_neighbors,
        max_iter=max_iter,
        coherence=coherence,
        random_state=random_state,
    )
    # With a store, the model may be a path, or a dict of arrays that are not read here.
    whole = None if store is not None else find_adapter(model)
    reading = Reading(
        label_key,
        split,
        tokenizer if tokenizer is not None or whole is None else whole.tokenizer,
        batch_size,
        forward is not None,
        None if max_memory is None else memory_budget(max_memory),
        max_samples,
        random_state,
        class_names,
        ignore_labels,
        label_kind,
    )
    large = None
    if store is None and neighbors_of_all:
        raise ValueError("neighbors_of_all is of a study with store=; pass store= too")
    if store is not None:
        asked = {"mask": mask, "snippets": snippets, "metadata": metadata, "preprocess": preprocess}
        check_large(asked, metric, out, plan=plan)
        everything = take_all(model, data, reading, max_samples, random_state)
        large = Large(
            everything,
            SharedStore.of(store, dict(store_options or {})),
            executor,
            client,
            neighbors_of_all,
        )
        taken, model = everything.landmarks, everything.model
    else:
        taken = take_data(data, snippets, reading).sample(max_samples, random_state)
    columns = take_metadata(metadata, taken)
    own_maps = take_maps(maps, mapper, taken)
    untrained = plain(untrained)
    check_untrained(untrained)
    fitted, notes = settings.fitted(len(taken.labels))
    adapter = find_adapter(model if large is not None else taken.rows_of(model))
    adapter.forward = check_forward(forward, adapter)
    extraction = {
        "layers": layers,
        "batch_size": batch_size,
        "max_memory": max_memory,
        "pool": pool,
        "channels": channels,
        "mask": taken.rows_of_mask(mask),
        "project": project,
        "random_state": random_state,
        "accuracy": accuracy,
        "untrained": untrained is not False,
    }
    extraction = plain_values(extraction)
    if plan:
        prepared = prepare_model(adapter, taken, extraction)
        where = None if out is None else Path(out)
        only_said: StudyOrPlan = cast(
            StudyOrPlan,
            plan_of(adapter, taken, prepared, extraction, where, untrained=untrained is not False),
        )
        return only_said

    def run(folder: Path) -> Study:
        with (
            workers_of(executor, client, n_jobs) as workers,
            stage_callbacks(progress, on_stage, on_plan) as (start, done, tell_plan),
        ):
            if workers is not None:
                if large is not None:
                    large.check_model()
                workers.check(folder)
                if large is not None and not large.store.is_remote:
                    workers.check(large.store.path, "store")
            stages = Stages(folder, fitted, n_jobs, whole_bytes(max_memory), workers, start, done)
            stages.on_plan = tell_plan
            _run(
                stages,
                adapter,
                taken,
                name or adapter.name,
                extraction,
                notes,
                columns,
                own_maps,
                untrained=untrained,
                keep_points=keep_points,
                large=large,
            )
        return load_study(folder)

    if out is not None:
        with writing(Path(out)):
            return run(Path(out))
    with TemporaryFolder() as folder:
        home = folder / "study"
        home.mkdir()
        return in_memory(run(home))


def _run(
    stages: Stages,
    adapter: Adapter,
    data: StudyData,
    name: str,
    extraction: dict[str, Any],
    notes: tuple[str, ...],
    columns: dict[str, MetadataColumn],
    own_maps: OwnMaps,
    *,
    untrained: Any,
    keep_points: bool,
    large: Large | None = None,
) -> None:
    data_part, paths = prepare_data(
        stages, data, data.fingerprint, takes_ids=adapter.takes_ids(data.inputs)
    )
    paths |= store_metadata(stages, columns)
    extracted = extract_layers(stages, adapter, data, data_part, extraction)
    records, sources = layers_of(extracted, data_part, len(data.labels))
    check_layers(own_maps, records)
    if HEADS & set(stages.settings.measures):
        answered = extracted.answers[next(iter(data.labelings))]
        stages.head = find_head(stages, adapter, records, sources, answered)
    control = None
    if untrained is not False:
        given = given_control(adapter, untrained, data.inputs) if is_given(untrained) else None
        control = partial(
            score_control,
            stages,
            name="untrained",
            trained=extracted.part,
            labelings=data.labelings,
            data_part=data_part,
            decided=deciding_control(extraction, given),
            layers=records,
            extract=partial(
                extract_control,
                stages,
                adapter=adapter,
                trained=extracted,
                data=data,
                data_part=data_part,
                options=extraction,
                given=given,
            ),
        )
    studied, scored = study_layers(stages, "", records, sources, data.labelings, beside=control)
    studied, remarks = add_maps(stages, own_maps, studied, sources, data.labelings)
    notes = (*notes, *remarks)
    controls: dict[str, dict[str, dict[str, str]]] = {}
    how: str | None = None
    if scored is not None and scored.files is None:
        notes = (*notes, scored.how)
    elif scored is not None:
        controls["untrained"] = scored.scores(studied, data.labelings)
        how = scored.how
        notes = (*notes, scored.note) if scored.note else notes
    if large is not None:
        studied, of_all = large.add(stages, adapter, extracted, studied, sources, extraction)
        controls[ALL_SAMPLES] = dict.fromkeys(data.labelings, of_all)
        notes = (*notes, large.note)
    first = next(iter(data.labelings))
    answered = extracted.answers[first]
    moment = MomentRecord(
        answered.predictions,
        answered.probabilities,
        studied,
        {control: of_all[first] for control, of_all in controls.items()},
        (*notes, *data.notes, *extracted.notes, *answered.notes),
        other_labelings(data.labelings, paths, extracted, controls),
    )
    kept = [part for part in stages.log.parts if keep_points or part.name != "extract"]
    finish(
        stages.folder,
        Manifest(
            name=name,
            class_names=answered.class_names,
            **paths,
            moment=moment if keep_points else moment.without_points(),
            epochs=None,
            settings={
                **stages.settings.to_dict(),
                **described(extraction),
                "project": extraction["project"],
                "n_samples": len(data.labels),
                "untrained": untrained is not False,
                "control": how,
                **({} if large is None else {"n_samples_of_all": large.everything.n_samples}),
            },
            versions=versions(),
            version=version_of(data.labelings),
        ),
        kept,
        stages.log.seconds,
    )


def whole_bytes(max_memory: int | str | None) -> int:
    """Return up to which size a layer is read whole; the same number in every run."""
    return WHOLE_BYTES if max_memory is None else memory_budget(max_memory)
