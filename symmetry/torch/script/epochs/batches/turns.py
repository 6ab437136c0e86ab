"""The turns of samples: which of a data set a loader draws in no epoch, as its sampler is made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler
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
    drawn, shares, began = set[int](), [], time.process_time()
    with generators.kept(generators.shared()), suppress(Exception):  # made for a number of epochs
        for epoch in range(max(3, min(_PASSES, _DRAWS // number))):
            for each in (batches, sampler):
                if hasattr(each, "set_epoch"):
                    each.set_epoch(epoch)
            mine = {int(i) for batch in batches for i in batch}
            drawn |= mine
            shares.append(len(mine) / number)
            if len(drawn) == number or time.process_time() - began > _SECONDS:
                break
        left = number * float(np.prod([1 - share for share in shares]))
        never = sorted({*range(number)} - drawn)
        if len(drawn) < number and (tail or left < _CHANCE):
            return Turns(samples=number, never=tuple(never), dropped=tail and not own)
        return Turns(samples=number, never=()) if len(drawn) == number else None
    return None


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
        if isinstance(value, Tensor | np.ndarray | list | tuple | range | set):
            with suppress(Exception):  # they may hold anything
                array = np.asarray([*value] if isinstance(value, set) else value)
                if array.ndim == 1 and len(array):
                    yield array
