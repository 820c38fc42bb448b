"""Maps: the drawn values are correct and legible."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from figures_checks import (
    assert_square_scales,
    assert_texts_are_clear,
    legend_words,
    stored_image,
    words,
)
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse, Polygon

from unknot import metrics
from unknot.figures import (
    compare_maps,
    draw_ellipses,
    draw_hulls,
    draw_points,
    lab_panel,
    save_figure,
)
from unknot.figures._names import densest_points, in_majority
from unknot.figures._palette import INK, MUTED, SAFE
from unknot.figures._shapes import point_style
from unknot.figures._style import UnknotFigure

FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def points_of(ax):
    (points,) = [each for each in ax.collections if isinstance(each, PathCollection)]
    return points


def patches_of(ax, kind, *, filled):
    return [
        each for each in ax.patches if isinstance(each, kind) and bool(each.get_fill()) is filled
    ]


def by_color(patches):
    return {to_hex(patch.get_edgecolor()): patch for patch in patches}


@stored_image
def test_lab_panel_image(digits):
    return lab_panel(*digits, title="Digits, PCA")


@stored_image
def test_compare_maps_image(digits):
    map_, labels = digits
    maps = {"Pixels\nPCA": map_, "Half of the pixels\nPCA": map_[::2], "Mirrored": -map_}
    return compare_maps(
        maps,
        {"Pixels\nPCA": labels, "Half of the pixels\nPCA": labels[::2], "Mirrored": labels},
        title="Three maps",
        class_names=FASHION,
    )


@stored_image
def test_drawn_alone_image(digits):
    map_, labels = digits
    fig = UnknotFigure(6.0, 3.0)
    left, right = fig.add_axes((0, 0, 0.49, 1)), fig.add_axes((0.51, 0, 0.49, 1))
    draw_points(left, map_, labels, color="lightgray")
    draw_hulls(left, metrics.peeled_hulls(map_, labels), palette="tab10")
    draw_ellipses(right, metrics.best_ellipses(map_, labels))
    return fig


def test_lab_panel_shows_every_point_hull_and_ellipse(digits):
    map_, labels = digits
    fig = lab_panel(map_, labels)
    hulls, peeled = metrics.convex_hulls(map_, labels), metrics.peeled_hulls(map_, labels)
    ellipses = metrics.best_ellipses(map_, labels)
    for ax in fig.axes:
        offsets = points_of(ax).get_offsets()
        np.testing.assert_array_equal(np.sort(offsets, axis=0), np.sort(map_, axis=0))
    outlines = patches_of(fig.axes[1], Polygon, filled=False)
    thin = by_color([each for each in outlines if each.get_linewidth() < 1])
    bold = by_color([each for each in outlines if each.get_linewidth() > 1])
    ovals = by_color(patches_of(fig.axes[2], Ellipse, filled=False))
    for code, color in enumerate(SAFE):
        np.testing.assert_array_equal(thin[color].get_xy()[:-1], hulls.vertices[code])
        np.testing.assert_array_equal(bold[color].get_xy()[:-1], peeled.vertices[code])
        oval = ovals[color]
        np.testing.assert_allclose(oval.get_center(), ellipses.means[code])
        np.testing.assert_allclose(
            [oval.width, oval.height], 2 * ellipses.semi_axes[code], rtol=1e-12
        )
        assert np.radians(oval.angle) == pytest.approx(ellipses.angles[code])


def test_points_have_the_colors_of_their_classes(digits):
    map_, labels = digits
    points = points_of(lab_panel(map_, labels).axes[0])
    drawn = {
        tuple(xy): to_hex(c)
        for xy, c in zip(points.get_offsets(), points.get_facecolors(), strict=True)
    }
    assert {tuple(xy): SAFE[y] for xy, y in zip(map_, labels, strict=True)} == drawn


def test_points_are_drawn_in_mixed_order(digits):
    order = points_of(lab_panel(*digits).axes[0]).get_facecolors()
    changes = (np.diff(order, axis=0) != 0).any(axis=1).mean()
    assert changes > 0.8  # 9 in 10 by chance; 9 in 1796 if drawn class by class


@pytest.mark.parametrize("class_names", [None, FASHION])
def test_lab_panel_can_be_read(digits, class_names):
    fig = lab_panel(*digits, class_names=class_names, title="A map " * 30)
    assert_texts_are_clear(fig)
    for ax in fig.axes:
        assert_square_scales(ax)
    names = class_names or list("0123456789")
    assert sorted(legend_words(fig)) == sorted(names)
    assert all([text.get_text() for text in ax.texts] == names for ax in fig.axes)


def test_lab_panel_shows_its_scores(digits):
    map_, labels = digits
    texts = words(lab_panel(map_, labels, k=3))
    hit = metrics.neighborhood_hit(map_, labels, 3).value
    assert f"NH = {100 * hit:.1f} %" in texts
    assert "Neighborhood Hit, k = 3" in texts
    whole, peeled = metrics.convex_hulls(map_, labels), metrics.peeled_hulls(map_, labels)
    shares = f"{100 * whole.value:.1f} %, peeled {100 * peeled.value:.1f} %"
    assert f"overlap: all points (thin) {shares}" in texts
    ellipses = metrics.best_ellipses(map_, labels)
    assert f"overlap: {100 * ellipses.value:.1f} %, mean of pairs" in texts


def test_what_is_given_is_drawn_and_not_measured_again(digits, monkeypatch):
    map_, labels = digits
    given = {
        "hit": metrics.neighborhood_hit(map_, labels, 9),
        "hulls": metrics.peeled_hulls(map_, labels, 0.8),
        "peeled": metrics.peeled_hulls(map_, labels, 0.5),
        "ellipses": metrics.best_ellipses(map_, labels),
    }
    for name in ("neighborhood_hit", "convex_hulls", "peeled_hulls", "best_ellipses"):
        monkeypatch.setattr(metrics, name, None)
    fig = lab_panel(map_, labels, **given)
    assert "Neighborhood Hit, k = 9" in words(fig)
    outlines = patches_of(fig.axes[1], Polygon, filled=False)
    drawn = {len(each.get_xy()) - 1 for each in outlines if each.get_linewidth() > 1}
    assert drawn == {len(vertices) for vertices in given["peeled"].vertices}


@pytest.mark.parametrize(("n_classes", "named"), [(2, True), (26, True), (27, False), (100, False)])
def test_many_classes(n_classes, named):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_classes), 20)
    map_ = (rng.normal(size=(n_classes, 2)) * 20)[labels] + rng.normal(size=(len(labels), 2))
    names = [f"c{number}" for number in range(n_classes)]
    fig = lab_panel(map_, labels, class_names=names)
    assert_texts_are_clear(fig)
    assert sorted(legend_words(fig)) == sorted(names)
    assert [bool(ax.texts) for ax in fig.axes] == [named] * 3


def test_a_class_keeps_its_color_where_others_are_missing(digits):
    map_, labels = digits
    some = labels >= 7
    fig = lab_panel(map_[some], labels[some], class_names=FASHION)
    assert legend_words(fig) == FASHION[7:]
    colors = {to_hex(color) for color in points_of(fig.axes[0]).get_facecolors()}
    assert colors == set(SAFE[7:])


def test_names_are_left_out_where_there_is_no_room(digits):
    ax = UnknotFigure(1.5, 0.8).add_axes((0, 0, 1, 1))
    draw_ellipses(ax, metrics.best_ellipses(*digits), class_names=FASHION)
    assert len(ax.texts) == 0
    draw_ellipses(ax, metrics.best_ellipses(*digits))
    assert len(ax.texts) == 10


def test_labels_of_any_kind(digits):
    map_, labels = digits
    fig = lab_panel(map_, np.array(FASHION)[labels], palette="tab10")
    assert legend_words(fig) == sorted(FASHION)


def test_class_names_with_dollars_and_underscores(digits):
    names = ["$x$", "a_b", "$5", "\\alpha", "^", "5", "6", "7", "8", "9"]
    assert sorted(words(lab_panel(*digits, class_names=names)))[:2]
    assert legend_words(lab_panel(*digits, class_names=names))[0] == r"\$x\$"


@pytest.mark.parametrize(
    "map_",
    [
        np.zeros((40, 2)),
        np.stack([np.arange(40), np.zeros(40)], axis=1),
        np.full((40, 2), 1e8),
        np.random.default_rng(0).normal(size=(40, 2)) * 1e-12,
    ],
    ids=["one place", "a line", "far away", "tiny"],
)
@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_maps_without_extent_are_drawn(map_):
    fig = lab_panel(map_, np.arange(40) % 2)
    assert_texts_are_clear(fig)
    for ax in fig.axes:
        assert_square_scales(ax)


@pytest.mark.parametrize(
    ("map_", "labels", "options", "message"),
    [
        (np.zeros((4, 3)), [0, 1, 0, 1], {}, r"map_ must have the shape \(n_samples, 2\)"),
        (np.full((4, 2), np.nan), [0, 1, 0, 1], {}, "map_ must be finite"),
        (np.zeros((4, 2)), [0, 1, 0], {}, "one label for each of the 4 samples"),
        (np.eye(4)[:, :2], [0, 1, 0, 3], {"class_names": ["a"]}, "each of the 3 classes; got 1"),
    ],
)
def test_faults(map_, labels, options, message):
    with pytest.raises(ValueError, match=message):
        lab_panel(map_, labels, **options)


def test_results_of_other_labels(digits):
    map_, labels = digits
    hulls = metrics.convex_hulls(map_, labels + 1)
    with pytest.raises(ValueError, match="has the class 10, which is not among the labels"):
        lab_panel(map_, labels, hulls=hulls)


def test_points_shrink_and_fade_with_their_number():
    sizes, opacities = zip(*(point_style(n, 3.0) for n in (10, 1000, 10_000, 60_000)), strict=True)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert sizes[0] == 22.0
    assert sizes[-1] == 0.55
    assert list(opacities) == sorted(opacities, reverse=True)
    assert opacities[-1] >= 0.45
    # 0.3 of (3 x 72)^2 points squared, over 1000.
    assert sizes[1] == pytest.approx(13.9968)


def test_names_lie_on_their_classes():
    # A class in two parts, the left one larger: its mean lies in the gap.
    rng = np.random.default_rng(0)
    pieces = [rng.normal(-5, 1, (70, 2)), rng.normal(5, 1, (30, 2))]
    points = np.concatenate(pieces).astype(np.float32)
    ((x, y),) = densest_points(points, np.zeros(100, np.int64), 1)
    assert abs(x + 5) < 1.5
    assert abs(y + 5) < 1.5
    assert ([x, y] == points).all(axis=1).any()


def test_only_names_of_majority_classes_are_bold():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 6
    mixed = rng.normal(size=(300, 2)).astype(np.float32)
    apart = mixed / 8 + np.stack([labels % 3, labels // 3], axis=1).astype(np.float32)
    half = apart.copy()
    half[labels < 3] = mixed[labels < 3] / 8  # the first three classes coincide
    for points, faint in ((mixed, set("abcdef")), (apart, set()), (half, set("abc"))):
        fig = compare_maps({"a map": points}, labels, class_names="abcdef")
        colors = {text.get_text(): text.get_color() for ax in fig.axes for text in ax.texts}
        assert {name for name, color in colors.items() if color == MUTED} == faint
        assert {name for name, color in colors.items() if color == INK} == set("abcdef") - faint


def test_a_single_class_and_a_single_point_are_in_the_majority():
    points = np.random.default_rng(0).normal(size=(30, 2))
    points[0] += 50
    zeros = np.zeros(30, np.int64)
    assert in_majority(points, zeros, points[:1]).tolist() == [True]
    assert in_majority(points[:1], zeros[:1], points[:1]).tolist() == [True]
    codes = zeros.copy()
    codes[0] = 1
    assert in_majority(points, codes, points[[1, 0]]).tolist() == [True, False]


def test_compare_maps_can_be_read(digits):
    map_, labels = digits
    maps = {
        f"A layer with a long name {number}\nt-SNE": map_ * number for number in (1, 2, 3, 4, 5)
    }
    fig = compare_maps(maps, labels)
    assert len(fig.axes) == 5
    assert_texts_are_clear(fig)
    tops = {round(ax.get_position().y1, 6) for ax in fig.axes}
    assert len(tops) == 1
    for ax in fig.axes:
        assert_square_scales(ax)
        assert len(points_of(ax).get_offsets()) == len(map_)
    hit = metrics.neighborhood_hit(map_, labels).value
    assert words(fig).count(f"NH = {100 * hit:.1f} % (k = 6)") == 5


@pytest.mark.parametrize(
    ("n_maps", "columns", "rows"),
    [(1, None, 1), (5, None, 1), (6, None, 2), (11, None, 3), (5, 3, 2)],
)
def test_rows_of_maps(digits, n_maps, columns, rows):
    map_, labels = digits[0][:200], digits[1][:200]
    hit = metrics.neighborhood_hit(map_, labels)
    maps = {str(number): map_ for number in range(n_maps)}
    fig = compare_maps(maps, labels, dict.fromkeys(maps, hit), columns=columns)
    assert len({round(ax.get_position().y0, 6) for ax in fig.axes}) == rows
    assert_texts_are_clear(fig)


def test_compare_maps_shares_colors(digits):
    map_, labels = digits
    high = labels > 4
    fig = compare_maps({"all": map_, "high": map_[high]}, {"all": labels, "high": labels[high]})
    assert sorted(legend_words(fig)) == list("0123456789")
    colors = {to_hex(color) for color in points_of(fig.axes[1]).get_facecolors()}
    assert colors == set(SAFE[5:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maps": {}}, "at least one map; got none"),
        ({"labels": {"b": [0]}}, "labels must have an entry for each map; 'a' has none among 'b'"),
        ({"hits": {}}, "hits must have an entry for each map; 'a' has none"),
        ({"labels": [0, 1]}, "labels of 'a' must hold one label for each of the 3 samples"),
        ({"maps": {"a": np.zeros((3, 5))}}, r"maps\['a'\] must have the shape"),
        ({"columns": 0}, "columns must be an integer of at least 1; got 0"),
    ],
)
def test_compare_maps_faults(options, message):
    arguments = {"maps": {"a": np.eye(3)[:, :2]}, "labels": [0, 1, 0]} | options
    with pytest.raises(ValueError, match=message):
        compare_maps(**arguments)


def test_drawing_on_top_keeps_what_was_in_view(digits):
    map_, labels = digits
    ax = UnknotFigure(3.0, 3.0).add_axes((0, 0, 1, 1))
    draw_points(ax, map_, labels)
    before = ax.get_xlim()
    draw_ellipses(ax, metrics.best_ellipses(map_[:50] / 9, labels[:50]), names_on_map=False)
    np.testing.assert_allclose(ax.get_xlim(), before)
    far = metrics.convex_hulls(map_ + 100, labels)
    draw_hulls(ax, far, class_names=FASHION)
    assert ax.get_xlim()[1] > far.vertices[0][:, 0].max()
    assert ax.get_xlim()[0] < map_[:, 0].min()
    assert_square_scales(ax)
    assert [text.get_text() for text in ax.texts] == FASHION


def test_drawn_names_must_fit_the_classes(digits):
    ax = UnknotFigure(3.0, 3.0).add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="one name for each of the 10 classes; got 1"):
        draw_hulls(ax, metrics.convex_hulls(*digits), class_names=["a"])


def test_svg_of_many_points_is_small_and_sound(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 60_000)
    map_ = rng.normal(size=(60_000, 2)) + 6 * np.stack([labels % 4, labels // 4], axis=1)
    hit = metrics.neighborhood_hit(map_[:1000], labels[:1000])
    fig = lab_panel(map_, labels, hit=hit)
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    save_figure(fig, first)
    save_figure(fig, second)
    assert first.stat().st_size < 2_000_000  # 60,000 vector points take 20 MB
    assert first.read_bytes() == second.read_bytes()
    root = ElementTree.parse(first).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    images = root.findall(".//{http://www.w3.org/2000/svg}image")
    assert len(images) == 3
    assert root.findall(".//{http://www.w3.org/2000/svg}text")  # text stays text


def test_the_same_figure_twice_is_the_same_file(digits):
    files = []
    for _ in range(2):
        buffer = io.BytesIO()
        lab_panel(*digits).savefig(buffer, format="png")
        files.append(buffer.getvalue())
    assert files[0] == files[1]
