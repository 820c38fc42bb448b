"""PyTorch models that are graphs: TorchScript, and programs of `torch.export`.

Hooks work on neither. A TorchScript module's frozen graph is copied and extended to return the
intermediate values. An exported program is interpreted node by node.
"""

import operator
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from ..._typing import Array
from .._samples import Batch
from .._trace import Trace
from .base import Adapter, RunBatch, Sink
from .graph_trace import Named, Node, graph_trace, shapes_of
from .scopes import Operation, named_values
from .script_scopes import Scopes
from .torch import TorchAdapter

ACCEPTS: Final = "a TorchScript module or exported program"
OPERATORS: Final = ("aten::", "quantized::", "torchvision::")
"""Namespaces of operators whose values are layers."""
RETURNED: Final = {"lstm": 3, "gru": 2, "rnn_tanh": 2, "rnn_relu": 2}
"""How many values recurrent operators return, used or not."""
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

    Values have the names of the modules that return them; what a module computes itself is
    numbered by operator, ``block.add_1``. Values inside data-dependent branches and loops are not
    available, only the results.
    """

    def __init__(self, model: Any) -> None:
        name = getattr(model, "original_name", "model")
        super().__init__(model, name, [*model.parameters(), *model.buffers()])
        self._scopes = Scopes(self._torch, model)
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

    def trace(self, batch: Batch) -> Trace:
        """Run a batch; return the operators, nested by the modules that ran them."""
        graph = self._frozen.graph
        inputs, outputs = list(graph.inputs())[1:], list(graph.outputs())
        nodes = list(graph.nodes())
        found = list(_operators(nodes, self._scopes, inputs, outputs))
        named = [Named(name, kind, value.debugName()) for name, kind, value in found]
        return graph_trace(
            (
                Node(
                    node.kind().partition("::")[2],
                    [value.debugName() for value in node.outputs()],
                    [value.debugName() for value in _taken(node)],
                    max((_n_axes(value) for value in node.inputs()), default=0),
                )
                for node in nodes
            ),
            named,
            shapes_of(self, batch),
            [value.debugName() for value in inputs],
            [value.debugName() for value in outputs],
        )

    def _function(
        self, wanted: Collection[str] | None
    ) -> tuple[Callable[..., Any], list[tuple[str, str]]]:
        torch = self._torch
        graph = self._frozen.graph.copy()
        outputs = list(graph.outputs())
        nothing = graph.insertConstant(None)
        nothing.node().moveBefore(next(iter(graph.nodes())))
        names = []
        given = list(graph.inputs())[1:]
        found = list(_operators(list(graph.nodes()), self._scopes, given, outputs))
        for name, kind, value in found:
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


def _operators(
    nodes: list[Any], scopes: Scopes, inputs: list[Any], outputs: list[Any]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the name, kind and value of each tensor that depends on the inputs."""
    values: dict[str, Any] = {}
    # The tensors that each value is made of, such as those of a list.
    sources: dict[str, frozenset[str]] = {
        value.debugName(): frozenset([value.debugName()]) for value in inputs
    }

    def of(taken: list[Any]) -> frozenset[str]:
        found = [sources.get(value.debugName(), frozenset()) for value in taken]
        return frozenset().union(*found)

    operations = []
    for node in nodes:
        made_of = of(_taken(node))
        if not made_of:
            continue
        tensors = [value for value in node.outputs() if str(value.type()).startswith("Tensor")]
        is_layer = node.kind().startswith(OPERATORS) or _is_defined_condition(node)
        if not is_layer or not tensors:
            for value in node.outputs():
                if "Tensor" in str(value.type()):
                    sources[value.debugName()] = made_of
            continue
        for value in tensors:
            name = value.debugName()
            values[name], sources[name] = value, frozenset([name])
        kind = node.kind().partition("::")[2].strip("_")
        path, module = scopes.of(node)
        operations.append(
            Operation(path, module, kind, [value.debugName() for value in tensors], list(made_of))
        )
    for name, kind, key in named_values(operations, of(outputs), scopes.called):
        yield name, kind, values[str(key)]


def _n_axes(value: Any) -> int:
    """Return the number of axes of a constant tensor; 0 for anything else."""
    if value.node().kind() != "prim::Constant" or not str(value.type()).startswith("Tensor"):
        return 0
    return getattr(value.toIValue(), "ndim", 0)


