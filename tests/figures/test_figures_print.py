"""Figures for print: exactly as wide as a column or two, with text of 7 to 9 points."""

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, drawn_texts, legend_words
from matplotlib.text import Text

import unknot
from unknot import figures
from unknot.figures import save_figure

COLUMN, TWO_COLUMNS = 3.3, 6.9
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LAYERS = [f"encoder.layers.{number}.output.dense" for number in range(12)]


def scores_of_layers():
    return {
        name: {"neighborhood_hit": 0.5 + 0.04 * number, "nc1": 10 / (1 + number)}
        for number, name in enumerate(LAYERS)
    }


def similarities():
    rng = np.random.default_rng(0)
    return unknot.similarity_matrix({name: rng.normal(size=(40, 4)) for name in LAYERS})


def drawn(name, digits, histories, width):
    """Draw one of the figures."""
    map_, labels = digits
    rng = np.random.default_rng(0)
    # By chance 4 and 9 are on the same place, so that names have to move.
    if name == "lab_panel":
        title = "LeNet on MNIST: the hidden layer of one hundred units, mapped by PCA"
        return figures.lab_panel(map_, labels, class_names=NAMES, title=title, width=width)
    if name == "compare_maps":
        maps = {"pixels": map_, "perceptron, hidden layer": -map_, "LeNet": map_[:, ::-1]}
        return figures.compare_maps(maps, labels, class_names=NAMES, title="Maps", width=width)
    if name == "layer_strip":
        maps = {**dict.fromkeys(LAYERS[:5], map_), "dead": "all points coincide"}
        wrong = np.where(np.arange(len(labels)) % 40, labels, (labels + 1) % 10)
        return figures.layer_strip(
            maps, labels, NAMES, scores=scores_of_layers(), predictions=wrong, title="A strip",
            width=width,
        )  # fmt: skip
    if name == "values_strip":
        return figures.layer_strip({"fc1": map_}, labels, values=map_[:, 0], width=width)
    if name == "learning_curves":
        return figures.learning_curves(histories, title="Learning curves", width=width)
    if name == "layer_curves":
        others = {"untrained": scores_of_layers()}
        return figures.layer_curves(scores_of_layers(), others=others, title="T", width=width)
    if name == "epoch_curves":
        epochs = {e: {"fc1": {"nc1": 5 / (1 + e)}} for e in (0, 1, 2, 5, 10, 20, 50, 100)}
        return figures.epoch_curves(epochs, title="Epochs", width=width)
    if name == "class_bars":
        hit = unknot.metrics.neighborhood_hit(map_, labels, 6)
        return figures.class_bars(hit, NAMES, label="share of the neighbors", width=width)
    if name == "class_dots":
        sets = {"pixels": rng.random(10), "the hidden layer": rng.random(10)}
        return figures.class_bars(sets, NAMES, title="Of classes", width=width)
    if name == "confusion_heatmap":
        confusion = unknot.metrics.neighbor_confusion(map_, labels, 6)
        return figures.confusion_heatmap(confusion, NAMES, title="Neighbors", width=width)
    if name == "many_classes_heatmap":
        table = rng.random((60, 60)) / 60
        return figures.confusion_heatmap(table, [f"class {c}" for c in range(60)], width=width)
    if name == "pair_heatmap":
        table = [[0, 1.5], [1.5, 0]]
        return figures.pair_heatmap(table, ["cat", "a long name of a class"], width=width)
    if name == "similarity_heatmap":
        return figures.similarity_heatmap(similarities(), width=width)
    assert name == "wrong_images"
    images = rng.random((60, 8, 8))
    true = np.arange(60) % 10
    return figures.wrong_images(
        images, true, np.where(np.arange(60) % 4, true, (true + 1) % 10), NAMES, rng.random(60),
        width=width,
    )  # fmt: skip


