"""Shapes of points: on the map, in the legend and in saved pictures."""

import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from report_browser import Opened
from report_studies import study_of
from test_report_looks import findings, sideways

from unknot.report import write_report

GROUND = np.array([255, 255, 255])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Ten points of ten classes in a row, far from each other."""
    study = study_of(20, 10, 2, measured=False, graphs=False)
    rows = np.stack([np.arange(20) % 2 * 90.0, np.arange(20) * 10.0], axis=1).astype(np.float32)
    labels = np.arange(20) // 2
    layers = {name: replace(layer, map=rows) for name, layer in study.layers.items()}
    study = replace(study, layers=layers, labels=labels, predictions=labels, probabilities=None)
    return write_report(study, tmp_path_factory.mktemp("markers") / "report.html")


def picture_round(opened, point, side=14):
    """Return which pixels round a held point are colored, as (2 * side + 1, 2 * side + 1)."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    opened.open(f"names=off&shapes=on&layer=inputs&point={point}")
    opened.settled()
    opened.page.wait_for_timeout(600)
    canvas = opened.page.get_by_test_id("map-canvas").bounding_box()
    ring = opened.page.locator("[data-testid=map] .ring").first
    x, y = (float(ring.get_attribute(key)) for key in ("cx", "cy"))
    opened.page.add_style_tag(content=".overlay, .map-tools { visibility: hidden }")
    shot = opened.page.screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
    column, row = round(2 * (canvas["x"] + x)), round(2 * (canvas["y"] + y))
    part = pixels[row - side : row + side + 1, column - side : column + side + 1]
    return np.abs(part - GROUND).sum(axis=2) > 120


def test_each_class_has_a_shape_that_is_drawn(browser, report):
    page = Opened(browser, report, reduced_motion="reduce", device_scale_factor=2)
    found = {point: picture_round(page, point) for point in (0, 2, 8, 10, 14, 16)}
    middle = 14
    reach = {point: int(drawn.any(axis=0).sum()) for point, drawn in found.items()}
    assert all(drawn[middle, middle] for point, drawn in found.items() if point != 14)
    circle, square, plus, cross = (found[point] for point in (0, 2, 8, 10))
    half = reach[0] // 2
    corner = round(0.62 * half)
    # A square has corners that a circle and a plus lack; a cross is a plus that is turned.
    assert not circle[middle + half - 1, middle + half - 1]
    assert square[middle + corner, middle + corner]
    assert cross[middle + corner, middle + corner]
    assert not plus[middle + corner, middle + corner]
    assert plus[middle, middle + corner]
    assert not cross[middle, middle + half - 1]
    # A ring has a hole, a bar is wide and flat.
    assert not found[14][middle, middle]
    assert found[14][middle].sum() >= 4
    assert found[16].any(axis=1).sum() < 0.7 * found[16].any(axis=0).sum()
    assert all(np.abs(one.astype(int) - two).sum() > 8 for one, two in pairwise(found.values()))
    page.check()
    page.close()


def test_they_are_switched_kept_in_the_link_and_in_the_legend(opened):
    page = opened.page
    legend = page.get_by_test_id("legend")
    assert legend.locator(".marker").count() == 0
    page.get_by_test_id("shapes").click()
    opened.until(shapes="on")
    assert legend.locator(".marker").count() == 10
    outlines = legend.locator(".marker path").evaluate_all("all => all.map(each => each.outerHTML)")
    assert len(set(outlines)) == 10
    # Colors of what is no class have no shapes.
    page.get_by_test_id("color-correct").click()
    assert legend.locator(".marker").count() == 0
    page.get_by_test_id("color-class").click()
    page.get_by_test_id("shapes").click()
    opened.until(shapes=None)


def test_saved_pictures_have_them(opened):
    page = opened.page
    page.get_by_test_id("shapes").click()
    opened.settled()
    page.get_by_test_id("save-menu").locator("summary").click()
    with page.expect_download() as download:
        page.get_by_test_id("save-svg").click()
    picture = download.value.path().read_text(encoding="utf-8")
    # Nine classes of two points and ten entries of the legend; points of the tenth are circles.
    assert picture.count("<path") == 9 * 2 + 10
    assert picture.count("<circle") == 2
    page.get_by_test_id("save-menu").locator("summary").click()
    with page.expect_download() as download:
        page.get_by_test_id("save-png").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_test_id("shapes").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_are_accessible_and_fit(browser, report, scheme):
    page = Opened(
        browser, report, "shapes=on", reduced_motion="reduce", color_scheme=scheme,
        viewport={"width": 360, "height": 740},
    )  # fmt: skip
    page.settled()
    assert findings(page) == []
    assert sideways(page) <= 0
    page.check()
    page.close()
