"""Following points and classes through the layers."""

import numpy as np
import pytest
from report_browser import Opened
from report_studies import pictures_of, study_of
from test_report_browser import selected
from test_report_find import find, hits_of
from test_report_looks import findings, sideways

from unknot.report import build_payload, write_report
from unknot.report._packing import unpack

NAMES = ["inputs", "fc1", "fc2", "fc3"]


@pytest.fixture(scope="module")
def study():
    from dataclasses import replace

    plain = study_of(400, 5, 4)
    return replace(plain, thumbnails=pictures_of(plain.labels))


@pytest.fixture(scope="module")
def payload(study):
    return build_payload(study)


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("follow") / "report.html")


def with_class(study):
    """Whether each point is with its class at each layer, by the definition."""
    return np.array([hits_of(study, number) >= 0.5 for number in range(4)])


def test_points_are_listed_by_the_layer_from_which_on_they_are_with_their_class(opened, study):
    there = with_class(study)
    since = {
        name: there[number:].all(axis=0) & (number == 0 or ~there[number - 1])
        for number, name in enumerate(NAMES)
    }
    expected = {
        **since,
        "tangled again": ~there[-1] & there.any(axis=0),
        "never": ~there.any(axis=0),
    }
    rows = opened.page.get_by_test_id("untangling").locator(".count").all_inner_texts()
    assert [int(row) for row in rows] == [int(points.sum()) for points in expected.values()]
    assert sum(map(int, rows)) == 400
    opened.page.get_by_test_id("since-fc2").click()
    opened.until(find="untangled at fc2 @ inputs")
    assert selected(opened) == set(np.flatnonzero(since["fc2"]).tolist())
    find(opened, "tangled again")
    assert selected(opened) == set(np.flatnonzero(expected["tangled again"]).tolist())


def test_those_that_moved_most_come_first_and_show_their_trail(opened, study):
    def square(map_):
        low, high = map_.min(axis=0), map_.max(axis=0)
        return (map_ - (low + high) / 2) * (2 * 0.94 / (high - low).max())

    maps = [square(layer.map) for layer in study.values()]
    far = sum(np.linalg.norm(maps[at + 1] - maps[at], axis=1) / 2 for at in range(3))
    buttons = opened.page.get_by_test_id("most-moved").get_by_role("button")
    first = int(buttons.first.get_attribute("data-testid").removeprefix("moved-"))
    assert far[first] == pytest.approx(far.max(), abs=1e-4)
    assert f"{100 * far[first]:.0f}\u00a0%" in buttons.first.inner_text()
    buttons.first.click()
    opened.until(point=str(first), trails="on")
    opened.settled()
    trail = opened.page.locator("[data-testid=map] .trails")
    assert trail.locator("circle").count() == 4
    opened.page.get_by_test_id("trails").click()
    opened.until(trails=None)
    assert trail.locator("circle").count() == 0


def test_a_point_tells_which_neighbors_it_keeps_and_loses(opened, payload):
    neighbors = [
        unpack(layer["neighbors"]["indices"]).reshape(400, -1)
        for layer in payload["models"][0]["layers"]
    ]
    before, now = (set(neighbors[at][7].tolist()) for at in (1, 2))
    opened.open("layer=fc2&point=7")
    words = opened.page.get_by_test_id("neighbor-change")
    words.wait_for()
    assert words.inner_text() == (
        f"From fc1 to here: {len(before & now)} kept, {len(now - before)} new, "
        f"{len(before - now)} lost."
    )
    opened.page.locator(".lost summary").click()
    assert opened.page.get_by_test_id("lost").get_by_role("button").count() == len(before - now)


def test_a_class_is_a_stream_of_its_neighbors(opened, payload):
    from unknot.report._packing import unpack_confusion

    opened.page.get_by_test_id("stream-class").select_option("3")
    tables = [unpack_confusion(layer["confusion"]) for layer in payload["models"][0]["layers"]]
    said = opened.page.get_by_test_id("stream").locator("svg").get_attribute("aria-label")
    assert said == "Neighbors of its own class: " + ", ".join(
        f"{name} {100 * table[3, 3]:.0f}\u00a0%" for name, table in zip(NAMES, tables, strict=True)
    )


def test_small_maps_lead_to_their_layers(opened):
    film = opened.page.get_by_test_id("filmstrip")
    assert film.get_by_role("button").all_inner_texts() == NAMES
    film.scroll_into_view_if_needed()
    opened.page.wait_for_function(
        """() => [...document.querySelectorAll('.film canvas')].every(canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.some(value => value);
        })"""
    )
    opened.page.get_by_test_id("film-2").click()
    opened.until(layer="fc2")
    assert opened.page.get_by_test_id("film-2").get_attribute("aria-current") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(browser, report, scheme, width):
    page = Opened(
        browser, report, "layer=fc2&point=7&trails=on&selection=1-9", reduced_motion="reduce",
        color_scheme=scheme, viewport={"width": width, "height": 800},
    )  # fmt: skip
    page.settled()
    assert findings(page) == []
    assert sideways(page) <= 0
    page.check()
    page.close()
