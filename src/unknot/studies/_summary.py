"""What is notable in a study, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._io.formatting import format_number
from .._io.text import sentence
from ._suspects import Suspect, suspected_labels

if TYPE_CHECKING:
    from ..metrics import Score
    from ._layer import LayerStudy
    from ._study import Study

# The first of these that is measured tells which layer is best.
_BEST_BY: Final = ("neighborhood_hit", "linear_probe", "neighborhood_r2", "linear_r2")
_PROBES: Final = ("linear_probe", "linear_r2")
# How much less than the last layer's a probe may be and still be called as good.
WITHIN: Final = 0.01
# Suspected labels that are named in a sentence.
_MOST_NAMED: Final = 5


@dataclass(frozen=True)
class Summary:
    """What is notable in a study; prints as sentences, one a line.

    Attributes
    ----------
    best_layer : str or None
        The layer of the highest Neighborhood Hit; of the linear probe where that is not measured.
    enough_layer : str or None
        The first layer whose linear probe is no more than 0.01 below the last layer's.
    worst_pair : tuple of str and float, or None
        The two classes that are neighbors most at the last layer, and which share of their
        neighbors are of the other one.
    suspects : tuple of Suspect
        Samples whose label may be wrong, the most suspicious first: at two layers at least, and at
        half of those that were asked, more than half of the ten nearest neighbors are of one other
        class. Up to twelve layers are asked, spread over all. Empty where more than 5 % of the
        samples are such: then classes overlap.
    findings : tuple of str
        These as sentences.
    notes : tuple of str
        What must be known beside: the notes on the study and on its layers.

    See Also
    --------
    Study.summary : Makes it.
    ScoreTable : All scores.
    """

    best_layer: str | None
    enough_layer: str | None
    worst_pair: tuple[str, str, float] | None
    suspects: tuple[Suspect, ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Findings and notes, as sentences."""
        return (*self.findings, *self.notes)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def summarize(study: Study) -> Summary:
    """Summarize a study; as `Study.summary`."""
    own = {name: layer for name, layer in study.layers.items() if layer.same_as is None}
    findings = []
    best = _best(own)
    if best is not None:
        name, score = best
        findings.append(f"Best layer: {name}, {_told(score)}{_rivals(study, name, score)}.")
    enough = _enough(own)
    if enough is not None:
        name, score, last, last_score = enough
        if name == last:
            findings.append(
                f"Before the last layer, {last}, {score.title} is more than {WITHIN} below its "
                f"{format_number(score.value)}."
            )
        else:
            again = "" if _holds_on(own, name, last_score) else ", though below that in between"
            findings.append(
                f"From {name} on, {score.title} is no more than {WITHIN} below the last layer's "
                f"({name} {format_number(score.value)}, {last} "
                f"{format_number(last_score.value)}){again}."
            )
    pair = _worst_pair(study, own)
    if pair is not None:
        first, second, share = pair
        findings.append(
            f"Most mixed pair of classes at {_last_with_pairs(own)}: {first} and {second}; "
            f"{100 * share:.1f} % of their neighbors are of the other one."
        )
    found = suspected_labels(study)
    suspects = () if found.overlap else found.suspects(study)
    named = suspects[:_MOST_NAMED]
    if named:
        listed = ", ".join(
            f"sample {each.sample} ({each.label}; rather {each.suggested}, at {each.n_layers} of "
            f"{found.n_asked} layers)"
            for each in named
        )
        more = len(suspects) - len(named)
        findings.append(f"Labels to check: {listed}{f'; and {more:,} more' if more else ''}.")
    return Summary(
        None if best is None else best[0],
        None if enough is None else enough[0],
        pair,
        suspects,
        tuple(findings),
        tuple(_notes(study)),
    )


def _best(own: Mapping[str, LayerStudy]) -> tuple[str, Score] | None:
    for measure in _BEST_BY:
        found = list(_scored(own, measure))
        if len(found) > 1:
            return max(found, key=lambda each: each[1].value)
    return None


def _scored(own: Mapping[str, LayerStudy], measure: str) -> Iterator[tuple[str, Score]]:
    for name, layer in own.items():
        if layer.scores is not None and measure in layer.scores:
            score = layer.scores[measure]
            if np.isfinite(score.value):
                yield name, score


def _told(score: Score) -> str:
    """Return the title and value of a score, with its interval and what chance would give."""
    beside = []
    if score.interval is not None:
        beside.append("95 % {} to {}".format(*map(format_number, score.interval)))
    if score.null is not None:
        beside.append(f"by chance {format_number(score.null)}")
    told = f"{score.title} {format_number(score.value)}"
    return f"{told} ({'; '.join(beside)})" if beside else told


def _rivals(study: Study, best: str, score: Score) -> str:
    """Name the layers that are not surely worse than the best one, compared in pairs."""
    try:
        compared = study.compare_layers(score.name, best)
    except ValueError:  # of studies that were stored without what comparisons need
        return ""
    names = [
        row.layer.removeprefix(f"{best} / ")
        for row in compared
        if row.p_corrected is not None and row.p_corrected >= 0.05
    ]
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"; not surely better than {', '.join(names[:3])}{more}"


def _enough(own: Mapping[str, LayerStudy]) -> tuple[str, Score, str, Score] | None:
    for measure in _PROBES:
        found = list(_scored(own, measure))
        if len(found) > 1:
            last, last_score = found[-1]
            name, score = next(each for each in found if each[1].value >= last_score.value - WITHIN)
            return name, score, last, last_score
    return None


def _holds_on(own: Mapping[str, LayerStudy], first: str, last: Score) -> bool:
    found = dict(_scored(own, last.name))
    after = list(found)[list(found).index(first) :]
    return all(found[name].value >= last.value - WITHIN for name in after)


def _last_with_pairs(own: Mapping[str, LayerStudy]) -> str | None:
    names = [
        name
        for name, score in _scored(own, "neighbor_confusion")
        if score.per_pair is not None and len(score.per_pair) > 2
    ]
    return names[-1] if names else None


def _worst_pair(study: Study, own: Mapping[str, LayerStudy]) -> tuple[str, str, float] | None:
    name = _last_with_pairs(own)
    if name is None:
        return None
    scores: Any = own[name].scores
    table = np.array(scores["neighbor_confusion"].per_pair, dtype=np.float64)
    mixed = np.triu(np.nan_to_num(table + table.T) / 2, 1)
    first, second = np.unravel_index(int(np.argmax(mixed)), mixed.shape)
    share = float(mixed[first, second])
    if not share > 0:
        return None
    names = [study.class_names[int(scores.classes[row])] for row in (first, second)]
    return names[0], names[1], share


def _notes(study: Study) -> Iterator[str]:
    """Yield the notes on the study and its layers, with the layers of each note together."""
    for note in study.notes:
        yield sentence(note)
    of: dict[str, list[str]] = {}
    for name, layer in study.layers.items():
        for note in layer.notes:
            of.setdefault(note, []).append(name)
    for note, names in of.items():
        yield f"{_listed(names)}: {note}."
    views: dict[str, list[str]] = {}
    for name, layer in study.layers.items():
        if layer.same_as:
            views.setdefault(layer.same_as, []).append(name)
    for name, same in views.items():
        yield f"{_listed(same)}: a view of {name}, not measured again."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
