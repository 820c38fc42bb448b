"""What only large, narrow or unusual pages show."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import study_of

import unknot
from unknot.report import write_report


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Write a page of sixty layers whose names begin and end alike."""
    study = study_of(120, 3, 2, measured=False)
    layer = study.layers["fc1"]
    names = [f"model.blocks.{number // 4}.layer{number % 4}.mlp" for number in range(60)]
    layers = {name: replace(layer, name=name) for name in names}
    path = tmp_path_factory.mktemp("deep") / "report.html"
    return write_report(replace(study, layers=layers), path)


@pytest.fixture
def open_at(browser):
    """Open a page in a window of a size; check it when the test is over."""
    pages = []

    def opening(path, fragment="", width=1280, height=900):
        size = {"width": width, "height": height}
        page = Opened(browser, path, fragment, viewport=size, reduced_motion="reduce")
        page.settled()
        pages.append(page)
        return page

    yield opening
    for page in pages:
        page.check()
        page.close()


def box_of(opened, selector):
    return opened.page.locator(selector).first.bounding_box()


def test_the_small_map_of_what_is_shown_is_in_sight(open_at, deep):
    opened = open_at(deep, "layer=*50")
    row = box_of(opened, ".film")
    here = box_of(opened, ".film [aria-current]")
    assert row["x"] <= here["x"] <= row["x"] + row["width"] - here["width"]
    shown = opened.page.get_by_test_id("film-49").inner_text()
    other = opened.page.get_by_test_id("film-48").inner_text()
    assert shown == "12.layer1"
    assert other == "12.layer0"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_slider_of_many_layers_ends_where_the_map_does(open_at, deep, width):
    opened = open_at(deep, width=width)
    pane = box_of(opened, "[data-testid=map]")
    slider = box_of(opened, "[data-testid=layer-slider]")
    assert slider["x"] + slider["width"] <= pane["x"] + pane["width"] + 2
    # The thumb stands over its tick all the same.
    opened.open("layer=*60")
    opened.settled()
    slider, tick = (
        box_of(opened, f"[data-testid={name}]") for name in ("layer-slider", "layer-tick-59")
    )
    assert slider["x"] + slider["width"] - 10 == pytest.approx(
        tick["x"] + tick["width"] / 2, abs=1.5
    )


def test_names_grow_with_a_map_as_high_as_a_wall(open_at, report):
    def name_size(width, height):
        opened = open_at(report, "layer=fc5", width, height)
        return opened.page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=map] .names text')).fontSize"
        )

    small, large = (float(name_size(*size)[:-2]) for size in ((1280, 900), (3840, 2160)))
    assert large == pytest.approx(2 * small, rel=0.05)


def tick_names(opened):
    """Return the font sizes of the names under the slider, and how far any runs into the next."""
    return opened.page.evaluate(
        """() => {
            const sizeOf = (name) => parseFloat(getComputedStyle(name).fontSize);
            const boxes = [...document.querySelectorAll(".tick bdi")]
                .filter((name) => name.offsetParent)
                .map((name) => [name.getBoundingClientRect(), sizeOf(name)])
                .sort(([a], [b]) => a.left - b.left);
            const rows = Map.groupBy(boxes, ([box]) => Math.round(box.top));
            const over = [...rows.values()].flatMap((row) =>
                row.slice(1).map(([box], i) => row[i][0].right - box.left));
            return [Math.min(...boxes.map(([, size]) => size)), Math.max(-1e9, ...over)];
        }"""
    )


@pytest.mark.parametrize(("width", "height", "size"), [(1280, 900, 13), (3840, 2160, 26)])
@pytest.mark.parametrize("alone", [True, False])
def test_names_of_layers_grow_where_the_map_has_a_wall(open_at, report, width, height, size, alone):
    opened = open_at(report, "layer=fc5" + "&view=map" * alone, width, height)
    if not alone:
        opened.page.get_by_test_id("full-screen").click()
        opened.page.wait_for_function("document.fullscreenElement")
        opened.settled()
    found, over = tick_names(opened)
    assert found == pytest.approx(size)
    assert over < 0
    # Nothing is below the window.
    whole = "(document.fullscreenElement ?? document.documentElement).scrollHeight"
    assert opened.page.evaluate(f"{whole} - innerHeight") <= 1


