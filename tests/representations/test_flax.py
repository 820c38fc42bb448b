"""Flax models: linen with its variables, and NNX."""

import numpy as np
import pytest

import unknot
from unknot.representations import extract, untrained

pytest.importorskip("flax")
import jax
from flax import linen, nnx

INPUTS = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)


class Block(linen.Module):
    @linen.compact
    def __call__(self, x, train):
        return x + linen.Dropout(0.5, deterministic=not train)(linen.Dense(7)(x))


class Network(linen.Module):
    @linen.compact
    def __call__(self, x, train):
        x = linen.relu(linen.BatchNorm(use_running_average=not train)(linen.Dense(7)(x)))
        for number in range(2):
            x = Block(name=f"block{number}")(x, train)
        return linen.Dense(3)(x)


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(5, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(8, 8, rngs=rngs) for _ in range(2)])
        self.head = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        x = self.dropout(jax.nn.relu(self.norm(self.first(x))))
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


@pytest.fixture(scope="module")
def network():
    module = Network()
    return module, module.init(jax.random.key(0), INPUTS[:2], False)


@pytest.mark.parametrize("how", ["bound", "pair"])
def test_linen(network, how):
    module, variables = network
    output, state = module.apply(
        variables, INPUTS, False, capture_intermediates=True, mutable=["intermediates"]
    )
    model = module.bind(variables) if how == "bound" else (module, variables)
    found = extract(model, INPUTS, "all", batch_size=13, progress=False)
    blocks = [
        name
        for number in range(2)
        for name in (f"block{number}/Dense_0", f"block{number}/Dropout_0", f"block{number}")
    ]
    assert list(found) == ["Dense_0", "BatchNorm_0", *blocks, "Dense_1"]
    for name in found:
        part = state["intermediates"]
        for step in name.split("/"):
            part = part[step]
        np.testing.assert_allclose(found[name], part["__call__"][0], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(found.output, output, atol=1e-6)
    assert {layer.name: layer.kind for layer in found.layers}["block0"] == "Block"


def test_linen_without_variables_and_its_control(network):
    module, variables = network
    with pytest.raises(ValueError, match=r"bind\(variables\)"):
        extract(module, INPUTS, progress=False)
    with pytest.raises(ValueError, match="are drawn for inputs"):
        untrained((module, variables))
    labels = np.arange(30) % 2
    fresh = module.init(jax.random.key(1), INPUTS[:2], False)
    study = unknot.study(
        (module, variables),
        (INPUTS, labels),
        untrained=lambda: (module, fresh),
        measures="neighborhood_hit",
        max_iter=250,
        progress=False,
    )
    assert "Dense_0" in study.controls["untrained"]


def test_nnx_is_as_it_was_afterward():
    model = Nnx(nnx.Rngs(0))
    call = nnx.Linear.__call__
    found = extract(model, INPUTS, "all", batch_size=13, progress=False)
    assert list(found) == ["first", "norm", "dropout", "blocks/0", "blocks/1", "head"]
    assert nnx.Linear.__call__ is call
    assert not model.dropout.deterministic
    assert not model.norm.use_running_average
    model.eval()
    np.testing.assert_allclose(found.output, model(INPUTS), atol=1e-6)
    hidden = jax.nn.relu(model.norm(model.first(INPUTS)))
    np.testing.assert_allclose(found["dropout"], hidden, atol=1e-6)
    np.testing.assert_allclose(found["blocks/0"], model.blocks[0](hidden), atol=1e-6)


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match="does not take samples of shape"):
        extract(Nnx(nnx.Rngs(0)), INPUTS[:, :3], progress=False)
