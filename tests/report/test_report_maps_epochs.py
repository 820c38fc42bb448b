"""Own maps of epochs on the page: chosen beside t-SNE's, at every epoch."""

import numpy as np
import pytest
from report_browser import Opened
from sklearn.decomposition import PCA

from unknot.report import write_report
from unknot.studies import EpochRecorder

LABELS = np.repeat([0, 1, 2], 30)
PIXELS = np.random.default_rng(0).normal(size=(90, 5)).astype("f4")


@pytest.fixture(scope="module")
def study():
    recorder = EpochRecorder(
        (PIXELS, LABELS), measures=["neighborhood_hit", "map_neighborhood_hit"], max_iter=250,
        perplexity=8, progress=False, mapper={"flat": PCA(2)},
    )  # fmt: skip
    for epoch in (0, 2):
        moved = PIXELS + epoch * np.eye(5)[LABELS]
        recorder.capture({"fc1": moved.astype("f4")}, epoch)
    return recorder.study(maps={"mine": {2: {"fc1": PIXELS[:, :2]}}})


@pytest.fixture
def opened(browser, study, tmp_path):
    path = write_report(study, tmp_path / "report.html")
    page = Opened(browser, path, "map=flat&layer=fc1&epoch=0", reduced_motion="reduce")
    yield page
    page.check()
    page.close()


@pytest.mark.browser
def test_maps_are_switched_at_every_epoch(opened, study):
    page, hits = opened.page, {}
    flat = study.with_map("flat")
    assert page.get_by_test_id("map-by").input_value() == page.locator(
        "[data-testid=map-by] option", has_text="flat"
    ).get_attribute("value")
    for step, epoch in enumerate((0, 2)):
        page.get_by_test_id("epoch-slider").focus()
        page.keyboard.press("Home" if step == 0 else "End")
        page.get_by_test_id("epoch-name").get_by_text(f"epoch {epoch}").wait_for()
        opened.settled()
        value = flat.epochs[epoch]["fc1"].scores["map_neighborhood_hit"].value
        shown = page.get_by_test_id("value-map_neighborhood_hit").inner_text()
        assert f"{value:.3f}" in shown
        hits[epoch] = shown
    assert hits[0] != hits[2]


@pytest.mark.browser
def test_an_epoch_without_a_given_map_says_so(opened):
    page = opened.page
    page.get_by_test_id("map-by").select_option(label="mine")
    page.get_by_text("There is no map of fc1").wait_for()
    page.get_by_test_id("epoch-slider").focus()
    page.keyboard.press("End")
    page.get_by_text("There is no map of fc1").wait_for(state="hidden")
    opened.settled()
