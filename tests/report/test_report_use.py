"""Small things that a person meets while using the page."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import study_of
from test_report_browser import draw_round, middle, picture
from test_report_looks import findings, sideways

from unknot.report import write_report


@pytest.fixture
def open_page(browser):
    pages = []

    def open_(path, fragment="", **options):
        pages.append(Opened(browser, path, fragment, **{"reduced_motion": "reduce", **options}))
        return pages[-1]

    yield open_
    for page in pages:
        page.check()
        page.close()


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Sixty layers whose names begin alike, in blocks of ten."""
    study = study_of(60, 3, 2, measured=False, graphs=False)
    _, layer = study.layers.values()
    names = [f"net.encoder.block{i // 10}.dense_with_a_long_name{i % 10}" for i in range(60)]
    rng = np.random.default_rng(0)
    layers = {
        name: replace(layer, name=name, map=layer.map + rng.normal(size=(60, 2)).astype("f4"))
        for name in names
    }
    return write_report(replace(study, layers=layers), tmp_path_factory.mktemp("d") / "r.html")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return write_report(study_of(80, 4, 1), tmp_path_factory.mktemp("one") / "report.html")


def scrolled(page):
    return page.page.evaluate("scrollY")


def test_a_click_far_below_brings_the_map_into_sight(open_page, report):
    page = open_page(report)
    page.settled()
    page.page.get_by_test_id("worst").get_by_role("button").first.scroll_into_view_if_needed()
    assert scrolled(page) > 300
    page.page.get_by_test_id("worst").get_by_role("button").first.click()
    page.page.wait_for_function("scrollY < 300")
    box = page.page.get_by_test_id("map").bounding_box()
    assert box["y"] > -1
    page.page.get_by_test_id("cell-4-9").scroll_into_view_if_needed()
    page.page.get_by_test_id("cell-4-9").click()
    page.page.wait_for_function("scrollY < 300")


def test_a_point_that_is_held_comes_into_the_view(open_page, report):
    page = open_page(report)
    page.settled()
    for _ in range(6):
        page.page.get_by_test_id("zoom-in").click()
        page.page.wait_for_timeout(60)
    inside = """() => {
        const [ring, map] = [".overlay .ring", "[data-testid=map]"].map(
            which => document.querySelector(which)?.getBoundingClientRect());
        return ring && ring.left > map.left && ring.right < map.right
            && ring.top > map.top && ring.bottom < map.bottom;
    }"""
    for number in range(4):
        page.page.get_by_test_id("worst").get_by_role("button").nth(number).click()
        page.page.wait_for_function(inside)


def test_the_wheel_scrolls_the_page_unless_the_map_is_meant(open_page, report):
    page = open_page(report, viewport={"width": 1280, "height": 700})
    before = picture(page)
    page.page.mouse.move(*middle(page.page.get_by_test_id("map-canvas")))
    page.page.mouse.wheel(0, 250)
    page.page.wait_for_function("scrollY > 100")
    page.page.locator(".spared").wait_for(state="visible")
    page.page.evaluate("scrollTo(0, 0)")
    page.page.locator(".spared").wait_for(state="hidden")
    assert np.abs(picture(page) - before).mean() < 1
    page.page.mouse.move(*middle(page.page.get_by_test_id("map-canvas")))
    page.page.keyboard.down("Control")
    page.page.mouse.wheel(0, -400)
    page.page.keyboard.up("Control")
    page.page.wait_for_timeout(400)
    assert scrolled(page) == 0
    assert np.abs(picture(page) - before).mean() > 1


def test_the_card_is_gone_while_a_lasso_is_drawn(open_page, report):
    page = open_page(report, "layer=fc1&point=17")
    page.settled()
    ring = page.page.locator(".overlay .ring").first
    page.page.mouse.move(*middle(ring), steps=4)
    page.page.get_by_test_id("tooltip").first.wait_for()
    page.page.get_by_test_id("lasso").click()
    seen = []
    page.page.expose_function("seen", lambda: seen.append(1))
    page.page.evaluate(
        """() => new MutationObserver(() => {
            const card = document.querySelector("[data-testid=tooltip]");
            if (!card.hidden) window.seen();
        }).observe(document.querySelector("[data-testid=tooltip]"), { attributes: true })"""
    )
    draw_round(page, 0.1, 0.1, 0.9, 0.9)
    page.page.wait_for_function("location.hash.includes('selection=')")
    assert seen == []


