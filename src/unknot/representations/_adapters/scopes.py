"""Names of the values in a graph, by the modules of the source model that computed them.

A module that holds no other module in the graph is a leaf. Its output is the one value of a call
that is used outside the call, and has the module's name, as a hook on the module would see it.
What modules compute themselves is numbered by operator, ``block.add_1``.
"""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from .base import Naming

ONE_STEP: Final = re.compile(
    r"Linear|Conv(Transpose)?[123]d|BatchNorm[123]d|LayerNorm|GroupNorm|RMSNorm|ReLU|GELU|SiLU|"
    r"Sigmoid|Tanh|Softmax|(Max|Avg)Pool[123]d|Embedding"
)
"""PyTorch's modules that never repeat their operators: a repetition is a second call."""
WHOLE: Final = re.compile(
    ONE_STEP.pattern
    + r"|LSTM|GRU|RNN|MultiheadAttention|Adaptive(Max|Avg)Pool[123]d|PReLU|LeakyReLU|ReLU6|ELU|"
    r"Hardswish|Hardsigmoid|Softplus|LogSoftmax|Flatten|Upsample|InstanceNorm[123]d|EmbeddingBag|"
    r"Dropout[123]?d?|Identity"
)
"""PyTorch's modules of which only the output is a layer."""
RECURRENT: Final[dict[str, tuple[int | tuple[int, ...], ...]]] = {
    "lstm": (0, (1, 2)),
    "gru": (0, 1),
    "rnn_tanh": (0, 1),
    "rnn_relu": (0, 1),
}
"""How the values of an operator are nested in what the module returns."""

SEVERAL: Final = ("LSTM", "GRU", "RNN")
"""PyTorch's modules that return several values, which cannot be told if they were rewritten."""


class Operation(NamedTuple):
    """One operation of a graph.

    Attributes
    ----------
    path : str
        The module that ran it; "" for the model itself.
    module : str
        The name of that module's class; "" if unknown.
    name : str
        The operator.
    values, inputs : sequence of hashable
        What stands for the tensors that it returns and takes.
    call : hashable
        Tells the calls of a module apart, where they are known.
    """

    path: str
    module: str
    name: str
    values: Sequence[Hashable]
    inputs: Sequence[Hashable]
    call: Hashable = None


def named_values(
    operations: Sequence[Operation], returned: Collection[Hashable], called: Collection[str]
) -> Iterator[tuple[str, str, Hashable]]:
    """Yield the name, kind and stand-in of each value, in execution order.

    A value may have several names: a block returns what its last module returned.

    Parameters
    ----------
    operations : sequence of Operation
        Those that compute values of samples, in execution order.
    returned : collection of hashable
        The values that the model returns.
    called : collection of str
        The modules that hold others and are called themselves, as lists of modules are not.
    """
    paths = {operation.path for operation in operations}
    holders = {path[:place] for path in paths for place in _dots(path)} | {""}
    users: dict[Hashable, set[int]] = {}
    for number, operation in enumerate(operations):
        for value in operation.inputs:
            users.setdefault(value, set()).add(number)

    def outside(numbers: Sequence[int]) -> list[Hashable]:
        """Return the values of a call that are used outside it."""
        inside = set(numbers)
        return [
            value
            for number in numbers
            for value in operations[number].values
            if value in returned or users.get(value, set()) - inside
        ]

    visit_of: dict[int, list[int]] = {}
    for visit in _visits(operations, holders):
        visit_of.update(dict.fromkeys(visit, visit))
    ends: dict[int, list[str]] = {}
    blocks: dict[tuple[int, str], Hashable] = {}
    for path, run in _runs(operations, holders.intersection(called)):
        found = outside(run)
        if len(found) == 1 and not _continues(operations, users, path, run, found[0]):
            ends.setdefault(run[-1], []).append(path)
            blocks[run[-1], path] = found[0]
    naming, counts = Naming(), Counter[str]()
    named: dict[int, dict[Hashable, str]] = {}
    for number, operation in enumerate(operations):
        call = visit_of.get(number)
        output: dict[Hashable, str] = {}
        if call is not None:
            if call[0] not in named:
                found = outside(call)
                if len(found) == 1 and operation.call is None:
                    split = _continues(operations, users, operation.path, call, found[0])
                    found = [] if split else found
                inside = [operations[inner] for inner in call]
                named[call[0]] = dict(_outputs(naming, operation.path, inside, found))
            output = named[call[0]]
        if output and WHOLE.fullmatch(operation.module):
            kind = operation.module
            yield from ((output[v], kind, v) for v in operation.values if v in output)
        else:
            yield from _each(naming, counts, operation, output)
        for path in sorted(ends.get(number, ()), key=len, reverse=True):
            ((name, value),) = naming.entries(path, [blocks[number, path]])
            yield name, "block", value


