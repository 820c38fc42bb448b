"""Elements besides the points: counts, names, scores per class, and help."""

import numpy as np
import pytest
from report_browser import Opened

# Whether bounding boxes of visible elements overlap.
OVERLAPS = """
selector => {
    const boxes = [...document.querySelectorAll(selector)]
        .filter(element => element.getClientRects().length)
        .map(element => [element.textContent, element.getBoundingClientRect()]);
    const apart = (a, b) => a.right <= b.left || b.right <= a.left
        || a.bottom <= b.top || b.bottom <= a.top;
    return [boxes.length, boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
        .filter(([, b]) => !apart(a, b)).map(([other]) => `${one} on ${other}`))];
}
"""


@pytest.fixture
def opened(shared):
    shared.page.set_viewport_size({"width": 1280, "height": 900})
    shared.reset()
    yield shared
    shared.check()


def counts(opened):
    return [
        int(text.replace(",", ""))
        for text in opened.page.locator(".legend .count").all_inner_texts()
    ]


def test_the_legend_counts_the_points_that_are_shown(opened, study):
    everyone = np.bincount(study.labels, minlength=10)
    assert counts(opened) == everyone.tolist()
    opened.page.get_by_test_id("legend-3").click()
    opened.until(classes="3")
    assert counts(opened) == [0, 0, 0, everyone[3], 0, 0, 0, 0, 0, 0]
    opened.page.get_by_test_id("color-correct").click()
    opened.until(color="correct")
    right = study.predictions[study.labels == 3] == 3
    assert counts(opened) == [right.sum(), (~right).sum()]
    opened.page.get_by_test_id("color-prediction").click()
    opened.until(color="prediction")
    predicted = np.bincount(study.predictions[study.labels == 3], minlength=10)
    assert counts(opened) == predicted.tolist()


@pytest.mark.parametrize("width", [360, 700, 1280])
@pytest.mark.parametrize("fragment", ["layer=fc2", "layer=fc2&beside=fc4"])
def test_every_layer_and_class_is_named_at_every_width(opened, width, fragment):
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.open(fragment)
    opened.page.wait_for_function(
        "sides => document.querySelectorAll('.slider-row:not(.epochs) .tick').length === sides",
        arg=16 if "beside" in fragment else 8,
    )
    opened.settled()
    assert opened.page.locator(".slider-row:not(.epochs) .tick.bare").count() == 0
    named, lying = opened.page.evaluate(OVERLAPS, ".slider-row:not(.epochs) .tick bdi")
    assert named == (16 if "beside" in fragment else 8)
    assert lying == []
    for entry in range(10):
        assert opened.page.get_by_test_id(f"legend-{entry}").is_visible()


@pytest.mark.parametrize("fragment", ["layer=fc1", "layer=fc1&point=3&selection=1-90"])
@pytest.mark.parametrize("size", [(1280, 860), (1366, 640), (1920, 1080)])
def test_map_and_slider_fit_on_the_first_screen_with_no_room_left_under_them(
    opened, fragment, size
):
    width, height = size
    opened.page.set_viewport_size({"width": width, "height": height})
    opened.open(fragment)
    opened.settled()
    stage = opened.page.locator(".stage").bounding_box()
    bottom = stage["y"] + stage["height"]
    # Below the slider the small maps of all layers begin.
    film = opened.page.get_by_test_id("filmstrip").bounding_box()
    assert film["y"] <= height or size == (1366, 640)
    margin = opened.page.locator(".margin").bounding_box()
    assert abs(margin["y"] + margin["height"] - bottom) < 12
    assert 0 < opened.page.locator(".curves").bounding_box()["y"] - bottom < 60
    if "point" in fragment and height > 800:
        for part in ("selection", "held"):
            box = opened.page.get_by_test_id(part).bounding_box()
            assert box["y"] < bottom


def test_side_by_side_the_maps_are_large_and_the_scores_stand_under_them(opened, study):
    opened.open("layer=inputs&beside=fc4")
    opened.settled("other-map")
    stage = opened.page.locator(".stage").bounding_box()
    assert stage["width"] > 1150
    table = opened.page.locator(".comparison").bounding_box()
    assert 0 < table["y"] - stage["y"] - stage["height"] < 60
    first, second = (
        study.layers[name].scores["neighborhood_hit"].value for name in ("inputs", "fc4")
    )
    row = opened.page.locator(".comparison tbody tr").first.inner_text().split()
    assert f"+{second - first:.3f}" in row


