"""What a study holds: every layer once, measured and drawn as it says."""

import numpy as np
import pytest
from studies_settings import MEASURES, fast

import unknot
from unknot.studies import LayerStudy, Study, StudyError


def test_every_layer_is_there_in_order(study, digits, layers):
    assert list(study) == ["inputs", "fc1", "dropout", "dead", "fc2"]
    assert study["inputs"].kind == "input"
    assert study["inputs"].shape == (8, 8, 1)
    np.testing.assert_array_equal(study["inputs"].points[:], digits.inputs)
    for name in ("fc1", "dead", "fc2"):
        np.testing.assert_array_equal(study[name].points[:], layers[name])
    np.testing.assert_array_equal(study.labels, digits.labels)
    assert study.class_names == digits.class_names
    assert study.thumbnails.shape == (200, 8, 8)
    np.testing.assert_array_equal(
        study.thumbnails[0], np.rint(digits.inputs[0, :, :, 0] * 255).astype(np.uint8)
    )
    assert repr(study) == (
        "Study('made up': 200 samples, 10 classes; layers: inputs, fc1, dropout, dead, fc2)"
    )


def test_scores_are_those_of_measure(study, layers):
    layer = study["fc2"]
    again = unknot.measure(
        layers["fc2"],
        study.labels,
        layer.map,
        MEASURES,
        k=6,
        max_samples=300,
        probe_max_samples=1000,
        n_resamples=20,
        n_permutations=3,
    )
    assert list(layer.scores) == list(again) == list(MEASURES)
    for name, score in again.items():
        assert layer.scores[name].value == score.value
        assert layer.scores[name].interval == score.interval
        assert layer.scores[name].null == score.null
    assert study.scores.value("fc2", "nc1") < study.scores.value("fc1", "nc1")
    assert layer.scores.classes.tolist() == list(range(10))


def test_neighbors_are_those_of_the_points(study, layers):
    graph = unknot.nearest_neighbors(layers["fc1"], 30)
    np.testing.assert_array_equal(study["fc1"].graph.indices, graph.indices)
    np.testing.assert_array_equal(study["fc1"].graph.distances, graph.distances)
    assert study["fc1"].graph is study["fc1"].graph


def test_maps_follow_each_other(study):
    from unknot.projection import align_map

    first, second = study["inputs"].map, study["fc1"].map
    assert first.dtype == np.float32
    np.testing.assert_allclose(align_map(second, first), second, atol=1e-3)
    assert study["fc1"].kl_divergence > 0


def test_a_view_is_not_measured_twice(study):
    view, layer = study["dropout"], study["fc1"]
    assert view.same_as == "fc1"
    assert view.points is None
    np.testing.assert_array_equal(view.map, layer.map)
    np.testing.assert_array_equal(view.graph.indices, layer.graph.indices)
    assert view.scores.to_dict() == layer.scores.to_dict()


def test_a_dead_layer_stays_with_its_reason(study):
    dead = study["dead"]
    assert dead.map is dead.graph is dead.kl_divergence is None
    assert "all points coincide" in dead.notes[0]
    assert not dead.scores
    assert dead.scores.skipped["nc1"] == "all points coincide"
    with pytest.raises(KeyError, match="nc1 was not measured: all points coincide"):
        dead.scores["nc1"]
    # The next map goes on from the last there is.
    assert study["fc2"].map is not None


def test_in_memory_it_is_the_same(study, digits, layers):
    here = unknot.study(layers, digits, name="made up", **fast())
    assert isinstance(here["fc1"].points, np.ndarray)
    np.testing.assert_array_equal(here["fc2"].map, study["fc2"].map)
    np.testing.assert_array_equal(here["fc2"].graph.indices, study["fc2"].graph.indices)
    assert here.scores.to_dict() == study.scores.to_dict()
    assert here.settings == study.settings
    assert here.seconds["fc2: map"] > 0


def test_a_sample_takes_rows_of_arrays_too(digits, layers):
    part = unknot.study(layers, digits, max_samples=60, layers="fc2", **fast(max_iter=250))
    assert list(part) == ["inputs", "fc2"]
    assert len(part.labels) == 60
    rows = [
        np.flatnonzero((digits.inputs == image).all(axis=(1, 2, 3)))[0]
        for image in part["inputs"].points[:]
    ]
    np.testing.assert_array_equal(part["fc2"].points, layers["fc2"][rows])
    assert set(part.labels) == set(range(10))


def test_few_samples_adjust_and_say_so(layers, digits):
    small = unknot.study(
        {"fc2": layers["fc2"][:9]}, (digits.inputs[:9], digits.labels[:9]), **fast(k=10)
    )
    assert small["fc2"].graph.n_neighbors == 8
    assert small.notes == (
        "k is 8 instead of 10: there are 9 samples",
        "n_neighbors is 8 instead of 30: there are 9 samples",
        "perplexity is 2.66667 instead of 10: there are 9 samples",
        "no untrained control: arrays are not the layers of a network",
    )
    assert small.settings["k"] == 8


def test_arrays_without_inputs(layers, digits):
    names = np.array(["even", "odd"])[digits.labels % 2]
    found = unknot.study({"fc2": layers["fc2"]}, (None, names), **fast(untrained=False))
    assert list(found) == ["fc2"]
    assert found.class_names == ("even", "odd")
    assert found.thumbnails is None
    assert found.snippets is None
    assert found.notes == ()


