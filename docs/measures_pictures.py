"""The small pictures of measures.md, drawn from data that the measures really score as shown.

python docs/measures_pictures.py
"""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Ellipse, Polygon
from PIL import Image

from unknot import metrics, nearest_neighbors

FOLDER = Path(__file__).parent / "measures"
BLUE, RED, YELLOW = "#092f94", "#a94703", "#ffc629"
COLORS = np.array([BLUE, RED, YELLOW])
INK, MUTED, FRAME = "#1a1a1a", "#5f6368", "#c4c7cc"
# Pixels an inch; the pictures are shown at half their size, so that they are sharp on any screen.
DPI = 200


def panels(count: int, width: float = 2.3, height: float = 1.75) -> list[Axes]:
    """Make a row of square-scaled panels without ticks."""
    figure, axes = plt.subplots(1, count, figsize=(width * count, height), squeeze=False)
    for ax in axes[0]:
        ax.set(xticks=[], yticks=[])
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.08)
        for spine in ax.spines.values():
            spine.set(color=FRAME, linewidth=0.8)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.16, top=0.97, wspace=0.06)
    return list(axes[0])


def frame(ax: Axes, height: float, center: tuple[float, float] = (0.0, 0.0)) -> None:
    """Set the limits around a center; the width follows from the shape of the panel."""
    box = ax.get_window_extent()
    width = height * box.width / box.height
    ax.set(xlim=(center[0] - width, center[0] + width))
    ax.set(ylim=(center[1] - height, center[1] + height))


def scatter(
    ax: Axes, points: np.ndarray, labels: np.ndarray, size: float = 9, **more: object
) -> None:
    """Draw points in the colors of their classes."""
    ax.scatter(*points.T, c=COLORS[labels], s=size, linewidths=0, zorder=3, **more)


def below(ax: Axes, text: str) -> None:
    """Write a caption below a panel."""
    ax.text(
        0.5, -0.05, text, transform=ax.transAxes, ha="center", va="top", fontsize=8.5, color=INK
    )


