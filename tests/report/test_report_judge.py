"""Judging labels, and what curves tell under the pointer."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import HOSTILE, full_study, pictures_of, study_of
from test_report_looks import findings, sideways

from unknot.report import build_payload, write_report
from unknot.report._packing import unpack


@pytest.fixture(scope="module")
def study():
    plain = study_of(300, 10, 6, class_names=HOSTILE)
    labels = plain.labels.copy()
    # Wrong labels, of which the maps and neighbors know nothing.
    labels[[3, 30, 77]] = (labels[[3, 30, 77]] + 4) % 10
    return replace(plain, labels=labels, thumbnails=pictures_of(labels))


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("judge") / "report.html")


@pytest.fixture
def opened(browser, report):
    page = Opened(browser, report, reduced_motion="reduce")
    yield page
    page.check()
    page.close()


def test_labels_are_judged_by_keys_and_come_back(opened, study, tmp_path):
    page = opened.page
    page.get_by_test_id("suspect-place").locator("summary").click()
    rows = page.get_by_test_id("suspects").locator("> li")
    rows.first.wait_for()
    first = [int(row.get_attribute("data-point")) for row in rows.all()]
    assert {3, 30} <= set(first[:12])
    page.get_by_test_id("suspect-3").focus()
    page.keyboard.press("r")
    opened.page.wait_for_function("location.hash.includes('judged=')")
    page.keyboard.press("t")
    page.keyboard.type("odd")
    page.keyboard.press("Home")
    # The list is drawn anew while one types, and the cursor stays where it is.
    page.emulate_media(color_scheme="dark")
    page.locator("html[data-theme=dark]").wait_for()
    page.wait_for_timeout(200)
    page.keyboard.type("very, ")
    page.keyboard.press("Enter")
    page.emulate_media(color_scheme="light")
    page.get_by_test_id("keep-30").click()
    page.wait_for_function("document.querySelector('[data-testid=decided]').textContent[0] === '2'")
    page.reload()
    assert page.get_by_test_id("relabel-3").get_attribute("aria-pressed") == "true"
    assert page.get_by_test_id("tag-3").input_value() == "very, odd"
    with page.expect_download() as download:
        page.get_by_test_id("save-labels").click()
    assert download.value.suggested_filename.endswith("labels.csv")
    found = study.apply_labels(download.value.path())
    changed = np.flatnonzero(found.labels != study.labels)
    assert changed.tolist() == [3]
    assert found.labels[3] == (study.labels[3] - 4) % 10
    assert found.metadata["tag"].to_list()[3] == "very, odd"
    page.get_by_test_id("clear-labels").click()
    opened.until(judged=None)


@pytest.fixture(scope="module")
def clean():
    """Few wrong labels among classes that come apart."""
    plain = study_of(600, 10, 6, class_names=HOSTILE, measured=False)
    labels = plain.labels.copy()
    labels[::60] = (labels[::60] + 4) % 10
    return replace(plain, labels=labels)


def test_labels_to_check_are_those_of_the_summary(browser, clean, tmp_path):
    named = clean.summary().suspects
    assert len({*range(0, 600, 60)} & {each.sample for each in named[:12]}) >= 8
    entry = build_payload(clean)["models"][0]["suspects"]
    points, classes, votes = (unpack(entry[key]).tolist() for key in ("points", "classes", "votes"))
    found = [(p, HOSTILE[c], n) for p, c, n in zip(points, classes, votes, strict=True)]
    assert found == [(each.sample, each.suggested, each.n_layers) for each in named]
    assert unpack(entry["shares"]) / 255 == pytest.approx([s.share for s in named], abs=0.003)
    page = Opened(browser, write_report(clean, tmp_path / "report.html"))
    page.page.get_by_test_id("suspect-place").locator("summary").click()
    rows = page.page.get_by_test_id("suspects").locator("> li")
    rows.first.wait_for()
    shown = [int(row.get_attribute("data-point")) for row in rows.all()]
    assert shown == points[:12]
    assert not page.page.get_by_text("the classes rather overlap").count()
    page.check()
    page.close()


def test_labels_to_check_of_a_part_are_those_that_are_shown(clean):
    payload = build_payload(clean, max_points=200)
    samples = unpack(payload["sampled"]["indices"])
    entry = payload["models"][0]["suspects"]
    shown = samples[unpack(entry["points"])].tolist()
    named = [each.sample for each in clean.summary().suspects]
    assert shown == [sample for sample in named if sample in samples]
    assert 0 < len(shown) < len(named)


def test_where_classes_overlap_the_page_says_so(browser, study, tmp_path):
    labels = np.where(np.arange(300) % 5 == 0, (study.labels + 1) % 10, study.labels)
    mixed = replace(study, labels=labels)
    assert mixed.summary().suspects == ()
    assert build_payload(mixed)["models"][0]["suspects"]["overlap"] is True
    page = Opened(browser, write_report(mixed, tmp_path / "report.html"))
    page.page.get_by_test_id("suspect-place").locator("summary").click()
    page.page.get_by_text("the classes rather overlap").wait_for()
    assert page.page.get_by_test_id("suspects").locator("> li").count() == 12
    page.check()
    page.close()


def test_a_curve_tells_the_layer_under_the_pointer(browser, tmp_path):
    study = full_study(300)
    page = Opened(browser, write_report(study, tmp_path / "report.html"), reduced_motion="reduce")
    chart = page.page.get_by_test_id("chart-neighborhood_hit")
    chart.scroll_into_view_if_needed()
    page.settled()
    box = chart.locator("svg").bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + 60)
    page.page.wait_for_function(
        """document.querySelector('[data-testid=chart-neighborhood_hit] .now')
            .textContent.includes('chance')"""
    )
    words = chart.locator(".now").inner_text()
    name, value = words.split()[:2]
    assert float(value) == pytest.approx(study[name].scores["neighborhood_hit"].value, abs=5e-4)
    assert "chance" in words
    assert "untrained" in words
    assert "(0.000)" in words  # the control is the same here
    page.page.get_by_test_id("less-untrained").click()
    assert "less untrained" in chart.inner_text()
    page.check()
    page.close()


def test_shares_near_one_are_drawn_by_their_errors_unless_told_otherwise(browser, tmp_path):
    study = study_of(400, 4, 3)
    layers = {name: replace(study.layers["fc2"], name=name) for name in ("a", "b", "c")}
    path = write_report(replace(study, layers=layers), tmp_path / "report.html")
    page = Opened(browser, path, reduced_motion="reduce")
    chart = page.page.get_by_test_id("chart-neighborhood_hit")
    assert study.layers["fc2"].scores["neighborhood_hit"].value > 0.95
    assert "log of errors" in chart.locator("figcaption").inner_text()
    page.page.get_by_test_id("scale-plain").click()
    page.until(scale="plain")
    page.page.wait_for_function(
        "!document.querySelector('[data-testid=chart-neighborhood_hit] figcaption')"
        ".textContent.includes('log of errors')"
    )
    page.check()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(browser, report, scheme, width):
    page = Opened(
        browser, report, "layer=fc2&judged=3=2 odd", reduced_motion="reduce", color_scheme=scheme,
        viewport={"width": width, "height": 800},
    )  # fmt: skip
    page.settled()
    assert findings(page) == []
    assert sideways(page) <= 0
    page.check()
    page.close()


def test_a_frame_for_another_page_is_copied(browser, report):
    page = Opened(browser, report, "layer=fc2", reduced_motion="reduce")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.get_by_test_id("save-menu").locator("summary").click()
    page.page.get_by_test_id("copy-frame").click()
    notice = page.page.get_by_test_id("notice")
    notice.wait_for()
    text = (
        page.page.evaluate("navigator.clipboard.readText()")
        if "copied" in (notice.inner_text())
        else notice.inner_text()
    )
    assert '<iframe src="file://' in text
    assert "#layer=fc2&amp;view=map" in text
    page.check()
    page.close()


def test_names_are_large_on_the_whole_screen(browser, report):
    page = Opened(
        browser, report, "layer=fc3", reduced_motion="reduce",
        viewport={"width": 1920, "height": 1080},
    )  # fmt: skip
    page.settled()
    size = """() => parseFloat(getComputedStyle(document.querySelector('.overlay .names text'))
        .fontSize)"""
    assert page.page.evaluate(size) == 15
    page.page.get_by_test_id("full-screen").click()
    page.page.wait_for_function("document.fullscreenElement !== null")
    page.page.wait_for_function(f"({size})() > 25")
    page.page.get_by_test_id("full-screen").click()
    page.page.wait_for_function(f"({size})() === 15")
    page.check()
    page.close()
