"""Trainings whose units are whole modules: experts of a list, chosen by top-k or not."""

from __future__ import annotations

import pytest
import torch

import symmetry
from tests.finding import models


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
