"""SavedModels of TensorFlow give what the model they were saved from gives, if they are trusted."""

import numpy as np
import pytest

from unknot.representations import extract, load_model

tf = pytest.importorskip("tensorflow")


class Model(tf.Module):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.first = tf.Variable(rng.normal(size=(5, 4)).astype(np.float32))
        self.second = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 5), tf.float32, name="x")])
    def __call__(self, x):
        with tf.name_scope("hidden"):
            x = tf.nn.relu(x @ self.first)
        with tf.name_scope("logits"):
            return x @ self.second


@pytest.fixture
def saved(tmp_path):
    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"))
    return model, tmp_path / "model"


def test_its_scopes_are_layers(saved):
    model, folder = saved
    inputs = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    with pytest.raises(ValueError, match="a program that can read and write files"):
        load_model(folder)
    loaded = load_model(folder, trust_pickle=True)
    found = extract(loaded, inputs, "all", batch_size=7, progress=False)
    assert list(found) == ["hidden.matmul_1", "hidden", "logits"]
    np.testing.assert_allclose(found["hidden.matmul_1"], inputs @ model.first.numpy(), atol=1e-5)
    hidden = np.maximum(inputs @ model.first.numpy(), 0)
    np.testing.assert_allclose(found["hidden"], hidden, atol=1e-5)
    np.testing.assert_allclose(found.output, model(inputs).numpy(), atol=1e-5)
    named = extract(loaded, {"x": inputs}, "all", progress=False)
    np.testing.assert_allclose(named["hidden"], hidden, atol=1e-5)
    with pytest.raises(ValueError, match=r"takes samples of shape \(5,\); got \(3,\)"):
        extract(loaded, inputs[:, :3], progress=False)