def blobs(rng: np.random.Generator, apart: float, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Draw three round classes on the corners of a triangle."""
    angle = np.pi / 2 + 2 * np.pi * np.arange(3) / 3
    centers = apart * np.column_stack([np.cos(angle), np.sin(angle)])
    labels = np.arange(3 * n) % 3
    return centers[labels] + rng.normal(size=(3 * n, 2)), labels


def neighborhood_hit(rng: np.random.Generator) -> None:
    """Draw the neighbors of one point, and two arrangements."""
    first, *others = panels(3)
    points, labels = blobs(rng, 1.6, 25)
    graph = nearest_neighbors(points, 6)
    hits = (labels[graph.indices] == labels[:, None]).sum(axis=1)
    # A point whose neighbors are easily seen: four of its class, the nearest not too near.
    seen = (hits == 4) & (np.linalg.norm(points, axis=1) < 1.3)
    own = int(np.argmax(np.where(seen, graph.distances[:, 0], 0)))
    near = graph.indices[own]
    for j in near:
        style = "-" if labels[j] == labels[own] else (0, (2, 2))
        first.plot(*points[[own, j]].T, color=INK, lw=1.1, ls=style, zorder=2)
    scatter(first, points, labels, 22)
    first.scatter(*points[own], s=80, facecolors="none", edgecolors=INK, linewidths=1.2, zorder=4)
    frame(first, 1.25 * float(graph.distances[own].max()), tuple(points[own]))
    below(first, f"{hits[own]} of 6 neighbors of its class")
    for ax, apart in zip(others, (0.9, 4.0), strict=True):
        points, labels = blobs(rng, apart)
        scatter(ax, points, labels)
        below(ax, f"NH = {metrics.neighborhood_hit(points, labels).value:.2f}")


def neighbor_confusion(rng: np.random.Generator) -> None:
    """Draw two classes that mix and one apart, and their table."""
    ax, grid = panels(2)
    labels = np.arange(180) % 3
    points = np.array([[0.0, 0.6], [1.6, -0.6], [6.0, 0.0]])[labels] + rng.normal(size=(180, 2))
    scatter(ax, points, labels)
    below(ax, "blue and red mix")
    table = metrics.neighbor_confusion(points, labels).per_pair
    grid.set_aspect("equal", adjustable="box")
    grid.imshow(table, cmap="Greys", vmin=0, vmax=1.3)
    for (a, b), share in np.ndenumerate(table):
        grid.text(b, a, f"{share:.2f}", ha="center", va="center", fontsize=8.5, color="black")
    for k in range(3):
        grid.add_patch(Circle((-0.75, k), 0.13, color=COLORS[k], clip_on=False))
        grid.add_patch(Circle((k, -0.75), 0.13, color=COLORS[k], clip_on=False))
    grid.margins(0)
    for spine in grid.spines.values():
        spine.set_visible(False)
    grid.figure.subplots_adjust(top=0.84)
    below(grid, "row: point; column: neighbor")


def trustworthiness(rng: np.random.Generator) -> None:
    """Draw a ring, cut open and flattened."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, 120))
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    maps = {
        "cut open": np.column_stack([angle / 2 - np.pi / 2, 0.05 * rng.normal(size=120)]),
        "pressed flat": ring * [1.2, 0.0] + 0.05 * rng.normal(size=(120, 2)),
    }
    axes = panels(3, 2.6)
    for ax, points in zip(axes, [ring, *maps.values()], strict=True):
        ax.scatter(*points.T, c=angle, cmap="twilight_shifted", s=11, linewidths=0)
    below(axes[0], "the representation")
    for ax, (name, map_) in zip(axes[1:], maps.items(), strict=True):
        frame(ax, 1.1)
        trust = metrics.trustworthiness(ring, map_).value
        kept = metrics.continuity(ring, map_).value
        below(ax, f"{name}: trust. {trust:.2f}, cont. {kept:.2f}")


def class_trustworthiness(rng: np.random.Generator) -> None:
    """Draw classes in which a map shuffles the points, and classes it mixes."""
    points, labels = blobs(rng, 4.0)
    shuffled = points.copy()
    for c in range(3):
        own = np.flatnonzero(labels == c)
        shuffled[own] = points[rng.permutation(own)]
    mixed = points * 0.35 + 0.9 * rng.normal(size=points.shape)
    axes = panels(3, 2.6)
    marked = np.flatnonzero(labels == 0)[np.argsort(points[labels == 0, 0])[[3, 25, 56]]]
    for ax, map_ in zip(axes, (points, shuffled, mixed), strict=True):
        scatter(ax, map_, labels)
        for number, i in enumerate(marked, 1):
            ax.scatter(*map_[i], s=75, c="white", edgecolors=BLUE, linewidths=1.1, zorder=5)
            ax.text(*map_[i], number, ha="center", va="center_baseline", fontsize=6.5, zorder=6)
    below(axes[0], "the representation")
    for ax, map_, name in zip(
        axes[1:], (shuffled, mixed), ("shuffled within", "mixed"), strict=True
    ):
        plain = metrics.trustworthiness(points, map_).value
        aware = metrics.class_trustworthiness(points, map_, labels).value
        below(ax, f"{name}: {plain:.2f}, class-aware {aware:.2f}")


def label_trustworthiness(rng: np.random.Generator) -> None:
    """Draw overlapping and separated classes, each as the map of the other."""
    labels = np.arange(120) % 2
    noise = rng.normal(size=(120, 2))
    together, apart = noise + 0.3 * labels[:, None], noise + np.array([[-2.5, 0], [2.5, 0]])[labels]
    axes = panels(4, 1.75, 1.6)
    for ax, points in zip(axes, (apart, together, together, apart), strict=True):
        scatter(ax, points, labels, 7)
        frame(ax, 3.6)
    below(axes[0], "representation")
    below(
        axes[1], f"its map: LT {metrics.label_trustworthiness(apart, together, labels).value:.2f}"
    )
    below(axes[2], "representation")
    below(axes[3], f"its map: LC {metrics.label_continuity(together, apart, labels).value:.2f}")


def distance_consistency(rng: np.random.Generator) -> None:
    """Draw centroids and their bisector, for two blobs and for a ring around a blob."""
    left, right = panels(2)
    labels = np.arange(140) % 2
    two = np.array([[-1.3, 0], [1.3, 0]])[labels] + rng.normal(size=(140, 2))
    angle = rng.uniform(0, 2 * np.pi, 140)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 2.6 + 0.2 * rng.normal(size=(140, 2))
    ring = np.where(labels[:, None] == 1, ring, 0.5 * rng.normal(size=(140, 2)))
    for ax, points in ((left, two), (right, ring)):
        result = metrics.distance_consistency(points, labels)
        right_side = result.per_point > 0.5
        scatter(ax, points[right_side], labels[right_side], 10)
        wrong = ~right_side
        ax.scatter(
            *points[wrong].T,
            s=12,
            facecolors="none",
            edgecolors=COLORS[labels[wrong]],
            linewidths=0.9,
        )
        centers = np.array([points[labels == c].mean(axis=0) for c in (0, 1)])
        ax.scatter(*centers.T, marker="X", s=70, c=COLORS[:2], edgecolors="white", zorder=5)
        middle, along = centers.mean(axis=0), centers[1] - centers[0]
        ax.axline(
            middle, middle + np.array([-along[1], along[0]]), color=MUTED, lw=1, ls=(0, (3, 3))
        )
        hit = metrics.neighborhood_hit(points, labels).value
        below(ax, f"DSC = {result.value:.2f}  (NH = {hit:.2f})")


def silhouette(rng: np.random.Generator) -> None:
    """Draw what a and b are, and two arrangements."""
    first, *others = panels(3)
    points, labels = blobs(rng, 3.0, 12)
    scatter(first, points, labels, 16)
    own = np.flatnonzero(labels == 0)
    me = own[np.argmin(points[own, 1])]
    rest = [np.linalg.norm(points[labels == c] - points[me], axis=1).mean() for c in (1, 2)]
    other = 1 + int(np.argmin(rest))
    for c, style in ((0, "-"), (other, (0, (2, 2)))):
        for j in np.flatnonzero(labels == c):
            first.plot(*points[[me, j]].T, color=COLORS[c], lw=0.6, ls=style, zorder=1)
    first.scatter(*points[me], s=60, facecolors="none", edgecolors=INK, linewidths=1.2, zorder=4)
    below(first, "a: solid, b: dashed")
    for ax, apart in zip(others, (0.9, 5.0), strict=True):
        points, labels = blobs(rng, apart)
        scatter(ax, points, labels)
        below(ax, f"silhouette = {metrics.silhouette(points, labels).value:.2f}")


def davies_bouldin(rng: np.random.Generator) -> None:
    """Draw the spreads of classes and the distances of their centroids."""
    for ax, apart in zip(panels(2), (1.6, 5.0), strict=True):
        points, labels = blobs(rng, apart)
        scatter(ax, points, labels, 7, alpha=0.55)
        centers = np.array([points[labels == c].mean(axis=0) for c in range(3)])
        ax.add_patch(Polygon(centers, fill=False, edgecolor=INK, lw=1, ls=(0, (2, 2)), zorder=4))
        for c, center in enumerate(centers):
            reach = np.linalg.norm(points[labels == c] - center, axis=1).mean()
            ax.add_patch(Circle(center, reach, fill=False, edgecolor=COLORS[c], lw=1.5, zorder=4))
        db = metrics.davies_bouldin(points, labels).value
        ch = metrics.calinski_harabasz(points, labels).value
        below(ax, f"DB = {db:.2f}, CH = {ch:.0f}")


def shapes(rng: np.random.Generator) -> None:
    """Draw hulls, peeled hulls and ellipses of two classes with an outlier."""
    labels = np.arange(500) % 2
    points = np.array([[-2.4, 0], [2.4, 0]])[labels] + rng.normal(size=(500, 2)) * [0.9, 0.8]
    points[0] = [4.6, 0.8]
    axes = panels(3)
    for ax in axes:
        scatter(ax, points, labels, 4)
        frame(ax, 4.0)
    for ax, make, name in (
        (axes[0], metrics.convex_hulls, "hulls"),
        (axes[1], metrics.peeled_hulls, "peeled hulls"),
    ):
        hulls = make(points, labels)
        for c, corners in enumerate(hulls.vertices):
            ax.add_patch(Polygon(corners, facecolor=COLORS[c], alpha=0.15, zorder=1))
            ax.add_patch(Polygon(corners, fill=False, edgecolor=COLORS[c], lw=1.3, zorder=2))
        below(ax, f"{name}: overlap {hulls.value:.2f}")
    ellipses = metrics.best_ellipses(points, labels)
    for c in range(2):
        size = 2 * ellipses.semi_axes[c]
        turn = np.degrees(ellipses.angles[c])
        for look in (
            {"facecolor": COLORS[c], "alpha": 0.15},
            {"fill": False, "edgecolor": COLORS[c]},
        ):
            axes[2].add_patch(
                Ellipse(ellipses.means[c], *size, angle=turn, lw=1.3, zorder=2, **look)
            )
    below(axes[2], f"ellipses: overlap {ellipses.value:.2f}")


def linear_probe(rng: np.random.Generator) -> None:
    """Draw linearly separable classes, and a ring around a blob."""
    left, right = panels(2)
    labels = np.arange(160) % 2
    two = np.array([[-1.4, 0], [1.4, 0]])[labels] + rng.normal(size=(160, 2)) * [0.7, 1.2]
    angle = rng.uniform(0, 2 * np.pi, 160)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 2.6 + 0.2 * rng.normal(size=(160, 2))
    ring = np.where(labels[:, None] == 1, ring, 0.5 * rng.normal(size=(160, 2)))
    for ax, points in ((left, two), (right, ring)):
        scatter(ax, points, labels)
        probe = metrics.linear_probe(points, labels).value
        below(
            ax, f"probe = {probe:.2f}  (NH = {metrics.neighborhood_hit(points, labels).value:.2f})"
        )
    left.axline((0, 0), (0, 1), color=MUTED, lw=1, ls=(0, (3, 3)))


def collapse(rng: np.random.Generator) -> None:
    """Draw classes that shrink to their means."""
    points, labels = blobs(rng, 3.0)
    centers = np.array([points[labels == c].mean(axis=0) for c in range(3)])[labels]
    for ax, share in zip(panels(3), (1.0, 0.4, 0.1), strict=True):
        shrunk = centers + share * (points - centers)
        scatter(ax, shrunk, labels)
        frame(ax, 5.0, (0, 0.7))
        one = metrics.nc1(shrunk, labels).value
        cdnv = metrics.class_distance_variance(shrunk, labels).value
        below(ax, f"NC1 = {one:.3f}, CDNV = {cdnv:.3f}")


def simplex(rng: np.random.Generator) -> None:
    """Draw class means on a line, at unequal angles, and as a simplex."""
    angle = np.pi / 2 + 2 * np.pi * np.arange(3) / 3
    corners = 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    cases = [np.array([[-2.4, 0], [0, 0.0], [2.4, 0]]), np.array([[-2.0, -1], [2, -1], [1.2, 1]])]
    for ax, means in zip(panels(3), [*cases, corners], strict=True):
        middle = means.mean(axis=0)
        labels = np.arange(90) % 3
        points = means[labels] + 0.25 * rng.normal(size=(90, 2))
        scatter(ax, points, labels, 6, alpha=0.5)
        for c in range(3):
            ax.annotate(
                "", means[c], middle, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2}
            )
        frame(ax, 3.0, tuple(middle))
        below(ax, f"NC2 = {metrics.nc2(points, labels).value:.2f}")


