"""Tensors that differ beyond rounding, and differences within others."""

from __future__ import annotations

import torch

from symmetry.torch.trials.differences import differ, differs_within, moved


def changed(*shape, where):
    """Return zeros, and zeros with ones at some entries."""
    a = torch.zeros(shape)
    b = a.clone()
    b[where] = 1.0
    return a, b


def test_where_two_tensors_differ():
    assert moved(*changed(3, where=(1,))).tolist() == [False, True, False]


def test_rounding_and_nan_are_no_difference():
    a = torch.tensor([1.0, float("nan"), float("inf")], dtype=torch.float64)
    assert not differ(a, a + torch.tensor([1e-12, 0.0, 0.0], dtype=torch.float64))
    assert differ(a, a + torch.tensor([1e-6, 0.0, 0.0], dtype=torch.float64))
    assert differ(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_differences_within_others():
    a, b = changed(4, 5, where=(1, slice(2)))
    x, y = changed(4, 5, where=(1,))
    assert differs_within(a, b, x, y)
    assert not differs_within(x, y, a, b)


def test_sparse_tensors_differ_by_their_entries():
    one = torch.eye(3).to_sparse()
    assert not differ(one, one.clone())
    assert moved(one, (one * torch.tensor([1.0, 1.0, 2.0])).to_sparse()).nonzero()[0].tolist() == [
        2
    ]
