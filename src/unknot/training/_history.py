"""The history of a training: one row per epoch."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .._io.atomic import write_text


@dataclass(frozen=True)
class History(Mapping[str, list[float]]):
    """The metrics of each epoch of a training, as columns of equal length.

    A mapping from column name to list.

    Attributes
    ----------
    columns : dict of str to list of float
        ``epoch`` (from 1), ``loss`` and the model's metrics, averaged over the training batches
        of the epoch, the same with the prefix ``val_`` on the validation data, if any, and
        ``seconds``.
    interrupted : bool
        Whether Ctrl-C ended the training before the last epoch.

    Raises
    ------
    ValueError
        If the columns differ in length.

    See Also
    --------
    unknot.train : Train a model; returns a history.

    Examples
    --------
    >>> history = History({"epoch": [1.0, 2.0], "loss": [0.9, 0.5], "seconds": [0.2, 0.1]})
    >>> history["loss"][-1], history.epochs
    (0.5, 2)
    """

    columns: dict[str, list[float]] = field(default_factory=dict)
    interrupted: bool = False

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a history must be of one length; got {lengths}")

    def __getitem__(self, column: str) -> list[float]:
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def epochs(self) -> int:
        """The number of completed epochs."""
        return len(next(iter(self.columns.values()), []))

    def with_epoch(self, row: Mapping[str, float]) -> "History":
        """Return this history with one more epoch.

        Parameters
        ----------
        row : mapping of str to float
            The value of each column.

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If the columns are not those of this history.
        """
        if self.columns and set(row) != set(self.columns):
            raise ValueError(
                f"an epoch must have the columns {', '.join(self.columns)}; got {', '.join(row)}"
            )
        return History({name: [*self.columns.get(name, []), row[name]] for name in row})

    def first(self, epochs: int) -> "History":
        """Return the history of the first epochs.

        Parameters
        ----------
        epochs : int
            How many epochs to keep.

        Returns
        -------
        History
        """
        return History({name: values[:epochs] for name, values in self.columns.items()})

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file, atomically: a header, then one row per epoch, in full precision.

        Parameters
        ----------
        path : path
            The file.

        See Also
        --------
        from_csv : Read it again.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in zip(*self.columns.values(), strict=True):
            writer.writerow(int(value) if value == int(value) else repr(value) for value in row)
        write_text(path, text.getvalue())

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> "History":
        """Read a file that `to_csv` wrote.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If the file is not a table of numbers with a header.

        See Also
        --------
        to_csv : Write the file.
        """
        try:
            with Path(path).open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
            columns = {name: [float(row[i]) for row in rows[1:]] for i, name in enumerate(rows[0])}
            if any(len(row) != len(columns) for row in rows[1:]):
                raise ValueError("rows of different lengths")
        except (IndexError, ValueError, csv.Error) as error:
            raise ValueError(f"{path} is not a training history ({error}); delete it") from error
        return cls(columns)


def history_path(model: str | os.PathLike[str]) -> Path:
    """Return the path of a model's history: its full file name with ``.csv`` appended.

    So ``a.keras`` and ``a.h5``, or ``run.1.keras`` and ``run.2.keras``, have one each.
    """
    path = Path(model)
    return path.with_name(f"{path.name}.csv")


def check_history_path(model: str | os.PathLike[str]) -> Path:
    """Return `history_path`, unless another kind of file would be overwritten.

    Raises
    ------
    ValueError
        If a file of that name exists and is not a history.
    """
    path = history_path(model)
    if os.path.lexists(path):
        try:
            is_history = path.is_file() and "epoch" in History.from_csv(path)
        except (OSError, ValueError):
            is_history = False
        if not is_history:
            raise ValueError(
                f"the training history would be saved as {path}, which exists and is not a "
                "training history: move it, or give the model another name"
            )
    return path
