"""The scores of all layers as one table."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.atomic import write_text
from .._io.formatting import render_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

    from ..metrics import Scores
else:
    Scores = Any

_COLUMNS = (
    "network", "layer", "measure", "title", "family", "space", "class", "value", "low", "high",
    "null", "null_low", "null_high", "higher_is_better", "notes", "pool", "given_map",
    "n_samples",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class ScoreTable(Mapping[str, Scores]):
    """The scores of every layer: a mapping from layers to their `Scores`, which prints as a table.

    Attributes
    ----------
    layers : dict of str to Scores
        The layers in order.
    controls : dict of str to dict of str to Scores
        The same layers of other networks, such as ``"untrained"``.
    class_names : tuple of str
        The name of each class.
    name : str
        The model's name.
    pools : dict of str to str
        How each layer that has tokens or pixels was pooled to one row a sample.

    See Also
    --------
    unknot.Scores : The scores of one layer.
    unknot.Study.scores : The table of a study.
    Comparison : The differences of two studies.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.studies import ScoreTable
    >>> labels = np.repeat([0, 1], 30)
    >>> points = np.random.default_rng(0).normal(size=(60, 3)) + 9 * labels[:, None]
    >>> names = ["neighborhood_hit", "neighbor_confusion"]
    >>> scores = unknot.measure(points, labels, measures=names)
    >>> table = ScoreTable({"inputs": scores}, {}, ("cat", "dog"), "model")
    >>> table.value("inputs", "neighborhood_hit"), table.measures
    (1.0, ('neighborhood_hit', 'neighbor_confusion'))
    """

    layers: dict[str, Scores]
    controls: dict[str, dict[str, Scores]]
    class_names: tuple[str, ...]
    name: str
    pools: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, layer: str) -> Scores:
        if layer not in self.layers:
            raise KeyError(f"{layer!r} has no scores; there are {', '.join(self.layers) or 'none'}")
        return self.layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures that at least one layer has, in canonical order."""
        from ..metrics import measure_names

        found = {measure for scores in self.values() for measure in scores}
        known = [name for name in measure_names() if name in found]
        # Those of the user's own may not be registered in this process.
        others = [name for scores in self.values() for name in scores if name not in known]
        return (*known, *dict.fromkeys(others))

    def value(self, layer: str, measure: str) -> float:
        """Return one value; NaN if the layer has no such score."""
        scores = self[layer]
        return scores[measure].value if measure in scores else float("nan")

    def rows(self, *, per_class: bool = False) -> list[dict[str, Any]]:
        """Return a row for each network, layer and measure.

        Parameters
        ----------
        per_class : bool
            Add a row for each class, where a measure has per-class values.
        """
        rows = []
        for network, layers in ((self.name, self.layers), *self.controls.items()):
            for layer, scores in layers.items():
                for score in scores.values():
                    whole = {
                        "network": network,
                        "layer": layer,
                        "measure": score.name,
                        "title": score.title,
                        "family": score.family,
                        "space": score.space,
                        "class": None,
                        "value": score.value,
                        **_ends("low", "high", score.interval),
                        "null": score.null,
                        **_ends("null_low", "null_high", score.null_interval),
                        "higher_is_better": score.higher_is_better,
                        "notes": "; ".join(score.notes),
                        "pool": self.pools.get(layer),
                        "given_map": score.given_map,
                        "n_samples": score.n_samples,
                    }
                    rows.append(whole)
                    if not per_class or score.per_class is None:
                        continue
                    for code, value in zip(scores.classes, score.per_class, strict=True):
                        rows.append(
                            dict.fromkeys(_COLUMNS)
                            | {key: whole[key] for key in _COLUMNS[:6]}
                            | {
                                "class": self.class_names[int(code)],
                                "value": float(value) if np.isfinite(value) else None,
                                "higher_is_better": score.higher_is_better,
                                "notes": "",
                                "pool": whole["pool"],
                            }
                        )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON has them."""
        return {
            "name": self.name,
            "class_names": list(self.class_names),
            "layers": {layer: scores.to_dict() for layer, scores in self.items()},
            "controls": {
                control: {layer: scores.to_dict() for layer, scores in layers.items()}
                for control, layers in self.controls.items()
            },
            **({"pools": dict(self.pools)} if self.pools else {}),
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self, path: str | os.PathLike[str], *, per_class: bool = True) -> None:
        """Write a row for each network, layer, measure and class, atomically."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows(per_class=per_class))
        write_text(path, text.getvalue())

    def to_pandas(self, *, per_class: bool = False) -> pd.DataFrame:
        """Return a data frame with a row for each network, layer and measure.

        ``frame.pivot_table("value", "layer", "measure", sort=False)`` puts measures side by side.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A table of scores", extra="pandas")
        frame: pd.DataFrame = pandas.DataFrame(
            self.rows(per_class=per_class), columns=list(_COLUMNS)
        )
        return frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._render import render_scores

        yield from render_scores(self, options.max_width)

    def __str__(self) -> str:
        return render_text(self, 120)

    def __repr__(self) -> str:
        return str(self)


def _ends(low: str, high: str, interval: Sequence[float] | None) -> dict[str, float | None]:
    first, last = interval or (None, None)
    return {low: first, high: last}
