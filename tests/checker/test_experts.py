"""Trainings whose units are whole modules: experts of a list, chosen by top-k or not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import symmetry
from tests.finding import models


@pytest.mark.slow
@pytest.mark.parametrize("make", ["experts", "top_experts"])
@pytest.mark.parametrize("broken", [False, True])
def test_one_expert_that_is_treated_differently_is_seen(make: str, broken: bool) -> None:
    def training():
        model, backward = getattr(models, make)()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)

        def step(i):
            optimizer.zero_grad()
            backward(i)
            if broken:
                model[1].experts[3][0].weight.grad.mul_(0.9)
            optimizer.step()

        return model, step

    report = symmetry.check(training, only="symmetry/*")
    assert report.ok is not broken
    violated = {verdict.invariant for verdict in report if verdict.kind == "violated"}
    assert ("symmetry/permutation" in violated) is broken


@pytest.mark.slow
def test_an_expert_that_is_chosen_only_with_clones_is_not_accused() -> None:
    """The optimiser of an expert makes its arrays when it is chosen first."""

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.router, self.head = nn.Linear(6, 8), nn.Linear(8, 6), nn.Linear(8, 3)
            self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(6))

        def forward(self, x):
            x = self.first(x)
            weights = self.router(x).softmax(-1)
            chosen, out = weights.argmax(-1), x.clone()
            for number, expert in enumerate(self.experts):
                mine = chosen == number
                if mine.any():
                    out[mine] += expert(x[mine]).tanh() * weights[mine, number : number + 1]
            return self.head(out)

    def training():
        torch.manual_seed(1)
        model = Mixture()
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)

        def step(i):
            torch.manual_seed(i)
            optimizer.zero_grad()
            x, y = torch.randn(2, 6), torch.randint(3, (2,))
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return model, step

    report = symmetry.check(training, only="symmetry/clones")
    assert {verdict.kind for verdict in report} == {"vacuous"}
    for verdict in report:
        assert "with clones it changes " in verdict.message
        assert ".experts." in verdict.message
