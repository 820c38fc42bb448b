"""Misclassified images."""

import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, stored_image, words

from unknot.figures import wrong_images


def shown(fig):
    return [np.asarray(ax.images[0].get_array()) for ax in fig.axes]


@stored_image
def test_wrong_images_image(mistakes):
    _, labels, predictions, probabilities = mistakes
    # Large dark spots: versions of matplotlib differ at edges.
    y, x = np.mgrid[0:1:40j, 0:1:40j]
    spots = [1 - np.exp(-10 * ((x - n / 12) ** 2 + (y - n % 3 / 2) ** 2)) for n in range(12)]
    names = ["cat", "raccoon dog", "ox"]
    return wrong_images(np.stack(spots), labels, predictions, names, probabilities)


def test_the_most_confident_mistakes_come_first(mistakes):
    images, labels, predictions, probabilities = mistakes
    # Misclassified: 1, 4, 5, 8 and 10; confidence increases with the index.
    fig = wrong_images(images, labels, predictions, None, probabilities, n_shown=3)
    np.testing.assert_array_equal(shown(fig), images[[10, 8, 5]])
    texts = words(fig)
    assert (
        texts[0] == "5 of 12 images (41.67 %) are classified wrongly: the 3 most confident mistakes"
    )
    assert texts[1].endswith("below it the predicted one and its probability")
    # True 1, 2, 2; confidence 0.4 + 0.5999 i / 11, rounded down.
    assert texts[2:] == ["1", "→ 0  94.5 %", "2", "→ 0  83.6 %", "2", "→ 1  67.2 %"]


def test_the_probability_of_the_prediction_is_enough(mistakes):
    images, labels, predictions, probabilities = mistakes
    sure = probabilities[np.arange(12), predictions]
    whole = wrong_images(images, labels, predictions, None, probabilities)
    assert words(wrong_images(images, labels, predictions, None, sure)) == words(whole)


def test_without_probabilities_in_their_order(mistakes):
    images, labels, predictions, _ = mistakes
    fig = wrong_images(images, labels, predictions, n_shown=2)
    np.testing.assert_array_equal(shown(fig), images[[1, 4]])
    assert "the 2 first" in words(fig)[0]
    assert words(fig)[2:] == ["1", "→ 2", "1", "→ 0"]


def test_nothing_wrong(mistakes):
    images, labels, _, probabilities = mistakes
    fig = wrong_images(images, labels, labels, None, probabilities)
    assert fig.axes == []
    assert words(fig) == ["None of 12 images is classified wrongly"]
    assert_texts_are_clear(fig)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (16, 8), (8, 16, 3)])
def test_shapes_of_images(mistakes, shape):
    _, labels, predictions, probabilities = mistakes
    images = np.random.default_rng(0).random((12, *shape))
    fig = wrong_images(images, labels, predictions, list("abc"), probabilities)
    assert_texts_are_clear(fig)
    for ax in fig.axes:
        box = ax.get_window_extent()
        assert box.height / box.width == pytest.approx(shape[0] / shape[1], rel=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog", "ox"],
        ["Ankle boot", "T-shirt/top", "Pullover"],
        ["a long name that cannot fit", "x", "another very long name of a class"],
    ],
)
def test_names_of_any_length_can_be_read(mistakes, names):
    images, labels, predictions, probabilities = mistakes
    assert_texts_are_clear(wrong_images(images, labels, predictions, names, probabilities))
    many = np.tile(labels, 10), np.tile(predictions, 10), np.tile(probabilities, (10, 1))
    fig = wrong_images(np.tile(images, (10, 1, 1)), many[0], many[1], names, many[2])
    assert len(fig.axes) == 30
    assert_texts_are_clear(fig)


def test_ink_is_black_on_white_and_photographs_are_as_they_are(mistakes):
    images, labels, predictions, _ = mistakes
    assert (images == 0).mean() > 0.5
    assert wrong_images(images, labels, predictions).axes[0].images[0].cmap.name == "gray_r"
    photographs = images + 0.01
    fig = wrong_images(photographs, labels, predictions)
    assert fig.axes[0].images[0].cmap.name == "gray"
    assert fig.axes[0].images[0].get_clim() == (0, 1)
    fig = wrong_images(images, labels, predictions, cmap="viridis")
    assert fig.axes[0].images[0].cmap.name == "viridis"


def test_certainty_alone_is_a_hundred_percent(mistakes):
    images, labels, predictions, _ = mistakes
    sure = np.full(12, 0.99996)
    sure[10] = 1.0
    texts = words(wrong_images(images, labels, predictions, None, sure))
    assert [text for text in texts if text.endswith("100.0 %")] == ["→ 0  100.0 %"]
    assert sum(text.endswith("99.9 %") for text in texts) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((12, 64))}, r"got \(12, 64\)"),
        ({"images": np.zeros((12, 8, 8, 4))}, r"with 1 or 3 channels last; got \(12, 8, 8, 4\)"),
        ({"labels": [0]}, "labels must hold one integer for each of the 12 images"),
        ({"predictions": np.zeros(12)}, "predictions must hold .* and dtype float64"),
        ({"labels": np.arange(12) - 3}, r"labels must be in 0\.\.C-1; got -3"),
        ({"class_names": ["a", "b"]}, "class_names has 2 names, but there is a class 2"),
        ({"probabilities": np.zeros((12, 2))}, r"\(12, n_classes\); got \(12, 2\)"),
        ({"probabilities": np.full(12, 99.0)}, r"probabilities must be in \[0, 1\]"),
        ({"n_shown": 0}, "n_shown must be an integer of at least 1; got 0"),
    ],
)
def test_faults(mistakes, change, message):
    arguments = dict(zip(("images", "labels", "predictions"), mistakes, strict=False)) | change
    with pytest.raises(ValueError, match=message):
        wrong_images(**arguments)
