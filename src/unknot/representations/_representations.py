"""The representations of samples, by layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .._typing import Array, Points
from .._validation.numbers import check_integer
from ._layers import Layer

BLOCK_BYTES: Final = 32_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Representations(Mapping[str, Any]):
    """The representations of the same samples at several layers, in execution order.

    A mapping from layer name to array.

    Attributes
    ----------
    arrays : dict of str to array of float32, shape ``(n_samples, *shape)``
        NumPy arrays, or Zarr arrays if on disk; read a Zarr array by slicing it.
    layers : tuple of Layer
        The kind and shape of each layer, and which are views of others.
    output : ndarray of float32, shape (n_samples, n_outputs), or None
        The model's output in the same run; None if it is not one such array.
    reductions : dict of str to dict
        How layers were pooled or projected, with the measured distortion; other layers are exact.
    notes : tuple of str
        Which layers were left out, and why.

    Raises
    ------
    ValueError
        If the layers differ in their number of samples.

    See Also
    --------
    unknot.extract : Compute representations.
    unknot.measure : Measure the points of a layer.
    unknot.TSNE : Map the points of a layer.

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
            raise ValueError(f"every layer must have the same number of samples; got {lengths}")
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
        """The number of samples of every layer."""
        for array in self.arrays.values():
            return int(array.shape[0])
        return 0

    def points(self, layer: str) -> Points:
        """Return the points of a layer in memory: its samples, flattened.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_features)

        See Also
        --------
        blocks : Iterate over the points of a layer that is larger than memory.
        """
        array = np.asarray(self.arrays[layer][:])
        return np.ascontiguousarray(array.reshape(len(array), -1))

    def blocks(self, layer: str, size: int | None = None) -> Iterator[tuple[int, Points]]:
        """Iterate over the points of a layer in blocks.

        Parameters
        ----------
        layer : str
            The layer's name.
        size : int, optional
            Samples per block, at least 1; by default as many as fit into 32 MB.

        Yields
        ------
        start : int
            The index of the block's first sample.
        points : ndarray of float32, shape (size, n_features)
            The flattened samples; the last block may be smaller.

        See Also
        --------
        points : All points of a layer in memory.
        """
        array = self.arrays[layer]
        if size is None:
            size = max(1, BLOCK_BYTES // (4 * max(1, int(np.prod(array.shape[1:])))))
        check_integer(size, "size", 1)
        for start in range(0, self.n_samples, size):
            block = np.asarray(array[start : start + size])
            yield start, np.ascontiguousarray(block.reshape(len(block), -1))
