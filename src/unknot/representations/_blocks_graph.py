"""The blocks of a model that is one flat graph of layers, as a functional Keras model is.

The nesting of calls says nothing there. A cut is a layer through whose output everything that
follows passes. A block ends at the last cut of the layers that share a numbered prefix in their
names, ``conv2_block1_``; where names have none, at a cut that closes branches.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Sequence
from itertools import pairwise
from typing import Final

from ._blocks import MAX_BLOCKS, SMALL, Chosen, Selection, has_families, spaced, usable_values
from ._trace import Call, Trace

FEWEST_PREFIXES: Final = 4
FEWEST_BLOCKS: Final = 2
MOST_OUTSIDE: Final = 0.2
"""So many of the prefixes may end between cuts; with more, they are not those of blocks."""
ENDINGS: Final = ("Add", "Activation", "ReLU")
NUMBERED: Final = re.compile(r"[a-z]+\d+[a-z]?|\d+")


def find_graph_blocks(trace: Trace, usable: Collection[str]) -> Selection | None:
    """Choose the blocks of a graph; None if it is small, nested after all, or has no cuts.

    Parameters
    ----------
    trace : Trace
    usable : collection of str
        The names of values with one row for each sample.
    """
    distinct = {value.key for call in trace.calls for value in call.values if value.name in usable}
    graph = max(trace.calls, key=lambda call: len(call.children))
    others = [call for call in trace.calls if call is not graph]
    if len(distinct) <= SMALL or len(graph.children) <= SMALL or any(map(has_families, others)):
        return None
    order = [call for call in _flat(trace.root, graph) if usable_values(call, usable)]
    order.sort(key=lambda call: call.end)
    blocks = _Graph(trace, order).blocks()
    if blocks is None:
        return None
    layers = [Chosen(usable_values(order[place], usable)[0].name, order[place]) for place in blocks]
    kept = _thinned(layers)
    return Selection(kept, "blocks", len(layers))


def _flat(call: Call, graph: Call) -> list[Call]:
    """Return the layers of the graph, and those before and after it in the models around it."""
    found = []
    for child in call.children:
        found += _flat(child, graph) if graph.inside(child) else [child]
    return found


class _Graph:
    """Layers in their order, and which of them are cuts."""

    def __init__(self, trace: Trace, order: Sequence[Call]) -> None:
        self.root = trace.root
        self.order = order
        self.cuts = _cuts(trace.root, order)
        self._cut_set = set(self.cuts)

    def blocks(self) -> list[int] | None:
        """Return the places of the blocks' ends and of what stands beside them, sorted."""
        ends, begin = self._by_prefix()
        if len(ends) < FEWEST_PREFIXES:
            ends, begin = self._by_branches()
        if len(ends) < FEWEST_BLOCKS:
            return None
        return sorted({*ends, *self._beside(begin, max(ends))})

    def _by_prefix(self) -> tuple[set[int], int]:
        """Return the ends of the groups of layers with one prefix, and where the first begins."""
        groups = self._groups(deep=True)
        outside = sum(max(group) not in self._cut_set for group in groups)
        if outside > MOST_OUTSIDE * len(groups):
            groups = self._groups(deep=False)
        ends: dict[int, int] = {}
        for group in groups:
            cuts = [place for place in group if place in self._cut_set]
            if not cuts:
                continue
            end = cuts[-1]
            after = end + 1
            if (
                after in self._cut_set
                and after < len(self.order)
                and self.order[after].kind in ENDINGS
                and not self._is_auto_group(after)
            ):
                end = after
            weighted = max(place for place in group if self.order[place].has_parameters)
            if cuts[-1] >= weighted:
                ends[end] = group[0]
        return set(ends), min((ends[end] for end in ends), default=0)

    def _is_auto_group(self, place: int) -> bool:
        """Whether a layer belongs to a group of its own."""
        return _prefix(self.order[place], deep=False) is not None

    def _groups(self, *, deep: bool) -> list[list[int]]:
        groups: dict[str, list[int]] = {}
        for place, call in enumerate(self.order):
            prefix = _prefix(call, deep=deep)
            if prefix is not None:
                groups.setdefault(prefix, []).append(place)
        return [
            group
            for group in groups.values()
            if len(group) > 2 and any(self.order[place].has_parameters for place in group)
        ]

    def _by_branches(self) -> tuple[set[int], int]:
        """Return the cuts that close branches, each with the norm and activation after it."""
        ends, begin = set(), None
        for before, after in pairwise([-1, *self.cuts]):
            if after - before < 2:
                continue
            if begin is None:
                begin = before + 1
            end = after
            while (
                end + 1 in self._cut_set
                and not self.order[end + 1].has_weights
                and self._shape(end + 1) == self._shape(after)
            ):
                end += 1
            ends.add(end)
        return ends, begin or 0

    def _beside(self, begin: int, last: int) -> set[int]:
        """Return the ends of the stem and the trunk, the head's input, and the outputs."""
        kept = set()
        stem = [place for place in self.cuts if place < begin]
        if stem and any(call.has_parameters for call in self.order[: stem[-1] + 1]):
            kept.add(stem[-1])
        heads = [
            place for place, call in enumerate(self.order) if call.has_weights and place > last
        ]
        if heads:
            given = self.order[heads[-1]].inputs[:1]
            made = [place for place in range(heads[-1]) if set(given) & set(self.order[place].keys)]
            kept.update(made[-1:])
            trunk = [
                place
                for place in range(last + 1, heads[-1])
                if place in self._cut_set and self._ends_unit(place)
            ]
            kept.update(trunk[:1])
        outputs = set(self.root.keys)
        for place, call in enumerate(self.order):
            if outputs & set(call.keys):
                kept.add(place)
        kept.add(len(self.order) - 1)
        return kept

    def _ends_unit(self, place: int) -> bool:
        """Whether no norm or activation of the same shape follows."""
        after = place + 1
        return (
            after >= len(self.order)
            or self.order[after].has_weights
            or self._shape(after) != self._shape(place)
        )

    def _shape(self, place: int) -> tuple[int, ...]:
        return self.order[place].values[0].shape


