"""The samples of a script's batches before its first update: kept, or replaced by others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_map

from symmetry.training.capabilities.batching import Kind, Window

_MOST = 8  # micro-batches that are kept
_IGNORED = -100  # the label that PyTorch's losses leave out


class MicroBatches:
    """Keeps the samples of each batch before the first update, or puts others in their place.

    Parameters
    ----------
    given
        The samples of the micro-batches of one loader, or None.
    """

    def __init__(self, given: Window | None) -> None:
        self.window: Window | None = None  # the micro-batches of the first update, once it is done
        self._given = given
        self._loaders: list[Any] = []
        self._kept: list[list[list[Any]]] = []  # of each loader
        self._updated = False

    def see(self, loader: Any, samples: list[Any]) -> list[Any]:
        """Return the samples that a loader puts together: these, or those that are given."""
        if self._updated:
            return samples
        if not any(loader is known for known in self._loaders):
            self._loaders.append(loader)
            self._kept.append([])
        place = next(k for k, known in enumerate(self._loaders) if known is loader)
        batches, given = self._kept[place], self._given
        number = len(batches)
        if number < _MOST:
            batches.append(_apart(samples))
        if given is None or given.loader != place or number >= len(given.batches):
            return samples
        return _apart([*given.batches[number]])

    def update(self, backwards: Counter[str]) -> None:
        """Learn that the first update is done, and how many backwards each line has called.

        A loader may make batches ahead: as many as there are backwards belong to this update.
        """
        if self._updated:
            return
        self._updated = True
        number = min(max(backwards.values(), default=0), _MOST)
        for place, batches in enumerate(self._kept):
            window = batches[:number]
            if len(window) == number > 1 and len({*map(len, window)}) == 1:
                kinds = tuple(tuple(map(kind_of, batch)) for batch in window)
                self.window = Window(place, tuple(map(tuple, window)), kinds)
                break
        self._loaders, self._kept = [], []


def kind_of(sample: Any) -> Kind:
    """Return the size of a sample; samples of one kind also have as much padding, if they have."""
    facts = [*_facts(sample)]
    return sum(size for size, *_ in facts), tuple(facts)


def _facts(value: Any) -> Iterator[tuple[int, ...]]:
    """Yield for each array its size, its shape, and how many entries may be left out of a loss."""
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, str | bytes):
        yield (len(value),)
    elif isinstance(value, list | tuple) and not all(isinstance(n, int | float) for n in value):
        for each in value:
            yield from _facts(each)
    elif isinstance(value, list | tuple | np.ndarray | Tensor):
        array = np.asarray(value.detach().cpu().float() if isinstance(value, Tensor) else value)
        ends = (_IGNORED, 0, *array.ravel()[-1:].tolist())
        if array.ndim:  # else it may be a label
            yield (array.size, *array.shape, *(int((array == end).sum()) for end in ends))


def _apart(samples: list[Any]) -> list[Any]:
    """Return samples in containers of their own: what puts them together may empty these."""
    apart: list[Any] = tree_map(lambda leaf: leaf, samples)
    return apart
