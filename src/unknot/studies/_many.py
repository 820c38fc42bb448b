"""Studies: several studies on the same data, with one table, figure and page."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._io.atomic import write_text
from .._io.folders import inside
from .._io.formatting import render_text
from .._io.text import no_such_layer
from ._compare import Comparison
from ._store.format import StudyError, read_json
from ._study import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderResult

    from ..metrics import Score

FORMAT: Final = "unknot studies"
MANIFEST: Final = "studies.json"


@dataclass(frozen=True, eq=False, repr=False)
class Studies(Mapping[str, Study]):
    """Several studies on the same data: a mapping from names to `Study`, which prints as a table.

    Returned by `unknot.study_many`, or loaded with `Studies.load`.

    Attributes
    ----------
    studies : dict of str to Study
    failed : dict of str to str
        Why each of the other models could not be studied.

    See Also
    --------
    unknot.study_many : Makes them.
    Study.compare : Compares two studies.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.studies import Studies
    >>> labels = np.repeat([0, 1], 100)
    >>> noise = np.random.default_rng(0).normal(size=(200, 3))
    >>> studies = Studies({
    ...     name: unknot.study({"fc1": noise + shift * labels[:, None]}, (None, labels),
    ...                        measures="neighborhood_hit", max_iter=250, name=name)
    ...     for name, shift in (("step 1", 0.5), ("step 2", 1.5))
    ... })
    >>> studies.compare("neighborhood_hit")["step 2"].rows[0].untangled
    'second'
    """

    studies: dict[str, Study]
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.studies:
            raise ValueError("studies must hold at least one study; got none")

    def __getitem__(self, name: str) -> Study:
        if name not in self.studies:
            raise KeyError(f"there is no study {name!r}{no_such_layer(name, self.studies)}")
        return self.studies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.studies)

    def __len__(self) -> int:
        return len(self.studies)

    def __repr__(self) -> str:
        failed = f"; {len(self.failed)} failed" if self.failed else ""
        return f"Studies({len(self)}: {', '.join(self)}{failed})"

    def best(self, measure: str = "neighborhood_hit") -> dict[str, tuple[str, Score]]:
        """Return the layer with the best score of each study, and the score.

        Parameters
        ----------
        measure : str, default="neighborhood_hit"
            One of which higher or lower is better. Studies without it are left out.

        Returns
        -------
        dict of str to (str, Score)

        Raises
        ------
        ValueError
            If no study has the measure, or neither higher nor lower is better.
        """
        found: dict[str, tuple[str, Score]] = {}
        for name, study in self.items():
            scored = [
                (layer, scores[measure])
                for layer, scores in study.scores.items()
                if measure in scores
            ]
            if not scored:
                continue
            higher = scored[0][1].higher_is_better
            if higher is None:
                raise ValueError(
                    f"measure: neither more nor less of {measure} is better; name another one"
                )
            choose = max if higher else min
            found[name] = choose(scored, key=lambda each: each[1].value)
        if not found:
            known = sorted({each for study in self.values() for each in study.scores.measures})
            raise ValueError(f"measure: no study has {measure!r}; there are {', '.join(known)}")
        return found

    def compare(
        self,
        measures: str | Sequence[str] | None = None,
        *,
        reference: str | None = None,
        paired: bool = True,
    ) -> dict[str, Comparison]:
        """Compare each study with one of them, layer by layer.

        Parameters
        ----------
        measures : str or sequence of str, default=None
            As for `Study.compare`; all by default.
        reference : str, default=None
            The study that the others are compared with; the first by default.
        paired : bool, default=True
            False for studies of different samples.

        Returns
        -------
        dict of str to Comparison
            Each study less the reference. p values are corrected for the comparisons of one study;
            with many studies, divide the level of significance by their number.

        Raises
        ------
        KeyError
            If there is no such study.
        ValueError
            As `Study.compare`.
        """
        first = self[next(iter(self)) if reference is None else reference]
        return {
            name: first.compare(study, measures=measures, paired=paired)
            for name, study in self.items()
            if study is not first
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each study, layer and measure, as `ScoreTable.rows`."""
        found = []
        for name, study in self.items():
            own = replace(study.scores, controls={}, name=name)
            found += own.rows()
            for control, layers in study.controls.items():
                table = replace(study.scores, layers=layers, controls={})
                found += replace(table, name=f"{name} ({control})").rows()
        return found

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows to a file.

        Parameters
        ----------
        path : path
        """
        rows = self.rows()
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["network"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame; needs pandas.

        Returns
        -------
        pandas.DataFrame
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A data frame", extra="pandas")
        frame: pd.DataFrame = pandas.DataFrame(self.rows())
        return frame

    @property
    def steps(self) -> dict[int, str]:
        """The studies in order by number: that in the name, if each has another, else 0, 1, 2."""
        numbers = [_number_in(name) for name in self]
        if None in numbers or len(set(numbers)) < len(numbers):
            return dict(enumerate(self))
        return dict(sorted((number or 0, name) for number, name in zip(numbers, self, strict=True)))

    def as_epochs(self) -> Study:
        """Return checkpoints of one training as one study with epochs, for the page and the curves.

        Returns
        -------
        Study
            The last checkpoint, with all of them in `Study.epochs`, by `steps`.

        Raises
        ------
        ValueError
            If the studies differ in their samples, labels or layers.
        """
        from ._similarity import check_same_samples

        ordered = {number: self[name] for number, name in self.steps.items()}
        last = ordered[max(ordered)]
        for number, study in ordered.items():
            check_same_samples(last, study)
            if list(study.layers) != list(last.layers):
                raise ValueError(
                    f"the layers of {self.steps[number]!r} are {', '.join(study)}, and those of "
                    f"{self.steps[max(ordered)]!r} {', '.join(last)}: they are not of one training"
                )
        called = "; ".join(f"{number}: {name}" for number, name in self.steps.items())
        return replace(
            last,
            name=_common_name(list(self)) or last.name,
            epochs=ordered,
            notes=(*last.notes, f"the epochs are checkpoints, {called}"),
        )

    def figure(self, measures: str | Sequence[str] | None = None, **options: Any) -> Figure:
        """Draw each measure over the studies, in the order of `steps`: a line for each layer.

        Parameters
        ----------
        measures : str or sequence of str, default=None
            All by default.
        **options
            As for `unknot.figures.epoch_curves`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..figures import epoch_curves

        scores = {number: dict(self[name].scores) for number, name in self.steps.items()}
        chosen = [measures] if isinstance(measures, str) else measures
        figure = epoch_curves(scores, chosen, **options)
        for axes in figure.axes:
            axes.set_xlabel(axes.get_xlabel().replace("epoch", "study"))
        return figure

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one page over all studies: table, curves, best layers and paired differences.

        Parameters
        ----------
        path : path
            One HTML file, without scripts. For the maps of checkpoints of one training, to explore:
            ``studies.as_epochs().report(path)``.
        """
        from ._many_page import page_of

        write_text(path, page_of(self))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Studies:
        """Load the studies of a folder that `unknot.study_many` has written.

        Parameters
        ----------
        folder : path

        Returns
        -------
        Studies

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        StudyError
            If it holds no studies, or a damaged one.
        """
        path = Path(folder)
        if not path.is_dir():
            raise FileNotFoundError(f"there is no folder {path}")
        values = read_json(path, MANIFEST)
        try:
            if values["format"] != FORMAT or values["version"] != 1:
                raise StudyError(f"{path / MANIFEST} is of a newer version of unknot")
            folders = {str(name): str(place) for name, place in values["studies"].items()}
            failed = {str(name): str(why) for name, why in values["failed"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"{path / MANIFEST} is damaged: {error!r}") from error
        loaded = {
            name: Study.load(inside(path, place))
            for name, place in folders.items()
            if name not in failed
        }
        if not loaded:
            raise StudyError(f"{path} holds no finished study")
        return cls(loaded, failed)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._many_page import MOST_IN_TERMINAL, overview

        yield overview(self, MOST_IN_TERMINAL).to_rich()
        for name, why in self.failed.items():
            yield f"{name} failed: {why}"

    def __str__(self) -> str:
        return render_text(self, 100)


def _number_in(name: str) -> int | None:
    """Return the last whole number in a name, such as that of a checkpoint."""
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else None


def _common_name(names: list[str]) -> str:
    pairs = zip(min(names), max(names), strict=False)
    common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return re.sub(r"[\W\d_]+$", "", common)
