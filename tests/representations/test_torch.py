import numpy as np
import pytest

from unknot.representations import extract, list_layers, untrained

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def torch_models():
    import torch_models

    return torch_models


@pytest.fixture
def resnet(torch_models):
    return torch_models.seeded(torch_models.ResNet).eval()


@pytest.fixture
def pictures():
    return np.random.default_rng(1).standard_normal((20, 1, 8, 8)).astype(np.float32)


def run(model, inputs):
    with torch.no_grad():
        return model(torch.tensor(inputs))


def test_a_resnets_layers_are_those_before_operations_in_place(resnet, pictures):
    """The slow twin: the first block written out with functions that change nothing in place."""
    found = extract(resnet, pictures, layers="all", pool="flatten", batch_size=7, progress=False)
    block, functional = resnet.layer1[0], torch.nn.functional
    with torch.no_grad():
        stem = resnet.bn1(resnet.conv1(torch.tensor(pictures)))
        entry = functional.relu(stem)
        inner = block.bn1(block.conv1(entry))
        outer = block.bn2(block.conv2(functional.relu(inner)))
        left = functional.relu(outer + entry)
    expected = {
        "bn1": stem,
        "relu": entry,
        "layer1.0.bn1": inner,
        "layer1.0.relu": functional.relu(inner),
        "layer1.0.bn2": outer,
        "layer1.0.relu:2": left,
        "layer1.0": left,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values.numpy(), atol=1e-5, err_msg=name)
    assert (found["bn1"] < 0).any()
    np.testing.assert_allclose(found.output, run(resnet, pictures).numpy(), atol=1e-5)


def test_views_are_recognized_by_what_they_do(resnet, pictures):
    layers = {layer.name: layer for layer in list_layers(resnet, pictures)}
    assert layers["layer1.0"].same_as == "layer1.0.relu:2"
    assert layers["dropout"].same_as == "avgpool"
    assert layers["relu"].same_as is None
    assert layers["layer1.1.downsample"].kind == "Conv2d"
    assert layers["layer1.1.downsample"].shape == (8, 8, 8)
    found = extract(resnet, pictures, layers="all", pool="flatten", progress=False)
    np.testing.assert_array_equal(found["dropout"], found["avgpool"][:, :, 0, 0])


def test_a_relu_of_a_batch_that_happened_to_be_positive_is_no_view():
    class Late(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Identity(), torch.nn.ReLU()

        def forward(self, x):
            return self.second(self.first(x - 1))

    inputs = np.random.default_rng(0).random((30, 3), dtype=np.float32) + 1
    inputs[25] = -2
    assert [layer.same_as for layer in list_layers(Late(), inputs)] == [None, "first"]
    found = extract(Late(), inputs, batch_size=10, progress=False)
    assert [layer.same_as for layer in found.layers] == [None, None]
    np.testing.assert_array_equal(found["second"], np.maximum(inputs - 1, 0))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_as_it_was_afterward(resnet, pictures, fails):
    resnet.train()
    resnet.layer1[0].bn1.eval()
    if fails:
        resnet.bn1.bias.data[0] = np.inf
    flags = [module.training for module in resnet.modules()]
    state = {name: value.clone() for name, value in resnet.state_dict().items()}
    if fails:
        with pytest.raises(
            ValueError, match=r"its values are 25\.00% infinite in the samples 0 to 4"
        ):
            extract(resnet, pictures, batch_size=5, progress=False)
    else:
        extract(resnet, pictures, progress=False)
    assert [module.training for module in resnet.modules()] == flags
    assert not any(module._forward_hooks for module in resnet.modules())
    assert all(torch.equal(value, state[name]) for name, value in resnet.state_dict().items())
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_the_inputs_are_not_changed_in_place():
    model = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 2))
    inputs = np.full((10, 3), -1, np.float32)
    inputs[0] = 2
    inputs.setflags(write=False)
    found = extract(model, inputs, progress=False)
    assert inputs[1, 0] == -1
    np.testing.assert_array_equal(found["0"], np.maximum(inputs, 0))


def test_a_transformer_takes_token_numbers_and_shows_what_is_inside(torch_models):
    model = torch_models.seeded(torch_models.Transformer)
    tokens = np.random.default_rng(0).integers(0, 20, (30, 7))
    found = extract(model, tokens, layers="all", pool="flatten", batch_size=8, progress=False)
    assert found["embedding"].shape == (30, 7, 16)
    np.testing.assert_array_equal(
        found["embedding"], model.embedding.weight.detach().numpy()[tokens]
    )
    assert found["encoder.layers.1.linear1"].shape == (30, 7, 32)
    assert found["encoder.layers.0.self_attn"].shape == (30, 7, 16)
    assert model.training
    model.eval()
    np.testing.assert_allclose(found.output, run(model, tokens).numpy(), atol=1e-5)
    again = extract(model, tokens.astype(np.int32), batch_size=8, progress=False)
    np.testing.assert_array_equal(again.output, found.output)