FIGURES = (
    "lab_panel", "compare_maps", "layer_strip", "values_strip", "learning_curves", "layer_curves",
    "epoch_curves", "class_bars", "class_dots", "confusion_heatmap", "many_classes_heatmap",
    "pair_heatmap", "similarity_heatmap", "wrong_images",
)  # fmt: skip


@pytest.mark.parametrize("width", [COLUMN, TWO_COLUMNS])
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_for_print(digits, histories, name, width):
    fig = drawn(name, digits, histories, width)
    assert fig.get_size_inches()[0] == pytest.approx(width)
    assert_texts_are_clear(fig)
    sizes = {text.get_fontsize() for text in fig.findobj(Text) if text.get_text().strip()}
    assert sizes
    assert min(sizes) >= 7
    assert max(sizes) <= 9
    # A page has about nine inches. Nothing is beyond the edges: axes and legends neither.
    assert fig.get_size_inches()[1] < 9.5
    for ax in fig.axes:
        box = ax.get_position()
        assert min(box.x0, box.y0) >= 0
        assert max(box.x1, box.y1) <= 1
    for legend in fig.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= fig.bbox.x1
    assert re.fullmatch(r"[A-Za-z0-9].*\.", fig.caption)


@pytest.mark.parametrize("name", FIGURES)
def test_files_of_two_runs_are_the_same(digits, histories, name, tmp_path):
    """Ticks that are made while a file is written have the size of the others too."""
    first, second = (drawn(name, digits, histories, COLUMN) for _ in range(2))
    save_figure(first, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text == save_figure(second, tmp_path / "b.svg").read_text()
    found = re.findall(r"font(?:-size)?: (?:[a-z0-9]+ )*([0-9.]+)px", text)
    assert found
    assert {float(size) for size in found} <= {7.0, 7.5, 8.0, 9.0}


def test_every_public_figure_takes_a_width():
    import inspect

    of_axes = {"draw_points", "draw_hulls", "draw_ellipses", "save_figure"}
    for name in set(figures.__all__) - of_axes:
        assert "width" in inspect.signature(getattr(figures, name)).parameters, name
        assert name.replace("class_bars", "class_dots") in {*FIGURES, "class_dots"}


@pytest.mark.parametrize("width", [0, 1, -3.3, float("nan"), "3.3", True, 41])
def test_a_bad_width_is_one_clear_error(width):
    with pytest.raises((ValueError, TypeError), match=r"width must be a number from 2\.5 to 40"):
        figures.class_bars([0.5, 0.7], ["a", "b"], width=width)


def test_the_width_ends_with_the_call():
    """Also after an error: the next figure is for screens again."""
    figures.class_bars([0.5, 0.7], ["a", "b"], width=COLUMN)
    with pytest.raises(ValueError, match="class_names"):
        figures.class_bars([0.5, 0.7], ["a", "b", "c"], width=COLUMN)
    assert figures.class_bars([0.5, 0.7], ["a", "b"]).get_size_inches()[0] == 5


def test_print_has_300_dots_per_inch(tmp_path):
    for width, dots in ((COLUMN, 300), (None, 200)):
        fig = figures.class_bars([0.5, 0.7], ["a", "b"], width=width)
        pixels = plt.imread(save_figure(fig, tmp_path / "a.png"))
        assert pixels.shape[1] == round(fig.get_size_inches()[0] * dots)


def test_text_stays_text(tmp_path):
    fig = figures.class_bars([0.5, 0.7], ["cat", "größe <b>&"], title="Of classes", width=COLUMN)
    root = ElementTree.fromstring(save_figure(fig, tmp_path / "a.svg").read_bytes())
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"cat", "größe <b>&", "Of classes"} <= set(texts)
    root = ElementTree.fromstring(save_figure(fig, tmp_path / "b.svg", svg_paths=True).read_bytes())
    assert not list(root.iter("{http://www.w3.org/2000/svg}text"))
    # A TrueType font in the file, not outlines: Type 42.
    assert b"/FontFile2" in save_figure(fig, tmp_path / "a.pdf").read_bytes()


