"""The contents of loaders: subsets below each other, samplers, and labels in order."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from symmetry.torch.script.epochs.batches.contents import (
    classes_of,
    length_of,
    samples_of,
    shuffles,
    source_of,
    weights_of,
)

DATA = TensorDataset(torch.randn(12, 2), torch.arange(12) // 4)


class Endless(IterableDataset):
    def __iter__(self):
        yield from range(12)


class Named(list):
    """Samples as some libraries hold them: by name."""

    def __init__(self, key):
        super().__init__({"x": i, key: i // 4} for i in range(12))


def test_what_has_no_length_has_none():
    assert length_of(DATA) == 12
    assert length_of(Endless()) is None


def test_indices_go_through_all_subsets():
    assert source_of(DataLoader(DATA)) == (DATA, None)
    below = Subset(Subset(DATA, [2, 4, 6, 8]), [1, 3])
    assert source_of(DataLoader(below)) == (DATA, frozenset({4, 8}))
    assert source_of(DataLoader(Endless()))[1] is None


@pytest.mark.parametrize(
    ("sampler", "indices"),
    [
        (SubsetRandomSampler([1, 3]), {4, 8}),
        (WeightedRandomSampler([0.0, 1.0, 0.0, 1.0], 9), {4, 8}),
        (RandomSampler(range(4)), {2, 4, 6, 8}),
    ],
)
def test_samplers_take_a_part(sampler, indices):
    below = Subset(DATA, [2, 4, 6, 8])
    assert source_of(DataLoader(below, sampler=sampler)) == (DATA, frozenset(indices))


def test_what_an_unknown_sampler_takes_is_not_known():
    rows = [[0, 1], [2, 3]]
    assert source_of(DataLoader(DATA, sampler=range(3))) == (range(3), None)
    source, _ = source_of(DataLoader(DATA, batch_sampler=rows))
    assert source is not DATA


def test_weights_are_counted():
    by_class = WeightedRandomSampler([1.0, 2.0, 1.0], 12)
    assert weights_of(DataLoader(DATA, sampler=by_class)) == 3
    assert weights_of(DataLoader(DATA, shuffle=True)) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"shuffle": True}, True),
        ({"sampler": WeightedRandomSampler([1.0] * 12, 12)}, False),  # leaves some out
    ],
)
def test_a_loader_shuffles_if_it_takes_all_samples_in_a_random_order(options, expected):
    assert shuffles(DataLoader(DATA, 4, **options)) is expected


@pytest.mark.parametrize("data", [DATA, Named("labels"), Named("label")])
def test_labels_in_order_are_those_of_three_batches(data):
    assert classes_of(DataLoader(data, 4)) == ("0", "1", "2")


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(DATA, 4, shuffle=True),
        DataLoader(DATA, 3),  # so small that chance sorts them
        DataLoader(DATA, 6),  # two batches
        DataLoader(Endless(), 4),
        DataLoader(TensorDataset(torch.arange(12), torch.arange(12) % 3), 4),
        DataLoader(TensorDataset(torch.arange(12), torch.ones(12)), 4),  # numbers, no labels
    ],
)
def test_other_loaders_have_no_labels_in_order(loader):
    assert classes_of(loader) == ()


class Jittered(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return {"x": torch.full((3,), index) + torch.rand(3), "text": f"row {index}"}


def test_samples_have_digests_by_their_contents():
    first, varies = samples_of(DataLoader(DATA, 4))
    assert len({*first}) == 12
    assert not varies
    x, y = DATA.tensors
    part, _ = samples_of(DataLoader(TensorDataset(x[4:8].clone(), y[4:8].clone()), 2))
    assert part == first[4:8]
    chosen, _ = samples_of(DataLoader(DATA, 2, sampler=SubsetRandomSampler([7, 2])))
    assert chosen == (first[7], first[2])


def test_samples_that_are_drawn_anew_vary():
    state = torch.get_rng_state()
    assert samples_of(DataLoader(Jittered(), 2))[1]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("data", [Endless(), [object()] * 3])
def test_samples_that_cannot_be_read_have_no_digests(data):
    assert samples_of(DataLoader(data, 2)) == ((), False)
