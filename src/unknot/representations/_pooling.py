"""Pooling: from values at many positions, tokens or pixels, to one row for each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any, Final, TypeAlias

import numpy as np

from .._io.text import did_you_mean
from .._typing import Array
from .._validation.numbers import is_integer
from ._adapters.code import function_identity
from ._layers import Found
from ._layout import Layouts

NAMES: Final = ("auto", "mean", "max", "cls", "last", "cls+mean", "flatten")
LARGEST_KEPT: Final = 16_384
"""Images are kept whole while no layer has more numbers than this."""

Pool: TypeAlias = Any
"""A name, a grid's size, a callable; a mapping of patterns to these, or a sequence of these."""


@dataclass(frozen=True)
class Token:
    """The token at one place, counted from 0; what `"cls"` is for place 0."""

    place: int


@dataclass(frozen=True)
class MeanFrom:
    """The mean of the tokens from one place on, which leaves out those before."""

    start: int


Found_: TypeAlias = Token | MeanFrom | str


def check_pool(pool: Pool) -> None:
    """Raise a ValueError or TypeError if `pool` is none of what `extract` documents."""
    if isinstance(pool, Mapping):
        if not pool:
            raise ValueError("pool must map at least one name or pattern of layers; got {}")
        for pattern, value in pool.items():
            if not isinstance(pattern, str):
                raise TypeError(f"pool must map names or patterns of layers; got {pattern!r}")
            _check_one(value) if isinstance(value, str) or not _is_list(value) else check_pool(
                value
            )
        return
    if _is_list(pool):
        if not pool:
            raise ValueError("pool must name at least one pooling; got none")
        names = [label_of(item) for item in pool]
        if len(set(names)) < len(names):
            raise ValueError(f"pool must name each pooling once; got {', '.join(names)}")
        for item in pool:
            _check_one(item)
        return
    _check_one(pool)


def is_auto(pool: Pool) -> bool:
    """Whether some layer may be pooled by `"auto"`, as those that a mapping lacks are."""
    if _is_list(pool):
        return any(isinstance(item, str) and item == "auto" for item in pool)
    return isinstance(pool, Mapping) or (isinstance(pool, str) and pool == "auto")


def _is_list(pool: Any) -> bool:
    return isinstance(pool, Sequence) and not isinstance(pool, str)


def _check_one(pool: Any) -> None:
    if pool is None or callable(pool):
        return
    if isinstance(pool, str):
        if pool not in NAMES:
            known = ", ".join(map(repr, NAMES))
            raise ValueError(
                f"pool must be one of {known}, the size of a grid, or a callable; "
                f"got {pool!r}{did_you_mean(pool, NAMES)}"
            )
    elif not is_integer(pool):
        raise TypeError(
            "pool must be a name, an integer (the size of a grid), a callable, or a list of these, "
            f"or map patterns of layers to them; got {pool!r}"
        )
    elif pool < 1:
        raise ValueError(f"pool must be at least 1; got {pool}")


def describe_choice(choice: Any) -> Any:
    """Return what selects or pools layers as JSON has it; callables by their code and what it sees.

    The result decides whether work is reused, so that two functions of one name differ in it.
    """
    if choice is None or isinstance(choice, str | bool):
        return choice
    if is_integer(choice):
        return int(choice)
    if isinstance(choice, Mapping):
        return {str(key): describe_choice(value) for key, value in choice.items()}
    if isinstance(choice, list | tuple | set | frozenset):
        return [describe_choice(item) for item in choice]
    if callable(choice):
        return f"{label_of(choice)} {function_identity(choice)}"
    return repr(choice)


def label_of(pool: Any) -> str:
    """Return what follows the layer's name where several poolings are asked for."""
    if pool is None:
        return "flatten"
    if callable(pool):
        return getattr(pool, "__name__", type(pool).__name__)
    return f"grid{pool}" if is_integer(pool) else str(pool)


