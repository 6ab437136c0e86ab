from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from symmetry.checker.case import Case
from symmetry.checker.verdict import Checked, Span, Verdict
from symmetry.invariants.finding import Violation
from symmetry.report.invariants import render_invariants
from symmetry.report.verdicts import command_line, facts_in_lines, line, summary, to_json

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
    "symmetry/w2-rows",
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
SPANS = (
    Span("n", 1, 3000),
    Span("i", 2, 2),
    Span("h", 1, 257),
    Span("c", 2, 33),
    Span("lr", 1e-06, 100.0),
    Span("iterations", 2, 40),
)
HOLDS = Verdict("symmetry/pure", "float64", "holds", 100, 97, max_ulps=0, spans=SPANS)
WITHIN = replace(HOLDS, invariant="network/gradient", max_ulps=715250, margin=0.60702)
VACUOUS = replace(
    HOLDS, kind="vacuous", counted=0, spans=(), message="no case had what it takes: it moved"
)
NOT_TAKEN = Verdict(
    "symmetry/pure", "float64", "not applicable", message="the trainer takes float32 only"
)
ERROR = Verdict(
    "symmetry/pure",
    "float32",
    "error",
    cases=1,
    case=CASE,
    message="the step raised ValueError: no (my.py, line 7)",
    failures=3,
    reruns=3,
)
EXPECTED = replace(VIOLATED, kind="expected failure", reason="known, see #12")
STALE = replace(HOLDS, reason="known, see #12", stale=True)
COMMAND = f"symmetry check numpy --only symmetry/w2-rows --case '{CASE.to_json()}'"


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (HOLDS, "float64  holds             97 of 100 cases counted, no bit differs"),
        (
            WITHIN,
            "holds             97 of 100 cases counted, at most 0.608 of the deviation allowed",
        ),
        (replace(WITHIN, margin=0.0), "97 of 100 cases counted, no deviation"),
        (replace(WITHIN, margin=0.9989), "at most 0.999 of the deviation allowed"),
        (
            VIOLATED,
            "symmetry/w2-rows      float32  violated          after step 3 hidden unit 1 is",
        ),
        (replace(VIOLATED, kind="rounding"), "rounding          after step 3 hidden unit 1 is no"),
        (EXPECTED, "expected failure  known, see #12: after step 3 hidden unit 1 is no longer"),
        (VACUOUS, "vacuous           100 cases prove nothing: no case had what it takes: it moved"),
        (NOT_TAKEN, "not applicable    the trainer takes float32 only"),
        (ERROR, "error             the step raised ValueError: no (my.py, line 7)"),
        (
            STALE,
            "was expected to fail (known, see #12), but 97 of 100 cases counted and none failed: ",
        ),
        (
            replace(STALE, kind="vacuous", message="no case had what it takes: it moved"),
            "was expected to fail (known, see #12), but no case failed, and no case had what it",
        ),
    ],
)
def test_a_verdict_in_one_line(verdict, text):
    assert text in line(verdict)
    assert line(verdict).startswith(verdict.invariant)
    assert "\n" not in line(verdict)


def test_the_facts_of_a_violation():
    assert "\n".join(facts_in_lines(VIOLATED, COMMAND)) == (
        f"""\
symmetry/w2-rows in float32: violated
  claim      from zero weights all hidden rows of w2 stay identical, after every step
  found      {VIOLATION.message}
  iteration  3
  entry      w2[2, 4]
  units      1 and 0
  distance   2 ulps, relative 1.5e-07
  groups     unit 0 | unit 1
  growth     relative 1.5e-07 after step 3, 2e-06 after 4, 0.031 after 7, inf after 35
  rounding   the rounding of single steps can explain this: --allow rounding lets it pass
  case       8 samples, 1 input, 2 hidden units, 10 classes; 3 iterations at learning rate 0.5; \
data pixels, weights zero, seed 0
  again      failed in each of 3 more runs in this process
  reproduce  {COMMAND}"""
    )


def test_facts_that_do_not_apply_are_left_out():
    text = "\n".join(facts_in_lines(ERROR, "symmetry check ..."))
    labels = [text_line.split()[0] for text_line in text.splitlines()[1:]]
    assert labels == ["claim", "found", "case", "again", "reproduce"]


def test_facts_of_other_violations():
    violation = replace(VIOLATION, rounding=False, allowed=7.4e-07)
    worse = replace(VIOLATED, violation=violation, margin=1234.5)
    text = "\n".join(facts_in_lines(replace(worse, failures=1), None))
    assert "rounding   the rounding of single steps cannot explain this" in text
    assert "allowed    at most 7.4e-07: this is 1.23e+03 times as much" in text
    assert "again      failed in 1 of 3 more runs in this process: the trainer does not" in text
    assert f"reproduce  with the case {CASE.to_json()}" in text
    exact = replace(VIOLATED, violation=replace(violation, allowed=0.0), margin=float("inf"))
    assert "  allowed    at most 0" in facts_in_lines(exact, None)


