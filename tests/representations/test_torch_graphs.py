"""TorchScript and exported programs give what the module they were made of gives."""

import warnings

import numpy as np
import pytest

from unknot.representations import extract, load_model, untrained

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def torch_models():
    import torch_models

    return torch_models


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((40, 16, 16, 1), dtype=np.float32)


@pytest.fixture
def pictures():
    return np.random.default_rng(1).standard_normal((20, 1, 8, 8)).astype(np.float32)


@pytest.fixture
def resnet(torch_models):
    return torch_models.seeded(torch_models.ResNet).eval()


def script(model, example, how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        if how == "scripted":
            return torch.jit.script(model)
        return torch.jit.trace(model, torch.as_tensor(example), check_trace=False, strict=False)


def export(model, example, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(model, (torch.as_tensor(example),), **options)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_torchscript_from_a_file(resnet, pictures, how, tmp_path):
    module = script(resnet, pictures[:3], how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.save(str(tmp_path / "model.pt"))
    options = {"layers": "all", "batch_size": 7, "progress": False}
    found = extract(load_model(tmp_path / "model.pt"), pictures, **options)
    expected = extract(resnet, pictures, **options)
    # Freezing removes the dropout.
    assert set(expected) - set(found) == {"dropout"}
    assert set(found) - set(expected) == {"layer1.0.add_1", "layer1.1.add_1", "flatten_1"}
    for name in set(expected) - {"dropout"}:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found.output, expected.output, atol=1e-6)
    assert {layer.name: layer.kind for layer in found.layers}["layer1.0.conv1"] == "Conv2d"


def test_a_script_is_as_it_was_afterward(resnet, pictures):
    module = script(resnet.train(), pictures[:3], "scripted")
    graph = str(module.graph)
    found = extract(module, pictures, ["fc", "layer1.0.*"], progress=False)
    assert module.training
    assert module.layer1.training
    assert str(module.graph) == graph
    np.testing.assert_allclose(found["fc"], extract(resnet, pictures, "fc")["fc"], atol=1e-6)


def test_a_frozen_script(resnet, pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(script(resnet, pictures[:3], "scripted"))
    found = extract(frozen, pictures, progress=False)
    np.testing.assert_allclose(found.output, extract(resnet, pictures).output, atol=1e-5)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_scripts_of_other_kinds(torch_models, how):
    model = torch_models.seeded(torch_models.Transformer).eval()
    tokens = np.random.default_rng(0).integers(0, 20, (9, 7))
    found = extract(script(model, tokens, how), tokens, progress=False)
    np.testing.assert_allclose(found.output, extract(model, tokens).output, atol=1e-5)
    model = torch_models.seeded(torch_models.Lstm).eval()
    series = np.random.default_rng(0).standard_normal((9, 5, 4)).astype(np.float32)
    found = extract(script(model, series, how), series, "all", pool="flatten", progress=False)
    expected = extract(model, series, "all", pool="flatten", progress=False)
    for name in ("lstm[0]", "lstm[1][0]", "lstm[1][1]"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_an_exported_program_from_a_file(resnet, pictures, tmp_path):
    program = export(resnet, pictures[:4], dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = load_model(tmp_path / "model.pt2")
    expected = extract(resnet, pictures, "all", batch_size=7, progress=False)
    found = extract(loaded, pictures, "all", batch_size=7, progress=False)
    assert set(found) - set(expected) == {"layer1.0.add_1", "layer1.1.add_1", "flatten_1"}
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6, err_msg=name)
    assert {layer.name: layer.kind for layer in found.layers}["layer1.0.relu:2"] == "ReLU"
    np.testing.assert_allclose(found.output, expected.output, atol=1e-6)
    np.testing.assert_allclose(extract(loaded, pictures[:1]).output, expected.output[:1], atol=1e-6)


@pytest.mark.parametrize("size", [None, 9])
def test_batches_that_a_program_is_bound_to(resnet, pictures, size):
    shapes = None if size is None else ({0: torch.export.Dim("n", min=2, max=size)},)
    program = export(resnet, pictures[:4], dynamic_shapes=shapes)
    found = extract(program, pictures, batch_size=20, progress=False)
    np.testing.assert_allclose(found.output, extract(resnet, pictures).output, atol=1e-6)


def test_exported_programs_of_other_kinds(torch_models):
    dynamic = {"dynamic_shapes": ({0: torch.export.Dim("n", min=2)},)}
    model = torch_models.seeded(torch_models.Transformer).eval()
    tokens = np.random.default_rng(0).integers(0, 20, (9, 7))
    found = extract(export(model, tokens, **dynamic), tokens, "all", pool="flatten", progress=False)
    expected = extract(model, tokens, "all", pool="flatten", progress=False)
    for name in ("embedding", "encoder.layers.1.norm2", "encoder.layers.0.linear1", "head"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    assert "encoder.layers.0.relu_1" in found
    model = torch_models.seeded(torch_models.Lstm).eval()
    series = np.random.default_rng(0).standard_normal((9, 5, 4)).astype(np.float32)
    found = extract(export(model, series, **dynamic), series, "all", pool="flatten", progress=False)
    expected = extract(model, series, "all", pool="flatten", progress=False)
    np.testing.assert_allclose(found["lstm[0]"], expected["lstm[0]"], atol=1e-6)
    np.testing.assert_allclose(found["lstm[1][0]"], expected["lstm[1][0]"], atol=1e-6)


def test_graphs_have_no_untrained_control(resnet, pictures):
    for model in (script(resnet, pictures[:3], "traced"), export(resnet, pictures[:3])):
        with pytest.raises(ValueError, match="does not record how its weights were initialized"):
            untrained(model)


def test_the_labs_lenet_in_pytorch_is_that_of_keras(torch_models, images):
    from unknot.networks import lenet

    model = lenet(3, (16, 16, 1), random_state=0)
    twin = torch_models.Lenet(model.get_weights(), 16)
    expected = extract(model, images, progress=False)
    first = images.transpose(0, 3, 1, 2)
    for made in (twin, script(twin.eval(), first[:2], "traced"), export(twin, first[:2])):
        found = extract(made, first, progress=False)
        np.testing.assert_allclose(
            found["pool2"] if "pool2" in found else found["max_pool2d_2"],
            expected["pool2"].transpose(0, 3, 1, 2),
            atol=1e-5,
        )
        np.testing.assert_allclose(found.output, expected["probabilities"], atol=1e-5)
