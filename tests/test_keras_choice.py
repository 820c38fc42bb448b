"""Which backend Keras is imported on; each case in a process of its own."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

PRELUDE = """
import importlib.util, sys
original = importlib.util.find_spec
def find_spec(name, *rest):
    return None if name in MISSING else original(name, *rest)
importlib.util.find_spec = find_spec
from unknot._keras import configured_backend, import_keras
"""


def run(code, *, missing=(), env=None):
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", f"MISSING = {set(missing)!r}\n{PRELUDE}\n{code}"],
        env={**environment, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), done.stderr.strip()


def test_the_environment_decides():
    out, err = run("print(import_keras().backend.backend())", env={"KERAS_BACKEND": "jax"})
    assert out == "jax", err


def test_an_argument_decides_before_the_environment():
    out, err = run("print(import_keras('jax').backend.backend())", env={"KERAS_BACKEND": "torch"})
    assert out == "jax", err


def test_keras_configuration_file_decides_next(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    out, err = run("print(configured_backend())", env={"KERAS_HOME": str(tmp_path)})
    assert out == "jax", err


@pytest.mark.parametrize("content", ["", "[]", '{"backend": "abacus"}'])
def test_a_configuration_that_says_nothing_is_passed_over(content, tmp_path):
    (tmp_path / "keras.json").write_text(content)
    out, err = run("print(configured_backend())", env={"KERAS_HOME": str(tmp_path)})
    assert out == "None", err


def test_the_first_installed_backend_is_taken_otherwise(tmp_path):
    out, err = run(
        "print(import_keras().backend.backend())",
        missing=["tensorflow", "torch"],
        env={"KERAS_HOME": str(tmp_path)},
    )
    assert out == "jax", err


@pytest.mark.parametrize(
    ("code", "missing", "message"),
    [
        ("import_keras('abacus')", [], "backend must be one of tensorflow, jax, torch"),
        (
            "import_keras(feature='Training')",
            ["tensorflow", "jax", "torch"],
            "Training needs Keras with TensorFlow, JAX or PyTorch, which is not installed. "
            'Install it with: pip install "unknot[lab]"',
        ),
        ("import_keras('jax')", ["keras"], 'pip install "unknot[jax]"'),
        ("import_keras('torch')", ["torch"], 'pip install "unknot[torch]"'),
        ("import_keras('jax'); import_keras('torch')", [], "KERAS_BACKEND=torch"),
    ],
)
def test_what_cannot_be_had_says_what_to_do(code, missing, message, tmp_path):
    _, err = run(code, missing=missing, env={"KERAS_HOME": str(tmp_path)})
    assert message in err


@pytest.mark.skipif(not find_spec("tensorflow"), reason="TensorFlow is not installed")
def test_the_backends_greeting_is_withheld():
    _, err = run("import_keras('tensorflow')")
    assert err == ""