def _cuts(root: Call, order: Sequence[Call]) -> list[int]:
    """Return the layers through whose output everything that follows passes."""
    last_use: dict[Hashable, int] = {}
    for place, call in enumerate(order):
        for key in call.inputs:
            last_use[key] = place
    for key in root.keys:
        last_use.setdefault(key, len(order))
    open_ = {key: last_use[key] for key in root.inputs if key in last_use}
    cuts = []
    for place, call in enumerate(order):
        if all(use <= place or key in call.keys for key, use in open_.items()):
            cuts.append(place)
        open_.update((key, last_use[key]) for key in call.keys if key in last_use)
        open_ = {key: use for key, use in open_.items() if use > place}
    return cuts


def _prefix(call: Call, *, deep: bool) -> str | None:
    """Return the numbered prefix of a name: ``conv2_block1`` of ``conv2_block1_1_conv``.

    Names that Keras gives have none. With `deep`, a number may follow a part that has one itself.
    """
    around, _, name = call.path.rpartition("/")
    if re.fullmatch(rf"{re.escape(_snake_case(call.kind))}(_\d+)?", name):
        return None
    parts = name.split("_")
    best = None
    for place in range(1, len(parts)):
        part = parts[place - 1]
        if not re.search(r"\d", part) or not NUMBERED.fullmatch(part):
            continue
        before = parts[place - 2] if place > 1 else ""
        if part[0].isalpha() or re.fullmatch(r"[a-z]+\d*" if deep else r"[a-z]+", before):
            best = "_".join(parts[:place])
    if best is None:
        return None
    return f"{around}/{best}" if around else best


def _snake_case(kind: str) -> str:
    """Return the name that Keras gives to a layer of a class."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _thinned(layers: Sequence[Chosen]) -> list[Chosen]:
    """Keep the ends, and the last of each size of images; space the others evenly."""
    if len(layers) <= MAX_BLOCKS:
        return list(layers)
    sizes = [layer.call.values[0].shape[1:-1] for layer in layers]
    kept = {0, len(layers) - 1, len(layers) - 2}
    kept |= {place for place, pair in enumerate(pairwise(sizes)) if pair[0] != pair[1]}
    if len(kept) > MAX_BLOCKS:
        kept = {0, len(layers) - 1}
    rest = [place for place in range(len(layers)) if place not in kept]
    return [layers[place] for place in sorted(kept | spaced(rest, MAX_BLOCKS - len(kept)))]
