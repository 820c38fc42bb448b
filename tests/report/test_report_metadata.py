"""Metadata on the page: stored exactly, searched, colored by, filtered, compared and saved."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_browser import Opened
from report_studies import HOSTILE, pictures_of, study_of
from test_report_browser import selected
from test_report_find import find
from test_report_looks import findings, sideways

from unknot.report import build_payload, write_report
from unknot.report._columns import column_entry
from unknot.report._packing import unpack
from unknot.studies import MetadataColumn

N = 300


def columns_of(n_samples, labels, seed=1):
    rng = np.random.default_rng(seed)
    age = np.round(rng.normal(40, 12, n_samples)) + 3 * labels
    age[::17] = np.nan
    site = rng.integers(0, 5, n_samples)
    site[::29] = -1
    smoker = (rng.random(n_samples) < 0.3).astype(np.int64)
    days = rng.integers(0, 700, n_samples).astype("m8[D]")
    income = rng.lognormal(10, 1.6, n_samples)
    remarks = [f"remark {i} {('blurred', 'sharp')[i % 2]}" for i in range(n_samples)]
    columns = (
        MetadataColumn("age", "number", age),
        MetadataColumn("site", "category", site, ("A", "B", "New York", *HOSTILE[:2])),
        MetadataColumn("smoker", "boolean", smoker),
        MetadataColumn("taken on", "date", (np.datetime64("2023-01-01") + days).astype("M8[ms]")),
        MetadataColumn("income", "number", income),
        MetadataColumn("remark", "text", np.array(remarks, dtype=object)),
        MetadataColumn(HOSTILE[0], "text", np.array(HOSTILE * (n_samples // 10), dtype=object)),
    )
    return {column.name: column for column in columns}


@pytest.fixture(scope="module")
def study():
    plain = study_of(N, 10, 3)
    return replace(
        plain, metadata=columns_of(N, plain.labels), thumbnails=pictures_of(plain.labels)
    )


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("metadata") / "report.html")


def decoded(entry):
    """Return the numbers of an entry as the page decodes them."""
    if "floats" in entry:
        return unpack(entry["floats"]).astype(float)
    codes = unpack(entry["codes"]).astype(float)
    numbers = (entry["low"] + (codes - 1) * entry["step"]) / entry["per"]
    return np.where(codes == 0, np.nan, numbers)


@given(
    st.lists(st.none() | st.integers(-(10**9), 10**9), min_size=1, max_size=30), st.integers(0, 4)
)
def test_numbers_of_few_decimals_are_exact(whole, decimals):
    values = np.array([np.nan if v is None else v / 10**decimals for v in whole])
    entry = column_entry("a", MetadataColumn("a", "number", values))
    assert "codes" in entry
    np.testing.assert_array_equal(decoded(entry), values)


@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=False, allow_subnormal=False), min_size=1,
        max_size=30,
    )
)  # fmt: skip
def test_all_numbers_have_seven_digits_at_least(values):
    values = np.array(values)
    entry = column_entry("a", MetadataColumn("a", "number", values))
    np.testing.assert_allclose(decoded(entry), values, rtol=1.1e-7, atol=0)


def test_dates_are_exact_and_days_take_two_bytes():
    days = np.arange("2020-01-01", "2023-01-01", dtype="M8[D]").astype("M8[ms]")
    days[3] = np.datetime64("NaT")
    entry = column_entry("d", MetadataColumn("d", "date", days))
    assert entry["codes"]["dtype"] == "u16"
    known = ~np.isnat(days)
    assert (decoded(entry)[known] == days.view("i8")[known]).all()
    assert np.isnan(decoded(entry)[3])
    # A century apart, to the millisecond: neither days, seconds nor 32 bits of milliseconds.
    far = np.array(["1900-01-01T00:00:00.001", "2000-01-01"], dtype="M8[ms]")
    entry = column_entry("d", MetadataColumn("d", "date", far))
    assert (decoded(entry) == far.view("i8")).all()


def test_long_texts_are_cut_and_pages_without_metadata_know_nothing_of_it(study):
    texts = np.array(["x" * 500, None], dtype=object)
    entry = column_entry("t", MetadataColumn("t", "text", texts))
    assert [len(entry["texts"][0]), entry["texts"][1], entry["cut"]] == [400, None, 400]
    assert "metadata" not in build_payload(replace(study, metadata={}))


def test_two_models_share_the_columns_that_agree(study):
    other = dict(study.metadata)
    age = other["age"]
    other["age"] = MetadataColumn("age", "number", age.values + 1)
    names = [
        column["name"]
        for column in build_payload(study, other=replace(study, name="B", metadata=other))[
            "metadata"
        ]
    ]
    assert names == [*study.metadata, "age (B)"]


def test_the_rows_of_the_points_shown_are_taken(study):
    payload = build_payload(study, max_points=50)
    rows = unpack(payload["sampled"]["indices"])
    np.testing.assert_array_equal(
        decoded(payload["metadata"][0]), study.metadata["age"].values[rows]
    )


CONDITIONS = {
    "age > 50": lambda c: c["age"].values > 50,
    "age > 50 and site = A": lambda c: (c["age"].values > 50) & (c["site"].values == 0),
    'site = "New York"': lambda c: c["site"].values == 2,
    "smoker": lambda c: c["smoker"].values == 1,
    "taken on >= 2024-06": lambda c: c["taken on"].values >= np.datetime64("2024-06-01"),
    "remark: blurred": lambda c: np.arange(N) % 2 == 0,
    "age = missing": lambda c: np.isnan(c["age"].values),
}


@pytest.mark.parametrize("query", CONDITIONS)
def test_points_are_found_by_columns(opened, study, query):
    expected = set(np.flatnonzero(CONDITIONS[query](study.metadata)).tolist())
    assert 0 < len(expected) < N
    find(opened, query)
    assert selected(opened) == expected


def test_a_column_colors_the_map_with_a_bar_or_rows(opened, study):
    choice = opened.page.get_by_test_id("color-column")
    choice.select_option("age")
    opened.until(color="@age")
    ages = study.metadata["age"].values
    bar = opened.page.get_by_test_id("value-bar").inner_text().split()
    assert [float(bar[0]), float(bar[-1])] == [np.nanmin(ages), np.nanmax(ages)]
    opened.page.get_by_test_id("category-64").click()
    opened.page.wait_for_function("location.hash.includes('selection=')")
    assert selected(opened) == set(np.flatnonzero(np.isnan(ages)).tolist())
    choice.select_option("site")
    opened.until(color="@site")
    counts = np.bincount(study.metadata["site"].values + 1, minlength=6)
    rows = opened.page.get_by_test_id("legend").locator(".count").all_inner_texts()
    assert [int(row) for row in rows] == [*counts[1:], counts[0]]
    opened.page.get_by_test_id("color-class").click()
    opened.until(color=None)
    assert choice.input_value() == ""


def test_what_was_found_is_shown_alone_until_all_is(opened, study):
    find(opened, "age > 60")
    opened.page.get_by_test_id("show-only").click()
    chip = opened.page.get_by_test_id("filter")
    count = int((study.metadata["age"].values > 60).sum())
    assert chip.inner_text().split()[:6] == ["Only", "age", ">", "60,", "at", "inputs"]
    assert f"{count} points" in chip.inner_text()
    counted = opened.page.get_by_test_id("legend").locator(".count").all_inner_texts()
    assert sum(map(int, counted)) == count
    link = opened.page.url.partition("#")[2]
    opened.open("layer=fc1")
    opened.open(link)
    opened.until(**{"only-by": "age > 60 @ inputs"})
    opened.page.get_by_test_id("show-all").click()
    opened.until(only=None)
    assert chip.is_hidden()


def test_a_selection_has_its_columns_beside_the_rest(opened, study):
    find(opened, "smoker and age > 40")
    facts = opened.page.get_by_test_id("selection-columns")
    first = facts.locator(".column-fact").first
    assert first.locator(".name").first.inner_text() == "smoker"
    # All of these, and of the rest as many as there are.
    chosen = (study.metadata["smoker"].values == 1) & (study.metadata["age"].values > 40)
    rest = (study.metadata["smoker"].values[~chosen] == 1).mean()
    assert first.locator("li").nth(1).get_attribute("title") == (
        f"true: 100\u00a0% of these, {100 * rest:.0f}\u00a0% of the rest"
    )
    opened.page.get_by_test_id("columns-more").click()
    # Texts that are all different have nothing to compare.
    assert facts.locator(".column-fact").count() == len(study.metadata) - 1


def test_the_card_and_the_table_have_all_columns(opened, study):
    opened.open("layer=fc1&point=4&selection=4")
    held = opened.page.get_by_test_id("held")
    held.wait_for()
    for column in study.metadata.values():
        assert column.name[:20] in held.inner_text()
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("export-selection").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    row = next(csv.DictReader(io.StringIO(text)))
    assert float(row["age"]) == study.metadata["age"].values[4]
    assert row["taken on"] == study.metadata["taken on"].to_list()[4].isoformat()
    assert row["smoker"] == json.dumps(bool(study.metadata["smoker"].values[4]))
    assert row[HOSTILE[0]] == HOSTILE[4]


def test_hostile_names_and_values_stay_text(opened):
    opened.open("layer=fc1&color=@site&selection=0-99")
    assert HOSTILE[0] in opened.page.get_by_test_id("legend").inner_text()
    opened.page.get_by_test_id("color-column").select_option(HOSTILE[0])
    opened.page.wait_for_timeout(200)
    assert opened.page.locator("main img, main script, [onerror], [onload]").count() == 0


def test_a_link_to_a_column_that_is_not_here_says_so(opened):
    opened.open("layer=fc1&color=@gone")
    notice = opened.page.get_by_test_id("notice")
    notice.wait_for()
    assert "column “gone”" in notice.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible_and_fits(browser, report, scheme, width):
    page = Opened(
        browser, report, "layer=fc1&color=@age&selection=0-99", reduced_motion="reduce",
        color_scheme=scheme, viewport={"width": width, "height": 800},
    )  # fmt: skip
    page.settled()
    page.page.get_by_test_id("columns-more").click()
    assert findings(page) == []
    assert sideways(page) <= 0
    page.check()
    page.close()


@pytest.mark.parametrize("size", [{"metadata": 1}, {"metadata": 0}])
def test_the_tools_stand_in_one_row(browser, study, tmp_path, size):
    shown = study if size["metadata"] else replace(study, metadata={})
    page = Opened(browser, write_report(shown, tmp_path / "report.html"), reduced_motion="reduce")
    tops = [
        page.page.get_by_test_id(name).bounding_box()["y"] for name in ("color-class", "save-menu")
    ]
    assert abs(tops[0] - tops[1]) < 10
    page.close()
