"""metric=, preprocess= and measures of one's own in studies, and layers that cannot be measured."""

import numpy as np
import pytest

import unknot
from unknot.studies import EpochRecorder


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 120)
    points = np.eye(20)[labels] + 0.35 * rng.normal(size=(360, 20))
    return (points * np.exp(2 * rng.normal(size=360))[:, None]).astype(np.float32), labels


def study_of(layers, labels, **arguments):
    settings = {"measures": ["neighborhood_hit"], "max_iter": 250, "perplexity": 5}
    return unknot.study(layers, (None, labels), progress=False, **{**settings, **arguments})


def test_neighbors_maps_and_scores_follow_the_metric_and_the_table_says_so(data):
    points, labels = data
    longer = points * np.linspace(1, 9, 360, dtype=np.float32)[:, None]
    study = study_of({"a": points, "b": longer}, labels, metric="cosine")
    assert study.layers["a"].graph.metric == "cosine"
    assert study.settings["metric"] == "cosine"
    assert study.layers["a"].scores.settings["metric"] == "cosine"
    # Lengths do not matter.
    assert study.scores.value("a", "neighborhood_hit") == pytest.approx(
        study.scores.value("b", "neighborhood_hit"), abs=0.005
    )
    wanted = unknot.measure(points, labels, measures="neighborhood_hit", metric="cosine")
    assert study.scores.value("a", "neighborhood_hit") == wanted["neighborhood_hit"].value
    assert "metric cosine" in " ".join(str(study.scores).split())
    (note,) = study.layers["a"].notes
    assert note.startswith("the metric decides the conclusion")
    plain = study_of({"a": points}, labels)
    assert plain.layers["a"].notes == (note,)
    assert plain.settings["metric"] == "euclidean"
    assert "metric" not in str(plain.scores)
    with pytest.raises(ValueError, match="metric must be 'euclidean' or 'cosine'; got 'l1'"):
        study_of({"a": points}, labels, metric="l1")


def test_each_layer_is_preprocessed_by_itself(data):
    points, labels = data
    study = study_of({"a": points, "b": points + 7}, labels, preprocess=["center", "normalize"])
    assert study.settings["preprocess"] == ["center", "normalize"]
    wanted = unknot.measure(
        points, labels, measures="neighborhood_hit", preprocess=["center", "normalize"]
    )["neighborhood_hit"].value
    assert study.scores.value("a", "neighborhood_hit") == wanted
    assert study.scores.value("b", "neighborhood_hit") == pytest.approx(wanted, abs=0.01)
    assert np.array_equal(study.layers["a"].points, points)
    points[:, 3] = 5
    noted = study_of({"a": points}, labels, preprocess="standardize")
    assert any("1 of 20 features are constant" in note for note in noted.layers["a"].notes)


def ran_again(stages):
    return [f"{layer}: {stage}" for layer, stage, _, reused in stages if not reused]


def test_finished_work_is_reused_only_for_the_same_functions(data, tmp_path):
    points, labels = data

    def run(**arguments):
        stages = []
        study = study_of(
            {"a": points},
            labels,
            out=tmp_path / "study",
            on_stage=lambda *stage: stages.append(stage),
            **arguments,
        )
        return study, ran_again(stages)

    def times(factor):
        return lambda points: points * np.linspace(1, factor, 20)

    assert run(preprocess=times(2))[1]
    study, again = run(preprocess=times(2))
    assert again == []
    other, changed = run(preprocess=times(9))
    assert "a: neighbors" in changed
    assert not np.array_equal(study.layers["a"].map, other.layers["a"].map)

    class Stateful:
        factor = 1.0

        def __call__(self, points):
            return points * self.factor

    stateful = Stateful()
    run(preprocess=stateful)
    assert "a: neighbors" in run(preprocess=stateful)[1]

    def mine(value):
        return lambda points, labels: value

    assert run(measures=["nc1", mine(1)])[0].scores.value("a", "lambda") == 1
    study, again = run(measures=["nc1", mine(2)])
    assert again == ["a: scores"]
    assert study.scores.value("a", "lambda") == 2
    assert run(measures=["nc1", mine(2)])[1] == []


def test_measures_of_ones_own_stand_in_table_page_and_figures(data, tmp_path):
    points, labels = data

    @unknot.metrics.register("spread", title="mean spread", higher_is_better=False, low=0)
    def spread(points, labels):
        return unknot.metrics.ScoreResult(points.std(), per_class=[1, 2, 3])

    def failing(points, labels):
        raise KeyError("nothing")

    try:
        study = study_of({"a": points, "b": points**3}, labels, measures=["nc1", "spread", failing])
        study.save(tmp_path / "study")
    finally:
        unknot.metrics.unregister("spread")
    assert study.scores.value("a", "spread") == pytest.approx(points.std())
    assert "failing raised KeyError: 'nothing'" in study.layers["a"].scores.skipped["failing"]
    # It is found in a process that never registered it, too.
    again = unknot.Study.load(tmp_path / "study")
    assert again.scores.measures == ("nc1", "spread")
    assert "mean spread" in " ".join(str(again.scores).split())
    assert {row["class"] for row in again.scores.rows(per_class=True)} == {None, "0", "1", "2"}
    again.figure()
    again.report(tmp_path / "page.html")
    assert "mean spread" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_layer_that_fails_is_left_out_and_the_others_go_on(data):
    points, labels = data

    def picky(points):
        if points.max() > 1e6:
            raise RuntimeError("too large")
        return points

    layers = {"a": points, "b": points * np.float32(1e7), "c": points}
    study = study_of(layers, labels, preprocess=picky)
    assert list(study.layers) == ["a", "b", "c"]
    (note,) = study.layers["b"].notes
    assert note.startswith("left out: preprocess: picky() failed")
    assert "RuntimeError: too large" in note
    assert study.layers["b"].map is None
    assert study.layers["b"].scores.skipped["neighborhood_hit"] == note
    assert study.scores.value("a", "neighborhood_hit") == study.scores.value(
        "c", "neighborhood_hit"
    )
    assert study.layers["c"].map is not None
    assert "left out" in str(study.scores)


def test_a_recorder_takes_them_too(data):
    points, labels = data
    recorder = EpochRecorder(
        (points, labels),
        measures=["neighborhood_hit", lambda points, labels: len(points)],
        metric="cosine",
        preprocess="center",
        max_iter=250,
        perplexity=5,
        progress=False,
    )
    for epoch in (1, 2):
        recorder.capture({"fc": points * np.float32(epoch)}, epoch)
    study = recorder.study()
    assert study.settings["metric"] == "cosine"
    assert study.settings["preprocess"] == ["center"]
    wanted = unknot.measure(
        points, labels, measures="neighborhood_hit", metric="cosine", preprocess="center"
    )
    for there in study.epochs.values():
        assert there.scores.value("fc", "neighborhood_hit") == pytest.approx(
            wanted["neighborhood_hit"].value, abs=0.005
        )
        assert there.scores.value("fc", "lambda") == 360
