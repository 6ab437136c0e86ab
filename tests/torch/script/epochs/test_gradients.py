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
