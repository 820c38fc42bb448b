"""Which layers are a model's blocks: found from one traced run, for any architecture.

A block is what a researcher calls a layer of a deep network: a residual block, a transformer block,
a stage of a plain network. The rule uses nothing but the nesting of the calls, the tensors that
they pass on, and the shapes of these.

1. A family is two or more composite children of one class that are numbered, or one child that is
   called again on its own output. Branches, which all have the same input, are no family.
2. A member is opened, as it is a stage, if every call of its class only hands on from child to
   child, and its own families keep one shape. Otherwise it is a block.
3. Beside the blocks stand the input of the first, what follows the last until the end of its unit,
   the input of each head, and the outputs.
4. Without a family, the layers are the units that end before each next layer with weights.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from ._trace import MODEL, Call, Trace, Value, ancestors

MAX_BLOCKS: Final = 32
SMALL: Final = 16
"""A model with at most this many different values is taken whole."""

How = Literal["all", "blocks", "units"]


class Chosen(NamedTuple):
    """One of the layers chosen: its name, and the call that it belongs to."""

    name: str
    call: Call
    is_input: bool = False


class Selection(NamedTuple):
    """The layers chosen in execution order, how they were found, and how many there were."""

    layers: list[Chosen]
    how: How
    n_before: int

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return [layer.name for layer in self.layers]


def find_blocks(trace: Trace, usable: Collection[str]) -> Selection:
    """Choose a model's blocks, and what stands beside them.

    Parameters
    ----------
    trace : Trace
        One run of the model.
    usable : collection of str
        The names of values with one row for each sample.

    Returns
    -------
    Selection
    """
    if trace.is_graph:
        from ._blocks_graph import find_graph_blocks

        found = find_graph_blocks(trace, usable)
        if found is not None:
            return found
    return _Finder(trace, usable).find()


def usable_values(call: Call, usable: Collection[str]) -> list[Value]:
    """Return the values of a call that can be represented."""
    return [value for value in call.values if value.name in usable]


class _Finder:
    """Applies the rule to one trace."""

    def __init__(self, trace: Trace, usable: Collection[str]) -> None:
        self.trace = trace
        self.root = trace.root
        self.usable = usable
        self.blocks: list[Call] = []
        self.runs: list[list[Call]] = []
        self._by_signature: dict[str, list[Call]] = {}
        for call in trace.calls:
            self._by_signature.setdefault(_signature(call), []).append(call)
        self._stages: dict[str, bool] = {}
        self.entries: list[tuple[Call, Value]] = []
        self.producers: dict[Hashable, list[Call]] = {}
        for call in sorted(trace.calls, key=lambda call: call.end):
            for value in self.values(call):
                self.entries.append((call, value))
                self.producers.setdefault(value.key, []).append(call)
        self.outputs = set(self.root.keys)

    def values(self, call: Call) -> list[Value]:
        return usable_values(call, self.usable)

    def shape(self, call: Call) -> tuple[int, ...] | None:
        values = self.values(call)
        return values[0].shape if values else None

    def find(self) -> Selection:
        if len({value.key for _, value in self.entries}) <= SMALL:
            layers = [
                Chosen(value.name, call)
                for call, value in self.entries
                if call is not self.root
                and not (call.returns_state and value is not self.values(call)[0])
            ]
            layers = layers or [Chosen(value.name, call) for call, value in self.entries]
            return Selection(layers, "all", len(layers))
        self._visit(self.root, opened=False)
        if self.blocks:
            chosen, inputs = self._beside()
            how: How = "blocks"
        else:
            chosen, inputs, how = self._units(), [], "units"
        layers = self._named(chosen, inputs)
        kept = _thinned(layers, self.runs, set(map(id, self.blocks)))
        return Selection(kept, how, len(layers))

    # The blocks.

    def _families(self, node: Call) -> list[list[Call]]:
        return _families(node, self.root.inputs)

    def _is_stage(self, call: Call) -> bool:
        """Whether a call is a row of blocks rather than a block, like all of its class."""
        signature = _signature(call)
        if signature not in self._stages:
            alike = self._by_signature[signature]
            rows = [
                family
                for each in alike
                for node in _through_containers(each)
                for family in self._families(node)
            ]
            self._stages[signature] = (
                bool(rows)
                and all(map(_is_transparent, alike))
                and all(len({self.shape(member) for member in family}) == 1 for family in rows)
            )
        return self._stages[signature]

    def _has_families(self, call: Call) -> bool:
        return has_families(call, self.root.inputs)

    def _visit(self, node: Call, *, opened: bool) -> None:
        families = self._families(node)
        if not families:
            for child in node.children:
                if (
                    _is_composite(child)
                    and self._has_families(child)
                    and (child.is_container or not opened)
                ):
                    self._visit(child, opened=opened)
            return
        members = [member for family in families for member in family]
        low = min(member.start for member in members)
        high = max(member.end for member in members)
        lists = {member.path.rpartition(".")[0] for member in members}
        if not node.is_container:
            lists -= {"", node.path}
        span = [
            child
            for child in node.children
            if _is_composite(child)
            and (
                (low <= child.start and child.end <= high) or child.path.rpartition(".")[0] in lists
            )
        ]
        stages = [child for child in span if self._is_stage(child)]
        inner = {
            member.alike
            for child in stages
            for part in _through_containers(child)
            for family in self._families(part)
            for member in family
        }
        run: list[Call] = []
        before = len(self.runs)
        for child in node.children:
            if child in span:
                only = [
                    part
                    for around in _through_containers(child)
                    for part in around.children
                    if _is_composite(part)
                    and (part.alike in inner or (around.is_container and child in stages))
                ]
                only = [
                    part
                    for part in only
                    if not any(part is not other and part.inside(other) for other in only)
                ]
                if child not in stages and not (child.is_container and len(only) == 1):
                    run.append(child)
                elif any(self._families(part) for part in _through_containers(child)):
                    self._visit(child, opened=True)
                else:
                    run.extend(only or [child])
            elif _is_composite(child) and self._has_families(child):
                self._visit(child, opened=False)
        self.blocks.extend(run)
        joined = run + [block for row in self.runs[before:] for block in row]
        if joined:
            self.runs[before:] = [joined]

    # What stands beside them.

    def _beside(self) -> tuple[list[tuple[Call, Value]], list[Call]]:
        """Return the values to keep, and the calls whose inputs are kept."""
        blocks, inputs = self.blocks, list[Call]()
        marked = set(map(id, blocks))
        beside = [
            call
            for call in self.trace.calls
            if call is not self.root
            and self.values(call)
            and not any(call.inside(block) or block.inside(call) for block in blocks)
        ]
        self.outermost = [
            call
            for call in beside
            if not any(call.inside(other) and call is not other for other in beside)
        ]
        keep: set[Hashable] = {block.keys[0] for block in blocks if block.keys}

        def add_source(call: Call) -> None:
            """Keep what a layer is given first, under the name of the layer that made it."""
            key = call.inputs[0] if call.inputs else None
            if any(producer.end < call.start for producer in self.producers.get(key, [])):
                keep.add(key)
            elif (
                key not in self.root.inputs and call.first_input and call.input_name in self.usable
            ):
                inputs.append(call)

        for run in self.runs:
            run.sort(key=lambda call: call.start)
            add_source(run[0])
            self._keep_end_of(run, keep)
            for around in ancestors(run[0]):
                if run[-1].inside(around) and self.values(around):
                    keep.add(self.values(around)[0].key)
        weights = [call for call in self.trace.calls if call.has_weights and self.values(call)]
        heads = [call for call in weights if set(call.keys) & self.outputs]
        if not heads and not self.outputs & {key for block in blocks for key in block.keys}:
            heads = weights[-1:]
        for head in heads:
            if not any(head.inside(block) for block in blocks):
                add_source(head)
        keep |= self.outputs
        chosen = [
            (call, value)
            for call, value in self.entries
            if value.key in keep
            and (id(call) in marked or not any(call.inside(block) for block in blocks))
        ]
        return chosen, inputs

    def _keep_end_of(self, run: list[Call], keep: set[Hashable]) -> None:
        """Keep what follows the last block at once, a norm or a pooling, to the end of its unit."""
        last, at = run[-1], run[-1].end
        while True:
            following = [
                call
                for call in self.outermost
                if call.start > at and set(call.inputs[:1]) & set(last.keys) and self.values(call)
            ]
            if not following or (
                last is not run[-1]
                and (following[0].has_weights or self.shape(following[0]) != self.shape(last))
            ):
                break
            last, at = following[0], following[0].end
        if last is not run[-1]:
            keep.add(self.values(last)[0].key)

    def _units(self) -> list[tuple[Call, Value]]:
        """Return the value before each next layer with weights, and the outputs."""
        leaves = [
            entry for entry in self.entries if entry[0] is not self.root and not entry[0].children
        ] or self.entries
        chosen, begun = [], False
        for place, entry in enumerate(leaves):
            begun = begun or entry[0].has_weights
            if place + 1 == len(leaves) or (leaves[place + 1][0].has_weights and begun):
                chosen.append(entry)
        # Under the name of a container or of the model where no leaf returns it.
        known = {value.key for _, value in leaves}
        return chosen + [
            (call, value)
            for call, value in self.entries
            if value.key in self.outputs and value.key not in known
        ]

    def _named(self, chosen: list[tuple[Call, Value]], inputs: list[Call]) -> list[Chosen]:
        """Give each value one name: the block's, else the outermost layer's, else the first's."""
        blocks = set(map(id, self.blocks))
        outermost = set(map(id, self.outermost)) if self.blocks else set()
        best: dict[Hashable, tuple[int, Chosen]] = {}
        for call, value in chosen:
            values = self.values(call)
            several = id(call) in blocks or call.returns_state
            if several and value is not values[0]:
                continue  # the first output of a block is its hidden state
            rank = 0 if id(call) in blocks else 1 if id(call) in outermost else 2
            if call is self.root:
                rank = 3
            if value.key not in best or rank < best[value.key][0]:
                best[value.key] = rank, Chosen(value.name, call)
        result = sorted((entry for _, entry in best.values()), key=lambda entry: entry.call.end)
        for call in inputs:
            place = next(
                (i for i, entry in enumerate(result) if entry.call.end > call.start), len(result)
            )
            result.insert(place, Chosen(call.input_name, call, is_input=True))
        return list({entry.name: entry for entry in result}.values())