def test_what_was_done_to_a_layer_is_said_beside_its_scores(opened):
    opened.open("layer=fc2")
    reading = opened.page.get_by_test_id("reading")
    reading.get_by_text("projected at random from 512 to 256 numbers").wait_for()
    assert "3.1% typically and 9.0% at most" in reading.inner_text()
    opened.page.keyboard.press("ArrowRight")
    opened.until(layer="fc3")
    assert "projected" not in reading.inner_text()


def test_the_divergence_of_the_map_is_said_where_it_is_known(opened):
    assert opened.page.get_by_test_id("divergence").inner_text() == "map KL 1.500"
    opened.open("layer=dead")
    opened.until(layer="dead")
    assert opened.page.get_by_test_id("divergence").count() == 0


def test_each_class_has_its_score_in_the_legend_and_in_the_table(opened, study):
    opened.open("layer=fc1")
    opened.until(layer="fc1")
    expected = study.layers["fc1"].scores["neighborhood_hit"].per_class
    shown = opened.page.locator(".legend .of-class").all_inner_texts()
    assert [float(text) for text in shown] == pytest.approx(expected, abs=0.0006)
    details = opened.page.get_by_test_id("table")
    if not details.evaluate("details => details.open"):
        details.locator("summary").click()
    rows = opened.page.get_by_test_id("class-table").locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == 10
    assert f"{expected[4]:.3f}" in rows.nth(4).inner_text()


def test_the_heat_map_is_gone_over_with_the_arrow_keys(opened):
    picture = opened.page.locator(".heat-svg")
    picture.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp"):
        opened.page.keyboard.press(key)
    readout = opened.page.locator(".readout")
    assert "of the neighbors of 1 are of class 3" in readout.inner_text()
    assert opened.state["layer"] == "inputs"
    opened.page.keyboard.press("Enter")
    opened.until(classes="1,3")
    opened.page.locator(".heat-svg rect.on").first.wait_for()
    opened.page.keyboard.press("ArrowLeft")
    opened.page.keyboard.press("Enter")
    opened.until(classes="1,2")


def test_the_table_of_confusions_has_one_scale_for_all_layers(opened, study):
    def strongest(layer):
        """Return the contrast of the strongest cell and the largest share of a layer."""
        opened.open(f"layer={layer}")
        opened.page.get_by_test_id("tangled-place").get_by_text(f"At {layer}, epoch 5.").wait_for()
        fills = opened.page.locator(".heat-svg .cell").evaluate_all(
            "cells => cells.map(cell => getComputedStyle(cell).fill.match(/\\d+/g).map(Number))"
        )
        texts = opened.page.locator(".heat-svg .cell-text").all_text_contents()
        return max(255 - red for red, _, _ in fills), max(map(float, texts))

    first, most = strongest("inputs")
    scale = opened.page.get_by_test_id("heat-scale").inner_text()
    last, least = strongest("fc5")
    assert opened.page.get_by_test_id("heat-scale").inner_text() == scale
    # The color goes by the root of the share: of the same scale, not each from its own greatest.
    assert least < most / 2
    assert (last - 12) / (first - 12) == pytest.approx((least / most) ** 0.5, abs=0.06)


def test_classes_are_named_where_they_lie(opened, study):
    opened.open("layer=fc5")
    opened.settled()
    assert opened.page.evaluate(OVERLAPS, ".overlay .names text") == [10, []]
    # On its circle class 0 lies at the right, class 5 at the left.
    box = opened.page.get_by_test_id("map-canvas").bounding_box()
    places = {
        text.text_content(): text.bounding_box()["x"]
        for text in opened.page.locator(".overlay .names text").all()
    }
    middle = box["x"] + box["width"] / 2
    assert places["5"] < middle - 100 < middle + 100 < places["0"]
    opened.page.get_by_test_id("names").click()
    opened.until(names="off")
    assert opened.page.locator(".overlay .names text").count() == 0
    opened.page.keyboard.press("n")
    opened.until(names=None)


def test_one_looks_nearer_and_a_double_click_shows_the_whole_map(opened):
    opened.open("layer=fc1&overlays=hulls&point=4")
    opened.settled()
    shapes = opened.page.locator(".overlay .shapes")
    whole = shapes.get_attribute("transform")
    opened.page.keyboard.press("+")
    opened.page.wait_for_function(
        "was => document.querySelector('.overlay .shapes').getAttribute('transform') !== was",
        arg=whole,
    )
    opened.page.get_by_test_id("map-canvas").dblclick(position={"x": 5, "y": 300})
    opened.page.wait_for_function(
        "was => document.querySelector('.overlay .shapes').getAttribute('transform') === was",
        arg=whole,
    )


