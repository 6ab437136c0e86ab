"""What is compiled against the same code without a compiler, with its noise."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from symmetry.invariants.training.eager import INVARIANT
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings.settings import compiled_in_16_bits_with_dropout
from tests.sound.trainings import models
from tests.sound.trainings.settings import compiled
from tests.sound.trainings.steps import classify, plain

pytestmark = pytest.mark.slow  # to import the compiler takes 2 seconds


def measured(make):
    return INVARIANT.measured(TrainingStart(FunctionTraining("training", make), "float32"))


class Noise(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


def test_compiled_code_with_dropout_is_compared_as_it_is_compiled():
    found = measured(compiled_in_16_bits_with_dropout)
    assert found.ratio > 100
    assert "of a run from this start without the compiler" in found.violation.message


@pytest.mark.parametrize("noise", [nn.Dropout(0.3), Noise()])
def test_the_same_noise_is_sound(noise):
    found = measured(partial(compiled, False, noise))
    assert (found.violation, found.counted, found.random) == (None, True, ())
    assert found.ratio == 0


@pytest.mark.parametrize("noise", [nn.Dropout(0.3), Noise()])
def test_a_compiler_that_draws_other_numbers_is_not_accused(noise):
    found = measured(partial(compiled, False, noise, before=lambda: torch.rand(1)))
    assert (found.violation, found.counted) == (None, False)
    assert "perhaps only because it draws in another order" in found.note


def test_inductor_draws_as_eager_code():
    def make():
        model = nn.Sequential(nn.Dropout(0.3), Noise(), models.MLP())
        fast = torch.compile(model)
        return plain(model, torch.optim.SGD(model.parameters(), 0.1), partial(classify, fast))

    found = measured(make)
    assert (found.violation, found.counted) == (None, True)
