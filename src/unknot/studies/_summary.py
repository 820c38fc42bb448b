"""What is notable in a study, in a few sentences."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .._io.formatting import format_number
from .._typing import Array

if TYPE_CHECKING:
    from ..metrics import Score
    from ._layer import LayerStudy
    from ._study import Study

# The first of these that is measured tells which layer is best.
_BEST_BY: Final = ("neighborhood_hit", "linear_probe", "neighborhood_r2", "linear_r2")
_PROBES: Final = ("linear_probe", "linear_r2")
# How much less than the last layer's a probe may be and still be called as good.
WITHIN: Final = 0.01
# Suspected labels: layers that are asked, spread over all; neighbors of each sample; how many
# samples are named; and the share of all samples above which classes overlap, and none is named.
MAX_LAYERS: Final = 12
_NEIGHBORS: Final = 10
_MOST_NAMED: Final = 5
_LARGEST_SHARE: Final = 0.05


class Suspect(NamedTuple):
    """A sample whose neighbors are of one other class, at most layers.

    Attributes
    ----------
    sample : int
        The number of the sample.
    label, suggested : str
        The class of its label, and that of its neighbors.
    n_layers : int
        At how many layers most neighbors are of the suggested class.
    share : float
        The mean share of the neighbors there that are, in [0, 1].
    """

    sample: int
    label: str
    suggested: str
    n_layers: int
    share: float


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
    suspects, asked = _suspects(study, own)
    named = suspects[:_MOST_NAMED]
    if named:
        listed = ", ".join(
            f"sample {each.sample} ({each.label}; rather {each.suggested}, at {each.n_layers} of "
            f"{asked} layers)"
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


def _suspects(study: Study, own: Mapping[str, LayerStudy]) -> tuple[tuple[Suspect, ...], int]:
    """Return suspected labels, and how many layers were asked."""
    names = [name for name, layer in own.items() if _has_graph(layer)]
    if study.targets is not None or len(names) < 2 or not study.labeled.any():
        return (), 0
    chosen = np.unique(np.linspace(0, len(names) - 1, min(MAX_LAYERS, len(names))).round())
    layers = [own[names[int(number)]] for number in chosen]
    votes = [neighbors_vote(_graph_of(layer).indices, study.labels) for layer in layers]
    classes = np.stack([each[0] for each in votes], axis=1)
    shares = np.stack([each[1] for each in votes], axis=1)
    needed = max(2, -(-len(layers) // 2))
    counts = np.zeros(classes.shape, dtype=np.int64)
    for column in range(classes.shape[1]):
        counts[:, column] = (classes == classes[:, column, None]).sum(axis=1)
    counts[classes < 0] = 0
    which = counts.argmax(axis=1)
    rows = np.arange(len(which))
    n_layers, suggested = counts[rows, which], classes[rows, which]
    found = np.flatnonzero(n_layers >= needed)
    if len(found) > _LARGEST_SHARE * np.count_nonzero(study.labeled):
        return (), len(layers)
    agreeing = classes[found] == suggested[found, None]
    mean = (shares[found] * agreeing).sum(axis=1) / np.maximum(agreeing.sum(axis=1), 1)
    order = np.lexsort((found, -mean, -n_layers[found]))
    suspects = tuple(
        Suspect(
            int(found[i]),
            study.class_names[int(study.labels[found[i]])],
            study.class_names[int(suggested[found[i]])],
            int(n_layers[found[i]]),
            float(mean[i]),
        )
        for i in order
    )
    return suspects, len(layers)


def neighbors_vote(indices: Array, labels: Array) -> tuple[Array, Array]:
    """Return the other class that most nearest neighbors of each sample are of.

    Parameters
    ----------
    indices : ndarray of int32 (n_samples, n_neighbors)
        The nearest neighbors, nearest first; ten are asked at most.
    labels : ndarray of int64 (n_samples,)
        -1 where a sample is unlabeled: it has no vote and none is suggested for it.

    Returns
    -------
    classes : ndarray of int64 (n_samples,)
        -1 where no other class has more than half of the votes.
    shares : ndarray of float64 (n_samples,)
        The share of the votes of that class, 0 where there is none.
    """
    asked = labels[indices[:, :_NEIGHBORS]]
    counts = np.zeros(asked.shape, dtype=np.int64)
    for column in range(asked.shape[1]):
        counts[:, column] = (asked == asked[:, column, None]).sum(axis=1)
    counts[asked < 0] = 0
    n_votes = (asked >= 0).sum(axis=1)
    which = counts.argmax(axis=1)
    rows = np.arange(len(asked))
    classes, most = asked[rows, which], counts[rows, which]
    clear = (2 * most > n_votes) & (classes != labels) & (labels >= 0)
    return np.where(clear, classes, -1), np.where(clear, most / np.maximum(n_votes, 1), 0.0)


def _has_graph(layer: LayerStudy) -> bool:
    return "graph" in layer.__dict__.get("_readers", {}) or layer.graph is not None


def _graph_of(layer: LayerStudy) -> Any:
    """Return the neighbors of a layer; those that are read are not kept in memory."""
    return copy.copy(layer).graph


def _notes(study: Study) -> Iterator[str]:
    """Yield the notes on the study and its layers, with the layers of each note together."""
    for note in study.notes:
        yield f"{note[:1].upper()}{note[1:]}."
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
