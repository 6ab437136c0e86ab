"""The example at the head of ``symmetry.torch.run`` is what happens."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from symmetry.torch.begin import begin
from symmetry.training.run import RunSettings


def training():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    return model, step


def test_the_example_happens_as_it_is_told():
    outside = torch.get_rng_state()
    run, seen = begin("training", training, RunSettings(dtype="float64")), []
    assert [*run.parameters] == ["model.weight", "model.bias"]
    assert list(run.objects.optimizers) == ["optimizer"]
    initial = run.state()
    assert {array.dtype for array in initial.values()} == {np.dtype("float64")}
    listening = run.events.listening(
        on_loss=lambda loss: seen.append(("loss", loss.dtype)),
        after_backward=lambda: seen.append(("backward", run.trained)),
        before_update=lambda optimizer: seen.append(("before", optimizer.kind)),
        after_update=lambda optimizer: seen.append(("after", optimizer.kind)),
    )
    with listening:
        run.step()
    assert seen == [
        ("loss", torch.float64),
        ("backward", frozenset(run.parameters)),
        ("before", "SGD"),
        ("after", "SGD"),
    ]
    assert run.taken == 1
    assert run.loss == initial["model.weight"].sum() + initial["model.bias"].sum()
    assert run.state().keys() == initial.keys()
    assert torch.equal(torch.get_rng_state(), outside)