@pytest.mark.parametrize("batch_first", [True, False])
def test_an_lstms_values_have_a_row_for_each_sample(torch_models, batch_first):
    model = torch_models.seeded(torch_models.Lstm, batch_first)
    series = np.random.default_rng(0).standard_normal((30, 5, 4)).astype(np.float32)
    found = extract(model, series, layers="all", pool="flatten", batch_size=8, progress=False)
    with torch.no_grad():
        given = torch.tensor(series)
        out, (hidden, cell) = model.lstm(given if batch_first else given.transpose(0, 1))
    np.testing.assert_allclose(
        found["lstm[0]"], out if batch_first else out.transpose(0, 1), atol=1e-6
    )
    np.testing.assert_allclose(found["lstm[1][0]"], hidden.transpose(0, 1), atol=1e-6)
    np.testing.assert_allclose(found["lstm[1][1]"], cell.transpose(0, 1), atol=1e-6)
    notes = {layer.name: layer.description for layer in found.layers}
    assert notes["lstm[1][0]"] == "samples along axis 1, moved to axis 0"
    assert bool(notes["lstm[0]"]) is not batch_first
    np.testing.assert_allclose(found.output, found["head"])  # the logits of a dict


def test_an_lstm_with_as_many_layers_as_samples_is_not_mistaken(torch_models):
    model = torch_models.seeded(torch_models.Lstm)
    found = extract(
        model, np.ones((2, 5, 4), np.float32), layers="all", pool="flatten", progress=False
    )
    assert found["lstm[0]"].shape == (2, 5, 6)
    assert found["lstm[1][0]"].shape == (2, 2, 6)
    np.testing.assert_array_equal(found["lstm[1][0]"][0], found["lstm[1][0]"][1])


def test_several_inputs_by_place_and_by_keyword():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.add = torch.nn.Bilinear(3, 2, 4)

        def forward(self, left, right):
            return self.add(left, right)

    rng = np.random.default_rng(0)
    left, right = rng.random((9, 3)), rng.random((9, 2))
    model = Two()
    by_place = extract(model, (left, right), progress=False)
    for inputs in ([left, right], {"right": right, "left": left}):
        np.testing.assert_array_equal(extract(model, inputs)["add"], by_place["add"])
    with pytest.raises(ValueError, match=r"same number of samples; got \{0: 9, 1: 8\}"):
        extract(model, (left, right[:8]))


def test_layers_without_a_row_for_each_sample_are_left_out():
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.total, self.flat = torch.nn.Identity(), torch.nn.Flatten(0)
            self.ranks, self.fc = torch.nn.Identity(), torch.nn.Linear(3, 2)

        def forward(self, x):
            self.total(x.sum(0))
            self.flat(x)
            self.ranks(x.argsort(1))
            return self.fc(x)

    found = extract(Odd(), np.eye(3), progress=False)
    assert list(found) == ["fc"]
    assert [note.partition(" left out: ")[0] for note in found.notes] == ["total", "flat", "ranks"]
    with pytest.raises(ValueError, match=r"'total' cannot be used: .*one row per sample"):
        extract(Odd(), np.eye(3), "total")
    with pytest.raises(ValueError, match="'ranks' cannot be used: it returns int64"):
        extract(Odd(), np.eye(3), "ranks")


def test_inputs_that_do_not_fit_are_one_clear_error(resnet):
    with pytest.raises(ValueError, match=r"'ResNet' does not take samples of shape \(8, 8, 1\)"):
        extract(resnet, np.zeros((4, 8, 8, 1)))
    resnet.train()
    with pytest.raises(ValueError, match="Reshape the inputs"):
        extract(resnet, np.zeros((4, 8)))
    assert resnet.training


def test_bytes_are_given_as_numbers_where_the_model_takes_them(resnet):
    inputs = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    found = extract(resnet, inputs, progress=False)
    np.testing.assert_array_equal(found.output, extract(resnet, inputs / 1.0).output)


def test_half_precision_is_kept_by_the_model(resnet, pictures):
    found = extract(resnet.bfloat16(), pictures, "fc", progress=False)
    assert found["fc"].dtype == np.float32
    assert next(resnet.parameters()).dtype == torch.bfloat16


def test_an_untrained_copy_is_seeded_and_resets_everything(resnet):
    before = {name: value.clone() for name, value in resnet.state_dict().items()}
    random = torch.get_rng_state()
    first, again, other = (untrained(resnet, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in resnet.state_dict().items())
    for name in ("conv1.weight", "layer1.0.conv2.weight", "fc.bias"):
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
        assert not torch.equal(first[name], before[name])
    assert torch.equal(first["bn1.running_mean"], torch.zeros(4))
    resnet.token = torch.nn.Parameter(torch.full((50,), 3.0))
    with pytest.raises(ValueError, match="ResNet holds token, which nothing draws"):
        untrained(resnet)
