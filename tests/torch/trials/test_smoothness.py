"""Forwards whose backward has to be their derivative, and those whose backward may be another."""

from __future__ import annotations

import pytest
import torch

from symmetry.torch.trials.smoothness import ReadOperations
from symmetry.torch.watch.operations import Recorder

X = torch.tensor([-1.5, 0.5, 2.0])


@pytest.mark.parametrize(
    ("forward", "why_not"),
    [
        (lambda x: x * torch.sigmoid(x), ""),
        (lambda x: torch.where(x > 0, x, 0.1 * x), ""),
        (lambda x: x * (x > 0), ""),
        (lambda x: x + torch.ones(3).round(), ""),  # what it rounds is a constant
        (torch.round, "its forward rounds, clamps or draws (round)"),
        (lambda x: x.clamp(min=0), "its forward rounds, clamps or draws (clamp)"),
        (lambda x: (x > 0).to(x), "its forward makes numbers of comparisons (_to_copy)"),
        (
            lambda x: torch.where(x > 0, torch.ones(3), torch.zeros(3)),
            "its forward makes numbers of comparisons (where)",
        ),
        (torch.special.i0e, "its forward uses special_i0e, which is not known to be smooth"),
    ],
)
def test_operations_decide(forward, why_not):
    seen = ReadOperations([X])
    with Recorder(seen):
        forward(X)
    assert seen.why_not == why_not


def test_what_is_read_is_known():
    other = torch.ones(3)
    seen = ReadOperations([X, other])
    with Recorder(seen):
        X * 2
    assert seen.reads(X)
    assert not seen.reads(other)


def test_a_backward_that_reads_more_than_its_forward_is_seen():
    gradient, fixed = torch.ones(3), torch.ones(3)
    forward, backward = ReadOperations([X]), ReadOperations([gradient])
    with Recorder(forward):
        X * 2
    with Recorder(backward):
        gradient * X
    assert not backward.reads_more(forward)
    with Recorder(backward):
        gradient * fixed
    assert backward.reads_more(forward)
