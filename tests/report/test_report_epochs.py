"""Every part of the page shows the selected epoch, or says that it was not recorded."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from report_studies import epoch_study
from test_report_looks import findings

from unknot.report import build_payload, write_report
from unknot.report._packing import unpack


@pytest.fixture(scope="module")
def study():
    return epoch_study()


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("epochs") / "report.html")


def show(opened, fragment):
    """Open a view and wait for the parts that are drawn in the next frame."""
    opened.open(fragment)
    opened.page.reload()
    opened.settled()


def text(opened, handle):
    return " ".join(opened.page.get_by_test_id(handle).inner_text().split())


def test_the_payload_holds_what_each_epoch_knows(study):
    payload = build_payload(study)
    (model,) = payload["models"]
    assert model["epochs"]["epochs"] == [0, 3, 12]
    first, between = model["epochs"]["moments"]
    # The inputs are unchanged and not stored again.
    assert first["layers"][0] == {"name": "inputs", "unchanged": True}
    fc1 = first["layers"][1]
    there = study.epochs[0].layers["fc1"]
    assert np.array_equal(
        unpack(fc1["neighbors"]["indices"]).reshape(240, 8), there.graph.indices[:, :8]
    )
    score = there.scores["neighborhood_hit"]
    assert fc1["scores"]["neighborhood_hit"]["interval"] == list(score.interval)
    assert fc1["scores"]["neighborhood_hit"]["perClass"] == score.per_class.tolist()
    assert fc1["klDivergence"] == 2.5
    assert unpack(first["predictions"]).tolist() == study.epochs[0].predictions.tolist()
    assert first["confidence"] is None
    assert [entry["name"] for entry in between["layers"]] == ["inputs", "fc1"]
    assert between["layers"][1]["confusion"] is None
    assert between["predictions"] is None
    # How surely the layers differ is of the epoch, too.
    row = next(
        row
        for row in study.epochs[0].compare_layers()
        if row.layers == ("inputs", "fc1") and row.measure == "neighborhood_hit"
    )
    (entry,) = (
        each for each in first["differences"] if (each["first"], each["second"]) == ([0, 0], [0, 1])
    )
    low, high, p = entry["scores"]["neighborhood_hit"]
    assert (low, high) == pytest.approx(row.interval, rel=1e-3)
    assert p == pytest.approx(row.p_corrected, rel=1e-3)
    assert entry != payload["differences"][0]


def test_a_study_that_is_of_none_of_its_epochs_has_a_step_of_its_own(study):
    epochs = {epoch: study.epochs[epoch] for epoch in (0, 3)}
    (model,) = build_payload(replace(study, epochs=epochs))["models"]
    assert model["epochs"]["epochs"] == [0, 3, None]
    assert len(model["epochs"]["moments"]) == 2


def test_a_layer_that_only_an_earlier_epoch_has_is_not_lost(study):
    layers = {name: layer for name, layer in study.layers.items() if name != "fc2"}
    now = replace(study, layers=layers)
    (model,) = build_payload(replace(now, epochs={0: study.epochs[0], 12: now}))["models"]
    assert [entry["name"] for entry in model["layers"]] == ["inputs", "fc1", "fc2"]
    assert model["layers"][2]["map"] is None
    assert model["layers"][2]["notes"] == ["this layer is known at other epochs only"]
    assert model["epochs"]["moments"][0]["layers"][2]["map"] is not None


def test_an_epoch_has_its_own_scores_neighbors_and_predictions(opened, study):
    show(opened, "layer=fc2&epoch=0&point=7&overlays=hulls")
    there = study.epochs[0]
    fc2 = there.layers["fc2"]
    hit = fc2.scores["neighborhood_hit"]
    assert text(opened, "value-neighborhood_hit").split()[0] == f"{hit.value:.3f}"
    assert text(opened, "epoch-name") == "epoch 0"
    assert text(opened, "divergence") == "map KL 2.500"
    assert f"epoch 0: {100 * there.accuracy:.2f}" in text(opened, "facts")
    of_class = opened.page.locator(".legend .of-class").all_inner_texts()
    assert [float(value) for value in of_class] == pytest.approx(hit.per_class, abs=0.0006)
    # The table of confusions, whose rows are shares of neighbors.
    own = opened.page.get_by_test_id("heatmap").locator(".own-text").all_text_contents()
    shares = [np.mean(study.labels[fc2.graph.indices[study.labels == c, :6]] == c) for c in (0, 3)]
    assert [float(own[0]), float(own[3])] == pytest.approx([100 * s for s in shares], abs=0.51)
    assert text(opened, "tangled-place") == "At fc2, epoch 0."
    assert "at fc2, epoch 0" in text(opened, "worst-place")
    assert opened.page.get_by_test_id("worst").get_by_role("button").count() > 0
    # The point held, its neighbors as lines and in words, and the shapes.
    held = text(opened, "held")
    assert f"Predicted {there.predictions[7]}" in held
    assert "sure" not in held  # no probabilities are known of this epoch
    near = opened.page.get_by_test_id("near").get_by_role("button")
    first = near.first.get_attribute("title")
    assert first.startswith(f"Sample {fc2.graph.indices[7, 0]},")
    assert opened.page.locator(".overlay circle.neighbor").count() == 8
    assert opened.page.locator(".overlay .shapes path").count() == 4
    chart = opened.page.get_by_test_id("chart-neighborhood_hit")
    label = chart.locator("svg").first.get_attribute("aria-label")
    assert ", epoch 0." in label
    assert f"fc2 {hit.value:.3f}" in label


def test_colors_are_those_of_the_epoch(opened, study):
    def counts():
        return [int(each) for each in opened.page.locator(".legend .count").all_inner_texts()]

    there = study.epochs[0]
    show(opened, "layer=fc2&epoch=0&color=correct")
    right = int((there.predictions == study.labels).sum())
    assert counts() == [right, 240 - right]
    show(opened, "layer=fc2&epoch=0&color=hit")
    graph = there.layers["fc2"].graph
    hits = (study.labels[graph.indices[:, :6]] == study.labels[:, None]).sum(axis=1)
    assert counts() == np.bincount(hits, minlength=7).tolist()
    opened.page.get_by_test_id("epoch-tick-2").click()
    opened.until(epoch=None)
    assert counts() != np.bincount(hits, minlength=7).tolist()


def test_what_an_epoch_does_not_know_is_said(opened):
    show(opened, "layer=fc1&epoch=3&color=correct&point=7")
    assert "not known here 240" in text(opened, "legend")
    assert "Predicted" not in text(opened, "held")
    assert opened.page.get_by_test_id("near").count() == 0
    tangled = opened.page.locator(".tangled").inner_text()
    assert "Neighbors of classes are not measured at this layer at epoch 3." in tangled
    assert "on the map" in text(opened, "worst-place")  # the only neighbors there are
    opened.page.get_by_test_id("layer-tick-2").click()
    opened.until(layer="fc2")
    assert text(opened, "no-map") == "There is no map of fc2 at epoch 3."
    assert "not measured at this layer at epoch 3" in text(opened, "value-neighborhood_hit")
    assert "grayed" in opened.page.get_by_test_id("layer-tick-2").get_attribute("class")
    # The list is drawn anew after the map.
    said = "Neighbors of points are not measured at this layer at epoch 3."
    opened.page.locator(".worst").get_by_text(said).wait_for()
    assert opened.page.get_by_test_id("divergence").count() == 0


def test_two_epochs_stand_side_by_side(opened, study):
    show(opened, "layer=fc2&epoch=0&beside=fc2&beside-epoch=12&overlays=hulls")
    opened.settled("other-map")
    opened.until(epoch="0", **{"beside-epoch": "12"})
    names = opened.page.get_by_test_id("epoch-name").all_inner_texts()
    assert names == ["epoch 0", "epoch 12"]
    values = opened.page.get_by_test_id("value-neighborhood_hit").all_inner_texts()
    expected = [
        each.layers["fc2"].scores["neighborhood_hit"].value for each in (study.epochs[0], study)
    ]
    assert [float(value.split()[0]) for value in values] == pytest.approx(expected, abs=0.0006)
    assert opened.page.locator(".overlay .shapes path").count() == 8
    key = " ".join(opened.page.locator(".key").inner_text().split())
    assert "a network, epoch 0 a network, epoch 12" in key
    opened.page.get_by_test_id("other-epoch-tick-0").click()
    opened.until(epoch="0", **{"beside-epoch": None})
    assert opened.page.get_by_test_id("epoch-slider").input_value() == "0"


def test_all_layers_at_all_epochs_are_a_grid(opened):
    show(opened, "layer=fc1")
    grid = opened.page.get_by_test_id("epoch-grid")
    grid.locator("summary").click()
    assert grid.locator("thead th").all_inner_texts() == ["Epoch", "inputs", "fc1", "fc2"]
    assert grid.locator("tbody th").all_inner_texts() == ["0", "3", "12"]
    # Epoch 3 knows no map of fc2.
    assert grid.get_by_test_id("grid-2-1").count() == 0
    assert grid.locator("tbody tr").nth(1).locator("td").nth(2).inner_text() == "–"
    grid.scroll_into_view_if_needed()
    opened.page.wait_for_function(
        """() => [...document.querySelectorAll('.epoch-grid canvas')].every(canvas =>
            canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
              .data.some(value => value))"""
    )
    grid.get_by_test_id("grid-2-0").click()
    opened.until(layer="fc2", epoch="0")
    assert text(opened, "epoch-name") == "epoch 0"
    current = grid.locator("[aria-current=true]")
    assert current.get_attribute("aria-label") == "fc2, epoch 0"
    # The slider moves what is marked.
    opened.page.get_by_test_id("epoch-tick-2").click()
    opened.until(layer="fc2", epoch=None)
    assert current.get_attribute("aria-label") == "fc2, epoch 12"
    assert findings(opened) == []


def test_epochs_are_played_through(opened):
    show(opened, "layer=fc1&epoch=0")
    opened.page.get_by_test_id("play-epochs").click()
    opened.until(epoch=None, layer="fc1")
    opened.page.locator("[data-testid=play-epochs][aria-pressed=false]").wait_for()


def test_the_curves_over_the_epochs_break_where_one_is_not_known(opened):
    show(opened, "layer=fc2")
    opened.page.get_by_test_id("axis-epochs").click()
    chart = opened.page.get_by_test_id("chart-neighborhood_hit")
    label = chart.locator("svg").first.get_attribute("aria-label")
    assert "over the epochs, fc2." in label
    assert " 3 " not in label
    # Two non-adjacent values: two dots without a line.
    lines = chart.locator("[stroke-width='2'] path")
    assert lines.count() == 2
    assert not any("L" in line.get_attribute("d") for line in lines.all())
    opened.page.get_by_test_id("axis-layers").click()


def test_what_is_saved_and_said_is_of_the_epoch(opened, study):
    show(opened, "layer=fc2&epoch=0&selection=0-19")
    there = study.epochs[0]
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("export-selection").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["epoch"] for row in rows] == ["0"] * 20
    assert [int(row["prediction"]) for row in rows] == there.predictions[:20].tolist()
    place = there.layers["fc2"].map[:20]
    assert [[float(row["x"]), float(row["y"])] for row in rows] == pytest.approx(place, abs=1e-3)
    opened.page.get_by_test_id("save-menu").locator("summary").click()
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("save-svg").click()
    value = there.layers["fc2"].scores["neighborhood_hit"].value
    picture = download.value.path().read_text("utf-8")
    assert f"epoch 0 · Neighborhood Hit, native {value:.3f}" in picture
    opened.page.get_by_test_id("layer-tick-1").click()
    live = opened.page.get_by_test_id("live")
    opened.page.wait_for_function(
        "() => document.querySelector('[data-testid=live]').textContent.startsWith('Layer fc1')"
    )
    assert live.text_content().startswith("Layer fc1, epoch 0. Neighborhood Hit")