def _visits(operations: Sequence[Operation], holders: Collection[str]) -> Iterator[list[int]]:
    """Yield the numbers of the operations of each call of a leaf."""
    keyed: dict[Hashable, list[int]] = {}
    for (path, module, call), group in groupby(
        range(len(operations)), lambda number: operations[number][:2] + operations[number][5:]
    ):
        numbers = list(group)
        if path in holders:
            continue
        if call is not None:
            keyed.setdefault((path, call), []).extend(numbers)
        else:
            yield from _calls(operations, numbers, module)
    yield from keyed.values()


def _runs(
    operations: Sequence[Operation], holders: Collection[str]
) -> Iterator[tuple[str, list[int]]]:
    """Yield each block with the numbers of operations of one call; not where calls repeat."""
    for path in holders:
        if not path:
            continue
        within = [
            operation.path == path or operation.path.startswith(f"{path}.")
            for operation in operations
        ]
        for inside, group in groupby(range(len(operations)), within.__getitem__):
            run = list(group)
            steps = [(operations[number].path, operations[number].name) for number in run]
            if inside and not any(
                steps == steps[:size] * (len(steps) // size) for size in _divisors(len(steps))
            ):
                yield path, run


def _continues(
    operations: Sequence[Operation],
    users: dict[Hashable, set[int]],
    path: str,
    call: Sequence[int],
    value: Hashable,
) -> bool:
    """Whether a module goes on with a value after operations of other modules."""
    return any(
        operations[number].path == path or operations[number].path.startswith(f"{path}.")
        for number in users.get(value, set())
        if number > call[-1] + 1
    )


def _outputs(
    naming: Naming, path: str, call: list[Operation], outside: list[Hashable]
) -> Iterator[tuple[Hashable, str]]:
    """Yield the values that a leaf returns, with their names; none if they cannot be told."""
    for operation in call:
        if (nesting := RECURRENT.get(operation.name)) is not None:
            values = operation.values
            found = [
                values[part] if isinstance(part, int) else [values[inner] for inner in part]
                for part in nesting
            ]
            yield from ((value, name) for name, value in naming.entries(path, found))
            return
    if len(outside) == 1 and call[0].module not in SEVERAL:
        ((name, value),) = naming.entries(path, outside)
        yield value, name


def _each(
    naming: Naming, numbers: Counter[str], operation: Operation, output: dict[Hashable, str]
) -> Iterator[tuple[str, str, Hashable]]:
    """Yield the values of an operation; those that a module returns have its name."""
    kind = operation.name
    base = f"{operation.path}.{kind.lower()}" if operation.path else kind.lower()
    if all(value in output for value in operation.values):
        yield from ((output[value], operation.module or kind, value) for value in operation.values)
        return
    numbers[base] += 1
    for name, value in naming.entries(f"{base}_{numbers[base]}", list(operation.values)):
        yield output.get(value, name), kind, value


def _calls(operations: Sequence[Operation], visit: list[int], module: str) -> Iterator[list[int]]:
    """Divide the operations of a leaf where they repeat, if each repetition is a call."""
    if ONE_STEP.fullmatch(module):
        kinds = [operations[number].name for number in visit]
        for size in _divisors(len(kinds)):
            if kinds == kinds[:size] * (len(kinds) // size):
                yield from (visit[start : start + size] for start in range(0, len(visit), size))
                return
    yield visit


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number // 2 + 1) if number % size == 0]


def _dots(path: str) -> Iterator[int]:
    return (place for place, letter in enumerate(path) if letter == ".")
