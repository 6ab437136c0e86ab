"""What a verdict means for the whole check, and what an expectation makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.checker.verdict import Verdict, exit_code, own_error, settled
from symmetry.law.measurement import Violation
from tests.catalogues import named

KINDS = (
    "violated",
    "error",
    "not finished",
    "not reached",
    "rounding",
    "expected failure",
    "holds",
    "vacuous",
    "not applicable",
)


def verdict(kind, counted=1, **facts):
    return Verdict(named("symmetry/clones"), "float32", kind, 1, counted, **facts)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_violated_or_an_error_gates(kind):
    assert verdict(kind).gates == (kind in ("violated", "error"))
    assert verdict(kind, stale=True).gates


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.booleans()), max_size=4))
def test_no_check_passes_that_gates_or_proves_nothing(drawn):
    verdicts = [verdict(kind, counted, unproved=unproved) for kind, counted, unproved in drawn]
    status = exit_code(verdicts)
    assert (status == 1) == any(v.gates for v in verdicts)
    if status == 0:
        assert any(v.counted for v in verdicts)
        assert not any(v.kind == "not finished" for v in verdicts)
        assert not any(v.unproved for v in verdicts)  # with so few verdicts


def several(number, kind, **facts):
    """Return verdicts on so many invariants."""
    one = verdict(kind, **facts)
    about = (replace(one.about, name=f"{kind}/{n}") for n in range(number))
    return [replace(one, about=each) for each in about]


@pytest.mark.parametrize(("judged", "status"), [(9, 2), (10, 0)])
def test_a_check_without_equal_units_passes_if_enough_else_was_judged(judged, status):
    without = verdict("vacuous", 0, unproved=True)
    assert exit_code([*several(judged, "holds"), without]) == status


@pytest.mark.parametrize(("lost", "status"), [(6, 0), (7, 2)])
def test_a_check_that_lost_a_third_to_its_own_errors_fails(lost, status):
    own = several(lost, "vacuous", counted=0, own_error=True, message="it breaks")
    verdicts = [*several(12, "holds"), *own]
    assert exit_code(verdicts) == status
    told = f"it breaks ({lost} of {lost + 12} checks are lost)"
    assert own_error(verdicts) == (told if status else "")
    judged_elsewhere = [replace(own[0], kind="holds", dtype="float64"), *verdicts]
    assert exit_code(judged_elsewhere) == 0
    assert exit_code([*verdicts, verdict("violated")]) == 1


ANY = {"": "known"}


def test_the_exit_status():
    assert exit_code([verdict("holds"), verdict("vacuous", 0)]) == 0
    assert exit_code([]) == exit_code([verdict("vacuous", 0)]) == 2
    assert exit_code([verdict("holds"), verdict("vacuous", 0, unproved=True)]) == 2
    assert exit_code([verdict("violated"), verdict("vacuous", 0, unproved=True)]) == 1
    assert exit_code([verdict("holds"), verdict("not finished", 0)]) == 2
    assert exit_code([verdict("violated"), verdict("not finished", 0)]) == 1
    assert exit_code([verdict("holds"), verdict("not reached", 0)]) == 0
    assert exit_code([verdict("not reached", 0)]) == 2
    assert exit_code([verdict("holds")], unmet=["--require 2"]) == 2
    assert exit_code([verdict("violated")], unmet=["--require 2"]) == 1


def test_an_expectation_is_met_by_a_failure_in_any_dtype():
    failed, held = settled([verdict("rounding"), verdict("holds")], ANY)
    assert (failed.kind, failed.reason, failed.gates) == ("expected failure", "known", False)
    assert (held.kind, held.reason, held.gates) == ("holds", "known", False)


@pytest.mark.parametrize("kind", ["holds", "vacuous"])
def test_an_expectation_that_nothing_meets_is_stale(kind):
    (found,) = settled([verdict(kind)], ANY)
    assert (found.kind, found.stale, found.gates) == (kind, True, True)


def test_an_expectation_says_nothing_of_what_does_not_work_or_is_not_asked():
    error, beside = settled([verdict("error"), verdict("not applicable")], ANY)
    assert (error.kind, error.gates) == ("error", True)
    assert (beside.stale, beside.gates) == (False, False)
    assert settled([verdict("violated")], {}) == [verdict("violated")]
    held, late = settled([verdict("holds"), verdict("not finished")], ANY)
    assert not held.gates
    assert not late.gates


def test_a_verdict_hands_on_what_its_violation_says():
    violation = Violation("it differs", 3, "w2", units=(1, 0), growth=((3, 0.5),))
    found = verdict("violated", violation=violation)
    assert (found.iteration, found.matrix, found.units, found.growth) == (
        3,
        "w2",
        (1, 0),
        ((3, 0.5),),
    )
    of_training = replace(found, about=named("training/resume"))
    assert of_training.matrix is None  # its array has a name of its own
    assert verdict("holds").iteration is verdict("holds").growth is verdict("holds").matrix is None


def test_a_failure_repeats_if_it_fails_each_time():
    assert verdict("violated", failures=3, reruns=3).repeats
    assert not verdict("violated", failures=2, reruns=3).repeats
