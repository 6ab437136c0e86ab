"""What is planned, and the one line for what makes no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.law.case import Case
from symmetry.report.verdicts import conclusion
from symmetry.steps.drawn_cases import draw_cases
from symmetry.targets.resolve import as_step_target, resolve
from symmetry.training.target import FunctionTraining
from tests.catalogues import STEPS, select
from tests.checking import check_target, plan_of
from tests.steps import checked as steps
from tests.training.small import training

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
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295, not -1"),
        ({"seed": 10**23}, "seed must be an integer from 0 to 4294967295, not 1"),
        ({"require": "13"}, "--require 13 can never be met: 10 invariants can be judged"),
        ({"require": "network/gradient"}, "--require network/gradient can never be met: it is not"),
        ({"require": "symmetry/pur"}, "no invariant matches 'symmetry/pur', did you mean"),
        ({"gate": "loss/scaling"}, "no note matches 'loss/scaling': this target has none"),
        ({"steps": True}, "steps must be an integer of at least 2, not True"),
        ({"dtype": ["half"]}, "dtype must be one of float32, float64, not 'half'"),
        ({"expected_failures": {"clone": "x"}}, "cannot expect a failure of 'clone': there are"),
        ({"expected_failures": {"symmetry/pure": " "}}, "of symmetry/pure needs a reason"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, message):
    with pytest.raises(SymmetryError, match=message):
        plan_of(OWN, **options)


SMALL = FunctionTraining("small", training())


def test_a_gate_or_a_requirement_that_is_not_selected_is_refused():
    gate = {"gate": "model/draws", "only": "symmetry/repeatable"}
    with pytest.raises(SymmetryError, match="--gate model/draws can never fail: model/evaluation"):
        plan_of(SMALL, **gate)
    assert plan_of(SMALL, **gate | {"only": "model/*"}).invariants
    with pytest.raises(SymmetryError, match="--require model/samples can never be met: it is not"):
        plan_of(SMALL, require="model/samples", only="symmetry/repeatable")
    with pytest.raises(SymmetryError, match="no note matches 'model/draw', did you mean 'model/dr"):
        plan_of(SMALL, gate="model/draw")


def test_a_requirement_that_is_not_met_is_told():
    only = ("symmetry/repeatable", "training/moves", "loop/batches")
    met = check_target(SMALL, only=only, dtype="float32", require=["2", "training/moves"])
    assert (met.unmet, met.status) == ((), 0)
    missed = check_target(SMALL, only=only, dtype="float32", require=["3", "loop/*"])
    assert missed.status == 2
    first, second = missed.unmet
    assert first == "--require 3: only 2 invariants could be judged"
    assert second.startswith("--require loop/*: loop/batches was not judged: only a script")
    assert conclusion(missed).startswith("a requirement is not met: --require 3: only 2 inv")


def test_a_fact_is_noted_once():
    def evaluating():
        model, step = training()()
        model.append(torch.nn.Dropout())
        return model.eval(), step

    import torch

    found = check_target(FunctionTraining("f", evaluating), only=["model/*", "loop/modes"])
    assert [note.name for note in found.notes] == ["model/evaluation-mode"]
