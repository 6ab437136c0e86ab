"""A promoted run that is another training is noticed, and sound ones are the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.checker.options import Options
from symmetry.session import check, plan_check
from symmetry.targets.training import TrainingTarget
from symmetry.training.promoted import departure
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining


def training(loss=lambda loss, _: loss, draw=lambda: 0.0, gradient=lambda g, _: g):
    """Return a training whose loss and gradients may depend on the precision."""

    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            wide = model[0].weight.dtype is torch.float64
            optimizer.zero_grad()
            x = torch.linspace(-1, 1, 32).view(8, 4) + i + draw()
            loss(model(x).square().mean(), wide).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.grad.copy_(gradient(parameter.grad, wide))
            optimizer.step()

        return model, step

    return FunctionTraining("training", make)


SAME = {
    "the same": training(),
    "scaled as by a gradient scaler": training(lambda loss, wide: loss * (1 if wide else 1024)),
    "of noise with more bits": training(
        lambda loss, wide: loss + wide, draw=lambda: torch.randn(8, 4)
    ),
}
OTHER = {
    "a loss of something else": (
        training(lambda loss, wide: loss + wide),
        "its first loss is ",
    ),
    "an update of something else": (
        training(gradient=lambda g, wide: -g if wide else g),
        "its first update is another one there",
    ),
}


def departed(target):
    return departure(TrainingStart(target, "float32"), TrainingStart(target, "float64"))


@pytest.mark.parametrize("target", SAME.values(), ids=SAME)
def test_a_promoted_run_is_the_training_as_written(target):
    assert departed(target) == ""


@pytest.mark.parametrize(("target", "text"), OTHER.values(), ids=OTHER)
def test_a_promoted_run_that_is_another_training_is_told(target, text):
    assert departed(target).startswith(text)


def test_nothing_is_judged_in_float64_then():
    target, _ = OTHER["a loss of something else"]
    options = Options(only=("symmetry/permutation", "training/moves"))
    checked = check(plan_check(TrainingTarget(target), options))
    kinds = {(v.invariant, v.dtype): v for v in checked.verdicts}
    assert kinds["symmetry/permutation", "float32"].kind == "holds"
    assert kinds["symmetry/permutation", "float64"].kind == "not applicable"
    text = "nothing is judged in float64: its first loss is "
    assert kinds["symmetry/permutation", "float64"].message.startswith(text)
