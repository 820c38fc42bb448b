"""Pictures of the page for paper: as wide as a column, in type that can be read, with a caption."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image
from report_browser import Opened
from report_studies import study_of

from unknot.report import write_report

# What stands in a picture, and the width of it, in points of type.
READ = """svg => {
    const box = svg.getBoundingClientRect();
    const points = 72 * parseFloat(svg.getAttribute('width')) / box.width;
    return [...svg.querySelectorAll('text')].map((text) => {
        const {left, right, top, bottom} = text.getBoundingClientRect();
        return {
            text: text.textContent,
            size: points * parseFloat(getComputedStyle(text).fontSize)
                * text.getCTM().a,
            inside: left >= box.left - 1 && right <= box.right + 1
                && top >= box.top - 1 && bottom <= box.bottom + 1,
            top,
        };
    });
}"""


@pytest.fixture(scope="module")
def page_of_two(tmp_path_factory):
    settings = {"perplexity": 30, "random_state": 7, "k": 6}
    first = replace(study_of(300, 10, 4, name="LeNet", measured=True), settings=settings)
    second = replace(study_of(300, 10, 2, name="Perceptron", measured=True), settings=settings)
    path = tmp_path_factory.mktemp("paper") / "report.html"
    return write_report(first, path, other=second)


@pytest.fixture
def opened(browser, page_of_two):
    page = Opened(browser, page_of_two, "layer=fc2", color_scheme="dark", reduced_motion="reduce")
    page.settled()
    yield page
    page.check()
    page.close()


def save(opened, kind, size, path):
    page = opened.page
    page.get_by_test_id("save-menu").locator("summary").click()
    page.get_by_test_id("picture-size").select_option(size)
    with page.expect_download() as download:
        page.get_by_test_id(f"save-{kind}").click()
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("size", ["3.3", "6.9"])
@pytest.mark.parametrize("compared", [False, True])
def test_a_picture_for_paper_has_its_width_and_readable_type(
    browser, opened, tmp_path, size, compared
):
    if compared:
        opened.page.get_by_test_id("compare").click()
        opened.settled("other-map")
    opened.page.get_by_test_id("overlay-ellipses").click()
    svg = save(opened, "svg", size, tmp_path / "map.svg")
    png = save(opened, "png", size, tmp_path / "map.png")
    with Image.open(png) as image:
        image.load()  # its checksums are right
        assert image.width == round(300 * float(size))
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        # Paper is white, whatever the screen is.
        assert image.convert("L").getpixel((image.width - 1, image.height - 1)) == 255
        high = image.height / image.width
    text = svg.read_text(encoding="utf-8")
    width, height = re.search(r'<svg[^>]*? width="([\d.]+)in" height="([\d.]+)in"', text).groups()
    assert width == size
    assert float(height) / float(width) == pytest.approx(high, abs=0.01)

    tab = browser.new_page(viewport={"width": 1200, "height": 1000})
    tab.goto(svg.as_uri())
    texts = tab.locator("svg").evaluate(READ)
    tab.close()
    assert all(each["inside"] for each in texts), [each for each in texts if not each["inside"]]
    sizes = [each["size"] for each in texts]
    assert min(sizes) > 6.99
    assert max(sizes) < 9.1
    # The legend is below the maps, whole.
    *legend, ellipse = sorted(texts, key=lambda each: each["top"])[-11:]
    assert len({each["text"] for each in legend}) == 10
    assert ellipse["text"] == "best-fitting ellipse of a class"


def test_the_caption_says_what_the_picture_stands_on(opened, tmp_path):
    opened.page.get_by_test_id("compare").click()
    opened.settled("other-map")
    text = save(opened, "svg", "3.3", tmp_path / "map.svg").read_text(encoding="utf-8")
    caption = re.search("<desc>(.*?)</desc>", text).group(1)
    assert "maps of 300 samples" in caption
    assert caption.count("perplexity 30, seed 7") == 2
    assert caption.count("KL divergence") == 2
    assert re.search(r"Neighborhood Hit, native [\d.]+ \(.*k = 6\)", caption)
    # The same as is copied, which a page opened from disk can only show.
    opened.page.get_by_test_id("save-menu").locator("summary").click()
    opened.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    opened.page.get_by_test_id("copy-caption").click()
    shown = opened.page.get_by_test_id("notice").inner_text()
    assert caption in shown.replace("\n", " "), json.dumps([caption, shown])
