"""The contents of loaders: subsets below each other, samplers, and labels in order."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from symmetry.torch.script.epochs.batches.contents import (
    classes_of,
    length_of,
    shuffles,
    source_of,
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
    assert source_of(DATA) == (DATA, None)
    below = Subset(Subset(DATA, [2, 4, 6, 8]), [1, 3])
    assert source_of(below) == (DATA, frozenset({4, 8}))


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
