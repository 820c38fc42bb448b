"""The history of a training: one row an epoch."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .._io.atomic import write_text


@dataclass(frozen=True)
class History(Mapping[str, list[float]]):
    """What happened in each epoch of a training, as columns of equal length.

    Attributes
    ----------
    columns : dict of str to list of float
        ``epoch`` (from 1), ``loss`` and the model's metrics on the training batches as they went
        by, the same with ``val_`` on the validation data where it was asked for, and ``seconds``.
    interrupted : bool
        Whether Ctrl-C ended the training before the last epoch.

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
        """How many epochs were finished."""
        return len(next(iter(self.columns.values()), []))

    def with_epoch(self, row: Mapping[str, float]) -> "History":
        """Return this history with one more epoch."""
        if self.columns and set(row) != set(self.columns):
            raise ValueError(
                f"an epoch must have the columns {', '.join(self.columns)}; got {', '.join(row)}"
            )
        return History({name: [*self.columns.get(name, []), row[name]] for name in row})

    def first(self, epochs: int) -> "History":
        """Return the history of the first so many epochs."""
        return History({name: values[:epochs] for name, values in self.columns.items()})

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file, atomically: a header, then a row an epoch with every digit."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in zip(*self.columns.values(), strict=True):
            writer.writerow(int(value) if value == int(value) else repr(value) for value in row)
        write_text(path, text.getvalue())

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> "History":
        """Read what :meth:`to_csv` wrote.

        Raises
        ------
        ValueError
            If the file is not a table of numbers under a header; it is named.
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
    """Return where the history of a model is saved: beside it, under its whole name and ``.csv``.

    So ``a.keras`` and ``a.h5``, or ``run.1.keras`` and ``run.2.keras``, have one each.
    """
    path = Path(model)
    return path.with_name(f"{path.name}.csv")


def check_history_path(model: str | os.PathLike[str]) -> Path:
    """Return the same, unless another kind of file is there, which nobody asked to replace.

    Raises
    ------
    ValueError
        If a file of that name is no history of a training.
    """
    path = history_path(model)
    if os.path.lexists(path):
        try:
            ours = path.is_file() and "epoch" in History.from_csv(path)
        except (OSError, ValueError):
            ours = False
        if not ours:
            raise ValueError(
                f"the history of the training is saved as {path}, and what has that name is no "
                "such history: move it, or give the model another name"
            )
    return path
