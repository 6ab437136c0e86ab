"""Verdicts of each kind."""

from __future__ import annotations

from dataclasses import replace

from symmetry.checker.verdict import Verdict
from symmetry.law.case import Case
from symmetry.law.measurement import Violation
from tests.catalogues import named

CASE = Case(8, 1, 2, 10, 0.5, 3, "float32", "pixels", "zero", 0)


VIOLATION = Violation(
    message="after step 3 hidden unit 1 is no longer equal to unit 0: w2[2, 4] and w2[1, 4] are 2 "
    "ulps apart",
    iteration=3,
    array="w2",
    units=(1, 0),
    entry=(2, 4),
    ulps=2,
    relative=1.5e-07,
    groups="unit 0 | unit 1",
    growth=((3, 1.5e-07), (4, 2e-06), (7, 0.031), (35, float("inf"))),
    rounding=True,
)


VIOLATED = Verdict(
    named("symmetry/w2-rows"),
    "float32",
    "violated",
    cases=17,
    counted=15,
    max_ulps=2,
    case=CASE,
    violation=VIOLATION,
    message=VIOLATION.message,
    failures=3,
    reruns=3,
)


SPANS = ("1 to 3000", "2", "1 to 257", "2 to 33", "1e-06 to 100", "2 to 40")


HOLDS = Verdict(named("symmetry/pure"), "float64", "holds", 100, 97, max_ulps=0, spans=SPANS)


WITHIN = replace(HOLDS, about=named("network/gradient"), max_ulps=715250, margin=0.60702)


VACUOUS = replace(
    HOLDS,
    kind="vacuous",
    counted=0,
    spans=(),
    message="nothing moved in 100 cases (normal)",
)


NOT_TAKEN = Verdict(
    named("symmetry/pure"), "float64", "not applicable", message="the step takes float32 only"
)


ERROR = Verdict(
    named("symmetry/pure"),
    "float32",
    "error",
    cases=1,
    case=CASE,
    message="the step raised ValueError: no (my.py:7)",
    failures=3,
    reruns=3,
)
