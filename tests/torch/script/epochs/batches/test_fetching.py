"""Batches that are fetched in this process: their indices, and the random numbers of workers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from symmetry.torch.script.epochs.batches.fetching import Fetching


class Windows(Dataset):
    """Windows of a signal, each with a mask that all share; ``give`` returns the window."""

    def __init__(self, give):
        self.give = give
        self.signal = np.random.default_rng(0).random(20).astype(np.float32)
        self.buffer, self.mask = np.zeros(4, dtype=np.float32), torch.ones(4)

    def __len__(self):
        return 12

    def __getitem__(self, index):
        self.buffer[:] = self.signal[index : index + 4]
        return {"x": self.give(self.buffer), "mask": self.mask, "y": index}


@pytest.mark.parametrize(
    ("give", "overwritten"),
    [
        (torch.from_numpy, True),
        (lambda buffer: buffer, True),
        (torch.tensor, False),
        (lambda buffer: buffer.copy(), False),
    ],
)
def test_a_buffer_that_is_filled_again_is_seen(give, overwritten):
    fetching = Fetching(workers=False)
    iterator = iter(DataLoader(Windows(give), 4))
    for _ in range(2):
        batch, order = fetching.fetch(iterator, type(iterator).__next__)
    assert order == (4, 5, 6, 7)
    assert fetching.overwriting.found is overwritten
    assert bool((batch["x"][0] == batch["x"][1]).all()) is overwritten


class Conditioned(Dataset):
    """Samples beside a schedule that all share, and that the script changes between batches."""

    def __init__(self):
        self.schedule = torch.ones(4)

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.tensor([float(index)]), self.schedule


def test_what_is_changed_between_batches_is_not_overwritten():
    data, fetching = Conditioned(), Fetching(workers=False)
    iterator = iter(DataLoader(data, 4))
    for _ in range(2):
        fetching.fetch(iterator, type(iterator).__next__)
        data.schedule *= 0.5
    assert not fetching.overwriting.found


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
