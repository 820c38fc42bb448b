"""Small screens, fingers and system colors; titles that fit."""

import json
from urllib.parse import quote

import pytest
from report_browser import Opened
from test_report_looks import findings, sideways

TELEPHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
VIEWS = quote(json.dumps([["a view", "and a note", "layer=fc1"]]))
STATES = {
    "selected": f"layer=fc2&shapes=on&trails=on&point=7&selection=1-30&views={VIEWS}",
    "compared": "layer=fc1&beside=fc4&color=prediction&shapes=on&overlays=contours",
    "bare": "layer=fc2&view=map&shapes=on",
}


@pytest.fixture
def open_page(browser, report):
    pages = []

    def open_(fragment="", **options):
        pages.append(Opened(browser, report, fragment, **{"reduced_motion": "reduce", **options}))
        pages[-1].settled()
        return pages[-1]

    yield open_
    for page in pages:
        page.check()
        page.close()


@pytest.mark.parametrize("fragment", ["", "beside=fc3", "view=map", "view=map&beside=fc3"])
@pytest.mark.parametrize("size", [(360, 740), (700, 1200)])
def test_no_map_is_cut_at_its_sides(open_page, fragment, size):
    width, height = size
    page = open_page(fragment, viewport={"width": width, "height": height})
    panes = ["map-canvas"] + ["other-map-canvas"] * ("beside" in fragment)
    for pane in panes:
        box = page.page.get_by_test_id(pane).bounding_box()
        # The square of the points is as high as the map, of which they fill 94 %.
        assert 0.94 * box["height"] <= box["width"]
        assert box["height"] >= 180
    slider = page.page.get_by_test_id("layer-slider").bounding_box()
    assert slider["y"] + slider["height"] < height
    assert sideways(page) <= 0


def test_a_finger_holds_a_point_whose_card_can_be_closed(open_page):
    page = open_page("layer=fc5&point=5", **TELEPHONE)
    ring = page.page.locator("[data-testid=map] .ring").first
    canvas = page.page.get_by_test_id("map-canvas").bounding_box()
    place = [canvas[side] + float(ring.get_attribute(f"c{side}")) for side in ("x", "y")]
    page.page.get_by_test_id("held").get_by_role("button", name="let go").tap()
    page.until(point=None)
    assert page.page.get_by_test_id("held").is_hidden()
    page.page.evaluate("scrollTo(0, 0)")
    page.page.touchscreen.tap(*place)
    page.page.wait_for_function("location.hash.includes('point=')")
    # No card lies on the map.
    assert page.page.get_by_test_id("tooltip").is_hidden()


def test_a_finger_scrolls_the_page_past_the_map(open_page):
    page = open_page("layer=fc2", **TELEPHONE)
    box = page.page.get_by_test_id("map-canvas").bounding_box()
    touch = page.context.new_cdp_session(page.page)
    x, start = box["x"] + 150, box["y"] + 250
    for kind, y in [
        ("touchStart", start),
        *(("touchMove", start - 20 * at) for at in range(1, 13)),
    ]:
        points = [{"x": x, "y": y, "id": 0}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.page.wait_for_function("scrollY > 150")
    assert "zoom" not in page.state


@pytest.mark.parametrize("width", [1280, 360])
def test_titles_of_curves_are_whole(open_page, width):
    page = open_page("scale=errors", viewport={"width": width, "height": 900})
    titles = page.page.locator(".chart figcaption > *")
    assert "log of errors" in titles.all_inner_texts()
    cut = titles.evaluate_all(
        "all => all.filter(each => each.scrollWidth > each.clientWidth + 1 &&"
        " getComputedStyle(each).display !== 'inline').map(each => each.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_system_colors_with_everything_open(open_page, state, scheme):
    page = open_page(STATES[state], color_scheme=scheme, forced_colors="active")
    for closed in page.page.locator("main details:not([open], .menu) > summary").all():
        if closed.is_visible():
            closed.click()
    if state == "selected":
        page.page.get_by_test_id("views-button").click()
    assert findings(page) == []
    assert sideways(page) <= 0


@pytest.mark.parametrize("selector", [".stream svg", ".similar svg", ".similar .band", ".marker"])
def test_what_its_colors_mean_keeps_them_in_system_colors(open_page, selector):
    page = open_page("layer=fc2&shapes=on", forced_colors="active")
    adjusted = page.page.locator(selector).first.evaluate(
        "element => getComputedStyle(element).forcedColorAdjust"
    )
    assert adjusted == "none"


def test_what_is_shown_is_seen_among_the_small_maps_in_system_colors(open_page):
    page = open_page("layer=fc2", forced_colors="active")
    here, other = (page.page.get_by_test_id(f"film-{at}") for at in (2, 1))
    looks = [
        each.evaluate("element => getComputedStyle(element).outlineStyle") for each in (here, other)
    ]
    assert looks == ["solid", "none"]
