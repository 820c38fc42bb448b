"""Learning curves."""

import numpy as np
import pandas as pd
import pytest
from figures_checks import assert_texts_are_clear, legend_words, stored_image, words
from matplotlib.colors import to_hex

from unknot.figures import learning_curves
from unknot.figures._palette import LINES


def ticks_of(axis):
    axis.axes.figure.canvas.draw()
    return [label.get_text() for label in axis.get_ticklabels()]


@stored_image
def test_learning_curves_image(histories):
    return learning_curves(histories, title="Learning curves")


def test_every_value_is_drawn(histories):
    fig = learning_curves(histories)
    loss, accuracy = fig.axes
    for ax, keys in ((loss, ("loss", "val_loss")), (accuracy, ("accuracy", "val_accuracy"))):
        assert len(ax.lines) == 6
        expected = [(name, key) for name in histories for key in keys]
        for line, (name, key) in zip(ax.lines, expected, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), histories[name]["epoch"])
            np.testing.assert_array_equal(line.get_ydata(), histories[name][key])
            assert to_hex(line.get_color()) == LINES[list(histories).index(name)]
            assert (line.get_linestyle() == "-") is key.startswith("val_")
            low, high = ax.get_ylim()
            assert low < min(histories[name][key])
            assert max(histories[name][key]) < high


def test_can_be_read(histories):
    fig = learning_curves(histories, title="Of three models " * 9)
    assert_texts_are_clear(fig)
    assert legend_words(fig) == [*histories, "training", "validation"]


def test_uneven_lengths_have_a_logarithmic_axis(histories):
    ax = learning_curves(histories).axes[0]
    assert ax.get_xscale() == "log"
    assert ticks_of(ax.xaxis) == ["1", "2", "3", "5", "10", "20", "30", "50", "100"]
    assert ax.get_xlabel() == "epoch, logarithmic"


def test_even_lengths_have_a_linear_axis(histories):
    ax = learning_curves({"LeNet": histories["LeNet"]}).axes[0]
    assert ax.get_xscale() == "linear"
    assert ticks_of(ax.xaxis) == ["2", "4", "6", "8", "10"]


def test_accuracies_are_spread_by_their_errors(histories):
    ax = learning_curves(histories).axes[1]
    assert {"90 %", "95 %", "98 %", "99 %"} <= set(ticks_of(ax.yaxis))
    # Errors of 20, 10 and 5 % are equally spaced.
    (_, y80), (_, y90), (_, y95) = ax.transData.transform([(1, 0.8), (1, 0.9), (1, 0.95)])
    assert y90 - y80 == pytest.approx(y95 - y90)
    assert y90 > y80


def test_training_alone_is_a_solid_line():
    fig = learning_curves({"A": {"loss": [3.0, 2.0, 1.0]}})
    (ax,) = fig.axes
    assert [line.get_linestyle() for line in ax.lines] == ["-"]
    assert legend_words(fig) == ["A"]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])
    assert "Accuracy" not in words(fig)
    assert_texts_are_clear(fig)


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [0.5], "accuracy": [0.9]},
        {"loss": [0.5, np.nan, np.inf], "accuracy": [0.9, np.nan, 0.1]},
        {"loss": [np.nan] * 3, "val_accuracy": [np.nan] * 3},
        {"loss": [0.5, 0.0], "accuracy": [0.9, 1.0]},
        {"loss": [0.0, 0.0], "accuracy": [0.0, 0.0]},
        {"loss": [-1.0, -2.0], "accuracy": [1.0, 1.0]},
        {"loss": [1e-12, 1e9], "accuracy": [0.0, 1.0]},
        {"loss": [0.301, 0.3], "accuracy": [0.923, 0.9231]},
        {"epoch": [21, 22], "loss": [0.301, 0.3]},
    ],
)
def test_strange_histories_are_drawn(history):
    fig = learning_curves({"A": history})
    assert_texts_are_clear(fig)
    for ax in fig.axes:
        assert len(ticks_of(ax.yaxis)) >= 2
        assert np.isfinite(ax.get_ylim()).all()


def test_an_isolated_value_of_many_epochs_is_seen():
    # Validation at every fourth epoch: isolated values, which a line does not show.
    every = np.where(np.arange(20) % 4 == 3, 0.5, np.nan)
    fig = learning_curves({"A": {"loss": np.linspace(1, 0.1, 20), "val_loss": every}})
    loss, validation = fig.axes[0].lines
    assert np.flatnonzero(validation.get_markevery()).tolist() == [3, 7, 11, 15, 19]
    assert not np.any(loss.get_markevery())


def test_a_data_frame_is_a_history(histories):
    frame = pd.DataFrame(histories["LeNet"])
    line = learning_curves({"LeNet": frame.to_dict("list")}).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), frame["loss"])


def test_more_models_than_colors():
    many = {f"model {n}": {"loss": [2.0, 1.0 + n / 99]} for n in range(12)}
    fig = learning_curves(many)
    assert len(fig.axes[0].lines) == 12
    assert_texts_are_clear(fig)


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ({}, "at least one history; got none"),
        ({"A": {"accuracy": [1]}}, "the history of 'A' has no column loss; it has accuracy"),
        ({"A": {"loss": []}}, "the history of 'A' has no epochs"),
        ({"A": {"loss": [1, 2], "val_loss": [1]}}, "loss has 2 values and val_loss 1"),
        ({"A": {"loss": [1, 2], "epoch": [1]}}, "loss has 2 values and epoch 1"),
    ],
)
def test_faults(histories, message):
    with pytest.raises(ValueError, match=message):
        learning_curves(histories)
