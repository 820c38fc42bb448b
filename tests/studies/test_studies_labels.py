"""Labels of any kind: what is ignored, whether their order is known, several a sample, numbers."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot import Study
from unknot.studies import EpochRecorder
from unknot.studies._pipeline.label_columns import take_labelings
from unknot.studies._pipeline.labels import take_labels
from unknot.studies._pipeline.models import answers, model_names_of

NAN = float("nan")
KNOWN, UNKNOWN = True, False


@pytest.mark.parametrize(
    ("labels", "codes", "names", "known"),
    [
        ([2, 0, 1], [2, 0, 1], "012", KNOWN),
        ([7, 3, 3], [7, 3, 3], "01234567", KNOWN),  # they number the outputs, if there are so many
        ([2.0, 0.0, 1.0], [2, 0, 1], "012", KNOWN),
        (["2", "10", "0"], [2, 10, 0], [*map(str, range(11))], KNOWN),
        ([True, False, True], [1, 0, 1], ["False", "True"], KNOWN),
        ([[1], [0], [1]], [1, 0, 1], "01", KNOWN),
        (np.eye(3)[[2, 0, 1]], [2, 0, 1], "012", KNOWN),
        (["b", "c", "a"], [1, 2, 0], "abc", UNKNOWN),
        ([b"b", b"a", b"b"], [1, 0, 1], "ab", UNKNOWN),
        ([-5, 3, 3], [0, 1, 1], ["-5", "3"], UNKNOWN),
        ([-1, 1, 1], [0, 1, 1], ["-1", "1"], UNKNOWN),
        ([1, -1, 2], [1, -1, 2], "012", KNOWN),
        ([0, -100, 1], [0, -1, 1], "01", KNOWN),
        ([0, None, 1], [0, -1, 1], "01", KNOWN),
        ([0.0, NAN, 1.0], [0, -1, 1], "01", KNOWN),
        (["b", None, "a"], [1, -1, 0], "ab", UNKNOWN),
        (["b", NAN, "a"], [1, -1, 0], "ab", UNKNOWN),
        (np.ma.masked_array([0, 9, 1], [0, 1, 0]), [0, -1, 1], "01", KNOWN),
    ],
)
def test_labels_of_every_kind(labels, codes, names, known):
    taken = take_labels(labels)
    assert taken.codes.tolist() == codes
    assert taken.class_names == tuple(names)
    assert taken.order_known is known
    assert taken.kind == "classes"


def test_labels_of_pandas():
    pandas = pytest.importorskip("pandas")

    ordered = pandas.Categorical(["low", None, "high"], ["low", "high"], ordered=True)
    for labels in (ordered, pandas.Series(ordered)):
        taken = take_labels(labels)
        assert (taken.codes.tolist(), taken.class_names) == ([0, -1, 1], ("low", "high"))
        assert taken.order_known
    assert not take_labels(pandas.Categorical(["low", "high"])).order_known
    assert take_labels(pandas.Series([1, None, 0], dtype="Int64")).codes.tolist() == [1, -1, 0]
    # The codes of numbers with missing entries must not pass through floats.
    numbers = pandas.Categorical([3, None, 4], [4, 3], ordered=True)
    assert take_labels(numbers).class_names == ("4", "3")
    frame = pandas.DataFrame({"a": [0, 1], "b": ["x", "y"]})
    assert list(take_labelings(frame)) == ["a", "b"]


def test_what_is_ignored_is_counted():
    notes = take_labels([0, 1, -1, -1, None]).notes
    assert notes[0].startswith(
        "3 of 5 samples are unlabeled (2 with the label -1, 1 with a missing label)"
    )
    assert take_labels([0, 1, -1], ignore_labels=()).class_names == ("-1", "0", "1")
    assert take_labels([0, 1, 255], ignore_labels=255).codes.tolist() == [0, 1, -1]
    assert take_labels(["a", "?", "b"], ignore_labels="?").codes.tolist() == [0, -1, 1]
    assert "no sample is labeled 7" in take_labels([0, 1], ignore_labels=[7]).notes[0]
    assert "-1 is taken as a class" in take_labels([-1, 1]).notes[0]
    # Given, it is obeyed: then there is one class.
    assert take_labels([-1, 1], ignore_labels=[-1]).codes.tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("labels", "class_names", "codes"),
    [
        (["cat", "dog"], ["dog", "cat"], [1, 0]),
        ([0, 1], ["dog", "cat"], [0, 1]),
        ([3, 12, 7], ["a", "b", "c"], [0, 2, 1]),
        ([3, 12], {3: "a", 7: "b", 12: "c"}, [0, 2]),
        ([1, 0], {"0": "a", "1": "b"}, [1, 0]),  # as JSON has them
        (["b", "a"], {0: "a", 1: "b"}, [1, 0]),  # config.id2label
        ([False, True], ["no", "yes"], [0, 1]),
    ],
)
def test_named_classes_are_in_the_order_of_the_names(labels, class_names, codes):
    taken = take_labels(labels, class_names=class_names)
    assert taken.codes.tolist() == codes
    assert taken.order_known
    assert taken.named


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (["cat", "cow"], {"class_names": ["cat", "dog"]}, r"has 1 others, such as 'cow'"),
        ([0, 5, 9], {"class_names": ["a", "b"]}, r"or each of the 3 labels .* got 2 names"),
        ([0, 1], {"class_names": "ab"}, r"must be a sequence of names"),
        ([0, 1], {"class_names": ["a", "a"]}, r"distinct names.* 'a' twice"),
        ([0, "a"], {}, r"must be all strings or all integers"),
        ([None, None], {}, r"all 2 labels are missing"),
        ([-1, -100], {}, r"every label is ignored or missing"),
        ([[0.2, 0.8], [0.6, 0.4]], {}, r"probabilities of 2 classes.*argmax"),
        ([[0, 3], [1, 2]], {}, r"pass them by name"),
        ([1.5, np.inf], {}, r"1 infinite values"),
        (["a"], {"kind": "values"}, r"must be numbers with label_kind='values'"),
        ([1], {"kind": "number"}, r"'classes' or 'values'; got 'number'"),
        ([], {}, r"at least one label"),
    ],
)
def test_wrong_labels_are_named(labels, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        take_labels(labels, **options)


def test_numbers_are_values():
    taken = take_labels([1.5, NAN, 2.0])
    assert (taken.kind, taken.class_names) == ("values", ())
    np.testing.assert_array_equal(taken.values, [1.5, NAN, 2.0])
    assert taken.labeled.tolist() == [True, False, True]
    # -1 is a number like any other, unless it is said to be none.
    assert take_labels([-1.0, 0.5]).values.tolist() == [-1.0, 0.5]
    assert np.isnan(take_labels([-1.0, 0.5], ignore_labels=[-1]).values[0])
    assert take_labels([23, 45], kind="values").values.tolist() == [23.0, 45.0]


def test_columns_of_yes_and_no():
    found = take_labelings([[0, 1, NAN], [1, 1, 0]], class_names=["a", "b", "c"])
    assert list(found) == ["a", "b", "c"]
    assert [each.codes.tolist() for each in found.values()] == [[0, 1], [1, 1], [-1, 0]]
    assert found["b"].class_names == ("no", "yes")
    assert list(take_labelings([[0, 1], [1, 1]])) == ["0", "1"]
    assert list(take_labelings({"x": [0, 1], "y": [[1, 1], [0, 0]]})) == ["x", "y: 0", "y: 1"]
    with pytest.raises(ValueError, match="one name for each of the 3 columns"):
        take_labelings([[0, 1, 1], [1, 1, 0]], class_names=["a"])
    with pytest.raises(ValueError, match=r"as many labels in each labeling; got 2 in 'a', 1 in"):
        take_labelings({"a": [0, 1], "b": [0]})


def outputs_for(labels, n):
    return np.eye(n, dtype=np.float32)[np.array(labels)] * 5


def accuracy(output, labels, **options):
    found = answers(output, labels, **options)
    if found.predictions is None:
        return None
    labeled = labels.labeled
    return float((found.predictions == labels.codes)[labeled].mean())


def test_accuracy_is_never_invented():
    y = np.arange(60) % 3
    words = np.array(["plane", "car", "bird"])
    perfect = outputs_for(y, 3)
    assert accuracy(perfect, take_labels(y)) == 1
    assert accuracy(perfect, take_labels(words[y])) is None
    assert "class_names=[...]" in answers(perfect, take_labels(words[y])).notes[0]
    assert accuracy(perfect, take_labels(words[y], class_names=list(words))) == 1
    # The user says that the order is that of the sorted names.
    assert accuracy(outputs_for(2 - y, 3), take_labels(words[y]), accuracy=True) == 1
    assert accuracy(perfect, take_labels(y), accuracy=False) is None
    assert answers(perfect, take_labels(y), accuracy=False).notes == ()
    with pytest.raises(ValueError, match="accuracy=True: the model has 3 outputs and the data 4"):
        answers(perfect, take_labels(np.arange(60) % 4, class_names=["w", "x", "y", "z"]),
                accuracy=True)  # fmt: skip
    gaps = np.array([3, 7, 12])[y]
    assert accuracy(perfect, take_labels(gaps)) is None
    assert "3, 7, 12" in answers(perfect, take_labels(gaps)).notes[0]
    assert accuracy(perfect, take_labels(gaps, class_names=["a", "b", "c"])) == 1
    # A model of 1,000 classes, on some of them under their own numbers.
    assert accuracy(outputs_for(gaps, 1000), take_labels(gaps)) == 1


def test_labels_that_count_from_one_are_no_accuracy():
    y = np.arange(60) % 3
    assert "labels - 1" in answers(outputs_for(y, 3), take_labels(y + 1)).notes[0]
    # With more outputs than labels the numbers fit both ways; the outputs tell.
    found = answers(outputs_for(y, 10), take_labels(y + 1))
    assert found.predictions is None
    assert "fit the labels less 1 better" in found.notes[0]
    assert accuracy(outputs_for(y + 1, 10), take_labels(y + 1)) == 1
    assert answers(outputs_for(y, 10), take_labels(y + 1), accuracy=True).predictions is not None


def test_a_single_output_has_a_sign():
    signs = np.array([-1, 1, 1, -1])
    logits = signs[:, None] * np.float32(2)
    assert accuracy(logits, take_labels(signs)) == 1
    assert accuracy(logits, take_labels(signs > 0)) == 1
    assert accuracy(logits, take_labels((signs > 0).astype(int))) == 1
    assert accuracy(logits, take_labels(np.where(signs > 0, "ham", "spam"))) is None
    # Two outputs for -1 and 1: which of them is which is not known.
    assert accuracy(np.hstack([-logits, logits]), take_labels(signs)) is None


def test_the_models_own_names_tell_the_outputs():
    y = np.array([0, 1, 1, 0])
    words = np.array(["negative", "positive"])[y]
    config = SimpleNamespace(id2label={0: "POSITIVE", 1: "NEGATIVE"})
    names = model_names_of(SimpleNamespace(config=config))
    assert names == ("POSITIVE", "NEGATIVE")
    output = outputs_for(1 - y, 2)  # a perfect model in its own order
    assert accuracy(output, take_labels(words), model_names=names) == 1
    named = take_labels(y, class_names=["negative", "positive"])
    assert accuracy(output, named, model_names=names) == 1
    # Further classes of the model come after those of the data.
    more = answers(np.eye(3)[[2, 2, 2, 2]], named, model_names=["positive", "negative", "neutral"])
    assert more.class_names == ("negative", "positive", "neutral")
    assert more.predictions.tolist() == [2, 2, 2, 2]
    unnamed = SimpleNamespace(config=SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"}))
    assert model_names_of(unnamed) is None
    classes = model_names_of(SimpleNamespace(classes_=np.array([3, 7, 12])))
    gaps = np.array([3, 7, 12])[np.arange(9) % 3]
    assert accuracy(outputs_for(np.arange(9) % 3, 3), take_labels(gaps), model_names=classes) == 1


def test_outputs_that_are_no_numbers_predict_nothing():
    output = outputs_for([0, 1], 2)
    output[0, 0] = np.nan
    found = answers(output, take_labels([0, 1]))
    assert found.predictions is None
    assert "NaN or infinite for 1 samples" in found.notes[0]


def test_data_sets_of_sorted_words_have_no_order():
    words = np.array(["b", "a", "c", "a"])
    points = np.zeros((4, 2))
    assert not unknot.load_dataset((points, words)).train.order_known
    assert not unknot.load_dataset((points, [3, 7, 12, 3])).train.order_known
    assert unknot.load_dataset((points, [1, 2, 3, 1])).train.order_known
    given = unknot.load_dataset((points, words), class_names=["c", "b", "a"]).train
    assert given.order_known
    assert [given.class_names[code] for code in given.labels] == words.tolist()
    assert not unknot.load_dataset((points, words)).train.take([0, 1]).order_known


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 25)
    return labels, rng.normal(size=(75, 4)) + 2 * np.eye(4)[labels]


@pytest.fixture(scope="module")
def several(points, tmp_path_factory):
    labels, x = points
    rng = np.random.default_rng(1)
    partly = labels.copy()
    partly[::5] = -1
    age = x[:, 0] + 0.1 * rng.normal(size=75)
    age[:6] = np.nan
    data = (x, {"species": partly, "place": np.array(["sea", "land"])[labels % 2], "age": age})
    folder = tmp_path_factory.mktemp("labels") / "study"
    study = unknot.study({"fc1": 3 * x, "fc2": x**3}, data, out=folder, **fast())
    return study, folder, data


def test_scores_are_those_of_the_labeled_alone(several):
    study, _, (_, labels) = several
    labeled = labels["species"] >= 0
    assert study.labels[0] == -1
    assert len(study["fc1"].map) == study["fc1"].points.shape[0] == 75
    alone = unknot.measure(
        study["fc1"].points[:][labeled],
        labels["species"][labeled],
        study["fc1"].map[labeled],
        fast()["measures"],
        **study.settings["options"],
    )
    for name, score in study["fc1"].scores.items():
        one = alone[name]
        assert (score.value, score.interval, score.null) == (one.value, one.interval, one.null)
    assert study["fc1"].scores.n_samples == 60


def test_several_labelings_share_all_but_scores(several):
    study, _, (x, labels) = several
    assert list(study.labelings) == ["species", "place", "age"]
    assert study.labelings["species"] is study
    place = study.labelings["place"]
    assert place["fc1"].map is study["fc1"].map
    assert place["fc1"].graph is study["fc1"].graph
    alone = unknot.study({"fc1": 3 * x, "fc2": x**3}, (x, labels["place"]), **fast())
    assert place.scores.to_dict() == alone.scores.to_dict()
    assert place.class_names == ("land", "sea")
    assert "species: 15 of 75 samples are unlabeled" in " ".join(study.notes)


def test_numbers_have_scores_of_their_own(several):
    study, _, _ = several
    age = study.labelings["age"]
    assert age.class_names == ()
    assert (age.labels == -1).all()
    assert np.isnan(age.targets[:6]).all()
    assert list(age["fc1"].scores) == [
        "trustworthiness", "two_nn", "neighborhood_r2", "map_neighborhood_r2", "linear_r2",
    ]  # fmt: skip
    score = age["fc1"].scores["linear_r2"]
    assert score.value > 0.9 > 0.1 > score.null
    assert "6 unlabeled" in repr(age)
    assert age.accuracy is None


def test_labelings_are_saved_and_loaded(several, tmp_path):
    study, folder, data = several
    assert json.loads((folder / "study.json").read_text())["version"] == 2
    in_memory = unknot.study({"fc1": 3 * data[0], "fc2": data[0] ** 3}, data, **fast())
    in_memory.save(tmp_path / "saved")
    for again in (in_memory, Study.load(tmp_path / "saved"), Study.load(folder)):
        assert list(again.labelings) == list(study.labelings)
        for name, there in study.labelings.items():
            other = again.labelings[name]
            assert other.scores.to_dict() == there.scores.to_dict()
            np.testing.assert_array_equal(other.labels, there.labels)
            assert other.notes[-1:] == there.notes[-1:]
            if there.targets is not None:
                np.testing.assert_array_equal(other.targets, there.targets)
            assert other["fc1"].graph.indices.tolist() == there["fc1"].graph.indices.tolist()


def test_few_labeled_samples_have_fewer_neighbors():
    labels = np.full(30, -1)
    labels[:4] = [0, 0, 1, 1]
    points = np.random.default_rng(0).normal(size=(30, 3))
    scores = unknot.study({"fc1": points}, (None, labels), **fast())["fc1"].scores
    assert scores.settings["k"] == 3
    assert "k is 3 instead of 6: 4 samples are labeled" in scores.notes


@pytest.mark.parametrize("numbers", [False, True])
def test_points_that_are_read_in_parts_are_measured_alike(tmp_path, numbers):
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 3
    points = rng.normal(size=(1200, 250)).astype(np.float32)
    points[:, 0] += 9 * labels
    partly = np.where(np.arange(1200) % 4, labels, -1)
    given = np.where(partly < 0, np.nan, points[:, 0]) if numbers else partly
    options = fast(measures=["neighborhood_hit"], max_memory="1 MB", out=tmp_path / "study")
    study = unknot.study({"fc1": points}, (None, given), **options)
    name = "neighborhood_r2" if numbers else "neighborhood_hit"
    rows = study.labeled
    expected = unknot.measure(points[rows], given[rows], measures=[name], n_resamples=0)
    found = study["fc1"].scores[name]
    assert found.value == pytest.approx(expected[name].value, abs=1e-6)
    assert study["fc1"].scores.n_samples == 900


def test_plain_studies_are_written_as_before(folder):
    manifest = json.loads((folder / "study.json").read_text())
    assert manifest["version"] == 1
    assert not {"labelings", "labeling", "values"} & set(manifest)


def test_selections_follow_in_every_labeling(several):
    study = several[0]
    part = study.select("fc1", classes=[0])
    assert set(part.labels) == {0}
    assert len(part.labelings["age"].targets) == len(part.labels)
    assert list(part.labelings["place"]) == ["fc1"]


def test_a_labeling_of_one_class_is_left_out():
    rng = np.random.default_rng(0)
    flags = np.stack([np.arange(40) % 2, np.ones(40), np.arange(40) % 3 == 0], axis=1)
    study = unknot.study(
        {"fc1": rng.normal(size=(40, 3))}, (None, flags), class_names=["a", "b", "c"], **fast()
    )
    assert list(study.labelings) == ["a", "c"]
    assert "the labeling 'b' is left out: every sample is of one class, 'yes'" in study.notes[-1]


@pytest.mark.frameworks
def test_a_network_of_several_answers(points):
    torch = pytest.importorskip("torch")
    labels, _ = points
    flags = np.stack([labels > 0, labels < 2], axis=1).astype(np.float32)
    x = (flags * 2 - 1) * 4
    model = torch.nn.Sequential(torch.nn.Identity())
    study = unknot.study(model, (x.astype(np.float32), flags), **fast(untrained=False))
    assert [each.accuracy for each in study.labelings.values()] == [1.0, 1.0]
    # Of labelings by name, the outputs are the classes of the first.
    both = {"right": labels > 0, "wrong": labels < 1}
    study = unknot.study(model, (x.astype(np.float32), both), **fast(untrained=False))
    assert study.labelings["wrong"].accuracy is None


def test_epochs_of_several_labelings(points):
    labels, x = points
    recorder = EpochRecorder((x, {"a": labels, "b": labels > 0}), **fast())
    for epoch in (1, 2):
        recorder.capture({"fc1": x * epoch}, epoch)
    study = recorder.study()
    other = study.labelings["b"]
    assert list(other.epochs) == [1, 2]
    assert other.epochs[1]["fc1"].map is study.epochs[1]["fc1"].map
    assert other.epochs[2].class_names == ("False", "True")
