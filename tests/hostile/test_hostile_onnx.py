"""ONNX files that attack, or are damaged: nothing outside is read, and no error leaks."""

import os
import random

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from unknot.representations import extract, load_model

INPUTS = np.random.default_rng(0).random((6, 4), dtype=np.float32)
ADD = helper.make_node("Add", ["x", "w"], ["y"])
OPSET = helper.make_opsetid("", 17)


def model(nodes, initializers=(), functions=(), opsets=(OPSET,), inputs=True):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", None])
    graph = helper.make_graph(nodes, "net", [x] if inputs else [], [y], list(initializers))
    return helper.make_model(
        graph, opset_imports=list(opsets), ir_version=9, functions=list(functions)
    )


def external(location, **entries):
    """Return a tensor of four numbers that lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def constant(tensor):
    return helper.make_node("Constant", [], ["w"], value=tensor)


def refuse(folder, content, match):
    """Loading or running ends in one short error that names the file or the model."""
    path = folder / "evil.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    with pytest.raises(ValueError, match=match) as caught:
        extract(load_model(path), INPUTS, progress=False)
    assert "evil.onnx" in str(caught.value) or "'net'" in str(caught.value)
    assert len(str(caught.value)) < 900


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "models"
    place.mkdir()
    (place / "w.bin").write_bytes(np.ones(4, np.float32).tobytes())
    return place


def test_weights_in_a_file_of_the_same_folder_are_read(folder):
    for tensor in (external("w.bin"), external("./w.bin", offset=0, length=16)):
        path = folder / "good.onnx"
        path.write_bytes(model([ADD], [tensor]).SerializeToString())
        found = extract(load_model(path), INPUTS, progress=False)
        np.testing.assert_array_equal(found.output, INPUTS + 1)


@pytest.mark.parametrize(
    "location",
    [
        *("{outside}/precious.txt", "../outside/precious.txt", "a/../../outside/precious.txt"),
        *("/dev/zero", "C:\\precious.txt", "..\\outside\\precious.txt", "", "w.bin\n"),
    ],
)
def test_weights_outside_the_folder_are_not_read(location, folder, outside):
    location = location.format(outside=outside)
    refuse(folder, model([ADD], [external(location)]), "is not in its folder")
    refuse(folder, model([constant(external(location)), ADD]), "is not in its folder")


def test_weights_in_places_where_few_look(folder, outside):
    location = str(outside / "precious.txt")
    inner = helper.make_graph(
        [constant(external(location)), helper.make_node("Identity", ["w"], ["o"])],
        "inner",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, [4])],
    )
    condition = numpy_helper.from_array(np.array(True), "c")
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    refuse(folder, model([branch], [condition]), "is not in its folder")
    own = [helper.make_opsetid("own", 1)]
    function = helper.make_function(
        "own", "F", ["x"], ["y"], [constant(external(location)), ADD], [OPSET]
    )
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    refuse(folder, model([call], functions=[function], opsets=[OPSET, *own]), "not in its folder")
    trained = model([helper.make_node("Relu", ["x"], ["y"])])
    trained.training_info.add().initialization.initializer.append(external(location))
    refuse(folder, trained, "is not in its folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs symbolic links and named pipes")
def test_links_pipes_and_folders_are_not_followed(folder, outside):
    (folder / "link").symlink_to(outside / "precious.txt")
    (folder / "place").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    refuse(folder, model([ADD], [external("link")]), "is not in its folder")
    refuse(folder, model([ADD], [external("place/precious.txt")]), "is not in its folder")
    refuse(folder, model([ADD], [external("pipe")]), "is a pipe or a device")
    refuse(folder, model([ADD], [external(".")]), "is a folder")
    refuse(folder, model([ADD], [external("missing.bin")]), r"missing\.bin: no such file")


@pytest.mark.parametrize(
    "entries", [{"length": 2**40}, {"offset": 8, "length": 16}, {"offset": -4}]
)
def test_weights_beyond_the_end_of_their_file(entries, folder):
    refuse(folder, model([ADD], [external("w.bin", **entries)]), r"w\.bin.*, which has 16")


def test_weights_that_were_left_in_another_file(folder, monkeypatch):
    """A model in memory has no folder; ONNX Runtime would look in the current one."""
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match="'net' keeps weights in another file"):
        extract(model([ADD], [external("w.bin")]), INPUTS, progress=False)


def test_functions_that_call_themselves(folder):
    opsets = [OPSET, helper.make_opsetid("own", 1)]

    def function(name, inner):
        node = helper.make_node(inner, ["x"], ["y"], domain="own")
        return helper.make_function("own", name, ["x"], ["y"], [node], opsets)

    call = helper.make_node("A", ["x"], ["y"], domain="own")
    for functions in ([function("A", "A")], [function("A", "B"), function("B", "A")]):
        refuse(folder, model([call], functions=functions, opsets=opsets), "call themselves")
    relu = helper.make_node("Relu", ["x"], ["y"])
    last = helper.make_function("own", "B", ["x"], ["y"], [relu], [OPSET])
    good = model([call], functions=[function("A", "B"), last], opsets=opsets)
    assert extract(good, INPUTS, progress=False).output.shape == INPUTS.shape


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (helper.make_node("Reshape", ["x", "s"], ["y"]), "cannot be run .*Reshape_1"),
        (helper.make_node("Gather", ["x", "s"], ["y"], axis=1), "cannot be run .*Gather_1"),
        (helper.make_node("Expand", ["x", "s"], ["y"]), "cannot be run .*Expand_1"),
        (helper.make_node("Evil", ["x"], ["y"], domain="evil"), "cannot be run as ONNX: .*Evil"),
        (helper.make_node("Missing", ["x"], ["y"]), "cannot be loaded as an ONNX model: .*Missing"),
    ],
)
def test_what_onnxruntime_raises_names_the_model_and_the_layer(node, match, folder, capfd):
    shape = numpy_helper.from_array(np.array([7, 13]), "s")
    opsets = [OPSET, helper.make_opsetid("evil", 1)]
    refuse(folder, model([node], [shape], opsets=opsets), match)
    assert capfd.readouterr().err == ""


def test_shapes_that_would_fill_memory(folder):
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40, 4])
    refuse(folder, model([ADD], [huge]), "cannot be loaded as an ONNX model")
    sizes = numpy_helper.from_array(np.array([2**36, 4]), "s")
    made = [helper.make_node("ConstantOfShape", ["s"], ["w"]), ADD]
    refuse(folder, model(made, [sizes]), r"computes 'w' of shape \[68719476736, 4\]")
    random = helper.make_node("RandomNormal", [], ["w"], shape=[2**36, 4])
    refuse(folder, model([random, ADD]), r"computes 'w' of shape \[68719476736, 4\]")
    huge.raw_data = b"1234"
    refuse(folder, model([ADD], [huge]), "cannot be loaded as an ONNX model")


def test_models_without_inputs_or_content(folder):
    node = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(INPUTS))
    refuse(folder, model([node], inputs=False), "takes no inputs")
    for content in (b"", b"text", bytes(100), b"\x08\x09"):
        refuse(folder, content, "cannot be loaded as an ONNX model")


def test_damaged_files_end_in_one_short_error(folder):
    weights = [
        numpy_helper.from_array(np.ones((4, 3), np.float32), "w"),
        numpy_helper.from_array(np.array([-1, 3]), "s"),
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"]),
        helper.make_node("Reshape", ["t", "s"], ["y"]),
    ]
    content, rng = model(nodes, weights).SerializeToString(), random.Random(0)
    path = folder / "damaged.onnx"
    refused = 0
    for turn in range(60):
        place = rng.randrange(len(content))
        changed = bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]
        path.write_bytes(content[:place] + (changed if turn % 3 else b""))
        message = ""
        try:
            extract(load_model(path), INPUTS, progress=False)
        except ValueError as error:
            message = str(error)
        refused += bool(message)
        assert len(message) < 900
    assert refused > 30
