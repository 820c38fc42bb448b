"""Maps colored by class: the three panels of the lab, and several maps side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .._validation.numbers import check_integer
from .._validation.points import check_labels
from ._classes import all_classes, class_key
from ._layout import (
    MAX_COLUMNS,
    PanelLine,
    add_axes,
    add_legend,
    even_columns,
    legend_height,
    panel_title_height,
    title_height,
    title_lines,
    wrap,
    write_panel_title,
    write_title,
)
from ._names import write_class_names, write_names_at
from ._palette import FRAME
from ._shapes import check_map, ellipse_extent, ellipse_patches, hull_patches, scatter
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._values import count_points
from ._view import fit_view, set_view

if TYPE_CHECKING:
    from ..metrics import ConvexHulls, Ellipses, NeighborhoodHit
else:
    ConvexHulls = Ellipses = NeighborhoodHit = Any

_GAP = 0.16
# In print, panels that would be narrower stand below each other.
_NARROWEST_PANEL, _NARROWEST_MAP = 1.8, 1.3  # inches
_LARGEST_STACKED = 2.2  # so that three panels fit into a page


@in_house_style
def lab_panel(
    map_: ArrayLike,
    labels: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    title: str = "",
    k: int = 6,
    palette: str | Sequence[str] = "safe",
    hit: NeighborhoodHit | None = None,
    hulls: ConvexHulls | None = None,
    peeled: ConvexHulls | None = None,
    ellipses: Ellipses | None = None,
    width: float | None = None,
) -> Figure:
    """Draw a map in three panels: points with the Neighborhood Hit, convex hulls, and ellipses.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        Coordinates of the points, such as a map by t-SNE.
    labels : array-like (n_samples,)
        Class of each point: integers or strings.
    class_names : sequence of str, default=None
        Names of labels 0..C-1, or of the sorted distinct labels. Default: the labels themselves.
    title : str, default=""
        Title of the figure.
    k : int, default=6
        Number of neighbors of the Neighborhood Hit; ignored if `hit` is given.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    hit : NeighborhoodHit, default=None
        Neighborhood Hit of this map. Default: computed. Pass it if it is known, to save time; the
        same holds for `hulls`, `peeled` and `ellipses`.
    hulls : ConvexHulls, default=None
        Hulls of all points of this map, drawn as thin lines. Default: computed.
    peeled : ConvexHulls, default=None
        Hulls without the outermost points, drawn filled; unlike `hulls` they are robust to
        outliers. Default: computed.
    ellipses : Ellipses, default=None
        Best-fitting ellipses of this map. Default: computed.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        10 inches wide, with equal scales. Save it with `save_figure`; pyplot does not know it.

    Raises
    ------
    ValueError
        If the map does not have two columns or is not finite, there is not one label per point, or
        the palette or the class names do not match the classes.

    See Also
    --------
    compare_maps : Draw several maps side by side.
    layer_strip : Draw the maps of all layers of a network.
    draw_points, draw_hulls, draw_ellipses : Draw one of the panels on existing axes.
    unknot.TSNE : Compute a map.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import lab_panel
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1, 2], 50)
    >>> map_ = rng.normal(size=(150, 2)) + 9 * np.stack([labels, labels % 2], axis=1)
    >>> figure = lab_panel(map_, labels, title="Three clouds")
    >>> [text.get_text() for text in figure.texts][:2]
    ['Three clouds', 'NH = 100.0 %']
    """
    from .. import metrics

    points = check_map(map_)
    check_labels(labels, len(points))
    key, codes = class_key([labels], class_names, palette).select(labels)
    hit = metrics.neighborhood_hit(points, labels, k) if hit is None else hit
    hulls = metrics.convex_hulls(points, labels) if hulls is None else hulls
    peeled = metrics.peeled_hulls(points, labels) if peeled is None else peeled
    ellipses = metrics.best_ellipses(points, labels) if ellipses is None else ellipses
    hull_key, peeled_key = key.subset(hulls.classes), key.subset(peeled.classes)
    ellipse_key = key.subset(ellipses.classes)

    # All panels share one view, for comparison.
    view = fit_view([points, ellipse_extent(ellipses)], min_aspect=0.75)
    n_columns = sheet().most_columns(_NARROWEST_PANEL, _GAP, 3)
    side = (sheet().page - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns
    if n_columns == 1:
        side = min(side, _LARGEST_STACKED * min(1.1, view.width / view.height))
    start = (sheet().page - n_columns * (side + _GAP) + _GAP) / 2
    height = side * view.height / view.width
    captions = [
        [
            PanelLine(f"NH = {percent(hit.value)}", headline=True),
            PanelLine(f"Neighborhood Hit, k = {hit.k}", aside=True),
        ],
        [
            PanelLine("Convex hulls", headline=True),
            *_asides(
                f"overlap: all points (thin) {percent(hulls.value)}, "
                f"peeled {percent(peeled.value)}",
                side,
            ),
        ],
        [
            PanelLine("Best-fitting ellipses", headline=True),
            *_asides(f"overlap: {percent(ellipses.value)}, mean of pairs", side),
        ],
    ]
    heading = title_lines(title, sheet().page - 2 * MARGIN)
    caption_height = max(map(panel_title_height, captions))
    top = title_height(heading) + caption_height
    legend = legend_height(key.names, sheet().page - 2 * MARGIN)
    n_rows = math.ceil(len(captions) / n_columns)
    row_height = caption_height + height + _GAP
    fig = UnknotFigure(
        sheet().page, top + n_rows * row_height - _GAP - caption_height + legend + MARGIN
    )
    write_title(fig, heading)
    axes = []
    for number, caption in enumerate(captions):
        row, column = divmod(number, n_columns)
        left = start + column * (side + _GAP)
        axes_top = top + row * row_height
        write_panel_title(fig, left, axes_top, caption)
        axes.append(add_axes(fig, left, axes_top, side, height))
        set_view(axes[-1], view)

    scatter(axes[0], points, codes, key.colors)
    for ax in axes[1:]:
        scatter(ax, points, codes, [FRAME] * len(key.colors))
    hull_patches(axes[1], hulls, hull_key.colors, filled=False)
    hull_patches(axes[1], peeled, peeled_key.colors)
    ellipse_patches(axes[2], ellipses, ellipse_key.colors)
    write_class_names(axes[:2], points, codes, key.names)
    write_names_at(axes[2], ellipses.means, ellipse_key.names)
    add_legend(fig, key.handles(), key.names)
    order = "From left to right" if n_columns == 3 else "In order"
    fig.caption = (
        f"{count_points(len(points), len(key.names))}. {order}: the points, with the Neighborhood "
        f"Hit (NH) on the map, k = {hit.k}; the convex hulls of the classes, thin of all points "
        "and filled without the outermost ones; ellipses fitted to the classes (63.2 % of a "
        "Gaussian's mass). Overlaps are means over all pairs of classes."
    )
    return fig


@in_house_style
def compare_maps(
    maps: Mapping[str, ArrayLike],
    labels: ArrayLike | Mapping[str, ArrayLike],
    hits: Mapping[str, NeighborhoodHit] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    title: str = "",
    k: int = 6,
    palette: str | Sequence[str] = "safe",
    columns: int | None = None,
    width: float | None = None,
) -> Figure:
    """Draw several maps side by side, each with its Neighborhood Hit, and one common legend.

    Parameters
    ----------
    maps : mapping of str to array-like (n_samples, 2)
        Name and coordinates of each map; the name is written above it.
    labels : array-like (n_samples,), or mapping of str to array-like
        Class of each point. Pass a mapping by map name if the maps show different samples.
    hits : mapping of str to NeighborhoodHit, default=None
        Neighborhood Hit of each map, by name. Default: computed.
    class_names : sequence of str, default=None
        Names of labels 0..C-1, or of the sorted distinct labels. Default: the labels themselves.
    title : str, default=""
        Title of the figure.
    k : int, default=6
        Number of neighbors of the Neighborhood Hit; ignored if `hits` is given.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    columns : int, default=None
        Number of maps per row. Default: all, or balanced rows of at most 5. Decrease it for larger
        maps.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        10 inches wide, with equal scales.

    Raises
    ------
    ValueError
        If there are no maps, a map has no labels or no Neighborhood Hit of its name, or for the
        reasons listed at `lab_panel`.

    See Also
    --------
    lab_panel : Draw one map with its hulls and ellipses.
    layer_strip : Draw the maps of all layers of a network.
    unknot.metrics.neighborhood_hit : Compute the Neighborhood Hit.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import compare_maps
    >>> labels = np.repeat([0, 1], 50)
    >>> map_ = np.random.default_rng(0).normal(size=(100, 2)) + 9 * labels[:, None]
    >>> figure = compare_maps({"a": map_, "b": -map_}, labels)
    >>> [text.get_text() for text in figure.texts]
    ['a', 'NH = 100.0 % (k = 6)', 'b', 'NH = 100.0 % (k = 6)']
    """
    from .. import metrics

    if not maps:
        raise ValueError("maps must hold at least one map; got none")
    if columns is not None:
        check_integer(columns, "columns", 1)
    points = {name: check_map(map_, name=f"maps[{name!r}]") for name, map_ in maps.items()}
    labels_of = {name: _entry_of_map(labels, name, "labels") for name in maps}
    for name, map_labels in labels_of.items():
        check_labels(map_labels, len(points[name]), name=f"labels of {name!r}")
    hit_of = {
        name: metrics.neighborhood_hit(points[name], labels_of[name], k)
        if hits is None
        else _entry_of_map(hits, name, "hits")
        for name in maps
    }
    all_keys = class_key(list(labels_of.values()), class_names, palette)
    legend_key = all_keys.subset(all_classes(list(labels_of.values())))

    most = sheet().most_columns(_NARROWEST_MAP, _GAP, MAX_COLUMNS)
    n_columns = even_columns(len(maps), most) if columns is None else columns
    n_rows = math.ceil(len(maps) / n_columns)
    side = (sheet().page - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns
    captions = {
        name: [
            *(PanelLine(line) for line in wrap(name, side, sheet().normal)),
            PanelLine(f"NH = {percent(hit.value)} (k = {hit.k})", headline=True),
        ]
        for name, hit in hit_of.items()
    }
    caption_height = max(map(panel_title_height, captions.values()))
    heading = title_lines(title, sheet().page - 2 * MARGIN)
    legend = legend_height(legend_key.names, sheet().page - 2 * MARGIN)
    top = title_height(heading)
    rows_height = n_rows * (caption_height + side) + (n_rows - 1) * _GAP
    fig = UnknotFigure(sheet().page, top + rows_height + legend + MARGIN)
    write_title(fig, heading)
    for number, name in enumerate(maps):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * (side + _GAP)
        axes_top = top + caption_height + row * (caption_height + side + _GAP)
        write_panel_title(fig, left, axes_top, captions[name])
        ax = add_axes(fig, left, axes_top, side, side)
        set_view(ax, fit_view([points[name]]))
        key, codes = all_keys.select(labels_of[name])
        scatter(ax, points[name], codes, key.colors)
        write_class_names([ax], points[name], codes, key.names)
    add_legend(fig, legend_key.handles(), legend_key.names)
    sizes = sorted({len(each) for each in points.values()})
    ks = sorted({hit.k for hit in hit_of.values()})
    fig.caption = (
        f"{' and '.join(count_points(size, len(legend_key.names)) for size in sizes)}. NH: "
        f"Neighborhood Hit on the map, k = {' and '.join(map(str, ks))}."
    )
    return fig


def _asides(text: str, width: float) -> list[PanelLine]:
    return [PanelLine(line, aside=True) for line in wrap(text, width, sheet().normal)]


def _entry_of_map(values: Any, name: str, argument: str) -> Any:
    if not isinstance(values, Mapping):
        return values
    if name not in values:
        raise ValueError(
            f"{argument} must have an entry for each map; {name!r} has none among "
            f"{', '.join(map(repr, values))}"
        )
    return values[name]


def percent(fraction: float) -> str:
    """Format a fraction as a percentage with one decimal."""
    return f"{100 * fraction:.1f} %"
