"""Pages of several labelings, of numbers, and of samples without a label."""

import copy

import numpy as np
import pytest
from report_browser import Opened

import unknot
from unknot.report import build_payload, write_report
from unknot.report._labelings import changes, labeled_rows
from unknot.report._packing import pack_values, unpack

SETTINGS = {"measures": ["neighborhood_hit", "two_nn"], "max_iter": 250, "progress": False}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    points = rng.normal(size=(120, 3)) + 3 * np.eye(3)[labels]
    species = labels.copy()
    species[::6] = -1
    age = 10 * points[:, 0]
    age[:8] = np.nan
    return points, {"species": species, "age": age, "place": np.array(["sea", "land"])[labels % 2]}


@pytest.fixture(scope="module")
def study(data):
    points, labels = data
    return unknot.study({"fc1": points, "fc2": points**3}, (points, labels), **SETTINGS)


def applied(payload, index):
    """Return the payload of a labeling, as the page makes it."""
    whole = copy.deepcopy({key: value for key, value in payload.items() if key != "labelings"})
    for path, *value in payload["labelings"][index]["changes"]:
        into = whole
        for key in path[:-1]:
            into = into[key]
        if value:
            into[path[-1]] = value[0]
        else:
            del into[path[-1]]
    return whole


def test_each_labeling_is_what_its_own_study_gives(study):
    payload = build_payload(study)
    assert [each["name"] for each in payload["labelings"]] == ["species", "age", "place"]
    for index, (name, there) in enumerate(study.labelings.items()):
        found, alone = applied(payload, index), build_payload(there)
        assert found.pop("figure")  # the first labeling's, for browsers without WebGL
        alone.pop("figure")
        alone.pop("labelings", None)
        assert found == alone, name
    # Maps and neighbors are there once.
    paths = [path for each in payload["labelings"] for path, *_ in each["changes"]]
    assert not [path for path in paths if path[-1] in ("map", "neighbors") or "map" in path]


def test_unlabeled_samples_have_no_class_and_no_hit(study, data):
    payload = build_payload(study)
    codes = unpack(payload["labels"])
    unlabeled = data[1]["species"] < 0
    assert payload["unlabeled"] == unlabeled.sum() == 20
    assert (codes[unlabeled] == 3).all()
    assert codes[~unlabeled].max() == 2
    layer = payload["models"][0]["layers"][1]
    # The share of the neighbors among the labeled, whose mean is the score of the layer.
    hits = unpack(layer["hits"])[~unlabeled] / 255
    assert hits.mean() == pytest.approx(layer["scores"]["neighborhood_hit"]["value"], abs=0.005)
    assert len(unpack(layer["confusion"]["lengths"])) == len(layer["hulls"]) == 3


def test_numbers_are_packed_with_their_range(data):
    age = data[1]["age"]
    packed = pack_values(age)
    low, high = packed["range"]
    steps = unpack(packed["data"]).astype(float)
    assert (steps[:8] == 65535).all()
    np.testing.assert_allclose(low + steps[8:] / 65534 * (high - low), age[8:], atol=1e-3)


def test_neighbors_among_the_labeled():
    indices = np.array([[1, 2, 3], [0, 2, 3], [3, 1, 0], [2, 0, 1]])
    labeled = np.array([True, False, True, True])
    # Numbered among the labeled: 0, 2 and 3 are 0, 1 and 2.
    assert labeled_rows(indices, labeled, 2).tolist() == [[1, 2], [2, 0], [1, 0]]
    assert labeled_rows(indices, labeled, 3) is None


def test_differences_are_told_by_path():
    base = {"a": [{"x": 1, "y": 2}], "b": [1], "c": 0}
    assert changes(base, base) == []
    assert changes(base, {"a": [{"x": 1}], "b": [2], "d": 1}) == [
        [["a", 0, "y"]], [["b"], [2]], [["c"]], [["d"], 1],
    ]  # fmt: skip


def test_two_studies_share_their_labelings(study, data):
    points, labels = data
    other = unknot.study({"fc1": points}, (points, {"place": labels["place"]}), **SETTINGS)
    with pytest.raises(ValueError, match="same"):
        build_payload(study, other=other)
    payload = build_payload(study.labelings["place"], other=other)
    assert "labelings" not in payload


@pytest.mark.browser
def test_the_page_switches_its_labels(study, tmp_path, browser):
    opened = Opened(browser, write_report(study, tmp_path / "page.html"), reduced_motion="reduce")
    page, at = opened.page, opened.page.get_by_test_id
    at("facts").wait_for()
    assert at("facts").inner_text() == "120 samples · 3 classes · 20 unlabeled"
    assert "unlabeled" in at("legend-3").inner_text()
    at("layer-slider").focus()
    page.keyboard.press("ArrowRight")
    at("labeling").select_option(label="age")
    at("value-bar").locator("p").wait_for()
    assert at("layer-name").inner_text() == "fc1"  # the place is kept
    assert "values from" in at("facts").inner_text()
    assert "labels=age" in page.url
    assert at("value-linear_r2").is_visible()
    assert at("legend").inner_text().split() == ["unlabeled", "8"]
    assert not at("color-hit").is_visible()
    assert not at("heatmap").is_visible()
    at("labeling").select_option(label="place")
    at("legend-1").wait_for()
    assert "sea" in at("legend-1").inner_text()
    page.go_back()
    at("value-bar").locator("p").wait_for()
    assert at("labeling").input_value() == "1"
    opened.open("labels=place&layer=fc2")
    at("legend-1").wait_for()
    assert at("layer-name").inner_text() == "fc2"
    opened.check()
    opened.close()


@pytest.mark.browser
def test_the_page_tells_how_a_layer_was_pooled(study, tmp_path, browser):
    from dataclasses import replace

    pooled = replace(study["fc1"], reduction={"pool": "mean of 12 tokens"})
    part = replace(study, layers={**study.layers, "fc1": pooled}, other_labelings={})
    assert part.scores.pools == {"fc1": "mean of 12 tokens"}
    assert {row["pool"] for row in part.scores.rows() if row["layer"] == "fc1"} == {
        "mean of 12 tokens"
    }
    path = write_report(part, tmp_path / "page.html")
    opened = Opened(browser, path, "layer=fc1", reduced_motion="reduce")
    assert opened.page.get_by_test_id("pool").inner_text() == "pooled: mean of 12 tokens"
    opened.close()
