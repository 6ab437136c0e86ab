"""Losses of optimisers that take turns are all judged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.invariants.loss.inputs import inputs
from tests.invariants.loss.judging import kind, measured


def turns(last: nn.Module):
    """Return a training whose third optimiser alone updates by its labels, as InfoGAN's."""

    def training():
        torch.manual_seed(0)
        body, head = nn.Linear(6, 8), nn.Linear(8, 4)
        optimizers = [
            torch.optim.SGD([*body.parameters(), *more], 0.1)
            for more in ([], [*head.parameters()][:1], [*head.parameters()])
        ]

        def step(i):
            generator = torch.Generator().manual_seed(i)
            x = torch.randn(8, 6, generator=generator)
            y = torch.randint(4, (8,), generator=generator)
            scores = head(body(x).tanh())
            optimizers[i % 3].zero_grad()
            by_labels = i % 3 == 2
            loss = nn.functional.cross_entropy(last(scores), y) if by_labels else scores.square()
            loss.mean().backward()
            optimizers[i % 3].step()

        return nn.ModuleList([body, head]), step

    return training


@pytest.mark.parametrize(
    ("last", "expected"), [(nn.Softmax(1), "violated"), (nn.Identity(), "holds")]
)
def test_the_loss_of_the_third_optimiser_is_judged(last, expected):
    assert kind(measured(inputs, turns(last))) == expected
