"""All measures in one call, with intervals and null distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import Rows, StoredPoints, opened
from .._io.transformed import preprocessed
from .._typing import AnyArray
from .._validation.numbers import check_integer
from .._validation.points import as_points, check_labels, scale_free
from .._validation.preprocessing import as_steps, described
from ._shared.metric import check_metric, in_metric
from ._shared.results import UndefinedMeasureError, without_warnings
from ._suite.compared import metric_conflict
from ._suite.entry import Measure
from ._suite.inputs import PROBE_SAMPLES, Inputs
from ._suite.permuted import MANY_NULL_RUNS
from ._suite.refits import refitted
from ._suite.scoring import score_of
from .heads import as_head
from .neighborhood import check_graph
from .own import OwnFunction, all_measures, check_names, split_measures
from .regression import check_values, takes_values
from .scores import Score, Scores
from .transition import Previous, check_previous

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

K_FAITHFULNESS = 10


def measure_names() -> dict[str, str]:
    """Return the names and titles of all measures that `measure` computes.

    Returns
    -------
    dict of str to str
        Name -> title, in the order of the table. Names that begin with ``map_`` are measures
        computed on the map as well as in the representation.

    See Also
    --------
    measure : Computes them.

    Examples
    --------
    >>> from unknot.metrics import measure_names
    >>> measure_names()["map_neighborhood_hit"]
    'Neighborhood Hit, on the map'
    """
    names = {}
    for entry in all_measures():
        for name, space in entry.places:
            mapped = space == "map" and entry.spaces == "both"
            names[name] = f"{entry.title}, on the map" if mapped else entry.title
    return names


def measure(
    points: Any,
    labels: AnyArray,
    map: AnyArray | None = None,  # noqa: A002
    measures: str | OwnFunction | Iterable[Any] | None = None,
    *,
    metric: str = "euclidean",
    preprocess: Any = None,
    label_kind: str | None = None,
    head: Any = None,
    previous: Any = None,
    k: int = 6,
    graph: NeighborGraph | None = None,
    map_graph: NeighborGraph | None = None,
    max_samples: int | None = 3000,
    probe_max_samples: int | None = PROBE_SAMPLES,
    capacity_max_samples_per_class: int = 50,
    capacity_interval: bool = False,
    n_draws: int = 200,
    n_resamples: int = 200,
    n_permutations: int = 20,
    refit_map: Callable[[Any], Any] | None = None,
    n_refits: int = 5,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    max_memory: int | str | None = None,
) -> Scores:
    """Compute all or some measures of how untangled labeled points are, with their uncertainty.

    Each score has a value, its range and whether higher is better; a 95 % interval; the value with
    permuted labels; values per class and per pair of classes where the measure has
    them; and notes on caveats. Inputs that several measures share, such as the nearest neighbors,
    are computed once.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. Or one on disk, ``(n_samples, *shape)``: a Zarr or HDF5 array, or a
        ``numpy.memmap``.
    labels : array-like (n_samples,)
        The class of each point: integers or strings, of which -1 is one like any other. Or a number
        for each point, with fractions: then the measures are those of the family
        ``"regression"``, and those that do not depend on labels.
    map : array-like (n_samples, n_components), optional
        A map of the points, which measures of a map and of its faithfulness need.
    measures : str, callable or iterable of these, optional
        Names of measures or families (see `measure_names`), ``"all"``, and functions of your own:
        called with points and labels, they return a number or a `ScoreResult` (see `register`). By
        default some thirty measures; others, which take longer or are for special questions, are
        computed by their name or family.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance between points; on the map it is always the Euclidean one. See the notes.
    preprocess : str, callable or list of these, optional
        What is done to the points first, one after the other, fitted to these points: ``"center"``
        (subtract the mean), ``"standardize"`` (each feature to mean 0 and standard deviation 1),
        ``"normalize"`` (each point to length 1), ``"whiten"`` (principal components, each to
        standard deviation 1), ``"remove_top_3"`` or ``("remove_top", 3)`` (remove the leading
        principal components), or a function of the points that returns as many points.
    label_kind : {"classes", "values"}, optional
        Whether labels are classes or numbers. By default they are numbers if some have fractions,
        or if ``measures="regression"``; say ``"values"`` for whole numbers, such as ages.
    head : tuple (weights, bias), optional
        The last linear layer of the classifier, (n_outputs, n_features) and (n_outputs,) or None,
        if it takes these points: for NC3 and NC4. Labels are then the numbers of its outputs.
    previous : Previous, optional
        The neighbors of the same samples in the layer before, and its map, for the measures of the
        family ``"transition"``: which neighbors a sample keeps, and how far it moves.
    k : int, default=6
        Number of neighbors of the Neighborhood Hit and the neighbor confusion. Trustworthiness and
        continuity use 10, or as many as they are defined for.
    graph, map_graph : NeighborGraph, optional
        Precomputed nearest neighbors in the representation and on the map, at least max(k, 10) of
        each point; in the representation by ``metric``, of the preprocessed points. Measures of
        transitions compare up to 30 of them, and use the next 10 for their intervals.
    max_samples : int or None, default=3000
        Silhouette, trustworthiness and continuity evaluate a stratified sample of about this many
        points, each against all others, and report the standard error. Increase it for a smaller
        one; None evaluates all points.
    probe_max_samples : int or None, default=10000
        Train and test the linear probe on a stratified sample of about this many points. The
        default uses fewer with more than 300 classes: 3,000,000 divided by their number. None uses
        all.
    capacity_max_samples_per_class : int, default=50
        Points of each class that the manifold capacity uses, drawn at random. Keep it the same for
        all layers that are compared.
    capacity_interval : bool, default=False
        Compute the manifold capacity again with other points of the classes, for an interval of it,
        of the radius and of the dimension: about ten times the time.
    n_draws : int, default=200
        Random draws for each class of the manifold capacity.
    n_resamples : int, default=200
        Resamples of the points for the intervals of overlaps of shapes; 0 computes no intervals.
    n_permutations : int, default=20
        Permutations of the labels; 0 computes no null. Increase it to at least 1000 for tail
        probabilities.
    refit_map : callable, optional
        What makes a map of points, such as ``TSNE().fit_transform``. The points are divided into
        halves, each half is mapped anew, and the intervals of scores of the map are from the
        differences between the halves: they hold that another sample has another map. Otherwise
        these intervals are for this map.
    n_refits : int, default=5
        How often the points are divided; twice as many maps are made. Increase it for intervals
        that vary less.
    random_state : int or None, default=0
        Seed of everything random. The default gives the same scores each time; None draws a new
        seed, which ``settings`` of the result records.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).
    max_memory : int or str, optional
        Points on disk that take more memory than this as float32 are read a part at a time: a
        number of bytes, or text such as ``"2 GB"``; by default 256 MiB. Increase it where there
        is room. The scores are the same as of points in memory, except that the participation
        ratio, linear CKA and the linear probe use as many points as fit; their notes say so.

    Returns
    -------
    Scores
        A mapping from names to `Score`, which prints as a table.

    Raises
    ------
    ValueError
        If a name is unknown, a requested measure needs a map and there is none, or a step of
        ``preprocess`` is not possible.

    See Also
    --------
    measure_names : The names of all measures.
    register : Adds a measure of your own.
    unknot.study : Measures every layer of a model.
    Scores : The result.

    Notes
    -----
    The interval of a score is for its expectation at this number of points, over new samples of the
    same population, in which the shares of the classes vary as well. It is the value, plus and
    minus the standard error times a quantile of Student's t. The error is that of the sum of each
    point's influence on the score. Shares of points are never more certain than that many
    independent points (Wilson's interval). Below 15 degrees of freedom a note says that a few
    points carry the score. The interval of a score of a map, or of its faithfulness, is for this
    map: another sample has another map. Intervals of overlaps of shapes are percentiles over
    resamples of the points. The manifold capacity has none, unless ``capacity_interval`` is true.

    The Neighborhood Hit has the exact mean and standard deviation over all permutations of the
    labels as its null; other scores those of ``n_permutations``.

    With ``metric="cosine"`` the distance is 1 - cos. The Neighborhood Hit, the neighbor confusion,
    trustworthiness, continuity and the silhouette follow it exactly. For points of length 1 it is
    half the squared Euclidean distance; all other measures are computed on the points scaled to
    that length, with Euclidean distances: TwoNN, those of centroids, means and variances, the
    linear probe and the capacity. The order of points by distance does not depend on which of the
    two is used. Whatever the metric, a note tells if the Neighborhood Hits by the two metrics
    differ by more than their intervals, if there are any.

    Above 100 classes, no measure takes time with the square of the classes: pairs of classes, and
    classes for the manifold capacity, label-trustworthiness and the overlaps, are drawn at random;
    the linear probe is tested on one fold; and nulls of such measures are of 3 permutations. The
    notes of each score say so, with the standard error.

    A measure that fails is left out, and ``skipped`` of the result says why.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(["cat", "dog"], 50)
    >>> points = rng.normal(size=(100, 5)) + 4 * (labels == "dog")[:, None]
    >>> scores = unknot.measure(points, labels, measures=["neighborhood_hit", "collapse"])
    >>> list(scores)
    ['neighborhood_hit', 'nc1', 'nc2', 'class_distance_variance']
    >>> hit = scores["neighborhood_hit"]
    >>> hit.value, hit.higher_is_better, 0.4 < hit.null < 0.6
    (1.0, True, True)
    """
    metric, steps = check_metric(metric), as_steps(preprocess)
    names, own = split_measures(measures)
    raw, notes = _preprocessed(opened(points, max_memory), steps)
    values = None
    if takes_values(labels, label_kind, names, own):
        values = check_values(labels, len(raw), "labels")
        codes, classes = np.zeros(len(raw), dtype=np.int64), np.zeros(1, dtype=np.int64)
    else:
        codes, classes = check_labels(labels, len(raw))
    points, metric_notes = in_metric(raw, metric, min_samples=2)
    map_ = None if map is None else scale_free(map, name="map")
    if map_ is not None and len(map_) != len(points):
        raise ValueError(f"map must have the same {len(points)} points; it has {len(map_)}")
    if random_state is None:
        random_state = int(np.random.SeedSequence().generate_state(1)[0])
    n_samples = len(points)
    k = check_integer(k, "k", 1, n_samples - 1, f"from 1 to n_samples - 1 = {n_samples - 1}")
    k_faithfulness = min(K_FAITHFULNESS, (n_samples - 1) // 2)
    settings: dict[str, Any] = {
        "metric": metric,
        "preprocess": described(steps),
        "k": k,
        "k_faithfulness": k_faithfulness,
        "max_samples": _optional_count(max_samples, "max_samples"),
        "probe_max_samples": _optional_count(probe_max_samples, "probe_max_samples"),
        "capacity_max_samples_per_class": check_integer(
            capacity_max_samples_per_class, "capacity_max_samples_per_class", 1, 2**31, "above 0"
        ),
        "capacity_interval": bool(capacity_interval),
        "n_draws": check_integer(n_draws, "n_draws", 2, 10**6, "from 2 to 1,000,000"),
        "n_resamples": check_integer(n_resamples, "n_resamples", 0, 10**5, "from 0 to 100,000"),
        "n_permutations": check_integer(
            n_permutations, "n_permutations", 0, 10**4, "from 0 to 10,000"
        ),
        "random_state": check_integer(
            random_state, "random_state", 0, 2**63, "of 0 or more, or None"
        ),
        "n_jobs": n_jobs,
    }
    for shown, given, of in ((points, graph, metric), (map_, map_graph, "euclidean")):
        if given is not None and shown is not None:
            check_graph(shown, max(k, k_faithfulness), given, n_jobs, of)
    if head is not None and steps:
        raise ValueError("head: it takes the points as they are; pass it without preprocess=")
    head = None if head is None or values is not None else as_head(head, raw.shape[1], classes)
    if previous is not None:
        check_previous(previous, n_samples, metric, map_)
        settings["previous"] = previous.name
    chosen, skipped = _choose(names, own, map_ is not None, head is not None, previous)
    chosen = _of_labels(chosen, skipped, names, "classes" if values is None else "values")
    inputs = Inputs(
        points,
        codes,
        classes,
        map_,
        settings=settings,
        graph=graph,
        map_graph=map_graph,
        raw=raw,
        raw_map=None if map is None else as_points(map, name="map"),
    )
    inputs.values = values
    inputs.head = head
    inputs.previous = previous
    scores: dict[str, Score] = {}
    with without_warnings():
        for name, entry, where in chosen:
            space = inputs.map if where == "map" else inputs.native
            assert space is not None
            try:
                scores[name] = score_of(name, entry, where, inputs, space)
            except UndefinedMeasureError as error:
                skipped[name] = str(error)
            except (ValueError, ArithmeticError) as error:  # such as an SVD that does not converge
                skipped[name] = f"it failed: {type(error).__name__}: {error}"
    if refit_map is not None:
        if map_ is None:
            raise ValueError("refit_map: there is no map; pass map=, the map of all points")
        n_refits = check_integer(n_refits, "n_refits", 1, 1000, "from 1 to 1,000")
        labeled = codes if values is None else values
        scores = refitted(raw, labeled, scores, refit_map, n_refits, settings, measure)
    conflict = metric_conflict(raw, inputs) if "neighborhood_hit" in scores else None
    few_nulls = inputs.many and settings["n_permutations"] > MANY_NULL_RUNS
    del settings["n_jobs"]
    return Scores(
        scores=scores,
        classes=classes if values is None else classes[:0],
        counts=np.bincount(codes),
        n_features=raw.shape[1],
        settings=settings,
        skipped=skipped,
        notes=(
            *notes,
            *metric_notes,
            *_constant_feature_notes(points if metric == "euclidean" else raw),
            *([conflict] if conflict else []),
            *([_note_on_nulls(len(classes))] if few_nulls else []),
        ),
        shared_seconds=inputs.clock.seconds,
    )


def _of_labels(
    chosen: list[tuple[str, Measure, str]],
    skipped: dict[str, str],
    names: tuple[str, ...] | None,
    labels: str,
) -> list[tuple[str, Measure, str]]:
    """Return the measures that there are for classes, or for numbers; note others asked for."""
    kept = []
    for name, entry, where in chosen:
        if entry.labels in (labels, "any"):
            kept.append((name, entry, where))
        elif names is not None:
            what = "numbers" if labels == "values" else "classes"
            skipped[name] = f"the labels are {what}"
    return kept


def _note_on_nulls(n_classes: int) -> str:
    return (
        f"there are {n_classes:,} classes: by chance is the mean over {MANY_NULL_RUNS} "
        "permutations for measures whose time grows with the classes"
    )


def _preprocessed(points: Any, steps: tuple[Any, ...]) -> tuple[Rows, tuple[str, ...]]:
    """Check points in memory, and preprocess them or those on disk."""
    if not isinstance(points, StoredPoints):
        points = as_points(points, min_samples=2)
    return preprocessed(points, steps)


def _optional_count(value: int | None, name: str) -> int | None:
    return None if value is None else check_integer(value, name, 2, 2**62, "from 2 up, or None")


def _choose(
    names: tuple[str, ...] | None,
    own: tuple[Measure, ...],
    with_map: bool,
    with_head: bool,
    previous: Previous | None,
) -> tuple[list[tuple[str, Measure, str]], dict[str, str]]:
    """Return the requested measures in the order of the registry, and those skipped."""
    with_map_before = previous is not None and previous.map is not None
    wanted = None if names is None else set(names)
    if wanted is not None:
        check_names(wanted, own, or_all=True)
    if wanted is not None and "all" in wanted:
        wanted = {name for entry in (*all_measures(), *own) for name in entry.score_names}
        names = None
    chosen, skipped = [], {}
    for entry in (*all_measures(), *own):
        if wanted is None and not entry.by_default:
            continue
        if entry.of_head and not with_head:
            if wanted is not None and wanted & {entry.name, entry.family}:
                skipped[entry.name] = "the classifier's head is not known: pass head="
            continue
        if entry.of_previous and previous is None:
            if wanted is not None and wanted & {entry.name, entry.family}:
                skipped[entry.name] = "it needs the layer before: pass previous="
            continue
        for name, where in entry.places:
            if wanted is not None and not wanted & {name, entry.family}:
                continue
            if entry.of_previous and where != "native" and not with_map_before:
                skipped[name] = "it needs the map of the layer before: pass previous= with a map"
            elif where == "native" or with_map:
                chosen.append((name, entry, where))
            elif names is not None and name in names:
                raise ValueError(f"{name} needs a map of the points: pass map=")
            else:
                skipped[name] = "it needs a map of the points: pass map="
    return chosen, skipped


def _constant_feature_notes(points: Rows) -> tuple[str, ...]:
    low, high = points.min(axis=0), points.max(axis=0)
    constant = int((low == high).sum())
    if constant == points.shape[1]:
        return ("all points coincide: the representation is dead and carries no information",)
    if constant:
        return (f"{constant} of {points.shape[1]} features are constant and have no effect",)
    return ()
