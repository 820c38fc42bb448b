"""Sessions of ONNX Runtime, and graphs of half precision, give what their models give."""

import warnings

import numpy as np
import pytest

import unknot
from unknot.representations import extract

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

INPUTS = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
ALL = {"layers": "all", "batch_size": 20, "progress": False}


def network(dtype=torch.float32):
    torch.manual_seed(0)
    parts = [torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)]
    return torch.nn.Sequential(*parts).eval().to(dtype)


def exported(model, path, dtype=torch.float32):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.tensor(INPUTS).to(dtype)
        torch.onnx.export(
            model, (example,), path, dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"]
        )
    return onnx.load(path)


@pytest.mark.parametrize("how", ["path", "bytes"])
def test_a_session(how, tmp_path):
    path = tmp_path / "model.onnx"
    model = exported(network(), path)
    source = str(path) if how == "path" else model.SerializeToString()
    session = runtime.InferenceSession(source, providers=["CPUExecutionProvider"])
    found, expected = extract(session, INPUTS, **ALL), extract(network(), INPUTS, **ALL)
    assert list(found) == list(expected) == ["0", "1", "2"]
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    study = unknot.study(
        session,
        (INPUTS, np.arange(20) % 2),
        measures="neighborhood_hit",
        max_iter=250,
        untrained=network,
        progress=False,
    )
    assert study.settings["control"] == "the model that network returned"


def test_a_session_whose_file_is_gone(tmp_path):
    path = tmp_path / "model.onnx"
    exported(network(), path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    path.unlink()
    with pytest.raises(ValueError, match=r"model\.onnx, which is gone"):
        extract(session, INPUTS, progress=False)


@pytest.mark.parametrize("how", ["scripted", "traced", "program", "onnx"])
def test_half_precision(how, tmp_path):
    for dtype in (torch.float16, torch.bfloat16):
        model = network(dtype)
        expected = extract(model, INPUTS, **ALL)
        example = torch.tensor(INPUTS).to(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if how == "scripted":
                graph = torch.jit.script(model)
            elif how == "traced":
                graph = torch.jit.trace(model, example)
            elif how == "program":
                graph = torch.export.export(model, (example,))
            elif dtype == torch.bfloat16:
                continue  # NumPy has no such inputs
            else:
                graph = exported(model, tmp_path / "model.onnx", dtype)
        found = extract(graph, INPUTS, **ALL)
        assert list(found) == list(expected)
        for name in found:
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], expected[name], atol=2e-3, rtol=2e-3)
