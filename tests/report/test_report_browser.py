"""All interactions with the page in a real browser, opened from disk without network."""

import csv
import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from report_browser import Opened
from report_studies import study_of

import unknot
from unknot.report import write_report
from unknot.report._packing import unpack


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    first, second = (
        study_of(200, 4, 3, name=name, seed=seed) for seed, name in enumerate(["good", "poor"])
    )
    second = replace(second, labels=first.labels)
    return write_report(first, tmp_path_factory.mktemp("two") / "report.html", other=second)


def picture(opened, pane="map"):
    """Return the pixels of the map as an array."""
    opened.settled(pane)
    shot = opened.page.get_by_test_id(pane).screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        return np.array(image.convert("RGB")).astype(int)


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def draw_round(opened, left, top, right, bottom, pane="map"):
    """Draw a lasso around a part of the map, in fractions of its width and height."""
    box = opened.page.get_by_test_id(f"{pane}-canvas").bounding_box()
    mouse = opened.page.mouse
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 0.01)]
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=6)
    mouse.up()


def selected(opened):
    """Return the selected samples, from the URL."""
    runs = (run.partition("-") for run in opened.state["selection"].split(","))
    return {i for first, _, last in runs for i in range(int(first), int(last or first) + 1)}


def test_the_slider_goes_through_the_layers(opened):
    slider = opened.page.get_by_test_id("layer-slider")
    assert slider.get_attribute("aria-valuetext") == "inputs, 1 of 8"
    before = picture(opened)
    slider.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.until(layer="fc1")
    assert opened.page.get_by_test_id("layer-name").inner_text() == "fc1"
    assert slider.get_attribute("aria-valuetext") == "fc1, 2 of 8"
    assert np.abs(picture(opened) - before).mean() > 1
    opened.page.get_by_test_id("layer-tick-3").click()
    opened.until(layer="fc3")
    opened.page.keyboard.press("ArrowLeft")
    opened.until(layer="fc2")


def test_the_score_stands_beside_the_map(opened, study):
    for layer in ("inputs", "fc4"):
        opened.page.get_by_test_id(f"layer-tick-{list(study.layers).index(layer)}").click()
        opened.until(layer=layer)
        shown = opened.page.get_by_test_id("value-neighborhood_hit").inner_text()
        value = study.layers[layer].scores["neighborhood_hit"].value
        number = float(shown.split()[0].rstrip("%"))
        assert number == pytest.approx(100 * value if "%" in shown else value, rel=0.01)


def test_points_move_smoothly(browser, report):
    page = Opened(browser, report)
    picture(page)
    # Record the canvas at every frame of the animation.
    frames = page.page.evaluate(
        """() => new Promise(resolve => {
            const canvas = document.querySelector("[data-testid=map-canvas]");
            const seen = [canvas.toDataURL()];
            const pane = document.querySelector("[data-testid=map]");
            const look = () => {
                const now = canvas.toDataURL();
                if (now !== seen.at(-1)) seen.push(now);
                if (pane.dataset.moving === "true") requestAnimationFrame(look);
                else resolve(seen.length);
            };
            document.querySelector("[data-testid=layer-tick-5]").click();
            requestAnimationFrame(look);
        })"""
    )
    assert frames > 3
    page.check()
    page.close()


def test_keys_work_wherever_the_focus_is(opened):
    opened.page.keyboard.press("ArrowRight")
    opened.until(layer="fc1")
    opened.page.get_by_test_id("layer-slider").focus()
    opened.page.keyboard.press("End")
    opened.until(layer="dead")
    opened.page.get_by_test_id("color-hit").focus()
    opened.page.keyboard.press("ArrowLeft")
    opened.until(layer="dropout")
    opened.page.keyboard.press("l")
    opened.page.locator("[data-testid=lasso][aria-pressed=true]").wait_for()
    opened.page.keyboard.press("Escape")
    opened.page.locator("[data-testid=lasso][aria-pressed=false]").wait_for()


def test_play_goes_on_to_the_last_map_and_stops(browser, report):
    page = Opened(browser, report, "layer=fc5")
    page.settled()
    page.page.keyboard.press(" ")
    page.page.locator("[data-testid=play][aria-pressed=true]").wait_for()
    page.until(layer="dropout")
    page.page.locator("[data-testid=play][aria-pressed=false]").wait_for()
    assert page.state["layer"] == "dropout"
    page.check()
    page.close()


def test_a_layer_without_a_map_is_grayed_and_says_why(opened):
    tick = opened.page.get_by_test_id("layer-tick-7")
    assert "grayed" in tick.get_attribute("class")
    tick.click()
    opened.until(layer="dead")
    assert opened.page.get_by_test_id("no-map").is_visible()
    reading = opened.page.get_by_test_id("reading")
    assert "all points are at one place" in reading.inner_text()