def test_names_on_the_map_stay_text(digits, tmp_path):
    """Their white outlines are drawn below, as paths."""
    fig = figures.lab_panel(*digits, class_names=NAMES, width=TWO_COLUMNS)
    text = save_figure(fig, tmp_path / "a.svg").read_text()
    # In the legend, and on one map at least.
    for name in ("zero", "six"):
        assert text.count(f">{name}</text>") >= 2
    assert "stroke: #ffffff; stroke-width: 2.2" in text


@pytest.mark.parametrize("width", [COLUMN, None])
def test_legends_of_many_classes_are_capped(width):
    rng = np.random.default_rng(0)
    names = [f"class {number}" for number in range(1000)]
    labels = np.arange(3000) % 1000
    fig = figures.layer_strip({"fc1": rng.normal(size=(3000, 2))}, labels, names, width=width)
    words = legend_words(fig)
    (more,) = [word for word in words if word.startswith("and ")]
    assert more == f"and {1000 - (len(words) - 1):,} more"
    assert set(words) - {more} == set(names[: len(words) - 1])
    (legend,) = fig.legends
    assert legend.get_window_extent().height < 1.3 * fig.dpi
    assert_texts_are_clear(fig)


def test_a_legend_that_fits_is_whole(digits):
    fig = figures.layer_strip({"fc1": digits[0]}, digits[1], NAMES, width=COLUMN)
    assert sorted(legend_words(fig)) == sorted(NAMES)


def test_long_names_of_layers_differ_in_every_figure(digits):
    scores = scores_of_layers()
    curves = figures.layer_curves(scores, ["nc1"], width=COLUMN)
    ticks = [tick.get_text() for tick in curves.axes[0].get_xticklabels()]
    matrix = figures.similarity_heatmap(similarities(), width=COLUMN)
    rows = [tick.get_text() for tick in matrix.axes[0].get_yticklabels()]
    strip = figures.layer_strip(dict.fromkeys(LAYERS, digits[0]), digits[1], width=TWO_COLUMNS)
    titles = [text for text, _ in drawn_texts(strip) if "output" in text]
    assert [len(names) for names in (ticks, titles)] == [12, 12]
    for names in (ticks, titles):
        assert all(f"{number}.output" in name for number, name in enumerate(names))
    # Cells are small: every second or third row has its name.
    assert len(rows) >= 4
    assert len(set(rows)) == len(rows)


def test_captions_say_what_the_numbers_stand_on(digits):
    map_, labels = digits
    caption = figures.lab_panel(map_, labels, k=9).caption
    assert caption.startswith("1,797 points of 10 classes. ")
    assert "k = 9" in caption
    half = {"a": map_[:900], "b": map_}
    of_both = figures.compare_maps(half, {"a": labels[:900], "b": labels}).caption
    assert "900 points of 10 classes and 1,797 points of 10 classes" in of_both
    assert "k = 6" in of_both


def test_a_study_adds_n_k_kl_and_the_seed():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    points = rng.normal(size=(120, 4)) + 4 * np.eye(3, 4)[labels]
    study = unknot.study(
        {"a": points, "b": points[:, ::-1]}, (None, labels), measures="neighborhood_hit", k=5,
        perplexity=10, n_neighbors=30, max_iter=250, random_state=7, progress=False,
    )  # fmt: skip
    low, high = sorted(layer.kl_divergence for layer in study.values())
    maps = study.figure(width=TWO_COLUMNS)
    assert maps.get_size_inches()[0] == pytest.approx(TWO_COLUMNS)
    assert "Maps of 120 points of 3 classes" in maps.caption
    assert "k = 5" in maps.caption
    assert f"KL divergence {low:.2f} to {high:.2f}; perplexity 10; seed 7." in maps.caption
    curves = study.curves(width=COLUMN).caption
    assert curves.endswith("n = 120 samples of 3 classes; k = 5 neighbors; seed 7.")
