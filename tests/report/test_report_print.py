"""The printed page: maps on white, without interactive elements."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import study_of

from unknot.report import write_report

# The names in the picture that is printed, and the circles of each color: where they lie on paper.
PRINTED = """
() => [...document.querySelectorAll("[data-testid=print-map] svg > g")].map(panel => {
    const box = element => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return [(left + right) / 2, (top + bottom) / 2];
    };
    const names = [...panel.querySelectorAll("g[clip-path] text")];
    const groups = [...panel.querySelectorAll("g[fill][fill-opacity]")];
    const dots = {};
    for (const group of groups) {
        const color = group.getAttribute("fill");
        dots[color] = (dots[color] ?? []).concat([...group.querySelectorAll("circle")].map(box));
    }
    return {
        names: Object.fromEntries(names.map(name => [name.textContent, box(name)])),
        dots: Object.values(dots),
        title: panel.querySelector("text").textContent,
    };
})
"""
VISIBLE = "selector => [...document.querySelectorAll(selector)].filter(e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().height > 0).length"  # noqa: E501


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    names = ("ant", "bee", "cat", "dog")
    study = study_of(200, 4, 3, measured=False, class_names=names)
    layers = dict(study.layers)
    # The map of fc2 is mirrored: its classes stand elsewhere than on that of fc1.
    layers["fc2"] = replace(layers["fc2"], map=layers["fc2"].map * np.float32([-1, 1]))
    study = replace(study, layers=layers)
    return write_report(study, tmp_path_factory.mktemp("print") / "report.html")


@pytest.fixture
def open_page(browser, path):
    pages = []

    def open_(fragment, **options):
        pages.append(Opened(browser, path, fragment, **{"reduced_motion": "reduce", **options}))
        pages[-1].settled()
        return pages[-1]

    yield open_
    for page in pages:
        page.check()
        page.close()


def printed(page):
    page.page.emulate_media(media="print")
    page.page.locator("[data-testid=print-map] svg").wait_for()
    return page.page.evaluate(PRINTED)


def nearest(panel):
    """Return the nearest cloud of each name."""
    middles = np.array([np.mean(dots, axis=0) for dots in panel["dots"]])
    return {
        name: int(np.linalg.norm(middles - place, axis=1).argmin())
        for name, place in panel["names"].items()
    }


@pytest.mark.parametrize("width", [1280, 420])
def test_names_stay_with_their_clusters_on_paper(open_page, width):
    page = open_page("layer=fc1&beside=fc2", viewport={"width": width, "height": 800})
    page.settled("other-map")
    page.page.set_viewport_size({"width": 780, "height": 1000})  # a sheet is of another width
    panels = printed(page)
    assert [panel["title"].split()[0] for panel in panels] == ["fc1", "fc2"]
    for panel in panels:
        assert sorted(panel["names"]) == ["ant", "bee", "cat", "dog"]
        assert [len(dots) for dots in panel["dots"]] == [50, 50, 50, 50]
        # Four names by four clouds; the dots are in the order of the classes of the first points.
        assert len(set(nearest(panel).values())) == 4
    # Class 0 lies at the right of the circle, on the mirrored map at the left.
    left, right = (panel["names"] for panel in panels)
    assert left["ant"][0] > left["cat"][0]
    assert right["ant"][0] < right["cat"][0]
    first, second = map(nearest, panels)
    assert first == second


def test_what_is_zoomed_filtered_and_held_is_so_on_paper(open_page):
    page = open_page("layer=fc1&classes=0,2&overlays=hulls&point=3")
    (panel,) = printed(page)
    assert sorted(panel["names"]) == ["ant", "cat"]
    assert [len(dots) for dots in panel["dots"]] == [50, 50]
    assert page.page.evaluate(VISIBLE, "[data-testid=print-map] path") == 4
    assert "Only ant, cat" in page.page.get_by_test_id("print-map").inner_text()
    page.page.emulate_media(media="screen")
    for _ in range(4):
        page.page.keyboard.press("+")
        page.page.wait_for_timeout(350)
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("Escape")
    (panel,) = printed(page)
    assert 0 < sum(map(len, panel["dots"])) < 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_white_and_without_what_only_a_screen_can_use(open_page, scheme):
    page = open_page("layer=fc1&selection=1-9", color_scheme=scheme)
    page.page.get_by_test_id("table").locator("summary").click()
    printed(page)
    for screen in (".toolbar", ".slider-row", ".map-tools", ".top .buttons", "[data-testid=play]"):
        assert page.page.evaluate(VISIBLE, screen) == 0, screen
    for paper in ("h1", ".legend .dot", ".print-map circle", "[data-testid=table] table"):
        assert page.page.evaluate(VISIBLE, paper) > 0, paper
    ground, ink, exact = page.page.evaluate(
        """() => {
            const style = getComputedStyle(document.querySelector(".unknot"));
            return [style.backgroundColor, style.color, style.printColorAdjust];
        }"""
    )
    assert ground == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", ink))) < 64
    assert exact == "exact"
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.page.evaluate(sideways) <= 0
    page.page.emulate_media(media="screen")
    page.page.wait_for_function(
        "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
    )
    page.page.locator("[data-testid=print-map] svg").wait_for(state="detached")
    assert page.page.evaluate(VISIBLE, ".toolbar") == 1


def test_a_pdf_holds_the_names_as_text_and_the_page_is_as_before(open_page):
    page = open_page("layer=fc1", color_scheme="dark")
    seen = "() => { globalThis.seen = 0; addEventListener('beforeprint', () => { setTimeout(0); seen = document.querySelectorAll('[data-testid=print-map] svg text').length; }); }"  # noqa: E501
    page.page.evaluate(seen)
    pdf = page.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert page.page.evaluate("seen") >= 5  # the title of the map, and four names
    page.page.locator("[data-testid=print-map]:empty").wait_for(state="attached")
    assert page.page.evaluate("document.documentElement.dataset.theme") == "dark"