class Pooling:
    """One row for each sample from the values of one layer at all positions.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample's values.
    channels : int or None
        The axis of the channels; None only for a callable.
    how : str, int, callable, Token or MeanFrom
    mask : str
        The name of the input that masks the positions; "" for none.
    padding : int
        Its value for padding, 0 or 1.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: int | None,
        how: Any,
        mask: str = "",
        padding: int = 0,
    ) -> None:
        self._channels = channels
        self._n_axes = len(shape)
        self._how = how
        self.mask = mask
        self._padding = padding
        self._grid: list[list[slice]] = []
        if callable(how):
            self.shape: tuple[int, ...] = np.shape(self._called(np.zeros((2, *shape), np.float32)))[
                1:
            ]
            self.report: dict[str, Any] = {"pool": f"{label_of(how)}, the user's own"}
        else:
            assert channels is not None
            positions = [size for axis, size in enumerate(shape) if axis != channels]
            if is_integer(how):
                cells = [min(int(how), size) for size in positions]
                self._grid = [
                    [slice(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
                    for size, n in zip(positions, cells, strict=True)
                ]
                pooled = list(shape)
                for axis, n in zip(self._axes(len(shape)), cells, strict=True):
                    pooled[axis - 1] = n
                self.shape = tuple(pooled)
                text = f"mean over a grid of {' × '.join(map(str, cells))}"
            else:
                width = shape[channels]
                self.shape = (2 * width if how == "cls+mean" else width,)
                text = _described(how, int(np.prod(positions)), mask)
            self.report = {"pool": text}
        self.report["shape"] = list(self.shape)

    def apply(self, rows: Array, start: int, mask: Array | None = None) -> Array:
        """Return the pooled rows.

        Parameters
        ----------
        rows : ndarray (n_samples, *shape)
        start : int
            The number of the first sample, for error messages.
        mask : ndarray (n_samples, n_positions), optional
            0 or False for padding.

        Raises
        ------
        ValueError
            If a sample is all padding, or a callable returns no row for each sample.
        """
        if callable(self._how):
            return self._called(rows)
        if self._grid:
            return self._cells(rows)
        assert self._channels is not None
        tokens = np.moveaxis(rows, self._channels + 1, -1)
        tokens = tokens.reshape(len(tokens), -1, tokens.shape[-1])
        kept = None
        if mask is not None and self.mask:
            kept = (np.asarray(mask).reshape(len(mask), -1) != 0) != bool(self._padding)
            if not kept.any(axis=1).all():
                sample = start + int(np.argmin(kept.any(axis=1)))
                raise ValueError(
                    f"inputs[{self.mask!r}]: sample {sample} is all padding; remove it"
                )
        return np.ascontiguousarray(self._reduced(tokens, kept), dtype=np.float32)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether one sample may have this shape, with another number of positions."""
        if callable(self._how) or self._grid or self._channels is None:
            return False
        width = self.shape[0] // (2 if self._how == "cls+mean" else 1)
        return len(shape) == self._n_axes and shape[self._channels] == width

    def _reduced(self, tokens: Array, kept: Array | None) -> Array:
        how = self._how
        if how == "cls":
            how = Token(0)
        if how == "last" and kept is None:
            how = Token(-1)
        if isinstance(how, Token):
            taken: Array = tokens[:, how.place]
            return taken
        if how == "last":
            assert kept is not None
            last = kept.shape[1] - 1 - np.argmax(kept[:, ::-1], axis=1)
            ends: Array = tokens[np.arange(len(tokens)), last]
            return ends
        if how == "max":
            if kept is not None:
                tokens = np.where(kept[:, :, None], tokens, -np.inf)
            return np.asarray(tokens.max(axis=1))
        if how == "cls+mean":
            return np.concatenate([tokens[:, 0], _mean(tokens, kept)], axis=1)
        if isinstance(how, MeanFrom):
            return _mean(tokens[:, how.start :], None if kept is None else kept[:, how.start :])
        return _mean(tokens, kept)

    def _axes(self, n_axes: int) -> list[int]:
        """Return the axes of the positions in rows of values."""
        assert self._channels is not None
        return [axis + 1 for axis in range(n_axes) if axis != self._channels]

    def _cells(self, rows: Array) -> Array:
        axes = self._axes(rows.ndim - 1)
        result = np.empty((len(rows), *self.shape), np.float32)
        for places in product(*(range(len(cells)) for cells in self._grid)):
            source: list[Any] = [slice(None)] * rows.ndim
            target: list[Any] = [slice(None)] * rows.ndim
            for axis, cells, place in zip(axes, self._grid, places, strict=True):
                source[axis], target[axis] = cells[place], place
            cell = rows[tuple(source)]
            result[tuple(target)] = cell.mean(axis=tuple(axes), dtype=np.float64)
        return result

    def _called(self, rows: Array) -> Array:
        result = np.asarray(self._how(rows))
        if result.ndim < 1 or len(result) != len(rows) or result.dtype.kind not in "biuf":
            raise ValueError(
                f"pool: {label_of(self._how)} must return one row of numbers for each sample; got "
                f"{result.dtype.name} {result.shape} for values of the shape {rows.shape}"
            )
        pooled: Array = result.reshape(len(rows), -1).astype(np.float32)
        return pooled


