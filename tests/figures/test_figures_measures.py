"""Figures of measures: over layers, per pair of classes, and per class."""

import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, legend_words, stored_image, words
from matplotlib.colors import to_hex

import unknot
from unknot import metrics
from unknot._io.formatting import format_alike, format_tick
from unknot.figures import class_bars, confusion_heatmap, layer_curves, pair_heatmap
from unknot.figures._palette import LINES, MUTED

NAMES = [f"class number {n}" for n in range(10)]


@pytest.fixture(scope="module")
def layers(digits):
    """Scores of three layers with increasing class separation."""
    data, labels = digits
    rng = np.random.default_rng(0)
    measures = [
        "neighborhood_hit",
        "neighbor_confusion",
        "silhouette",
        "nc1",
        "participation_ratio",
    ]
    scores = {}
    for number, name in enumerate(("pixels", "conv", "dense")):
        centers = rng.normal(size=(10, 5))[labels] * 10 * number
        points = np.hstack([data, centers + rng.normal(size=centers.shape)])
        scores[name] = unknot.measure(
            points, labels, measures=measures, n_resamples=20, n_permutations=3
        )
    return scores


@stored_image
def test_layer_curves_image():
    rising = np.linspace(0.5, 0.95, 6)

    class Known:
        """A minimal score, with the attributes that the figure uses."""

        title, higher_is_better, range = "Neighborhood Hit", True, (0.0, 1.0)
        null, null_interval = 0.1, (0.05, 0.15)

        def __init__(self, value):
            self.value, self.interval = value, (value - 0.06, value + 0.04)

        def __float__(self):
            return float(self.value)

    trained = {f"layer {n}": {"hit": Known(v), "spread": 40 / v**9} for n, v in enumerate(rising)}
    fresh = {f"layer {n}": {"hit": Known(0.5), "spread": 2e4} for n in range(6)}
    return layer_curves(trained, others={"untrained": fresh}, title="Layer by layer")


@stored_image
def test_confusion_heatmap_image(digits):
    return confusion_heatmap(metrics.neighbor_confusion(*digits), title="Digits, PCA")


@stored_image
def test_class_bars_image(digits):
    hit = metrics.neighborhood_hit(*digits)
    return class_bars(hit, NAMES, title="Digits, PCA", label="Neighborhood Hit, k = 6")


@stored_image
def test_class_dots_image(digits):
    map_, labels = digits
    hits = {f"k = {k}": metrics.neighborhood_hit(map_, labels, k) for k in (1, 6, 60)}
    return class_bars(hits, NAMES, title="Digits, PCA", sort=True)


def lines_of(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def test_layer_curves_draw_values_intervals_and_chance(layers):
    fig = layer_curves(layers, ["silhouette", "neighborhood_hit"])
    assert len(fig.axes) == 2
    for ax, name in zip(fig.axes, ("silhouette", "neighborhood_hit"), strict=True):
        scores = [layer[name] for layer in layers.values()]
        (values,), (null,) = lines_of(ax, "value"), lines_of(ax, "null")
        np.testing.assert_array_equal(values.get_ydata(), [float(score) for score in scores])
        np.testing.assert_array_equal(null.get_ydata(), [score.null for score in scores])
        null_band, band = ax.collections
        for drawn, bounds in (
            (band, [score.interval for score in scores]),
            (null_band, [score.null_interval for score in scores]),
        ):
            box = drawn.get_datalim(ax.transData)
            assert box.ymin == pytest.approx(np.min(bounds))
            assert box.ymax == pytest.approx(np.max(bounds))
    assert legend_words(fig) == ["95 % interval", "by chance (labels permuted)"]


def test_layer_curves_of_every_measure_can_be_read(layers):
    fig = layer_curves(layers, others={"untrained": layers}, title="All of them " * 12)
    assert len(fig.axes) == 5
    assert_texts_are_clear(fig)
    texts = words(fig)
    assert "Neighborhood Hit" in texts
    assert "higher is more untangled" in texts
    assert "lower is more untangled" in texts
    assert "neither way is better" in texts
    assert legend_words(fig)[:2] == ["trained", "untrained"]


def test_networks_are_told_apart(layers):
    single, both = layer_curves(layers), layer_curves(layers, others={"other": layers})
    assert to_hex(lines_of(single.axes[0], "null")[0].get_color()) == MUTED
    for kind in ("value", "null"):
        colors = [to_hex(line.get_color()) for line in lines_of(both.axes[0], kind)]
        assert colors == list(LINES[:2])


@pytest.mark.parametrize("n_layers", [1, 2, 8, 60])
@pytest.mark.parametrize("name", ["l{}", "block{}_convolution_with_a_long_name"])
def test_layers_of_any_number_and_name(n_layers, name):
    scores = {name.format(n): {"a": n / 60, "b": -n} for n in range(n_layers)}
    fig = layer_curves(scores, columns=2)
    assert_texts_are_clear(fig)
    assert fig.legends == []


@pytest.mark.parametrize(
    ("n_measures", "options", "across", "inches"),
    [(1, {}, 1, 3.3), (3, {}, 3, 10), (4, {}, 2, 10), (5, {}, 3, 10), (6, {"columns": 4}, 3, 10)],
)
def test_no_panel_stands_alone_in_a_row(n_measures, options, across, inches):
    scores = {layer: dict.fromkeys("abcdef"[:n_measures], 0.5) for layer in ("x", "y")}
    fig = layer_curves(scores, **options)
    lefts = {round(ax.get_position().x0, 3) for ax in fig.axes}
    assert len(lefts) == across
    assert fig.get_figwidth() == pytest.approx(inches, abs=0.1)


def test_gaps_where_a_layer_lacks_a_measure():
    fig = layer_curves({"x": {"a": 1.0}, "y": {"b": 2}, "z": {"a": 3.0, "b": np.float32(4)}})
    first, second = (lines_of(ax, "value")[0].get_ydata() for ax in fig.axes)
    np.testing.assert_array_equal(first, [1, np.nan, 3])
    np.testing.assert_array_equal(second, [np.nan, 2, 4])


def test_scales_of_values():
    fig = layer_curves({"x": {"wide": 1.0, "narrow": 1.0}, "y": {"wide": 100.0, "narrow": 2.0}})
    assert [ax.get_yscale() for ax in fig.axes] == ["log", "linear"]


def test_an_axis_ends_where_its_measure_does(layers):
    perfect = {"a": layers["dense"], "b": layers["dense"]}
    ax = layer_curves(perfect, ["neighborhood_hit"]).axes[0]
    assert layers["dense"]["neighborhood_hit"].value > 0.99
    assert ax.get_ylim()[1] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": {}}, "at least one layer; got none"),
        ({"scores": {"a": {}}}, "there are no measures to draw"),
        ({"measures": ["z"]}, "no layer has the measure 'z'; there are m"),
        ({"others": {"u": {"b": {"m": 1}}}}, "network 'u' must have the layers a; it has b"),
        ({"columns": 0}, "columns must be an integer of at least 1; got 0"),
        ({"others": {"trained": {"a": {"m": 1}}}}, "others has a network named 'trained' too"),
    ],
)
def test_layer_curves_faults(arguments, message):
    with pytest.raises(ValueError, match=message):
        layer_curves(**({"scores": {"a": {"m": 1.0}}} | arguments))


