"""Labels of tokens and pixels: which positions of which samples are the points of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._typing import Array
from ._layers import Found
from ._layout import Layouts


@dataclass(frozen=True, eq=False)
class Places:
    """Positions of samples, each of them one point.

    Attributes
    ----------
    samples : ndarray of int (n_places,)
        Sorted.
    positions : ndarray of int (n_places, n_axes)
        Where in the sample: the token, or the row and column of the pixel.
    grid : tuple of int
        The number of tokens, or the height and width, of the labels of one sample.
    """

    samples: Array
    positions: Array
    grid: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def between(self, start: int, stop: int) -> slice:
        """Return the places of some samples."""
        low, high = np.searchsorted(self.samples, [start, stop])
        return slice(int(low), int(high))


class AtPlaces:
    """The values of one layer at places: one row for each, in the role of a `Pooling`.

    Pixels of a layer with another resolution than the labels are the nearest ones.
    """

    mask = ""

    def __init__(self, shape: tuple[int, ...], channels: int, places: Places) -> None:
        self._channels = channels
        self._n_axes = len(shape)
        self.places = places
        self.shape: tuple[int, ...] = (shape[channels],)
        size = tuple(s for axis, s in enumerate(shape) if axis != channels)
        what = "token" if len(places.grid) == 1 else "pixel"
        text = f"one row a {what}"
        if len(size) > 1 and size != places.grid:
            grid, layer = (" × ".join(map(str, part)) for part in (places.grid, size))
            text += f", the nearest of {layer} for labels of {grid}"
        self.report: dict[str, Any] = {"pool": text, "shape": list(self.shape)}

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether one sample may have this shape, with another number of positions."""
        return len(shape) == self._n_axes and shape[self._channels] == self.shape[0]

    def apply(self, rows: Array, start: int, mask: Array | None = None) -> Array:
        """Return the values at the places of these samples, (n_places, n_channels)."""
        here = self.places.between(start, start + len(rows))
        values = np.moveaxis(rows, self._channels + 1, -1)
        return at_places(values, start, self.places, here)


def at_places(values: Array, start: int, places: Places, here: slice) -> Array:
    """Return values (n_samples, *positions, n_channels) at some places."""
    index: list[Array] = [places.samples[here] - start]
    positions = places.positions[here]
    for axis, (size, of) in enumerate(zip(values.shape[1:-1], places.grid, strict=True)):
        place = positions[:, axis]
        # The length of a batch of tokens may be less than that of the longest.
        index.append(place if len(places.grid) == 1 or size == of else place * size // of)
    return np.ascontiguousarray(values[tuple(index)], dtype=np.float32)


def place_layers(
    found: Sequence[Found], layouts: Layouts, places: Places, n_tokens: int
) -> tuple[list[Found], list[str]]:
    """Give each layer with positions its rows; return notes on those left out.

    Parameters
    ----------
    found, layouts
        The layers, and what is known of their axes.
    places : Places
    n_tokens : int
        The length of the first batch, where the labels are of tokens.

    Raises
    ------
    ValueError
        If no layer has the positions of the labels.
    """
    taken, notes = [], []
    what = "token" if len(places.grid) == 1 else "pixel"
    for entry in found:
        name, shape = entry.layer.name, entry.layer.shape
        channels = layouts.channels.get(name)
        size = tuple(s for axis, s in enumerate(shape) if axis != channels)
        fits = channels is not None and len(size) == len(places.grid)
        if fits and what == "token":
            fits = size == (n_tokens,)
        if fits:
            assert channels is not None
            taken.append(replace(entry, pooling=AtPlaces(shape, channels, places)))
        elif channels is None and len(shape) == len(places.grid) + 1:
            notes.append(
                f"{name} left out: which of its axes {shape} holds the channels is not known; pass "
                f'channels={{"{name}": "last"}} (or "first")'
            )
        else:
            notes.append(f"{name} left out: its shape {shape} has no row for each {what}")
    if not taken:
        raise ValueError(
            f"labels: no layer has values for each {what} of {places.grid}; "
            f"{'; '.join(notes[:3])}. Pass one label a sample, or other layers"
        )
    return taken, notes


def outputs_at(
    result: Array, start: int, stop: int, places: Places, *, channels_first: bool
) -> Array | None:
    """Return a model's outputs at places, (n_places, n_outputs), or None if it has none there."""
    n_axes = len(places.grid)
    if result.ndim != n_axes + 2 or len(result) < stop - start:
        return None
    rows = result[: stop - start]
    if n_axes == 1 and rows.shape[1] > places.grid[0]:
        return None
    if n_axes > 1 and channels_first:
        rows = np.moveaxis(rows, 1, -1)
    return at_places(rows, start, places, places.between(start, stop))
