"""What a measurement means, as a verdict."""

from __future__ import annotations

import json
import math

import pytest

from symmetry.base.calls import calling, running
from symmetry.base.errors import BudgetSpent, SymmetryError, TargetError
from symmetry.base.raised import raised_as
from symmetry.base.records import dump
from symmetry.checker.examiner import Budget, verdict_of
from symmetry.checker.options import Options
from symmetry.checker.verdict import Verdict
from symmetry.invariants.catalogue import BUDGETED, CATALOGUE, budgeted
from symmetry.law.measurement import Measurement, Violation
from symmetry.report.answer import lines
from symmetry.report.record import record
from tests.catalogues import select
from tests.training.small import checked, training


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the CPU seconds that are used, which only the test changes."""
    seconds = [100.0]
    for module in ("symmetry.base.calls", "symmetry.checker.examiner"):
        monkeypatch.setattr(f"{module}.cpu_seconds", lambda: seconds[0])
    monkeypatch.setattr("symmetry.checker.trainings.time.process_time", lambda: seconds[0])
    return seconds


def test_no_call_begins_once_a_budget_is_used(clock: list[float]) -> None:
    budget = Budget(5)
    with budget.spending():
        clock[0] += 4
        with calling("step"):
            clock[0] += 4  # a call that has begun goes on
        with pytest.raises(BudgetSpent), raised_as(TargetError, "it"), calling("step"):
            raise AssertionError
        with calling("closing", counts=False):
            pass
    assert (budget.left, running.limit) == (-3, math.inf)
    with calling("step"):
        pass


def test_only_what_is_used_inside_is_counted(clock: list[float]) -> None:
    budget = Budget(5)
    for _ in range(2):
        clock[0] += 100
        with budget.spending():
            clock[0] += 2
    assert budget.left == 1
    assert Budget().left == math.inf


def checked_within(clock: list[float], seconds: float, **options):
    """Check a training whose steps each take a second."""

    def before(_: int) -> None:
        clock[0] += 1

    return checked(training(before=before), budget=seconds, **options)


def test_a_check_says_how_far_it_came(clock: list[float]) -> None:
    found = checked_within(clock, 40)
    kinds = {v.invariant: v.kind for v in found.verdicts}
    assert kinds["symmetry/repeatable"] == kinds["training/moves"] == "holds"
    assert kinds["symmetry/permutation"] == kinds["symmetry/stuck"] == "not reached"
    assert not found.complete
    assert found.status == 0
    judged = sum(kind == "holds" for kind in kinds.values())
    late = sum(kind == "not reached" for kind in kinds.values())
    first, _, beyond, *_ = lines(found)
    assert first == f"training: sound so far: {judged} of {judged + late} checks within 40 s"
    assert beyond.startswith("not reached: ")
    assert "symmetry/permutation, symmetry/" in beyond
    read = json.loads(dump(record(found)))
    assert (read["verdict"], read["complete"]) == ("sound", False)
    assert read["conclusion"] == first.removeprefix("training: ")
    late = next(r for r in read["results"] if r["verdict"] == "not reached")
    assert late["message"] == "not reached within 40 CPU seconds (--budget)"


def test_a_floor_fails_a_check_that_came_less_far(clock: list[float]) -> None:
    found = checked_within(clock, 40, require=["symmetry/permutation"])
    assert found.status == 2
    why = "symmetry/permutation was not judged: not reached within 40 CPU seconds (--budget)"
    assert found.unmet == (f"--require symmetry/permutation: {why}",)


def test_without_any_verdict_nothing_is_proved(clock: list[float]) -> None:
    found = checked_within(clock, 1)
    assert found.status == 2
    assert {v.kind for v in found.verdicts} == {"not reached"}


def test_a_budget_that_suffices_changes_only_the_order(clock: list[float]) -> None:
    skip = "symmetry/*"
    plain = checked(training(), skip=skip)
    within = checked_within(clock, 1e9, skip=skip)
    kinds = [{(v.invariant, v.dtype): v.kind for v in c.verdicts} for c in (plain, within)]
    assert kinds[0] == kinds[1]
    assert (within.complete, within.cut) == (True, "")


def test_a_dear_training_is_judged_as_it_is_written_first(clock: list[float]) -> None:
    dear, cheap = checked_within(clock, 16), checked_within(clock, 400)
    assert {v.dtype for v in dear.verdicts if v.kind == "holds"} == {"float32"}
    assert {v.dtype for v in cheap.verdicts if v.kind == "holds"} == {"float32", "float64"}


def test_the_search_for_units_comes_late() -> None:
    ordered = budgeted(CATALOGUE)
    assert {*ordered} == {*CATALOGUE}
    assert len(BUDGETED) == len({*BUDGETED})
    names = [invariant.name for invariant in ordered]
    first = next(i for i, each in enumerate(ordered) if each.units)
    cheap = [name for name in names[:first] if name.startswith(("loss/", "loop/"))]
    assert cheap == [name for name in names if name.startswith(("loss/", "loop/"))]


@pytest.mark.parametrize("budget", [0, -1, math.inf, math.nan, True, "60"])
def test_a_budget_is_a_positive_number(budget: object) -> None:
    with pytest.raises(SymmetryError, match="budget must be a positive number, not "):
        Options(budget=budget)  # type: ignore[arg-type]


(INVARIANT,) = select(["symmetry/clones"])
VIOLATED = Measurement.violated(Violation("unit 1 differs", 2, "w1", ulps=7))


def judged(measured, *, rounds=False):
    blank = Verdict(INVARIANT, "float32", "vacuous")
    return verdict_of(blank, measured, runs=3, rounds=rounds)


@pytest.mark.parametrize(
    ("measured", "kind", "cases", "counted"),
    [
        (Measurement(counted=True), "holds", 3, 3),
        (Measurement(counted=False), "vacuous", 3, 0),
        (Measurement(counted=False, applies=False), "not applicable", 0, 0),
        (VIOLATED, "violated", 3, 3),
    ],
)
def test_the_kind_and_the_runs(measured, kind, cases, counted):
    found = judged(measured)
    assert (found.kind, found.cases, found.counted) == (kind, cases, counted)


def test_what_rounding_explains_is_no_violation_and_keeps_what_was_seen():
    found = judged(VIOLATED, rounds=True)
    assert (found.kind, found.max_ulps, found.violation) == ("rounding", 7, VIOLATED.violation)


def test_what_could_not_have_failed_says_what_it_needs():
    text = f"it could not have failed: it needs {INVARIANT.witness}"
    assert judged(Measurement(counted=False)).message == text
    assert judged(Measurement(counted=False, note="no optimiser")).message == "no optimiser"
    assert judged(Measurement(counted=True)).message == ""
    assert judged(VIOLATED).message == "unit 1 differs"