def cells_of(fig):
    return np.array([text.get_text() for text in fig.axes[0].texts])


def test_confusion_is_written_and_colored(digits):
    confusion = metrics.neighbor_confusion(*digits, k=4)
    fig = confusion_heatmap(confusion)
    assert_texts_are_clear(fig)
    texts = cells_of(fig).reshape(10, 10)
    for (row, column), value in np.ndenumerate(confusion.per_pair):
        expected = f"{100 * value:.1f}"
        assert texts[row, column] == ("" if expected == "0.0" and row != column else expected)
    drawn = fig.axes[0].collections[0].get_array()
    np.testing.assert_array_equal(drawn.mask, np.eye(10, dtype=bool))
    off = ~np.eye(10, dtype=bool)
    np.testing.assert_array_equal(drawn.data[off], confusion.per_pair[off])
    assert fig.axes[0].collections[0].get_clim() == (0, confusion.per_pair[off].max())
    assert "of the 4 nearest neighbors, %" in words(fig)
    assert {"class of the points", "class of their neighbors"} <= set(words(fig))


def test_rows_are_points_from_above(digits):
    ax = confusion_heatmap([[0.9, 0.1], [0.3, 0.7]], ["a", "b"]).axes[0]
    assert ax.yaxis_inverted()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_position() for text in ax.texts][1] == (1.5, 0.5)
    assert [text.get_text() for text in ax.texts][1] == "10.0"


def test_scores_know_their_pairs(layers):
    score = layers["conv"]["neighbor_confusion"]
    fig = pair_heatmap(score)
    assert words(fig)[0] == score.title[0].upper() + score.title[1:]
    assert cells_of(fig)[0] == f"{100 * score.per_pair[0, 0]:.1f}"


def test_overlaps_of_shapes(digits):
    hulls = metrics.convex_hulls(*digits)
    fig = pair_heatmap(hulls, NAMES, label="overlap of hulls, %", title="Hulls")
    assert_texts_are_clear(fig)
    assert cells_of(fig)[1] == f"{100 * hulls.overlap[0, 1]:.1f}"


@pytest.mark.parametrize("n_classes", [1, 2, 10, 25, 100])
@pytest.mark.parametrize("name", ["{}", "a rather long class name {}"])
def test_heatmaps_of_any_size_can_be_read(n_classes, name):
    values = np.random.default_rng(0).random((n_classes, n_classes))
    fig = confusion_heatmap(values, [name.format(n) for n in range(n_classes)], title="Classes")
    assert_texts_are_clear(fig)
    assert fig.get_size_inches()[0] <= 10.01
    box = fig.axes[0].get_window_extent()
    assert box.width == pytest.approx(box.height)


