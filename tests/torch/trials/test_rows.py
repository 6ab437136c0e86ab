"""Tensors that differ at one of four samples alone, along some axis, or at others, too."""

from __future__ import annotations

import pytest
import torch

from symmetry.torch.trials.rows import axes_of, differ, differs_within, pairs_alone

COUNT, SAMPLE = 4, 2


def moved(*shape, where):
    """Return zeros, and zeros with ones at some entries."""
    a = torch.zeros(shape)
    b = a.clone()
    b[where] = 1.0
    return a, b


@pytest.mark.parametrize(
    ("shape", "where", "axes"),
    [
        ((4, 5), (SAMPLE,), [0]),
        ((5, 4), (slice(None), SAMPLE), [1]),
        ((4, 4), (SAMPLE, SAMPLE), [0, 1]),
        ((4, 5), (1,), []),
        ((8, 5), (slice(4, 6),), [0]),  # two rows of each sample, one after the other
        ((8, 5), (slice(SAMPLE, None, 4),), [0]),  # every fourth
        ((2, 2, 3), (1, 0), [0]),  # a batch in two groups
        ((6, 8), (2,), []),  # a row in which two samples lie
    ],
)
def test_the_axes_of_the_samples_are_those_along_which_one_alone_moved(shape, where, axes):
    assert axes_of(*moved(*shape, where=where), COUNT, SAMPLE) == axes


def test_pairs_with_the_sample_may_move():
    a, b = moved(4, 4, where=(SAMPLE,))
    b[:, SAMPLE] = 1.0
    assert axes_of(a, b, COUNT, SAMPLE) == []
    assert pairs_alone(a, b, COUNT, SAMPLE)
    b[0, 1] = 1.0
    assert not pairs_alone(a, b, COUNT, SAMPLE)


def test_rounding_and_nan_are_no_difference():
    a = torch.tensor([1.0, float("nan"), float("inf")], dtype=torch.float64)
    assert not differ(a, a + torch.tensor([1e-12, 0.0, 0.0], dtype=torch.float64))
    assert differ(a, a + torch.tensor([1e-6, 0.0, 0.0], dtype=torch.float64))
    assert differ(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_differences_within_others():
    a, b = moved(4, 5, where=(1, slice(2)))
    x, y = moved(4, 5, where=(1,))
    assert differs_within(a, b, x, y)
    assert not differs_within(x, y, a, b)