def two_nn(rng: np.random.Generator) -> None:
    """Draw the two nearest neighbors of a point, a curve and a filled square."""
    first, curve, square = panels(3)
    few = rng.uniform(size=(14, 2)) * [1.3, 1]
    graph = nearest_neighbors(few, 2)
    # A point whose two circles are easily told apart.
    me = int(np.argmax(graph.distances[:, 1] - 2.2 * np.abs(graph.distances[:, 0] - 0.16)))
    first.scatter(*few.T, s=22, c=BLUE, linewidths=0, zorder=3)
    for j, (radius, name) in enumerate(zip(graph.distances[me], ("r1", "r2"), strict=True)):
        first.add_patch(Circle(few[me], radius, fill=False, edgecolor=FRAME, lw=1))
        end = few[graph.indices[me, j]]
        first.plot(*np.array([few[me], end]).T, color=INK, lw=1, zorder=2)
        first.annotate(
            name, (few[me] + 2 * end) / 3, (0, 4), textcoords="offset points", fontsize=8.5
        )
    frame(first, 1.15 * float(graph.distances[me, 1]), tuple(few[me]))
    below(first, "μ = r2 / r1")
    t = rng.uniform(0, 3 * np.pi, 500)
    rolled = np.column_stack([t * np.cos(t), t * np.sin(t)])
    for ax, points in ((curve, rolled), (square, rng.uniform(size=(500, 2)) * [1.4, 1])):
        ax.scatter(*points.T, s=4, c=BLUE, linewidths=0)
        below(ax, f"dimension = {metrics.two_nn(points).value:.2f}")