def test_a_score_that_is_missing_is_na_with_its_reason(opened):
    opened.page.get_by_test_id("chooser").locator("summary").click()
    opened.page.get_by_test_id("measure-nc1").check()
    opened.page.get_by_test_id("layer-tick-7").click()
    value = opened.page.get_by_test_id("value-nc1")
    assert value.inner_text().startswith("n/a")
    assert "NC1 divides by the spread of the class means" in value.get_attribute("title")


def test_hovering_shows_the_point_and_its_neighbors(opened, study):
    point = 17
    opened.open(f"layer=fc1&point={point}")
    ring = opened.page.locator(".overlay .ring").first
    ring.wait_for()
    assert opened.page.locator(".overlay circle.neighbor").count() == 8
    opened.page.mouse.move(*middle(ring), steps=4)
    tooltip = opened.page.get_by_test_id("tooltip").first
    tooltip.wait_for()
    shown = int(tooltip.inner_text().split("#")[1].split()[0])
    label, predicted = study.labels[shown], study.predictions[shown]
    text = " ".join(tooltip.inner_text().split())
    assert f"Label {label}" in text
    assert f"Predicted {predicted}" in text
    assert "NH" in text
    opened.page.mouse.move(5, 5)
    tooltip.wait_for(state="hidden")


def test_the_thumbnail_is_that_of_the_point(opened, study):
    point = 23
    opened.open(f"point={point}")
    thumbnail = opened.page.get_by_test_id("held").locator("canvas, .thumb").first
    thumbnail.wait_for()
    opened.page.wait_for_timeout(300)
    with Image.open(io.BytesIO(thumbnail.screenshot())) as image:
        small = np.array(image.convert("L").resize((12, 12), Image.Resampling.BOX)).astype(int)
    expected = study.thumbnails[point].astype(int)
    assert np.abs(small - expected).mean() < 20
    other = study.thumbnails[(point + 1) % 600].astype(int)
    assert np.abs(small - other).mean() > np.abs(small - expected).mean()


def test_a_lasso_stays_through_the_layers_and_is_saved_as_csv(opened, study):
    opened.page.get_by_test_id("lasso").click()
    draw_round(opened, 0.01, 0.01, 0.5, 0.98)
    opened.page.wait_for_function("location.hash.includes('selection=')")
    selection = opened.state["selection"]
    opened.page.get_by_test_id("layer-slider").focus()
    opened.page.keyboard.press("ArrowRight")
    opened.until(layer="fc1", selection=selection)
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("export-selection").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    chosen = [int(row["sample"]) for row in rows]
    assert 60 < len(chosen) < 540
    title = opened.page.get_by_test_id("selection").locator("h2").inner_text()
    assert title == f"{len(chosen)} points selected"
    # It was drawn round the left half of the first map.
    x = study.layers["inputs"].map[:, 0]
    center = (x.min() + x.max()) / 2
    assert chosen == np.flatnonzero(x < center).tolist()
    hits = unknot.metrics.neighborhood_hit(study.layers["fc1"].map, study.labels, k=6).per_point
    for row in rows[:20]:
        sample = int(row["sample"])
        assert int(row["label"]) == study.labels[sample]
        assert int(row["prediction"]) == study.predictions[sample]
        assert row["layer"] == "fc1"
        assert float(row["neighborhood_hit"]) == pytest.approx(hits[sample], abs=6e-4)
        place = study.layers["fc1"].map[sample]
        assert [float(row["x"]), float(row["y"])] == pytest.approx(place, abs=1e-3)
    mix = opened.page.get_by_test_id("class-mix").inner_text()
    most = np.bincount(study.labels[chosen]).argmax()
    assert mix.split()[0] == str(most)
    opened.page.get_by_test_id("clear-selection").click()
    opened.until(selection=None)


def test_shift_and_drag_is_a_lasso_too_and_control_adds_to_it(opened):
    keyboard = opened.page.keyboard
    keyboard.down("Shift")
    draw_round(opened, 0.02, 0.02, 0.4, 0.98)
    keyboard.up("Shift")
    opened.page.wait_for_function("location.hash.includes('selection=')")
    first = selected(opened)
    assert first
    opened.page.get_by_test_id("lasso").click()
    keyboard.down("Control")
    draw_round(opened, 0.6, 0.02, 0.98, 0.98)
    keyboard.up("Control")
    opened.page.wait_for_function(
        "n => parseInt(document.querySelector('[data-testid=selection] h2').textContent) > n",
        arg=len(first),
    )
    assert first < selected(opened)


