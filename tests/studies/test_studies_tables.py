"""The scores as tables, and what differs between two studies."""

import csv
import json
import math

import pytest

import unknot


def test_scores_print_layers_down_and_measures_across(study):
    text = str(study.scores)
    assert text.splitlines()[0].startswith("Scores of made up, layer by layer")
    value = study.scores.value("fc1", "neighborhood_hit")
    row = next(line for line in text.splitlines() if line.startswith("│ fc1 "))
    assert row.split("│")[2].strip() == f"{value:.3f}"
    assert "n/a" in next(line for line in text.splitlines() if line.startswith("│ dead "))
    assert "dead: neighborhood_hit, map_neighborhood_hit, " in text
    assert "could not be measured, because all points coincide." in " ".join(text.split())


def test_a_narrow_terminal_gets_more_tables(study):
    from unknot._io.formatting import render_text

    wide, narrow = render_text(study.scores, 200), render_text(study.scores, 60)
    assert wide.count("│ fc1 ") == 1
    assert narrow.count("│ fc1 ") == 3
    assert max(map(len, narrow.splitlines())) <= 60


def test_the_number_of_samples_stands_beside_every_score(study):
    from dataclasses import replace

    text = str(study.scores)
    assert text.splitlines()[0].rstrip().endswith("; n 200")
    assert text.count("n 200") == 1
    scores = study.scores.layers
    fewer = {
        layer: replace(
            of_layer,
            scores={
                name: replace(score, n_samples=n if name == "trustworthiness" else 200)
                for name, score in of_layer.scores.items()
            },
        )
        for (layer, of_layer), n in zip(scores.items(), (50, 60, 70, 80, 90), strict=True)
    }
    table = replace(study.scores, layers=fewer)
    assert "n 50-90" in str(table)
    assert {row["n_samples"] for row in table.rows()} == {200, 50, 60, 70, 90}
    unknown = {
        layer: replace(
            of_layer, scores={k: replace(v, n_samples=None) for k, v in of_layer.scores.items()}
        )
        for layer, of_layer in scores.items()
    }
    table = replace(study.scores, layers=unknown)
    assert str(table).splitlines()[0].rstrip().endswith("layer by layer")


def test_values_of_layers(study):
    scores = study.scores
    assert list(scores) == ["inputs", "fc1", "dropout", "dead", "fc2"]
    assert scores.measures == (
        "neighborhood_hit", "map_neighborhood_hit", "trustworthiness", "nc1", "two_nn",
    )  # fmt: skip
    assert math.isnan(scores.value("dead", "nc1"))
    with pytest.raises(KeyError, match="'fc9' has no scores; there are inputs, fc1"):
        scores["fc9"]


def test_csv_json_and_pandas(study, tmp_path):
    path = tmp_path / "scores.csv"
    study.scores.to_csv(path)
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    whole = [row for row in rows if row["layer"] == "fc2" and row["measure"] == "neighborhood_hit"]
    assert [row["class"] for row in whole] == ["", *"0123456789"]
    score = study["fc2"].scores["neighborhood_hit"]
    assert float(whole[0]["value"]) == score.value
    assert float(whole[4]["value"]) == score.per_class[3]
    stored = json.loads(study.scores.to_json())
    assert stored["layers"]["fc2"]["scores"][0]["value"] == score.value
    frame = study.scores.to_pandas()
    assert len(frame) == 4 * 5  # the dead layer has no rows
    table = frame.pivot_table("value", "layer", "measure", sort=False)
    assert table.loc["fc2", "neighborhood_hit"] == score.value


def test_studies_are_compared_by_layer_and_measure(study, folder):
    other = unknot.Study.load(folder)
    same = study.compare(other)
    assert {row.difference for row in same} == {0.0}
    assert {row.apart for row in same if row.measure != "trustworthiness"} == {False}
    better = study.compare(other, {"fc1": "fc2"})
    hit = next(row for row in better if row.measure == "neighborhood_hit")
    first, second = study["fc1"].scores, study["fc2"].scores
    assert hit.difference == second["neighborhood_hit"].value - first["neighborhood_hit"].value
    assert hit.layer == "fc1 / fc2"
    assert hit.apart
    assert hit.untangled == "second"
    spread = next(row for row in better if row.measure == "nc1")
    assert (spread.difference < 0, spread.higher_is_better) == (True, False)
    assert spread.untangled == ("second" if spread.apart else None)
    assert "made up (second) less made up (first)" in str(better)
    assert "Only in made up (first): inputs, dropout, dead, fc2." in " ".join(str(better).split())
    assert better.to_dict()["rows"][0]["measure"] == "neighborhood_hit"
    assert len(better.to_pandas()) == len(better)
    assert len(study.compare(other, ["fc1"])) == 5


def test_nothing_in_common_is_said(study):
    with pytest.raises(ValueError, match="have no layer and measure in common: made up"):
        study.select("fc1").compare(study.select("fc2"))
    with pytest.raises(ValueError, match="no layer 'fc9'; did you mean 'fc"):
        study.compare(study, ["fc9"])
