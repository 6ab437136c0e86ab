"""A training as a target: its name, its pins, how it is begun."""

from __future__ import annotations

import pytest

from symmetry.base.errors import TrainingError
from symmetry.training import frameworks
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining


@pytest.mark.parametrize("pins", [3, {"fc1": "many"}, {1: 2}])
def test_pins_are_numbers_by_name(pins):
    def make():
        return None

    make.expect_units = pins
    with pytest.raises(TrainingError, match="must map names of units to their numbers"):
        _ = FunctionTraining("training", make).expect_units


def test_pins_come_from_the_function():
    def make():
        return None

    target = FunctionTraining("training", make)
    assert (target.expect_units, target.sequential, target.builtin) == ({}, False, False)
    make.expect_units = {"fc1": 3}
    assert target.expect_units == {"fc1": 3}


def test_its_framework_begins_its_runs(monkeypatch):
    seen = []
    paper = frameworks.Framework(lambda *given: seen.append(given), lambda _: True)
    monkeypatch.setattr(frameworks, "_FRAMEWORKS", {"paper": paper})
    target = FunctionTraining("training", lambda: None)
    settings = RunSettings(dtype="float64", seed=3, noise=False)
    target.begin(settings)
    assert seen == [(target.name, target.make, settings, target.cache)]


def test_what_a_function_returns_says_which_framework_it_is_written_in(monkeypatch):
    def refuse(*_, **__):
        raise frameworks.OtherFrameworkError("it is no drawing", "paper")

    drawn = frameworks.Framework(refuse, lambda returned: returned == "drawing")
    paper = frameworks.Framework(lambda *_, **__: "a run on paper", lambda value: value == "paper")
    monkeypatch.setattr(frameworks, "_FRAMEWORKS", {"sys": drawn, "paper": paper})
    target = FunctionTraining("training", lambda: None)
    assert [target.begin(), target.begin()] == ["a run on paper"] * 2
    monkeypatch.setattr(frameworks, "_FRAMEWORKS", {"sys": drawn})
    with pytest.raises(TrainingError, match="it is no drawing"):
        FunctionTraining("training", lambda: None).begin()


def test_what_runs_remember_does_not_make_another_target_of_it():
    def make():
        return None

    one, other = FunctionTraining("training", make), FunctionTraining("training", make)
    one.cache["normal"] = 1
    assert one == other
    assert "cache" not in repr(one)
