"""Groups of points so far apart that float32 holds nothing of a group: told wherever it matters."""

import json
import warnings

import h5py
import numpy as np
import pytest

import unknot
from unknot._validation.precision import SHARE, imprecise_share
from unknot.metrics import neighborhood_hit, two_nn

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 50)
POINTS = RNG.normal(size=(200, 5))
APART = POINTS + 1e9 * LABELS[:, None]
# Nearer: no two samples become one, of which the measures tell by themselves.
SOME = POINTS + 1e6 * LABELS[:, None]
TOLD = "samples checked lie closer to others than float32 can resolve"


def share(points):
    return imprecise_share(lambda rows: points[rows], points.shape)


@pytest.mark.parametrize(
    "points",
    [
        APART,
        APART[RNG.permutation(200)],
        SOME,
        1e290 * APART,
        1e-290 * APART,
        (1000 * APART).astype(np.int64),
        np.repeat(APART, 40, axis=0) + 1e-3 * RNG.normal(size=(8000, 5)),  # a part is looked at
    ],
)
def test_groups_far_apart_beside_their_width_are_blurred(points):
    assert share(points) > 0.5


@pytest.mark.parametrize(
    "points",
    [
        POINTS,
        POINTS + 1e4 * LABELS[:, None],
        np.repeat(POINTS[:20], 10, axis=0),  # copies are copies
        np.repeat(POINTS[:20], 10, axis=0) * (1 + 1e-15 * POINTS[:, :1]),
        np.zeros((10, 3)),
        APART.astype(np.float32),  # given so: nothing is taken away
        RNG.integers(0, 2, (300, 4)) * 1e9,
        np.concatenate([POINTS[:199], np.full((1, 5), 1e12)]),  # one far from all others
        POINTS[:1],
        POINTS[:2],
    ],
)
def test_what_float32_tells_apart_is_not(points):
    assert share(points) <= SHARE


@pytest.mark.parametrize(
    "use",
    [
        lambda points, path: unknot.nearest_neighbors(points, 5),
        lambda points, path: unknot.TSNE(perplexity=5, max_iter=50).fit(points),
        lambda points, path: neighborhood_hit(points, LABELS),
        lambda points, path: unknot.measure(points, LABELS, measures=["nc1"]),
        lambda points, path: two_nn(points),
    ],
)
def test_whoever_computes_with_them_says_so(use, tmp_path):
    for name in ("memory", "disk"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            points = SOME if name == "memory" else file.create_dataset("points", data=SOME)
            with pytest.warns(UserWarning, match=TOLD):
                use(points, tmp_path)
    use(POINTS, tmp_path)  # without a warning


def test_directions_may_be_too_near_each_other():
    tight = np.eye(5)[LABELS % 4] + 1e-9 * POINTS
    with pytest.warns(UserWarning, match=TOLD):
        unknot.nearest_neighbors(tight, 5, metric="cosine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unknot.nearest_neighbors(np.eye(5)[LABELS % 4] + 1e-3 * POINTS, 5, metric="cosine")


def test_data_of_a_model_are_told_too(tmp_path):
    for points in (SOME, SOME.reshape(200, 5, 1, 1)):
        np.savez(tmp_path / "data.npz", inputs=points, labels=LABELS)
        with pytest.warns(UserWarning, match=f"inputs.*{TOLD}"):
            unknot.load_dataset(tmp_path / "data.npz")
    np.savez(tmp_path / "data.npz", inputs=POINTS, labels=LABELS)
    unknot.load_dataset(tmp_path / "data.npz")  # without a warning


def test_a_study_keeps_it_with_the_layer(tmp_path):
    quick = {"measures": ["nc1"], "max_iter": 250, "perplexity": 5, "progress": False}
    for _ in range(2):
        study = unknot.study({"fc": APART}, (APART, LABELS), out=tmp_path / "s", **quick)
        for layer in ("inputs", "fc"):
            said = study["inputs"].notes if layer == "inputs" else study.notes
            assert any(TOLD in note for note in said)
    assert TOLD in json.dumps(json.loads((tmp_path / "s" / "study.json").read_text()))
