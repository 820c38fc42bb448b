"""How a study reads data that are not arrays: loaders, data sets, texts, iterables of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._typing import Array
from ..._validation.arrays import is_sparse
from .label_columns import take_labelings
from .label_kinds import IGNORED
from .labeling import Labeling

if TYPE_CHECKING:
    from ...representations import LabeledInputs, Options


@dataclass(frozen=True)
class Reading:
    """What the user said about the data.

    Attributes
    ----------
    label_key, split, tokenizer
        As for `unknot.study`.
    batch_size : int
    is_raw : bool
        Whether the user calls the model himself.
    kept_bytes : int or None
        The most that inputs may take in memory; None for the default.
    max_samples : int or None
        How many samples to draw.
    random_state : int
    class_names, ignore_labels, label_kind
        As for `unknot.study`.
    """

    label_key: str | None = None
    split: str | None = None
    tokenizer: Callable[..., Any] | None = None
    batch_size: int = 500
    is_raw: bool = False
    kept_bytes: int | None = None
    max_samples: int | None = None
    random_state: int = 0
    class_names: Any = None
    ignore_labels: Any = IGNORED
    label_kind: Any = None

    def labelings(
        self, labels: Any, class_names: tuple[str, ...] | None = None
    ) -> dict[str, Labeling]:
        """Convert labels; the user's class names come before those of the data."""
        return take_labelings(
            labels,
            class_names=class_names if self.class_names is None else self.class_names,
            ignore_labels=self.ignore_labels,
            kind=self.label_kind,
        )

    def options(self) -> Options:
        """Return what the readers take."""
        from ...representations import Options

        return Options(self.label_key, self.split, self.tokenizer, self.batch_size, self.is_raw)

    def open(
        self,
        data: Any,
        labels: Any = None,
        draw: Callable[[Any], Array | None] | None = None,
    ) -> LabeledInputs | None:
        """Read data of any kind that is not arrays; return None for other data."""
        from ...representations import KEPT_BYTES, open_labeled

        kept = KEPT_BYTES if self.kept_bytes is None else min(KEPT_BYTES, self.kept_bytes)
        return open_labeled(data, self.options(), labels=labels, draw=draw, kept_bytes=kept)


def are_batches(inputs: list[Any], n_samples: int) -> bool:
    """Whether a list holds arrays that have all the samples one after the other."""
    if len(inputs) in (0, n_samples) or not all(np.ndim(part) for part in inputs):
        return False
    are_arrays = all(hasattr(part, "shape") for part in inputs)
    return are_arrays and len(inputs) > 1 and sum(map(len, inputs)) == n_samples


def several_inputs(inputs: Any, n_samples: int) -> Any:
    """Return a list of several inputs as a tuple, and anything else unchanged.

    A list is several inputs if it holds arrays with a row for each label, and not one array for
    each label.
    """
    if not isinstance(inputs, list) or len(inputs) in (0, n_samples):
        return inputs
    arrays = all(hasattr(part, "shape") or is_sparse(part) for part in inputs)
    if arrays and all(np.ndim(part) and len(part) == n_samples for part in inputs):
        return tuple(inputs)
    return inputs


def not_data(data: Any) -> TypeError:
    """Return the error for data of a kind that is not taken."""
    from ...representations import accepted_kinds

    remedy = ""
    if hasattr(data, "shape") or isinstance(data, Mapping | list):
        remedy = ". Inputs need labels: pass (inputs, labels)"
    return TypeError(
        "data must be a pair (inputs, labels), a Dataset, a Split, the name or path of one, "
        f"{', '.join(accepted_kinds())}; got {type(data).__name__}{remedy}"
    )


def require_labels(opened: LabeledInputs) -> LabeledInputs:
    """Raise a ValueError if the data have no labels."""
    if opened.labels is None:
        raise ValueError(
            "data: no labels were found; batches must be (inputs, labels), or dicts with labels "
            "under label_key=, or pass (data, labels)"
        )
    return replace(opened)
