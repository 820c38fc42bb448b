"""Topology of the classes: connected components and loops, by persistent homology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._extras import import_extra
from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_number, random_generator
from ._shared.among import check_limit, squares_among
from ._shared.checks import check_labeled
from ._shared.many import draw_classes
from ._shared.moments import members_by_class
from ._shared.results import (
    ClassResult,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)

# Loops take time with up to the cube of the points.
MAX_SAMPLES_PER_CLASS = 200
MAX_CLASSES = 50


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClassTopology(ClassResult):
    """The persistent homology of each class.

    All lengths are in units of the root mean square distance between two points of the class.

    Attributes
    ----------
    value : float
        Mean over the classes of the total persistence of loops.
    per_class : array of float64 (n_classes,)
        Total persistence of the loops (H1) of each class: the sum of death minus birth. NaN for
        classes that were left out.
    total_merging : array of float64 (n_classes,)
        Sum of the scales at which the components (H0) of each class merge: the length of its
        minimum spanning tree.
    last_merging : array of float64 (n_classes,)
        The scale at which the class becomes a single component.
    components : tuple of array of float64 (n_points - 1,)
        The scales at which the components of each class merge, ascending.
    loops : tuple of array of float64 (n_loops, 2)
        Birth and death of each loop of each class, in the order of their births.
    classes : array (n_classes,)
        The class values, in the order of all of these.

    See Also
    --------
    class_topology : Computes it.
    """

    total_merging: Float64[Array, " classes"]
    last_merging: Float64[Array, " classes"]
    components: tuple[Array, ...]
    loops: tuple[Array, ...]
    higher_is_better: bool | None = False

    def betti(self, scale: float) -> Int64[Array, "classes 2"]:
        """Return the Betti numbers of each class at a scale.

        Parameters
        ----------
        scale : float
            In units of the root mean square distance between two points of the class.

        Returns
        -------
        array of int64 (n_classes, 2)
            Number of connected components, and of loops; 0 for classes that were left out.
        """
        scale = check_number(scale, "scale", 0.0, bounds="of at least 0")
        numbers = np.zeros((len(self.classes), 2), dtype=np.int64)
        for c, (deaths, loops) in enumerate(zip(self.components, self.loops, strict=True)):
            if len(deaths):
                numbers[c, 0] = 1 + int((deaths > scale).sum())
            numbers[c, 1] = int(((loops[:, 0] <= scale) & (loops[:, 1] > scale)).sum())
        return numbers


def class_topology(
    points: AnyArray,
    labels: AnyArray,
    *,
    max_samples_per_class: int | None = MAX_SAMPLES_PER_CLASS,
    max_classes: int | None = MAX_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ClassTopology:
    r"""Class topology: components and loops of each class, by persistent homology.

    Points are joined as soon as they are nearer than a growing scale, and triangles are filled
    (Vietoris-Rips). Components merge, and loops are born and die:

    .. math:: P_0 = \sum_k d_k, \quad P_1 = \sum_k (d_k - b_k)

    with b and d the scales of birth and death, in units of the root mean square distance between
    two points of the class. The value is the mean of P1 over the classes, in [0, inf); lower is
    simpler: 0 for a class without holes; a circle has one loop, of persistence 1.2. Random
    points have many loops of little persistence, so only compare values of the same number of
    points.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    max_samples_per_class : int or None, default=200
        Use at most this many points of each class, drawn at random; None uses all, which takes
        time with up to the cube of their number.
    max_classes : int or None, default=50
        With more classes, use this many, drawn at random; None uses all.
    random_state : int or None, default=0
        Seed of the samples. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads of the distances. None uses every core (scikit-learn's None is one).

    Returns
    -------
    ClassTopology
        ``value``, ``per_class``, ``total_merging``, ``last_merging``, ``components``, ``loops``,
        and the method ``betti``.

    Raises
    ------
    MissingExtraError
        If ripser is not installed: ``pip install "unknot[topology]"``.
    UndefinedMeasureError
        If no class has two different points.

    See Also
    --------
    class_dimension : Dimension of each class.
    spanning_tree_edges : The tree of all points, whose edges may join two classes.

    References
    ----------
    [Naitzat2020]_; the algorithm: [Bauer2021]_.

    Examples
    --------
    Twelve points on a circle and twelve on a line:

    >>> import numpy as np
    >>> from unknot.metrics import class_topology
    >>> angle = np.arange(12) * np.pi / 6
    >>> circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> line = np.stack([np.arange(12.0), np.zeros(12)], axis=1)
    >>> topology = class_topology(np.concatenate([circle, line]), np.repeat(["o", "-"], 12))
    >>> topology.betti(0.7).tolist()
    [[1, 0], [1, 1]]
    """
    points, codes, classes = check_labeled(points, labels)
    return warn_notes(
        class_topology_from_points(
            points,
            codes,
            classes,
            check_limit(max_samples_per_class, "max_samples_per_class", 3),
            check_limit(max_classes, "max_classes", 1),
            random_state,
            n_jobs,
        )
    )


def class_topology_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    max_samples_per_class: int | None = MAX_SAMPLES_PER_CLASS,
    max_classes: int | None = MAX_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ClassTopology:
    """Compute the persistent homology of the classes of checked points."""
    ripser: Any = import_extra("ripser", feature="The topology of classes", extra="topology")
    rng = random_generator(random_state)
    drawn = np.arange(len(classes))
    notes = []
    if max_classes is not None and len(classes) > max_classes:
        drawn = draw_classes(len(classes), max_classes, rng)
        notes.append(
            f"the topology is that of {len(drawn)} of {len(classes)} classes, drawn at random"
        )
    members = members_by_class(codes, len(classes))
    components: list[Array] = [np.empty(0)] * len(classes)
    loops: list[Array] = [np.empty((0, 2))] * len(classes)
    limited = 0
    for c in drawn:
        own = members[c]
        if max_samples_per_class is not None and len(own) > max_samples_per_class:
            own = np.sort(rng.choice(own, size=max_samples_per_class, replace=False))
            limited += 1
        squares = squares_among(np.asarray(points[own]), n_jobs)
        if not squares.any():
            continue
        pairs = len(own) * (len(own) - 1)
        lengths = np.sqrt(squares / (squares.sum() / pairs))
        # Exactly symmetric, as distances must be.
        lengths = np.maximum(lengths, lengths.T)
        found = ripser.ripser(lengths, maxdim=1, distance_matrix=True)["dgms"]
        merged = found[0][:, 1].astype(np.float64)
        merged = merged[np.isfinite(merged)]
        # Those of duplicates, which merge at once, are not listed.
        at_once = np.zeros(len(own) - 1 - len(merged))
        components[c] = np.concatenate([at_once, np.sort(merged)])
        born = found[1].astype(np.float64)
        loops[c] = born[np.lexsort((born[:, 1], born[:, 0]))]
    measured = np.array([len(deaths) > 0 for deaths in components])
    if not measured.any():
        raise UndefinedMeasureError(
            "the topology of a class is that of its points; no class has two different ones"
        )
    left = np.setdiff1d(drawn, np.flatnonzero(measured))
    if len(left):
        notes.append(
            f"{len(left)} of {len(classes)} classes have no two different points; the topology "
            f"leaves them out: {format_names(classes[left])}"
        )
    if limited:
        notes.append(
            f"the topology of {limited} of {len(classes)} classes is that of "
            f"{max_samples_per_class} of their points, drawn at random; the number of loops grows "
            "with that of the points, so only compare values of the same number"
        )
    per_class, total, last = np.full((3, len(classes)), np.nan)
    for c in np.flatnonzero(measured):
        per_class[c] = (loops[c][:, 1] - loops[c][:, 0]).sum()
        total[c], last[c] = components[c].sum(), components[c][-1]
    return ClassTopology(
        value=float(per_class[measured].mean()),
        per_class=per_class,
        total_merging=total,
        last_merging=last,
        components=tuple(components),
        loops=tuple(loops),
        classes=classes,
        notes=tuple(notes),
    )
