"""``symmetry/stuck``: what is said of a layer that is one unit."""

from __future__ import annotations

import linecache

import pytest

from symmetry.finding.find import find
from symmetry.invariants.stuck import stuck
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings import movement as broken
from tests.finding import models


def measured(make):
    target = FunctionTraining("training", make)
    return stuck(TrainingStart(target, "float64").with_units(find(target).groups))


@pytest.mark.parametrize("make", [broken.constant_init, broken.zeros_everywhere])
def test_a_layer_of_copies_is_told_in_plain_words(make):
    violation = measured(make).violation
    assert violation.message == (
        "all 9 fc1 units start with the same numbers, and nothing makes them different: "
        "they receive the same gradients, and after 4 steps they are still copies of one unit. "
        "The layer can never be more than one unit. So do fc2 units. Start its weights at random: "
        "as PyTorch does, or by nn.init.xavier_uniform_."
    )
    assert violation.group == "fc1 units"
    assert violation.file == "tests/sound/trainings/models.py"
    assert "self.fc1" in linecache.getline(violation.file, violation.line)


def test_without_an_update_nothing_is_judged():
    def make():
        model, step = models.mlp()
        for parameter in model.parameters():
            parameter.data.fill_(0.1)
        return model, step

    found = measured(make)
    assert (found.counted, found.note) == (False, "nothing moved")
