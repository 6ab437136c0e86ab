"""Generic starts, at which all units that can receive a gradient receive one."""

from __future__ import annotations

import torch
from torch import nn

from symmetry.finding.first_steps.generic import generic_start
from symmetry.finding.first_steps.gradients import take_first_steps
from symmetry.finding.first_steps.losses import begin_steps
from symmetry.finding.rehearsal import Rehearsal
from symmetry.training.capabilities.batching import FewSamples
from symmetry.training.target import FunctionTraining


def faint():
    """Make a training whose second layer changes the loss by less than rounding does."""
    model = nn.ModuleDict({"loud": nn.Linear(5, 4), "faint": nn.Linear(5, 4)})
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(i))
        x = x.to(model["loud"].weight.dtype)
        optimizer.zero_grad()
        y = model["loud"](x) + 1e-14 * model["faint"](x)
        y.square().mean().backward()
        optimizer.step()

    return model, step


def test_a_gradient_of_the_size_of_rounding_does_not_count_for_a_start():
    rehearsal = Rehearsal.begin(FunctionTraining("faint", faint))
    assert rehearsal.first.gradients.everywhere
    received = rehearsal.received.entries
    assert {name: entries.all() for name, entries in received.items()} == {
        "model.loud.weight": True,
        "model.loud.bias": True,
        "model.faint.weight": False,
        "model.faint.bias": False,
    }


def dead():
    """Make a training with a unit whose ReLU no sample passes."""
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, -0.3

    def step(i):
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(i))
        x = x.to(model[0].weight.dtype)
        model.zero_grad()
        model(x).square().mean().backward()

    return model, step


def test_a_generic_start_revives_dead_units():
    first = take_first_steps(FunctionTraining("dead", dead))
    assert not first.gradients.entries["model.0.bias"][1]
    steps, run, start, _ = begin_steps(FunctionTraining("dead", dead), first.gradients.ends)
    generic = generic_start(steps, start, {*run.parameters})
    assert generic.received.everywhere
    assert generic.state["model.0.bias"][1] > start["model.0.bias"][1]


def chosen(forward):
    """Choose a generic start on 4 of 32 samples; return it, and the training's own."""

    def make():
        model = nn.Linear(5, 4)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def batch(i):
            x = torch.randn(32, 5, generator=torch.Generator().manual_seed(i))
            return x.to(model.weight.dtype)

        def step(x):
            optimizer.zero_grad()
            forward(model, x).square().mean().backward()
            optimizer.step()

        return model, step, {"batch": batch}

    training = FunctionTraining("few", make)
    first = take_first_steps(training)
    steps, run, start, _ = begin_steps(training, first.gradients.ends)
    return generic_start(steps, start, {*run.parameters}, FewSamples(4)), start


def test_entries_that_only_samples_left_out_reach_receive_a_gradient():
    sizes = []

    def forward(model, x):
        sizes.append(len(x))
        return model(x) * torch.tensor([float(len(x) == 32), 1, 1, 0])

    generic, _ = chosen(forward)
    assert 4 in sizes
    assert generic.received.entries["model.bias"].tolist() == [True, True, True, False]


def test_a_start_at_which_only_samples_left_out_are_not_finite_is_not_chosen():
    sizes = []

    def forward(model, x):
        sizes.append(len(x))
        far = len(x) == 32 and model.bias.max() > 1
        return model(x) + (float("nan") if far else 0.0)

    generic, start = chosen(forward)
    assert 4 in sizes
    assert generic.results.finite
    assert (generic.state["model.bias"] != start["model.bias"]).any()
