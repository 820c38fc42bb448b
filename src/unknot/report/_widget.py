"""The page as a notebook widget, synchronized with Python."""

from typing import Any

import anywidget
import numpy as np
import traitlets

from .._io.text import did_you_mean
from ..studies import Study
from ._options import MAX_POINTS
from ._page import static_path, to_json
from ._parts import PayloadParts, frames, split_payload
from ._payload import build_payload

# A page of fewer bytes is sent at once; of a larger one first the study and a layer.
AT_ONCE = 2_000_000


class _Indices(traitlets.List):  # type: ignore[type-arg]
    """A list of sample indices; also accepts integer arrays and boolean masks."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        indices = np.asarray(list(value) if isinstance(value, tuple | set | range) else value)
        if indices.shape == (0,):
            indices = indices.astype(np.int64)
        n_samples = obj.n_samples
        if n_samples is None and indices.shape == (0,):
            return []
        if indices.dtype == np.bool_ and indices.shape == (n_samples,):
            indices = np.flatnonzero(indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise traitlets.TraitError(
                f"selection must be a list of sample indices, or one boolean for each of the "
                f"{n_samples} samples; got {indices.dtype} of shape {indices.shape}"
            )
        invalid = indices[(indices < 0) | (indices >= n_samples)]
        if len(invalid):
            raise traitlets.TraitError(
                f"selection must hold indices from 0 to {n_samples - 1}; got {int(invalid[0])}"
            )
        return [int(index) for index in np.unique(indices)]


class PageWidget(anywidget.AnyWidget):
    """The page in a notebook: what it shows, and what is synchronized.

    The payload goes as text without arrays, and these as bytes: labels and pictures in ``base``,
    and each layer by itself in ``part``, when the page names it in ``wanted``.

    Attributes
    ----------
    n_samples : int or None
        None as long as there is no page.
    layers : tuple of str
    """

    _esm = static_path("unknot.js")
    _css = static_path("unknot.css")

    payload = traitlets.Unicode().tag(sync=True)
    base = traitlets.Bytes().tag(sync=True)
    part = traitlets.Bytes().tag(sync=True)
    wanted = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    selection = _Indices(traitlets.Int()).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    n_samples: int | None = None
    layers: tuple[str, ...] = ()
    _parts: PayloadParts | None = None

    @traitlets.observe("wanted")
    def _send_wanted(self, change: Any) -> None:
        """Send the parts that the page asks for; those of another payload are gone."""
        known = {} if self._parts is None else self._parts.parts
        if names := [name for name in change["new"] if name in known]:
            self.part = frames(known, names)

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name not in self.layers and (name or self.layers):
            raise traitlets.TraitError(
                f"layer must be one of {', '.join(self.layers)}; "
                f"got {name!r}{did_you_mean(name, self.layers)}"
            )
        return name


def first_state(parts: PayloadParts) -> dict[str, Any]:
    """Return what a page is given at first: the study and a layer, or all if it is small."""
    names = parts.names
    small = sum(map(len, parts.parts.values())) <= AT_ONCE
    return {
        "payload": to_json(parts.payload),
        "base": frames(parts.parts, names if small else names[:1]),
        "part": b"" if small else frames(parts.parts, names[1:2]),
    }


def layers_in(payload: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the layers of all models of a payload."""
    return tuple(
        dict.fromkeys(layer["name"] for model in payload["models"] for layer in model["layers"])
    )


class Widget(PageWidget):
    """Interactive page of a study in a notebook.

    The layer shown and the selected samples are synchronized with Python in both directions.
    Requires anywidget: ``pip install "unknot[notebook]"``.

    Parameters
    ----------
    study : Study
        Study of one model.
    other : Study, default=None
        Study of another model on the same samples in the same order, for comparison.
    title : str, default=None
        Title of the page. Default: the name of the model, or the names of both.
    n_neighbors : int, default=None
        Number of nearest neighbors stored per point, which are highlighted with it. Decrease it for
        a smaller notebook; 0 stores none. Default: 8, or where these take more than 4 MB, fewer,
        but 3 at least, unless these take more than 16 MB.
    max_points : int or None, default=100,000
        Maximum number of samples shown. Of more, as many are drawn in proportion to the classes,
        and the page says so; scores, confusion, hulls and ellipses are still those of all samples.
        Increase it to see all of a large study; None shows all.
    n_jobs : int, default=None
        Number of threads. Default: all cores.

    Attributes
    ----------
    layer : str
        Name of the layer shown. Assign to it to show another.
    selection : list of int
        Sorted indices of the selected samples. Assign a list or array of indices, or a boolean
        mask, to select samples from Python; those that are not shown are passed over.
    layers : tuple of str
        Names of all layers.
    n_samples : int
        Number of samples.

    Raises
    ------
    TraitError
        If `layer` is set to an unknown name, or `selection` to values that are not sample indices.
    ValueError
        If `n_neighbors` is negative, `max_points` is not positive, a map is not finite, or the two
        studies differ in their samples or classes.

    See Also
    --------
    write_report : Write the same page as one HTML file.
    build_payload : Build the data of the page.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.report import Widget
    >>> labels = np.repeat([0, 1], 30)
    >>> pixels = np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None]
    >>> study = unknot.study(
    ...     {"fc1": 2 * pixels}, (pixels, labels), measures="neighborhood_hit", max_iter=250
    ... )
    >>> widget = Widget(study)
    >>> widget.layer = "fc1"
    >>> widget.selection = np.arange(60) < 3
    >>> widget.selection
    [0, 1, 2]
    """

    def __init__(
        self,
        study: Study,
        *,
        other: Study | None = None,
        title: str | None = None,
        n_neighbors: int | None = None,
        max_points: int | None = MAX_POINTS,
        n_jobs: int | None = None,
    ) -> None:
        payload = build_payload(
            study,
            other=other,
            title=title,
            n_neighbors=n_neighbors,
            max_points=max_points,
            n_jobs=n_jobs,
        )
        self.n_samples = len(study.labels)
        self.layers = layers_in(payload)
        self._parts = split_payload(payload)
        super().__init__(layer=self.layers[0], **first_state(self._parts))
