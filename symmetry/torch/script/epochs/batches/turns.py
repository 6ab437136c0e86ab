"""The turns of samples: which of a data set a loader draws in no epoch, as its sampler is made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler, Subset
from torch.utils.data.distributed import DistributedSampler

from symmetry.base.randomness import generators
from symmetry.torch.script.epochs.batches.contents import length_of, sampler_of
from symmetry.training.events import Turns

_PASSES = 30  # of a sampler: one that draws half of the samples leaves out one in 2^30
_DRAWS = 200_000  # of all passes
_SECONDS = 0.5  # of the CPU
_CHANCE = 0.01  # samples that would be left out by chance, if each is drawn as often
_PUBLIC = ("torch.utils.data",)  # whose samplers take all, or what they are told


def turns_of(loader: Any) -> Turns | None:
    """Return what many passes of a loader's sampler draw; None if that is not known.

    Samplers that are told which samples to take, or how often, are not looked at.
    """
    number, sampler = length_of(loader.dataset), sampler_of(loader)
    batches = loader.batch_sampler
    if not number or batches is None or isinstance(sampler, DistributedSampler):
        return None
    own = [s for s in (batches, sampler) if isinstance(s, Sampler) and not _is_public(s)]
    tail = bool(getattr(batches, "drop_last", False)) and _is_sequential(sampler)
    if not (own or tail) or any(_is_told(each, number) for each in own):
        return None
    drawn, shares, size, began = set[int](), [], 1, time.process_time()
    with generators.kept(generators.shared()), suppress(Exception):  # made for a number of epochs
        for epoch in range(max(3, min(_PASSES, _DRAWS // number))):
            for each in (batches, sampler):
                if hasattr(each, "set_epoch"):
                    each.set_epoch(epoch)
            mine = set[int]()
            for batch in batches:
                mine.update(map(int, batch))
                size = max(size, len(batch))
            drawn |= mine
            shares.append(len(mine) / number)
            if len(drawn) == number or time.process_time() - began > _SECONDS:
                break
        left = number * float(np.prod([1 - share for share in shares]))
        never = sorted({*range(number)} - drawn)
        if len(drawn) == number:
            return Turns(samples=number, never=(), size=size)
        chosen = any(_is_chosen(each, never, number) for each in own)
        if (tail or left < _CHANCE) and not chosen:
            dropped = tail and not own
            return Turns(samples=number, never=tuple(never), size=size, dropped=dropped)
    return None


def data_of(loader: Any) -> Any:
    """Return the data set of a loader, below all subsets."""
    data = loader.dataset
    while isinstance(data, Subset):
        data = data.dataset
    return data


def _is_chosen(sampler: Any, never: list[int], number: int) -> bool:
    """Return whether a sampler holds a number of each sample that says which are left out.

    Samples that are too long are so.
    """
    mask = np.zeros(number, bool)
    mask[never] = True
    for value in _values(sampler):
        if len(value) == number and value.dtype.kind in "iuf":
            out, taken = value[mask], value[~mask]
            if out.min() > taken.max() or out.max() < taken.min():
                arranged = np.array_equal(np.sort(value), np.arange(number))  # an order of samples
                if not arranged:
                    return True
    return False


def _is_public(sampler: Any) -> bool:
    return type(sampler).__module__.startswith(_PUBLIC)


def _is_sequential(sampler: Any) -> bool:
    return type(sampler).__name__ == "SequentialSampler" and _is_public(sampler)


def _is_told(sampler: Any, number: int) -> bool:
    """Return whether a sampler has a list of the samples that it takes, or a weight of each."""
    for value in _values(sampler):
        is_part = 1 < len(value) < number and value.dtype.kind in "iu"
        if (
            is_part
            and len(np.unique(value)) == len(value)
            and 0 <= value.min() <= value.max() < number
        ):
            return True
        if len(value) == number and value.dtype.kind in "fb":
            return True
    return False


def _values(sampler: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the arrays with one axis that a sampler holds."""
    for value in vars(sampler).values():
        if isinstance(value, Mapping):
            value = [*value.values()]
        if isinstance(value, Tensor | np.ndarray | list | tuple | range | set):
            with suppress(Exception):  # they may hold anything
                array = np.asarray([*value] if isinstance(value, set) else value)
            with suppress(Exception):  # lists of samples, by class
                if not isinstance(value, Tensor | np.ndarray | range):
                    array = np.concatenate([np.atleast_1d(np.asarray(each)) for each in value])
            with suppress(Exception):
                if array.ndim == 1 and len(array):
                    yield array