def test_the_picture_is_saved_as_png_and_svg(opened):
    opened.page.get_by_test_id("overlay-ellipses").click()
    for kind in ("png", "svg"):
        opened.page.get_by_test_id("save-menu").locator("summary").click()
        with opened.page.expect_download() as download:
            opened.page.get_by_test_id(f"save-{kind}").click()
        path = download.value.path()
        assert download.value.suggested_filename.endswith(f".{kind}")
        if kind == "png":
            with Image.open(path) as image:
                assert min(image.size) > 300
                assert len(np.unique(np.array(image.convert("RGB")).reshape(-1, 3), axis=0)) > 50
        else:
            root = ET.parse(path).getroot()
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            names = [element.tag.partition("}")[2] for element in root.iter()]
            assert names.count("circle") + names.count("use") + names.count("path") >= 10
            assert "script" not in names


def test_a_pair_of_the_heat_map_shows_two_classes_alone(opened, study):
    before = picture(opened)
    opened.page.get_by_test_id("cell-4-9").click()
    opened.until(classes="4,9")
    chip = opened.page.get_by_test_id("filter").inner_text()
    count = int(np.isin(study.labels, [4, 9]).sum())
    assert f"{count} points" in chip
    assert np.abs(picture(opened) - before).mean() > 1
    opened.page.get_by_test_id("show-all").click()
    opened.until(classes=None)
    opened.page.get_by_test_id("pairs").get_by_role("button").first.click()
    opened.page.wait_for_function("location.hash.includes('classes=')")
    assert len(opened.state["classes"].split(",")) == 2


def test_a_class_of_the_legend_is_shown_alone(opened):
    opened.page.get_by_test_id("legend-3").click()
    opened.until(classes="3")
    opened.page.get_by_test_id("legend-5").click(modifiers=["Control"])
    opened.until(classes="3,5")


@pytest.mark.parametrize("color", ["prediction", "hit", "correct"])
def test_points_can_be_colored_otherwise(opened, color):
    title = opened.page.locator(".legend h2")
    before, said = picture(opened), title.inner_text()
    opened.page.get_by_test_id(f"color-{color}").click()
    opened.until(color=color)
    assert np.abs(picture(opened) - before).mean() > 0.2
    assert title.inner_text() != said
    entry = {"prediction": "9", "hit": "5 of 6", "correct": "wrong"}[color]
    assert entry in opened.page.get_by_test_id("legend").inner_text()


@pytest.mark.parametrize("overlay", ["hulls", "peeled", "ellipses"])
def test_shapes_are_drawn_round_every_class(opened, overlay):
    opened.page.get_by_test_id(f"overlay-{overlay}").click()
    opened.until(overlays=overlay)
    assert opened.page.locator(".overlay .shapes path").count() == 10
    opened.page.get_by_test_id(f"overlay-{overlay}").click()
    opened.until(overlays=None)


def test_an_ellipse_lies_where_its_class_is(opened, study):
    opened.open("layer=fc5&overlays=ellipses&classes=0")
    ellipse = opened.page.locator(".overlay .shapes path").first
    ellipse.wait_for(state="attached")
    x, y = middle(ellipse)
    box = opened.page.get_by_test_id("map-canvas").bounding_box()
    # Class 0 lies at the right of the circle, at mid-height.
    assert x > box["x"] + box["width"] * 0.6
    assert abs(y - (box["y"] + box["height"] / 2)) < box["height"] * 0.15


def test_the_worst_points_are_shown_and_lead_to_the_map(opened, payload):
    hits = unpack(payload["models"][0]["layers"][0]["hits"])
    opened.page.get_by_test_id("worst-class").select_option("3")
    opened.until(worst="3")
    own = unpack(payload["labels"]) == 3
    opened.page.wait_for_function(
        """own => {
            const shown = [...document.querySelectorAll("[data-testid=worst] button")];
            return shown.length && shown.every(({ dataset }) => own.includes(dataset.testid));
        }""",
        arg=[f"worst-{index}" for index in np.flatnonzero(own)],
    )
    first = opened.page.get_by_test_id("worst").get_by_role("button").first
    point = int(first.get_attribute("data-testid").removeprefix("worst-"))
    assert hits[point] == hits[own].min()
    first.click()
    opened.until(point=str(point))
    assert opened.page.get_by_test_id("held").is_visible()


def test_a_click_on_a_curve_moves_the_slider(opened):
    chart = opened.page.get_by_test_id("chart-neighborhood_hit").locator("svg").last
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] - 14, box["y"] + box["height"] / 2)
    opened.page.wait_for_function("!location.hash.includes('layer=inputs')")
    assert opened.state["layer"] in {"dropout", "dead"}


