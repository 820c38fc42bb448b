"""The similarity of every layer to every other, of one network or of two."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._io.formatting import render_text
from .._io.text import no_such_layer
from .._typing import Array, Float64
from .._validation.arrays import as_numbers
from .._validation.numbers import check_integer, parse_memory
from .._validation.points import require_finite, scale_free
from ._shared.among import draw_rows
from ._shared.results import UndefinedMeasureError
from ._suite.comparers import Comparer, comparer_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderResult

MAX_SAMPLES: Final = 2000
MAX_MEMORY: Final = "1 GB"


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityMatrix:
    """The similarity of layers: prints as a table.

    Attributes
    ----------
    values : array of float64 (n_rows, n_columns)
        NaN where it is undefined, as for a layer whose points all coincide.
    rows, columns : tuple of str
        The layers.
    measure, title : str
        The name of the measure, and its display name.
    n_samples : int
        How many samples were compared.
    names : (str, str)
        What the rows and the columns are layers of; empty if not known.
    range : (float, float)
        The smallest and largest possible value.
    chance : float or None
        The value of representations that have nothing in common, where it is known.
    notes : tuple of str
        Caveats: on the samples that were drawn, and why values are missing.

    See Also
    --------
    similarity_matrix : Computes it of points.
    unknot.Study.similarity : Computes it of studies.
    unknot.figures.similarity_heatmap : Draws it.
    """

    values: Float64[Array, "rows columns"]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measure: str
    title: str
    n_samples: int
    names: tuple[str, str] = ("", "")
    range: tuple[float, float] = (0.0, 1.0)
    chance: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = len(self.rows), len(self.columns)
        if self.values.shape != shape:
            raise ValueError(
                f"values must be of the shape (rows, columns), {shape}; got {self.values.shape}"
            )

    def value(self, row: str, column: str) -> float:
        """Return the similarity of two layers.

        Raises
        ------
        KeyError
            If there is no such layer.
        """
        for layer, layers in ((row, self.rows), (column, self.columns)):
            if layer not in layers:
                raise KeyError(f"there is no layer {layer!r}{no_such_layer(layer, layers)}")
        return float(self.values[self.rows.index(row), self.columns.index(column)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON has them; NaN becomes None."""
        return {
            "measure": self.measure,
            "title": self.title,
            "names": list(self.names),
            "rows": list(self.rows),
            "columns": list(self.columns),
            "values": [
                [value if math.isfinite(value) else None for value in row]
                for row in self.values.tolist()
            ],
            "range": [end if math.isfinite(end) else None for end in self.range],
            "chance": self.chance,
            "n_samples": self.n_samples,
            "notes": list(self.notes),
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with a row for each layer of the first network.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A table of similarities", extra="pandas")
        frame: pd.DataFrame = pandas.DataFrame(
            self.values, index=list(self.rows), columns=list(self.columns)
        )
        return frame

    def figure(self, **options: Any) -> Figure:
        """Draw it as a heat map.

        Parameters
        ----------
        **options
            Passed to `unknot.figures.similarity_heatmap`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..figures import similarity_heatmap  # the figures are drawn of measures

        figure: Figure = similarity_heatmap(self, **options)
        return figure

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._suite.matrix_table import render_matrix

        yield from render_matrix(self, options.max_width)

    def __str__(self) -> str:
        return render_text(self, 120)

    def __repr__(self) -> str:
        return str(self)


def similarity_matrix(
    first: Any,
    second: Any = None,
    measure: str | Callable[[Any, Any], Any] = "linear_cka",
    *,
    max_samples: int | None = MAX_SAMPLES,
    max_memory: int | str = MAX_MEMORY,
    names: Sequence[str] = ("", ""),
    random_state: int | None = 0,
    **options: Any,
) -> SimilarityMatrix:
    """Compute the similarity of every layer to every other, of one network or of two.

    Each layer is read and prepared once, so the time grows with the number of layers, and little
    with its square.

    Parameters
    ----------
    first, second : Representations, or mapping of str to array-like (n_samples, ...)
        The points of layers, all of the same samples in the same order; in memory or on disk.
        Without a second, the layers of the first are compared with each other.
    measure : str or callable, default="linear_cka"
        ``"linear_cka"``, ``"rsa"``, ``"procrustes"``, ``"mutual_knn"``, ``"svcca"`` or ``"pwcca"``;
        or a function of two arrays of points, which returns a number.
    max_samples : int or None, default=2000
        Compare this many samples, drawn at random: the same in all layers. None compares all.
    max_memory : int or str, default="1 GB"
        Of samples of the largest layer, at most as many are drawn as fit.
    names : (str, str), default=("", "")
        What the two networks are called.
    random_state : int or None, default=0
        Seeds the draw.
    **options
        Of the measure: ``debiased``; ``distance`` and ``correlation``; ``k`` and ``metric``;
        ``variance``.

    Returns
    -------
    SimilarityMatrix

    Raises
    ------
    ValueError
        If there are no layers, they differ in their number of samples, or the measure or an option
        is unknown.

    See Also
    --------
    linear_cka, rsa, procrustes, mutual_knn, svcca, pwcca : Compare two representations.
    unknot.Study.similarity : Compares the layers of studies.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.normal(size=(200, 30))
    >>> layers = {"pixels": pixels, "turned": pixels[:, ::-1], "noise": rng.normal(size=(200, 5))}
    >>> matrix = unknot.similarity_matrix(layers)
    >>> matrix.value("pixels", "turned") > 0.99, matrix.value("pixels", "noise") < 0.1
    (True, True)
    """
    one = _layers_of(first, "first")
    other = one if second is None else _layers_of(second, "second")
    comparer = comparer_of(measure, options)
    n_samples = _n_samples(
        {
            **{("first", k): v for k, v in one.items()},
            **{("second", k): v for k, v in other.items()},
        }
    )
    if n_samples < comparer.min_samples:
        raise ValueError(
            f"{comparer.title} needs at least {comparer.min_samples} samples; got {n_samples}"
        )
    rows, notes = _drawn(
        [*one.values(), *other.values()],
        n_samples,
        max_samples,
        parse_memory(max_memory),
        random_state,
        comparer.min_samples,
    )
    failed: dict[str, list[str]] = {}

    def prepared(layers: Mapping[str, Any]) -> list[Any]:
        found = []
        for name, array in layers.items():
            try:
                found.append(comparer.prepare(_points_at(array, rows, name), name))
            except UndefinedMeasureError as error:
                found.append(None)
                failed.setdefault(str(error), []).append(name)
        return found

    states = prepared(one)
    others = states if second is None else prepared(other)
    values = _compared(comparer, states, others, same=second is None)
    return SimilarityMatrix(
        values=values,
        rows=tuple(one),
        columns=tuple(other),
        measure=comparer.name,
        title=comparer.title,
        n_samples=len(rows),
        names=(str(names[0]), str(names[1])),
        range=comparer.range,
        chance=comparer.chance(len(rows)),
        notes=(*notes, *failed, *comparer.caveats(states, others)),
    )


def _compared(
    comparer: Comparer, rows: Sequence[Any], columns: Sequence[Any], *, same: bool
) -> Float64[Array, "rows columns"]:
    """Compare what was prepared of layers; NaN where a measure is undefined for one of them."""
    values = np.full((len(rows), len(columns)), np.nan)
    if comparer.compare_all is not None:
        places = [
            [i for i, each in enumerate(side) if each is not None] for side in (rows, columns)
        ]
        known = [rows[i] for i in places[0]]
        others = known if same else [columns[i] for i in places[1]]
        if known and others:
            values[np.ix_(*places)] = comparer.compare_all(known, others)
        return values
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row is None or column is None:
                continue
            if same and comparer.symmetric and j < i:
                values[i, j] = values[j, i]
                continue
            values[i, j] = comparer.compare(row, column)
    return values


def _layers_of(given: Any, name: str) -> dict[str, Any]:
    """Return the layers of representations that are no views of another one."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{name} must map layers to points, as a dict or what unknot.extract returns; got "
            f"{type(given).__name__}"
        )
    views = {
        layer.name
        for layer in getattr(given, "layers", ())
        if getattr(layer, "same_as", None) is not None and layer.same_as in given
    }
    found = {key: given[key] for key in given if key not in views}
    if not found:
        raise ValueError(f"{name} must hold at least one layer; got none")
    for key, array in list(found.items()):
        # Arrays on disk are read later, and only the samples that are drawn.
        if not hasattr(array, "chunks"):
            array = found[key] = as_numbers(array, f"{name}: {key!r}")
        if len(array.shape) < 2 or not all(array.shape):
            raise ValueError(
                f"{name}: {key!r} must have the shape (n_samples, ...) of two dimensions or more; "
                f"got {tuple(array.shape)}"
            )
    return found