def _mean(tokens: Array, kept: Array | None) -> Array:
    if kept is None:
        return np.asarray(tokens.mean(axis=1, dtype=np.float64))
    weights = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.einsum("npc,np->nc", tokens.astype(np.float64), weights))


def _described(how: Any, n_positions: int, mask: str) -> str:
    padding = f" that {mask} keeps" if mask else ""
    if isinstance(how, Token) or how == "cls":
        place = how.place if isinstance(how, Token) else 0
        return "the first token" if place == 0 else f"token {place}"
    if how == "last":
        return f"the last token{padding}" if mask else f"the last of {n_positions:,} positions"
    of_all = f"the positions{padding}" if mask else f"{n_positions:,} positions"
    if how == "cls+mean":
        return f"the first token, and the mean over {of_all}"
    if isinstance(how, MeanFrom):
        rest = f"the positions{padding}" if mask else f"{n_positions - how.start:,} positions"
        return f"mean over {rest}, the first {how.start} left out"
    return f"{how} over {of_all}"


@dataclass(frozen=True)
class Pooled:
    """Layers with their poolings, and notes on those left out or pooled in a way to know of."""

    found: list[Found]
    notes: list[str] = field(default_factory=list)


def pool_layers(
    found: Sequence[Found], pool: Pool, layouts: Layouts, model_pools: Mapping[str, Found_]
) -> Pooled:
    """Give each layer its pooling; a layer with several has one entry for each.

    Parameters
    ----------
    found : sequence of Found
    pool : Pool
        As for `extract`.
    layouts : Layouts
    model_pools : mapping of str to Token, MeanFrom or str
        Layer -> how the model itself pools its tokens, where that is known.

    Raises
    ------
    ValueError
        If a pattern matches no layer, or nothing is left.
    """
    names = [entry.layer.name for entry in found]
    if isinstance(pool, Mapping):
        for pattern in pool:
            if not any(name == pattern or fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f"pool: no layer taken is named {pattern!r}{did_you_mean(pattern, names)}"
                )
    keeps_images = _keeps_images(found, layouts)
    result = Pooled([])
    for entry in found:
        asked = _asked(entry.layer.name, pool)
        several = asked if _is_list(asked) else [asked]
        is_vector = sum(size > 1 for size in entry.layer.shape) <= 1
        if is_vector and not any(callable(item) for item in several):
            result.found.append(entry)
            continue
        for item in several:
            pooled = _pooled(entry, item, layouts, model_pools, keeps_images, result.notes)
            if pooled is not None:
                if len(several) > 1:
                    pooled = replace(
                        pooled,
                        layer=replace(
                            pooled.layer,
                            name=f"{entry.layer.name}@{label_of(item)}",
                            same_as=pooled.layer.same_as
                            and f"{pooled.layer.same_as}@{label_of(item)}",
                        ),
                        value=entry.source,
                    )
                result.found.append(pooled)
    if not result.found:
        raise ValueError(f"pool: no layer is left; {'; '.join(result.notes)}")
    return Pooled(_separate_views(result.found), result.notes)


