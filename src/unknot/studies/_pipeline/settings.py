"""The settings of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ..._io.text import did_you_mean
from ..._validation.numbers import check_integer

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
)
DEFAULT_OPTIONS: Final = {
    "max_samples": 300,
    "probe_max_samples": 1000,
    "n_resamples": 50,
    "n_permutations": 3,
}
# Layers of the control with more features are projected to this many.
CONTROL_FEATURES: Final = 512


@dataclass(frozen=True)
class StudySettings:
    """The settings of a study, validated when built.

    Attributes
    ----------
    measures : tuple of str
        Names or families, as `unknot.measure` takes them.
    perplexity, max_iter
        Of t-SNE.
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
    perplexity: float = 30.0
    k: int = 6
    n_neighbors: int = 90
    max_iter: int = 1000
    options: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_OPTIONS))
    random_state: int = 0

    @classmethod
    def of(
        cls,
        measures: str | Iterable[str] | None,
        options: Mapping[str, Any] | None,
        **numbers: Any,
    ) -> StudySettings:
        """Build settings from a user's arguments."""
        if measures is None:
            chosen = DEFAULT_MEASURES
        elif measures == "all":
            chosen = measures_among(None)
        else:
            chosen = measures_among((measures,) if isinstance(measures, str) else tuple(measures))
        for name in options or {}:
            if name not in (*DEFAULT_OPTIONS, "capacity_max_samples_per_class", "n_draws"):
                raise ValueError(
                    f"measure_options: {name!r} is not one of "
                    f"{', '.join((*DEFAULT_OPTIONS, 'capacity_max_samples_per_class', 'n_draws'))}"
                )
        return cls(chosen, options={**DEFAULT_OPTIONS, **(options or {})}, **numbers)

    def __post_init__(self) -> None:
        for name in ("k", "n_neighbors", "random_state"):
            check_integer(getattr(self, name), name, 0 if name == "random_state" else 1)
        check_integer(self.max_iter, "max_iter", 250)
        if not 1 <= self.perplexity < 1e6:
            raise ValueError(f"perplexity must be from 1 up; got {self.perplexity!r}")

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
        """The measures that need no map."""
        native = {name for name, spaces in _spaces().items() if spaces == "native"}
        return tuple(name for name in self.measures if name in native)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {**asdict(self), "measures": list(self.measures)}


def measures_among(wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the measures of some names and families, in canonical order.

    Raises
    ------
    ValueError
        If one does not exist.
    """
    families = _families()
    if wanted is None:
        return tuple(families)
    known = {*families, *families.values()}
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"measures must be 'all' or among {', '.join(sorted(known))}; "
                f"got {name!r}{did_you_mean(name, sorted(known))}"
            )
    chosen = tuple(name for name, family in families.items() if name in wanted or family in wanted)
    if not chosen:
        raise ValueError("measures must name at least one measure; got none")
    return chosen


def _families() -> dict[str, str]:
    from ...metrics import MEASURES

    found = {}
    for entry in MEASURES:
        found[entry.name] = entry.family
        if entry.spaces == "both":
            found[f"map_{entry.name}"] = entry.family
    return found


def _spaces() -> dict[str, str]:
    from ...metrics import MEASURES

    return {
        entry.name: "native" if entry.spaces in ("native", "both") else "map" for entry in MEASURES
    }
