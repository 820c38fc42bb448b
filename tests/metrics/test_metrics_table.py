import dataclasses

import numpy as np
import pytest

import unknot
from unknot._io.formatting import format_number, render_text
from unknot.metrics import measure


@pytest.mark.parametrize("width", [72, 80, 110])
def test_no_number_is_ever_cut(width):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    points = (rng.normal(size=(90, 5)) + 3 * np.eye(5)[labels]).astype(np.float32)
    scores = measure(points, labels, points[:, :2], ["neighborhood", "collapse", "shape"])
    text = render_text(scores, width)
    assert "…" not in text
    for score in scores.values():
        assert format_number(score.value) in text
    assert ("0 to 1" in text) == (width >= 96)
    assert max(map(len, text.splitlines())) <= width


def on_a_grid():
    # The two nearest of most points are equally far.
    points = np.arange(10.0)[:, None] * np.ones(3)
    return unknot.measure(points, np.arange(10) % 2, measures=["two_nn", "nc1"])


def test_an_interval_without_an_upper_end_is_printed_and_kept():
    scores = on_a_grid()
    open_ended = dataclasses.replace(scores["two_nn"], interval=(0.5, np.inf))
    scores = dataclasses.replace(scores, scores={**scores.scores, "two_nn": open_ended})
    assert ", inf]" in str(scores)
    assert str(scores) == repr(scores)
    again = unknot.metrics.Scores.from_json(scores.to_json())
    assert again["two_nn"].interval == (0.5, np.inf)
    assert again.to_json() == scores.to_json()
    assert scores.to_pandas().loc["two_nn", "high"] == np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e-300, 0.0])
def test_any_number_is_printed_and_kept(value):
    score = dataclasses.replace(
        on_a_grid()["nc1"],
        value=value,
        null=value,
        interval=(value, np.inf),
        per_class=np.array([value, np.inf]),
        per_pair=np.array([[value, -np.inf], [2.0, np.nan]]),
    )
    scores = dataclasses.replace(on_a_grid(), scores={"nc1": score}, counts=np.array([3, 7]))
    assert "NC1" in str(scores)
    kept = unknot.metrics.Scores.from_json(scores.to_json())["nc1"]
    # A value by chance that is no number is none.
    names = ("value", "per_class", "per_pair") + ("null",) * (not np.isnan(value))
    for name in names:
        np.testing.assert_array_equal(getattr(kept, name), getattr(score, name))
    assert kept.interval[1] == np.inf


def test_no_scores_are_printed_and_kept():
    empty = dataclasses.replace(on_a_grid(), scores={}, classes=np.array([]), counts=np.array([]))
    assert "0 classes" in str(empty)
    assert len(unknot.metrics.Scores.from_json(empty.to_json())) == 0
