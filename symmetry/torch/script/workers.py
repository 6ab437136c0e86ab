"""Loaders with workers: this process makes their batches, as the only worker.

Nothing would end the processes. A data set and a function that collates read
``get_worker_info()`` as in a worker. Where PyTorch's own stacks tensors, there is no worker: it
would put each batch into shared memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data._utils import worker
from torch.utils.data._utils.collate import collate_tensor_fn, default_collate_fn_map
from torch.utils.data.dataloader import _BaseDataLoaderIter

from symmetry.base.patches import Patch


def in_this_process(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that gives a loader its iterators, without processes."""

    def get_here(loader: Any) -> Any:
        loader._has_workers = loader.num_workers > 0 or vars(loader).get("_has_workers")
        loader.num_workers, loader.timeout, loader.multiprocessing_context = 0, 0, None
        if not loader._has_workers:
            return get(loader)
        begin = _with_worker(_BaseDataLoaderIter.__init__)
        with _seen(None), patch.object(_BaseDataLoaderIter, "__init__", begin):
            return get(loader)

    return get_here


def workers_here() -> tuple[Patch, ...]:
    """Return what has to be replaced so that all loaders make their batches in this process."""
    following = _BaseDataLoaderIter.__next__

    def following_here(iterator: Any) -> Any:
        with as_worker(iterator):
            return following(iterator)

    return (
        (DataLoader, "_get_iterator", in_this_process(DataLoader._get_iterator)),
        (_BaseDataLoaderIter, "__next__", following_here),
    )


@contextmanager
def as_worker(iterator: Any) -> Iterator[None]:
    """Let the data set of an iterator read its worker meanwhile, if its loader has workers."""
    with _seen(vars(iterator).get("_only_worker", worker._worker_info)):
        yield


def _with_worker(begin: Callable[..., None]) -> Callable[..., None]:
    """Give an iterator a worker before it calls ``iter`` with its data set."""

    def begin_with_worker(iterator: Any, loader: Any) -> None:
        begin(iterator, loader)
        facts = {"id": 0, "num_workers": 1, "seed": iterator._base_seed}
        iterator._only_worker = worker.WorkerInfo(dataset=loader.dataset, **facts)
        iterator._collate_fn = _unshared(iterator._collate_fn)
        worker._worker_info = iterator._only_worker

    return begin_with_worker


def _unshared(collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that collates, and stacks tensors as without a worker."""

    def stacked(tensors: Any, **more: Any) -> Any:
        with _seen(None):
            return collate_tensor_fn(tensors, **more)

    def collate_unshared(samples: Any) -> Any:
        with patch.dict(default_collate_fn_map, {Tensor: stacked}):
            return collate(samples)

    return collate_unshared


def _seen(info: Any) -> Any:
    return patch.object(worker, "_worker_info", info)
