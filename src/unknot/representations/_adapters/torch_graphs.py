"""PyTorch models that are graphs: TorchScript, and programs of `torch.export`.

Hooks work on neither. A TorchScript module's frozen graph is copied and extended to return the
intermediate values. An exported program is interpreted node by node.
"""

import operator
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final

from ..._typing import Array
from .._samples import Batch
from .base import Adapter, Naming, RunBatch, Sink
from .torch import TorchAdapter

ACCEPTS: Final = "a TorchScript module or exported program"
LARGEST_BATCH: Final = 100_000
"""A larger upper bound on a program's batch size counts as unbounded."""


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a TorchScript module or an exported program."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(model, torch.jit.ScriptModule):
        return ScriptAdapter(model)
    if isinstance(model, torch.export.ExportedProgram):
        return ProgramAdapter(model, model.module(), model.range_constraints)
    if isinstance(model, torch.fx.GraphModule) and _has_operators_only(model):
        return ProgramAdapter(model, model, {})
    return None


class ScriptAdapter(TorchAdapter):
    """A scripted or traced module.

    An operator with parameters has the name of the module that owns them; others are numbered by
    operator, ``relu_1``, ``relu_2``. Values inside data-dependent branches and loops are not
    available, only the results.
    """

    def __init__(self, model: Any) -> None:
        name = getattr(model, "original_name", "model")
        super().__init__(model, name, [*model.parameters(), *model.buffers()])
        self._frozen = self._freeze()

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the weights and the graph."""
        yield from self._state(self.model)
        # Classes of the same name are numbered in the order in which a process creates them.
        yield "graph", re.sub(r"___torch_mangle_\d+", "", str(self._frozen.graph))

    def _freeze(self) -> Any:
        torch = self._torch
        if not hasattr(self.model, "training"):
            return self.model  # already frozen
        training = {module: module.training for module in self.model.modules()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.model.eval()
                return torch.jit.freeze(self.model, optimize_numerics=False)
        except Exception as error:
            raise self._failure("as TorchScript", error) from error
        finally:
            for module, flag in training.items():
                module.training = flag

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Build a graph that also returns the wanted values."""
        function, names = self._function(wanted)

        def run(batch: Batch) -> Any:
            try:
                with self._torch.no_grad():
                    result, *values = self._call(function, batch)
            except Exception as error:
                raise self._failure("on these inputs", error) from error
            for (name, kind), value in zip(names, values, strict=True):
                sink(name, kind, self._array(value))
            return self._arrays(result)

        yield run

    def _function(
        self, wanted: Collection[str] | None
    ) -> tuple[Callable[..., Any], list[tuple[str, str]]]:
        torch = self._torch
        graph = self._frozen.graph.copy()
        outputs = list(graph.outputs())
        nothing = graph.insertConstant(None)
        nothing.node().moveBefore(next(iter(graph.nodes())))
        names = []
        for name, kind, value in _operators(list(graph.nodes())):
            if wanted is None or name in wanted:
                # A later operator may change the value in place.
                clone = graph.create("aten::clone", [value, nothing], 1)
                clone.insertAfter(value.node())
                outputs.append(clone.output())
                names.append((name, kind))
        together = graph.create("prim::TupleConstruct", outputs, 1)
        together.output().setType(torch._C.TupleType([value.type() for value in outputs]))
        graph.appendNode(together)
        for place in reversed(range(len(list(graph.outputs())))):
            graph.eraseOutput(place)
        graph.registerOutput(together.output())
        inputs = list(graph.inputs())
        owner = () if not inputs[0].uses() else (self._frozen._c,)
        if not owner:
            graph.eraseInput(0)
        function = torch._C._create_function_from_graph("forward", graph)

        def call(*inputs: Any, **named: Any) -> Any:
            return function(*owner, *inputs, **named)

        return call, names


def _operators(nodes: list[Any]) -> Iterator[tuple[str, str, Any]]:
    naming, numbers = Naming(), Counter[str]()
    for node in nodes:
        if not (node.kind().startswith("aten::") or _is_defined_condition(node)):
            continue
        values = [value for value in node.outputs() if str(value.type()).startswith("Tensor")]
        if not values:
            continue
        kind = node.kind().partition("::")[2].strip("_")
        owners = [value.debugName() for value in node.inputs()]
        paths = [name[len("self.") :].rpartition(".")[0] for name in owners if "self." in name[:5]]
        # Freezing merges equal constants, so some may have another module's name.
        path = Counter(filter(None, paths)).most_common(1)[0][0] if any(paths) else ""
        if not path:
            numbers[kind] += 1
            path = f"{kind.lower()}_{numbers[kind]}"
        for name, value in naming.entries(path, values):
            yield name, kind, value


