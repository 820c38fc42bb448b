"""Data in any form, shown small; the model's answers."""

from dataclasses import replace

import numpy as np
import pytest

import unknot
from unknot.studies._pipeline.data import StudyData, snippets_of, take_data, thumbnails_of
from unknot.studies._pipeline.labeling import Labeling
from unknot.studies._pipeline.labels import take_labels
from unknot.studies._pipeline.models import answers

NAMES = ("a", "b", "c")


def named(codes, names):
    """Return labels of classes with names, in the order of the outputs."""
    return Labeling(np.array(codes, np.int64), tuple(names), order_known=True, named=True)


def test_a_dataset_gives_its_test_part():
    data = unknot.load_dataset("digits")
    assert len(take_data(data).labels) == len(take_data("digits").labels) == len(data.test)
    assert len(take_data(unknot.Dataset("d", data.train)).labels) == len(data.train)


def test_numbers_keep_their_meaning_and_words_get_codes():
    taken = take_data((np.zeros((4, 2)), [0, 3, 3, 1]))
    assert taken.labels.tolist() == [0, 3, 3, 1]
    assert taken.class_names == ("0", "1", "2", "3")
    taken = take_data((np.zeros((3, 2)), ["dog", "cat", "dog"]))
    assert taken.labels.tolist() == [1, 0, 1]
    assert taken.class_names == ("cat", "dog")
    taken = take_data((np.zeros((3, 2)), [-2, 7, 7]))
    assert (taken.labels.tolist(), taken.class_names) == ([0, 1, 1], ("-2", "7"))


def test_several_inputs_are_one_row_of_numbers():
    inputs = {"image": np.ones((3, 2, 2)), "words": np.arange(9).reshape(3, 3)}
    points, _ = take_data((inputs, [0, 1, 1])).points_and_notes()
    assert points.tolist()[1] == [1, 1, 1, 1, 3, 4, 5]
    assert points.dtype == np.float32


def test_the_fingerprint_is_of_everything():
    labels = named([0, 1, 1], "ab")
    base = StudyData(np.zeros((3, 2)), {"labels": labels})
    others = [
        StudyData(np.ones((3, 2)), base.labelings),
        StudyData(base.inputs, {"labels": named([1, 1, 0], "ab")}),
        StudyData(base.inputs, {"labels": named([0, 1, 1], "ac")}),
        StudyData(base.inputs, {"labels": named([0, 1, -1], "ab")}),
        StudyData(base.inputs, {"labels": labels, "others": labels}),
        StudyData(base.inputs, {"labels": replace(labels, order_known=False)}),
        StudyData(base.inputs.reshape(3, 2, 1), base.labelings),
    ]
    assert len({data.fingerprint for data in (base, *others)}) == 8


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 8, 8), (5, 8, 8)),
        ((5, 8, 8, 1), (5, 8, 8)),
        ((5, 1, 8, 9), (5, 8, 9)),
        ((5, 8, 8, 3), (5, 8, 8, 3)),
        ((5, 3, 8, 9), (5, 8, 9, 3)),
        ((5, 130, 140, 3), (5, 43, 46, 3)),
        ((5, 8, 8, 2), None),
        ((5, 20), None),
        ((5, 4, 30), None),
    ],
)
def test_thumbnails_of_shapes(shape, expected):
    pictures = thumbnails_of(np.full(shape, 0.5, np.float32))
    assert (None if pictures is None else pictures.shape) == expected
    if pictures is not None:
        assert pictures.dtype == np.uint8
        assert (pictures == 128).all()


def test_thumbnails_keep_the_scale_of_pixels():
    image = np.zeros((2, 8, 8), np.float32)
    image[0, 0, 0] = 1.0
    assert thumbnails_of(image).max() == 255
    assert thumbnails_of(image * 200).max() == 200
    normalized = image * 4 - 2  # neither 0..1 nor 0..255: from the least to the greatest
    assert (thumbnails_of(normalized).min(), thumbnails_of(normalized).max()) == (0, 255)


def test_snippets_are_the_first_numbers():
    assert snippets_of(np.array([[0.25, 3.0], [1.0, -2.0]])) == ("0.25, 3", "1, -2")
    assert snippets_of(np.zeros((1, 9)))[0] == "0, 0, 0, 0, 0, 0, 0, 0, ..."
    assert snippets_of(np.zeros((2, 3, 4))) is None


def test_probabilities_are_taken_as_they_are():
    outputs = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]], np.float32)
    found = answers(outputs, named([1, 0], NAMES))
    assert found.predictions.tolist() == [1, 0]
    np.testing.assert_array_equal(found.probabilities, outputs)
    assert (found.class_names, found.notes) == (NAMES, ())


def test_logits_become_probabilities():
    outputs = np.log(np.array([[0.2, 0.5, 0.3]], np.float32)) + 7
    found = answers(outputs, named([1], NAMES))
    np.testing.assert_allclose(found.probabilities, [[0.2, 0.5, 0.3]], rtol=1e-5)


def test_one_output_is_of_the_second_of_two_classes():
    for outputs in ([0.9, 0.2], [3.0, -2.0]):
        found = answers(np.array(outputs, np.float32)[:, None], named([1, 0], NAMES[:2]))
        assert found.predictions.tolist() == [1, 0]
        assert found.probabilities.shape == (2, 2)
    assert answers(np.zeros((2, 1), np.float32), named([1, 0], NAMES)).predictions is None


def test_other_numbers_of_outputs_are_noted():
    outputs = np.zeros((2, 7), np.float32)
    found = answers(outputs, named([0, 1], NAMES))
    assert found.predictions is found.probabilities is None
    assert found.notes == (
        "the model has 7 outputs and the data 3 classes: there are no predictions and no accuracy",
    )
    # Classes without names: the model knows more of them than the samples show.
    assert answers(outputs, take_labels([0, 1])).class_names == tuple("0123456")


def test_classes_in_another_order_are_suspected():
    labels = np.arange(40) % 4
    outputs = np.eye(4, dtype=np.float32)[(labels + 1) % 4]
    assert "outputs stand in the order" in answers(outputs, named(labels, "abcd")).notes[0]