def participation_ratio(rng: np.random.Generator) -> None:
    """Draw clouds whose variance is along one direction, and along two."""
    for ax, width in zip(panels(3), (0.08, 0.4, 1.0), strict=True):
        turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
        points = rng.normal(size=(250, 2)) * [1, width] @ turn.T
        ax.scatter(*points.T, s=6, c=BLUE, linewidths=0, alpha=0.6)
        values, vectors = np.linalg.eigh(np.cov(points.T))
        for value, vector in zip(values, vectors.T, strict=True):
            ends = np.array([-1, 1])[:, None] * 2 * np.sqrt(value) * vector
            ax.plot(*ends.T, color=RED, lw=1.6)
        frame(ax, 2.7)
        below(ax, f"PR = {metrics.participation_ratio(points).value:.2f}")


def linear_cka(rng: np.random.Generator) -> None:
    """Draw an arrangement, turned, bent and shuffled."""
    points = rng.uniform(-1, 1, size=(200, 2)) * [1.5, 1]
    hue = points[:, 0]
    turn = np.array([[np.cos(0.9), -np.sin(0.9)], [np.sin(0.9), np.cos(0.9)]])
    bent = np.column_stack([np.cos(2.2 * points[:, 0]), np.sin(2.2 * points[:, 0])])
    bent *= 1 + 0.35 * points[:, 1:]
    cases = {"turned": points @ turn.T, "bent": bent, "shuffled": rng.permutation(points)}
    axes = panels(4, 1.75, 1.6)
    for ax, shown in zip(axes, [points, *cases.values()], strict=True):
        ax.scatter(*shown.T, c=hue, cmap="viridis", s=7, linewidths=0)
    below(axes[0], "one representation")
    for ax, (name, other) in zip(axes[1:], cases.items(), strict=True):
        below(ax, f"{name}: CKA {metrics.linear_cka(points, other).value:.2f}")


