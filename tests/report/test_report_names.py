"""Class names on the map and in saved images, of every script and length."""

import itertools

import numpy as np
import pytest
from report_browser import Opened
from report_studies import study_of

import unknot
from unknot.report import write_report
from unknot.studies import LayerStudy, Study

NAMES = (
    "猫と犬とうさぎ", "汉字类别名称很长的类别", "🐈‍⬛🚀 emoji", "Donaudampfschifffahrtskapitän",
    "plane", "שלום עולם", "x" * 40, "two  words\nand a line",
)  # fmt: skip
# Names as they stand, with their boxes, their leaders' ends, and whether they are faint.
READ = """
group => [...group.querySelectorAll("text")].map(text => {
    const { left, top, right, bottom } = text.getBoundingClientRect();
    return { text: text.textContent, box: [left, top, right, bottom], style: text.style.fill,
             faint: text.classList.contains("faint") };
})
"""


def lying(names):
    """Return pairs of overlapping names."""
    found = []
    for one, other in itertools.combinations(names, 2):
        left, top, right, bottom = one["box"]
        left2, top2, right2, bottom2 = other["box"]
        across = left < right2 and left2 < right
        # The height of a line is more than that of its letters.
        if across and top + 3 < bottom2 - 3 and top2 + 3 < bottom - 3:
            found.append((one["text"], other["text"]))
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    study = study_of(240, len(NAMES), 3, measured=False, class_names=NAMES)
    return write_report(study, tmp_path_factory.mktemp("names") / "report.html")


@pytest.mark.parametrize("width", [360, 1280])
def test_names_of_every_script_do_not_lie_on_each_other(browser, path, width):
    page = Opened(
        browser, path, "layer=fc2", reduced_motion="reduce",
        viewport={"width": width, "height": 860},
    )  # fmt: skip
    page.settled()
    names = page.page.locator(".overlay .names").evaluate(READ)
    assert len(names) == len(NAMES) or width < 400
    assert len(names) > len(NAMES) / 2
    assert lying(names) == []
    assert all(right - left < 160 for left, _, right, _ in (name["box"] for name in names))
    texts = {name["text"] for name in names}
    assert not {text for text in texts if "\n" in text}
    if width > 400:
        assert any(text.startswith("Donau") and text.endswith("pitän") for text in texts)
    box = page.page.get_by_test_id("map").bounding_box()
    for name in names:
        assert box["x"] <= name["box"][0]
        assert name["box"][2] <= box["x"] + box["width"]
    # The picture that is saved, shown in a document of its own.
    page.page.get_by_test_id("save-menu").locator("summary").click()
    with page.page.expect_download() as download:
        page.page.get_by_test_id("save-svg").click()
    page.check()
    page.page.goto(download.value.path().rename(path.parent / f"{width}.svg").as_uri())
    saved = page.page.locator("g[clip-path]").evaluate(READ)
    assert len(saved) == len(names)
    assert lying(saved) == []
    page.close()


def test_only_classes_with_a_place_of_their_own_are_named_firmly(browser, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 6
    mixed = rng.normal(size=(300, 2)).astype(np.float32)
    apart = mixed / 8 + np.stack([labels % 3, labels // 3], axis=1).astype(np.float32)
    layers = {
        name: LayerStudy(name, "Dense", (2,), map_, unknot.nearest_neighbors(map_, 6), map_)
        for name, map_ in (("mixed", mixed), ("apart", apart))
    }
    study = Study("random", layers, labels, tuple("abcdef"))
    page = Opened(browser, write_report(study, tmp_path / "report.html"), reduced_motion="reduce")
    page.settled()
    names = page.page.locator(".overlay .names")
    assert [name["faint"] for name in names.evaluate(READ)] == [True] * 6
    page.page.get_by_test_id("layer-tick-1").click()
    page.until(layer="apart")
    page.settled()
    firm = names.evaluate(READ)
    assert [name["faint"] for name in firm] == [False] * 6
    assert len({name["style"] for name in firm}) == 6  # each in the color of its class
    page.page.get_by_test_id("color-hit").click()
    page.until(color="hit")
    assert {name["style"] for name in names.evaluate(READ)} == {""}
    page.check()
    page.close()
