"""The scores of labeled points: of classes or numbers, without the unlabeled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._slices import SomeRows
from .labeling import Labeling

# Measures of the classifier's head, which takes one layer only.
HEADS: Final = {"nc3", "nc4"}
NO_LAYER_BEFORE: Final = "there is no layer before it"
NO_HEAD: Final = "the classifier's head does not take this layer as it is here, or is not known"


def measure_labeled(
    points: Any,
    labeling: Labeling,
    map_: Array | None,
    measures: Sequence[Any],
    *,
    k: int,
    graph: Any = None,
    head: Any = None,
    before: Callable[[Array | None], Any] | None = None,
    maps: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Measure the labeled points alone, as `unknot.measure` does.

    Neighbors in a graph of all points are found again if some of them are unlabeled. ``maps`` are
    the settings of t-SNE, for the option ``n_refits``. ``before`` returns what is known of the
    layer before, for the rows of some samples, or for all of them.

    Returns
    -------
    Scores
    """
    from ...metrics import measure

    labeled, notes = labeling.labeled, tuple[str, ...]()
    rows = None
    labels: Any = labeling.codes if labeling.values is None else labeling.values
    if not labeled.all():
        rows = np.flatnonzero(labeled)
        points = points[rows] if isinstance(points, np.ndarray) else SomeRows(points, rows)
        map_ = None if map_ is None else map_[rows]
        labels, graph = labels[rows], None
        if k > len(rows) - 1:
            notes = (f"k is {len(rows) - 1} instead of {k}: {len(rows)} samples are labeled",)
            k = len(rows) - 1
    if not options.get("n_refits"):
        options.pop("n_refits", None)
    elif map_ is None:
        del options["n_refits"]
    elif not isinstance(points, np.ndarray):
        del options["n_refits"]
        notes = (*notes, "n_refits: the points are on disk, and the maps of halves are left out")
    else:
        options["refit_map"] = partial(refit, metric=options["metric"], **(maps or {}))
    scores = measure(
        points,
        labels,
        map_,
        measures_for(labeling, measures),
        k=k,
        graph=graph,
        head=head if labeling.kind == "classes" else None,
        label_kind=labeling.kind,
        previous=None if before is None else before(rows),
        **options,
    )
    why = {} if head is not None else dict.fromkeys(HEADS & scores.skipped.keys(), NO_HEAD)
    if before is None:
        why |= dict.fromkeys(measures_of_previous() & scores.skipped.keys(), NO_LAYER_BEFORE)
    scores = replace(scores, skipped={**scores.skipped, **why}) if why else scores
    return replace(scores, notes=(*scores.notes, *notes)) if notes else scores


def measures_of_previous() -> set[str]:
    """Return the names of the measures of the transition from the layer before."""
    from ...metrics import MEASURES

    return {name for entry in MEASURES if entry.of_previous for name in entry.score_names}


def refit(points: Array, *, metric: str, perplexity: float, **settings: Any) -> Array:
    """Map a part of the points by t-SNE, with a perplexity that fits their number."""
    from ...projection import TSNE

    perplexity = max(1.0, min(perplexity, (len(points) - 1) / 3))
    found: Array = TSNE(metric=metric, perplexity=perplexity, **settings).fit_transform(points)
    return found


def measures_for(labeling: Labeling, measures: Sequence[Any]) -> tuple[Any, ...]:
    """Return those of some measures that there are for classes, or for numbers.

    Where there are numbers, all measures of numbers are taken unless some of them were chosen.
    """
    from ...metrics import MEASURES

    labels_of = {name: entry.labels for entry in MEASURES for name in entry.score_names}
    wanted = (labeling.kind, "any")
    # The user's own functions are of classes.
    kept = [each for each in measures if labels_of.get(each, "classes") in wanted]
    if labeling.values is not None and not any(labels_of.get(each) == "values" for each in kept):
        kept += [name for name, labels in labels_of.items() if labels == "values"]
    return tuple(kept)
