"""Fetches a batch as worker processes do: with random numbers of their own.

A data set may write its samples into one memory, so that a batch holds the last one many times.

    self.buffer[:] = self.signal[i : i + 16]
    return torch.from_numpy(self.buffer)     # all samples of a batch are this buffer

They are seen where a loader collates them: all have one address, and there are other numbers at it
than when the data set returned the first sample. A mask that all samples share stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from symmetry.base.randomness import generators
from symmetry.torch.script.workers import as_worker
from symmetry.torch.state import bytes_of


class Overwriting:
    """Looks at the samples of each batch before they are put together."""

    def __init__(self) -> None:
        self.found = False  # whether all samples of a batch were in one memory that is written anew
        self._first: list[bytes] | None = None  # the numbers of the first sample of a batch

    def watched(self, data: Any) -> Any:
        """Return a data set that shows the first sample of a batch as soon as it is there."""
        self._first = None
        return _ListenedData(data, self._note)

    def see(self, samples: Any) -> None:
        """Compare the addresses of samples, and what the first one holds with what it held."""
        if self.found or not self._first or not isinstance(samples, list) or len(samples) < 2:
            return
        for before, *leaves in zip(self._first, *map(tree_leaves, samples), strict=False):
            if len({*map(_address, leaves)}) == 1 and before:
                self.found = self.found or before != _bytes(leaves[0])

    def _note(self, sample: Any) -> None:
        if self._first is None:
            self._first = [_bytes(leaf) if _address(leaf) else b"" for leaf in tree_leaves(sample)]


class _ListenedData:
    """A data set that hands on each sample that it returns."""

    def __init__(self, data: Any, note: Callable[[Any], None]) -> None:
        self._data, self._note = data, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def __getitem__(self, index: Any) -> Any:
        sample = self._data[index]
        with suppress(Exception):  # a sample may be anything
            self._note(sample)
        return sample


def _address(leaf: Any) -> int:
    """Return the address of an array with several numbers; 0 for anything else."""
    if isinstance(leaf, Tensor):
        known = leaf.numel() > 1 and leaf.device.type == "cpu" and leaf.layout is torch.strided
        return leaf.data_ptr() if known else 0
    if isinstance(leaf, np.ndarray) and leaf.size > 1:
        return int(leaf.__array_interface__["data"][0])
    return 0


def _bytes(leaf: Any) -> bytes:
    numbers: bytes = bytes_of(leaf) if isinstance(leaf, Tensor) else leaf.tobytes()
    return numbers


class Fetching:
    """Makes the batches of a loader, all in this process.

    Parameters
    ----------
    workers
        Whether the loader is to have worker processes. They leave the random numbers of the script
        alone, and go on with theirs.
    """

    def __init__(self, *, workers: bool) -> None:
        self._workers = workers
        self.overwriting = Overwriting()  # looks at the samples before they are put together
        self._states: list[Any] = []  # of the workers' random generators

    def fetch(
        self, iterator: Any, following: Callable[[Any], Any]
    ) -> tuple[Any, tuple[int, ...] | None]:
        """Return the next batch of an iterator, and the indices of its samples if it has some."""
        orders: list[Any] = []

        def indices() -> Any:
            orders.append(type(iterator)._next_index(iterator))
            return orders[-1]

        iterator._next_index = indices
        try:
            fetcher = getattr(iterator, "_dataset_fetcher", None)
            with as_worker(iterator), self._own_numbers(), self._seen(fetcher):
                return following(iterator), _order_of(orders)
        finally:
            del iterator._next_index

    @contextmanager
    def _seen(self, fetcher: Any) -> Iterator[None]:
        if not getattr(fetcher, "auto_collation", False):
            yield
            return
        collate = fetcher.collate_fn

        def seen(samples: Any) -> Any:
            with suppress(Exception):  # a sample may be anything
                self.overwriting.see(samples)
            return collate(samples)

        data = self.overwriting.watched(fetcher.dataset)
        with patch.object(fetcher, "collate_fn", seen), patch.object(fetcher, "dataset", data):
            yield

    @contextmanager
    def _own_numbers(self) -> Iterator[None]:
        if not self._workers:
            yield
            return
        shared = generators.shared()
        with generators.kept(shared):
            if self._states:
                generators.set_states(shared, self._states)
            try:
                yield
            finally:
                self._states = generators.states_of(shared)


def _order_of(orders: list[Any]) -> tuple[int, ...] | None:
    """Return the indices that an iterator took; None where these are no numbers."""
    if len(orders) != 1:
        return None
    found = orders[0] if isinstance(orders[0], list | tuple) else [orders[0]]
    try:
        return tuple(map(int, found))
    except (TypeError, ValueError):
        return None