def has_families(call: Call, given: Collection[Hashable] = ()) -> bool:
    """Whether there is a family in a call, or in one inside it."""
    return bool(_families(call, given)) or any(
        has_families(child, given) for child in call.children if _is_composite(child)
    )


def _families(node: Call, given: Collection[Hashable]) -> list[list[Call]]:
    """Return the repeated composite children that follow one another.

    `given` are the model's own inputs: children that take these are towers.
    """
    groups: dict[tuple[str, bool], list[Call]] = {}
    for child in node.children:
        if _is_composite(child):
            deeper = child.kind == "Sequential" and any(map(_is_composite, child.children))
            groups.setdefault((child.alike, deeper), []).append(child)
    found = []
    for members in groups.values():
        if len(members) < 2:
            continue
        branches = len(members) - len({tuple(member.inputs) for member in members})
        raw = sum(bool(member.inputs) and member.inputs[0] in given for member in members)
        stems = {re.sub(r"_\d+$", "", member.path) for member in members}
        numbered = all(_is_numbered(member, node) for member in members) or (
            len(stems) == 1 and len(members) > 2
        )
        recalled = len({member.path for member in members}) == 1 and all(
            set(after.inputs) & set(before.keys) for before, after in pairwise(members)
        )
        if (numbered or recalled) and not branches and raw < 2:
            found.append(members)
    return found


