"""Study: the layers of a network on labeled data, with their maps and scores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.text import no_such_layer
from .._typing import Array
from ._compare import Comparison, compare_tables
from ._layer import LayerStudy
from ._slices import layer_of_classes, match_layers, rows_of_classes
from ._table import ScoreTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..metrics import Scores
else:
    Scores = Any


@dataclass(frozen=True, eq=False, repr=False)
class Study(Mapping[str, LayerStudy]):
    """The layers of a network on labeled data: a mapping from names to `LayerStudy`.

    Returned by `unknot.study` and `EpochRecorder.study`, or loaded with `Study.load`.

    Attributes
    ----------
    name : str
        The model's name.
    layers : dict of str to LayerStudy
        In order. The first is ``"inputs"``, the data themselves, if they are known.
    labels : ndarray of int64 (n_samples,)
        The class of each sample, in 0..C-1.
    class_names : tuple of str (C,)
    predictions : ndarray of int64 (n_samples,), or None
        The predicted class of each sample.
    probabilities : ndarray of float32 (n_samples, C), or None
    thumbnails : ndarray of uint8 (n_samples, height, width[, 3]), or None
        Small versions of the inputs, if these are images.
    snippets : tuple of str, or None
        A short text for each sample, if the inputs are not images.
    controls : dict of str to dict of str to Scores
        The scores of the same layers in other networks, such as ``"untrained"``. The value that
        permuted labels give is in each score.
    epochs : dict of int to Study, or None
        The study at each captured epoch of the training.
    settings, versions : dict
        The settings, seeds included, and the versions of the libraries used.
    seconds : dict of str to float
        The duration of each stage.
    notes : tuple of str
        Remarks on the whole study.

    Raises
    ------
    ValueError
        If layers, labels and predictions differ in their number of samples, or a label or
        prediction is not a class.

    See Also
    --------
    unknot.study : Makes a study.
    LayerStudy : One layer of a study.
    unknot.report.write_report : Writes the page of a study.

    Examples
    --------
    >>> import numpy as np
    >>> layers = {"inputs": LayerStudy("inputs", "input", (4,), points=np.zeros((3, 4), "float32"))}
    >>> study = Study("model", layers, np.array([0, 1, 1]), ("cat", "dog"))
    >>> study
    Study('model': 3 samples, 2 classes; layers: inputs)
    """

    name: str
    layers: dict[str, LayerStudy]
    labels: Array
    class_names: tuple[str, ...]
    predictions: Array | None = None
    probabilities: Array | None = None
    thumbnails: Array | None = None
    snippets: tuple[str, ...] | None = None
    controls: dict[str, dict[str, Scores]] = field(default_factory=dict)
    epochs: dict[int, Study] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.labels.dtype != np.int64 or self.labels.ndim != 1 or not n:
            raise ValueError(
                "labels must be int64 (n_samples,), at least one; "
                f"got {self.labels.dtype} {self.labels.shape}"
            )
        _check_codes(self.labels, len(self.class_names), "labels")
        if self.predictions is not None:
            _check_codes(self.predictions, len(self.class_names), "predictions")
        if not self.layers:
            raise ValueError("layers must hold at least one layer; got none")
        for name, layer in self.layers.items():
            if layer.name != name:
                raise ValueError(f"layers: the key {name!r} holds a layer named {layer.name!r}")
            if layer.same_as is not None and layer.same_as not in self.layers:
                raise ValueError(
                    f"layers: {name!r} is a view of {layer.same_as!r}, which is not in layers"
                )
            _check_length(layer.n_samples, n, f"layer {name!r}")
        for what in ("predictions", "probabilities", "thumbnails", "snippets"):
            values = getattr(self, what)
            _check_length(None if values is None else len(values), n, what)

    def __getitem__(self, layer: str) -> LayerStudy:
        if layer not in self.layers:
            raise KeyError(
                f"the study of {self.name!r} has no layer {layer!r}"
                f"{no_such_layer(layer, self.layers)}"
            )
        return self.layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def __repr__(self) -> str:
        lines = [f"{len(self.labels):,} samples, {len(self.class_names)} classes"]
        if self.accuracy is not None:
            lines[0] += f", accuracy {100 * self.accuracy:.2f} %"
        lines.append(f"layers: {', '.join(self.layers)}")
        if self.controls:
            lines.append(f"controls: {', '.join(self.controls)}")
        if self.epochs:
            lines.append(f"epochs: {', '.join(map(str, self.epochs))}")
        return f"Study({self.name!r}: {'; '.join(lines)})"

    @property
    def accuracy(self) -> float | None:
        """The share of samples that are predicted correctly; None without predictions."""
        if self.predictions is None:
            return None
        return float(np.mean(self.predictions == self.labels))

    @property
    def scores(self) -> ScoreTable:
        """The scores of every layer, as a table; a view has the scores of its layer."""
        return ScoreTable(
            {name: layer.scores for name, layer in self.items() if layer.scores is not None},
            self.controls,
            self.class_names,
            self.name,
        )

    def compare(
        self, other: Study, layers: Mapping[str, str] | Sequence[str] | None = None
    ) -> Comparison:
        """Compare the scores of two studies, by layer and measure.

        Parameters
        ----------
        other : Study
            A study of another model, or of this model on other data or at another epoch.
        layers : mapping of str to str, or sequence of str, default=None
            Layers of this study, each mapped to the layer of the other that it is compared with; by
            default layers of the same name.

        Returns
        -------
        Comparison

        Raises
        ------
        ValueError
            If the studies have nothing in common, or a layer does not exist.

        See Also
        --------
        Comparison : The differences, which print as a table.
        """
        mine, theirs = self.scores, other.scores
        if layers is None:
            pairs = [(layer, layer) for layer in mine if layer in theirs]
        else:
            named = layers if isinstance(layers, Mapping) else {name: name for name in layers}
            pairs = [
                (match_layers(mine, one)[0], match_layers(theirs, two)[0])
                for one, two in named.items()
            ]
        names = (self.name, other.name)
        if self.name == other.name:
            names = (f"{self.name} (first)", f"{other.name} (second)")
        return compare_tables(mine, theirs, names, pairs)

    def select(
        self,
        layers: str | Sequence[str] | None = None,
        classes: int | str | Sequence[int | str] | None = None,
    ) -> Study:
        """Select layers and classes.

        Parameters
        ----------
        layers : str or sequence of str, default=None
            Names or patterns such as ``"conv*"``; all by default. A view brings its layer.
        classes : int, str or sequence of these, default=None
            Codes or names of classes; all by default. Labels keep their codes and names. Scores and
            neighbors refer to all classes and are dropped: measure the selection with
            `unknot.measure`.

        Returns
        -------
        Study

        Raises
        ------
        ValueError
            If a layer or class does not exist.

        See Also
        --------
        Study.compare : Compares two studies.
        """
        chosen = list(self.layers) if layers is None else match_layers(self.layers, layers)
        wanted = set(chosen) | {view for name in chosen if (view := self[name].same_as)}
        kept = {name: layer for name, layer in self.layers.items() if name in wanted}
        controls = {
            control: {name: scores for name, scores in there.items() if name in wanted}
            for control, there in self.controls.items()
        }
        epochs = None
        if self.epochs is not None:
            epochs = {epoch: there.select(layers, classes) for epoch, there in self.epochs.items()}
        part = replace(self, layers=kept, controls=controls, epochs=epochs)
        if classes is None:
            return part
        rows = rows_of_classes(self.labels, self.class_names, classes)
        return replace(
            part,
            layers={name: layer_of_classes(layer, rows) for name, layer in kept.items()},
            labels=self.labels[rows],
            predictions=None if self.predictions is None else self.predictions[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            thumbnails=None if self.thumbnails is None else self.thumbnails[rows],
            snippets=None if self.snippets is None else tuple(self.snippets[row] for row in rows),
            controls={},
        )

    def figure(self, **options: Any) -> Figure:
        """Draw the maps of the layers side by side, without views of other layers.

        Parameters
        ----------
        **options
            Passed to `unknot.figures.layer_strip`.

        Returns
        -------
        matplotlib.figure.Figure

        See Also
        --------
        unknot.figures.layer_strip : The function that draws it.
        Study.curves : The scores as curves.
        """
        from ._figures import strip

        return strip(self, options)

    def curves(
        self, measures: Sequence[str] | None = None, *, over: str = "layers", **options: Any
    ) -> Figure:
        """Draw each measure over the layers, with the controls, or over the epochs.

        Views of other layers are omitted.

        Parameters
        ----------
        measures : sequence of str, default=None
            The measures to draw; all by default.
        over : {"layers", "epochs"}, default="layers"
        **options
            Passed to `unknot.figures.layer_curves` or `unknot.figures.epoch_curves`.

        Returns
        -------
        matplotlib.figure.Figure

        See Also
        --------
        unknot.figures.layer_curves : Draws over layers.
        unknot.figures.epoch_curves : Draws over epochs.
        """
        from ._figures import curves

        return curves(self, measures, over, options)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the study in a folder of Zarr arrays and JSON, as ``unknot study`` does.

        A study in the folder is replaced once the new one is complete.

        Parameters
        ----------
        folder : path

        Raises
        ------
        FileExistsError
            If the folder holds something other than a study.
        ValueError
            If this study reads its points from the folder.
        OSError
            If it cannot be written, for example to a full disk; the old study is kept.

        See Also
        --------
        Study.load : Loads it again.
        """
        from ._store.saving import save_study

        save_study(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Study:
        """Load a study; points and neighbors are read from disk when they are used.

        Parameters
        ----------
        folder : path
            Written by `Study.save` or `unknot.study`.

        Returns
        -------
        Study

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        StudyError
            If it holds no study, an unfinished or damaged one, or one of a newer format.

        See Also
        --------
        Study.save : Saves a study.
        """
        from ._store.loading import load_study

        return load_study(folder)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the page: one self-contained HTML file.

        Parameters
        ----------
        path : path

        See Also
        --------
        unknot.report.write_report : The same, with more options.
        """
        from ..report import write_report

        write_report(self, path)


def _check_codes(codes: Array, n_classes: int, name: str) -> None:
    if codes.min() < 0 or codes.max() >= n_classes:
        raise ValueError(
            f"{name} must lie in 0..{n_classes - 1}, as there are {n_classes} class names; "
            f"got {codes.min()}..{codes.max()}"
        )


def _check_length(length: int | None, n_samples: int, name: str) -> None:
    if length is not None and length != n_samples:
        raise ValueError(f"{name} must be of the {n_samples} samples of labels; got {length}")
