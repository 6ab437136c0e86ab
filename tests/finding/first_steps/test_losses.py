"""Steps up to their losses."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from symmetry.base.errors import TrainingError
from symmetry.finding.first_steps.losses import StepResults, begin_steps, largest_difference
from symmetry.training.target import FunctionTraining


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
