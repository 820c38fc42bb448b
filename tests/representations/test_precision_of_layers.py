"""Layers in float64 whose values float32 cannot hold are left out, and are not called dead."""

import numpy as np
import pytest

import unknot

torch = pytest.importorskip("torch")
X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


class Moved(torch.nn.Module):
    """A layer whose values are moved; a plain one before it."""

    def __init__(self, move):
        super().__init__()
        self.fc, self.moved, self.move = torch.nn.Linear(4, 6), torch.nn.Identity(), move

    def forward(self, x):
        return self.moved(self.move(self.fc(x).double()))


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (lambda t: t + 1e9, "float32 cannot tell its values apart: 6 of 6 features"),
        (lambda t: 1e6 * t - 1e13, "float32 cannot tell its values apart: 6 of 6 features"),
        (lambda t: torch.cat([t, t[:, :1] + 1e8], 1), "apart: 1 of 7 features lie far from 0"),
        (lambda t: t * 1e300, "too large for float32"),
    ],
    ids=["offset", "negative", "one feature", "huge"],
)
@pytest.mark.parametrize("batch_size", [50, 7])
def test_values_that_float32_cannot_hold(move, why, batch_size, recwarn):
    found = unknot.extract(Moved(move), X, batch_size=batch_size, progress=False)
    assert list(found) == ["fc"]
    (note,) = [note for note in found.notes if note.startswith("moved left out: ")]
    assert why in note
    assert not [each for each in recwarn if issubclass(each.category, RuntimeWarning)]


@pytest.mark.parametrize(
    "move",
    [
        lambda t: t,
        lambda t: t + 100,
        lambda t: torch.relu(t - 1e9) + 3.0,  # dead: constant
        lambda t: 1.0 + 1e-15 * t,  # constant but for rounding
        lambda t: torch.cat([t, 1e-9 * t[:, :1] + 1.0], 1),  # a feature that tells nothing
        lambda t: t * 1e-30,
    ],
    ids=["plain", "near", "dead", "rounding", "a constant feature", "tiny"],
)
def test_values_that_it_holds(move):
    found = unknot.extract(Moved(move), X, batch_size=1, progress=False)
    assert "moved" in found
    assert not [note for note in found.notes if "float32" in note]


def test_a_model_of_such_values_alone_is_refused():
    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Identity()

        def forward(self, x):
            return self.layer(x.double() + 1e9)

    with pytest.raises(ValueError, match="'layer' cannot be used: float32 cannot tell"):
        unknot.extract(Only(), X, "layer", progress=False)


def far_pipeline():
    sklearn = pytest.importorskip("sklearn.preprocessing")
    from sklearn.pipeline import make_pipeline

    far = sklearn.FunctionTransformer(lambda x: np.asarray(x, np.float64) + 1e9, validate=False)
    return make_pipeline(sklearn.StandardScaler(), far, sklearn.StandardScaler()).fit(X)


def far_onnx():
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, proto = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["wide"], name="near", to=proto.DOUBLE),
            helper.make_node("Add", ["wide", "far"], ["y"], name="moved"),
        ],
        "far",
        [helper.make_tensor_value_info("x", proto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", proto.DOUBLE, ["n", 4])],
        [helper.make_tensor("far", proto.DOUBLE, [1], [1e9])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("make", [far_pipeline, far_onnx])
def test_models_of_other_libraries(make):
    found = unknot.extract(make(), X, progress=False)
    (note,) = [note for note in found.notes if "cannot tell its values apart" in note]
    assert note.partition(" left out")[0] not in found
    assert len(found)
