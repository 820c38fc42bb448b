"""What holds for every model: half precision, one bad layer, memory, and an untouched model."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import unknot

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("of_inputs", ["float32", "the model's"])
def test_models_and_inputs_of_other_precisions(net, images, dtype, of_inputs):
    model = copy.deepcopy(net).to(dtype)
    inputs = images.to(dtype) if of_inputs != "float32" else images
    found = unknot.extract(model, inputs, progress=False)
    with torch.no_grad():
        expected = model(images.to(dtype)).float().numpy()
    assert {array.dtype for array in found.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(found["4"], expected)
    np.testing.assert_array_equal(found.output, expected)


def test_autocast_is_obeyed(net, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = unknot.extract(net, images, progress=False)
        with torch.no_grad():
            expected = net(images).float().numpy()
    np.testing.assert_array_equal(found["4"], expected)
    assert not np.array_equal(found["4"], unknot.extract(net, images, progress=False)["4"])


class Partly(nn.Module):
    def __init__(self):
        super().__init__()
        self.good, self.infinite, self.nothing = nn.Linear(8, 4), nn.Identity(), nn.Identity()
        self.dead, self.last = nn.Identity(), nn.Linear(4, 2)

    def forward(self, x):
        h = self.good(x)
        self.infinite(h / 0)
        self.nothing(h[:, :0])
        self.dead(h * 0)
        return self.last(h)


@pytest.mark.parametrize("layers", ["blocks", "all", "*"])
def test_one_bad_layer_ends_nothing(layers):
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    study = unknot.study(
        Partly(),
        (x, np.arange(40) % 2),
        layers=layers,
        measures="neighborhood_hit",
        max_iter=250,
        progress=False,
    )
    assert list(study) == ["inputs", "good", "dead", "last"]
    assert any("infinite left out: its values are 100.00% infinite" in n for n in study.notes)
    assert any("nothing left out: it is empty" in note for note in study.notes)
    assert any("dead" in note for note in study["dead"].notes)
    assert "neighborhood_hit" in study["last"].scores


def test_nan_in_a_late_batch_leaves_the_layer_out(tmp_path):
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(8, 4), nn.Linear(4, 2)

        def forward(self, x):
            h = self.one(x)
            return self.two(torch.where(x[:, :4] > 90, torch.nan, h))

    x = torch.randn(50, 8)
    x[44, 0] = 99.0
    for store in (None, tmp_path / "store"):
        found = unknot.extract(
            Late(), x, batch_size=10, max_memory=0 if store else None, store=store, progress=False
        )
        assert list(found) == ["one"]
        assert "two left out: its values are" in found.notes[0]
        assert "first in sample 44" in found.notes[0]
    assert [path.name for path in (tmp_path / "store").iterdir() if path.is_dir()] == ["one.zarr"]


def test_all_layers_bad_is_an_error():
    class Nothing(nn.Module):
        def __init__(self):
            super().__init__()
            self.only = nn.Identity()

        def forward(self, x):
            return self.only(x / 0)

    with pytest.raises(ValueError, match="'only' cannot be used: its values are"):
        unknot.extract(Nothing(), torch.randn(9, 3), progress=False)


def test_the_model_is_as_it_was(net, images):
    model = copy.deepcopy(net).train()
    model[1].eval()
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    seed = torch.get_rng_state()
    unknot.extract(model, images, pool="mean", progress=False)
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(seed, torch.get_rng_state())
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


MEMORY = """
import resource, torch, unknot
from torch import nn
class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(40))
        self.fc = nn.Linear(16, 3)
    def forward(self, x):
        x = x.repeat(1, 16, 1, 1)
        for conv in self.convs:
            x = conv(x)
        return self.fc(x.mean((2, 3)))
model, x = Wide().eval(), torch.randn(5, 1, 256, 256)
with torch.no_grad():
    model(x[:1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unknot.extract(model, x, ["fc"], max_memory="50 MB", progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is in kilobytes on Linux")
def test_layers_that_are_not_taken_take_no_memory():
    """All layers of 5 samples would take 840 MB."""
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(run.stdout.split()[-1]) < 350_000
