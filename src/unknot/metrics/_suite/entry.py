"""`Measure`, an entry of the registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..._typing import Array
from .._shared.results import Result
from ..regression import FAMILY
from . import uncertainty
from .permuted import MANY_NULL_RUNS
from .sentences import SENTENCES

if TYPE_CHECKING:
    from .inputs import Inputs, Space

Null = Callable[["Inputs", "Space"], "Array | tuple[float, float]"]
Compute = Callable[["Inputs", "Space"], Result]
Spaces = Literal["native", "both", "map", "pair"]

# The reason why a measure has no null that makes it one of labels of any kind.
LABEL_FREE = "it does not depend on the labels"


@dataclass(frozen=True)
class Measure:
    """One measure: its names, how to compute it, and how to read its values.

    Attributes
    ----------
    name, family, title : str
        The identifier, the group it is listed under, and the display name.
    compute : callable
        Returns the result, given the shared inputs and a space.
    higher_is_better : bool or None
        Whether a higher value is better: more untangled, or a map more faithful; None for neither.
    low, high : float
        The range of its values.
    spaces : {"native", "both", "map", "pair"}
        Where it is computed: in the representation, in both spaces, on the map only, or between the
        two.
    interval : callable or str
        Returns the interval; or the reason why there is none.
    null : callable, str or None
        Returns the values with permuted labels, or their exact mean and standard deviation; or the
        reason why there is no null. None recomputes the measure for each permutation.
    null_runs : int, optional
        Recompute it for at most this many permutations; for measures that are slow.
    null_classes : int, optional
        Recompute it for fewer permutations if their classes are together more than this many.
    grows_with_classes : bool
        Whether its time grows with the classes, so that with many of them few permutations do.
    function : callable, optional
        The user's own function of points and labels.
    of_head : bool
        Whether it is of the classifier's head, and only computed if that is known.
    of_previous : bool
        Whether it is of the transition from the layer before, and only computed if that is known;
        whatever the labels, and with a null that permutes the samples.
    by_default : bool
        Whether it is computed if no measures are chosen; others are by their name or family.
    """

    name: str
    family: str
    title: str
    compute: Compute
    higher_is_better: bool | None = True
    low: float = 0.0
    high: float = 1.0
    spaces: Spaces = "native"
    interval: uncertainty.Estimate | str = uncertainty.of_point_scores
    null: Null | str | None = None
    null_runs: int | None = None
    null_classes: int | None = None
    grows_with_classes: bool = False
    function: Callable[..., Any] | None = None
    of_head: bool = False
    of_previous: bool = False
    by_default: bool = True

    @property
    def labels(self) -> Literal["classes", "values", "any"]:
        """What labels it is of: classes, numbers, or any, as it does not depend on them."""
        if self.family == FAMILY:
            return "values"
        return "any" if self.of_previous or self.null == LABEL_FREE else "classes"

    @property
    def places(self) -> list[tuple[str, str]]:
        """The names of its scores, and the space of each."""
        if self.spaces == "both":
            return [(self.name, "native"), (f"map_{self.name}", "map")]
        return [(self.name, self.spaces)]

    @property
    def sentence(self) -> str:
        """What it says, in one sentence; of a measure of the user's own, its docstring's first."""
        if self.function is None:
            return SENTENCES[self.name]
        return " ".join((inspect.getdoc(self.function) or "").split("\n\n")[0].split())

    @property
    def score_names(self) -> list[str]:
        """The names of its scores."""
        return [name for name, _ in self.places]

    def permuted_values(self, inputs: Inputs, space: Space) -> Array | tuple[float, float] | str:
        """Return the values with permuted labels, or their exact mean and standard deviation.

        Where there are none, the reason.
        """
        if isinstance(self.null, str):
            return self.null
        if self.null is not None:
            return self.null(inputs, space)
        runs = self.null_runs
        if inputs.many and self.grows_with_classes:
            runs = MANY_NULL_RUNS if runs is None else min(runs, MANY_NULL_RUNS)
        if self.null_classes is not None:
            fewer = max(1, self.null_classes // len(inputs.classes))
            runs = fewer if runs is None else min(runs, fewer)
        values = []
        for permuted in inputs.permuted[:runs]:
            relabeled = permuted.native if space is inputs.native else permuted.map
            assert relabeled is not None
            values.append(float(self.compute(permuted, relabeled)))
        return np.array(values)
