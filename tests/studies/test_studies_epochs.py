"""The layers of a network at chosen epochs of its training."""

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.studies import EpochRecorder, Study


def options(**more):
    return {key: value for key, value in fast(**more).items() if key != "untrained"}


@pytest.fixture(scope="module")
def digits_data():
    return unknot.load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits_data, tmp_path_factory):
    """A study of a perceptron at epochs 0, 1 and 4 of its training by unknot.train."""
    folder = tmp_path_factory.mktemp("epochs") / "study"
    recorder = EpochRecorder(
        digits_data, max_samples=120, epochs=[0, 1, 4], out=folder, name="digits", **options()
    )
    model = unknot.networks.perceptron(10, (8, 8, 1), random_state=0)
    unknot.train(model, digits_data, epochs=4, random_state=0, callbacks=[recorder], progress=False)
    assert recorder.captured == (0, 1, 4)
    return recorder.study(), folder, model


def test_every_epoch_is_a_study(trained, digits_data):
    study, _, model = trained
    assert list(study.epochs) == [0, 1, 4]
    assert repr(study).endswith("epochs: 0, 1, 4)")
    sample = digits_data.test.sample(120, random_state=0)
    np.testing.assert_array_equal(study.labels, sample.labels)
    for epoch, there in study.epochs.items():
        assert list(there) == list(study)
        assert there.name == f"digits, epoch {epoch}"
        assert there["fc1"].map.shape == (120, 2)
    last = study.epochs[4]
    np.testing.assert_array_equal(last["fc1"].map, study["fc1"].map)
    np.testing.assert_array_equal(last.predictions, study.predictions)
    predicted = model.predict(sample.inputs, verbose=0)
    np.testing.assert_array_equal(study.predictions, predicted.argmax(axis=1))
    np.testing.assert_allclose(study.probabilities, predicted, atol=1e-6)
    accuracies = [there.accuracy for there in study.epochs.values()]
    assert accuracies[0] < 0.35 < accuracies[-1]


def test_epochs_are_compared_like_studies(trained):
    study = trained[0]
    learned = study.epochs[0].compare(study.epochs[4])
    output = list(study)[-1]
    hit = next(row for row in learned if (row.layer, row.measure) == (output, "neighborhood_hit"))
    assert hit.difference > 0
    inputs = {row.difference for row in learned if row.layer == "inputs"}
    assert inputs == {0.0}


def test_maps_of_epochs_follow_each_other(trained):
    from unknot.projection import align_map, displacement

    first, second = (trained[0].epochs[epoch]["fc1"].map for epoch in (1, 4))
    assert displacement(align_map(second, first), second) < 0.05
    np.testing.assert_array_equal(
        trained[0].epochs[0]["inputs"].map, trained[0].epochs[4]["inputs"].map
    )


def test_they_are_saved_and_loaded(trained, tmp_path):
    study, folder, _ = trained
    study.save(tmp_path / "copy")
    for loaded in (Study.load(folder), Study.load(tmp_path / "copy")):
        assert list(loaded.epochs) == [0, 1, 4]
        for epoch, there in loaded.epochs.items():
            mine = study.epochs[epoch]
            np.testing.assert_array_equal(there["fc1"].map, mine["fc1"].map)
            np.testing.assert_array_equal(there["fc1"].points[:], mine["fc1"].points[:])
            assert there.scores.to_dict() == mine.scores.to_dict()
            assert there.accuracy == mine.accuracy
    part = study.select("fc1", classes=[0, 1])
    assert list(part.epochs[1]) == ["fc1"]
    assert set(part.epochs[1].labels) == {0, 1}


def test_curves_over_epochs(trained):
    assert len(trained[0].curves(["neighborhood_hit"], over="epochs").axes) == 1
    with pytest.raises(ValueError, match="has no epochs"):
        trained[0].epochs[1].curves(over="epochs")
    with pytest.raises(ValueError, match="over must be 'layers' or 'epochs'"):
        trained[0].curves(over="time")


def test_keras_calls_it_too(digits_data):
    recorder = EpochRecorder(digits_data, max_samples=40, epochs=2, **options(layers="fc1"))
    model = unknot.networks.perceptron(10, (8, 8, 1), random_state=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(
        digits_data.train.inputs[:200],
        digits_data.train.labels[:200],
        epochs=4,
        verbose=0,
        callbacks=[recorder.callback()],
    )
    assert recorder.captured == (0, 2, 4)


def test_any_loop_can_capture(layers, digits):
    recorder = EpochRecorder((None, digits.labels), keep_points=False, **options())
    with pytest.raises(ValueError, match="nothing was captured yet"):
        recorder.study()
    for epoch in (1, 3):
        recorder.capture({"fc2": layers["fc2"] * np.float32(epoch)}, epoch)
    study = recorder.study()
    assert list(study.epochs) == [1, 3]
    assert study["fc2"].points is None
    assert study["fc2"].map is not None
    with pytest.raises(ValueError, match="epoch must be an integer from 0 up; got -1"):
        recorder.capture({}, -1)
    with pytest.raises(ValueError, match="epochs must be an integer of at least 1"):
        EpochRecorder(digits, epochs=0)
