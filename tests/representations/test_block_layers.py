"""The rule of blocks on traces written by hand, and on Keras' graphs."""

from itertools import pairwise

from unknot.representations._blocks import MAX_BLOCKS, find_blocks
from unknot.representations._blocks_graph import find_graph_blocks
from unknot.representations._trace import Call, Recorder, Trace, Value


class Drawn:
    """Records calls that are written down as a tree; each returns a new tensor."""

    def __init__(self, is_graph=False):
        self.recorder = Recorder()
        self.is_graph = is_graph
        self.count = 0
        self.root = Call("", "Net", inputs=["input"])
        self.recorder.enter(self.root)

    def leaf(self, path, kind, given, *, weights=True, shape=(3, 8)):
        call = Call(path, kind, has_parameters=weights, has_weights=weights, inputs=[*given])
        self.recorder.enter(call)
        self.count += 1
        number = f":{call.number}" if call.number > 1 else ""
        call.values = [Value(f"{path}{number}", self.count, shape)]
        self.recorder.leave()
        return self.count

    def begin(self, path, kind, given, *, container=False):
        call = Call(path, kind, has_parameters=True, is_container=container, inputs=[*given])
        call.first_input = (3, 8)
        self.recorder.enter(call)
        return call

    def end(self, key, shape=(3, 8)):
        call = self.recorder.leave()
        number = f":{call.number}" if call.number > 1 else ""
        call.values = [Value(f"{call.path}{number}", key, shape)]
        return key

    def block(self, path, given, kind="Block"):
        """A residual block: two layers, and a sum that no layer makes."""
        self.begin(path, kind, [given])
        inner = self.leaf(f"{path}.a", "Linear", [given])
        self.leaf(f"{path}.b", "Linear", [inner])
        self.count += 1
        return self.end(self.count)

    def trace(self, key):
        self.root.values = [Value("(model)", key, (3, 2))]
        self.recorder.leave()
        trace = self.recorder.trace(is_graph=self.is_graph)
        names = {v.name for call in trace.calls for v in call.values}
        names |= {call.input_name for call in trace.calls if call.first_input}
        return trace, names


def residual(n_blocks, *, stem=True):
    drawn = Drawn()
    key = drawn.leaf("stem", "Linear", ["input"]) if stem else "input"
    for place in range(n_blocks):
        key = drawn.block(f"blocks.{place}", key)
    key = drawn.leaf("norm", "LayerNorm", [key])
    return drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2))


def chosen(drawn, key):
    trace, names = drawn.trace(key)
    return find_blocks(trace, names)


def test_blocks_with_what_stands_beside_them():
    found = chosen(*residual(6))
    assert found.how == "blocks"
    assert found.names == ["stem", *(f"blocks.{i}" for i in range(6)), "norm", "head"]


def test_a_small_model_is_taken_whole():
    found = chosen(*residual(2))
    assert found.how == "all"
    assert "blocks.0.a" in found.names


def test_many_are_thinned_evenly_and_the_ends_stay():
    found = chosen(*residual(50))
    assert found.n_before == 53
    assert len(found.names) == MAX_BLOCKS
    assert found.names[:2] == ["stem", "blocks.0"]
    assert found.names[-3:] == ["blocks.49", "norm", "head"]
    steps = [int(name.split(".")[1]) for name in found.names if name.startswith("blocks.")]
    assert max(after - before for before, after in pairwise(steps)) <= 2


def test_stages_that_only_hand_on_are_opened():
    drawn = Drawn()
    key = drawn.leaf("stem", "Linear", ["input"])
    for stage in range(3):
        drawn.begin(f"stages.{stage}", "Stage", [key])
        for place in range(2):
            key = drawn.block(f"stages.{stage}.{place}", key)
        drawn.end(key)
    found = chosen(drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2)))
    blocks = [f"stages.{stage}.{place}" for stage in range(3) for place in range(2)]
    assert found.names == ["stem", *blocks, "head"]