def test_the_command_is_quoted_for_a_shell():
    assert command_line("numpy", VIOLATED) == COMMAND
    command = command_line("my dir/it's.py:step", VIOLATED)
    assert command is not None
    words = shlex.split(command)
    assert words[:3] == ["symmetry", "check", "my dir/it's.py:step"]
    assert words[-1] == CASE.to_json()


def test_the_command_allows_what_was_allowed():
    command = command_line("numpy", replace(VIOLATED, kind="rounding"))
    assert command == COMMAND.replace("--only", "--allow rounding --only")


@pytest.mark.parametrize("name", ["test_it:test.<locals>.step", "x:<lambda>", "__main__:step"])
def test_there_is_no_command_for_what_has_no_name(name):
    assert command_line(name, VIOLATED) is None


def test_there_is_no_command_without_a_failure():
    assert command_line("numpy", HOLDS) is None


def test_the_summary_counts_by_kind():
    verdicts = [HOLDS, VIOLATED, HOLDS, ERROR, VACUOUS, NOT_TAKEN, EXPECTED]
    assert summary(verdicts) == (
        "1 violated, 1 error, 1 expected failure, 2 hold, 1 vacuous, 1 not applicable"
    )
    assert summary([HOLDS]) == "1 holds"
    assert summary([STALE]) == "1 holds (1 against expectation)"


def test_json():
    checked = Checked("numpy", 0, 100, (VIOLATED, HOLDS, ERROR, EXPECTED))
    record = json.loads(to_json(checked), parse_constant=pytest.fail)
    assert {key: record[key] for key in ("trainer", "seed", "examples")} == {
        "trainer": "numpy",
        "seed": 0,
        "examples": 100,
    }
    violated, holds, error, expected = record["results"]
    assert violated == {
        "name": "symmetry/w2-rows",
        "dtype": "float32",
        "verdict": "violated",
        "cases": 17,
        "counted": 15,
        "max_ulps": 2,
        "case": json.loads(CASE.to_json()),
        "iteration": 3,
        "matrix": "w2",
        "units": [1, 0],
        "entry": [2, 4],
        "relative": 1.5e-07,
        "groups": "unit 0 | unit 1",
        "growth": [[3, 1.5e-07], [4, 2e-06], [7, 0.031], [35, "inf"]],
        "rounding": True,
        "message": VIOLATION.message,
        "command": COMMAND,
    }
    assert list(holds) == list(error) == list(violated)
    not_null = {key: value for key, value in holds.items() if value is not None}
    assert not_null == {
        "name": "symmetry/pure",
        "dtype": "float64",
        "verdict": "holds",
        "cases": 100,
        "counted": 97,
        "max_ulps": 0,
        "message": "97 of 100 cases counted, no bit differs",
    }
    assert error["iteration"] is error["matrix"] is error["growth"] is None
    assert error["case"] == violated["case"]
    assert error["command"].endswith(f"--only symmetry/pure --case '{CASE.to_json()}'")
    assert expected["verdict"] == "expected failure"
    assert expected["message"].startswith("known, see #12: after step 3")


def test_the_report_of_a_check():
    checked = Checked("my.train:step", 0, 100, (VIOLATED, HOLDS, WITHIN, VACUOUS, NOT_TAKEN, ERROR))
    text = render_invariants(checked, "symmetry check my.train:step --output reports")
    assert text.startswith("<!-- Written by `symmetry check my.train:step --output reports`, which")
    assert "# What was checked of my.train:step" in text
    assert "100 cases in each dtype" in text
    for row in (
        "| `symmetry/w2-rows` | float32 | violated | 17 | 15 | 2 ulps |",
        "| `symmetry/pure` | float64 | holds | 100 | 97 | no bit differs |",
        "| `network/gradient` | float64 | holds | 100 | 97 | at most 0.608 of the deviation all",
        "| `symmetry/pure` | float64 | vacuous | 100 | 0 | - |",
        "| `symmetry/pure` | float64 | not applicable | 0 | 0 | - |",
        "| `symmetry/pure` | float32 | error | 1 | 0 | - |",
        "| `symmetry/pure` | float64 | 1 to 3000 | 2 | 1 to 257 | 2 to 33 | 1e-06 to 100 | 2 to",
    ):
        assert f"\n{row}" in text
    assert "**symmetry/pure**: x and y are unchanged" in text
    assert "symmetry/clones" not in text
    assert text.count("```text") == 2
    assert "  reproduce  symmetry check my.train:step --only symmetry/w2-rows --case" in text
    prose = (t for t in text.splitlines() if not t.startswith(("|", " ", "<")))
    assert all(len(prose_line) <= 110 for prose_line in prose)


def test_the_report_of_a_replay_and_of_a_check_without_failures():
    text = render_invariants(Checked("numba", None, 2, (HOLDS,)), "symmetry check")
    assert "2 given cases: 1 holds." in text
    assert "What went wrong" not in text