def _asked(name: str, pool: Pool) -> Any:
    if not isinstance(pool, Mapping):
        return pool
    if name in pool:
        return pool[name]
    return next((how for pattern, how in pool.items() if fnmatchcase(name, pattern)), "auto")


def _keeps_images(found: Sequence[Found], layouts: Layouts) -> bool:
    """Whether no image among the layers is too large to be kept whole."""
    return all(
        entry.layer.size <= LARGEST_KEPT
        for entry in found
        if not is_tokens(entry, layouts) and sum(size > 1 for size in entry.layer.shape) > 1
    )


def is_tokens(entry: Found, layouts: Layouts) -> bool:
    """Whether a layer's values are a row of tokens: (length, features)."""
    shape = entry.layer.shape
    name = entry.layer.name
    known = name not in layouts.assumed and layouts.channels.get(name) == 1
    return known and len(shape) == 2 and min(shape) > 1


def _pooled(
    entry: Found,
    pool: Any,
    layouts: Layouts,
    model_pools: Mapping[str, Found_],
    keeps_images: bool,
    notes: list[str],
) -> Found | None:
    """Return a layer with one pooling; None, with a note, if it cannot be pooled."""
    name, shape = entry.layer.name, entry.layer.shape
    if pool is None or pool == "flatten":
        return entry
    if callable(pool):
        return replace(entry, pooling=Pooling(shape, None, pool))
    channels = layouts.channels.get(name)
    tokens = is_tokens(entry, layouts)
    how = pool
    if pool == "auto":
        if channels is None and keeps_images:
            return entry
        if not tokens and keeps_images:
            return entry
        how = model_pools.get(name, "mean") if tokens else "mean"
    if channels is None:
        notes.append(
            f"{name} left out: which of its axes {shape} holds the channels is not known; pass "
            f'channels={{"{name}": "last"}} (or "first"), or pool="flatten"'
        )
        return None
    mask = layouts.mask.get(name, "")
    if tokens and is_integer(how) and mask:
        notes.append(f"{name}: the grid covers padding as well, which {mask} tells")
    if tokens and (unfit := layouts.unfit.get(name)) and how not in ("cls", Token(0)):
        notes.append(
            f"{name}: padding counts as well, as {unfit} is not of its {shape[0]:,} positions"
        )
    if tokens and (unclear := layouts.unclear.get(name)) and how not in ("cls", Token(0)):
        notes.append(
            f"{name}: padding counts as well, as which value of {unclear} marks it is not seen; "
            "pass mask=, 1 for tokens that count"
        )
    pooling = Pooling(shape, channels, how, mask, layouts.padding.get(mask, 0))
    if pool == "auto" and tokens and name in model_pools:
        pooling.report["pool"] += ", as the model itself takes it"
    return replace(entry, pooling=pooling)


def _separate_views(found: list[Found]) -> list[Found]:
    """Clear `same_as` of views that are pooled in another way than their layer."""
    by_name = {entry.layer.name: entry for entry in found}
    result = []
    for entry in found:
        base = by_name.get(entry.layer.same_as or "")
        is_vector = sum(size > 1 for size in entry.layer.shape) <= 1
        same = base is None or _report(base) == _report(entry)
        if not same and not (is_vector and entry.pooling is None):
            entry = replace(entry, layer=replace(entry.layer, same_as=None))
        result.append(entry)
    return result


def _report(entry: Found) -> Any:
    return None if entry.pooling is None else entry.pooling.report["pool"]
