"""Two workers of a loader, emulated in this process: copies of its data set, each with its seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from unittest.mock import patch

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import IterableDataset
from torch.utils.data._utils import worker

from symmetry.base.randomness import generators
from symmetry.torch.modes.recorder import tensors_in

_ITEMS, _SAMPLES = 8, 3  # of an iterable data set; of another one
_SEED = 1000  # of worker 0; PyTorch gives worker k the next ones
_LARGE = 1 << 28  # bytes of tensors in a data set that is not copied


def emulated(loader: Any) -> tuple[str, str]:
    """Compare two workers of a loader; the second text says why that is impossible.

    The first is ``"numbers"`` if they draw the same random numbers for their samples,
    ``"samples"`` if each yields the same ones, and empty otherwise.
    """
    if loader.num_workers < 2:
        return "", "it has fewer than two workers"
    if _bytes_in(loader.dataset) > _LARGE:
        return "", "its data set is too large to be copied"
    try:
        with generators.kept(generators.shared()):
            return _compared(loader)
    except Exception as error:  # a data set of the user's may do anything
        return "", f"its data set cannot be copied and read ({type(error).__name__})"


def _compared(loader: Any) -> tuple[str, str]:
    if isinstance(loader.dataset, IterableDataset):
        first, second = (_in_worker(loader, k, _items) for k in (0, 1))
        if first and first == second and len(set(first)) > 1:
            return "samples", ""
        return "", ""
    count = min(_SAMPLES, len(loader.dataset))

    def read(data: Any) -> list[str]:
        return [_key(data[index]) for index in range(count)]

    def twice(data: Any) -> list[list[str]]:
        return [read(data), read(data)]

    (first, again), other = (_in_worker(loader, k, twice) for k in (0, 1))
    if first == again:
        return "", "its samples are not drawn at random"
    return ("numbers" if other == [first, again] else ""), ""


def _items(data: Any) -> list[str]:
    return [_key(item) for item in islice(iter(data), _ITEMS)]


def _in_worker(loader: Any, number: int, read: Callable[[Any], Any]) -> Any:
    """Read from a copy of the data set as worker ``number`` does, with its seeds."""
    data = copy.deepcopy(loader.dataset)  # as a fork copies everything
    seed = _SEED + number
    with _seeded(seed), patch.object(worker, "_worker_info", _info(loader, number, seed, data)):
        if loader.worker_init_fn is not None:
            loader.worker_init_fn(number)
        return read(data)


def _info(loader: Any, number: int, seed: int, data: Any) -> Any:
    return worker.WorkerInfo(id=number, num_workers=loader.num_workers, seed=seed, dataset=data)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with generators.kept(generators.shared()):
        generators.seed_all(seed)
        yield


def _key(sample: Any) -> str:
    """Return the numbers of a sample, which distinguish it from others."""
    return repr([_numbers(leaf) for leaf in tree_leaves(sample)])


def _numbers(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.detach().cpu().numpy().tobytes()
    if isinstance(leaf, np.ndarray):
        return leaf.tobytes()
    text = repr(leaf)
    return type(leaf).__name__ if " at 0x" in text else text


def _bytes_in(data: Any) -> int:
    held = tensors_in([*vars(data).values()]) if hasattr(data, "__dict__") else []
    arrays = [a for a in getattr(data, "__dict__", {}).values() if isinstance(a, np.ndarray)]
    bytes_of_tensors: int = sum(t.numel() * t.element_size() for t in held)
    bytes_of_arrays: int = sum(array.nbytes for array in arrays)
    return bytes_of_tensors + bytes_of_arrays
