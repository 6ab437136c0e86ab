"""Two workers of a loader, compared without processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from symmetry.torch.script.epochs.batches.emulation import Emulation, emulated

GENERATOR = np.random.RandomState(0)


class Items(Dataset):
    """Four items that a function makes."""

    def __init__(self, item):
        self.item, self.generator = item, np.random.default_rng(0)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.item(self, index)


class Stream(IterableDataset):
    """The numbers below 16, of each worker its share on request."""

    def __init__(self, shared):
        self.shared = shared

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id if self.shared else 0, 16, info.num_workers))


def fixed(_, index):
    return torch.tensor(index)


def drawn_by_torch(_, index):
    return index + torch.rand(2)


def drawn_by_numpy(_, index):
    return index + np.random.rand(2)


def drawn_by_its_own_generator(self, index):
    return index + self.generator.random(2)


def drawn_by_a_global_one(_, index):
    return index + GENERATOR.rand(2)


def drawn_by_two(self, index):
    return index + torch.rand(2).numpy() + self.generator.random(2)


def seeded_by_the_index(self, index):
    self.generator = np.random.default_rng(index)
    np.random.seed(index)
    return index + self.generator.random(2) + np.random.rand(2) + torch.rand(2).numpy()


def found(data, **facts):
    return emulated(DataLoader(data, **{"batch_size": 2, "num_workers": 2, **facts}))


@pytest.mark.parametrize(
    ("item", "generators"),
    [
        (drawn_by_torch, ()),
        (drawn_by_numpy, ()),
        (drawn_by_its_own_generator, ("Items.generator",)),
        (drawn_by_a_global_one, ("GENERATOR",)),
        (drawn_by_two, ("Items.generator",)),
        (seeded_by_the_index, ()),
    ],
)
def test_workers_that_draw(item, generators):
    before, own = torch.get_rng_state(), GENERATOR.get_state()[2]
    assert found(Items(item)) == Emulation("numbers" * bool(generators), "", generators)
    assert torch.equal(torch.get_rng_state(), before)
    assert GENERATOR.get_state()[2] == own


def test_a_function_that_seeds_them_alike():
    data = Items(drawn_by_numpy)
    alike = found(data, worker_init_fn=lambda _: np.random.seed(0))
    assert alike == Emulation("numbers", "", ("numpy.random",))
    apart = found(data, worker_init_fn=lambda worker: np.random.seed(worker))
    assert apart == Emulation()


def test_a_seed_of_each_worker_cures_it():
    def seed(worker):
        get_worker_info().dataset.generator = np.random.default_rng(worker)

    assert found(Items(drawn_by_its_own_generator), worker_init_fn=seed) == Emulation()


@pytest.mark.parametrize(("shared", "kind"), [(True, ""), (False, "samples")])
def test_a_stream_has_to_be_shared(shared, kind):
    assert found(Stream(shared)) == Emulation(kind)


@pytest.mark.parametrize(
    ("data", "facts", "why"),
    [
        (Items(fixed), {}, "its samples are not drawn at random"),
        (Items(drawn_by_torch), {"num_workers": 1}, "it has fewer than two workers"),
        (Items(lambda *_: 1 / 0), {}, "cannot be copied and read (ZeroDivisionError)"),
    ],
)
def test_why_workers_are_not_compared(data, facts, why):
    emulation = found(data, **facts)
    assert emulation.shared == ""
    assert why in emulation.why
