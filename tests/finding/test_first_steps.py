"""Steps up to their losses."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from symmetry.base.errors import TrainingError
from symmetry.finding.first_steps import (
    ReceivedGradients,
    StepResults,
    begin_steps,
    entries_in_any,
    generic_start,
    largest_difference,
    take_first_steps,
)
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


FIRST, SECOND = np.array([True, False]), np.array([False, True])


def received(ends=((1, 0),), **entries):
    return ReceivedGradients(entries, {}, 1, ends)


def test_entries_are_counted():
    assert received(a=FIRST, b=FIRST).count == 2
    assert not received(a=FIRST).everywhere
    assert received(a=FIRST | SECOND).everywhere
    assert not received().everywhere


def test_the_same_entries():
    assert received(a=FIRST).has_same_entries(received(a=FIRST.copy()))
    assert not received(a=FIRST).has_same_entries(received(a=SECOND))
    assert not received(a=FIRST).has_same_entries(received(b=FIRST))


def test_entries_of_several_runs_are_united():
    union = entries_in_any(received(a=FIRST), received(a=SECOND, b=FIRST))
    assert {name: entries.tolist() for name, entries in union.items()} == {
        "a": [True, True],
        "b": [True, False],
    }
    assert entries_in_any(received(a=FIRST), received(ends=((0, 1),))) == {}
    assert entries_in_any(received(a=FIRST & SECOND)) == {}


def test_a_parameter_may_receive_its_first_gradient_in_the_second_step():

    def make():
        model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])

        def step(i):
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(i))
            x = x.to(model[0].weight.dtype)
            loss = sum(layer(x).square().mean() for layer in model[: i + 1])
            loss.backward()

        return model, step

    gradients = take_first_steps(FunctionTraining("late", make)).gradients
    assert gradients.steps == 2
    assert gradients.everywhere
    assert gradients.at_once["model.0.weight"].all()
    assert not gradients.at_once["model.1.weight"].any()
    assert gradients.ends == [(1, 0), (1, 0)]


def test_differences_are_relative_and_over_common_steps():
    one, other = StepResults([2.0, 4.0], []), StepResults([2.0, 5.0], [])
    assert largest_difference(one, other) == 0.25
    assert largest_difference(one, StepResults([2.0], [])) == 0
    assert largest_difference(one, StepResults([], [])) == 0


def test_results_are_finite_if_all_losses_are_numbers():
    assert StepResults([1.0, 2.0], []).finite
    assert not StepResults([1.0, float("nan")], []).finite


def normalising(*, needs_gradients=True, sizes=(5, 3)):
    """Make a training that divides by its gradients before the loss."""
    model = nn.Linear(*sizes)
    model.register_buffer("calls", torch.zeros(()))

    def step(i):
        x = torch.randn(8, sizes[0], generator=torch.Generator().manual_seed(i))
        model.calls += 1
        y = model(x.to(model.weight.dtype))
        y.mean().backward()
        if needs_gradients:
            norm = model.weight.grad.norm()
            (y / norm).square().mean().backward()

    return model, step


def test_a_manner_is_found_in_which_losses_are_finite():
    target = FunctionTraining("normalising", normalising)
    steps, _, start, results = begin_steps(target, [(2, 0), (2, 0)])
    assert steps.manner.gradient == 1e-3
    assert results.finite
    assert steps.buffers == ("model.calls",)
    assert [after["model.calls"] for after in results.buffers] == [1, 2]
    assert steps.take(start).losses == results.losses


def test_steps_end_once_their_results_suffice():
    target = FunctionTraining("plain", lambda: normalising(needs_gradients=False))
    steps, _, start, results = begin_steps(target, [(1, 0), (1, 0)])
    assert steps.manner.gradient is None
    assert steps.take(start, lambda so_far: bool(so_far.losses)).losses == results.losses[:1]


@pytest.mark.parametrize("dear", [False, True])
def test_steps_are_dear_if_they_take_longer_than_a_start(dear):
    def work():
        began = time.process_time()
        while time.process_time() < began + 0.1:
            pass

    def make():
        model, step = normalising(needs_gradients=False)
        if dear:
            return model, lambda i: (work(), step(i))[1]
        work()
        return model, step

    assert begin_steps(FunctionTraining("dear", make), [(1, 0), (1, 0)])[0].dear == dear


def test_a_step_without_loss_is_an_error():

    target = FunctionTraining("idle", lambda: (torch.nn.Linear(2, 2), lambda i: None))
    with pytest.raises(TrainingError, match=r"step\(0\) neither computes gradients"):
        begin_steps(target, [(0, 0), (0, 0)])
