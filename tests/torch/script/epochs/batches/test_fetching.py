"""Batches that are fetched in this process: their indices, and the random numbers of workers."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from symmetry.torch.script.epochs.batches.fetching import Fetching


class Noise(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.randn(1)


def fetched(workers, number):
    """Return batches and their indices, and a number that is drawn after them."""
    torch.manual_seed(0)
    iterator = iter(DataLoader(Noise(), 2))
    fetching = Fetching(workers=workers)
    batches = [fetching.fetch(iterator, type(iterator).__next__) for _ in range(number)]
    return batches, torch.randn(1)


@pytest.mark.parametrize("workers", [False, True])
def test_a_batch_comes_with_the_indices_of_its_samples(workers):
    batches, _ = fetched(workers, 3)
    assert [order for _, order in batches] == [(0, 1), (2, 3), (4, 5)]
    with pytest.raises(StopIteration):
        fetched(workers, 4)


def test_workers_leave_the_random_numbers_alone_and_draw_new_ones():
    batches, after = fetched(True, 3)
    assert torch.equal(after, fetched(True, 0)[1])
    assert not torch.equal(batches[0][0], batches[1][0])


def test_without_workers_they_are_the_scripts():
    assert not torch.equal(fetched(False, 3)[1], fetched(False, 0)[1])