@pytest.mark.parametrize("width", [360, 1280])
def test_the_title_of_a_small_map_is_not_on_it(open_at, tmp_path, width):
    first = study_of(120, 4, 3, name="LeNet", measured=False)
    second = study_of(120, 4, 2, name="Perceptron", measured=False)
    page = write_report(first, tmp_path / "report.html", other=second)
    opened = open_at(page, "layer=fc1", width)
    opened.page.get_by_test_id("compare").click()
    opened.settled("other-map")
    titles = opened.page.get_by_test_id("map-title")
    for title, pane in zip(titles.all(), ("map", "other-map"), strict=True):
        box, map_ = title.bounding_box(), box_of(opened, f"[data-testid={pane}]")
        above = box["y"] + box["height"] <= map_["y"] + 1
        assert above == (width == 360)


def test_two_models_keep_their_tools_in_one_row(open_at, tmp_path):
    first = study_of(120, 4, 3, name="LeNet", measured=False)
    second = study_of(120, 4, 2, name="Perceptron", measured=False)
    opened = open_at(write_report(first, tmp_path / "report.html", other=second))
    tools = [
        box_of(opened, f"[data-testid={name}]")["y"] for name in ("model-0", "compare", "save-menu")
    ]
    assert max(tools) - min(tools) < 10


def test_an_axis_of_errors_has_ticks_down_to_its_lowest_line(open_at, tmp_path):
    study = study_of(400, 4, 3)
    shares = {"inputs": 0.8, "fc1": 0.93, "fc2": 0.97}
    layers = {}
    for name, share in shares.items():
        layer = study.layers[name]
        score = layer.scores["neighborhood_hit"]
        known = replace(
            score, value=share, interval=(share - 0.01, share + 0.01), null=0.25, null_interval=None
        )
        scores = replace(layer.scores, scores={**dict(layer.scores), "neighborhood_hit": known})
        layers[name] = replace(layer, scores=scores)
    opened = open_at(write_report(replace(study, layers=layers), tmp_path / "report.html"))
    chart = opened.page.get_by_test_id("chart-neighborhood_hit")
    assert "log of errors" in chart.inner_text()
    chart.locator("svg text").first.wait_for()  # charts are drawn after the map
    ticks = chart.locator("svg text").all_text_contents()
    assert {"0.5", "0.8", "0.9"} <= set(ticks)


def test_the_search_box_offers_what_a_page_of_values_has(open_at, tmp_path):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(80, 4))
    study = unknot.study(
        {"fc1": np.tanh(inputs)}, (inputs, inputs[:, 0] + 0.1), measures="two_nn", max_iter=250,
        untrained=False, progress=False,
    )  # fmt: skip
    opened = open_at(write_report(study, tmp_path / "report.html"))
    hint = opened.page.get_by_test_id("find").get_attribute("placeholder")
    assert hint.endswith("value > 0")
    assert not any(word in hint for word in ("class", "wrong", "NH"))
    button = opened.page.get_by_test_id("color-class")
    corners = button.evaluate(
        "b => ['borderTopLeftRadius', 'borderTopRightRadius'].map(k => getComputedStyle(b)[k])"
    )
    assert corners == ["8px", "8px"]


def test_half_of_the_neighbors_is_not_less_than_half(open_at, study, report):
    hits = unknot.metrics.neighborhood_hit(study.layers["fc1"].map, study.labels, k=6).per_point
    assert (hits == 0.5).sum() > 10
    opened = open_at(report, "layer=fc1")
    opened.page.get_by_test_id("find").fill("NH < 0.5")
    opened.page.get_by_test_id("find").press("Enter")
    told = opened.page.get_by_test_id("found").inner_text()
    assert told == f"{(hits < 0.5).sum()} points found at fc1, epoch 5."
