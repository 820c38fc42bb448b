"""Appearance: dark and light, narrow, many classes, without WebGL, and accessibility."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_browser import Opened, launched, payload_of
from report_studies import HOSTILE, pictures_of, study_of

from unknot.report import write_report

NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return /webgl/i.test(kind) ? null : original.call(this, kind, ...rest);
};
"""


@pytest.fixture
def open_page(browser):
    """Open pages, check them for errors and requests, and close them at the end."""
    pages = []

    def open_(path, fragment="", **options):
        pages.append(Opened(browser, path, fragment, **{"reduced_motion": "reduce", **options}))
        return pages[-1]

    yield open_
    for page in pages:
        page.check()
        page.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    study = study_of(100, 10, 3, class_names=HOSTILE, name=HOSTILE[0])
    layers = {
        f"{name} {HOSTILE[number]}": replace(layer, name=f"{name} {HOSTILE[number]}")
        for number, (name, layer) in enumerate(study.layers.items())
    }
    study = replace(
        study, layers=layers, snippets=HOSTILE * 10, settings={HOSTILE[0]: HOSTILE[1]},
        controls={HOSTILE[1]: {name: layer.scores for name, layer in layers.items()}},
    )  # fmt: skip
    return write_report(study, tmp_path_factory.mktemp("hostile") / "<b>&amp;'\".html"), study


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A hundred classes with names."""
    names = [f"species {number}" for number in range(100)]
    study = study_of(1500, 100, 2, class_names=names)
    study = replace(study, thumbnails=pictures_of(study.labels))
    return write_report(study, tmp_path_factory.mktemp("crowd") / "report.html")


def sideways(page):
    """Return by how many pixels the page is wider than the screen."""
    return page.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def luminance(page):
    """Return the brightness of the background, from 0 to 255."""
    color = page.page.evaluate(
        """() => {
            let there = document.elementFromPoint(1, 300);
            const clear = (element) => getComputedStyle(element).backgroundColor.endsWith(", 0)");
            while (clear(there) && there.parentElement) there = there.parentElement;
            return getComputedStyle(there).backgroundColor;
        }"""
    )
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", color)[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


def findings(page):
    """Return the violations reported by axe-core, with their elements."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is missing")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.page.evaluate(source)
    result = page.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert result["passes"]  # it did check something
    return [
        f"{found['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


def test_the_ground_follows_the_system_and_the_button(open_page, report):
    dark = open_page(report, color_scheme="dark")
    assert luminance(dark) < 60
    dark.page.get_by_test_id("theme").click()
    dark.page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert luminance(dark) > 200
    assert luminance(open_page(report, color_scheme="light")) > 200


@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("fragment", ["", "beside=fc5&point=3&selection=1-20&overlays=hulls"])
def test_nothing_goes_beyond_the_screen(open_page, report, width, fragment):
    page = open_page(report, fragment, viewport={"width": width, "height": 800})
    page.page.wait_for_timeout(300)
    assert sideways(page) <= 0
    canvas = page.page.get_by_test_id("map-canvas").bounding_box()
    assert canvas["x"] >= 0
    assert canvas["width"] > 140
    assert canvas["x"] + canvas["width"] <= width


def test_the_narrow_page_can_be_touched(open_page, report):
    page = open_page(report, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.page.get_by_test_id("layer-slider").tap()
    page.page.wait_for_function("!location.hash.includes('layer=inputs')")
    page.page.get_by_test_id("color-correct").tap()
    page.until(color="correct")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, report, scheme):
    page = open_page(
        report, "layer=fc2&point=7&selection=1-30&classes=1,2,3&overlays=hulls", color_scheme=scheme
    )
    for details in ("chooser", "table", "about"):
        page.page.get_by_test_id(details).locator("summary").click()
    page.page.wait_for_timeout(400)
    assert findings(page) == []


def test_axe_finds_nothing_side_by_side_and_narrow(open_page, report):
    page = open_page(report, "beside=dead", viewport={"width": 360, "height": 800})
    page.page.wait_for_timeout(400)
    assert findings(page) == []


def test_axe_can_find_something(open_page, report):
    page = open_page(report)
    page.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any(found.startswith("button-name") for found in findings(page))


def test_without_webgl_the_still_figure_is_shown_and_the_rest_works(browser, report):
    page = Opened(browser, report, "about:blank")
    page.context.add_init_script(NO_WEBGL)
    page.open()
    page.page.reload()
    message = page.page.get_by_test_id("no-webgl").first
    message.wait_for()
    assert "WebGL" in message.inner_text()
    figure = page.page.locator(".no-webgl img").first
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") > 800
    page.page.get_by_test_id("layer-slider").focus()
    page.page.keyboard.press("ArrowRight")
    page.until(layer="fc1")
    page.page.get_by_test_id("cell-1-2").click()
    page.until(classes="1,2")
    page.check()
    page.close()


def test_without_webgl_in_the_browser_itself(browser, report):
    with launched(browser.browser_type, "--disable-3d-apis") as without:
        page = Opened(without, report)
        page.page.get_by_test_id("no-webgl").first.wait_for()
        page.check()
        page.close()


def test_hostile_names_are_text_everywhere(open_page, hostile):
    path, study = hostile
    page = open_page(path, "beside=*2&point=3&selection=1-20&overlays=hulls")
    for details in ("chooser", "table", "about"):
        page.page.get_by_test_id(details).locator("summary").click()
    for tick in range(3):
        page.page.get_by_test_id(f"layer-tick-{tick}").click()
        page.page.wait_for_timeout(100)
    for entry in range(10):
        page.page.get_by_test_id(f"legend-{entry}").click()
    page.page.get_by_test_id("worst").get_by_role("button").first.hover()
    added = "main b img, main script, img[src=x], [onerror], [onload], [onclick]"
    assert page.page.locator(added).count() == 0
    assert page.page.locator("script").count() == 2
    assert page.page.locator("h1").inner_text() == study.name
    assert page.page.title() == study.name
    legend = page.page.get_by_test_id("legend").inner_text()
    for name in (HOSTILE[0], HOSTILE[1], "🐈‍⬛ cat", "שלום עולם"):
        assert name in legend or name[:30] in legend
    assert sideways(page) <= 0
    assert payload_of(path)["classNames"] == list(HOSTILE)


def test_hostile_names_are_text_in_what_is_saved(open_page, hostile):
    page = open_page(hostile[0], "selection=0-99")
    with page.page.expect_download() as download:
        page.page.get_by_test_id("export-selection").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert '"""quoted"" & \'single\'"' in text
    page.page.get_by_test_id("save-menu").locator("summary").click()
    with page.page.expect_download() as download:
        page.page.get_by_test_id("save-svg").click()
    picture = download.value.path().read_text(encoding="utf-8")
    assert "<script" not in picture
    assert "<img" not in picture


def test_a_hundred_classes_have_a_legend_and_a_heat_map(open_page, crowd):
    page = open_page(crowd)
    legend = page.page.get_by_test_id("legend").get_by_role("button")
    assert legend.count() == 100
    assert page.page.get_by_test_id("heatmap").locator("path.cell").count() > 5
    # The cell at the lower right is that of the last class with itself.
    table = page.page.get_by_test_id("heatmap").locator("svg")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
    page.until(classes="99")
    page.page.get_by_test_id("show-all").click()
    page.page.get_by_test_id("legend-99").click()
    page.until(classes="99")
    page.page.get_by_test_id("show-all").click()
    page.page.get_by_test_id("overlay-ellipses").click()
    assert page.page.locator(".overlay .shapes path").count() == 100
    assert sideways(page) <= 0


def test_two_classes_and_text_instead_of_pictures(open_page, tmp_path):
    study = study_of(60, 2, 2, class_names=("ham", "spam"))
    words = tuple(f"message {number}: <b>hello</b>" for number in range(60))
    path = write_report(replace(study, snippets=words), tmp_path / "report.html")
    page = open_page(path, "point=5")
    assert "message 5: <b>hello</b>" in page.page.get_by_test_id("held").inner_text()


def test_a_study_without_predictions_thumbnails_or_scores(open_page, tmp_path):
    study = study_of(60, 2, 2, measured=False)
    bare = replace(study, predictions=None, probabilities=None)
    page = open_page(write_report(bare, tmp_path / "report.html"), "point=5")
    assert page.page.get_by_test_id("color-prediction").is_hidden()
    assert page.page.get_by_test_id("color-correct").is_hidden()
    assert "Predicted" not in page.page.get_by_test_id("held").inner_text()


def test_what_the_policy_forbids_does_not_leave_the_page(browser, report):
    page = Opened(browser, report)
    page.context.set_offline(False)
    blocked, injected = page.page.evaluate(
        """async () => {
            const blocked = [];
            const note = ({ violatedDirective }) => blocked.push(violatedDirective);
            document.addEventListener("securitypolicyviolation", note);
            await fetch("http://127.0.0.1:9/x").catch(() => {});
            new Image().src = "http://127.0.0.1:9/x.png";
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            await new Promise(resolve => setTimeout(resolve, 300));
            return [blocked, window.injected ?? false];
        }"""
    )
    assert {"connect-src", "img-src", "script-src-elem"} <= set(blocked)
    assert injected is False
    page.close()
