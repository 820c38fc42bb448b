"""A model and its exports: values of one name are the same, and modules keep their names."""

import warnings

import numpy as np
import pytest

from unknot.representations import extract

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

EXPORTS = ("scripted", "traced", "program", "onnx", "onnx of 2023")


@pytest.fixture(scope="module")
def torch_models():
    import torch_models

    return torch_models


class Branches(torch.nn.Module):
    """Modules in two lists of one kind, one module called twice in a row, and functions."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(2))
        self.second = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(2))
        self.block = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU())
        self.shared = torch.nn.Linear(4, 4)

    def forward(self, x):
        for one, other in zip(self.first, self.second, strict=True):
            x = x + torch.tanh(one(x)) * other(x)
        return self.block(self.shared(self.shared(x)))


def exported(model, example, how, path):
    inputs = (torch.as_tensor(example),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "scripted":
            return torch.jit.script(model)
        if how == "traced":
            return torch.jit.trace(model, inputs, check_trace=False, strict=False)
        if how == "program":
            return torch.export.export(model, inputs)
        if how == "onnx":
            pytest.importorskip("onnxscript")
        torch.onnx.export(model, inputs, path, dynamo=how == "onnx", verbose=False)
    return onnx.load(path)


def both(model, inputs, how, path):
    options = {"layers": "all", "pool": "flatten", "batch_size": len(inputs), "progress": False}
    expected = extract(model, inputs, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an upper bound on the batch
        found = extract(exported(model, inputs, how, path), inputs, **options)
    for name in set(found) & set(expected):
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=f"{how}: {name}"
        )
    return found, expected


@pytest.mark.parametrize("how", EXPORTS)
def test_modules_in_lists_and_repeated_calls(how, tmp_path):
    inputs = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    found, expected = both(Branches().eval(), inputs, how, tmp_path / "m.onnx")
    assert "shared:2" in expected
    assert set(expected) - set(found) == set()
    own = {f"{kind}_{number}" for kind in ("tanh", "mul", "add") for number in (1, 2)}
    assert set(found) - set(expected) == own


@pytest.mark.parametrize("how", EXPORTS)
def test_a_residual_network(torch_models, how, tmp_path):
    inputs = np.random.default_rng(0).standard_normal((6, 1, 8, 8)).astype(np.float32)
    model = torch_models.seeded(torch_models.ResNet).eval()
    found, expected = both(model, inputs, how, tmp_path / "m.onnx")
    missing = set(expected) - set(found)
    convolutions = {name for name in expected if "conv" in name}
    if how == "onnx":  # its batch norms hold the convolutions
        assert missing == {"dropout"} | convolutions
    elif how == "onnx of 2023":
        assert missing == {"dropout"} | convolutions | {name for name in expected if "bn" in name}
        assert {f"{name}.fused" for name in convolutions} < set(found)
        np.testing.assert_allclose(found["conv1.fused"], expected["bn1"], atol=1e-5)
        assert any("merged a batch norm" in note for note in found.notes)
    else:
        assert missing <= {"dropout"}
    assert {"layer1", "layer1.0", "layer1.1", "layer1.0.relu:2", "avgpool", "fc"} <= set(found)


@pytest.mark.parametrize("how", EXPORTS[1:])
def test_a_transformer(torch_models, how, tmp_path):
    tokens = np.random.default_rng(0).integers(0, 20, (6, 5))
    model = torch_models.seeded(torch_models.Transformer).eval()
    found, expected = both(model, tokens, how, tmp_path / "m.onnx")
    assert {name for name in set(expected) - set(found) if "dropout" not in name} == set()


def test_a_max_pooling_is_no_batch_norm():
    pytest.importorskip("torchvision")
    from torchvision.models import resnet18

    inputs = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    found, expected = both(resnet18().eval(), inputs, "scripted", None)
    assert set(expected) <= set(found)
    assert not any(name.startswith("bn1:") for name in found)


def test_names_that_are_no_lists_are_not_evaluated(torch_models, tmp_path):
    model = torch_models.seeded(torch_models.ResNet).eval()
    inputs = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    graph = exported(model, inputs, "onnx", tmp_path / "m.onnx")
    for node in graph.graph.node:
        for entry in node.metadata_props:
            entry.value = "__import__('os').getcwd()"
    found = extract(graph, inputs, "all", batch_size=4, pool="flatten", progress=False)
    assert all("getcwd" not in name for name in found)
    assert len(found) == len(graph.graph.node)
