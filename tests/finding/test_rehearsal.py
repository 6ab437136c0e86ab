"""Proofs of groups, on steps from more than one start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base.errors import TrainingError
from symmetry.finding.find import find
from symmetry.finding.rehearsal import Rehearsal
from symmetry.training.target import FunctionTraining
from symmetry.units.units import Part, Units
from tests.finding.test_first_steps import faint


def gated():
    """Make a training whose gates are equal at the start: their layer is zero there."""
    import torch
    from torch import nn

    model = nn.ModuleDict(
        {n: nn.Linear(5, 4) for n in ("inside", "gate")} | {"head": nn.Linear(4, 3)}
    )
    for parameter in model["gate"].parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(i))
        x = x.to(model["gate"].weight.dtype)
        optimizer.zero_grad()
        hidden = model["inside"](x).tanh() * model["gate"](x).sigmoid()
        model["head"](hidden).square().mean().backward()
        optimizer.step()

    return model, step


def test_a_group_holds_where_the_training_gets_to_as_well():
    rehearsal = Rehearsal.begin(FunctionTraining("gated", gated))
    # At these numbers all gates are wide open.
    wide = {"model.gate.bias": rehearsal.start["model.gate.bias"] + 99}
    generic = {**rehearsal.generic, **wide}
    rehearsal = replace(rehearsal, generic=generic, at_generic=rehearsal.steps.take(generic))
    inside = [Part("model.inside.weight", 0), Part("model.inside.bias", 0)]
    gate = [Part("model.gate.weight", 0), Part("model.gate.bias", 0)]
    wrong = Units("", 4, (*inside, Part("model.head.weight", 1)))
    right = Units("", 4, (*inside, *gate, Part("model.head.weight", 1)))
    assert rehearsal.survivors([wrong]) == []
    assert rehearsal.survivors([right]) == [right]


@pytest.mark.parametrize("wrong", [set(), {0}, {4}, {1, 6}, {*range(7)}])
def test_no_groups_are_tried_twice_to_find_those_that_fail(wrong, monkeypatch):
    tried = []

    def hold(_, groups, excused):
        tried.append(tuple(units.count for units in groups))
        return wrong.isdisjoint(tried[-1])

    monkeypatch.setattr(Rehearsal, "_hold", hold)
    groups = [Units("", count, ()) for count in range(7)]
    survivors = object.__new__(Rehearsal).survivors(groups)
    assert [units.count for units in survivors] == sorted({*range(7)} - wrong)
    assert len({*tried}) == len(tried)


def test_a_trace_takes_no_loss_out_of_its_tensor():
    """It would look like a step that branches on its loss."""
    trace, _ = Rehearsal.begin(FunctionTraining("gated", gated)).trace()
    assert all(node.outputs for node in trace.nodes)


@pytest.mark.parametrize("pause", [0, 1])
def test_units_are_found_in_the_steps_that_have_a_loss(pause):
    """A step that only collects data returns at once."""

    def make():
        model, step = faint()
        return model, lambda i: None if i % 2 == pause else step(i)

    (units,) = find(FunctionTraining("pausing", make)).groups
    assert units.arrays == ("model.loud.weight", "model.loud.bias")


def test_a_training_without_any_loss_has_no_units():
    def make():
        model, _ = faint()
        return model, lambda i: None

    with pytest.raises(TrainingError, match="neither computes gradients"):
        find(FunctionTraining("silent", make))
