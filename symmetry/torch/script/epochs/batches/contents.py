"""The contents of a loader: the lengths, subsets and labels of its data, and its sampler."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from symmetry.base.randomness import generators
from symmetry.torch.state import bytes_of

_READ, _SECONDS = 4096, 0.5  # samples of a loader that are read, and CPU seconds for them
_TWICE = 4  # of them under another seed
_WHOLE = (RandomSampler, SequentialSampler, DistributedSampler)  # they take all samples


def length_of(sized: Any) -> int | None:
    """Return the length of a data set or a loader; None if it has none."""
    with suppress(Exception):  # a data set of the user's may do anything
        return len(sized)
    return None


def source_of(loader: Any) -> tuple[Any, frozenset[int] | None]:
    """Return the data set below all subsets, and the indices of it that are loaded.

    The sampler stands for the data set where it is not known which samples it takes.
    """
    data, sampler = loader.dataset, sampler_of(loader)
    indices: list[int] | None = None
    with suppress(Exception):  # an index may be anything
        indices = _taken_by(sampler)
        own = loader.batch_sampler is not None and not hasattr(loader.batch_sampler, "sampler")
        whole = isinstance(sampler, _WHOLE) and not own
        if indices is None and not (whole or isinstance(data, IterableDataset)):
            return sampler, None
        while isinstance(data, Subset):
            below = [int(i) for i in data.indices]
            indices = below if indices is None else [below[i] for i in indices]
            data = data.dataset
        return data, None if indices is None else frozenset(indices)
    return sampler, None


def _taken_by(sampler: Any) -> list[int] | None:
    """Return the samples that a sampler takes; None if it takes all, or that is not known."""
    if isinstance(sampler, SubsetRandomSampler):
        return [int(i) for i in sampler.indices]
    if isinstance(sampler, WeightedRandomSampler):
        return [k for k, weight in enumerate(sampler.weights.tolist()) if weight > 0]
    return None


def weights_of(loader: Any) -> int | None:
    """Return how many weights the sampler has, if it draws by weights."""
    sampler = sampler_of(loader)
    return len(sampler.weights) if isinstance(sampler, WeightedRandomSampler) else None


def sampler_of(loader: Any) -> Any:
    """Return the sampler of single samples; a batch sampler may hold it."""
    return getattr(loader.batch_sampler, "sampler", None) or loader.sampler


def shuffles(loader: Any) -> bool:
    """Return whether each epoch takes every sample, in a random order."""
    sampler = sampler_of(loader)
    if isinstance(sampler, DistributedSampler):
        return bool(sampler.shuffle)
    return isinstance(sampler, RandomSampler) and not isinstance(sampler, WeightedRandomSampler)


def classes_of(loader: Any) -> tuple[str, ...]:
    """Return the labels of the first, middle and last batch, if each has one label and in order."""
    size, data = loader.batch_size, loader.dataset
    count = length_of(data)
    in_order = isinstance(loader.sampler, SequentialSampler) and not isinstance(
        data, IterableDataset
    )
    if not (in_order and isinstance(size, int) and 4 <= size <= 256) or not count:
        return ()
    if count < 3 * size:
        return ()
    found = []
    with suppress(Exception), generators.kept(generators.shared()):
        for first in (0, count // 2 // size * size, (count // size - 1) * size):
            labels = {_label(data[index]) for index in range(first, first + size)}
            if len(labels) > 1 or None in labels:
                return ()
            found.append(str(labels.pop()))
    return tuple(found) if len(found) == 3 else ()


def samples_of(loader: Any) -> tuple[tuple[str, ...], bool]:
    """Return digests of the first samples of a loader, and whether another seed gives others."""
    with suppress(Exception), generators.kept(generators.shared()):  # a data set may do anything
        if isinstance(loader.dataset, IterableDataset):
            return (), False
        data, indices = loader.dataset, _taken_by(sampler_of(loader))
        order = range(len(data)) if indices is None else indices
        first = tuple(islice(_digests(data, order, seed=0), _READ))
        again = tuple(islice(_digests(data, order, seed=1), _TWICE))
        return first, again != first[:_TWICE]
    return (), False


def _digests(data: Any, order: Any, seed: int) -> Iterator[str]:
    """Yield digests of samples, as long as there is time."""
    generators.seed_all(seed)
    began = time.process_time()
    for index in order:
        digest = hashlib.blake2b(digest_size=8)
        for part in _parts_of(data[index]):
            digest.update(part)
        yield digest.hexdigest()
        if time.process_time() - began > _SECONDS:
            return


def _parts_of(value: Any) -> Iterator[bytes]:
    """Yield the bytes of all tensors, arrays, texts and numbers in a sample."""
    if isinstance(value, Tensor):
        yield bytes_of(value)
    elif isinstance(value, np.ndarray):
        yield value.tobytes()
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _parts_of(value[key])
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _parts_of(each)
    elif value is None or isinstance(value, str | bytes | bool | int | float | np.generic):
        yield repr(value).encode()
    else:
        raise TypeError(f"no digest of a {type(value).__name__}")


def _label(sample: Any) -> int | None:
    """Return the label of a sample: its last entry, if that is a whole number."""
    last: Any = None
    if isinstance(sample, tuple | list) and sample:
        last = sample[-1]
    elif isinstance(sample, dict):
        last = sample.get("labels", sample.get("label"))
    if isinstance(last, Tensor):
        whole = last.numel() == 1 and not (last.is_floating_point() or last.is_complex())
        return int(last) if whole else None
    return last if isinstance(last, int) and not isinstance(last, bool) else None
