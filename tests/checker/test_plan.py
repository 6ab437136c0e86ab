"""What is planned, and the one line for what makes no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.law.case import Case
from symmetry.steps.cases.strategies import draw_cases
from symmetry.targets.resolve import as_step_target, resolve
from tests.catalogues import STEPS, select
from tests.checking import check_target, plan_of
from tests.steps import checked as steps

CASE = Case(9, 4, 5, 3, 0.5, 3, "float32", "pixels", "scaled", 0)
OWN = as_step_target(steps.sound, "mine")


def test_what_is_applicable():
    def applicable(target, **patterns):
        return plan_of(target, examples=1, **patterns).invariants

    assert applicable(resolve("numba")) == STEPS
    assert applicable(OWN) == select(["symmetry/*"])
    assert applicable(OWN, only=["*"]) == STEPS
    assert applicable(OWN, skip="*/pure") == select(["symmetry/*"], ["symmetry/pure"])
    with pytest.raises(SymmetryError, match="no invariant matches 'network'"):
        applicable(OWN, only=["network"])


def test_cases_are_drawn_for_the_dtypes_that_are_asked_for():
    assert plan_of(OWN, examples=5, seed=3).cases == draw_cases(5, 3)
    assert plan_of(OWN, examples=5, dtype=["float64"]).cases == draw_cases(5, 0, ["float64"])


def test_given_cases_are_run_as_they_are():
    cases = [CASE, replace(CASE, dtype="float64")]
    assert plan_of(OWN, cases=cases).cases == tuple(cases)
    assert plan_of(OWN, cases=cases, dtype=["float32"]).cases == (CASE,)
    with pytest.raises(SymmetryError, match="no case is in float64"):
        plan_of(OWN, cases=[CASE], dtype=["float64"])


def test_every_case_has_as_many_samples_as_asked_for():
    cases = plan_of(OWN, examples=40, min_samples=3).cases
    drawn = draw_cases(40, 0)
    assert min(case.n for case in drawn) < 3
    assert cases == tuple(replace(case, n=max(case.n, 3)) for case in drawn)


def test_the_heading_says_what_is_checked_on_what():
    heading = plan_of(OWN, only=["*/pure"], examples=4, seed=2).heading
    assert heading[0] == "mine: 1 invariant on 4 cases in float32 and in float64, seed 2"
    assert heading[1].startswith("one BLAS and OpenMP thread")
    given = plan_of(OWN, only=["*/pure"], cases=[CASE], exact=True).heading
    assert given[0] == "mine: 1 invariant on 1 given case, exactly"


def test_a_plan_that_is_run_says_what_it_checked():
    checked = check_target(OWN, only=["*/pure"], examples=2)
    assert (checked.target, checked.seed, checked.examples) == ("mine", 0, 2)
    assert [verdict.kind for verdict in checked.verdicts] == ["holds", "holds"]
    assert checked.remarks == ()
    (note,) = plan_of(OWN, examples=1).remarks
    assert note.startswith("network/* not checked: add --only '*'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": 0}, "examples must be an integer of at least 1, not 0"),
        ({"seed": -1}, "seed must be an integer of at least 0, not -1"),
        ({"min_samples": True}, "min_samples must be an integer of at least 1, not True"),
        ({"dtype": ["half"]}, "dtype must be one of float32, float64, not 'half'"),
        ({"expected_failures": {"clone": "x"}}, "cannot expect a failure of 'clone': there are"),
        ({"expected_failures": {"symmetry/pure": " "}}, "of symmetry/pure needs a reason"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, message):
    with pytest.raises(SymmetryError, match=message):
        plan_of(OWN, **options)
