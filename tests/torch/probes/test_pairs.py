"""Operations on (n, 1) and (n,): which are seen, and with moved data."""

from __future__ import annotations

import pytest


def column():
    import torch

    return torch.arange(5.0)[:, None].clone().requires_grad_()


def row():
    import torch

    return torch.arange(5.0).sin()


def seen(work, rolled=None):
    from symmetry.torch.probes.pairs import Pairs
    from symmetry.torch.watch.functions import FunctionCalls

    found = []
    with FunctionCalls(Pairs(found.append, rolled=rolled)):
        result = work()
    return found, result


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_losses_and_arithmetic_are_seen():
    import torch.nn.functional as F

    def work():
        F.mse_loss(column(), target=row())
        row() * column()
        return column() - row()

    found, _ = seen(work)
    assert [pair.operation for pair in found] == ["mse_loss", "mul", "sub"]
    assert [pair.number for pair in found] == [0, 1, 2]
    assert all(pair.column_trained and pair.varies and not pair.spread for pair in found)
    assert {pair.count for pair in found} == {5}


def test_equal_shapes_other_lengths_and_two_trained_sides_are_no_pairs():
    def work():
        column() - column()
        column() - row()[:4]
        column() - row().requires_grad_()
        return row()[:, None] - row()

    assert seen(work)[0] == []


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_targets_that_are_a_table_are_seen_where_outputs_meet_them():
    import torch.nn.functional as F

    def targets(meet):
        values = column().detach() * 0.9
        return meet(row() + values)

    found, _ = seen(lambda: targets(lambda table: F.mse_loss(column(), table)))
    assert [(pair.operation, pair.number, pair.count) for pair in found] == [("add", 0, 5)]
    assert seen(lambda: targets(lambda table: table.mean()))[0] == []
    assert (
        seen(lambda: targets(lambda table: F.mse_loss(table.clone().requires_grad_(), table)))[0]
        == []
    )
    assert seen(lambda: F.mse_loss(column(), row()[:, None] + row()))[0] == []  # a table on purpose


def test_a_column_that_is_made_on_purpose_is_spread():
    (pair,), _ = seen(lambda: column().squeeze(1) - row()[:, None])
    assert pair.spread
    assert not pair.column_trained
    (pair,), _ = seen(lambda: column().squeeze(1) - row()[:, None].clone())
    assert not pair.spread


def test_the_data_of_one_pair_is_moved_by_one_entry():
    def work():
        return column() - row(), column() * row()

    _, (difference, product) = seen(work, rolled=1)
    assert difference.equal(column() - row())
    assert product.equal(column() * row().roll(1, 0))


def test_the_data_of_all_pairs_is_moved_and_what_their_tables_meet():
    import torch

    from symmetry.torch.probes.pairs import ALL

    def work(labels):
        value = column()
        clipped = labels + (value - labels).clamp(-0.2, 0.2)
        return torch.max((value - labels) ** 2, (clipped - labels) ** 2)

    _, moved = seen(lambda: work(row()), rolled=ALL)
    assert torch.equal(moved, work(row().roll(1)))
    assert not torch.equal(moved, work(row()))
    _, one = seen(lambda: work(row()), rolled=0)
    assert not torch.isclose(one.mean(), moved.mean())
    assert torch.isclose(moved.mean(), work(row()).mean())
