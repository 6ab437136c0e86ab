"""A training as a target: its name, its pins, how it is begun."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.training import target as training
from symmetry.training.target import OLDEST, TrainingTarget


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


def test_an_older_pytorch_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(training, "version", lambda _: "2.5.1+cpu")
    with pytest.raises(SymmetryError) as raised:
        TrainingTarget("train.py:training", lambda: None).start()
    assert str(raised.value) == (
        "PyTorch 2.5.1+cpu is too old: a training needs 2.6 or newer "
        "(pip install 'unit-symmetry[torch]')"
    )


def test_the_oldest_pytorch_is_the_one_that_the_extra_installs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["torch"]
    assert f"torch>={OLDEST[0]}.{OLDEST[1]}" in extra