def test_snippets_stand_for_images(digits, layers):
    words = [f"sample {i}" for i in range(200)]
    short = fast(measures="nc1")
    found = unknot.study(
        {"fc2": layers["fc2"]}, (None, digits.labels), snippets=words, max_samples=40, **short
    )
    assert len(found.snippets) == 40
    numbers = unknot.study({"fc2": layers["fc2"]}, (layers["fc1"], digits.labels), **short)
    assert numbers.snippets[0].count(", ") == 8
    assert numbers.snippets[0].endswith(", ...")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"measures": "neighborhod"}, "did you mean 'neighborhood'?"),
        ({"measures": []}, "measures must name at least one measure"),
        ({"k": 0}, "k must be an integer of at least 1; got 0"),
        ({"max_iter": 3}, "max_iter must be an integer of at least 250; got 3"),
        ({"perplexity": 0.5}, "perplexity must be a number from 1 to 1,000,000; got 0.5"),
        ({"max_samples": 3}, "max_samples must be an integer from 10"),
        ({"layers": "fc3"}, "did you mean 'fc2"),
        ({"measure_options": {"n": 3}}, "measure_options: 'n' is not one of"),
        ({"snippets": ["a"]}, "snippets must be one for each of the 200 samples; got 1"),
    ],
)
def test_bad_settings_are_named(digits, layers, change, match):
    with pytest.raises(ValueError, match=match):
        unknot.study(layers, digits, **fast(**change))


def test_bad_data_are_named(digits, layers):
    with pytest.raises(StudyError, match="every sample is of one class, '3'"):
        unknot.study(layers, (digits.inputs, np.full(200, 3)))
    with pytest.raises(ValueError, match="one label for each of the 200 inputs; got the shape"):
        unknot.study(layers, (digits.inputs, digits.labels[:10]))
    with pytest.raises(TypeError, match=r"data must be a pair .*a Dataset, a Split"):
        unknot.study(layers, 3)
    with pytest.raises(ValueError, match="each of the 10 samples of data; got the shape"):
        unknot.study(layers, (digits.inputs[:10], digits.labels[:10]))
    bad = layers["fc2"].copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        unknot.study({"fc2": bad}, digits, **fast())
    with pytest.raises(ValueError, match="at least 4 samples; got 2"):
        unknot.study({"a": np.eye(2)}, (None, [0, 1]))
    with pytest.raises(TypeError, match="model must be"):
        unknot.study(object(), digits)


def test_a_study_is_checked_when_built(study):
    layer = study["fc2"]
    ok = {"name": "m", "layers": {"fc2": layer}, "labels": study.labels}
    assert Study(**ok, class_names=study.class_names).accuracy is None
    for change, match in [
        ({"labels": study.labels[:5]}, "layer 'fc2' must be of the 5 samples of labels; got 200"),
        ({"labels": study.labels.astype(np.int32)}, "labels must be int64"),
        ({"layers": {}}, "at least one layer"),
        ({"layers": {"other": layer}}, "the key 'other' holds a layer named 'fc2'"),
        ({"layers": {"dropout": study["dropout"]}}, "view of 'fc1', which is not in layers"),
        ({"predictions": study.labels + 1}, "predictions must lie in 0..9"),
    ]:
        with pytest.raises(ValueError, match=match):
            Study(**{**ok, **change}, class_names=study.class_names)
    with pytest.raises(ValueError, match=r"map of layer 'a' must be float32 \(n_samples, 2\)"):
        LayerStudy("a", "Dense", (2,), map=np.zeros((3, 2)))
    with pytest.raises(AttributeError, match="cannot assign"):
        study.name = "other"


def test_slices_by_layer(study):
    part = study.select(layers=["drop*", "fc2"])
    assert list(part) == ["fc1", "dropout", "fc2"]  # a view comes with its layer
    with pytest.raises(ValueError, match="no layer 'fc3'; did you mean 'fc2"):
        study.select("fc3")
    with pytest.raises(KeyError, match="did you mean 'fc2"):
        study["fc3"]


def test_slices_by_class(study, layers):
    part = study.select(classes=["4", 9])
    rows = np.flatnonzero(np.isin(study.labels, [4, 9]))
    assert set(part.labels) == {4, 9}
    np.testing.assert_array_equal(part["fc2"].map, study["fc2"].map[rows])
    points = part["fc2"].points
    assert points.shape == (len(rows), 10)
    np.testing.assert_array_equal(np.asarray(points), layers["fc2"][rows])
    np.testing.assert_array_equal(points[3], layers["fc2"][rows[3]])
    np.testing.assert_array_equal(points[2:5, 1], layers["fc2"][rows[2:5], 1])
    assert part["fc2"].graph is None
    assert part["fc2"].scores is None
    assert "a slice by class" in part["fc2"].notes[-1]
    assert part.select(classes=4)["fc2"].points.shape[0] == int((study.labels == 4).sum())
    for bad in (10, "ten", -1):
        with pytest.raises(ValueError, match=r"classes must be 0\.\.9 or among 0, 1"):
            study.select(classes=bad)


def test_figures(study):
    strip = study.figure()
    assert len(strip.axes) == 4  # the view is left out, the dead layer says why it is gray
    assert len(study.curves(["neighborhood_hit", "nc1"]).axes) == 2
    with pytest.raises(ValueError, match="no maps to draw"):
        study.select("dead").figure()


def test_layers_larger_than_the_memory_are_read_in_parts(study, digits, layers, tmp_path):
    small = unknot.study(
        layers, digits, out=tmp_path / "s", name="made up", **fast(max_memory=5000)
    )
    for name in ("inputs", "fc1", "fc2"):
        np.testing.assert_array_equal(small[name].graph.indices, study[name].graph.indices)
        np.testing.assert_array_equal(small[name].points[:], study[name].points[:])
        for measure in ("neighborhood_hit", "two_nn", "nc1"):
            mine, theirs = small.scores.value(name, measure), study.scores.value(name, measure)
            assert mine == pytest.approx(theirs, rel=1e-5)
    assert "all points coincide" in small["dead"].notes[0]