def test_space_plays_after_a_click_on_a_tick(open_page, report):
    page = open_page(report)
    page.settled()
    page.page.get_by_test_id("layer-tick-1").click()
    page.until(layer="fc1")
    page.page.keyboard.press(" ")
    page.page.locator("[data-testid=play][aria-pressed=true]").wait_for()


def test_single_letters_can_be_switched_off(open_page, report):
    page = open_page(report)
    page.page.get_by_test_id("help-button").click()
    page.page.get_by_test_id("shortcuts").uncheck()
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("n")
    page.page.keyboard.press("l")
    page.page.keyboard.press("ArrowRight")
    page.until(layer="fc1", names=None)
    assert page.page.get_by_test_id("lasso").get_attribute("aria-pressed") == "false"


def test_a_point_can_be_held_by_keyboard(open_page, report):
    page = open_page(report)
    page.settled()
    page.page.get_by_test_id("map-canvas").focus()
    page.page.keyboard.press("Enter")
    page.page.wait_for_function("location.hash.includes('point=')")
    x, y = middle(page.page.locator(".overlay .ring").first)
    center = middle(page.page.get_by_test_id("map-canvas"))
    assert np.hypot(x - center[0], y - center[1]) < 80


def test_a_link_to_what_is_not_here_says_so(open_page, report):
    page = open_page(report, "layer=gone&measures=unknown")
    notice = page.page.get_by_test_id("notice")
    notice.wait_for()
    assert notice.inner_text() == "This page has no layer “gone” and measure “unknown”."
    assert page.page.get_by_test_id("chart-neighborhood_hit").is_visible()
    notice.get_by_role("button").click()
    notice.wait_for(state="hidden")


def test_a_held_point_that_is_filtered_out_has_no_ring(open_page, report, study):
    other = (study.labels[17] + 1) % 10
    page = open_page(report, f"point=17&classes={other}")
    page.settled()
    assert page.page.locator(".overlay .ring").count() == 0
    assert "not shown on the map now" in page.page.get_by_test_id("held").inner_text()


def test_the_map_alone_fits_a_frame(open_page, report):
    page = open_page(report, "layer=fc3&view=map", viewport={"width": 900, "height": 560})
    page.settled()
    slider = page.page.get_by_test_id("layer-slider").bounding_box()
    assert slider["y"] + slider["height"] < 560
    assert page.page.locator(".top").bounding_box()["height"] <= 1
    assert page.page.get_by_test_id("help-button").is_hidden()
    assert page.page.evaluate("document.documentElement.scrollHeight") <= 580
    assert findings(page) == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (900, 560)])
def test_the_slider_is_on_the_first_screen(open_page, report, width, height):
    page = open_page(report, viewport={"width": width, "height": height})
    page.settled()
    slider = page.page.get_by_test_id("layer-slider").bounding_box()
    assert slider["y"] + slider["height"] < height
    assert sideways(page) <= 0


