"""PyTorch data sets and loaders, torchvision's among them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .reader import Options, Reader, as_names, split_batch

ACCEPTS: Final = "a torch DataLoader or Dataset"


def adapt(data: Any, options: Options) -> Reader | None:
    """Return the reader of a loader or data set."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    tools = torch.utils.data
    if isinstance(data, tools.DataLoader):
        return LoaderReader(torch, data, options)
    if isinstance(data, tools.Dataset) and not hasattr(data, "column_names"):
        return LoaderReader(torch, tools.DataLoader(data, options.batch_size), options)
    return None


class LoaderReader(Reader):
    """A loader, in the order of its data set; random transforms draw the same in each iteration."""

    def __init__(self, torch: Any, loader: Any, options: Options) -> None:
        super().__init__(options)
        self._torch = torch
        self._given = loader
        dataset = loader.dataset
        self.class_names = _class_names(dataset)
        self._is_iterable = isinstance(dataset, torch.utils.data.IterableDataset)
        self._loader = loader if self._is_iterable else self._in_order(loader)

    def _in_order(self, loader: Any) -> Any:
        """Return a loader of the same samples that neither shuffles nor drops any."""
        tools = self._torch.utils.data
        sampler = loader.sampler if loader.batch_sampler is None else loader.batch_sampler
        plain = loader.batch_sampler is None or type(loader.batch_sampler) is tools.BatchSampler
        if plain:
            sampler = loader.sampler
        is_ordered = isinstance(sampler, tools.SequentialSampler) and loader.generator is None
        if is_ordered and not loader.drop_last:
            return loader
        rows = list(range(len(loader.dataset)))
        if not plain:
            self.notes.append(
                f"the loader's {type(sampler).__name__} is not used: its data set is read in order"
            )
        elif isinstance(sampler, tools.SubsetRandomSampler):
            rows = sorted(set(map(int, sampler.indices)))
            self.notes.append("the loader draws a part of its data set: that part, in order")
        elif isinstance(sampler, tools.RandomSampler):
            self.notes.append("the loader shuffles: its samples are read in the data set's order")
        elif not isinstance(sampler, tools.SequentialSampler):
            self.notes.append(
                f"the loader's {type(sampler).__name__} is not used: its data set is read in order"
            )
        if loader.drop_last:
            self.notes.append("the loader drops the last samples: they are taken as well")
        return self._rebuilt(loader, rows)

    def _rebuilt(self, loader: Any, rows: list[int]) -> Any:
        tools = self._torch.utils.data
        everything = rows == list(range(len(loader.dataset)))
        dataset = loader.dataset if everything else tools.Subset(loader.dataset, rows)
        more: dict[str, Any] = {}
        if loader.num_workers:
            more = {
                "prefetch_factor": loader.prefetch_factor,
                "multiprocessing_context": loader.multiprocessing_context,
                "worker_init_fn": loader.worker_init_fn,
                "timeout": loader.timeout,
            }
        size = loader.batch_size
        if size is None and loader.batch_sampler is not None:
            size = getattr(loader.batch_sampler, "batch_size", None) or self.options.batch_size
        return tools.DataLoader(
            dataset,
            batch_size=size,
            shuffle=False,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            **more,
        )

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches."""
        with self._seeded():
            batches = iter(self._loader)
        while True:
            # The caller's random numbers are untouched between batches.
            with self._resumed():
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                except TypeError as error:
                    raise ValueError(
                        f"data: samples of {type(self._given.dataset).__name__} cannot be put "
                        f"into batches ({str(error).splitlines()[0]}); give it a transform that "
                        "returns tensors of one size, or pass a DataLoader with a collate_fn"
                    ) from error
            yield split_batch(batch, self.options)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Start the random numbers of an iteration."""
        self._states: tuple[Any, ...] = ()
        with self._resumed():
            yield

    @contextmanager
    def _resumed(self) -> Iterator[None]:
        """Continue with the reader's own random numbers; restore the caller's on exit."""
        torch = self._torch
        users = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            if self._states:
                torch.set_rng_state(self._states[0])
                np.random.set_state(self._states[1])  # noqa: NPY002
                random.setstate(self._states[2])
            else:
                torch.default_generator.manual_seed(0)
                np.random.seed(0)  # noqa: NPY002
                random.seed(0)
            yield
        finally:
            self._states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
            torch.set_rng_state(users[0])
            np.random.set_state(users[1])  # noqa: NPY002
            random.setstate(users[2])

    def labels(self) -> Any:
        """Return the labels that the data set keeps beside its samples."""
        return None if self._is_iterable else _targets(self._torch, self._loader.dataset)

    def subset(self, rows: Array) -> Reader | None:
        """Return a reader that loads some samples only."""
        if self._is_iterable:
            return None
        part = object.__new__(LoaderReader)
        part.__dict__.update(self.__dict__)
        part._loader = self._rebuilt(self._loader, [int(row) for row in rows])
        return part


def _class_names(dataset: Any) -> tuple[str, ...] | None:
    while dataset is not None:
        if getattr(dataset, "target_transform", None) is not None:
            return None  # the labels are no longer those that the names are of
        if (names := as_names(getattr(dataset, "classes", None))) is not None:
            return names
        dataset = getattr(dataset, "dataset", None)
    return None


def _targets(torch: Any, dataset: Any) -> Any:
    tools = torch.utils.data
    if isinstance(dataset, tools.Subset):
        whole = _targets(torch, dataset.dataset)
        return None if whole is None else np.asarray(whole)[np.asarray(dataset.indices)]
    if isinstance(dataset, tools.TensorDataset):
        return dataset.tensors[-1].cpu().numpy() if len(dataset.tensors) > 1 else None
    targets = getattr(dataset, "targets", None)
    # A transform of the labels gives others than those that are stored.
    if targets is None or getattr(dataset, "target_transform", None) is not None:
        return None
    try:
        array = np.asarray(targets)
    except (TypeError, ValueError):
        return None
    return array if array.ndim >= 1 and len(array) == len(dataset) else None
