"""What a study offers beside its layers: requirements, similarities and figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ._require import RequirementError, Requirements, check_requirements

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..metrics import SimilarityMatrix
    from ._study import Study
    from ._summary import Summary
else:
    Figure = SimilarityMatrix = Study = Summary = Any


class StudyViews:
    """The methods of a study that only hand it on; see `Study`."""

    def summary(self) -> Summary:
        """Say what is notable: the best layer, the most mixed classes, labels to check, notes.

        Returns
        -------
        Summary
            It prints as sentences.

        See Also
        --------
        Study.scores : All scores, as a table.
        Study.compare_layers : Compares the layers, with intervals and p values.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1, 2], 40)
        >>> pixels = np.random.default_rng(0).normal(size=(120, 3)) + labels[:, None]
        >>> layers = {"fc1": pixels + 20 * labels[:, None], "fc2": pixels + labels[:, None]}
        >>> options = dict(measures="neighborhood_hit", max_iter=250, n_neighbors=60)
        >>> study = unknot.study(layers, (pixels, labels), perplexity=20, **options)
        >>> study.summary().best_layer
        'fc1'
        """
        from ._summary import summarize

        return summarize(cast(Study, self))

    def apply_labels(self, path: str | os.PathLike[str]) -> Study:
        """Take back labels that were judged on the page, from the ``labels.csv`` that it saves.

        Parameters
        ----------
        path : path
            A CSV file with the columns ``sample``, ``class``, ``decision`` (``"right"``,
            ``"relabel"`` or nothing), ``new_class`` and ``tag``.

        Returns
        -------
        Study
            With the corrected labels, and tags as a column of metadata. If any label changed, it
            has no scores, as these are of the former labels: study the model again with its
            `labels`.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If a line is not of this study's samples and classes, or labels are numbers.

        See Also
        --------
        Study.report : Writes the page, on which labels are judged.
        Study.to_csv : Writes all samples.
        """
        from ._judged import apply_labels

        return apply_labels(cast("Study", self), path)

    def with_map(self, name: str) -> Study:
        """Return the study with other maps in the place of t-SNE's.

        Figures, tables, comparisons and pages of it show these maps, and the scores of these. A
        layer without such a map has none, and no scores of one, at each epoch.

        Parameters
        ----------
        name : str
            One of `maps`.

        Returns
        -------
        Study

        Raises
        ------
        ValueError
            If there are no maps of this name.

        See Also
        --------
        unknot.study : Takes maps, and estimators that make them.
        OwnMap : A map with its scores.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1], 30)
        >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + 3 * labels[:, None]
        >>> study = unknot.study(
        ...     {"fc1": pixels}, (None, labels), maps={"two of them": {"fc1": pixels[:, :2]}},
        ...     measures="neighborhood", max_iter=250,
        ... )
        >>> study.maps
        ('t-SNE', 'two of them')
        >>> bool((study.with_map("two of them")["fc1"].map == pixels[:, :2].astype("f4")).all())
        True
        """
        from ._own_maps import study_with_map

        return study_with_map(cast("Study", self), name)

    def similarity(
        self, other: Study | None = None, measure: Any = "linear_cka", **options: Any
    ) -> SimilarityMatrix:
        """Compute how similar every layer is to every other, of this study or another one.

        Layers that are views of others are omitted.

        Parameters
        ----------
        other : Study, default=None
            A study of another model on the same samples; by default the layers of this study are
            compared with each other.
        measure : str or callable, default="linear_cka"
            ``"linear_cka"``, ``"rsa"``, ``"procrustes"``, ``"mutual_knn"``, ``"svcca"``,
            ``"pwcca"`` or a function of two arrays of points.
        **options
            ``max_samples`` and other options of `unknot.similarity_matrix`. At most 2,000 samples
            are compared by default, the same in all layers.

        Returns
        -------
        SimilarityMatrix

        Raises
        ------
        ValueError
            If the studies are of other samples, or the points of a layer were not kept.

        See Also
        --------
        unknot.similarity_matrix : Computes it of points.
        Study.compare : Compares the scores of two studies.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1], 30)
        >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + 9 * labels[:, None]
        >>> layers, quick = {"fc1": pixels[:, ::-1]}, dict(measures="nc1", max_iter=250)
        >>> study = unknot.study(layers, (pixels, labels), **quick)
        >>> round(study.similarity().value("inputs", "fc1"), 3)
        1.0
        """
        from ._similarity import similarity

        return similarity(cast(Study, self), other, measure, options)

    def require(self, *expressions: str) -> Requirements:
        """Require scores, such as in a test or before a model is released.

        Parameters
        ----------
        *expressions : str
            Each compares two sides with ``>=``, ``>``, ``<=``, ``<`` or ``==``. A side is a number
            (``0.98`` or ``98 %``), ``accuracy``, ``measure(layer)`` or ``kl_divergence(layer)``, or
            a sum or difference of these: ``neighborhood_hit(fc2) - neighborhood_hit(fc1) > 0.1``.
            The layer is a name, ``first``, ``last``, a number (-1 is the last), or a pattern
            such as ``fc*``, of which all must hold; ``measure(fc1, untrained)`` is of a control.
            Names with commas or brackets stand in quotes.

        Returns
        -------
        Requirements
            A table of all comparisons.

        Raises
        ------
        RequirementError
            If one does not hold. What has no value, such as an accuracy that is not known or a
            measure that was skipped, never holds.
        ValueError
            If an expression cannot be read, names a measure or a layer that does not exist, or
            compares with a number that the measure cannot reach, such as ``accuracy >= 98``.

        See Also
        --------
        unknot.studies.Requirements : The result.
        unknot.studies.RequirementError : Lists all that do not hold.

        Examples
        --------
        >>> import numpy as np, unknot
        >>> labels = np.repeat([0, 1], 30)
        >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + 9 * labels[:, None]
        >>> data = (None, labels)
        >>> study = unknot.study({"fc1": pixels}, data, measures="neighborhood_hit", max_iter=250)
        >>> [row.holds for row in study.require("neighborhood_hit(fc*) >= 0.95")]
        [True]
        """
        found = check_requirements(cast(Study, self), expressions)
        if len(found.failed):
            raise RequirementError(found.failed)
        return found

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a row for each sample: label, prediction, confidence and metadata, atomically.

        Parameters
        ----------
        path : path
            Dates are written as in ISO 8601, booleans as true and false; what is missing is empty.

        See Also
        --------
        unknot.studies.ScoreTable.to_csv : Writes the scores.
        MetadataColumn : A column of metadata.
        """
        from ._samples import write_csv

        write_csv(cast(Study, self), path)

    def _repr_html_(self) -> str:
        from ._html import html_of

        return html_of(cast(Study, self))

    def figure(self, **options: Any) -> Figure:
        """Draw the maps of the layers side by side, without views of other layers.

        Parameters
        ----------
        **options
            Passed to `unknot.figures.layer_strip`; ``width=6.9`` draws for print.

        Returns
        -------
        matplotlib.figure.Figure
            Its ``caption`` holds the number of samples, k, KL divergences and the seed.

        See Also
        --------
        unknot.figures.layer_strip : The function that draws it.
        Study.curves : The scores as curves.
        """
        from ._figures import strip

        return strip(cast(Study, self), options)

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
            Passed to `unknot.figures.layer_curves` or `unknot.figures.epoch_curves`; ``width=6.9``
            draws for print.

        Returns
        -------
        matplotlib.figure.Figure
            Its ``caption`` holds the number of samples, k and the seed.

        See Also
        --------
        unknot.figures.layer_curves : Draws over layers.
        unknot.figures.epoch_curves : Draws over epochs.
        """
        from ._figures import curves

        return curves(cast(Study, self), measures, over, options)