def test_layers_can_be_stepped_through_by_finger(open_page, report):
    page = open_page(report, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.page.get_by_test_id("layer-back").is_disabled()
    page.page.get_by_test_id("layer-on").tap()
    page.until(layer="fc1")
    page.page.get_by_test_id("layer-back").tap()
    page.until(layer="inputs")


def test_two_fingers_look_nearer(open_page, report):
    page = open_page(report, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    before = picture(page)
    x, y = middle(page.page.get_by_test_id("map-canvas"))
    touch = page.context.new_cdp_session(page.page)

    def fingers(kind, apart):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    fingers("touchStart", 30)
    for apart in (40, 55, 70, 90):
        fingers("touchMove", apart)
    fingers("touchEnd", 90)
    page.page.wait_for_timeout(300)
    assert np.abs(picture(page) - before).mean() > 1


def test_maps_side_by_side_are_titled_and_hold_their_tools(open_page, report):
    page = open_page(report, "layer=fc1&beside=fc4", viewport={"width": 1280, "height": 800})
    page.settled()
    titles = page.page.get_by_test_id("map-title").all_inner_texts()
    assert titles == ["fc1, epoch 5", "fc4, epoch 5"]
    pane = page.page.get_by_test_id("map").bounding_box()
    tools = page.page.locator(".map-tools").bounding_box()
    assert tools["x"] + tools["width"] <= pane["x"] + pane["width"]
    slider = page.page.get_by_test_id("layer-slider").bounding_box()
    assert slider["y"] + slider["height"] < 800


def test_one_layer_has_nothing_to_slide_through(open_page, single):
    page = open_page(single)
    page.settled()
    assert page.page.get_by_test_id("layer-slider").is_hidden()
    assert page.page.get_by_test_id("compare").is_hidden()
    assert "Slide" not in page.page.locator(".intro").inner_text()
    assert page.page.locator(".curves h2").inner_text() == "Scores"


def test_many_layers_stand_in_blocks_and_their_names_differ(open_page, deep):
    page = open_page(deep, "layer=*35")
    page.settled()
    bands = page.page.locator(".blocks > span")
    assert bands.all_inner_texts() == [f"block{i}" for i in range(6)]
    assert bands.nth(3).get_attribute("class") == "current"
    assert page.page.locator(".here-name").inner_text() == "block3.dense_with_a_long_name4"
    bands.nth(5).click()
    page.page.wait_for_function("decodeURIComponent(location.hash).includes('block5')")
    assert page.page.locator(".here-name").inner_text().startswith("block5.dense")
    assert sideways(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_system_colors(open_page, report, scheme):
    page = open_page(
        report, "layer=fc2&point=7&selection=1-30&against=2-9&color=hit&scale=errors",
        color_scheme=scheme, forced_colors="active",
    )  # fmt: skip
    page.page.wait_for_timeout(300)
    assert findings(page) == []
    pressed = page.page.get_by_test_id("color-hit")
    assert pressed.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"


def test_high_shares_are_told_apart_by_their_errors(open_page, report):
    page = open_page(report, "layer=fc4&scale=errors")
    chart = page.page.get_by_test_id("chart-linear_probe")
    texts = chart.locator("svg text")
    texts.first.wait_for()  # charts are drawn after the map
    assert 0.9 in [float(text) for text in texts.all_text_contents() if "0." in text]
    assert "fc4" in chart.locator("svg[role=img]").get_attribute("aria-label")
    page.page.get_by_test_id("scale-errors").click()
    page.until(scale=None)


def test_what_chance_gives_is_told_where_it_would_flatten_the_lines(open_page, tmp_path):
    study = study_of(400, 4, 3)
    layers = {name: replace(study.layers["fc2"], name=name) for name in ("a", "b", "c")}
    page = open_page(write_report(replace(study, layers=layers), tmp_path / "report.html"))
    chart = page.page.get_by_test_id("chart-neighborhood_hit")
    null = study.layers["fc2"].scores["neighborhood_hit"].null
    assert chart.get_by_test_id("beyond").text_content() == f"↓ chance {null:.3f}"


def test_where_one_looks_is_in_the_link(open_page, report):
    page = open_page(report, "layer=fc1")
    whole = picture(page)
    page.page.get_by_test_id("zoom-in").click()
    page.page.wait_for_function("location.hash.includes('zoom=1.4')")
    near = picture(page)
    assert np.abs(near - whole).mean() > 1
    page.page.reload()
    page.settled()
    page.page.wait_for_timeout(300)
    assert np.abs(picture(page) - near).mean() < 0.5
    page.page.get_by_test_id("zoom-fit").click()
    page.until(zoom=None)
    assert np.abs(picture(page) - whole).mean() < 0.5


@pytest.mark.slow
def test_very_many_points_are_a_density_with_contours(open_page, tmp_path):
    study = study_of(160_000, 4, 2, measured=False, graphs=False)
    path = write_report(study, tmp_path / "report.html", max_points=None)
    page = open_page(path, "layer=fc1")
    facts = page.page.get_by_test_id("facts").inner_text()
    assert "40,000 as dots, all as a density" in facts
    page.settled()
    assert page.page.locator(".overlay .shapes path").count() == 8  # two of each class
    density = page.page.locator("canvas.density")
    seen = density.evaluate(
        """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.filter((value, i) => i % 4 === 3 && value > 0).length"""
    )
    assert seen > 1000
    # All points round which a lasso is drawn are selected, not the dots alone.
    page.page.get_by_test_id("lasso").click()
    draw_round(page, 0.01, 0.01, 0.99, 0.99)
    page.page.wait_for_function("location.hash.includes('selection=')")
    title = page.page.get_by_test_id("selection").locator("h2").inner_text()
    assert int(title.split()[0].replace(",", "")) > 155_000


def test_what_is_notable_is_told_with_the_epoch_that_it_is_of(open_page, report, payload):
    page = open_page(report, "epoch=1")
    section = page.page.get_by_test_id("notable")
    epochs = payload["models"][0]["epochs"]
    there = epochs["moments"][epochs["epochs"].index(1)]["summary"]
    assert section.locator("h2").inner_text() == "What is notable at epoch 1"
    assert section.locator("li").all_inner_texts() == there
    assert there != payload["summary"]
    page.page.get_by_test_id("epoch-tick-1").click()
    page.page.get_by_text("What is notable at epoch 5").wait_for()
    assert section.locator("li").all_inner_texts() == payload["summary"]


STATES = {
    "found": "layer=fc1&find=wrong @ fc1&selection=1-40",
    "compared": "layer=fc1&beside=fc4&color=correct&overlays=contours",
    "missing": "layer=gone",
    "filtered": "layer=fc2&classes=1,2&point=3&color=prediction",
    "bare": "layer=fc2&view=map",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_any_state(open_page, report, state, scheme):
    page = open_page(report, STATES[state], color_scheme=scheme)
    page.page.wait_for_timeout(300)
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_many_classes_and_the_help(open_page, tmp_path, scheme):
    names = [f"species {number}" for number in range(60)]
    study = study_of(600, 60, 3, class_names=names)
    page = open_page(write_report(study, tmp_path / "report.html"), color_scheme=scheme)
    page.page.get_by_test_id("legend-search").fill("species 5")
    page.page.get_by_test_id("legend-order").select_option("low")
    rows = page.page.get_by_test_id("legend").get_by_role("button")
    assert rows.count() == 11  # 5, and 50 to 59
    scores = [float(row.split("\n")[-1]) for row in rows.all_inner_texts()]
    assert scores == sorted(scores)
    assert rows.first.locator("svg.sparkline path").count() == 1
    assert findings(page) == []
    page.page.get_by_test_id("help-button").click()
    assert findings(page) == []


def test_the_size_of_the_page_is_told(open_page, report):
    page = open_page(report)
    page.page.get_by_test_id("about").locator("summary").click()
    data = page.page.evaluate("document.getElementById('unknot-data').textContent.length")
    assert f"{data / 1e6:.1f} MB" in page.page.get_by_test_id("about").inner_text()


def test_a_control_is_drawn_as_far_as_it_is_on_the_axis(open_page, tmp_path):
    study = study_of(400, 4, 4)
    layers = {name: replace(study.layers["fc3"], name=name) for name in ("a", "b", "c")}
    scores = {"a": study.layers["fc3"].scores, "b": study.layers["fc1"].scores}
    half = replace(study, layers=layers, controls={"untrained": scores})
    page = open_page(write_report(half, tmp_path / "report.html"))
    chart = page.page.get_by_test_id("chart-neighborhood_hit")
    # It begins on the axis and leaves it below; chance is below all along.
    assert chart.get_by_test_id("beyond").text_content().startswith("↓ chance")
    assert chart.locator("svg [stroke-dasharray='5,3']").count() == 1
