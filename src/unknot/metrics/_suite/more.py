"""Measures that are computed if they, or their family, are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.stored_points import StoredPoints
from .._shared.metric import COSINE, euclidean_distances, in_metric
from .._shared.results import ClassResult, Result, UndefinedMeasureError
from ..control import control_task_from_points
from ..directions import alignment_from_directions, uniformity_from_directions
from ..discrimination import discrimination_value_from_points, fisher_ratio_from_moments
from ..effort import description_length_from_points, v_information_from_points
from ..entanglement import soft_nearest_neighbor_loss_from_points
from ..knn import knn_accuracy_from_graph
from ..robustness import probe_noise_from_points
from ..scale import class_dimension_from_points, gride_from_distances
from ..simulated_capacity import simulated_from_points
from ..spanning_tree import spanning_tree_from_points
from ..spectrum import effective_rank_from_points
from ..topology import class_topology_from_points
from . import uncertainty
from .entry import LABEL_FREE, Measure

if TYPE_CHECKING:
    from .inputs import Inputs, Space

# Reasons why a measure has no interval, or no null.
UNKNOWN = "no interval is known to hold what it should"
SLOW = "it is slow; measure permuted labels to see it"
ONLY_DRAWS = "the choice of the points matters, not only the draws"
NULL_RUNS = 3
# Points that are compared with each other.
LOSS_SAMPLES = 1000
PAIR_SAMPLES = 3000
TREE_SAMPLES = 4000
RANK_SAMPLES = 5000


def _with_directions(inputs: Inputs) -> tuple[Any, Any]:
    """Return the points scaled to unit length, and which of them are not 0."""
    raw = inputs.raw
    unit, _ = in_metric(raw, COSINE)
    if isinstance(raw, StoredPoints):
        return unit, np.ones(len(raw), dtype=bool)
    return unit, np.asarray(raw).any(axis=1)


def _alignment(inputs: Inputs, space: Space) -> Result:
    unit, has_direction = _with_directions(inputs)
    return alignment_from_directions(unit, space.codes, space.classes, has_direction)


def _uniformity(inputs: Inputs, space: Space) -> Result:
    unit, has_direction = _with_directions(inputs)
    return uniformity_from_directions(
        unit,
        max_samples=TREE_SAMPLES,
        random_state=inputs.random_state,
        n_jobs=inputs.n_jobs,
        has_direction=has_direction,
    )


def _knn(inputs: Inputs, space: Space) -> Result:
    return knn_accuracy_from_graph(
        space.graph, inputs.k, space.codes, space.classes, space.points, inputs.n_jobs
    )


def _fisher(inputs: Inputs, space: Space) -> Result:
    return fisher_ratio_from_moments(space.moments, space.classes, space.points, space.codes)


def _tree(inputs: Inputs, space: Space) -> Any:
    return spanning_tree_from_points(
        space.points,
        space.codes,
        space.classes,
        TREE_SAMPLES,
        inputs.random_state,
        inputs.n_jobs,
    )


def _tree_null(inputs: Inputs, space: Space) -> tuple[float, float]:
    found = _tree(inputs, space)
    return found.expected, found.deviation


def _gride(inputs: Inputs, space: Space) -> Result:
    distances = euclidean_distances(space.graph)
    # The neighbors that the graph has, up to 64.
    ranks = 2 ** int(np.log2(min(64, distances.shape[1] // 2) or 1))
    if distances.shape[1] < 2:
        raise UndefinedMeasureError("Gride needs two neighbors of each point")
    return gride_from_distances(distances, ranks)


def _topology(inputs: Inputs, space: Space) -> Result:
    return class_topology_from_points(
        space.points, space.codes, space.classes, random_state=inputs.random_state
    )


def _of_points(compute: Any, **options: Any) -> Any:
    """Return what calls a function of points, codes and classes with the shared settings."""

    def from_inputs(inputs: Inputs, space: Space) -> Result:
        found: Result = compute(
            space.points,
            space.codes,
            space.classes,
            random_state=inputs.random_state,
            **({} if options.get("serial") else {"n_jobs": inputs.n_jobs}),
            **{name: value for name, value in options.items() if name != "serial"},
        )
        return found

    return from_inputs


def _glue(inputs: Inputs, space: Space) -> Result:
    return inputs.glue


def _glue_part(part: str, per_class: str) -> Any:
    """Return what takes one of the geometric measures from GLUE."""

    def from_inputs(inputs: Inputs, space: Space) -> Result:
        found = inputs.glue
        value = getattr(found, part)
        if not np.isfinite(value):
            raise UndefinedMeasureError(f"the {part} of GLUE is {value}: the class centers are 0")
        values = getattr(found, per_class) if per_class else None
        if values is None:
            return Result(value=value)
        return ClassResult(value=value, per_class=values, classes=found.classes)

    return from_inputs


def _simulated(inputs: Inputs, space: Space) -> Result:
    return simulated_from_points(
        inputs.raw,
        space.codes,
        space.classes,
        max_samples_per_class=inputs.settings["capacity_max_samples_per_class"],
        random_state=inputs.random_state,
        n_jobs=inputs.n_jobs,
    )


MORE_MEASURES = (
    Measure(
        "knn_accuracy", "neighborhood", "k-NN accuracy", _knn,
        spaces="both", interval=uncertainty.of_votes, null_runs=NULL_RUNS, by_default=False,
    ),
    Measure(
        "soft_nearest_neighbor_loss", "entanglement", "soft nearest-neighbor loss",
        _of_points(soft_nearest_neighbor_loss_from_points, max_samples=LOSS_SAMPLES),
        higher_is_better=False, high=np.inf, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "spanning_tree_edges", "entanglement", "edges of the spanning tree between classes", _tree,
        higher_is_better=False, interval=UNKNOWN, null=_tree_null, by_default=False,
    ),
    Measure(
        "fisher_ratio", "discrimination", "Fisher ratio", _fisher,
        high=np.inf, interval=uncertainty.of_influence(0.0), null_runs=NULL_RUNS, by_default=False,
    ),
    Measure(
        "generalized_discrimination_value", "discrimination", "generalized discrimination value",
        _of_points(discrimination_value_from_points, max_samples=PAIR_SAMPLES),
        higher_is_better=False, low=-np.inf, high=np.inf, interval=UNKNOWN, null_runs=NULL_RUNS,
        by_default=False,
    ),
    Measure(
        "description_length", "effort", "description length of the labels",
        _of_points(description_length_from_points),
        higher_is_better=False, high=np.inf, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "v_information", "effort", "V-information (bits)", _of_points(v_information_from_points),
        low=-np.inf, high=np.inf, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "control_task", "effort", "selectivity of the probe", _of_points(control_task_from_points),
        low=-1.0, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "probe_noise", "effort", "probe accuracy under noise", _of_points(probe_noise_from_points),
        interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "class_dimension", "dimension", "dimension of the classes",
        _of_points(class_dimension_from_points, max_samples_per_class=PAIR_SAMPLES),
        higher_is_better=None, high=np.inf, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "gride", "dimension", "intrinsic dimension by scale (Gride)", _gride,
        higher_is_better=None, high=np.inf, interval=UNKNOWN, null=LABEL_FREE, by_default=False,
    ),
    Measure(
        "effective_rank", "dimension", "effective rank",
        _of_points(effective_rank_from_points, max_samples=RANK_SAMPLES, serial=True),
        higher_is_better=None, low=1.0, high=np.inf, interval=UNKNOWN, null=LABEL_FREE,
        by_default=False,
    ),
    Measure(
        "alignment", "directions", "alignment of the classes", _alignment,
        higher_is_better=False, high=4.0, interval=uncertainty.of_influence(0.0, 4.0),
        null_runs=NULL_RUNS, by_default=False,
    ),
    Measure(
        "uniformity", "directions", "uniformity", _uniformity,
        higher_is_better=None, low=-8.0, high=0.0,
        interval=uncertainty.of_influence(-8.0, 0.0), null=LABEL_FREE, by_default=False,
    ),
    Measure(
        "class_topology", "topology", "loops of the classes", _topology,
        higher_is_better=False, high=np.inf, interval=UNKNOWN, null=SLOW, by_default=False,
    ),
    Measure(
        "glue_capacity", "glue", "GLUE capacity", _glue,
        high=np.inf, interval=ONLY_DRAWS, null_runs=NULL_RUNS, by_default=False,
    ),
    Measure(
        "glue_dimension", "glue", "GLUE dimension", _glue_part("dimension", "dimension_per_class"),
        higher_is_better=False, high=np.inf, interval=ONLY_DRAWS, null_runs=NULL_RUNS,
        by_default=False,
    ),
    Measure(
        "glue_radius", "glue", "GLUE radius", _glue_part("radius", "radius_per_class"),
        higher_is_better=False, high=np.inf, interval=ONLY_DRAWS, null_runs=NULL_RUNS,
        by_default=False,
    ),
    Measure(
        "glue_utility", "glue", "GLUE utility", _glue_part("utility", ""),
        higher_is_better=None, high=np.inf, interval=ONLY_DRAWS, null_runs=NULL_RUNS,
        by_default=False,
    ),
    Measure(
        "simulated_capacity", "glue", "simulated capacity", _simulated,
        high=np.inf, interval=ONLY_DRAWS, null=SLOW, by_default=False,
    ),
)  # fmt: skip
