"""How alike the layers are: the tables of the payload, and their pictures on the page."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import full_study, study_of
from test_report_looks import findings, sideways

import unknot
from unknot.metrics import linear_cka
from unknot.report import build_payload, write_report
from unknot.report._packing import unpack
from unknot.report._similarities import MAX_NEIGHBORS, MAX_SAMPLES, shared_neighbors


def values_of(table):
    """Return a table of the payload as numbers, NaN where one is missing."""
    steps = unpack(table["values"]).astype(float)
    values = np.where(steps == 65535, np.nan, steps / 65534)
    shape = len(table["rows"]), len(table["columns"])
    if table["first"] != table["second"]:
        return values.reshape(shape)
    whole = np.zeros(shape)
    whole[np.triu_indices(shape[0])] = values
    return np.maximum(whole, whole.T)


def tables_of(payload, measure):
    tables = payload["similarities"]["tables"]
    return {
        (*table["first"], *table["second"]): table
        for table in tables
        if table["measure"] == measure
    }


def common(one, other, k):
    """Return the share of the first k neighbors in common, by the definition."""
    pairs = zip(one.graph.indices[:, :k], other.graph.indices[:, :k], strict=True)
    return np.mean([len(set(a.tolist()) & set(b.tolist())) / k for a, b in pairs])


@pytest.fixture(scope="module")
def study():
    return study_of(300, 5, 4)


@pytest.fixture(scope="module")
def models(study):
    """Two models of the same inputs; the second has other layers."""
    rng = np.random.default_rng(3)

    def mixed(layer):
        points = layer.points + rng.normal(size=layer.points.shape).astype(np.float32)
        return replace(layer, points=points, graph=unknot.nearest_neighbors(points, 10))

    layers = {name: mixed(study.layers[name]) for name in ("fc1", "fc3")}
    layers = {"inputs": study.layers["inputs"], **layers}
    return replace(study, name="LeNet"), replace(study, name="Perceptron", layers=layers)


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("similar") / "report.html")


def test_tables_are_the_measures_of_all_pairs(study):
    payload = build_payload(study)
    layers = list(study.values())
    (cka,) = tables_of(payload, "linear_cka").values()
    (shared,) = tables_of(payload, "shared_neighbors").values()
    assert cka["rows"] == shared["rows"] == [0, 1, 2, 3]
    assert cka["samples"] == shared["samples"] == 300
    assert shared["k"] == MAX_NEIGHBORS
    assert shared["chance"] == pytest.approx(10 / 299)
    for i, one in enumerate(layers):
        for j, other in enumerate(layers):
            expected = linear_cka(one.points, other.points).value
            assert values_of(cka)[i, j] == pytest.approx(expected, abs=1e-5)
            assert values_of(shared)[i, j] == pytest.approx(common(one, other, 10), abs=1e-5)
    assert values_of(shared)[0, 3] < 0.2 < values_of(shared)[3, 3] == 1.0


def test_neighbors_in_common_by_hand():
    here, there = np.array([[1, 2], [0, 2]]), np.array([[2, 3], [3, 2]])
    # The first sample keeps 2 of its two, the second 2 as well.
    assert shared_neighbors([here], [there, here], 4).tolist() == [[0.5, 1.0]]


def test_two_models_are_compared_with_each_other_and_each_with_itself(models):
    one, other = models
    payload = build_payload(one, other=other)
    tables = tables_of(payload, "linear_cka")
    assert set(tables) == {(0, None, 0, None), (1, None, 1, None), (0, None, 1, None)}
    between = tables[0, None, 1, None]
    assert (between["rows"], between["columns"]) == ([0, 1, 2, 3], [0, 1, 2])
    expected = linear_cka(one["fc2"].points, other["fc3"].points).value
    assert values_of(between)[2, 2] == pytest.approx(expected, abs=1e-5)
    shared = tables_of(payload, "shared_neighbors")[0, None, 1, None]
    assert values_of(shared)[3, 2] == pytest.approx(common(one["fc3"], other["fc3"], 10), abs=1e-5)
    assert values_of(shared)[0, 0] == 1.0


def test_models_of_other_samples_are_not_compared_and_it_is_said(models):
    one, other = models
    inputs = replace(other["inputs"], points=other["inputs"].points[::-1].copy())
    payload = build_payload(one, other=replace(other, layers={**other.layers, "inputs": inputs}))
    assert (0, None, 1, None) not in tables_of(payload, "linear_cka")
    assert (0, None, 1, None) not in tables_of(payload, "shared_neighbors")
    (note,) = payload["similarities"]["notes"]
    assert "not compared with each other" in note
    assert "same samples" in note


def test_each_epoch_has_tables_and_views_have_none():
    study = full_study(200)
    payload = build_payload(study)
    tables = tables_of(payload, "shared_neighbors")
    assert set(tables) == {(0, None, 0, None), (0, 0, 0, 0)}
    names = [layer["name"] for layer in payload["models"][0]["layers"]]
    assert [names[at] for at in tables[0, 0, 0, 0]["rows"]] == list(study.epochs[1].layers)
    assert "dropout" not in {names[at] for at in tables[0, None, 0, None]["rows"]}


def test_a_layer_without_variance_is_missing_in_cka(study):
    dead = replace(study["fc2"], points=np.zeros((300, 3), dtype=np.float32))
    payload = build_payload(replace(study, layers={**study.layers, "fc2": dead}))
    (cka,) = tables_of(payload, "linear_cka").values()
    found = values_of(cka)
    assert np.isnan(found[2]).all()
    assert np.isfinite(np.delete(np.delete(found, 2, 0), 2, 1)).all()


def test_without_points_there_is_no_cka_and_it_is_said(study):
    layers = {name: replace(layer, points=None) for name, layer in study.layers.items()}
    payload = build_payload(replace(study, layers=layers))
    assert tables_of(payload, "linear_cka") == {}
    assert len(tables_of(payload, "shared_neighbors")) == 1
    (note,) = payload["similarities"]["notes"]
    assert "4 of 4 layers" in note
    assert "keep_points=True" in note


def test_many_samples_and_layers_are_bounded_and_small():
    rng = np.random.default_rng(0)
    study = study_of(1500, 3, 2, measured=False, graphs=False)
    first = study["inputs"]
    graph = unknot.nearest_neighbors(first.points, 10)
    layers = {
        f"block{at}": replace(
            first, name=f"block{at}", graph=graph, map=None,
            points=rng.normal(size=(1500, 3)).astype(np.float32),
        )
        for at in range(120)
    }  # fmt: skip
    few = build_payload(replace(study, layers=dict(list(layers.items())[:3])))
    many = build_payload(replace(study, layers=layers))
    for measure in ("linear_cka", "shared_neighbors"):
        (small,) = tables_of(few, measure).values()
        (large,) = tables_of(many, measure).values()
        assert small["samples"] == MAX_SAMPLES
        assert 128 <= large["samples"] <= MAX_SAMPLES
        assert len(large["values"]["data"]) < 2 * 2 * 120 * 121 // 2
    (cka,) = tables_of(many, "linear_cka").values()
    assert cka["samples"] < MAX_SAMPLES / 2
    (shared,) = tables_of(many, "shared_neighbors").values()
    assert (values_of(shared) == 1.0).all()


def test_a_cell_shows_both_maps_and_one_of_the_diagonal_one(opened, study):
    page = opened.page
    expected = linear_cka(study["fc1"].points, study["fc3"].points).value
    picture = page.get_by_test_id("similar-linear_cka")
    picture.scroll_into_view_if_needed()
    cells = picture.locator(".edge").bounding_box()
    side = cells["width"] / 4
    assert picture.locator(".cell-text").nth(7).text_content() == f"{expected:.2f}"[1:]
    at = cells["x"] + 3.5 * side, cells["y"] + 1.5 * side
    page.mouse.move(*at)
    words = page.get_by_test_id("similar-readout")
    page.wait_for_function(
        "document.querySelector('[data-testid=similar-readout]').textContent.includes('CKA 0.')"
    )
    shared = common(study["fc1"], study["fc3"], 10)
    assert words.inner_text() == (
        f"fc1 and fc3: linear CKA {expected:.3f}; {100 * shared:.1f}\u00a0% of the neighbors in "
        "common."
    )
    page.mouse.click(*at)
    opened.until(layer="fc1", beside="fc3")
    picture.scroll_into_view_if_needed()
    cells = picture.locator(".edge").bounding_box()
    page.mouse.click(cells["x"] + 2.5 * side, cells["y"] + 2.5 * side)
    opened.until(layer="fc2", beside=None)
    picture.scroll_into_view_if_needed()
    picture.locator(".row-name").nth(3).click()
    opened.until(layer="fc3", beside=None)


def test_arrow_keys_go_over_the_cells(opened):
    page = opened.page
    page.get_by_test_id("similar-shared_neighbors").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    opened.until(layer="fc1", beside="fc2")
    # It is drawn anew, and keeps the focus.
    page.wait_for_function("document.activeElement.dataset.testid === 'similar-shared_neighbors'")


def test_between_two_models(browser, models, tmp_path):
    path = write_report(models[0], tmp_path / "report.html", other=models[1])
    page = Opened(browser, path, reduced_motion="reduce")
    page.settled()
    picture = page.page.get_by_test_id("similar-linear_cka")
    assert picture.locator(".column-name").all_text_contents() == ["inputs", "fc1", "fc2", "fc3"]
    page.page.get_by_test_id("similar-between").click()
    assert picture.locator(".column-name").all_text_contents() == ["inputs", "fc1", "fc3"]
    assert page.page.get_by_test_id("similar-place").inner_text() == (
        "Rows: LeNet; columns: Perceptron."
    )
    picture.scroll_into_view_if_needed()
    cells = picture.locator(".edge").bounding_box()
    side = cells["width"] / 3
    page.page.mouse.click(cells["x"] + 1.5 * side, cells["y"] + 3.5 * side)
    page.until(layer="fc3", beside="fc1", **{"beside-model": "Perceptron"})
    # From the other model the table is turned.
    page.page.get_by_test_id("model-1").click()
    page.page.get_by_test_id("similar-between").click()
    assert picture.locator(".column-name").all_text_contents() == ["inputs", "fc1", "fc2", "fc3"]
    expected = linear_cka(models[1]["fc1"].points, models[0]["fc3"].points).value
    assert picture.locator(".cell-text").nth(7).text_content() == f"{expected:.2f}"[1:]
    page.check()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(browser, report, scheme, width):
    page = Opened(
        browser, report, "layer=fc2&beside=fc1", reduced_motion="reduce", color_scheme=scheme,
        viewport={"width": width, "height": 800}, forced_colors="active" if width > 999 else None,
    )  # fmt: skip
    page.settled()
    page.page.get_by_test_id("similar-linear_cka").focus()
    assert findings(page) == []
    assert sideways(page) <= 0
    page.check()
    page.close()
