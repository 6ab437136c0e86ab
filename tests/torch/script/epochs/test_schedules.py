"""After how many steps schedules end."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from symmetry.torch.script.epochs.schedules import _end, _settings
from symmetry.training.events import Scheduled, Updated
from tests.torch.script.epochs.helpers import run


def cosine(step, end=30):
    """Return the rate of transformers: it grows again behind its end."""
    return max(0.0, 0.5 * (1 + math.cos(math.pi * step / end)))


def falling(end):
    return lambda step: 1 - step / end


def fails_beyond(step):
    return [1.0, 0.5, 0.25][step]


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda o: CosineAnnealingLR(o, T_max=7), 7),
        (lambda o: OneCycleLR(o, 0.1, total_steps=9), 9),
        (lambda o: LinearLR(o, 1.0, 0.1, total_iters=5), 5),
        (lambda o: LinearLR(o, 0.1, 1.0, total_iters=5), None),  # a warm-up
        (lambda o: PolynomialLR(o, total_iters=6), 6),
        (lambda o: StepLR(o, 3), None),
        (lambda o: LambdaLR(o, cosine), 30),
        (lambda o: LambdaLR(o, lambda n: min(1, n / 4) * max(0.1, 1 - n / 40)), 36),
        (lambda o: LambdaLR(o, lambda n: 0.9**n), 132),  # almost zero
        (lambda o: LambdaLR(o, lambda n: 1 / (n + 1) ** 0.5), None),
        (lambda o: LambdaLR(o, lambda _: 1.0), None),
        (lambda o: LambdaLR(o, fails_beyond), None),
    ],
)
def test_a_schedule_ends_after_so_many_steps(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], 0.1)
    assert _end(make(optimizer)) == steps


def test_schedules_that_follow_each_other_end_with_the_last():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], 0.1)
    parts = [LinearLR(optimizer, 0.1, total_iters=4), CosineAnnealingLR(optimizer, 10)]
    assert _end(SequentialLR(optimizer, parts, [4])) == 14


def test_a_scheduler_within_another_has_no_steps_of_its_own(folder):
    text = """
lr = torch.optim.lr_scheduler
parts = [lr.LinearLR(optimizer, 0.1, total_iters=2), lr.CosineAnnealingLR(optimizer, 10)]
scheduler = lr.SequentialLR(optimizer, parts, [2])
for x, y in loader:
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    scheduler.step()
"""
    epochs = run(folder, text)
    (scheduler,) = epochs.schedulers
    assert (scheduler.kind, scheduler.steps) == ("SequentialLR", 12)
    steps = [event for event in epochs.of(Scheduled) if event.scheduler == scheduler.number]
    assert len(steps) == len(epochs.of(Updated)) > 0


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (lambda o: StepLR(o, 3), lambda o: StepLR(o, 3), True),
        (lambda o: StepLR(o, 3), lambda o: StepLR(o, 4), False),
        (lambda o: LinearLR(o, 0.1, 1.0), lambda o: LinearLR(o, 1.0, 0.1), False),
        (lambda o: LambdaLR(o, lambda n: 0.9**n), lambda o: LambdaLR(o, lambda n: 0.9**n), True),
        (lambda o: LambdaLR(o, lambda n: 0.9**n), lambda o: LambdaLR(o, lambda n: 0.8**n), False),
        (lambda o: LambdaLR(o, falling(5)), lambda o: LambdaLR(o, falling(6)), False),
        (lambda o: LambdaLR(o, partial(cosine, end=9)),) * 2 + (True,),
        (lambda o: LambdaLR(o, partial(cosine, end=9)), lambda o: LambdaLR(o, cosine), False),
    ],
)
def test_schedulers_with_the_same_settings_are_alike(one, other, alike):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    assert (_settings(one(optimizer)) == _settings(other(optimizer))) == alike
