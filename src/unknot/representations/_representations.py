"""Layers by name, each with what it made of every sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .._typing import Array, Points
from ._layers import Layer

BLOCK_BYTES: Final = 32_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Representations(Mapping[str, Any]):
    """The representations of the same samples at several layers, in the order in which they run.

    Attributes
    ----------
    arrays : dict of str to array of float32, (n_samples, *shape)
        One a layer, all of one length: a NumPy array, or a Zarr array where it lies on disk. A
        Zarr array is read by slicing.
    layers : tuple of Layer
        The same layers: kind, shape, and which are views of others.
    output : ndarray of float32, (n_samples, n_outputs), or None
        What the model itself returned in the same pass, if it is one such array.
    reductions : dict of str to dict
        How layers were pooled or projected, with the measured distortion; others are exact.
    notes : tuple of str
        Which layers were left out, and why.

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

    arrays: dict[str, Any]
    layers: tuple[Layer, ...] = ()
    output: Array | None = None
    reductions: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: array.shape[0] for name, array in self.arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"every layer must hold the same samples; got {lengths}")
        if not self.layers:
            layers = tuple(
                Layer(name, "array", tuple(array.shape[1:])) for name, array in self.arrays.items()
            )
            object.__setattr__(self, "layers", layers)

    def __getitem__(self, layer: str) -> Any:
        return self.arrays[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        layers = ", ".join(
            f"{name} {array.shape[1:]}{'' if isinstance(array, np.ndarray) else ' on disk'}"
            for name, array in self.arrays.items()
        )
        return f"Representations({self.n_samples} samples; {layers})"

    @property
    def n_samples(self) -> int:
        """How many samples every layer holds."""
        for array in self.arrays.values():
            return int(array.shape[0])
        return 0

    def points(self, layer: str) -> Points:
        """Return one layer with each sample flattened, in memory: (n_samples, n_features)."""
        array = np.asarray(self.arrays[layer][:])
        return np.ascontiguousarray(array.reshape(len(array), -1))

    def blocks(self, layer: str, size: int | None = None) -> Iterator[tuple[int, Points]]:
        """Yield (the first sample's index, the flattened samples) from the first to the last block.

        Parameters
        ----------
        layer : str
            Its name.
        size : int, optional
            Samples in a block, at least 1; by default what 32 MB hold.
        """
        array = self.arrays[layer]
        if size is None:
            size = max(1, BLOCK_BYTES // (4 * max(1, int(np.prod(array.shape[1:])))))
        if size < 1:
            raise ValueError(f"size must be at least 1; got {size}")
        for start in range(0, self.n_samples, size):
            block = np.asarray(array[start : start + size])
            yield start, np.ascontiguousarray(block.reshape(len(block), -1))
