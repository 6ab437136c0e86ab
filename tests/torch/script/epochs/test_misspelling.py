"""Attributes that are set where PyTorch has another name."""

from __future__ import annotations

import pytest

from symmetry.training.events import Misspelt
from tests.torch.script.epochs.helpers import run

PARAMETER = "model[0].weight"


@pytest.mark.parametrize(
    ("line", "meant", "actual"),
    [
        (f"{PARAMETER}.require_grad = False", "requires_grad", "True"),
        (f"{PARAMETER}.requires_gard = False", "requires_grad", "True"),
        ("model[0].requires_grad = False", "requires_grad", "True"),
        ("model.trainig = False", "training", "True"),
        ("model[2].P = 0.5", "", ""),  # too short a name
        ("model[1].momentun = 0.5", "momentum", "0.1"),
        ("optimizer.lr = 0.5", "lr", "0.1"),
    ],
)
def test_a_name_that_is_one_edit_away(folder, line, meant, actual):
    found = run(folder, f"{line}\ntrain()").of(Misspelt)
    assert [(event.meant, event.actual) for event in found] == ([(meant, actual)] if meant else [])


@pytest.mark.parametrize(
    "line",
    [
        f"{PARAMETER}.requires_grad = False",
        f"{PARAMETER}.tag = 'mine'",
        f"{PARAMETER}.require_grad = True",  # it has that value
        f"{PARAMETER}.require_grad = {PARAMETER}.requires_grad = False",
        "model.requires_grad = True",
        "model.name = 'mine'",
        "optimizer.lr = 0.1",
        "optimizer.title = 'mine'",
        "optimizer.defaults['grad_clip'] = 0.1; optimizer.grad_clip = 0",  # no option of PyTorch
    ],
)
def test_an_attribute_that_may_be_meant(folder, line):
    assert run(folder, f"{line}\ntrain()").of(Misspelt) == ()
