"""The page in a notebook, linked with Python in both directions."""

from typing import Any

import anywidget
import numpy as np
import traitlets

from .._io.text import did_you_mean
from ..studies import Study
from ._page import static_path, to_json
from ._payload import build_payload


class _Indices(traitlets.List):  # type: ignore[type-arg]
    """Indices of samples: a list; an array of whole numbers, or of one boolean a sample, too."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        indices = np.asarray(list(value) if isinstance(value, tuple | set | range) else value)
        if indices.shape == (0,):
            indices = indices.astype(np.int64)
        n_samples = obj.n_samples
        if indices.dtype == np.bool_ and indices.shape == (n_samples,):
            indices = np.flatnonzero(indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise traitlets.TraitError(
                f"selection must hold indices of samples, or one boolean for each of the "
                f"{n_samples} samples; got {indices.dtype} {indices.shape}"
            )
        wrong = indices[(indices < 0) | (indices >= n_samples)]
        if len(wrong):
            raise traitlets.TraitError(
                f"selection must hold indices from 0 to {n_samples - 1}; got {int(wrong[0])}"
            )
        return [int(index) for index in np.unique(indices)]


class Widget(anywidget.AnyWidget):
    """The page of a study in a notebook.

    Parameters
    ----------
    study : Study
        Of one model.
    other, title, n_neighbors, n_jobs
        As in `build_payload`.

    Attributes
    ----------
    layer : str
        The name of the layer shown. Set it to show another.
    selection : list of int
        The indices of the samples that are selected, in ascending order, whether by the person or
        from Python. Set it to a list or an array of indices, or to an array of one boolean a
        sample.

    Raises
    ------
    TraitError
        If ``layer`` is set to what is not a layer's name, or ``selection`` to what are not
        indices of samples.
    """

    _esm = static_path("unknot.js")
    _css = static_path("unknot.css")

    payload = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    selection = _Indices(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        study: Study,
        *,
        other: Study | None = None,
        title: str | None = None,
        n_neighbors: int = 8,
        n_jobs: int | None = None,
    ) -> None:
        payload = build_payload(
            study, other=other, title=title, n_neighbors=n_neighbors, n_jobs=n_jobs
        )
        self.n_samples: int = payload["nSamples"]
        self.layers: tuple[str, ...] = tuple(
            dict.fromkeys(layer["name"] for model in payload["models"] for layer in model["layers"])
        )
        super().__init__(payload=to_json(payload), layer=self.layers[0])

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name not in self.layers:
            raise traitlets.TraitError(
                f"layer must be one of {', '.join(self.layers)}; "
                f"got {name!r}{did_you_mean(name, self.layers)}"
            )
        return name
