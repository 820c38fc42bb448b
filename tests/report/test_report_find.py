"""Searching and selecting by condition, and what the page says of a selection."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import HOSTILE, study_of
from test_report_browser import selected

import unknot
from unknot.report import write_report


def find(opened, query):
    box = opened.page.get_by_test_id("find")
    box.fill(query)
    box.press("Enter")
    opened.page.wait_for_function(
        "document.querySelector('[data-testid=found]').textContent !== ''"
    )
    return opened.page.get_by_test_id("found").inner_text()


def hits_of(study, number):
    """Return the shares as they are, not as the page stores them."""
    map_ = list(study.layers.values())[number].map
    return unknot.metrics.neighborhood_hit(map_, study.labels, k=6).per_point


def test_points_are_found_by_conditions_and_selected(opened, study):
    wrong = np.flatnonzero(study.predictions != study.labels)
    assert find(opened, "wrong").startswith(f"{len(wrong)} points found at inputs")
    assert selected(opened) == set(wrong.tolist())
    low = np.flatnonzero((hits_of(study, 0) < 0.5) & (study.labels == 3))
    find(opened, "NH < 0.5 and class: 3")
    assert selected(opened) == set(low.tolist())
    found_by = opened.page.get_by_test_id("found-by").inner_text()
    assert found_by.startswith("Found by: NH < 0.5 and class: 3, at inputs")


def test_what_moved_between_two_layers_is_found(opened, study):
    def square(name):
        map_ = study.layers[name].map
        low, high = map_.min(axis=0), map_.max(axis=0)
        return (map_ - (low + high) / 2) * (2 * 0.94 / (high - low).max())

    far = np.linalg.norm(square("inputs") - square("fc3"), axis=1) / 2
    find(opened, "moved > 0.3 between inputs and fc3")
    assert 3 < len(selected(opened)) < 500
    assert selected(opened) == set(np.flatnonzero(far > 0.3).tolist())


def test_a_search_stays_in_the_link_and_is_cleared(opened):
    find(opened, "wrong")
    link = opened.page.url.partition("#")[2]
    opened.open("layer=inputs")
    opened.until(selection=None)
    opened.open(link)
    opened.page.reload()
    assert opened.page.get_by_test_id("find").input_value() == "wrong"
    assert "Found by: wrong" in opened.page.get_by_test_id("found-by").inner_text()
    opened.page.get_by_test_id("clear-selection").click()
    opened.until(selection=None, find=None)
    assert opened.page.get_by_test_id("find").input_value() == ""


def test_what_cannot_be_found_is_said(opened):
    assert "There is no class “zebra”" in find(opened, "zebra")
    assert "There is no layer “gone”" in find(opened, "moved > 0.1 between inputs and gone")
    assert "No point is so" in find(opened, "wrong and correct")
    assert "selection" not in opened.state


@pytest.mark.parametrize(("color", "row"), [("correct", 1), ("hit", 0), ("hit", 3)])
def test_a_row_of_every_legend_selects_its_points(opened, study, color, row):
    opened.page.get_by_test_id(f"color-{color}").click()
    opened.until(color=color)
    opened.page.get_by_test_id(f"category-{row}").click()
    opened.page.wait_for_function("location.hash.includes('selection=')")
    if color == "correct":
        expected = study.predictions != study.labels
    else:
        expected = np.rint(hits_of(study, 0) * 6) == row
    assert selected(opened) == set(np.flatnonzero(expected).tolist())


def test_a_selection_has_its_accuracy_mistakes_and_samples(opened, study):
    opened.open("layer=fc2&selection=0-99")
    facts = opened.page.get_by_test_id("selection-facts")
    facts.wait_for()
    rows = [row.split("\t") for row in facts.locator("tbody tr").all_inner_texts()]
    right = study.predictions == study.labels
    assert rows[0] == ["Points", "100", "600"]
    percent = [f"{100 * part.mean():.1f}\u00a0%" for part in (right[:100], right)]
    assert rows[1] == ["Accuracy", *percent]
    hits = hits_of(study, 2)
    assert rows[2] == ["NH here", f"{hits[:100].mean():.3f}", f"{hits.mean():.3f}"]
    said = facts.locator("svg").get_attribute("aria-label")
    assert f"inputs {hits_of(study, 0)[:100].mean():.3f}, all" in said
    assert facts.locator(".mistakes li .count").count() >= 4
    samples = opened.page.get_by_test_id("selection-samples").get_by_role("button")
    assert samples.count() == 24
    opened.page.get_by_test_id("selection-more").click()
    assert samples.count() == 100
    samples.nth(5).click()
    opened.until(point="5")


def test_two_selections_are_compared(opened):
    opened.open("layer=fc2&selection=0-9")
    opened.page.get_by_test_id("selection-against").click()
    opened.until(against="0-9")
    opened.open("layer=fc2&selection=5-24&against=0-9")
    rows = opened.page.get_by_test_id("selection-facts").locator("tbody tr")
    rows.first.wait_for()
    found = [row.split("\t") for row in rows.all_inner_texts()]
    assert found[0] == ["Points", "20", "10"]
    assert found[-1] == ["In both", "5", "5"]
    opened.page.get_by_test_id("selection-against").click()
    opened.until(against=None)


def test_files_are_called_by_what_they_hold(opened):
    opened.open("layer=fc2&selection=0-9")
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("export-selection").click()
    assert download.value.suggested_filename == "a-network-fc2-epoch-5-selection.csv"


def test_hostile_names_and_texts_are_found_as_text(browser, tmp_path):
    study = study_of(100, 10, 2, class_names=HOSTILE, name=HOSTILE[0])
    words = tuple(HOSTILE[label] for label in study.labels)
    page = Opened(
        browser, write_report(replace(study, snippets=words), tmp_path / "report.html"),
        reduced_motion="reduce",
    )  # fmt: skip
    assert "10 points found" in find(page, f"class: {HOSTILE[3].split()[0]}")
    for query in ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>"):
        find(page, f'text: "{query}"')
        assert len(selected(page)) == 10
    find(page, "<svg onload=alert(3)>")
    assert page.page.locator("main img, main script, [onerror], [onload]").count() == 0
    page.check()
    page.close()
