"""A model is told by what it computes, not by its weights and its description alone."""

import copy
import subprocess
import sys
import types

import numpy as np
import pytest

import unknot
from unknot.representations import find_adapter

INPUTS = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def model_fingerprint(model, inputs):
    return find_adapter(model).fingerprint(inputs)


def fingerprint(model):
    return model_fingerprint(model, INPUTS)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def network(torch, act="relu", slope=1.0):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(4, 6), torch.nn.Linear(6, 3)
            self.slope = slope

        def forward(self, x):
            return self.fc2(getattr(torch, act)(self.fc1(x)) * self.slope)

    torch.manual_seed(0)
    return Net().eval()


def test_arrays_are_told_by_their_values_and_names():
    arrays = {"a": np.zeros((3, 2))}
    assert model_fingerprint(arrays, None) == model_fingerprint({"a": np.zeros((3, 2))}, None)
    assert model_fingerprint(arrays, None) != model_fingerprint({"a": np.ones((3, 2))}, None)
    assert model_fingerprint(arrays, None) != model_fingerprint({"b": np.zeros((3, 2))}, None)
    with pytest.raises(TypeError, match="model must be a Keras model"):
        model_fingerprint(object(), None)


def test_a_copy_is_the_same_model(torch):
    model = network(torch)
    assert fingerprint(model) == fingerprint(copy.deepcopy(model)) == fingerprint(network(torch))
    model.train()
    assert fingerprint(model) == fingerprint(network(torch))
    assert model.training


def test_what_no_description_tells_is_told_by_the_values(torch):
    """The same weights throughout, and the same modules."""
    found = [fingerprint(network(torch)), fingerprint(network(torch, "tanh"))]
    found.append(fingerprint(network(torch, slope=2.0)))
    hooked = network(torch)
    hooked.fc1.register_forward_hook(lambda module, inputs, output: output + 1)
    found.append(fingerprint(hooked))
    replaced = network(torch)
    replaced.forward = types.MethodType(lambda self, x: self.fc2(self.fc1(x)), replaced)
    found.append(fingerprint(replaced))
    assert len(set(found)) == len(found)


def test_a_number_that_these_samples_do_not_show_is_told_too(torch):
    class Clipped(torch.nn.Module):
        def __init__(self, most):
            super().__init__()
            self.most = most

        def forward(self, x):
            return x.clamp(max=self.most)

    assert fingerprint(Clipped(1e5)) == fingerprint(Clipped(1e5))
    assert fingerprint(Clipped(1e5)) != fingerprint(Clipped(1e6))


def test_code_that_these_samples_do_not_run_is_told_too(torch):
    def build(body):
        space = {"torch": torch}
        exec(body, space)
        return space["Net"]()

    text = (
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x if x.max() < 1e5 and 'a' in {'a', 'b', 'c'} else x * 2\n"
    )
    assert fingerprint(build(text)) == fingerprint(build(text))
    assert fingerprint(build(text)) != fingerprint(build(text.replace("x * 2", "x * 3")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_any_dtype(torch, dtype):
    model = network(torch).to(getattr(torch, dtype))
    before = fingerprint(model)
    assert before == fingerprint(network(torch).to(getattr(torch, dtype)))
    with torch.no_grad():
        model.fc1.weight += 1
    assert fingerprint(model) != before


def test_a_model_that_draws_random_numbers_is_the_same_model(torch):
    class Noisy(torch.nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    state = torch.random.get_rng_state()
    assert fingerprint(Noisy()) == fingerprint(Noisy())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_scripts_and_programs_with_the_same_weights(torch, tmp_path):
    def scripted(act):
        return torch.jit.trace(network(torch, act), torch.from_numpy(INPUTS))

    def exported(act):
        batch = ({0: torch.export.Dim("batch")},)
        return torch.export.export(
            network(torch, act), (torch.from_numpy(INPUTS),), dynamic_shapes=batch
        )

    def frozen(act):
        return torch.jit.freeze(scripted(act))

    for make in (scripted, exported, frozen):
        assert fingerprint(make("relu")) == fingerprint(make("relu"))
        assert fingerprint(make("relu")) != fingerprint(make("tanh"))
    scripted("relu").save(tmp_path / "model.pt")
    loaded = unknot.representations.load_model(tmp_path / "model.pt")
    again = unknot.representations.load_model(tmp_path / "model.pt")
    assert fingerprint(loaded) == fingerprint(again)


def test_frozen_weights_are_told(torch):
    def frozen(seed):
        model = network(torch)
        torch.manual_seed(seed)
        model.fc2.reset_parameters()
        return torch.jit.freeze(torch.jit.script(model.fc2.eval()))

    inputs = np.ones((4, 6), np.float32)
    with pytest.warns((DeprecationWarning, FutureWarning), match="deprecated"):
        first, other = frozen(0), frozen(1)
    assert not first.state_dict()
    assert model_fingerprint(first, inputs) != model_fingerprint(other, inputs)


def test_keras_layers_of_ones_own():
    keras = pytest.importorskip("keras")

    def build(factor, act):
        class Own(keras.layers.Layer):
            def __init__(self):
                super().__init__(name="own")
                self.factor = factor

            def call(self, x):
                return act(x) * self.factor

        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [keras.Input((4,), name="x"), keras.layers.Dense(3, name="fc"), Own()], name="model"
        )

    found = [build(1.0, keras.ops.relu), build(2.0, keras.ops.relu), build(1.0, keras.ops.tanh)]
    assert len(set(map(fingerprint, found))) == 3
    assert fingerprint(build(1.0, keras.ops.relu)) == fingerprint(found[0])


def test_onnx_models_of_other_operators_or_weights():
    onnx = pytest.importorskip("onnx")

    def build(operator, weight):
        tensor = onnx.helper.make_tensor_value_info
        nodes = [
            onnx.helper.make_node("Mul", ["x", "w"], ["scaled"]),
            onnx.helper.make_node(operator, ["scaled"], ["y"]),
        ]
        graph = onnx.helper.make_graph(
            nodes,
            "net",
            [tensor("x", onnx.TensorProto.FLOAT, ["n", 4])],
            [tensor("y", onnx.TensorProto.FLOAT, ["n", 4])],
            [onnx.numpy_helper.from_array(np.full(4, weight, np.float32), "w")],
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)

    found = [fingerprint(build(*made)) for made in (("Relu", 1), ("Tanh", 1), ("Relu", 2))]
    assert len(set(found)) == 3
    assert fingerprint(build("Relu", 1)) == found[0]


def test_it_is_the_same_in_another_process(torch, tmp_path):
    """Bytecode holds sets, whose order differs from process to process."""
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, torch\n"
        "from unknot.representations import find_adapter\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__(); self.fc = torch.nn.Linear(4, 600); self.kind = 'a'\n"
        "    def forward(self, x):\n"
        "        return self.fc(x) if self.kind in {'a', 'b', 'c', 'd', 'e'} else x\n"
        "torch.manual_seed(0)\n"
        "inputs = np.random.default_rng(0).normal(size=(40, 4))\n"
        "print(find_adapter(Net()).fingerprint(inputs))\n"
    )
    found = [
        subprocess.run(
            [sys.executable, script],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert found[0] == found[1] != ""
