"""Moments of an optimiser that follow no unit are left out; those of the wrong unit are not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.finding.find import find
from symmetry.invariants.symmetry.own_bases import but_for_own_bases
from symmetry.invariants.symmetry.permutation import INVARIANT
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.sound.trainings.bases import Each, Soap
from tests.sound.trainings.models import numbers


class Momentum(Each):
    """Every other unit counts twice."""

    def update(self, parameter, gradient):
        momentum = self.kept(parameter, "momentum", torch.zeros_like(parameter))
        twice = 1 + torch.arange(len(gradient)) % 2
        momentum.mul_(0.9).add_((gradient.T * twice).T)
        return momentum


class Unread(Momentum):
    """The same, and nothing reads them: they do not even keep their numbers."""

    def update(self, parameter, gradient):
        super().update(parameter, gradient)
        return gradient


def measured(optimiser):
    def training():
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        update = optimiser(model.parameters(), 1e-2)

        def step(i):
            update.zero_grad()
            model(numbers(8, 5, seed=i)).square().mean().backward()
            update.step()

        return model, step

    target = FunctionTraining("training", training)
    return INVARIANT.measured(TrainingStart(target, "float64").with_units(find(target).groups))


def test_moments_in_another_basis_are_left_out():
    found = measured(Soap)
    assert found.violation is None
    assert found.counted
    assert "second" not in (found.array or "")


@pytest.mark.parametrize("optimiser", [Momentum, Unread])
def test_moments_that_treat_units_unequally_are_not(optimiser):
    assert measured(optimiser).violation is not None


def test_a_difference_by_rounding_is_no_suspicion():
    """Clones differ by some ulps in most trainings: all draws of a response for that are dear."""
    by_rounding = Violation("1 ulp", 1, "optimizer.exp_avg.0.weight", rounding=True)
    measured = Measurement(True, violation=by_rounding, array=by_rounding.array)
    start = object()  # no run may be asked for
    assert but_for_own_bases(lambda _: measured)(start) is measured
