"""The similarity of every layer to every other."""

import numpy as np
import pytest
import zarr

import unknot
from unknot.metrics import (
    SimilarityMatrix,
    linear_cka,
    mutual_knn,
    procrustes,
    pwcca,
    rsa,
    svcca,
)

pytestmark = pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
PAIRWISE = {
    "linear_cka": linear_cka,
    "rsa": rsa,
    "procrustes": procrustes,
    "mutual_knn": mutual_knn,
    "svcca": svcca,
    "pwcca": pwcca,
}


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(90, 6, 5)).astype("f4")
    flat = pixels.reshape(90, -1)
    return {
        "pixels": pixels,
        "hidden": np.maximum(flat @ rng.normal(size=(30, 12)).astype("f4"), 0),
        "wide": np.tanh(flat @ rng.normal(size=(30, 200)).astype("f4")),
        "noise": rng.normal(size=(90, 8)).astype("f4"),
    }


@pytest.mark.parametrize("measure", PAIRWISE)
def test_it_is_the_measure_of_each_pair(layers, measure):
    matrix = unknot.similarity_matrix(layers, measure=measure)
    assert matrix.rows == matrix.columns == tuple(layers)
    flat = {name: points.reshape(90, -1) for name, points in layers.items()}
    for i, one in enumerate(flat.values()):
        for j, other in enumerate(flat.values()):
            expected = PAIRWISE[measure](one, other).value
            assert matrix.values[i, j] == pytest.approx(expected, abs=1e-5)
    others = unknot.similarity_matrix(layers, {"one": layers["wide"]}, measure)
    np.testing.assert_allclose(others.values[:, 0], matrix.values[:, 2], atol=1e-12)


def test_options_of_the_measure(layers):
    biased = unknot.similarity_matrix(layers, debiased=False)
    expected = linear_cka(layers["hidden"], layers["noise"], debiased=False).value
    assert biased.value("hidden", "noise") == pytest.approx(expected, rel=1e-5)
    assert biased.chance is None
    near = unknot.similarity_matrix(layers, measure="mutual_knn", k=4, metric="cosine")
    expected = mutual_knn(layers["hidden"], layers["wide"], k=4, metric="cosine").value
    assert near.value("hidden", "wide") == pytest.approx(expected)
    assert near.chance == pytest.approx(4 / 89)


def test_a_function_of_two_arrays(layers):
    def mean_difference(first, second):
        return abs(first.mean() - second.mean())

    matrix = unknot.similarity_matrix(layers, measure=mean_difference)
    assert matrix.title == "mean difference"
    difference = abs(layers["hidden"].mean() - layers["noise"].mean())
    assert matrix.value("hidden", "noise") == pytest.approx(difference)


def test_the_same_samples_are_drawn_of_all_layers_and_said(layers):
    part = unknot.similarity_matrix(layers, {"again": layers["hidden"]}, max_samples=30)
    assert part.n_samples == 30
    assert part.notes == ("computed from 30 of 90 samples, drawn at random",)
    # Of other samples it would be near 0.
    assert part.value("hidden", "again") == pytest.approx(1, abs=1e-6)
    again = unknot.similarity_matrix(layers, {"again": layers["hidden"]}, max_samples=30)
    np.testing.assert_array_equal(part.values, again.values)
    whole = unknot.similarity_matrix(layers, max_samples=30)
    other = unknot.similarity_matrix(layers, max_samples=30, random_state=1)
    assert other.value("pixels", "hidden") != whole.value("pixels", "hidden")


def test_what_does_not_fit_in_memory_is_said(layers):
    part = unknot.similarity_matrix(layers, max_memory=12 * 200 * 40)
    assert part.n_samples == 40
    assert part.notes[0].endswith(
        "more of the largest layer, 200 numbers each, do not fit in max_memory"
    )


def test_layers_on_disk_give_the_same(layers, tmp_path):
    root = zarr.open_group(tmp_path / "layers", mode="w")
    stored = {}
    for name, points in layers.items():
        stored[name] = root.create_array(name, data=points, chunks=(7, *points.shape[1:]))
    for n in (None, 33):
        here = unknot.similarity_matrix(layers, max_samples=n)
        there = unknot.similarity_matrix(stored, max_samples=n)
        np.testing.assert_array_equal(here.values, there.values)


def test_views_of_other_layers_are_left_out(layers):
    from unknot.representations import Layer, Representations

    kinds = (
        Layer("fc", "Dense", (12,)),
        Layer("dropout", "Dropout", (12,), same_as="fc"),
        Layer("flat", "Flatten", (30,), same_as="inputs"),
    )
    found = Representations(
        {"fc": layers["hidden"], "dropout": layers["hidden"], "flat": layers["pixels"]}, kinds
    )
    assert unknot.similarity_matrix(found).rows == ("fc", "flat")


