import numpy as np
import onnx
import onnx_models
import pytest

from unknot.networks import lenet, logistic_regression, perceptron
from unknot.representations import extract, list_layers, load_model, untrained


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((40, 16, 16, 1), dtype=np.float32)


LENET = {  # operator of ONNX -> layer of Keras
    "Relu_1": "conv1",
    "MaxPool_1": "pool1",
    "Relu_2": "conv2",
    "MaxPool_2": "pool2",
    "Reshape_1": "flatten",
    "Sigmoid_1": "fc1",
    "Softmax_1": "probabilities",
}
PERCEPTRON = {"Reshape_1": "flatten", "Sigmoid_1": "fc1", "Softmax_1": "probabilities"}
REGRESSION = {"Reshape_1": "flatten", "Softmax_1": "probabilities"}


@pytest.mark.parametrize(
    ("network", "pairs"),
    [(lenet, LENET), (perceptron, PERCEPTRON), (logistic_regression, REGRESSION)],
    ids=["lenet", "perceptron", "logistic_regression"],
)
def test_the_labs_networks_give_the_values_of_keras(network, pairs, images, tmp_path):
    model = network(3, (16, 16, 1), random_state=0)
    onnx.save(onnx_models.from_keras(model), tmp_path / "model.onnx")
    before = (tmp_path / "model.onnx").read_bytes()
    ours = extract(load_model(tmp_path / "model.onnx"), images, batch_size=16, progress=False)
    theirs = extract(model, images, progress=False)
    for operator, layer in pairs.items():
        values = ours[operator]
        if values.ndim == 4:
            values = values.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(values, theirs[layer], atol=1e-5, err_msg=layer)
    np.testing.assert_array_equal(ours.output, ours["Softmax_1"])
    assert (tmp_path / "model.onnx").read_bytes() == before


def test_layers_are_operators_without_constants_and_shapes(images):
    model = onnx_models.from_keras(lenet(3, (16, 16, 1), random_state=0))
    outputs = len(model.graph.output)
    layers = list_layers(model, images)
    assert [layer.name for layer in layers] == [
        *("Transpose_1", "Conv_1", "Relu_1", "MaxPool_1", "Conv_2", "Relu_2", "MaxPool_2"),
        *("Transpose_2", "Reshape_1", "Gemm_1", "Sigmoid_1", "Gemm_2", "Softmax_1"),
    ]
    kinds = {layer.name: layer.kind for layer in layers}
    assert kinds["Conv_2"] == "Conv"
    same = {layer.name: layer.same_as for layer in layers if layer.same_as}
    assert same["Transpose_1"] == "inputs"  # one channel: nothing moves
    assert same["Reshape_1"] in ("Transpose_2", "MaxPool_2")
    assert len(model.graph.output) == outputs


def test_named_operators_keep_their_names(images):
    model = onnx_models.from_keras(perceptron(3, (16, 16, 1), random_state=0), named=True)
    found = extract(model, images, ["fc1/*"], progress=False)
    assert list(found) == ["fc1/Gemm", "fc1/Sigmoid"]


def test_integers_are_cast_to_what_the_model_takes(images):
    model = onnx_models.from_keras(perceptron(3, (16, 16, 1), random_state=0))
    bytes_ = (images * 255).astype(np.uint8)
    found = extract(model, bytes_, progress=False)
    np.testing.assert_array_equal(found.output, extract(model, bytes_ / 1.0).output)


def embedding(batch="n"):
    helper, tensor = onnx.helper, onnx.TensorProto
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["rows"]),
            helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Add", ["mean", "shift"], ["moved"]),
        ],
        "tokens",
        [
            helper.make_tensor_value_info("tokens", tensor.INT64, [batch, 3]),
            helper.make_tensor_value_info("shift", tensor.FLOAT, [batch, 2]),
        ],
        [helper.make_tensor_value_info("moved", tensor.FLOAT, [batch, 2])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("batch", ["n", 4])
def test_several_inputs_and_a_fixed_batch(batch):
    rng = np.random.default_rng(0)
    tokens, shift = rng.integers(0, 6, (10, 3)), rng.random((10, 2))
    table = np.arange(12).reshape(6, 2)
    for inputs in ((tokens, shift), {"shift": shift, "tokens": tokens}):
        found = extract(embedding(batch), inputs, batch_size=3, pool="flatten", progress=False)
        np.testing.assert_allclose(found["Gather_1"], table[tokens])
        np.testing.assert_allclose(found.output, table[tokens].mean(1) + shift, rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((5, 3)), "takes 2; got 1"),
        (
            (np.zeros((5, 3)), np.full((5, 2), np.nan)),
            r"inputs\[1\] must be finite; .* sample 0 and 4",
        ),
        ((np.zeros((5, 4)), np.zeros((5, 2))), r"'tokens' .* shape \(3,\); got \(4,\)"),
        ((np.full((5, 3), 0.5), np.zeros((5, 2))), "takes int64; got fractions such as 0.5"),
        ({"token": np.zeros((5, 3)), "shift": np.zeros((5, 2))}, "takes 'tokens', 'shift'; got"),
    ],
)
def test_inputs_that_do_not_fit_are_one_clear_error(inputs, message):
    with pytest.raises(ValueError, match=message):
        extract(embedding(), inputs, progress=False)


def test_what_onnx_cannot_do_is_said(tmp_path):
    with pytest.raises(ValueError, match="does not record how its weights were initialized"):
        untrained(embedding())
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07nonsense")
    with pytest.raises(ValueError, match=r"broken\.onnx cannot be loaded as an ONNX model"):
        load_model(tmp_path / "broken.onnx")