def test_help_is_a_key_or_a_click_away(opened):
    help_ = opened.page.get_by_test_id("help")
    assert help_.is_hidden()
    opened.page.keyboard.press("?")
    help_.wait_for()
    assert "through the layers" in help_.inner_text()
    opened.page.keyboard.press("Escape")
    help_.wait_for(state="hidden")
    opened.page.get_by_test_id("help-button").click()
    help_.wait_for()
    help_.get_by_role("button", name="Close").click()
    help_.wait_for(state="hidden")


def test_a_held_point_has_its_neighbors_beside_it(opened, study):
    opened.open("layer=fc3&point=17")
    near = opened.page.get_by_test_id("near").get_by_role("button")
    near.first.wait_for()
    assert near.count() == 8
    second = int(study.layers["fc3"].graph.indices[17, 1])
    near.nth(1).click()
    opened.until(point=str(second))


def test_controls_can_be_left_out_of_the_curves(opened):
    dashed = opened.page.get_by_test_id("chart-neighborhood_hit").locator("[stroke-dasharray]")
    assert dashed.count() == 2
    opened.page.get_by_test_id("curve-chance").click()
    opened.page.wait_for_function(
        """() => document.querySelectorAll(
            "[data-testid=chart-neighborhood_hit] [stroke-dasharray]").length === 1"""
    )
    opened.page.get_by_test_id("curve-chance").click()


def test_the_page_says_that_it_is_opening(browser, report, tmp_path):
    slow = tmp_path / "report.html"
    text = report.read_text(encoding="utf-8")
    slow.write_text(text.replace('<script type="module">', '<script type="none">'))
    page = Opened(browser, slow)
    assert page.page.locator("#unknot").inner_text().split("\n\n") == [
        "a network", "Opening 600 samples …",
    ]  # fmt: skip
    page.close()


def test_changes_have_intervals_and_p_values_where_they_were_compared(opened, study):
    opened.open("layer=fc1&beside=fc2")
    opened.settled("other-map")
    row = study.compare_layers().rows[1]
    assert (row.layer, row.measure) == ("inputs / fc1", "map_neighborhood_hit")
    cell = opened.page.get_by_test_id("change-map_neighborhood_hit")
    rows = {(row.layer, row.measure): row for row in study.compare_layers()}
    found = rows["fc1 / fc2", "map_neighborhood_hit"]
    text = cell.inner_text()
    assert text.startswith(f"+{found.difference:.3f}")
    assert f"{found.interval[0]:.3f}–{found.interval[1]:.3f}\u2009†" in text
    assert "corrected for" in cell.get_attribute("title")
    # The other way round the signs change.
    opened.open("layer=fc2&beside=fc1")
    opened.until(layer="fc2", beside="fc1")
    assert cell.inner_text().startswith(f"\u2212{found.difference:.3f}")
    assert f"\u2212{found.interval[1]:.3f} to \u2212{found.interval[0]:.3f}" in cell.inner_text()
    # Layers that were not compared have the difference alone.
    opened.open("layer=inputs&beside=fc4")
    opened.until(layer="inputs", beside="fc4")
    assert "p" not in cell.inner_text()


def test_an_interval_of_a_map_is_said_to_be_given_the_map(opened):
    opened.open("layer=fc1")
    opened.until(layer="fc1")
    reading = opened.page.get_by_test_id("reading")
    assert "†" in opened.page.get_by_test_id("value-map_neighborhood_hit").inner_text()
    assert "†" not in opened.page.get_by_test_id("value-neighborhood_hit").inner_text()
    assert "† given this map: other samples would have another map." in reading.inner_text()


def test_the_table_tells_the_change_from_the_layer_before(opened):
    opened.open("layer=fc1")
    opened.until(layer="fc1")
    details = opened.page.get_by_test_id("table")
    if not details.evaluate("element => element.open"):
        details.locator("summary").click()
    title = details.locator("tbody tr").nth(1).locator("td").nth(2).get_attribute("title")
    assert "\nfrom inputs: +" in title
    assert "95 % interval" in title.split("\n")[1]