def test_the_table_holds_every_score(opened, study):
    if not opened.page.get_by_test_id("table").locator("tbody").count():
        opened.page.get_by_test_id("table").locator("summary").click()
    rows = opened.page.get_by_test_id("table").locator("table").first.locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == len(study.layers)
    value = study.layers["fc1"].scores["two_nn"].value
    assert f"{value:.2f}"[:3] in rows.nth(1).inner_text()


def test_epochs_can_be_gone_through(opened):
    opened.open("layer=fc5&overlays=hulls")
    before = picture(opened)
    shapes = opened.page.locator(".overlay .shapes path")
    assert shapes.count() == 10
    slider = opened.page.get_by_test_id("epoch-slider")
    slider.focus()
    opened.page.keyboard.press("ArrowLeft")
    opened.until(epoch="1", layer="fc5")
    assert np.abs(picture(opened) - before).mean() > 1
    assert shapes.count() == 10


def test_two_layers_side_by_side_are_linked(opened):
    opened.page.get_by_test_id("compare").click()
    opened.until(beside="dropout")
    canvases = opened.page.locator("canvas[role=img]")
    assert canvases.count() == 2
    opened.page.get_by_test_id("worst").get_by_role("button").first.click()
    ring = opened.page.locator(".overlay .ring")
    assert ring.count() == 2
    opened.open("layer=fc1&beside=dropout&point=17")
    opened.until(layer="fc1", beside="dropout")
    opened.page.evaluate("scrollTo(0, 0)")
    opened.settled()
    opened.settled("other-map")
    # Hovering on one map rings the point on the other; a lasso selects on both.
    held = middle(ring.last)
    opened.page.mouse.move(*middle(opened.page.get_by_test_id("map-canvas")))
    opened.page.mouse.move(*middle(ring.first), steps=4)
    opened.page.get_by_test_id("tooltip").first.wait_for()
    assert ring.count() == 2
    there = opened.page.get_by_test_id("other-map-canvas").bounding_box()
    assert there["x"] < held[0] < there["x"] + there["width"]
    before = picture(opened, "other-map")
    opened.page.get_by_test_id("lasso").click()
    draw_round(opened, 0.02, 0.02, 0.4, 0.98)
    opened.page.wait_for_function("location.hash.includes('selection=')")
    assert np.abs(picture(opened, "other-map") - before).mean() > 0.5
    opened.page.keyboard.press("Escape")
    opened.page.get_by_test_id("compare").click()
    opened.until(beside=None)
    assert canvases.count() == 1


def test_two_models_are_compared(browser, two_models):
    page = Opened(browser, two_models, reduced_motion="reduce")
    assert page.page.locator("h1").inner_text() == "good and poor"
    # A window of 1280 less a scroll bar; the browser of these tests shows none.
    page.page.set_viewport_size({"width": 1265, "height": 860})
    tools = page.page.locator(".toolbar > *:visible")
    middles = {round(middle(tools.nth(i))[1]) for i in range(tools.count())}
    assert max(middles) - min(middles) < 5  # one row
    page.page.get_by_test_id("compare").click()
    page.until(**{"beside": "inputs", "beside-model": "poor"})
    page.page.get_by_test_id("compare").click()
    page.page.get_by_test_id("model-1").click()
    page.until(model="poor")
    page.check()
    page.close()


def test_a_link_brings_the_view_back(opened):
    fragment = "layer=fc2&color=correct&overlays=peeled&classes=1,2&selection=3-5,9&point=7"
    opened.open(fragment)
    opened.page.reload()
    opened.until(
        layer="fc2", color="correct", overlays="peeled", classes="1,2", selection="3-5,9",
        point="7",
    )  # fmt: skip
    assert opened.page.get_by_test_id("layer-name").inner_text() == "fc2"
    assert opened.page.get_by_test_id("selection").locator("h2").inner_text() == "4 points selected"
    assert opened.page.get_by_test_id("color-correct").get_attribute("aria-pressed") == "true"


def test_back_goes_to_the_view_before(opened):
    opened.page.wait_for_timeout(1000)
    opened.page.get_by_test_id("layer-tick-4").click()
    opened.until(layer="fc4")
    opened.page.go_back()
    opened.until(layer="inputs")
    assert opened.page.get_by_test_id("layer-name").inner_text() == "inputs"


@pytest.mark.parametrize(
    "fragment", ["layer=nothing&color=<b>&classes=99", "%%%&=&layer", "selection=1-99999999"]
)
def test_a_broken_link_opens_the_page_all_the_same(opened, fragment):
    opened.open(fragment)
    opened.page.reload()
    assert opened.page.get_by_test_id("layer-name").inner_text() == "inputs"