def _thinned(
    layers: Sequence[Chosen], runs: Sequence[Sequence[Call]], blocks: set[int]
) -> list[Chosen]:
    """Keep what stands beside the blocks and the last of each run; space the others evenly."""
    if len(layers) <= MAX_BLOCKS:
        return list(layers)
    lasts = {id(run[-1]) for run in runs if run}
    kept = {
        place
        for place, layer in enumerate(layers)
        if id(layer.call) not in blocks or id(layer.call) in lasts or layer.is_input
    }
    if len(kept) >= MAX_BLOCKS or not blocks:
        kept = {0, len(layers) - 1}
    rest = [place for place in range(len(layers)) if place not in kept]
    return [layers[place] for place in sorted(kept | spaced(rest, MAX_BLOCKS - len(kept)))]


def spaced(places: Sequence[int], count: int) -> set[int]:
    """Return `count` of the places, evenly spaced, the first and the last among them."""
    if count <= 0:
        return set()
    last = len(places) - 1
    return {places[round(i * last / max(1, count - 1))] for i in range(count)}


def _signature(call: Call) -> str:
    if call.is_container and call.children:
        return f"{call.alike}({','.join(child.alike for child in call.children)})"
    return call.alike


def _is_composite(call: Call) -> bool:
    return call.has_parameters and any(child.has_parameters for child in call.children)


def _is_numbered(call: Call, node: Call) -> bool:
    """Whether a child's own name has a number."""
    relative = call.path[len(node.path) :].lstrip("./")
    return bool(re.search(r"\d", relative.rpartition("/")[2].rpartition(".")[2]))


def _is_transparent(call: Call) -> bool:
    """Whether the children hand on to each other, and the last one's output is the call's own."""
    children = [child for child in call.children if child.values]
    if not children or not set(children[0].inputs) & set(call.inputs):
        return False
    return all(
        set(before.keys) & set(after.inputs) for before, after in pairwise(children)
    ) and bool(set(children[-1].keys) & set(call.keys))


def _through_containers(call: Call) -> Iterator[Call]:
    """Yield a call, and the containers among its children, and theirs."""
    yield call
    for child in call.children:
        if child.is_container:
            yield from _through_containers(child)


__all__ = [
    "MAX_BLOCKS",
    "MODEL",
    "SMALL",
    "Chosen",
    "Selection",
    "find_blocks",
    "has_families",
    "spaced",
    "usable_values",
]