def _is_defined_condition(node: Any) -> bool:
    """Whether a node is a condition whose branches all define its outputs."""
    return node.kind() == "prim::If" and all(
        output.node().kind() != "prim::Uninitialized"
        and (output.node().kind() != "prim::If" or _is_defined_condition(output.node()))
        for block in node.blocks()
        for output in block.outputs()
    )


class ProgramAdapter(TorchAdapter):
    """A program of `torch.export`.

    Values that PyTorch's own modules return have the module's name; those that custom modules
    compute themselves are numbered by operator, ``block.add_1``.
    """

    pad_batches = True  # programs accept batches of at least 2 samples, or of one size

    def __init__(self, model: Any, module: Any, ranges: Any) -> None:
        super().__init__(model, "program", [*module.parameters(), *module.buffers()])
        self._module = module
        self._names = _names_of_nodes(module)
        self._inputs = [node.name for node in module.graph.nodes if node.op == "placeholder"]
        for node in module.graph.nodes:
            if node.op == "placeholder" and getattr(value := node.meta.get("val"), "ndim", 0):
                self.batch_size = _only_batch(value.shape[0], ranges)
                break

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the weights and the program."""
        yield from self._state(self._module)
        yield "program", str(self._module.graph)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Interpret the program; pass on what each node returns."""
        torch, names, array, failure = self._torch, self._names, self._array, self._failure

        class Interpreter(torch.fx.Interpreter):  # type: ignore[misc]
            def run_node(self, node: Any) -> Any:
                try:
                    result = super().run_node(node)
                except Exception as error:
                    place = f"on these inputs, at {names.get(node, (node.name,))[0]!r}"
                    raise failure(place, error) from error
                if (entry := names.get(node)) is not None and isinstance(result, torch.Tensor):
                    name, kind = entry
                    if wanted is None or name in wanted:
                        sink(name, kind, array(result))
                return result

        interpreter = Interpreter(self._module)
        interpreter.extra_traceback = False  # it would add the node's description to the message

        def run(batch: Batch) -> Any:
            if isinstance(batch, dict):
                batch = tuple(batch[name] for name in self._inputs if name in batch)
            with torch.no_grad():
                return self._arrays(self._call(interpreter.run, batch))

        yield run


def _names_of_nodes(module: Any) -> dict[Any, tuple[str, str]]:
    """Name the nodes; the last node of a call of one of PyTorch's modules has the module's name."""
    nodes = [node for node in module.graph.nodes if node.op == "call_function"]
    owners = {node: _owner(node) for node in nodes}
    paths = {path for path, _ in owners.values()}
    holders = {path for path in paths if any(other.startswith(f"{path}.") for other in paths)}
    naming, numbers = Naming(), Counter[str]()
    names = {}
    for (path, kind), visit in groupby(nodes, owners.__getitem__):
        if path and kind and path not in holders:
            for name, node in naming.entries(path, _returned(list(visit))):
                names[node] = name, kind
            continue
        for node in visit:
            operator_name = getattr(node.target, "__name__", str(node.target))
            kind = operator_name.partition(".")[0].strip("_")
            base = f"{path}.{kind}" if path else kind
            numbers[base] += 1
            ((name, _),) = naming.entries(f"{base}_{numbers[base]}", node)
            names[node] = name, kind
    return names


def _returned(visit: list[Any]) -> dict[int, Any]:
    """Return the nodes that a module returned: the last one, or the items of a tuple."""
    last = visit[-1]
    if last.target is not operator.getitem:
        return {0: last}
    parts = [node for node in visit if node.target is operator.getitem]
    return {node.args[1]: node for node in parts if node.args[0] is last.args[0]}


def _owner(node: Any) -> tuple[str, str]:
    """Return the innermost module of a node, and its class if it is PyTorch's own."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    own = kind.startswith("torch.nn.modules.")
    return path.removeprefix("L['self']").lstrip("."), kind.rpartition(".")[2] if own else ""


def _has_operators_only(module: Any) -> bool:
    return not any(
        node.op == "call_module" and node.target != "_guards_fn" for node in module.graph.nodes
    )


def _only_batch(size: Any, ranges: Any) -> int | None:
    """Return the batch size that a program requires: a fixed one, or its upper bound."""
    if isinstance(size, int):
        return size
    bounds = ranges.get(size.node.expr)
    if bounds is None or not bounds.upper.is_finite or bounds.upper > LARGEST_BATCH:
        return None
    return int(bounds.upper)
