"""Samples that a data set writes into one memory, so that a batch holds the last one many times.

    self.buffer[:] = self.signal[i : i + 16]
    return torch.from_numpy(self.buffer)     # all samples of a batch are this buffer

They are seen where a loader collates them: all have one address, and there are other numbers at it
than when the data set returned the first sample. A mask that all samples share stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

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
