"""Keras networks as ONNX graphs, built by hand from their weights; no exporter is needed."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def from_keras(model, *, named=False):
    """Return the ONNX model of a Sequential of Conv2D, MaxPooling2D, Flatten and Dense.

    It takes images (samples, height, width, channels), as Keras does.
    """
    nodes, initializers = [], []
    current = "images"

    def constant(name, values):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(operator, *inputs, layer, **attributes):
        nonlocal current
        output = f"t{len(nodes)}"
        name = f"{layer}/{operator}" if named else ""
        nodes.append(helper.make_node(operator, [current, *inputs], [output], name, **attributes))
        current = output

    def activate(layer):
        name = layer.activation.__name__
        if name != "linear":
            add(
                {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}[name], layer=layer.name
            )

    channels_last = True
    for layer in model.layers:
        kind, weights = type(layer).__name__, layer.get_weights()
        if kind in ("Conv2D", "MaxPooling2D") and channels_last:
            add("Transpose", layer=layer.name, perm=[0, 3, 1, 2])
            channels_last = False
        if kind == "Conv2D":
            kernel = constant(f"{layer.name}.kernel", weights[0].transpose(3, 2, 0, 1))
            add("Conv", kernel, constant(f"{layer.name}.bias", weights[1]), layer=layer.name)
            activate(layer)
        elif kind == "MaxPooling2D":
            add("MaxPool", layer=layer.name, kernel_shape=[2, 2], strides=[2, 2])
        elif kind == "Flatten":
            if not channels_last:
                add("Transpose", layer=layer.name, perm=[0, 2, 3, 1])
            # The size of the batch by arithmetic of shapes, as exporters write it.
            nodes.append(helper.make_node("Shape", [current], ["shape"], end=1))
            rest = constant("rest", np.array([-1], np.int64))
            nodes.append(helper.make_node("Concat", ["shape", rest], ["target"], axis=0))
            add("Reshape", "target", layer=layer.name)
        else:
            kernel = constant(f"{layer.name}.kernel", weights[0])
            add("Gemm", kernel, constant(f"{layer.name}.bias", weights[1]), layer=layer.name)
            activate(layer)
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        model.name,
        [helper.make_tensor_value_info("images", float32, ["n", *model.input_shape[1:]])],
        [helper.make_tensor_value_info(current, float32, ["n", model.output_shape[-1]])],
        initializers,
    )
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(result)
    return result
