"""The settings of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from ..._io.text import did_you_mean
from ..._validation.numbers import check_integer, check_number, plain_values
from ..._validation.preprocessing import Step, as_steps, described, identified, identity_of
from .measuring import measures_of_previous

if TYPE_CHECKING:
    from ...metrics import Measure

# Together a second or two per layer of 10,000 samples; other measures on request.
DEFAULT_MEASURES: Final[tuple[str, ...]] = (
    "neighborhood_hit",
    "map_neighborhood_hit",
    "neighbor_confusion",
    "map_neighbor_confusion",
    "trustworthiness",
    "continuity",
    "distance_consistency",
    "map_distance_consistency",
    "silhouette",
    "linear_probe",
    "nc1",
    "class_distance_variance",
    "two_nn",
    "manifold_capacity",
    "manifold_radius",
    "manifold_dimension",
    "kept_neighbors",
    "displacement",
    "needless_movement",
    "movement_correlation",
)
DEFAULT_OPTIONS: Final = {
    "max_samples": 300,
    "probe_max_samples": 1000,
    "n_resamples": 50,
    "n_permutations": 3,
}
OPTIONS: Final = (
    *DEFAULT_OPTIONS,
    "capacity_interval",
    "capacity_max_samples_per_class",
    "n_draws",
    "n_refits",
)
# The same as `unknot.projection.COHERENCE`, whose import would import Numba.
COHERENCE: Final = 0.1
# Counts changes of how scores are computed: those of an earlier version are computed again.
SCORING: Final = 4
# The same of maps.
MAPPING: Final = 3
# Layers of the control with more features are projected to this many.
CONTROL_FEATURES: Final = 512


@dataclass(frozen=True)
class StudySettings:
    """The settings of a study, validated when built.

    Attributes
    ----------
    measures : tuple of str
        Names of measures, in canonical order, those of the user's own last.
    metric : {"euclidean", "cosine"}
    preprocess : tuple of Step
    own : tuple of Measure
        The user's functions among the measures.
    identities : dict of str to str
        What identifies the user's functions, measures and preprocessing, in this run.
    perplexity, max_iter
        Of t-SNE.
    coherence : float
        Of maps that follow one another.
    k, n_neighbors : int
        Neighbors of the Neighborhood Hit, and of the graph.
    options : dict
        Of `unknot.measure`.
    random_state : int

    Raises
    ------
    ValueError
        If a number is out of range or a measure does not exist.
    """

    measures: tuple[str, ...] = DEFAULT_MEASURES
    metric: str = "euclidean"
    preprocess: tuple[Step, ...] = ()
    own: tuple[Measure, ...] = ()
    identities: dict[str, Any] = field(default_factory=dict)
    perplexity: float = 30.0
    k: int = 6
    n_neighbors: int = 90
    max_iter: int = 1000
    coherence: float = COHERENCE
    options: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_OPTIONS))
    random_state: int = 0

    @classmethod
    def of(
        cls,
        measures: Any,
        options: Mapping[str, Any] | None,
        *,
        preprocess: Any = None,
        **numbers: Any,
    ) -> StudySettings:
        """Build settings from a user's arguments."""
        from ...metrics import split_measures

        own: tuple[Measure, ...] = ()
        if measures is None:
            chosen = DEFAULT_MEASURES
        elif isinstance(measures, str) and measures == "all":
            chosen = measures_among(None)
        else:
            names, own = split_measures(measures)
            chosen = measures_among(names, own)
        steps = as_steps(preprocess)
        identities = {
            "preprocess": identified(steps),
            "own": {
                entry.name: identity_of(entry.function)
                for entry in _entries(own)
                if entry.function is not None and set(entry.score_names) & set(chosen)
            },
        }
        for name in options or {}:
            if name not in OPTIONS:
                raise ValueError(
                    f"measure_options: {name!r} is not one of {', '.join(OPTIONS)}"
                    f"{did_you_mean(str(name), OPTIONS)}"
                )
        return cls(
            chosen,
            options={**DEFAULT_OPTIONS, **plain_values(options or {})},
            preprocess=steps,
            own=own,
            identities=identities,
            **plain_values(numbers),
        )

    def __post_init__(self) -> None:
        for name in ("k", "n_neighbors", "random_state"):
            check_integer(getattr(self, name), name, 0 if name == "random_state" else 1)
        check_integer(self.max_iter, "max_iter", 250)
        check_number(
            self.coherence,
            "coherence",
            0.0,
            1.0,
            bounds=f"from 0, for maps that are not coupled, to 1; by default {COHERENCE:g}",
        )
        if self.metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric must be 'euclidean' or 'cosine'; got {self.metric!r}")
        check_number(self.perplexity, "perplexity", 1.0, 1e6, bounds="from 1 to 1,000,000")

    def fitted(self, n_samples: int) -> tuple[StudySettings, tuple[str, ...]]:
        """Return the settings adapted to a number of samples, and notes on what was changed.

        Raises
        ------
        ValueError
            If there are fewer than four samples.
        """
        if n_samples < 4:
            raise ValueError(f"data: a study needs at least 4 samples; got {n_samples}")
        notes = []
        k = min(self.k, n_samples - 1)
        # Trustworthiness and continuity use ten.
        wanted = max(self.n_neighbors, int(3 * self.perplexity + 1e-6), self.k, 10)
        n_neighbors = min(wanted, n_samples - 1)
        perplexity = max(1.0, min(self.perplexity, n_neighbors / 3))
        for name, requested, used in (
            ("k", self.k, k),
            ("n_neighbors", wanted, n_neighbors),
            ("perplexity", self.perplexity, perplexity),
        ):
            if used != requested:
                notes.append(
                    f"{name} is {used:g} instead of {requested:g}: there are {n_samples} samples"
                )
        changed = {**self.__dict__, "k": k, "n_neighbors": n_neighbors, "perplexity": perplexity}
        return StudySettings(**changed), tuple(notes)

    @property
    def native_measures(self) -> tuple[str, ...]:
        """The measures that need no map: those of own maps are the others."""
        native = {
            name
            for entry in _entries(self.own)
            for name, space in entry.places
            if space == "native"
        }
        return tuple(name for name in self.measures if name in native)

    @property
    def of_previous(self) -> tuple[str, ...]:
        """The measures of the transition from the layer before."""
        names = measures_of_previous()
        return tuple(name for name in self.measures if name in names)

    @property
    def control_measures(self) -> tuple[str, ...]:
        """The measures of a control, whose layers have no map and are measured one by one."""
        return tuple(name for name in self.native_measures if name not in self.of_previous)

    def to_compute(self, names: Iterable[str]) -> tuple[Any, ...]:
        """Return names with the user's functions in place of theirs, as `measure` takes them."""
        own = {name: entry for entry in self.own for name in entry.score_names}
        return tuple(own.get(name, name) for name in names)

    @property
    def space(self) -> dict[str, Any]:
        """What decides the distances between points, for the settings of a stage."""
        return {
            "metric": self.metric,
            "preprocess": self.identities.get("preprocess", described(self.preprocess)),
        }

    def scoring(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what decides the scores, for the settings of a stage."""
        return {
            **self.space,
            "measures": list(names),
            "own": self.identities.get("own", {}),
            "k": self.k,
            "options": self.options,
            "random_state": self.random_state,
            "version": SCORING,
        }

    @property
    def mapping(self) -> dict[str, Any]:
        """What decides a map, for the settings of a stage."""
        return {
            "perplexity": self.perplexity,
            "max_iter": self.max_iter,
            "random_state": self.random_state,
            "version": MAPPING,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["own"], values["identities"]
        return {
            **values,
            "measures": list(self.measures),
            "preprocess": described(self.preprocess),
            "options": dict(self.options),
        }


def measures_among(
    wanted: tuple[str, ...] | None, own: tuple[Measure, ...] = ()
) -> tuple[str, ...]:
    """Return the measures of some names and families, in canonical order.

    Raises
    ------
    ValueError
        If one does not exist.
    """
    from ...metrics import check_names

    families = {name: entry.family for entry in _entries(own) for name in entry.score_names}
    if wanted is None or "all" in wanted:
        return tuple(families)
    check_names(wanted, own, or_all=True)
    chosen = tuple(name for name, family in families.items() if name in wanted or family in wanted)
    if not chosen:
        raise ValueError("measures must name at least one measure; got none")
    return chosen


def _entries(own: tuple[Measure, ...]) -> tuple[Measure, ...]:
    from ...metrics import all_measures

    return (*all_measures(), *own)
