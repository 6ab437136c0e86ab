"""The batches that came last: from which of them the arguments of a call come."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from symmetry.torch.script.epochs.log import tensors_of
from symmetry.torch.state import memory_of

_FETCHED = 3  # batches that may be fetched before the first of them is used


class RecentBatches:
    """The last batches, each with its event, its loader and its tensors."""

    def __init__(self) -> None:
        self._batches: list[tuple[int, int, list[Tensor]]] = []

    def add(self, event: int, loader: int, tensors: list[Tensor]) -> None:
        """Keep a batch, and no more than may be fetched ahead."""
        self._batches = [*self._batches[1 - _FETCHED :], (event, loader, tensors)]

    def forget(self, loader: int) -> None:
        """Drop the batches of a loader whose iterator has ended."""
        self._batches = [each for each in self._batches if each[1] != loader]

    def batch_of(self, value: Any) -> tuple[int | None, int | None]:
        """Return the event of the batch that some arguments come from, and the loader.

        They share memory with it, or have the shape of one of its tensors. Otherwise the loader of
        the last batch is returned; None if its iterator has ended.
        """
        tensors = [t for t in tensors_of(value) if t.numel() > 1]
        places = {memory_of(t) for t in tensors} - {0}
        for event, loader, given in reversed(self._batches):
            if any(memory_of(t) in places for t in given):
                return event, loader
        if not self._batches:
            return None, None
        event, loader, given = self._batches[-1]
        shapes = {t.shape for t in given if t.numel() > 1}
        return (event if any(t.shape in shapes for t in tensors) else None), loader
