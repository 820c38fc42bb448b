"""Layers by name, each with what it made of every sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .._typing import Array, Points


@dataclass(frozen=True, eq=False, repr=False)
class Representations(Mapping[str, Array]):
    """The representations of the same samples at several layers, in the layers' order.

    Attributes
    ----------
    arrays : dict of str to ndarray of float32, (n_samples, *shape)
        One array a layer, all of one length.

    Raises
    ------
    ValueError
        If the layers have different numbers of samples.

    Examples
    --------
    >>> import numpy as np
    >>> layers = Representations({"conv1": np.zeros((5, 8, 8, 2), np.float32)})
    >>> layers["conv1"].shape, layers.points("conv1").shape
    ((5, 8, 8, 2), (5, 128))
    """

    arrays: dict[str, Array]

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"every layer must hold the same samples; got {lengths}")

    def __getitem__(self, layer: str) -> Array:
        return self.arrays[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        layers = ", ".join(f"{name} {array.shape[1:]}" for name, array in self.arrays.items())
        return f"Representations({self.n_samples} samples; {layers})"

    @property
    def n_samples(self) -> int:
        """How many samples every layer holds."""
        return len(next(iter(self.arrays.values()), ()))

    def points(self, layer: str) -> Points:
        """Return one layer with each sample flattened: (n_samples, n_features)."""
        array = self.arrays[layer]
        return np.ascontiguousarray(array.reshape(len(array), -1))