def test_stages_with_a_skip_around_them_are_blocks():
    drawn = Drawn()
    key = drawn.leaf("stem", "Linear", ["input"])
    for stage in range(3):
        drawn.begin(f"stages.{stage}", "Stage", [key])
        for place in range(2):
            key = drawn.block(f"stages.{stage}.{place}", key)
        drawn.count += 1
        key = drawn.end(drawn.count)
    found = chosen(drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2)))
    assert found.names == ["stem", "stages.0", "stages.1", "stages.2", "head"]


def test_one_block_called_again_and_again_is_a_family():
    drawn = Drawn()
    key = drawn.leaf("embed", "Embedding", ["input"])
    for _ in range(6):
        key = drawn.block("group", key)
    found = chosen(drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2)))
    assert found.names == ["embed", "group", *(f"group:{i}" for i in range(2, 7)), "head"]


def test_branches_of_one_input_are_no_family():
    drawn = Drawn()
    given = drawn.leaf("stem", "Linear", ["input"])
    keys = [drawn.block(f"branch.{place}", given) for place in range(6)]
    key = drawn.leaf("join", "Linear", keys)
    found = chosen(drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2)))
    assert found.how == "units"


def test_a_chain_without_families_ends_before_each_layer_with_weights():
    drawn, key, names = Drawn(), "input", []
    for place in range(9):
        key = drawn.leaf(f"{2 * place}", "Linear", [key])
        key = drawn.leaf(f"{2 * place + 1}", "ReLU", [key], weights=False)
        names.append(f"{2 * place + 1}")
    found = chosen(drawn, key)
    assert found.how == "units"
    assert found.names == names


def test_what_no_layer_returns_is_the_input_of_the_next():
    drawn, _ = residual(6, stem=False)
    drawn = Drawn()
    key = drawn.leaf("stem", "Linear", ["input"])
    drawn.count += 1  # a function makes another tensor of it
    key = drawn.count
    for place in range(6):
        key = drawn.block(f"blocks.{place}", key)
    found = chosen(drawn, drawn.leaf("head", "Linear", [key], shape=(3, 2)))
    assert found.names[0] == "blocks.0@input"


def graph(names, *, kinds=None, skips=True):
    """A graph in which each block is conv, norm, sum with the input of the block."""
    drawn = Drawn(is_graph=True)
    key = drawn.leaf("stem_conv", "Conv2D", ["input"])
    for name in names:
        given = key
        key = drawn.leaf(name("conv"), "Conv2D", [key])
        key = drawn.leaf(name("bn"), "BatchNormalization", [key])
        if skips:
            key = drawn.leaf(name("add"), "Add", [given, key], weights=False)
    pool = "GlobalAveragePooling2D"
    key = drawn.leaf("avg_pool", pool, [key], weights=False, shape=(3, 4))
    return drawn, drawn.leaf("predictions", "Dense", [key], shape=(3, 2))


def test_graphs_are_cut_where_numbered_prefixes_end():
    drawn, key = graph([lambda part, i=i: f"conv2_block{i}_{part}" for i in range(1, 7)])
    found = chosen(drawn, key)
    ends = [f"conv2_block{i}_add" for i in range(1, 7)]
    assert found.names == ["stem_conv", *ends, "avg_pool", "predictions"]
    assert found.how == "blocks"


def test_graphs_with_keras_own_names_are_cut_where_branches_close():
    auto = {"conv": "conv2d", "bn": "batch_normalization", "add": "add"}
    drawn, key = graph([lambda part, i=i: f"{auto[part]}_{i}" for i in range(1, 7)])
    found = chosen(drawn, key)
    assert found.names == [
        "stem_conv", *(f"add_{i}" for i in range(1, 7)), "avg_pool", "predictions",
    ]  # fmt: skip


def test_small_graphs_are_left_to_the_other_rule():
    drawn, key = graph([lambda part, i=i: f"conv2_block{i}_{part}" for i in range(1, 3)])
    trace, names = drawn.trace(key)
    assert isinstance(trace, Trace)
    assert find_graph_blocks(trace, names) is None
    assert find_blocks(trace, names).how == "all"
