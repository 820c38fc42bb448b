"""The similarity of the layers of one study, and of two of the same samples."""

import json
from dataclasses import replace

import numpy as np
import pytest
from studies_settings import fast
from typer.testing import CliRunner

import unknot
from unknot.cli import app

pytestmark = pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")


@pytest.fixture
def alive(study):
    return study.select(["inputs", "fc1", "fc2", "dropout"])


def test_the_layers_of_a_study(study, layers):
    matrix = study.similarity()
    # The view is left out, and the dead layer has no values.
    assert matrix.rows == matrix.columns == ("inputs", "fc1", "dead", "fc2")
    expected = unknot.metrics.linear_cka(layers["fc1"], layers["fc2"]).value
    assert matrix.value("fc1", "fc2") == pytest.approx(expected, rel=1e-5)
    assert np.isnan(matrix.value("fc1", "dead"))
    assert matrix.n_samples == 200
    assert matrix.names == ("made up", "")
    assert "of the layers of made up; 200 samples" in str(matrix)


def test_the_layers_of_two_studies(alive, digits, layers):
    turned = {
        "hidden": layers["fc1"] @ np.linalg.qr(np.random.default_rng(1).normal(size=(12,) * 2))[0]
    }
    other = unknot.study(turned, digits, name="other", **fast(measures="nc1"))
    matrix = alive.similarity(other, "procrustes", max_samples=100)
    assert (matrix.rows, matrix.columns) == (("inputs", "fc1", "fc2"), ("inputs", "hidden"))
    assert matrix.value("fc1", "hidden") == pytest.approx(1, abs=1e-5)
    assert matrix.value("inputs", "inputs") == pytest.approx(1, abs=1e-5)
    assert matrix.value("fc2", "hidden") < 0.9
    assert matrix.names == ("made up", "other")
    assert matrix.notes == ("computed from 100 of 200 samples, drawn at random",)
    assert alive.similarity(alive).names == ("made up (first)", "made up (second)")


def test_in_memory_and_on_disk_are_the_same(alive, digits, layers):
    here = unknot.study(layers, digits, **fast(measures="nc1")).select(list(alive))
    np.testing.assert_array_equal(here.similarity().values, alive.similarity().values)


def test_other_samples_are_refused(alive, digits, layers):
    order = np.random.default_rng(0).permutation(200)
    shuffled = unknot.study(
        {name: points[order] for name, points in layers.items()},
        (digits.inputs[order], digits.labels[order]),
        **fast(measures="nc1"),
    )
    with pytest.raises(
        ValueError, match="same samples in the same order; the inputs differ, first"
    ):
        alive.similarity(shuffled)
    fewer = alive.select(classes=[0, 1])
    with pytest.raises(ValueError, match="the first has 200 samples, the second"):
        alive.similarity(fewer)


def test_inputs_may_be_standardized_or_of_another_shape(alive, digits, layers):
    mean, deviation = digits.inputs.mean(axis=0), digits.inputs.std(axis=0) + 0.1
    for inputs in ((digits.inputs - mean) / deviation, digits.inputs.reshape(200, 64)):
        other = unknot.study(layers, (inputs, digits.labels), **fast(measures="nc1"))
        assert other.select("fc1").similarity(alive).rows == ("fc1",)
        assert alive.similarity(other).n_samples == 200


def test_without_inputs_labels_and_pictures_are_compared(alive):
    bare = alive.select(["fc1", "fc2"])
    assert bare.similarity(alive).rows == ("fc1", "fc2")
    # The names of classes are compared, not their codes.
    renumbered = replace(
        bare, labels=9 - bare.labels, class_names=bare.class_names[::-1], predictions=None
    )
    assert bare.similarity(renumbered).values.shape == (2, 2)
    with pytest.raises(ValueError, match="the labels differ, first at index"):
        bare.similarity(replace(bare, labels=9 - bare.labels))
    # Of the same classes, other pictures.
    order = np.concatenate([np.flatnonzero(bare.labels == c)[::-1] for c in range(10)])
    places = np.concatenate([np.flatnonzero(bare.labels == c) for c in range(10)])
    pictures = bare.thumbnails.copy()
    pictures[places] = pictures[order]
    with pytest.raises(ValueError, match="their thumbnails are other pictures"):
        bare.similarity(replace(bare, thumbnails=pictures))


def test_texts_are_compared(alive):
    bare = alive.select(["fc1", "fc2"])
    texts = tuple(f"sentence {i}" for i in range(200))
    told = replace(bare, thumbnails=None, snippets=texts)
    assert told.similarity(told).n_samples == 200
    with pytest.raises(ValueError, match="the snippets differ, first at index 0"):
        told.similarity(replace(told, snippets=texts[::-1]))


def test_points_that_were_not_kept_are_named_with_the_remedy(digits, layers):
    study = unknot.study(layers, digits, **fast(measures="nc1", keep_points=False))
    with pytest.raises(ValueError, match=r"without keeping the points of .*keep_points=True"):
        study.similarity()


def test_networks_of_a_framework():
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    data = rng.normal(size=(80, 6)).astype("f4"), np.arange(80) % 2
    keras.utils.set_random_seed(0)
    networks = [
        keras.Sequential(
            [
                keras.layers.Input((6,)),
                keras.layers.Dense(width, activation="relu", name="fc1"),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(2, name="logits"),
            ]
        )
        for width in (5, 8)
    ]
    options = fast(measures="nc1", untrained=False)
    first, second = (unknot.study(network, data, **options) for network in networks)
    matrix = first.similarity(second, "rsa", distance="euclidean")
    assert matrix.rows == matrix.columns == ("inputs", "fc1", "logits")
    assert matrix.value("inputs", "inputs") == pytest.approx(1, abs=1e-6)
    assert 0 < matrix.value("fc1", "fc1") < 0.999


def test_the_command_prints_and_draws(folder, tmp_path):
    run = CliRunner()
    figure = tmp_path / "figure.svg"
    result = run.invoke(app, ["similarity", str(folder), "-o", str(figure), "-l", "fc*"])
    assert result.exit_code == 0, result.output
    assert "Linear CKA of the layers of made up; 200 samples" in result.output
    assert figure.read_text().startswith("<?xml")
    result = run.invoke(
        app, ["similarity", str(folder), str(folder), "-m", "mutual_knn", "-l", "fc*", "--json"]
    )
    found = json.loads(result.stdout)
    assert found["values"][0][0] == 1.0
    assert found["names"] == ["made up (first)", "made up (second)"]


def test_the_command_refuses_other_files(folder, tmp_path):
    result = CliRunner().invoke(app, ["similarity", str(folder), "-o", str(tmp_path / "a.txt")])
    assert result.exit_code != 0
    assert "must end in .png, .svg or .pdf" in str(result.exception)
