"""Layers and inputs of a study from anywhere: far from 0, masked, sparse, frames."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import unknot
from unknot.metrics import neighborhood_hit

LABELS = np.arange(40) % 2
POINTS = np.random.default_rng(0).normal(size=(40, 4)) + 1.5 * LABELS[:, None]
SETTINGS = {"max_iter": 250, "perplexity": 3, "n_neighbors": 9, "progress": False, "k": 5}


def test_layers_and_inputs_far_from_0_are_measured_where_they_are_near():
    layers = {"far": POINTS + 1e9, "sparse": sp.csr_array(POINTS), "frame": pd.DataFrame(POINTS)}
    study = unknot.study(layers, (POINTS + 1e9, LABELS), measures="neighborhood_hit", **SETTINGS)
    expected = neighborhood_hit(POINTS, LABELS, k=5).value
    for layer in ("inputs", "far", "sparse", "frame"):
        assert study.scores.value(layer, "neighborhood_hit") == expected
    assert any(note.startswith("far is given relative to") for note in study.notes)


def test_extract_says_so_and_pools_and_projects_what_is_left():
    images = np.random.default_rng(1).normal(size=(40, 3, 3, 2))
    found = unknot.extract({"a": images + 1e9, "b": images}, None, progress=False, pool="mean")
    assert [note[:2] for note in found.notes] == ["a "]
    np.testing.assert_allclose(found["b"], images.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(np.ptp(found["a"], axis=0), np.ptp(found["b"], axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("layers", "data", "message"),
    [
        ({"a": np.ma.masked_greater(POINTS, 2)}, (None, LABELS), "model: 'a' has .* masked"),
        ({"a": POINTS}, (np.ma.masked_greater(POINTS, 2), LABELS), "inputs has .* masked"),
        ({"a": POINTS * 1e-60}, (None, LABELS), "model: 'a' must be distinguishable in float32"),
        ({"a": POINTS * 1e60}, (None, LABELS), "model: 'a' must be finite in float32"),
        ({"a": POINTS}, (POINTS + 1j, LABELS), "inputs must hold real numbers"),
    ],
)
@pytest.mark.parametrize("n_samples", [None, 10])
def test_what_would_be_lost_is_refused(layers, data, message, n_samples):
    with pytest.raises((ValueError, TypeError), match=message):
        unknot.study(layers, data, name="named", max_samples=n_samples, **SETTINGS)


def test_a_data_set_must_be_told_apart_in_float32():
    assert len(unknot.load_dataset((POINTS + 1e3, LABELS)).train) == 40
    with pytest.raises(unknot.datasets.DatasetError, match=r"inputs .* Subtract their mean"):
        unknot.load_dataset((POINTS + 1e9, LABELS))
    with pytest.raises(unknot.datasets.DatasetError, match=r"inputs has .* masked"):
        unknot.load_dataset((np.ma.masked_greater(POINTS, 2), LABELS))