def _taken(node: Any) -> list[Any]:
    """Return what a node takes, also inside its branches."""
    taken = list(node.inputs())
    for block in node.blocks():
        taken += block.outputs()
        for inner in block.nodes():
            taken += _taken(inner)
    return taken


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

    def declared(self) -> Mapping[str, tuple[tuple[int | None, ...], str]]:
        """Return the shape and type of each input by name."""
        values = {
            node.name: node.meta.get("val")
            for node in self._module.graph.nodes
            if node.op == "placeholder"
        }
        if any(getattr(value, "ndim", 0) == 0 for value in values.values()):
            return {}
        return {
            name: (
                tuple(size if isinstance(size, int) else None for size in value.shape[1:]),
                str(value.dtype).removeprefix("torch."),
            )
            for name, value in values.items()
        }

    def trace(self, batch: Batch) -> Trace:
        """Run a batch; return the operators, nested by the modules that ran them."""
        nodes = list(self._module.graph.nodes)
        named = [
            Named(name, kind, node)
            for node, entries in self._names.items()
            for name, kind in entries
        ]
        return graph_trace(
            _traced_nodes(self._module),
            named,
            shapes_of(self, batch),
            [node for node in nodes if node.op == "placeholder"],
            [taken for node in nodes if node.op == "output" for taken in node.all_input_nodes],
        )

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Interpret the program; pass on what each node returns."""
        torch, names, array, failure = self._torch, self._names, self._array, self._failure

        class Interpreter(torch.fx.Interpreter):  # type: ignore[misc]
            def run_node(self, node: Any) -> Any:
                try:
                    result = super().run_node(node)
                except Exception as error:
                    entry = names.get(node, [(node.name, "")])[0]
                    place = f"on these inputs, at {entry[0]!r}"
                    raise failure(place, error) from error
                if isinstance(result, torch.Tensor):
                    for name, kind in names.get(node, ()):
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


def _traced_nodes(module: Any) -> Iterator[Node]:
    """Yield the nodes of a program, with the number of axes of the weights they take."""
    for node in module.graph.nodes:
        if node.op != "call_function":
            continue
        weights = [
            getattr(operator.attrgetter(str(taken.target))(module), "ndim", 0)
            for taken in node.all_input_nodes
            if taken.op == "get_attr"
        ]
        name = getattr(node.target, "__name__", str(node.target)).partition(".")[0]
        yield Node(name, [node], node.all_input_nodes, max(weights, default=0))


def _names_of_nodes(module: Any) -> dict[Any, list[tuple[str, str]]]:
    """Name the nodes by the modules that return them; others are numbered by operator."""
    operations, parts = [], set()
    for node in module.graph.nodes:
        if node.op != "call_function" or node in parts:
            continue
        values = _values(node)
        parts.update(values)
        name = getattr(node.target, "__name__", str(node.target)).partition(".")[0].strip("_")
        path, kind, call = _owner(node)
        operations.append(Operation(path, kind, name, values, node.all_input_nodes, call))
    returned = {
        node for last in module.graph.nodes if last.op == "output" for node in last.all_input_nodes
    }
    names: dict[Any, list[tuple[str, str]]] = {}
    called = {
        _plain(path)
        for node in module.graph.nodes
        for path, _ in (node.meta.get("nn_module_stack") or {}).values()
    }
    for name, kind, node in named_values(operations, returned, called):
        names.setdefault(node, []).append((name, kind))
    return names


def _values(node: Any) -> list[Any]:
    """Return a node; or the nodes that stand for the items of the tuple that it returns."""
    users = list(node.users)
    if not users or any(user.target is not operator.getitem for user in users):
        return [node]
    items = {user.args[1]: user for user in users}
    n = max([*items, RETURNED.get(getattr(node.target, "__name__", "").partition(".")[0], 0) - 1])
    return [items.get(place, (node, place)) for place in range(n + 1)]


def _owner(node: Any) -> tuple[str, str, str | None]:
    """Return the innermost module of a node, its class if it is PyTorch's own, and the call."""
    stack = list((node.meta.get("nn_module_stack") or {}).items())
    if not stack:
        return "", "", None
    call, (path, kind) = stack[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    own = kind.startswith("torch.nn.modules.")
    return _plain(path), kind.rpartition(".")[2] if own else "", call


def _plain(path: str) -> str:
    return path.removeprefix("L['self']").lstrip(".")


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
