"""How scores are compared: which with which, as paired or independent samples, and how surely."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .._io.text import did_you_mean
from .._typing import Array
from ._compare import Comparison, Difference
from ._influences import known_influences
from ._similarity import check_same_samples
from ._slices import match_layers
from ._store.format import StudyError

if TYPE_CHECKING:
    from ..metrics import Score, Scores
    from ._study import Study
else:
    Score = Scores = Study = Any

SIGNIFICANT: Final = 0.05
# Settings of `measure` that change what a score is.
_DECISIVE: Final = ("k", "k_faithfulness", "metric", "preprocess", "max_samples")


class Place(NamedTuple):
    """A layer of a study that has scores."""

    study: Study
    layer: str

    @property
    def scores(self) -> Scores:
        """Its scores."""
        found = self.study[self.layer].scores
        assert found is not None
        return found

    @property
    def measured(self) -> tuple[int, str]:
        """What identifies its scores: a view has those of its layer."""
        return id(self.study), self.study[self.layer].same_as or self.layer


def compare_studies(
    first: Study,
    second: Study,
    layers: Mapping[str, str] | Sequence[str] | None,
    measures: str | Sequence[str] | None,
    *,
    paired: bool,
) -> Comparison:
    """Compare two studies; as `Study.compare`."""
    mine, theirs = first.scores, second.scores
    if layers is None:
        pairs = [(layer, layer) for layer in mine if layer in theirs]
    else:
        named = layers if isinstance(layers, Mapping) else {name: name for name in layers}
        pairs = [
            (match_layers(mine, one)[0], match_layers(theirs, two)[0]) for one, two in named.items()
        ]
    names = (first.name, second.name)
    if first.name == second.name:
        names = (f"{first.name} (first)", f"{second.name} (second)")
    wanted = _measures((*mine.values(), *theirs.values()), measures)
    if paired:
        _check_paired(first, second, names)
    places = [(Place(first, one), Place(second, two)) for one, two in pairs]
    rows, count = _differences(places, wanted, paired=paired)
    if not rows:
        raise ValueError(
            f"the studies have no layer and measure in common: {names[0]} has the layers "
            f"{', '.join(mine) or 'none'}, {names[1]} has {', '.join(theirs) or 'none'}. "
            'Name the pairs with layers={"fc1": "dense_3"}'
        )
    matched = {one for one, _ in pairs}, {other for _, other in pairs}
    return Comparison(
        names,
        rows,
        (
            tuple(layer for layer in mine if layer not in matched[0]),
            tuple(layer for layer in theirs if layer not in matched[1]),
        ),
        f"{names[1]} less {names[0]}",
        paired,
        _differing_settings(first, second, names),
        count,
    )


def compare_layers(
    study: Study, measures: str | Sequence[str] | None, reference: str | None
) -> Comparison:
    """Compare the layers of a study; as `Study.compare_layers`."""
    scores = study.scores
    own = [name for name in scores if study[name].same_as is None and len(scores[name])]
    if reference is not None:
        chosen = match_layers(study, reference)
        if len(chosen) > 1:
            raise ValueError(
                f"reference must name one layer; {reference!r} matches {', '.join(chosen)}"
            )
        base = study[chosen[0]].same_as or chosen[0]
        if base not in own:
            raise ValueError(f"reference: the layer {chosen[0]!r} has no scores")
        pairs = [(base, name) for name in own if name != base]
        names, title = (base, "layer"), f"{study.name}: each layer less {base}"
    else:
        pairs = list(pairwise(own))
        names, title = ("before", "layer"), f"{study.name}: each layer less the one before it"
    wanted = _measures(scores.values(), measures)
    if not pairs:
        raise ValueError(
            "a comparison of layers needs at least two with scores, views of others aside; "
            f"{study.name} has {', '.join(own) or 'none'}"
        )
    places = [(Place(study, one), Place(study, two)) for one, two in pairs]
    rows, count = _differences(places, wanted, paired=True)
    return Comparison(names, rows, title=title, n_compared=count)


def _measures(scores: Iterable[Any], wanted: str | Sequence[str] | None) -> set[str]:
    """Return the measures of some names and families, among those that are in the scores."""
    known = {name: score.family for each in scores for name, score in each.items()}
    if wanted is None:
        return set(known)
    chosen: set[str] = set()
    for each in [wanted] if isinstance(wanted, str) else wanted:
        found = {name for name, family in known.items() if each in (name, family)}
        if not found:
            hint = did_you_mean(each, known) or f"; there are {', '.join(known)}"
            raise ValueError(f"measures: there is no score {each!r} to compare{hint}")
        chosen |= found
    return chosen


def _check_paired(first: Study, second: Study, names: tuple[str, str]) -> None:
    """Raise a ValueError unless two studies are of the same samples with the same labels."""
    remedy = "Or compare them as independent samples: paired=False (--independent)"
    try:
        check_same_samples(first, second)
    except StudyError:
        raise  # a file is damaged
    except ValueError as error:
        raise ValueError(
            f"{names[0]} and {names[1]} cannot be paired: {error}. {remedy}"
        ) from error
    if (first.targets is None) != (second.targets is None):
        same = np.zeros(len(first.labels), dtype=bool)
    elif first.targets is not None and second.targets is not None:
        same = (first.targets == second.targets) | ~(first.labeled | second.labeled)
    else:
        same = _class_of_each(first) == _class_of_each(second)
    if not same.all():
        at = int(np.flatnonzero(~same)[0])
        raise ValueError(
            f"{names[0]} and {names[1]} cannot be paired: their labels differ, first at index {at} "
            f"({_label(first, at)} and {_label(second, at)}). {remedy}"
        )


def _class_of_each(study: Study) -> Array:
    names = np.array([*study.class_names, ""], dtype=object)
    return np.asarray(names[study.labels])


def _label(study: Study, at: int) -> str:
    if not study.labeled[at]:
        return "unlabeled"
    if study.targets is not None:
        return f"{study.targets[at]:g}"
    return repr(study.class_names[int(study.labels[at])])


def _differing_settings(first: Study, second: Study, names: tuple[str, str]) -> tuple[str, ...]:
    """Return a note for each setting of the scores that differs, which makes them incomparable."""
    found = [
        next((s.settings for s in study.scores.values() if len(s)), {}) for study in (first, second)
    ]
    notes = []
    for name in _DECISIVE:
        one, two = (settings.get(name) for settings in found)
        if name in found[0] and name in found[1] and one != two:
            notes.append(
                f"{name} is {one} in {names[0]} and {two} in {names[1]}: the scores that depend on "
                "it are not the same measure"
            )
    return tuple(notes)


def _differences(
    pairs: Sequence[tuple[Place, Place]], measures: set[str], *, paired: bool
) -> tuple[tuple[Difference, ...], int]:
    """Compare the scores of pairs of layers; return also the number of comparisons.

    The p values are corrected for that.
    """
    from ..metrics import holm

    known: dict[tuple[int, str], dict[str, Array]] = {}

    def influences(place: Place) -> dict[str, Array]:
        key = place.measured
        if key not in known:
            known[key] = known_influences(place.study[place.layer], place.study.labeled)
        return known[key]

    alike = {(first.layer, second.layer) for first, second in pairs}
    rows: list[Difference] = []
    # Views repeat the comparison of their layer, which counts once.
    same: list[tuple[Any, ...]] = []
    for first, second in pairs:
        for measure in first.scores:
            if measure not in second.scores or measure not in measures:
                continue
            both = None
            if paired:
                both = influences(first).get(measure), influences(second).get(measure)
            rows.append(_difference(first, second, measure, both, alike))
            same.append((first.measured, second.measured, measure))
    # What is the same data, such as the inputs of two models, is no question.
    p_values = {
        key: row.p
        for key, row in zip(same, rows, strict=True)
        if row.p is not None and row.interval != (0.0, 0.0)
    }
    corrected = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    judged = (_judged(row, corrected.get(key, row.p)) for key, row in zip(same, rows, strict=True))
    return tuple(judged), len(corrected)


def _difference(
    first: Place,
    second: Place,
    measure: str,
    influences: tuple[Array | None, Array | None] | None,
    alike: Collection[tuple[str, str]],
) -> Difference:
    """Compare one measure; ``influences`` of the labeled samples where these are the same.

    Parameters
    ----------
    alike : collection of (str, str)
        The layers that are compared with each other.
    """
    from ..metrics import difference_p

    one, two = first.scores[measure], second.scores[measure]
    apart = None
    if one.interval is not None and two.interval is not None:
        apart = one.interval[1] < two.interval[0] or two.interval[1] < one.interval[0]
    found, why = None, None
    try:
        if (other := _other_transition(first, second, one, alike)) is not None:
            raise _NoIntervalError(other)
        found = _interval(first, one, two, influences)
    except _NoIntervalError as error:
        why = str(error)
    same_layer = first.layer == second.layer
    return Difference(
        layer=first.layer if same_layer else f"{first.layer} / {second.layer}",
        measure=measure,
        title=one.title + (", map" if measure.startswith("map_") else ""),
        first=one.value,
        second=two.value,
        difference=two.value - one.value,
        apart=apart,
        untangled=None,
        higher_is_better=one.higher_is_better,
        interval=None if found is None else (found.low, found.high),
        p=None if found is None else difference_p(one.value, two.value, found),
        standard_error=None if found is None else found.standard_error,
        df=None if found is None else found.df,
        given_map=found is not None and (one.given_map or two.given_map),
        no_interval=why,
        notes=(*_numbers_differ(one, two), *(() if found is None else found.notes)),
        layers=(first.layer, second.layer),
    )


def _other_transition(
    first: Place, second: Place, score: Score, alike: Collection[tuple[str, str]]
) -> str | None:
    """Return why two scores are of transitions that cannot be compared, or None.

    Of the layers of one study each has a layer before it of its own.
    """
    from ..metrics.transition import FAMILY

    before = [place.scores.settings.get("previous") for place in (first, second)]
    if score.family != FAMILY or first.study is second.study or None in before:
        return None
    if before[0] == before[1] or tuple(before) in alike:
        return None
    return f"they are transitions from different layers, {before[0]} and {before[1]}"


class _NoIntervalError(Exception):
    """Why a difference has no interval."""


def _interval(
    place: Place,
    one: Score,
    two: Score,
    influences: tuple[Array | None, Array | None] | None,
) -> Any:
    """Return the interval of a difference; a `_NoIntervalError` where there is none."""
    from ..metrics import independent_interval, paired_interval

    if not (np.isfinite(one.value) and np.isfinite(two.value)):
        raise _NoIntervalError("a value is not finite")
    for score in (one, two):
        if score.interval is None:
            raise _NoIntervalError(score.no_interval or "a value has no interval")
    if influences is None:
        if one.standard_error is None or two.standard_error is None:
            raise _NoIntervalError("the standard error of a value is not known")
        return independent_interval(one, two)
    phi, psi = influences
    if phi is None or psi is None:
        raise _NoIntervalError(
            "how much each sample shifts it is not known: the measure does not tell, or the study "
            "was stored before that was kept"
        )
    if not (np.isfinite(phi).all() and np.isfinite(psi).all()):
        raise _NoIntervalError("how much some samples shift it is not finite")
    study = place.study
    codes = None if study.targets is not None else study.labels[study.labeled]
    return paired_interval(one, two, (phi, psi), codes)


def _numbers_differ(one: Score, two: Score) -> tuple[str, ...]:
    if one.n_samples is None or two.n_samples is None or one.n_samples == two.n_samples:
        return ()
    return (
        f"computed from {one.n_samples:,} and {two.n_samples:,} points, which scores depend on",
    )


def _judged(row: Difference, p_corrected: float | None) -> Difference:
    untangled = None
    if (
        p_corrected is not None
        and p_corrected < SIGNIFICANT
        and row.higher_is_better is not None
        and row.difference != 0.0
    ):
        more = row.difference > 0.0
        untangled = "second" if more == row.higher_is_better else "first"
    return replace(row, p_corrected=p_corrected, untangled=untangled)
