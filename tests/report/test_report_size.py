"""How large a page becomes: the samples shown, sparse tables, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from report_browser import Opened
from report_studies import pictures_of, study_of

from unknot.report import Widget, build_payload, write_report
from unknot.report._packing import pack_confusion, unpack, unpack_confusion


@pytest.fixture(scope="module")
def large():
    """A study of which a page may show a part: classes of 300, 200 and 100 samples."""
    study = study_of(600, 3, 2)
    labels = np.repeat([0, 1, 2], [300, 200, 100])
    words = tuple(f"text {number}" for number in range(600))
    return replace(study, labels=labels, thumbnails=pictures_of(labels), snippets=words)


@pytest.fixture(scope="module")
def part(large):
    return build_payload(large, max_points=60)


def test_samples_are_drawn_in_proportion_to_their_classes(large, part):
    points = unpack(part["sampled"]["indices"])
    assert part["nSamples"] == 60
    assert part["sampled"]["of"] == 600
    assert np.all(np.diff(points.astype(int)) > 0)
    assert np.bincount(large.labels[points]).tolist() == [30, 20, 10]
    assert unpack(part["labels"]).tolist() == large.labels[points].tolist()
    assert unpack(part["predictions"]).tolist() == large.predictions[points].tolist()
    assert part["snippets"] == [f"text {point}" for point in points]
    assert "60 of 600" in part["settings"]["samples shown"]
    again = build_payload(large, max_points=60)
    assert again["sampled"] == part["sampled"]


def test_scores_and_shapes_stay_those_of_all_samples(large, part):
    whole = build_payload(large)
    assert "sampled" not in whole
    for one, other in zip(part["models"][0]["layers"], whole["models"][0]["layers"], strict=True):
        for key in ("scores", "confusion", "hulls", "ellipses"):
            assert one[key] == other[key]
        points = unpack(part["sampled"]["indices"])
        assert unpack(one["hits"]).tolist() == unpack(other["hits"])[points].tolist()
        assert unpack(one["mapHits"]).tolist() == unpack(other["mapHits"])[points].tolist()


def test_neighbors_are_the_nearest_of_those_shown(large, part):
    points = unpack(part["sampled"]["indices"]).tolist()
    entry = part["models"][0]["layers"][1]["neighbors"]
    table = unpack(entry["indices"]).reshape(60, entry["k"])
    graph = large.layers["fc1"].graph.indices
    for row, point in zip(table.tolist(), points, strict=True):
        shown = [points.index(i) for i in graph[point].tolist() if i in points][: entry["k"]]
        assert row == shown + [60] * (entry["k"] - len(shown))
    assert (table == 60).any()


def test_samples_with_numbers_or_without_labels_are_drawn_too(large):
    numbers = replace(
        study_of(600, 3, 1, measured=False), predictions=None, probabilities=None, class_names=(),
        labels=np.full(600, -1), targets=np.linspace(0, 1, 600),
    )  # fmt: skip
    payload = build_payload(numbers, max_points=50)
    assert len(unpack(payload["values"]["data"])) == payload["nSamples"] == 50
    assert "50 of 600, drawn at random" in payload["settings"]["samples shown"]
    bare = study_of(600, 3, 1, measured=False)
    unlabeled = replace(bare, labels=np.where(np.arange(600) % 3 == 0, -1, large.labels))
    payload = build_payload(unlabeled, max_points=90)
    assert payload["unlabeled"] == 30


@pytest.mark.parametrize("given", [0, -3])
def test_a_wrong_number_of_samples_is_refused(large, given):
    with pytest.raises(ValueError, match=f"max_points must be .*{given}"):
        build_payload(large, max_points=given)


def test_a_widget_still_counts_all_samples(large):
    widget = Widget(large, max_points=60)
    widget.selection = [599]
    assert widget.n_samples == 600
    assert widget.selection == [599]


def test_the_page_says_that_it_shows_a_part(browser, large, tmp_path):
    path = write_report(large, tmp_path / "report.html", max_points=60)
    page = Opened(browser, path, "point=59")
    assert "60 of 600 samples, drawn by class" in page.page.get_by_test_id("facts").inner_text()
    points = unpack(build_payload(large, max_points=60)["sampled"]["indices"])
    assert f"#{points[59]}" in page.page.get_by_test_id("held").inner_text()
    page.check()
    page.close()


def test_a_table_of_shares_is_stored_without_its_zeros():
    rng = np.random.default_rng(0)
    table = np.where(rng.random((40, 40)) < 0.1, rng.random((40, 40)), 0.0)
    table[7] = 0.0  # a class without neighbors
    entry = pack_confusion(table)
    assert np.abs(unpack_confusion(entry) - table).max() <= 0.5 / 65535 + 1e-9
    assert len(unpack(entry["columns"])) == np.count_nonzero(table > 0.5 / 65535)


@pytest.mark.parametrize(("layers", "classes", "drawn"), [(12, 3, True), (13, 3, False)])
def test_many_layers_have_no_still_figure(layers, classes, drawn):
    study = study_of(60, classes, layers, measured=False, graphs=False)
    assert (build_payload(study)["figure"] is not None) is drawn


def test_many_classes_have_no_still_figure():
    study = study_of(303, 101, 1, measured=False, graphs=False)
    assert build_payload(study)["figure"] is None


def test_fewer_neighbors_are_stored_where_they_would_take_most_of_the_page():
    study = study_of(600, 3, 1, measured=False)
    (layer,) = study.layers.values()

    def stored(n_layers, **options):
        layers = {f"layer{i}": replace(layer, name=f"layer{i}", map=None) for i in range(n_layers)}
        payload = build_payload(replace(study, layers=layers), **options)
        return payload["models"][0]["layers"][0]["neighbors"]["k"]

    # One neighbor of 600 samples takes 1,600 bytes in base64: 500 layers 0.8 MB, 5 of them 4 MB.
    assert stored(2) == 8
    assert stored(500) == 5
    assert stored(1000) == 3
    assert stored(1000, n_neighbors=6) == 6


@pytest.mark.parametrize(("most", "kept"), [(2_000, 2), (900, 1), (700, 0)])
def test_none_are_stored_where_three_would_take_most_of_a_large_page(monkeypatch, most, kept):
    # One neighbor of 600 samples takes 1,600 bytes in base64, of which less would be allowed.
    monkeypatch.setattr("unknot.report._options._NEIGHBOR_BYTES", 100)
    monkeypatch.setattr("unknot.report._options._MOST_NEIGHBOR_BYTES", 2 * most)
    payload = build_payload(study_of(600, 3, 1, measured=False))
    (layer,) = payload["models"][0]["layers"]
    assert (layer["neighbors"] or {"k": 0})["k"] == kept
    assert payload["settings"]["neighbors stored of each sample"] == str(kept)


@pytest.mark.slow
def test_a_thousand_classes_take_little_room(tmp_path):
    study = study_of(20_000, 1000, 4, measured=False)
    path = write_report(study, tmp_path / "report.html")
    assert path.stat().st_size < 12e6
