"""Checks of trainings with drawn arguments: found, shrunk, refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symmetry
from symmetry.base.errors import SymmetryError
from symmetry.report.failures import command_for
from tests.targets.sizes import trainings

CHEAP = ["training/sizes", "symmetry/repeatable"]


def checked(training, **options):
    return symmetry.check(training, **{"only": CHEAP, "examples": 5, "dtype": "float32", **options})


def verdict(report, name, kind):
    return next(v for v in report if (v.invariant, v.kind) == (name, kind))


def test_a_size_that_raises_is_shrunk():
    report = checked(trainings.one_sample, only="training/sizes")
    (found,) = report
    assert found.smallest.arguments == "hidden=1 size=1"
    assert found.message.startswith("raises IndexError: ")
    assert found.message.endswith(" at size=1; runs at size=2")
    assert found.file.endswith("tests/targets/sizes/trainings.py")
    name = "tests.targets.sizes.trainings:one_sample"
    assert command_for(name, found) == f"symmetry check {name} -- hidden=1 size=1"


@pytest.mark.slow
def test_a_violation_is_shrunk_and_explained():
    report = checked(trainings.remainder, only="symmetry/permutation", examples=3, dtype="float32")
    found = verdict(report, "symmetry/permutation", "violated")
    assert found.smallest.arguments == "hidden=5 rate=0.1"
    assert found.smallest.where == "fails at hidden=5, not at hidden=8"
    text = repr(report)
    assert "fails at hidden=5, not at hidden=8; smallest arguments: hidden=5 rate=0.1" in text
    assert "symmetry explain tests.targets.sizes.trainings:remainder -- hidden=5 rate=0.1" in text


def test_sound_sizes_hold_together():
    report = checked(trainings.sound)
    assert report.ok
    assert report.sizes.number == 5
    found = verdict(report, "symmetry/repeatable", "holds")
    assert found.counted == 5 * 3


def test_refused_sizes_are_counted():
    report = checked(trainings.refusing)
    assert report.ok
    assert 0 < report.sizes.refused < 5
    assert report.sizes.refusal.startswith("ValueError: hidden must be even (")


def test_a_search_that_is_refused_says_so():
    report = checked(trainings.never)
    assert not report.ok
    assert "more than nine of ten were refused: narrow the ranges" in repr(report)


def test_what_raises_at_all_sizes_is_no_matter_of_sizes():
    (found,) = checked(trainings.always, only="training/sizes")
    assert found.kind == "error"
    assert "at all sizes" in found.message


def test_a_rate_that_is_too_large_is_not_judged():
    report = checked(trainings.diverging)
    assert report.ok
    assert report.sizes.unjudged == 1


def test_what_cannot_be_typed_is_refused():
    with pytest.raises(SymmetryError, match=r"kind draws <class .*, which cannot be typed"):
        checked(trainings.modules)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(hidden=st.integers(1, 8))
def test_arguments_may_be_drawn_by_the_caller(hidden):
    assert checked(trainings.sound, arguments={"hidden": hidden}, examples=1)


def test_given_arguments_leave_one_training():
    given = {"hidden": 3, "size": 2, "rate": 0.1}
    report = symmetry.check(trainings.sound, arguments=given, only="symmetry/repeatable")
    assert report.ok
    assert report.sizes is None
    assert report.target == "tests.targets.sizes.trainings:sound hidden=3 size=2 rate=0.1"
    with pytest.raises(SymmetryError, match="cannot be called with hiden=3"):
        symmetry.check(trainings.sound, arguments={"hiden": 3})


def test_a_budget_is_for_one_training():
    with pytest.raises(SymmetryError, match="--budget is for one set of them: give all"):
        symmetry.check(trainings.sound, budget=60)


def test_one_training_is_explained_at_a_time():
    with pytest.raises(SymmetryError, match=r"give all of them, as in '.* hidden=33'"):
        symmetry.explain(trainings.refusing)


def test_a_size_that_is_written_in_is_no_fault_of_all_sizes():
    (found,) = checked(trainings.written, only="training/sizes", examples=2)
    assert found.kind == "violated"
    assert found.message.endswith(" at size=1; runs at size=11")
