"""The rows that a script reads for a batch: how many, whether they are samples, and their order."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from symmetry.base.errors import TrainingError
from symmetry.torch.script.row_reads import RowReads
from symmetry.torch.script.rows import rearranged

IN_ORDER = "the order of the rows may have a meaning (tests/torch/script/test_row_reads.py:"
PARTNER = "each row may have a partner at its place in the batch (tests/torch/script/"


class Data:
    """Data of 40 rows, and a model of them."""

    def __init__(self):
        torch.manual_seed(0)
        self.x, self.y = torch.randn(40, 6), torch.randint(3, (40,))
        self.net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))

    def loss(self, x, y):
        return F.cross_entropy(self.net(x), y)


def rows_of(batch, loss=Data.loss):
    reads = RowReads()
    with reads.watching():
        data = Data()
        loss(data, *batch(data)).backward()
    return reads.found([data.net])


def by_slices(data):
    return data.x[8:16], data.y[8:16]


def by_split(data):
    return next(zip(data.x.split(8), data.y.split(8), strict=True))


def by_narrow(data):
    return data.x.narrow(0, 8, 8), torch.narrow(data.y, 0, 8, 8)


def by_chunk(data):
    return torch.chunk(data.x, 5)[1], data.y.chunk(5, dim=0)[1]


def by_numpy(data):
    index = np.random.default_rng(0).permutation(40)[:8]
    return torch.from_numpy(data.x.numpy()[index]), torch.tensor(data.y.numpy()[index])


def by_a_list(data):
    return data.x[[3, 1, 4, 15, 9, 2, 6, 5]], data.y[[3, 1, 4, 15, 9, 2, 6, 5]]


def by_a_permutation(data):
    index = torch.randperm(40)[8:16]
    return data.x[index], data.y[index]


def by_random_places(data):
    index = torch.randint(40, (8,))
    return data.x.index_select(0, index), data.y[index, ...]


def by_half_of_them(data):
    x, y = data.x[:30], data.y[:30]
    order = torch.randperm(30)
    return x[order[:8]] / 2, y[order[:8]]


def of_shuffled(data):
    order = torch.randperm(40)
    x, y = data.x[order], data.y[order]
    return x[8:16], y[8:16]


def of_windows(data):
    long = data.x.flatten()
    begins = torch.randint(len(long) - 6, (8,))
    x = torch.stack([long[i : i + 6] for i in begins])
    return x, torch.stack([data.y[i % 40] for i in begins])


def of_windows_of_numpy(data):
    long, begins = data.x.numpy().ravel(), [50, 7, 130, 90, 21, 3, 77, 160]
    x = torch.stack([torch.from_numpy(long[i : i + 6]) for i in begins])
    return x, torch.stack([data.y[i % 40] for i in begins])


def of_windows_one_after_the_other(data):
    long = data.x.numpy().ravel()
    x = torch.stack([torch.from_numpy(long[i : i + 6]) for i in range(0, 48, 6)])
    return x, torch.stack([data.y[i] for i in range(8)])


def of_windows_that_are_copies(data):
    long, begins = data.x.numpy().ravel(), [50, 7, 130, 90, 21, 3, 77, 160]
    x = torch.stack([torch.from_numpy(long[i : i + 6].copy()) for i in begins])
    return x, torch.stack([data.y[i % 40] for i in begins])


@pytest.mark.parametrize(
    "batch",
    [
        by_a_permutation,
        by_random_places,
        by_half_of_them,
        of_shuffled,
        of_windows,
    ],
)
def test_rows_at_places_that_are_drawn_are_samples(batch):
    rows = rows_of(batch)
    assert (rows.count, rows.doubt.why) == (8, "")
    assert len(rows.draws) == 1


def test_windows_that_lie_in_no_order_are_samples():
    rows = rows_of(of_windows_of_numpy)
    assert (rows.count, rows.doubt.why) == (8, "")


@pytest.mark.parametrize(
    "batch",
    [
        by_slices,
        by_split,
        by_narrow,
        by_chunk,
        by_numpy,
        by_a_list,
        of_windows_one_after_the_other,
        of_windows_that_are_copies,
    ],
)
def test_the_order_of_other_rows_may_have_a_meaning(batch):
    rows = rows_of(batch)
    assert rows.count == 8
    assert rows.doubt.why.startswith(IN_ORDER)
    assert len(rows.sites) == 2


def test_a_whole_data_set_is_no_rows():
    assert rows_of(lambda data: (data.x, data.y)) is None


def weighted(data, x, y):
    return (F.cross_entropy(data.net(x), y, reduction="none") * torch.linspace(1, 2, 8)).mean()


def of_neighbours(data, x, y):
    return F.cross_entropy(data.net(x + 0.1 * x[torch.randperm(8)]), y)


def of_noise(data, x, y):
    return F.cross_entropy(data.net(x + torch.randn(8, 6)), y)


def of_pieces_put_together(data, x, y):
    logits = torch.cat([data.net(x), data.net(x.flip(0))])
    each = F.cross_entropy(logits, torch.cat([y, y.flip(0)]), reduction="none")
    return (each * torch.linspace(1, 2, 16)).mean()


def of_a_target_without_gradients(data, x, y):
    with torch.no_grad():
        target = x[:, :3] + torch.randn(8, 3)
    return F.mse_loss(data.net(x), target)


@pytest.mark.parametrize(
    "loss",
    [weighted, of_neighbours, of_noise, of_pieces_put_together, of_a_target_without_gradients],
)
def test_rows_may_have_partners_that_come_from_no_read(loss):
    rows = rows_of(by_a_permutation, loss)
    assert (rows.count, rows.doubt.why.startswith(PARTNER)) == (8, True)


def test_an_index_that_is_data_as_well_is_a_partner():
    def batch(data):
        index = torch.randperm(40)[:8]
        return torch.cat([data.x[index][:, 1:], index[:, None] / 40], 1), data.y[index]

    assert rows_of(batch).doubt.why.startswith(PARTNER)


def constant(data, x, y):
    weights = torch.full((8,), 0.5)
    return (F.cross_entropy(data.net(x), y, reduction="none") * weights).mean()


def without_the_last(data, x, y):
    return F.cross_entropy(data.net(x)[:-1], y[:-1])


def measured_with_noise(data, x, y):
    with torch.no_grad():
        (data.net(x) + torch.randn(8, 3)).mean()
    return data.loss(x, y)


@pytest.mark.parametrize("loss", [constant, without_the_last, measured_with_noise])
def test_constants_and_parts_of_a_batch_are_no_partners(loss):
    rows = rows_of(by_a_permutation, loss)
    assert (rows.count, rows.doubt.why, len(rows.sites)) == (8, "", 2)


def at_each_place(data, x, y):
    steps = data.net(x)[:, None].expand(8, 4, 3)
    return F.cross_entropy(steps[torch.arange(8), y], y)


def in_the_inverse_order(data, x, y):
    order = y.argsort()
    back = torch.empty_like(order).scatter_(0, order, torch.arange(8))
    return F.cross_entropy(data.net(x[order])[back], y)


def in_an_inverse_by_hand(data, x, y):
    order = y.argsort()
    back = torch.empty_like(order)
    back[order] = torch.arange(8)
    return F.cross_entropy(data.net(x[order])[back], y)


@pytest.mark.parametrize("loss", [at_each_place, in_the_inverse_order, in_an_inverse_by_hand])
def test_numbers_that_count_rows_are_no_partners(loss):
    rows = rows_of(by_a_permutation, loss)
    assert (rows.count, rows.doubt.why) == (8, "")


def at_a_shifted_place(data, x, y):
    return F.cross_entropy(data.net(x)[:, None].expand(8, 4, 3)[torch.arange(8) - 1, y], y)


def of_a_table(data, x, y):
    return F.cross_entropy(
        data.net(x + torch.linspace(0, 1, 48).view(8, 1, 6)[torch.arange(8), 0]), y
    )


@pytest.mark.parametrize("loss", [at_a_shifted_place, of_a_table])
def test_numbers_of_other_rows_are_partners(loss):
    assert rows_of(by_a_permutation, loss).doubt.why.startswith(PARTNER)


def test_labels_of_nodes_that_are_chosen_in_the_output_have_partners():
    def loss(data, x, y):
        chosen = torch.randperm(40)[:8]
        return F.cross_entropy(data.net(x)[chosen], y[chosen])

    assert rows_of(lambda data: (data.x, data.y), loss).doubt.why.startswith(PARTNER)


def test_what_a_module_reads_of_its_own_is_no_batch():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.randn(50, 6)
            self.net = nn.Linear(6, 3)

        def forward(self, x):
            return self.net(x + self.table[: len(x)])

    def loss(data, x, y):
        data.net = Positions()
        return data.loss(x, y)

    rows = rows_of(lambda data: (data.x, data.y), loss)
    assert rows is None


@settings(max_examples=10)
@given(order=st.permutations(range(8)))
@pytest.mark.parametrize("batch", [by_slices, by_split, by_a_permutation, by_numpy, of_windows])
def test_the_samples_of_a_batch_are_rearranged_once(batch, order):
    rows, data = rows_of(batch), Data()
    torch.manual_seed(1)
    before = batch(data)
    torch.manual_seed(1)
    with rearranged(rows, lambda t: t[list(order)] if len(t) == 8 else t):
        after = batch(data)
    assert all(torch.equal(a, b[list(order)]) for a, b in zip(after, before, strict=True))


def test_a_loop_that_reads_rows_until_they_fit_is_ended():
    """It marks those that do not fit by their places, which are others meanwhile."""

    def fitting(data, last):
        while True:
            x = data.x[8:16]
            if torch.equal(x[-1], last):
                return x, data.y[8:16]

    last = Data().x[15]
    rows = rows_of(partial(fitting, last=last))
    with (
        rearranged(rows, lambda t: t.flip(0)),
        pytest.raises(TrainingError, match="it reads rows without an end"),
    ):
        fitting(Data(), last)


def test_arrays_of_numpy_choose_entries_as_tensors_do():
    def loss(data, x, y):
        places = np.where(y.numpy() >= 0)
        chosen = data.net(x)[..., 0][places[0], ...], x[(*places, np.zeros(8, int))]
        return (chosen[0] - chosen[1]).square().mean()

    assert rows_of(of_shuffled, loss).count == 8