def capacity(rng: np.random.Generator) -> None:
    """Draw class manifolds of two sizes around the same centers, with a separating plane."""
    angle = np.array([0.5, 1.25, 2.0, 3.5, 4.35, 5.3])
    centers = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    deep = np.concatenate([centers, np.zeros((6, 18))], axis=1) / 3
    deep += 0.6 * rng.normal(size=(6, 20))
    cloud = rng.normal(size=(6, 30, 20))
    for ax, share in zip(panels(3), (0.9, 0.4, 0.15), strict=True):
        for c in range(6):
            color = BLUE if c < 3 else RED
            points = centers[c] + 1.1 * share * cloud[c, :, :2]
            ax.scatter(*points.T, s=5, c=color, linewidths=0)
        ax.axline((0, 0), (1, 0.04), color=MUTED, lw=1, ls=(0, (3, 3)))
        frame(ax, 5.6)
        points = (deep[:, None] + 0.35 * share * cloud).reshape(-1, 20)
        result = metrics.manifold_capacity(points, np.arange(180) // 30, random_state=0)
        below(ax, f"capacity = {result.capacity:.2f}, radius = {result.radius:.2f}")


PICTURES: tuple[Callable[[np.random.Generator], None], ...] = (
    neighborhood_hit,
    neighbor_confusion,
    trustworthiness,
    class_trustworthiness,
    label_trustworthiness,
    distance_consistency,
    silhouette,
    davies_bouldin,
    shapes,
    linear_probe,
    collapse,
    simplex,
    two_nn,
    participation_ratio,
    linear_cka,
    capacity,
)


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    # What the notes of the measures say is said in the text.
    warnings.simplefilter("ignore", metrics.MeasureWarning)
    for draw in PICTURES:
        draw(np.random.default_rng(3))
        stream = io.BytesIO()
        plt.savefig(stream, dpi=DPI)
        # A palette is enough for flat colors, and makes the files a third as large.
        image = Image.open(stream).convert("RGB").quantize(96, dither=Image.Dither.NONE)
        image.save(FOLDER / f"{draw.__name__}.png", optimize=True, dpi=(DPI, DPI))
        plt.close("all")


if __name__ == "__main__":
    main()
