"""The heat map of the similarity of layers."""

import numpy as np
import pytest
from figures_checks import assert_texts_are_clear

from unknot.figures import similarity_heatmap
from unknot.metrics import SimilarityMatrix


def matrix(values, rows=None, columns=None, **options):
    values = np.asarray(values, float)
    rows = tuple(f"layer{i}" for i in range(len(values))) if rows is None else tuple(rows)
    columns = rows if columns is None else tuple(columns)
    given = {"measure": "linear_cka", "title": "linear CKA", "n_samples": 2000, **options}
    return SimilarityMatrix(values, rows, columns, **given)


def labels_of(fig):
    ax = fig.axes[0]
    return [
        [each.get_text() for each in axis] for axis in (ax.get_yticklabels(), ax.get_xticklabels())
    ]


def test_values_are_written_and_named():
    given = matrix([[1, 0.256], [0.256, 1]], ["conv1", "fc1"], chance=0.0, names=("lenet", ""))
    fig = similarity_heatmap(given)
    assert [text.get_text() for text in fig.axes[0].texts] == ["1.00", "0.26", "0.26", "1.00"]
    assert labels_of(fig) == [["conv1", "fc1"], ["conv1", "fc1"]]
    texts = [text.get_text() for text in fig.texts]
    assert texts == ["Linear CKA", "lenet; 2,000 samples; by chance 0"]
    assert similarity_heatmap(given, title="Mine").texts[0].get_text() == "Mine"
    assert len(similarity_heatmap(given, title="").texts) == 1
    assert_texts_are_clear(fig)


def test_two_networks_are_named_beside_rows_and_columns():
    given = matrix(
        np.random.default_rng(0).random((2, 4)), ["a", "b"], list("wxyz"), names=("cat", "dog")
    )
    fig = similarity_heatmap(given)
    assert [text.get_text() for text in fig.texts] == [
        "Linear CKA", "2,000 samples", "dog", "cat",
    ]  # fmt: skip
    rows, columns = labels_of(fig)
    assert (rows, columns) == (["a", "b"], list("wxyz"))
    box = fig.axes[0].get_window_extent()
    assert box.width == pytest.approx(2 * box.height, rel=1e-6)
    assert_texts_are_clear(fig)


def test_colors_reach_from_zero_to_the_largest_possible_value():
    fig = similarity_heatmap(matrix([[0.5, 0.7], [0.7, 0.6]]))
    assert fig.axes[0].collections[0].get_clim() == (0, 1)
    fig = similarity_heatmap(matrix([[1, -0.25], [-0.25, 1]], range=(-1.0, 1.0)))
    assert fig.axes[0].collections[0].get_clim() == (-0.25, 1)
    fig = similarity_heatmap(matrix([[3, 8], [8, 3]], range=(-np.inf, np.inf)))
    assert fig.axes[0].collections[0].get_clim() == (0, 8)


def test_undefined_values_are_empty():
    fig = similarity_heatmap(matrix([[1, np.nan], [np.nan, np.nan]]))
    assert [text.get_text() for text in fig.axes[0].texts] == ["1.00"]
    everything = similarity_heatmap(matrix([[np.nan]]))
    assert not everything.axes[0].texts


def test_zero_has_no_sign():
    fig = similarity_heatmap(matrix([[1, -0.001], [-0.01, 1]], range=(-1.0, 1.0)))
    assert [text.get_text() for text in fig.axes[0].texts] == ["1.00", "0.00", "−0.01", "1.00"]


@pytest.mark.parametrize("n", [1, 12, 150])
@pytest.mark.parametrize("name", ["{}", "encoder.layers.{}.attention.output.dense"])
@pytest.mark.parametrize("two", [False, True])
def test_matrices_of_any_size_can_be_read(n, name, two):
    rows = [name.format(i) for i in range(n)]
    names = ("a network", "another network with a long name") if two else ("", "")
    values = np.random.default_rng(0).random((n, 3 if two else n))
    fig = similarity_heatmap(matrix(values, rows, ["a", "b", "c"] if two else rows, names=names))
    assert_texts_are_clear(fig)
    assert fig.get_size_inches()[0] <= 10.01


def test_names_with_markup_stay_as_they_are():
    fig = similarity_heatmap(matrix([[1.0]], ["fc$1$"], names=("a$b$c", "$d$")))
    fig.canvas.draw()
    assert labels_of(fig)[0] == [r"fc\$1\$"]


def test_other_results_are_refused():
    with pytest.raises(TypeError, match=r"must be a SimilarityMatrix.*got ndarray"):
        similarity_heatmap(np.eye(3))
