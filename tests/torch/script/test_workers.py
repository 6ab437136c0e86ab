"""Loaders with workers, whose batches this process makes."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, default_collate, get_worker_info

from symmetry.torch.script.workers import as_worker, in_this_process

here = in_this_process(DataLoader._get_iterator)


class Lazy(IterableDataset):
    """Numbers, and the worker that reads each."""

    def __iter__(self):
        for number in range(4):
            yield number, _worker()


class Eager(IterableDataset):
    """The same, read where the iterator is made."""

    def __iter__(self):
        return iter([(number, _worker()) for number in range(4)])


def _worker():
    info = get_worker_info()
    return info and (info.id, info.num_workers, info.seed, type(info.dataset).__name__)


def read(loader):
    """Return the workers that read the samples of an epoch."""
    iterator, seen = here(loader), []
    while True:
        try:
            with as_worker(iterator):
                batch = next(iterator)
        except StopIteration:
            return seen
        assert get_worker_info() is None
        seen += [worker for _, worker in batch]


@pytest.mark.parametrize("data", [Lazy, Eager])
def test_a_data_set_sees_the_only_worker_whose_seed_each_epoch_draws(data):
    loader = DataLoader(data(), 2, num_workers=2, collate_fn=list)
    torch.manual_seed(0)
    first, second = read(loader), read(loader)
    torch.manual_seed(0)
    seeds = [here(loader)._base_seed for _ in range(2)]
    for epoch, seed in zip((first, second), seeds, strict=True):
        assert epoch == [(0, 1, seed, data.__name__)] * 4
    assert seeds[0] != seeds[1]


def test_without_workers_there_is_none():
    assert read(DataLoader(Lazy(), 2, collate_fn=list)) == [None] * 4


def test_batches_are_in_no_shared_memory():
    iterator = here(DataLoader(torch.zeros(4, 2), 2, num_workers=2, collate_fn=default_collate))
    with as_worker(iterator):
        assert not next(iterator).is_shared()


def test_a_function_that_collates_sees_the_worker():
    seen = []

    def collate(samples):
        seen.append(_worker())
        return default_collate([torch.tensor(number) for number, _ in samples])

    iterator = here(DataLoader(Lazy(), 2, num_workers=2, collate_fn=collate))
    with as_worker(iterator):
        assert not next(iterator).is_shared()
    assert seen == [(0, 1, iterator._base_seed, "Lazy")]
