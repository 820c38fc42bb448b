"""Maps beside t-SNE's on the page: switched, linked, measured."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import MEASURES, study_of

import unknot
from unknot.report import write_report
from unknot.studies import OwnMap


@pytest.fixture(scope="module")
def study():
    plain = study_of(240, 4, 3)
    layers = dict(plain.layers)
    for name in ("fc1", "fc2"):
        layer = plain[name]
        map_ = np.random.default_rng(3).normal(size=(240, 2)).astype("f4")
        found = unknot.measure(
            layer.points, plain.labels, map_, MEASURES, graph=layer.graph, n_resamples=20,
            n_permutations=3,
        )  # fmt: skip
        layers[name] = replace(layer, other_maps={"<b>U</b>": OwnMap(map_, found)})
    return replace(plain, layers=layers)


@pytest.fixture
def opened(browser, study, tmp_path):
    page = Opened(browser, write_report(study, tmp_path / "report.html"), reduced_motion="reduce")
    yield page
    page.check()
    page.close()


def test_maps_are_switched_and_keep_the_place(opened, study):
    opened.open("layer=fc2&selection=3-9&color=hit")
    value = opened.page.get_by_test_id("value-map_neighborhood_hit")
    usual = study["fc2"].scores["map_neighborhood_hit"].value
    assert value.locator("b").inner_text() == f"{usual:.3f}"
    opened.page.get_by_test_id("map-by").select_option("<b>U</b>")
    opened.until(map="<b>U</b>", layer="fc2", selection="3-9", color="hit")
    other = study.with_map("<b>U</b>")["fc2"].scores["map_neighborhood_hit"].value
    assert other < 0.5 < usual
    assert value.locator("b").inner_text() == f"{other:.3f}"
    native = opened.page.get_by_test_id("value-neighborhood_hit").locator("b").inner_text()
    assert native == f"{study['fc2'].scores['neighborhood_hit'].value:.3f}"
    # What is in the link is shown when it is opened, and the way back is in the history.
    opened.page.reload()
    assert value.locator("b").inner_text() == f"{other:.3f}"
    opened.page.get_by_test_id("map-by").select_option("t-SNE")
    opened.until(map=None)


def test_a_layer_without_such_a_map_says_so(opened):
    opened.open("map=%3Cb%3EU%3C%2Fb%3E&layer=inputs")
    words = opened.page.get_by_test_id("no-map")
    words.wait_for()
    assert words.inner_text() == "There is no map of inputs."


def test_a_link_to_maps_that_are_not_here_says_so(opened):
    opened.open("map=gone&layer=fc1")
    opened.page.get_by_test_id("notice").wait_for()
    assert "map by “gone”" in opened.page.get_by_test_id("notice").inner_text()
