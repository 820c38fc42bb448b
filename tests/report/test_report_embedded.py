"""The page in frames of every kind, with and without an origin of their own."""

import base64
from dataclasses import replace

import pytest
from report_browser import Opened
from report_studies import pictures_of, study_of

from unknot.report import write_report

# A page that embeds the report in a frame.
HOST = """<!doctype html><meta charset="utf-8"><title>host</title><body><script>
const bytes = Uint8Array.from(atob("{data}"), c => c.charCodeAt(0));
const report = new TextDecoder().decode(bytes);
const frame = document.createElement("iframe");
frame.width = 1100;
frame.height = 800;
document.body.append(frame);
{how}
</script>"""
KINDS = {
    "srcdoc": "frame.srcdoc = report;",
    "sandboxed srcdoc": "frame.sandbox = 'allow-scripts'; frame.srcdoc = report;",
    "sandboxed blob": "frame.sandbox = 'allow-scripts'; "
    "frame.src = URL.createObjectURL(new Blob([report], {type: 'text/html'}));",
    "data": "frame.src = 'data:text/html;charset=utf-8;base64,{data}';",
    "written": "frame.contentDocument.write(report); frame.contentDocument.close();",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = study_of(60, 3, 2, measured=False)
    study = replace(study, thumbnails=pictures_of(study.labels))
    return write_report(study, tmp_path_factory.mktemp("embedded") / "report.html")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_works_in_a_frame(browser, small, tmp_path, kind):
    data = base64.b64encode(small.read_bytes()).decode("ascii")
    how = KINDS[kind].replace("{data}", data)
    host = tmp_path / "host.html"
    host.write_text(HOST.replace("{data}", data, 1).replace("{how}", how), encoding="utf-8")
    page = Opened(browser, host, reduced_motion="reduce")
    frame = page.page.frame_locator("iframe")
    frame.locator("[data-testid=map][data-moving=false]").wait_for()
    frame.get_by_test_id("layer-tick-1").click()
    frame.locator("[data-testid=layer-name]", has_text="fc1").wait_for()
    if "srcdoc" in kind:
        use_all(frame)
    page.faults = [fault for fault in page.faults if "sandboxed" not in fault]
    assert page.faults == []
    page.close()


def use_all(frame):
    """Use everything that needs a URL, storage or downloads, which a frame may lack."""
    frame.get_by_test_id("compare").click()
    frame.locator("[data-testid=other-map][data-moving=false]").wait_for()
    frame.get_by_test_id("legend-1").click()
    frame.get_by_test_id("filter").wait_for()
    frame.get_by_test_id("worst").get_by_role("button").first.click()
    frame.get_by_test_id("held").locator(".thumb").first.wait_for()
    frame.get_by_test_id("theme").click()
    frame.locator(".unknot[data-theme=dark]").wait_for()
    frame.locator("body").press("ArrowLeft")
    frame.locator("[data-testid=layer-name]", has_text="inputs").first.wait_for()
    # The sandbox blocks downloads; the page keeps working.
    frame.get_by_test_id("save-menu").locator("summary").click()
    frame.get_by_test_id("save-svg").click()
    frame.get_by_test_id("layer-slider").press("End")
    frame.locator("[data-testid=layer-name]", has_text="fc1").first.wait_for()


def test_where_nothing_can_be_opened_the_page_says_so(browser, small, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(small.read_text("utf-8").replace('"format":3', '"format":9'), "utf-8")
    page = Opened(browser, path)
    page.page.get_by_text("This page could not be opened").wait_for()
    assert "the data is of format 9" in page.page.locator("#unknot").inner_text()
    page.close()


def test_a_browser_that_lets_no_address_change_shows_the_page(browser, small):
    page = Opened(browser, small, "about:blank")
    page.context.add_init_script(
        "history.pushState = history.replaceState = "
        "() => { throw new DOMException('too often', 'SecurityError'); };"
    )
    page.open()
    page.page.reload()
    page.settled()
    page.page.wait_for_timeout(1000)
    page.page.get_by_test_id("layer-tick-1").click()
    page.page.locator("[data-testid=layer-name]", has_text="fc1").wait_for()
    page.check()
    page.close()
