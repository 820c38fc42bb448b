"""A Zarr array of a study whose errors name the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zarr


class StoredArray(zarr.Array):  # type: ignore[misc]
    """A Zarr array that is read where it is sliced, and names its file if it is damaged.

    Parameters
    ----------
    array : zarr.Array
    damaged : callable
        Called with the error of a failed read; returns the error to raise instead.
    """

    def __init__(self, array: Any, damaged: Callable[[Exception], Exception]) -> None:
        super().__init__(array._async_array)
        self._damaged = damaged

    # What slices, indices and masks end in, in Zarr's own `__getitem__`, `oindex` and `vindex`.
    def get_basic_selection(self, *args: Any, **kwargs: Any) -> Any:
        """Read a slice; as of `zarr.Array`."""
        return self._read(super().get_basic_selection, *args, **kwargs)

    def get_orthogonal_selection(self, *args: Any, **kwargs: Any) -> Any:
        """Read what an index of each axis selects; as of `zarr.Array`."""
        return self._read(super().get_orthogonal_selection, *args, **kwargs)

    def get_coordinate_selection(self, *args: Any, **kwargs: Any) -> Any:
        """Read single values; as of `zarr.Array`."""
        return self._read(super().get_coordinate_selection, *args, **kwargs)

    def get_mask_selection(self, *args: Any, **kwargs: Any) -> Any:
        """Read what a mask selects; as of `zarr.Array`."""
        return self._read(super().get_mask_selection, *args, **kwargs)

    def _read(self, read: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return read(*args, **kwargs)
        except IndexError:
            raise  # of the one who asked
        except (OSError, ValueError, RuntimeError, ArithmeticError) as error:
            raise self._damaged(error) from error
