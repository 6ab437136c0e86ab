"""A training as a target: its name, its pins, how it is begun."""

from __future__ import annotations

import pytest

from symmetry.base.errors import TrainingError
from symmetry.trainings.training import TrainingTarget


@pytest.mark.parametrize("pins", [3, {"fc1": "many"}, {1: 2}])
def test_pins_are_numbers_by_name(pins):
    def make():
        return None

    make.expect_units = pins
    with pytest.raises(TrainingError, match="must map names of units to their numbers"):
        _ = TrainingTarget("training", make).expect_units


def test_what_is_pinned_and_how_it_goes_on_comes_from_the_function():
    def make():
        return None

    target = TrainingTarget("training", make)
    assert (target.expect_units, target.sequential, target.builtin) == ({}, False, False)
    make.expect_units, make.sequential = {"fc1": 3}, True
    assert (target.expect_units, target.sequential) == ({"fc1": 3}, True)


def test_what_runs_remember_does_not_make_another_target_of_it():
    def make():
        return None

    one, other = TrainingTarget("training", make), TrainingTarget("training", make)
    one.drawn["normal"] = 1
    assert one == other
    assert "drawn" not in repr(one)
