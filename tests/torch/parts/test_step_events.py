"""What a run sees of its steps: losses, backwards, updates."""

from __future__ import annotations

import pytest

from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.run import needed
from tests.torch.runs import run, same, training


def test_losses_are_those_of_backward_or_of_grad_or_what_is_returned():
    import torch

    def make():
        model = torch.nn.Linear(1, 1)

        def step(i):
            loss = model(torch.ones(1, 1)).sum()
            if i == 0:
                return loss
            if i == 2:
                torch.autograd.grad(3 * loss, model.weight)
                return loss
            (2 * loss).backward()
            loss.detach().requires_grad_().backward()
            return loss

        return model, step

    taken = run(make)
    taken.step()
    assert len(taken.events.losses) == 1
    first = taken.loss
    taken.step()
    assert len(taken.events.losses) == 2
    assert taken.loss == pytest.approx(3 * first)
    taken.step()
    assert (len(taken.events.losses), taken.events.backwards, taken.events.grads) == (1, 0, 1)
    assert taken.loss == pytest.approx(3 * first)


def test_updates_use_up_gradients_that_are_pending():
    taken, seen = run(training()), []
    events = taken.events
    with events.listening(
        after_backward=lambda: seen.append(("backward", events.pending)),
        before_update=lambda optimizer: seen.append((optimizer.kind, events.updates)),
        after_update=lambda optimizer: seen.append((optimizer.kind, events.updates)),
    ):
        taken.step()
    assert seen == [("backward", True), ("Adam", 0), ("Adam", 1)]
    assert (events.backwards, events.updates, events.pending) == (1, 1, False)
    assert taken.trained == taken.optimizers.held == taken.optimizers.trainable


def test_a_rehearsal_ends_before_its_last_backward():
    taken, before = run(training()), run(training()).state()
    needed(taken, Rehearsing).rehearse(1, 0)
    assert taken.loss is not None
    assert (taken.events.backwards, taken.events.updates) == (1, 0)
    assert taken.arrays.gradients() == {}
    assert same(taken.state(), before)
