"""Strips of maps over layers, and curves over epochs."""

import numpy as np
import pytest
from figures_checks import (
    assert_square_scales,
    assert_texts_are_clear,
    legend_words,
    stored_image,
    words,
)
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb

import unknot
from unknot.figures import epoch_curves, layer_curves, layer_strip
from unknot.figures._palette import GRID, MUTED, luminance

DEAD = "dead: all points are at one place, so that there are no neighbors"


@pytest.fixture(scope="module")
def maps(digits):
    map_, labels = digits
    steps = np.stack([np.cos(labels), np.sin(labels)], axis=1) * 40
    return {f"layer {n}": (map_ + n * steps).astype(np.float32) for n in range(4)}


class Known:
    """A minimal score, with the attributes that the figures use."""

    title, higher_is_better, range = "Neighborhood Hit", True, (0.0, 1.0)
    null, null_interval = 0.1, (0.05, 0.15)

    def __init__(self, value):
        self.value, self.interval = value, (value - 0.02, value + 0.02)

    def __float__(self):
        return float(self.value)


@stored_image
def test_layer_strip_image(maps, digits):
    _, labels = digits
    predictions = labels.copy()
    predictions[::60] = 0
    shown = {**maps, "dropout": DEAD, "output": None}
    scores = {name: 0.5 + 0.1 * n for n, name in enumerate(maps)}
    return layer_strip(shown, labels, scores=scores, predictions=predictions, title="Layers")


@stored_image
def test_epoch_curves_image():
    scores = {
        epoch: {
            f"layer {n}": {"hit": Known(0.5 + 0.1 * n * (1 - 0.8**epoch)), "spread": 9 - n}
            for n in range(4)
        }
        for epoch in (0, 1, 2, 5, 10, 40)
    }
    return epoch_curves(scores, title="While it learns", columns=2)


def test_strip_says_what_it_shows(maps, digits):
    map_, labels = digits
    scores = {
        "layer 0": unknot.measure(
            map_, labels, map_, "neighborhood", n_resamples=0, n_permutations=0
        ),
        "layer 1": 0.25,
        "layer 2": float("nan"),
        "layer 3": {"other": 1.0},
    }
    hit = 100 * scores["layer 0"]["neighborhood_hit"].value
    fig = layer_strip({**maps, "dropout": DEAD, "output": None}, labels, scores=scores, title="T")
    texts = words(fig)
    assert f"NH {hit:.1f} %, on the map {hit:.1f} %" in texts
    assert {"NH 25.0 %", "NH n/a", "no map", "T", *maps, "dropout", "output"} <= set(texts)
    assert any(text.replace("\n", " ") == DEAD for text in texts)
    assert_texts_are_clear(fig)
    assert legend_words(fig) == [str(n) for n in range(10)]
    assert len(fig.axes) == 6
    for ax in fig.axes[:4]:
        assert_square_scales(ax)
    for ax in fig.axes[4:]:
        assert to_hex(ax.get_facecolor()) == GRID
        assert not [c for c in ax.collections if len(c.get_offsets()) == len(labels)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1234.5, 0.0234), "spread 1,234, on the map 0.0234"),
        ((-2.0, 3.0), "spread −2, on the map 3"),
    ],
)
def test_other_measures_are_written_in_their_units(maps, digits, values, text):
    _, labels = digits
    scores = {"layer 0": dict(zip(("spread", "map_spread"), values, strict=True))}
    fig = layer_strip({"layer 0": maps["layer 0"]}, labels, scores=scores, measure="spread")
    assert text.capitalize() in words(fig)


def test_wrong_predictions_are_ringed(maps, digits):
    _, labels = digits
    predictions = labels.copy()
    predictions[[3, 50, 700]] = (labels[[3, 50, 700]] + 1) % 10
    fig = layer_strip(maps, labels, predictions=predictions)
    for ax, map_ in zip(fig.axes, maps.values(), strict=True):
        (rings,) = [c for c in ax.collections if c.get_label() == "wrong"]
        np.testing.assert_array_equal(rings.get_offsets(), map_[[3, 50, 700]])
    assert legend_words(fig)[-1] == "predicted wrongly (3)"
    assert "predicted wrongly (0)" in words(layer_strip(maps, labels, predictions=labels))


