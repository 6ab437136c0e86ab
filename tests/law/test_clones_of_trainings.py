"""Clones of a training: rounding in an array that hardly moves hides no violation."""

from __future__ import annotations

import pytest

import symmetry


@pytest.mark.slow
def test_a_bias_before_batch_normalisation_hides_no_violation():
    """The bias has a gradient of pure rounding: with clones it moves, and without them not."""

    def training():
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
        )
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        x, y = torch.randn(16, 1, 8, 8), torch.randint(4, (16,))

        def step(i):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            for parameter in model.parameters():
                parameter.grad[:-1].clamp_(-0.001, 0.001)
            optimizer.step()

        return model, step

    report = symmetry.check(training, only="symmetry/clones")
    assert {verdict.kind for verdict in report} == {"violated"}
