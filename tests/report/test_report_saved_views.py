"""Views with names and notes: in the link, in a saved page, opened and removed."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from report_browser import Opened, payload_of
from report_studies import HOSTILE, pictures_of, study_of
from test_report_looks import findings, sideways

from unknot.report import write_report

NOTE = f"{HOSTILE[0]}\n{HOSTILE[1]} & ünïcode"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    study = study_of(200, 5, 3)
    study = replace(study, thumbnails=pictures_of(study.labels))
    return write_report(study, tmp_path_factory.mktemp("views") / "report.html", title="A <b> page")


@pytest.fixture
def opened(browser, report):
    page = Opened(browser, report, reduced_motion="reduce")
    page.settled()
    yield page
    page.check()
    page.close()


def keep(opened, name, note=""):
    """Keep what is shown."""
    page = opened.page
    if page.get_by_test_id("views-menu").get_attribute("open") is None:
        page.get_by_test_id("views-button").click()
    page.get_by_test_id("view-name").fill(name)
    page.get_by_test_id("view-note").fill(note)
    page.get_by_test_id("keep-view").click()


def close(opened):
    opened.page.keyboard.press("Escape")
    assert opened.page.get_by_test_id("views-menu").get_attribute("open") is None


def kept_in(opened):
    return json.loads(opened.state["views"])


def test_a_view_is_kept_opened_and_removed(opened):
    page = opened.page
    opened.open("layer=fc2&point=7&selection=1-9&color=correct&zoom=2,0.1,0&overlays=hulls")
    opened.until(layer="fc2")
    keep(opened, "Where it comes apart", "Look at the fours")
    opened.page.wait_for_function("location.hash.includes('views=')")
    ((name, note, at),) = kept_in(opened)
    assert (name, note) == ("Where it comes apart", "Look at the fours")
    assert at.split("&") == [
        "layer=fc2", "color=correct", "overlays=hulls", "selection=1-9", "point=7", "zoom=2,0.1,0",
    ]  # fmt: skip
    close(opened)
    opened.page.evaluate("location.hash = 'layer=inputs'")
    opened.until(layer="inputs", point=None)
    # A step to another link takes no view away.
    page.get_by_test_id("views-button").click()
    page.get_by_test_id("view-0").click()
    opened.until(layer="fc2", point="7", selection="1-9", color="correct", zoom="2,0.1,0")
    assert page.get_by_test_id("notice").inner_text() == "Where it comes apart: Look at the fours"
    page.get_by_test_id("views-button").click()
    page.get_by_test_id("remove-view-0").click()
    opened.until(views=None)
    assert page.get_by_test_id("view-0").count() == 0
    page.get_by_role("button", name="Put “Where it comes apart” back").click()
    page.get_by_test_id("view-0").wait_for()
    assert kept_in(opened) == [[name, note, at]]


def test_its_button_has_a_name_that_is_heard_and_not_seen(opened):
    words = opened.page.locator(".saved-views .spoken")
    assert words.inner_text() == "Views and notes"
    box = words.bounding_box()
    assert box["width"] <= 1
    assert box["height"] <= 1


def test_without_a_name_it_is_called_by_its_place_and_labels_that_were_judged_stay(opened):
    opened.open("layer=fc1&judged=3=2 odd")
    opened.until(layer="fc1")
    keep(opened, "")
    assert kept_in(opened)[0][0] == "fc1"
    assert "judged" not in kept_in(opened)[0][2]
    opened.page.evaluate("location.hash = location.hash.replace('layer=fc1', 'layer=fc2')")
    opened.until(layer="fc2")
    opened.page.get_by_test_id("view-0").click()
    opened.until(layer="fc1", judged="3=2 odd")


def test_back_and_forward_lose_no_view(opened):
    opened.page.get_by_test_id("layer-tick-1").click()
    opened.until(layer="fc1")
    opened.page.wait_for_timeout(1000)
    keep(opened, "one")
    opened.page.wait_for_timeout(1000)
    opened.page.go_back()
    opened.page.wait_for_timeout(300)
    assert [name for name, *_ in kept_in(opened)] == ["one"]
    opened.page.get_by_test_id("view-0").wait_for()


def test_a_saved_page_is_whole_and_holds_them_as_text(opened, browser, report, tmp_path):
    opened.open("layer=fc2&judged=3=2&shapes=on")
    opened.until(layer="fc2")
    keep(opened, HOSTILE[0], NOTE)
    keep(opened, "second")
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("save-page").click()
    path = tmp_path / download.value.suggested_filename
    assert path.name == "A-b-page-fc2-with-notes.html"
    download.value.save_as(path)
    assert payload_of(path) == payload_of(report)
    first, second = (each.read_text(encoding="utf-8") for each in (report, path))
    for part in ("<style>", '<script type="module">', "<title>", "<noscript>"):
        assert first.count(part) == second.count(part) > 0
    saved = Opened(browser, path, reduced_motion="reduce")
    saved.settled()
    saved.until(layer="fc2", judged="3=2", shapes="on", views=None)
    page = saved.page
    page.get_by_test_id("views-button").click()
    words = page.get_by_test_id("view-0").inner_text()
    assert words.startswith(HOSTILE[0])
    assert HOSTILE[1] in words
    assert page.locator("img[src=x], .views script, [onerror]").count() == 0
    assert page.title() == "A <b> page"
    page.get_by_test_id("remove-view-1").click()
    saved.page.wait_for_function("location.hash.includes('views=')")
    close(saved)
    # It can be saved again, without what was removed.
    page.get_by_test_id("views-button").click()
    with page.expect_download() as download:
        page.get_by_test_id("save-page").click()
    again = tmp_path / "again.html"
    download.value.save_as(again)
    saved.check()
    saved.close()
    last = Opened(browser, again, reduced_motion="reduce")
    last.settled()
    last.page.get_by_test_id("views-button").click()
    assert last.page.locator(".views .view").count() == 1
    last.check()
    last.close()


def test_too_many_notes_are_in_no_link_and_it_is_said(opened):
    page = opened.page
    for number in range(7):
        keep(opened, f"view {number}", "long " * 399)
    page.wait_for_function(
        "document.querySelector('[data-testid=views-hint]').textContent.includes('too long')"
    )
    assert "views" not in opened.state
    assert page.locator(".views .view").count() == 7
    opened.page.evaluate("location.hash = 'layer=fc1'")
    opened.until(layer="fc1")
    assert page.locator(".views .view").count() == 7


def test_a_view_of_a_layer_that_is_not_here_says_so(opened):
    views = json.dumps([["odd", "", "layer=nowhere&color=correct"], [1, 2], "x"])
    opened.open(f"views={quote(views)}")
    opened.page.get_by_test_id("views-button").click()
    assert opened.page.locator(".views .view").count() == 1
    opened.page.get_by_test_id("view-0").click()
    opened.until(color="correct")
    assert "no layer “nowhere”" in opened.page.get_by_test_id("notice").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(opened, scheme, width):
    page = opened.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    keep(opened, "x" * 80, "word " * 60)
    assert findings(opened) == []
    assert sideways(opened) <= 0
    box = page.locator(".saved-views > .menu-body").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