@pytest.mark.parametrize(("n", "n_wrong"), [(1797, 3), (1797, 1700), (100, 90), (10, 10)])
def test_rings_go_around_their_dots(maps, digits, n, n_wrong):
    predictions = digits[1][:n].copy()
    predictions[:n_wrong] += 1
    fig = layer_strip({"x": maps["layer 0"][:n]}, digits[1][:n], predictions=predictions)
    dots, rings = fig.axes[0].collections
    assert rings.get_sizes()[0] > dots.get_sizes()[0]


@pytest.mark.parametrize("n_maps", [1, 2, 5, 6, 13])
@pytest.mark.parametrize("columns", [None, 1, 4])
def test_strips_of_any_length(maps, digits, n_maps, columns):
    _, labels = digits
    name = "block{}/convolution_with_a_name longer than any panel is wide, and then some more"
    shown = {name.format(n): maps["layer 1"] if n % 3 else None for n in range(n_maps)}
    scores = {layer: {"neighborhood_hit": 0.5, "map_neighborhood_hit": 0.25} for layer in shown}
    fig = layer_strip(shown, labels, scores=scores, columns=columns, title="A title " * 20)
    assert len(fig.axes) == n_maps
    assert_texts_are_clear(fig)
    assert fig.get_size_inches()[0] <= 10.01
    tops = {round(ax.get_position().y0, 6) for ax in fig.axes}
    across = min(columns or {13: 5, 6: 3}.get(n_maps, n_maps), n_maps)
    assert len(tops) == -(-n_maps // across)
    if n_maps == 13 and columns is None:
        assert any(text.endswith("…") for text in words(fig))


def test_strip_of_named_classes(maps, digits):
    _, labels = digits
    names = [f"<b>class & {n}" for n in range(10)]
    fig = layer_strip(maps, np.array(names)[labels], columns=2)
    assert sorted(legend_words(fig)) == names
    assert_texts_are_clear(fig)


def test_bad_strips(maps, digits):
    _, labels = digits
    with pytest.raises(ValueError, match="at least one layer; got none"):
        layer_strip({}, labels)
    with pytest.raises(ValueError, match="columns must be an integer of at least 1; got 0"):
        layer_strip(maps, labels, columns=0)
    with pytest.raises(ValueError, match=r"maps\['a'\] must be finite"):
        layer_strip({"a": np.full((1797, 2), np.nan)}, labels)
    with pytest.raises(ValueError, match="labels of 'layer 0' must hold one label"):
        layer_strip(maps, labels[:-1])
    with pytest.raises(ValueError, match=r"predictions must hold one class.*\(3,\)"):
        layer_strip(maps, labels, predictions=[1, 2, 3])
    with pytest.raises(ValueError, match="predictions must have the same kind of values"):
        layer_strip(maps, labels, predictions=labels.astype(str))


def lines_of(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def test_epoch_curves_draw_a_line_a_layer():
    scores = {
        5: {"a": {"hit": Known(0.9)}, "b": {"hit": Known(0.5), "other": 3}},
        0: {"a": {"hit": Known(0.2)}},
        1: {"a": {"hit": Known(0.4), "other": 1}, "b": {"hit": Known(0.3), "other": 2}},
    }
    fig = epoch_curves(scores)
    hit, other = fig.axes
    a, b = lines_of(hit, "value")
    np.testing.assert_array_equal(a.get_xdata(), [0, 1, 5])
    np.testing.assert_array_equal(a.get_ydata(), [0.2, 0.4, 0.9])
    np.testing.assert_array_equal(b.get_ydata(), [np.nan, 0.3, 0.5])
    np.testing.assert_array_equal(lines_of(other, "value")[1].get_ydata(), [np.nan, 2, 3])
    # Chance is drawn only on request.
    assert not lines_of(hit, "null")
    chance = epoch_curves(scores, ["hit"], layers=["b"], chance=True)
    (null,) = lines_of(chance.axes[0], "null")
    np.testing.assert_array_equal(null.get_ydata(), [np.nan, 0.1, 0.1])
    assert legend_words(fig) == ["a", "b", "95 % interval"]
    assert legend_words(chance) == ["95 % interval", "by chance (labels permuted)"]
    assert_texts_are_clear(fig)


def test_an_isolated_value_is_seen_and_no_line_goes_over_a_missing_one():
    # Layers 0 and 1 have values, 2 has none, 3 has one, 4 has none.
    known = [Known(0.2), Known(0.4), None, Known(0.9), None]
    scores = {f"layer {n}": {} if s is None else {"hit": s} for n, s in enumerate(known)}
    fig = layer_curves(scores)
    (ax,) = fig.axes
    (value,) = lines_of(ax, "value")
    np.testing.assert_array_equal(value.get_ydata(), [0.2, 0.4, np.nan, 0.9, np.nan])
    dots, bars = [], []
    for drawn in ax.collections:
        if isinstance(drawn, PathCollection):
            dots += drawn.get_offsets().tolist()
        elif isinstance(drawn, LineCollection):
            bars += [segment.tolist() for segment in drawn.get_segments()]
    # An isolated value by chance is drawn as a dot, an isolated interval as a bar.
    assert dots == [[3, known[3].null]]
    low, high = known[3].interval
    assert [[3, low], [3, high]] in bars
    assert not any(x in (0, 1) for bar in bars for x, _ in bar)


def test_layers_go_from_dark_to_light():
    scores = {n: {f"layer {m}": {"hit": m / 10} for m in range(8)} for n in range(3)}
    colors = [line.get_color() for line in lines_of(epoch_curves(scores).axes[0], "value")]
    lightness = [luminance(to_hex(to_rgb(color))) for color in colors]
    assert lightness == sorted(lightness)
    assert lightness[-1] < 0.7
    assert MUTED not in colors


@pytest.mark.parametrize(
    "epochs", [[3], [0, 1], range(30), range(0, 100_000, 999), [0, 1, 2, 3, 5, 10, 20, 50, 1000]]
)
def test_epochs_of_any_number(epochs):
    scores = {epoch: {"fc": {"a": epoch, "b": -epoch / 3}} for epoch in epochs}
    fig = epoch_curves(scores, title="Long " * 40)
    assert_texts_are_clear(fig)
    ticks = fig.axes[0].get_xticks()
    assert set(ticks) <= set(epochs)
    assert ticks[-1] == max(epochs)
    uneven = list(epochs) == [0, 1, 2, 3, 5, 10, 20, 50, 1000]
    assert ("epoch, logarithmic" if uneven else "epoch") in words(fig)


def test_bad_epochs():
    good = {0: {"fc": {"hit": 0.5}}}
    with pytest.raises(ValueError, match="at least one epoch; got none"):
        epoch_curves({})
    with pytest.raises(ValueError, match="each epoch must be an integer of at least 0; got -1"):
        epoch_curves({-1: {"fc": {"hit": 0.5}}})
    with pytest.raises(ValueError, match="got True"):
        epoch_curves({True: {"fc": {"hit": 0.5}}})
    with pytest.raises(ValueError, match="there are no layers to draw"):
        epoch_curves({0: {}})
    with pytest.raises(ValueError, match="no epoch has the layer 'conv'; there are fc"):
        epoch_curves(good, layers=["conv"])
    with pytest.raises(ValueError, match="no layer has the measure 'nc1'; there are hit"):
        epoch_curves(good, ["nc1"])
    with pytest.raises(ValueError, match="there are no measures to draw"):
        epoch_curves({0: {"fc": {}}})
    with pytest.raises(ValueError, match="columns must be an integer of at least 1; got 0"):
        epoch_curves(good, columns=0)


def test_intervals_of_maps_are_said_to_be_given_the_map():
    points = np.random.default_rng(0).normal(size=(60, 3))
    labels = np.arange(60) % 3
    names = ["neighborhood_hit", "map_neighborhood_hit"]
    scores = {
        name: unknot.measure(shift + points, labels, points[:, :2], names, n_permutations=0)
        for name, shift in (("a", 0), ("b", labels[:, None]))
    }
    assert legend_words(layer_curves(scores)) == ["95 % interval (on maps: given this map)"]
    assert legend_words(layer_curves(scores, names[:1])) == ["95 % interval"]
