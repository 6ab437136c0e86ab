"""``training/finite``, ``training/frozen`` and ``training/inplace``: what they say."""

from __future__ import annotations

import linecache

import pytest

from symmetry.invariants.training.finite import finite
from symmetry.invariants.training.frozen import frozen
from symmetry.invariants.training.inplace import inplace
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings import movement as broken
from tests.sound.trainings import movement as sound


def said(measure, make):
    return measure(TrainingStart(FunctionTraining("training", make), "float32")).violation.message


def line_of(measure, make):
    """Return the line that a violation names."""
    found = measure(TrainingStart(FunctionTraining("training", make), "float32")).violation
    return linecache.getline(found.file, found.line)


@pytest.mark.parametrize(
    ("make", "operation"),
    [
        (broken.root_of_zero, "sqrt"),
        (broken.power_of_zero, "pow"),
        (broken.hidden_by_where, "log"),
        (broken.angle_between_equals, "acos"),
    ],
)
def test_the_operation_is_named_whose_derivative_is_not_finite(make, operation):
    assert said(finite, make) == (
        "in step 3 model.fc1.bias has a gradient that is not finite, and the update makes it not "
        f"finite for ever: the derivative of {operation} is not finite there"
    )


def test_an_update_of_what_is_frozen_is_told_with_its_cure():
    message = said(frozen, broken.frozen_with_momentum)
    assert message.startswith("in step 2 the optimiser moves model.fc1.weight[")
    assert "although requires_grad is False" in message
    assert message.endswith("Leave it out of the optimiser, or set its .grad to None.")
    assert "torch.optim.SGD(" in line_of(frozen, broken.frozen_with_momentum)


def test_without_anything_frozen_there_is_nothing_to_say():
    start = TrainingStart(FunctionTraining("training", sound.nothing_in_place), "float32")
    assert not frozen(start).applies
    assert not inplace(start).applies


def test_what_is_overwritten_is_told_with_its_cure():
    message = said(inplace, broken.shortcut_overwritten)
    assert message.startswith("something else reads the tensor that a module with inplace=True")
    assert "use inplace=False there" in message
    assert "nn.ReLU(inplace=True)" in line_of(inplace, broken.shortcut_overwritten)
    assert "nn.ELU(inplace=True)" in line_of(inplace, broken.result_overwritten)