def test_values_of_any_size():
    values = np.array([[0, -12.3456, np.nan], [345.6, 0, 1], [2, 3, 0]])
    fig = pair_heatmap(values)
    assert_texts_are_clear(fig)
    assert list(cells_of(fig)[:4]) == ["0", "−12", "–", "346"]
    assert fig.axes[0].collections[0].get_clim() == (-12.3456, 345.6)
    constant = pair_heatmap(np.ones((3, 3)) * 7)
    assert_texts_are_clear(constant)


@pytest.mark.parametrize(
    ("given", "names", "message"),
    [
        (np.zeros((2, 3)), None, r"per_pair must have the shape \(n_classes, n_classes\)"),
        (np.zeros(3), None, r"got \(3,\)"),
        (np.zeros((2, 2)), ["a"], "one name for each of the 2 classes; got 1"),
    ],
)
def test_heatmap_faults(given, names, message):
    with pytest.raises(ValueError, match=message):
        confusion_heatmap(given, names)


def test_a_score_without_pairs_or_classes(layers):
    score = layers["conv"]["participation_ratio"]
    with pytest.raises(ValueError, match=r"has no per_pair; draw a measure that has"):
        pair_heatmap(score)
    with pytest.raises(ValueError, match=r"has no per_class; draw a measure that has"):
        class_bars(score)


def test_bars_show_each_class_the_whole_and_chance(layers):
    score = layers["pixels"]["neighborhood_hit"]
    fig = class_bars(score, NAMES)
    assert_texts_are_clear(fig)
    (ax,) = fig.axes
    np.testing.assert_array_equal([bar.get_width() for bar in ax.patches], score.per_class)
    marks = {line.get_label(): line.get_xdata()[0] for line in ax.lines}
    assert marks == {"over all classes": score.value, "by chance": score.null}
    assert legend_words(fig) == ["over all classes", "by chance"]
    assert ax.get_xlim() == (0, 1)
    assert f"{100 * score.per_class[3]:.1f} %" in words(fig)
    assert words(fig)[0] == "Neighborhood Hit"


def test_bars_begin_at_zero_and_may_be_negative():
    fig = class_bars([-0.1, 0.3, 0.05])
    low, high = fig.axes[0].get_xlim()
    assert low < -0.1
    assert high > 0.3
    assert [bar.get_x() for bar in fig.axes[0].patches] == [0, 0, 0]
    assert {"−0.100", "0.300", "0.050"} <= set(words(fig))
    assert class_bars([3.0, 5.0]).axes[0].get_xlim()[0] == 0
    assert class_bars([-3.0, -5.0]).axes[0].get_xlim()[1] == 0


def test_bars_in_the_order_of_their_values():
    ax = class_bars([0.2, 0.9, 0.5], ["a", "b", "c"], sort=True).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [0.9, 0.5, 0.2]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c", "a"]
    assert ax.yaxis_inverted()


def test_dots_of_several_sets(layers):
    hits = {name: scores["neighborhood_hit"] for name, scores in layers.items()}
    fig = class_bars(hits, NAMES)
    assert_texts_are_clear(fig)
    assert legend_words(fig) == list(layers)
    for line, hit in zip(fig.axes[0].lines, hits.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), hit.per_class)
        np.testing.assert_array_equal(line.get_ydata(), np.arange(10))


@pytest.mark.parametrize("n_classes", [1, 26, 100])
def test_bars_of_any_number_can_be_read(n_classes):
    values = np.random.default_rng(0).random(n_classes)
    assert_texts_are_clear(class_bars(values, title="Classes", label="a measure"))
    assert_texts_are_clear(class_bars({"a": values, "b": values / 2}))


@pytest.mark.parametrize("values", [[np.nan, 0.5], [np.nan, np.nan], [0.0, 0.0], [1.0, 1.0]])
def test_strange_values(values):
    assert_texts_are_clear(class_bars(values))
    assert_texts_are_clear(class_bars({"a": values, "b": values}))


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        ({}, None, "at least one set of values; got none"),
        ({"a": [1, 2], "b": [1]}, None, "the same number of classes; 'a' has 2, 'b' has 1"),
        ([[1.0]], None, r"per_class must have the shape \(n_classes,\); got \(1, 1\)"),
        ([], None, r"got \(0,\)"),
        ([1, 2], list("abc"), "one name for each of the 2 classes; got 3"),
    ],
)
def test_bar_faults(values, names, message):
    with pytest.raises(ValueError, match=message):
        class_bars(values, names)


def test_numbers_are_written_to_three_digits():
    assert format_alike(np.array([0.123, 1.0, np.nan]), share=True) == ["12.3", "100.0", "–"]
    assert format_alike(np.array([0.0766, -0.291]), share=False) == ["0.077", "−0.291"]
    assert format_alike(np.array([12345.6, 1.0]), share=False) == ["12346", "1"]
    assert format_alike(np.zeros(1), share=False) == ["0.0"]


def test_short_numbers():
    numbers = [0, 0.25, -5, 9999, 10_000, -25_000, 2e6, 3e9]
    expected = ["0", "0.25", "−5", "9999", "10k", "−25k", "2M", "3G"]
    assert [format_tick(float(number)) for number in numbers] == expected