def test_a_dead_layer_has_no_values_and_a_note(layers):
    layers["dead"] = np.ones((90, 4), "f4")
    matrix = unknot.similarity_matrix(layers)
    assert np.isnan(matrix.values[-1]).all()
    assert np.isnan(matrix.values[:, -1]).all()
    assert np.isfinite(matrix.values[:-1, :-1]).all()
    assert matrix.notes == ("CKA divides by the variance, which is 0 for dead",)
    assert "n/a" in str(matrix)
    assert matrix.to_dict()["values"][-1] == [None] * 5


def test_too_many_components_are_noted(layers):
    matrix = unknot.similarity_matrix(layers, measure="svcca", variance=1.0)
    assert "canonical correlations of 90 samples are 1 for any data" in matrix.notes[0]


def test_it_prints_as_a_table_of_any_width(layers):
    many = {f"block.{i}.attention.output": layers["hidden"] + i for i in range(12)}
    text = str(unknot.similarity_matrix(many, names=("bert", "")))
    assert text.startswith("Linear CKA of the layers of bert; 90 samples")
    assert max(map(len, text.splitlines())) <= 120
    assert text.count("1.000") == 144
    assert text.rstrip().endswith("By chance: 0.000.")
    two = unknot.similarity_matrix(many, layers, names=("bert", "lenet"))
    assert "bert (rows) and lenet (columns)" in str(two)


def test_it_converts(layers):
    matrix = unknot.similarity_matrix(layers)
    frame = matrix.to_pandas()
    assert list(frame.index) == list(frame.columns) == list(layers)
    assert frame.loc["hidden", "wide"] == matrix.value("hidden", "wide")
    import json

    assert json.loads(matrix.to_json()) == matrix.to_dict()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: unknot.similarity_matrix(x, measure="cka"), ValueError, "must be one of linear"),
        (lambda x: unknot.similarity_matrix(x, measure="rsaa"), ValueError, "did you mean 'rsa'"),
        (lambda x: unknot.similarity_matrix(x, k=3), ValueError, "k: linear_cka takes debiased"),
        (
            lambda x: unknot.similarity_matrix(x, measure="procrustes", k=3),
            ValueError,
            "procrustes takes no options",
        ),
        (lambda x: unknot.similarity_matrix({}), ValueError, "first must hold at least one layer"),
        (lambda x: unknot.similarity_matrix([1]), TypeError, "first must map layers to points"),
        (
            lambda x: unknot.similarity_matrix(x, {"less": x["wide"][1:]}),
            ValueError,
            "all layers must be of the same samples.*second: 'less' has 89 .* 90",
        ),
        (
            lambda x: unknot.similarity_matrix({"a": np.ones(4)}),
            ValueError,
            r"first: 'a' must have the shape .* got \(4,\)",
        ),
        (lambda x: unknot.similarity_matrix(x, max_samples=3), ValueError, "of at least 4, or"),
        (
            lambda x: unknot.similarity_matrix(x, measure="mutual_knn", k=90),
            ValueError,
            "needs at least 91 samples; got 90",
        ),
        (lambda x: unknot.similarity_matrix(x).value("a", "b"), KeyError, "no layer 'a'"),
    ],
)
def test_what_is_not_possible_is_refused(layers, call, error, message):
    with pytest.raises(error, match=message):
        call(layers)


def test_values_that_are_not_finite_name_their_layer(layers):
    layers["wide"][3, 7] = np.nan
    with pytest.raises(ValueError, match="wide must be finite; got 1 NaN"):
        unknot.similarity_matrix(layers)


def test_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"the shape \(rows, columns\), \(1, 2\); got \(2, 1\)"):
        SimilarityMatrix(np.ones((2, 1)), ("a",), ("b", "c"), "rsa", "RSA", 5)


def test_layers_may_be_tensors_frames_and_sparse_and_masks_are_refused():
    from scipy import sparse

    torch = pytest.importorskip("torch")
    pandas = pytest.importorskip("pandas")
    points = np.random.default_rng(0).normal(size=(40, 3))
    similarity_matrix = unknot.metrics.similarity_matrix
    expected = similarity_matrix({"l": points}).values
    for given in (
        torch.tensor(points, requires_grad=True),
        torch.tensor(points).to_sparse(),
        sparse.csr_array(points),
        pandas.DataFrame(points).astype("Float64"),
        points.astype(object),
        points.tolist(),
    ):
        found = similarity_matrix({"l": given}, {"m": points}).values
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    masked = np.ma.masked_array(points, mask=points > 1)
    with pytest.raises(ValueError, match=r"first: 'l' has .* masked"):
        similarity_matrix({"l": masked})