def _n_samples(layers: Mapping[tuple[str, str], Any]) -> int:
    lengths = {key: int(array.shape[0]) for key, array in layers.items()}
    least, most = min(lengths, key=lambda key: lengths[key]), max(lengths, key=lambda k: lengths[k])
    if lengths[least] != lengths[most]:
        raise ValueError(
            f"all layers must be of the same samples in the same order; {least[0]}: {least[1]!r} "
            f"has {lengths[least]:,} of them, {most[0]}: {most[1]!r} {lengths[most]:,}"
        )
    return lengths[least]


def _drawn(
    arrays: Iterable[Any],
    n_samples: int,
    max_samples: int | None,
    max_memory: int,
    random_state: int | None,
    least: int,
) -> tuple[Array, tuple[str, ...]]:
    """Draw the samples that are compared, and say so."""
    limit = n_samples
    if max_samples is not None:
        what = f"of at least {least}, or None for all"
        limit = min(limit, check_integer(max_samples, "max_samples", least, None, what))
    widest = max(math.prod(array.shape[1:]) for array in arrays)
    # As they are read, and as float64.
    fits = max(least, max_memory // (12 * widest))
    rows = draw_rows(n_samples, min(limit, fits), random_state)
    if len(rows) == n_samples:
        return rows, ()
    note = f"computed from {len(rows):,} of {n_samples:,} samples, drawn at random"
    if fits < limit:
        note += f": more of the largest layer, {widest:,} numbers each, do not fit in max_memory"
    return rows, (note,)


def _points_at(array: Any, rows: Array, name: str) -> Array:
    """Read some samples of a layer, flattened."""
    if isinstance(array, np.ndarray):
        points = array[rows] if len(rows) < len(array) else array
    elif len(rows) == array.shape[0]:
        points = np.asarray(array[:])
    else:
        # Rows on disk are read in runs of blocks, since a part of a chunk takes as long to read.
        chunks = getattr(array, "chunks", None)
        chunk = chunks[0] if chunks and isinstance(chunks[0], int) else 1
        parts = []
        for own in np.split(rows, np.flatnonzero(np.diff(rows // chunk)) + 1):
            first = int(own[0])
            parts.append(np.asarray(array[first : int(own[-1]) + 1])[own - first])
        points = np.concatenate(parts)
    points = points.reshape(len(points), -1)
    require_finite(points, name)
    return scale_free(points, name=name) if points.dtype != np.float32 else points
