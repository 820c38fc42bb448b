"""Maps of classes: the lab's three panels, and several maps side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .._validation.points import check_labels
from ._classes import all_classes, class_key
from ._layout import (
    MARGIN,
    PanelLine,
    add_legend,
    even_columns,
    legend_height,
    panel_title_height,
    place,
    title_height,
    title_lines,
    wrap,
    write_panel_title,
    write_title,
)
from ._names import name_classes, write_names
from ._palette import FRAME
from ._shapes import check_map, ellipse_extent, ellipse_patches, hull_patches, scatter
from ._style import NORMAL, PAGE, UnknotFigure, in_house_style
from ._view import set_view, view_of

if TYPE_CHECKING:
    from ..metrics import ConvexHulls, Ellipses, NeighborhoodHit
else:
    ConvexHulls = Ellipses = NeighborhoodHit = Any

_GAP = 0.16


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
) -> Figure:
    """Draw a map three ways: its points with their Neighborhood Hit, its hulls and its ellipses.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    class_names : sequence of str, optional
        Of labels 0..C-1, or of the sorted distinct labels; by default the labels themselves.
    title : str
        Above the panels.
    k : int, default 6
        The number of neighbors of the Neighborhood Hit, where it is not given.
    palette : str or sequence of str
        ``"safe"`` (told apart by every kind of color vision, for up to 10 classes), the name of a
        matplotlib color map such as ``"tab10"``, or a color for each class.
    hit : NeighborhoodHit, optional
        Of this map; measured where it is not given.
    hulls : ConvexHulls, optional
        Of all points of this map, drawn as thin lines; computed where they are not given.
    peeled : ConvexHulls, optional
        Of the points that are left when the outermost are peeled off, drawn filled: one stray point
        stretches a hull over the whole map. Computed where they are not given.
    ellipses : Ellipses, optional
        Of this map; computed where they are not given.

    Returns
    -------
    matplotlib Figure
        10 inches wide, with equal axes. It belongs to no pyplot state: save it with `save_figure`.

    Raises
    ------
    ValueError
        If the map is not of two dimensions or not finite, there is not one label for each point,
        or a palette or list of names does not fit the classes.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import lab_panel
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1, 2], 50)
    >>> map_ = rng.normal(size=(150, 2)) + 3 * np.stack([labels, labels % 2], axis=1)
    >>> fig = lab_panel(map_, labels, title="Three clouds")
    >>> len(fig.axes)
    3
    """
    from .. import metrics

    points = check_map(map_)
    check_labels(labels, len(points))
    key, codes = class_key([labels], class_names, palette).select(labels)
    hit = metrics.neighborhood_hit(points, labels, k) if hit is None else hit
    hulls = metrics.convex_hulls(points, labels) if hulls is None else hulls
    peeled = metrics.peeled_hulls(points, labels) if peeled is None else peeled
    ellipses = metrics.best_ellipses(points, labels) if ellipses is None else ellipses
    hull_key, peeled_key = key.of(hulls.classes), key.of(peeled.classes)
    ellipse_key = key.of(ellipses.classes)

    # The same view three times, so that the eye can go from one panel to the next.
    view = view_of([points, ellipse_extent(ellipses)], flattest=0.75)
    width = (PAGE - 2 * MARGIN - 2 * _GAP) / 3
    height = width * view.height / view.width
    captions = [
        [
            PanelLine(f"NH = {percent(hit.value)}", headline=True),
            PanelLine(f"Neighborhood Hit, k = {hit.k}", aside=True),
        ],
        [
            PanelLine("Convex hulls", headline=True),
            PanelLine(
                f"overlap: all points (thin) {percent(hulls.value)}, "
                f"peeled {percent(peeled.value)}",
                aside=True,
            ),
        ],
        [
            PanelLine("Best-fitting ellipses", headline=True),
            PanelLine(f"overlap: {percent(ellipses.value)}, mean of pairs", aside=True),
        ],
    ]
    heading = title_lines(title, PAGE - 2 * MARGIN)
    top = title_height(heading) + panel_title_height(captions[0])
    legend = legend_height(key.names, PAGE - 2 * MARGIN)
    fig = UnknotFigure(PAGE, top + height + legend + MARGIN)
    write_title(fig, heading)
    axes = []
    for column, caption in enumerate(captions):
        left = MARGIN + column * (width + _GAP)
        write_panel_title(fig, left, top, caption)
        axes.append(place(fig, left, top, width, height))
        set_view(axes[-1], view)

    scatter(axes[0], points, codes, key.colors)
    for ax in axes[1:]:
        scatter(ax, points, codes, [FRAME] * len(key.colors))
    hull_patches(axes[1], hulls, hull_key.colors, filled=False)
    hull_patches(axes[1], peeled, peeled_key.colors)
    ellipse_patches(axes[2], ellipses, ellipse_key.colors)
    name_classes(axes[:2], points, codes, key.names)
    write_names(axes[2], ellipses.means, ellipse_key.names)
    add_legend(fig, key.handles(), key.names)
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
) -> Figure:
    """Draw several maps side by side, each with its Neighborhood Hit, and one legend for all.

    Parameters
    ----------
    maps : mapping of str to array-like (n_samples, 2)
        The name of each map, which stands above it, and the map.
    labels : array-like (n_samples,), or mapping of str to array-like
        The class of each point; where the maps are of different samples, those of each map by its
        name.
    hits : mapping of str to NeighborhoodHit, optional
        Of each map, by its name; measured where it is not given.
    class_names : sequence of str, optional
        Of labels 0..C-1, or of the sorted distinct labels; by default the labels themselves.
    title : str
        Above the maps.
    k : int, default 6
        The number of neighbors of the Neighborhood Hits, where they are not given.
    palette : str or sequence of str
        ``"safe"``, the name of a matplotlib color map, or a color for each class.
    columns : int, optional
        How many maps stand beside each other; by default all, or as even rows of at most 5.

    Returns
    -------
    matplotlib Figure
        10 inches wide, with equal axes.

    Raises
    ------
    ValueError
        If there are no maps, a map has no labels or no hit of its name, or as for `lab_panel`.
    """
    from .. import metrics

    if not maps:
        raise ValueError("maps must hold at least one map; got none")
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    points = {name: check_map(map_, name=f"maps[{name!r}]") for name, map_ in maps.items()}
    labels_of = {name: _of_map(labels, name, "labels") for name in maps}
    for name, each in labels_of.items():
        check_labels(each, len(points[name]), name=f"labels of {name!r}")
    hit_of = {
        name: metrics.neighborhood_hit(points[name], labels_of[name], k)
        if hits is None
        else _of_map(hits, name, "hits")
        for name in maps
    }
    everything = class_key(list(labels_of.values()), class_names, palette)
    shared = everything.of(all_classes(list(labels_of.values())))

    n_columns = even_columns(len(maps)) if columns is None else columns
    n_rows = math.ceil(len(maps) / n_columns)
    side = (PAGE - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns
    captions = {
        name: [
            *(PanelLine(line) for line in wrap(name, side, NORMAL)),
            PanelLine(f"NH = {percent(hit.value)} (k = {hit.k})", headline=True),
        ]
        for name, hit in hit_of.items()
    }
    caption_height = max(map(panel_title_height, captions.values()))
    heading = title_lines(title, PAGE - 2 * MARGIN)
    legend = legend_height(shared.names, PAGE - 2 * MARGIN)
    top = title_height(heading)
    rows_height = n_rows * (caption_height + side) + (n_rows - 1) * _GAP
    fig = UnknotFigure(PAGE, top + rows_height + legend + MARGIN)
    write_title(fig, heading)
    for number, name in enumerate(maps):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * (side + _GAP)
        below = top + caption_height + row * (caption_height + side + _GAP)
        write_panel_title(fig, left, below, captions[name])
        ax = place(fig, left, below, side, side)
        set_view(ax, view_of([points[name]]))
        key, codes = everything.select(labels_of[name])
        scatter(ax, points[name], codes, key.colors)
        name_classes([ax], points[name], codes, key.names)
    add_legend(fig, shared.handles(), shared.names)
    return fig


def _of_map(given: Any, name: str, argument: str) -> Any:
    if not isinstance(given, Mapping):
        return given
    if name not in given:
        raise ValueError(
            f"{argument} must have an entry for each map; {name!r} has none among "
            f"{', '.join(map(repr, given))}"
        )
    return given[name]


def percent(fraction: float) -> str:
    """Write a fraction as a percentage with one decimal."""
    return f"{100 * fraction:.1f} %"
