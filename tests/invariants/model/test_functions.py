"""``model/functions``: which slopes are accused, and in which words."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import Function

from symmetry.base.user_code import shorten
from symmetry.invariants.model.functions import functions
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from symmetry.training.trial import HANDS_INPUT_ON
from tests.sound.trainings.functions import activated, gradient_is_reversed
from tests.sound.trainings.steps import classify, plain


class Double(Function):
    """Doubles; its backward may say something else."""

    times = 2.0

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return Double.times * grad


def measured(make):
    return functions(TrainingStart(FunctionTraining("training", make), "float64"))


def doubling():
    return activated(Double)


def test_a_right_backward_holds():
    found = measured(doubling)
    assert found.counted
    assert found.violation is None
    assert found.margin < 1


@pytest.mark.parametrize("times", [1.0, 2.001, -2.0])
def test_a_wrong_factor_is_a_violation(monkeypatch, times):
    monkeypatch.setattr(Double, "times", times)
    violation = measured(doubling).violation
    assert violation.message.startswith(
        "the backward of Double is not the derivative of its forward: it claims that x changes "
    )
    assert violation.message.endswith("test it with torch.autograd.gradcheck")
    assert violation.file == shorten(__file__)
    assert violation.line == Double.backward.__code__.co_firstlineno + 1


def test_a_function_that_hands_its_input_on_is_not_judged():
    found = measured(gradient_is_reversed)
    assert found.violation is None
    assert not found.counted
    assert found.note == (f"cannot judge Reverse: {HANDS_INPUT_ON}")


def test_without_custom_functions_there_is_nothing_to_judge():
    def make():
        model = nn.Linear(6, 4)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        return plain(model, optimizer, lambda i: classify(model, i))

    found = measured(make)
    assert not found.applies
    assert found.note == "it calls no function with a derivative of its own"
