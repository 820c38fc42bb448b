"""Study: the layers of a network on labeled data, with their maps and scores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._io.text import no_such_layer
from .._typing import Array
from ._compare import Comparison
from ._layer import LayerStudy
from ._metadata import MetadataColumn
from ._own_maps import TSNE, map_names
from ._slices import layer_of_classes, match_layers, rows_of_classes
from ._table import ScoreTable
from ._views import StudyViews

if TYPE_CHECKING:
    from ..metrics import Scores
else:
    Scores = Any

# What the labels are called where there are no others.
ONLY: Final = "labels"


@dataclass(frozen=True, eq=False, repr=False)
class Study(StudyViews, Mapping[str, LayerStudy]):
    """The layers of a network on labeled data: a mapping from names to `LayerStudy`.

    Returned by `unknot.study` and `EpochRecorder.study`, or loaded with `Study.load`.

    Attributes
    ----------
    name : str
        The model's name.
    layers : dict of str to LayerStudy
        In order. The first is ``"inputs"``, the data themselves, if they are known.
    labels : ndarray of int64 (n_samples,)
        The class of each sample, in 0..C-1; -1 where it is unlabeled, and where labels are numbers.
    class_names : tuple of str (C,)
        Empty where labels are numbers.
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
    targets : ndarray of float64 (n_samples,), or None
        The number of each sample, NaN where it is unlabeled; None where labels are classes.
    labeling : str
        What the labels are called; ``"labels"`` where there are no others.
    other_labelings : dict of str to Study
        The same layers with other labels, scores and predictions; see `labelings`.
    metadata : dict of str to MetadataColumn
        What else is known of each sample.
    map_name : str
        By what the maps are, ``"t-SNE"``; see `maps`.

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
    targets: Array | None = None
    labeling: str = ONLY
    other_labelings: dict[str, Study] = field(default_factory=dict)
    metadata: dict[str, MetadataColumn] = field(default_factory=dict)
    map_name: str = TSNE

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.labels.dtype != np.int64 or self.labels.ndim != 1 or not n:
            raise ValueError(
                "labels must be int64 (n_samples,), at least one; "
                f"got {self.labels.dtype} {self.labels.shape}"
            )
        _check_codes(self.labels, len(self.class_names), "labels")
        if self.predictions is not None:
            _check_codes(self.predictions, len(self.class_names), "predictions", lowest=0)
        if self.targets is not None and (
            self.targets.dtype != np.float64 or self.targets.ndim != 1
        ):
            raise ValueError(
                "targets must be float64 (n_samples,); "
                f"got {self.targets.dtype} {self.targets.shape}"
            )
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
        for what in ("predictions", "probabilities", "thumbnails", "snippets", "targets"):
            values = getattr(self, what)
            _check_length(None if values is None else len(values), n, what)
        for name, column in self.metadata.items():
            _check_length(len(column), n, f"metadata[{name!r}]")
        for epoch, there in (self.epochs or {}).items():
            _check_length(len(there.labels), n, f"epochs[{epoch}]")

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
        lines = [f"{len(self.labels):,} samples, {self.labels_in_words}"]
        if self.accuracy is not None:
            lines[0] += f", accuracy {100 * self.accuracy:.2f} %"
        lines.append(f"layers: {', '.join(self.layers)}")
        if self.controls:
            lines.append(f"controls: {', '.join(self.controls)}")
        if self.other_labelings:
            lines.append(f"labelings: {', '.join(self.labelings)}")
        if self.epochs:
            lines.append(f"epochs: {', '.join(map(str, self.epochs))}")
        return f"Study({self.name!r}: {'; '.join(lines)})"

    @property
    def labeled(self) -> Array:
        """Whether each sample is labeled, bool (n_samples,); the others are in no score."""
        return np.asarray(self.labels >= 0) if self.targets is None else np.isfinite(self.targets)

    @property
    def labels_in_words(self) -> str:
        """What the labels are, such as ``"10 classes, 3 unlabeled"``."""
        what = f"{len(self.class_names)} classes"
        if self.targets is not None:
            low, high = np.nanmin(self.targets), np.nanmax(self.targets)
            what = f"labels from {low:.4g} to {high:.4g}"
        unlabeled = int((~self.labeled).sum())
        return what + (f", {unlabeled:,} unlabeled" if unlabeled else "")

    @property
    def accuracy(self) -> float | None:
        """The share of labeled samples that are predicted correctly; None without predictions.

        There are no predictions where it is not known which of the model's outputs is which class;
        `notes` then says what to pass.
        """
        if self.predictions is None or not self.labeled.any():
            return None
        return float(np.mean((self.predictions == self.labels)[self.labeled]))

    @property
    def labelings(self) -> dict[str, Study]:
        """The study with each of its labelings, by name; itself is the first of them."""
        return {self.labeling: self, **self.other_labelings}

    @property
    def maps(self) -> tuple[str, ...]:
        """By what there are maps: ``"t-SNE"`` and others, such as ``"UMAP"``; see `with_map`."""
        return map_names(self)

    @property
    def scores(self) -> ScoreTable:
        """The scores of every layer, as a table; a view has the scores of its layer."""
        return ScoreTable(
            {name: layer.scores for name, layer in self.items() if layer.scores is not None},
            self.controls,
            self.class_names,
            self.name,
            {name: layer.pool for name, layer in self.items() if layer.pool is not None},
        )

    def compare(
        self,
        other: Study,
        layers: Mapping[str, str] | Sequence[str] | None = None,
        *,
        measures: str | Sequence[str] | None = None,
        paired: bool = True,
    ) -> Comparison:
        r"""Compare the scores of two studies, by layer and measure, with intervals and p values.

        The two are of the same samples, so that what their scores have in common cancels. If
        sample i shifts the scores by :math:`\phi_i` and :math:`\psi_i`, and
        :math:`\delta_i = \psi_i - \phi_i`, the difference has the variance

        .. math:: V = \frac{n}{n - 1} \sum_i (\delta_i - \bar\delta)^2.

        Parameters
        ----------
        other : Study
            A study of another model, or of this model at another epoch.
        layers : mapping of str to str, or sequence of str, default=None
            Layers of this study, each mapped to the layer of the other that it is compared with; by
            default layers of the same name.
        measures : str or sequence of str, default=None
            Names or families of scores; all by default. p values are corrected for the number of
            comparisons: name the measures that the question is about.
        paired : bool, default=True
            False for studies of different samples: the variances of both scores then add up, which
            needs larger differences.

        Returns
        -------
        Comparison
            The second study less the first, with 95 % intervals, and p values corrected by Holm's
            method [Holm1979]_.

        Raises
        ------
        ValueError
            If the studies are not of the same samples in the same order with the same labels, have
            nothing in common, or a layer or measure does not exist.

        See Also
        --------
        Comparison : The differences, which print as a table.
        Study.compare_layers : Compares the layers of one study.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1], 100)
        >>> noise = np.random.default_rng(0).normal(size=(200, 3))
        >>> first, second = (
        ...     unknot.study({"fc1": noise + shift * labels[:, None]}, (None, labels),
        ...                  measures="neighborhood_hit", max_iter=250, name=name)
        ...     for name, shift in (("small", 0.5), ("large", 1.5))
        ... )
        >>> row = first.compare(second).rows[0]
        >>> row.untangled, row.p_corrected < 0.001
        ('second', True)
        """
        from ._differences import compare_studies

        return compare_studies(self, other, layers, measures, paired=paired)

    def compare_layers(
        self, measures: str | Sequence[str] | None = None, reference: str | None = None
    ) -> Comparison:
        """Compare each layer with the one before it, or with a reference layer.

        All layers are of the same samples: differences, intervals and p values are as in `compare`.

        Parameters
        ----------
        measures : str or sequence of str, default=None
            Names or families of scores; all by default.
        reference : str, default=None
            The layer that all others are compared with, such as ``"inputs"``; by default each layer
            is compared with the one before it. Layers that are views of others are left out.

        Returns
        -------
        Comparison
            Each layer less the one that it is compared with.

        Raises
        ------
        ValueError
            If fewer than two layers have scores, or a layer or measure does not exist.

        See Also
        --------
        Study.compare : Compares two studies.
        Comparison : The differences, which print as a table.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1], 100)
        >>> pixels = np.random.default_rng(0).normal(size=(200, 3)) + labels[:, None]
        >>> layers = {"fc1": pixels + labels[:, None], "fc2": pixels[:, ::-1]}
        >>> options = dict(measures="neighborhood_hit", max_iter=250)
        >>> study = unknot.study(layers, (pixels, labels), **options)
        >>> changes = study.compare_layers(reference="inputs")
        >>> [(row.layer, row.untangled) for row in changes]
        [('inputs / fc1', 'second'), ('inputs / fc2', None)]
        """
        from ._differences import compare_layers

        return compare_layers(self, measures, reference)

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
        others = {key: other.select(layers) for key, other in self.other_labelings.items()}
        part = replace(self, layers=kept, controls=controls, epochs=None, other_labelings=others)
        if classes is None:
            return replace(part, epochs=epochs)
        rows = rows_of_classes(self.labels, self.class_names, classes)
        return replace(
            part._rows(rows),
            other_labelings={key: other._rows(rows) for key, other in others.items()},
            epochs=epochs,
        )

    def _rows(self, rows: Array) -> Study:
        """Return some samples, without what refers to all of them."""
        return replace(
            self,
            layers={name: layer_of_classes(layer, rows) for name, layer in self.layers.items()},
            labels=self.labels[rows],
            targets=None if self.targets is None else self.targets[rows],
            predictions=None if self.predictions is None else self.predictions[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            thumbnails=None if self.thumbnails is None else self.thumbnails[rows],
            snippets=None if self.snippets is None else tuple(self.snippets[row] for row in rows),
            metadata={name: column.rows(rows) for name, column in self.metadata.items()},
            controls={},
            epochs=None,
        )

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


def _check_codes(codes: Array, n_classes: int, name: str, lowest: int = -1) -> None:
    if codes.min() < lowest or codes.max() >= n_classes:
        or_none = ", or be -1 where unlabeled" if lowest else ""
        raise ValueError(
            f"{name} must lie in 0..{n_classes - 1}, as there are {n_classes} class names"
            f"{or_none}; got {codes.min()}..{codes.max()}"
        )


def _check_length(length: int | None, n_samples: int, name: str) -> None:
    if length is not None and length != n_samples:
        raise ValueError(f"{name} must be of the {n_samples} samples of labels; got {length}")
