"""All measures in one call, with intervals and null distributions."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import Rows, StoredPoints, opened
from .._io.text import did_you_mean
from .._typing import AnyArray, Array
from .._validation.numbers import check_integer
from .._validation.points import check_labels, scale_free
from ._shared.checks import check_labeled
from ._shared.results import MeasureWarning, UndefinedMeasureError
from ._suite.inputs import Inputs, Space
from ._suite.registry import MEASURES, Measure
from ._suite.uncertainty import bootstrap_interval
from .neighborhood import check_graph
from .scores import Score, Scores

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
    for entry in MEASURES:
        if entry.spaces != "map":
            names[entry.name] = entry.title
        if entry.spaces == "both":
            names[f"map_{entry.name}"] = f"{entry.title}, on the map"
        if entry.spaces == "map":
            names[entry.name] = entry.title
    return names


def measure(
    points: Any,
    labels: AnyArray,
    map: AnyArray | None = None,  # noqa: A002
    measures: str | Iterable[str] | None = None,
    *,
    k: int = 6,
    graph: NeighborGraph | None = None,
    map_graph: NeighborGraph | None = None,
    max_samples: int | None = 3000,
    probe_max_samples: int | None = 10_000,
    capacity_max_samples_per_class: int = 50,
    n_draws: int = 200,
    n_resamples: int = 200,
    n_permutations: int = 20,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    max_memory: int | str | None = None,
) -> Scores:
    """Compute all or some measures of how untangled labeled points are, with their uncertainty.

    Each score has a value, its range and whether higher is better; a 95 % bootstrap interval; the
    value with permuted labels; values per class and per pair of classes where the measure has
    them; and notes on caveats. Inputs that several measures share, such as the nearest neighbors,
    are computed once.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. Or one on disk, ``(n_samples, *shape)``: a Zarr or HDF5 array, or a
        ``numpy.memmap``.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    map : array-like (n_samples, n_components), optional
        A map of the points, which measures of a map and of its faithfulness need.
    measures : str or iterable of str, optional
        Names of measures or families (see `measure_names`); all by default.
    k : int, default=6
        Number of neighbors of the Neighborhood Hit and the neighbor confusion. Trustworthiness and
        continuity use 10, or as many as they are defined for.
    graph, map_graph : NeighborGraph, optional
        Precomputed nearest neighbors in the representation and on the map, at least max(k, 10) of
        each point.
    max_samples : int or None, default=3000
        Silhouette, trustworthiness and continuity evaluate a stratified sample of about this many
        points, each against all others, and report the standard error. Increase it for a smaller
        one; None evaluates all points.
    probe_max_samples : int or None, default=10000
        Train and test the linear probe on a stratified sample of about this many points. None uses
        all.
    capacity_max_samples_per_class : int, default=50
        Points of each class that the manifold capacity uses, drawn at random. Keep it the same for
        all layers that are compared.
    n_draws : int, default=200
        Random draws for each class of the manifold capacity.
    n_resamples : int, default=200
        Bootstrap resamples of the points; 0 computes no intervals.
    n_permutations : int, default=20
        Permutations of the labels; 0 computes no null. Increase it to at least 1000 for tail
        probabilities.
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
        If a name is unknown, or a requested measure needs a map and there is none.

    See Also
    --------
    measure_names : The names of all measures.
    unknot.study : Measures every layer of a model.
    Scores : The result.

    Notes
    -----
    Intervals are for the sampling of the points; each class is resampled separately. Functions of
    class means and variances, and the shapes, are recomputed for each resample. Measures of
    neighbors keep the graph (in a resample a point would be a neighbor of its own copies) and
    weight each edge by how often both its ends were drawn, to first order; their intervals are as
    wide as the scatter over new data sets, or up to one half wider. Measures that compare points
    with centroids, or with a trained classifier, keep those. Dimension and similarity are shifted
    to first order. The interval of the manifold capacity is the Monte Carlo error of its draws.

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
    points, codes, classes = _checked(opened(points, max_memory), labels)
    map_ = None if map is None else scale_free(map, name="map")
    if map_ is not None and len(map_) != len(points):
        raise ValueError(f"map must have the same {len(points)} points; it has {len(map_)}")
    if random_state is None:
        random_state = int(np.random.SeedSequence().generate_state(1)[0])
    n_samples = len(points)
    k = check_integer(k, "k", 1, n_samples - 1, f"from 1 to n_samples - 1 = {n_samples - 1}")
    k_faithfulness = min(K_FAITHFULNESS, (n_samples - 1) // 2)
    settings: dict[str, Any] = {
        "k": k,
        "k_faithfulness": k_faithfulness,
        "max_samples": _optional_count(max_samples, "max_samples"),
        "probe_max_samples": _optional_count(probe_max_samples, "probe_max_samples"),
        "capacity_max_samples_per_class": check_integer(
            capacity_max_samples_per_class, "capacity_max_samples_per_class", 1, 2**31, "above 0"
        ),
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
    for shown, given in ((points, graph), (map_, map_graph)):
        if given is not None and shown is not None:
            check_graph(shown, max(k, k_faithfulness), given, n_jobs)
    chosen, skipped = _choose(measures, map_ is not None)
    inputs = Inputs(
        points, codes, classes, map_, settings=settings, graph=graph, map_graph=map_graph
    )
    scores = {}
    with warnings.catch_warnings():
        # The caveats are in the notes of the results.
        warnings.simplefilter("ignore", MeasureWarning)
        for name, entry, where in chosen:
            space = inputs.map if where == "map" else inputs.native
            assert space is not None
            try:
                scores[name] = _score(name, entry, where, inputs, space)
            except UndefinedMeasureError as error:
                skipped[name] = str(error)
    del settings["n_jobs"]
    return Scores(
        scores=scores,
        classes=classes,
        counts=np.bincount(codes),
        n_features=points.shape[1],
        settings=settings,
        skipped=skipped,
        notes=_constant_feature_notes(points),
        shared_seconds=inputs.clock.seconds,
    )


def _checked(points: Any, labels: AnyArray) -> tuple[Rows, Array, Array]:
    """Return points in memory or on disk, labels as 0..C-1, and the class values."""
    if isinstance(points, StoredPoints):
        codes, classes = check_labels(labels, len(points))
        points = points.scale_free()
        points.require_finite()
        return points, codes, classes
    points, codes, classes = check_labeled(points, labels)
    return scale_free(points, min_samples=2), codes, classes


def _optional_count(value: int | None, name: str) -> int | None:
    return None if value is None else check_integer(value, name, 2, 2**62, "from 2 up, or None")


def _places(entry: Measure) -> list[tuple[str, str]]:
    """Return the names of a measure's scores, and the space of each."""
    if entry.spaces == "both":
        return [(entry.name, "native"), (f"map_{entry.name}", "map")]
    return [(entry.name, entry.spaces)]


def _choose(
    measures: str | Iterable[str] | None, with_map: bool
) -> tuple[list[tuple[str, Measure, str]], dict[str, str]]:
    """Return the requested measures in the order of the registry, and those skipped."""
    entries = [(name, entry, where) for entry in MEASURES for name, where in _places(entry)]
    wanted = None
    if measures is not None:
        wanted = {measures} if isinstance(measures, str) else set(measures)
        known = {name for name, _, _ in entries} | {entry.family for entry in MEASURES}
        for name in sorted(wanted - known):
            raise ValueError(
                f"measures must be among {', '.join(sorted(known))}; "
                f"got {name!r}{did_you_mean(name, sorted(known))}"
            )
    chosen, skipped = [], {}
    for name, entry, where in entries:
        if wanted is not None and not wanted & {name, entry.family}:
            continue
        if where == "native" or with_map:
            chosen.append((name, entry, where))
        elif wanted is not None and name in wanted:
            raise ValueError(f"{name} needs a map of the points: pass map=")
        else:
            skipped[name] = "it needs a map of the points: pass map="
    return chosen, skipped


def _score(name: str, entry: Measure, where: str, inputs: Inputs, space: Space) -> Score:
    start, before = time.perf_counter(), sum(inputs.clock.seconds.values())
    result = entry.compute(inputs, space)
    bounds, no_interval = None, None
    if isinstance(entry.replicate, str):
        no_interval = entry.replicate
    elif inputs.settings["n_resamples"] == 0:
        no_interval = "n_resamples is 0"
    else:
        try:
            replicates = entry.replicate(inputs, space, result)
        except UndefinedMeasureError as error:
            no_interval = f"in a resample, {error}"
        else:
            bounds = bootstrap_interval(result.value, replicates, entry.low, entry.high)
    null, null_bounds, no_null = None, None, None
    if inputs.settings["n_permutations"] == 0:
        no_null = "n_permutations is 0"
    else:
        try:
            by_chance = entry.permuted_values(inputs, space)
        except UndefinedMeasureError as error:
            by_chance = f"with permuted labels, {error}"
        if isinstance(by_chance, str):
            no_null = by_chance
        else:
            null = float(by_chance.mean())
            low, high = np.percentile(by_chance, [2.5, 97.5])
            null_bounds = float(low), float(high)
    shared = sum(inputs.clock.seconds.values()) - before
    return Score(
        name=name,
        title=entry.title,
        family=entry.family,
        space=where,
        value=result.value,
        interval=bounds,
        null=null,
        null_interval=null_bounds,
        range=(entry.low, float(entry.high)),
        higher_is_better=entry.higher_is_better,
        per_class=getattr(result, "per_class", None),
        per_pair=getattr(result, "per_pair", None),
        seconds=max(0.0, time.perf_counter() - start - shared),
        notes=result.notes,
        no_interval=no_interval,
        no_null=no_null,
    )


def _constant_feature_notes(points: Rows) -> tuple[str, ...]:
    low, high = points.min(axis=0), points.max(axis=0)
    constant = int((low == high).sum())
    if constant == points.shape[1]:
        return ("all points coincide: the representation is dead and carries no information",)
    if constant:
        return (f"{constant} of {points.shape[1]} features are constant and have no effect",)
    return ()
