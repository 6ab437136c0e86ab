"""Which backwards are lost, and which something reads."""

from __future__ import annotations

import pytest
from torch.optim import Optimizer

from symmetry.training.events import Backward, Cleared, Clipped, Updated
from tests.torch.script.epochs.helpers import run

LOSS = "nn.functional.cross_entropy(model(x), y)"
LOOP = "for x, y in loader:\n    {}\n    optimizer.zero_grad()\n"


def lost(epochs):
    return [number for event in epochs.of(Cleared) for number in event.lost]


@pytest.mark.parametrize(
    "clear",
    [
        "optimizer.zero_grad()",
        "model.zero_grad(set_to_none=False)",
        "[setattr(p, 'grad', None) for p in model.parameters()]",
    ],
)
def test_what_is_cleared_before_the_update_is_lost(folder, clear):
    text = f"for x, y in loader:\n    {LOSS}.backward()\n    {clear}\n    optimizer.step()\n"
    assert lost(run(folder, text)) == [0, 1]


@pytest.mark.parametrize(
    "reading",
    [
        "optimizer.step()",
        "norm = sum(p.grad.norm() for p in model.parameters())",
        "nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
    ],
)
def test_what_something_reads_is_not_lost(folder, reading):
    text = LOOP.format(f"{LOSS}.backward()\n    {reading}")
    assert lost(run(folder, f"train()\n{text}")) == []


@pytest.mark.parametrize(
    ("clip", "limit"),
    [
        ("clip_grad_norm_(model.parameters(), max_norm=0.5)", 0.5),
        ("clip_grad_norm_(max_norm=0.5, parameters=model.parameters(), norm_type=1.0)", 0.5),
        ("clip_grad_value_(model.parameters(), clip_value=0.1, foreach=False)", 0.1),
    ],
)
def test_a_clip_may_name_its_arguments(folder, clip, limit):
    text = LOOP.format(f"{LOSS}.backward()\n    nn.utils.{clip}\n    optimizer.step()")
    clips = run(folder, text).of(Clipped)
    assert [(event.limit, event.gradients) for event in clips] == [(limit, 6)] * len(clips)
    assert clips


class Accumulating(Optimizer):
    """Passes on every second call of each method, as accelerate's optimiser does."""

    def __init__(self, optimizer):
        self.optimizer, self.batch = optimizer, 0

    param_groups = property(lambda wrapper: wrapper.optimizer.param_groups)

    def step(self):
        if self.batch % 2:
            self.optimizer.step()

    def zero_grad(self):
        if self.batch % 2:
            self.optimizer.zero_grad()
        self.batch += 1


def test_a_wrapper_that_clears_nothing_loses_nothing(folder):
    own = f"from {__name__} import Accumulating\noptimizer = Accumulating(optimizer)\n"
    text = own + LOOP.format(f"({LOSS} / 2).backward()\n    optimizer.step()") * 2
    epochs = run(folder, text)
    updates = epochs.of(Updated)
    assert [event.backwards for event in updates[:2]] == [(0, 1), (2, 3)]
    assert not any(event.again for event in updates)
    assert lost(epochs) == []


def test_an_attack_on_the_inputs_is_seen_to_reach_them(folder):
    text = LOOP.format(f"x.requires_grad_()\n    {LOSS}.backward()")
    epochs = run(folder, f"train()\n{text}")
    own, attacks = epochs.of(Backward)[:2], epochs.of(Backward)[2:]
    assert [event.beside for event in own] == [False, False]
    assert {event.beside for event in attacks} == {True}
    assert lost(epochs) == []


def test_an_update_names_the_backwards_that_it_reads_again(folder):
    text = f"for x, y in loader:\n    {LOSS}.backward()\n    optimizer.step()\n"
    updates = run(folder, text).of(Updated)
    assert [(event.backwards, event.again) for event in updates] == [((0,), ()), ((0, 1), (0,))]


def test_the_last_operation_of_a_loss_is_told(folder):
    text = LOOP.format(f"({LOSS} / 2).backward()\n    optimizer.step()")
    assert {event.operation for event in run(folder, text).of(Backward)} == {"DivBackward0"}


@pytest.mark.parametrize(
    "backward",
    [
        "{}.backward()",
        "torch.autograd.backward(({},))",
        "torch.autograd.backward(tensors={})",
        "[*map(setattr, p := [*model.parameters()], ['grad'] * 6, torch.autograd.grad({}, p))]",
    ],
)
def test_each_backward_is_seen_once(folder, backward):
    text = backward.format(LOSS)
    found = run(folder, f"for x, y in loader:\n    {text}\n    optimizer.step()\n")
    assert not found.refused
    assert [event.number for event in found.of(Backward)] == [0, 1]
