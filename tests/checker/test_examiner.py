"""What a measurement means, as a verdict."""

from __future__ import annotations

import pytest

from symmetry.checker.examiner import verdict_of
from symmetry.checker.verdict import Verdict
from symmetry.law.measurement import Measurement, Violation
from tests.catalogues import select

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
