"""What verdicts look like: in a line, in detail, as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from importlib.metadata import version

import pytest

from symmetry.base.records import dump
from symmetry.checker.verdict import Checked
from symmetry.finding.coverage import Coverage, Dead, Unequal
from symmetry.observe.source_line import SourceLine
from symmetry.report.answer import headline
from symmetry.report.failures import command_for, details
from symmetry.report.record import record
from symmetry.report.verdicts import conclusion, last_line, limits, line, remarks, summary
from symmetry.training.run_facts import RunFacts
from tests.catalogues import named
from tests.report.verdicts import (
    CASE,
    ERROR,
    HOLDS,
    NOT_TAKEN,
    VACUOUS,
    VIOLATED,
    VIOLATION,
    WITHIN,
)

EXPECTED = replace(VIOLATED, kind="expected failure", reason="known, see #12")


STALE = replace(HOLDS, reason="known, see #12", stale=True)


COMMAND = f"symmetry check numpy --only symmetry/w2-rows --case '{CASE.to_json()}'"


def recorded(checked):
    """Return the line of a check as a program reads it."""
    return json.loads(dump(record(checked)), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (HOLDS, "float64  holds             97 of 100 cases could have failed; none did"),
        (
            WITHIN,
            "97 of 100 cases could have failed; none did; largest deviation: 60.8 % of the limit",
        ),
        (replace(WITHIN, margin=0.0), "97 of 100 cases could have failed; none did"),
        (replace(WITHIN, margin=0.9989), "largest deviation: 99.9 % of the limit"),
        (
            VIOLATED,
            "symmetry/w2-rows      float32  violated          after step 3 hidden unit 1 is",
        ),
        (
            replace(VIOLATED, kind="rounding"),
            "rounding          only by rounding: after step 3 hidden unit 1 is no",
        ),
        (EXPECTED, "expected failure  known, see #12: after step 3 hidden unit 1 is no longer"),
        (VACUOUS, "vacuous           not tested: nothing moved in 100 cases (normal)"),
        (NOT_TAKEN, "not applicable    the step takes float32 only"),
        (ERROR, "error             the step raised ValueError: no (my.py:7)"),
        (
            STALE,
            "was expected to fail (known, see #12), but 97 of 100 cases could have failed; none",
        ),
        (
            replace(STALE, kind="vacuous", message="nothing moved in 100 cases"),
            "was expected to fail (known, see #12), but it was not tested: nothing moved in 100",
        ),
    ],
)
def test_a_verdict_in_one_line(verdict, text):
    assert text in line(verdict)
    assert line(verdict).startswith(verdict.invariant)
    assert "\n" not in line(verdict)


def detailed(verdict, trainer="numpy"):
    return details(Checked(trainer, 0, 100, (verdict,)), verdict)


def test_the_details_of_a_violation():
    violated = replace(VIOLATED, violation=replace(VIOLATION, rounding=False))
    assert "\n".join(detailed(violated)) == (
        f"""\
symmetry/w2-rows in float32: violated, by more than rounding explains: the step treats equal units \
differently
  statement  from zero weights all hidden rows of w2 stay identical, after every step
  found      {VIOLATION.message}
  distance   2 ulps, relative 1.5e-07
  groups     unit 0 | unit 1
  growth     relative 1.5e-07 after step 3, 2e-06 after 4, 0.031 after 7, inf after 35
  case       8 samples, 1 input, 2 hidden units, 10 classes; 3 iterations at learning rate 0.5; \
data pixels, weights zero, seed 0
  again      failed in each of 3 more runs
  reproduce  {COMMAND}
  next       {COMMAND.replace("check", "explain").replace("--only symmetry/w2-rows ", "")}"""
    )


def test_the_details_name_the_line_of_the_users_code():
    located = replace(VIOLATION, file="train.py", line=17)
    facts = [text.split(maxsplit=1) for text in detailed(replace(VIOLATED, violation=located))[1:]]
    assert ["line", "train.py:17"] in facts
    assert "line" not in [label for label, _ in (t.split(maxsplit=1) for t in detailed(VIOLATED))]


@pytest.mark.parametrize(
    ("verdict", "meaning"),
    [
        (VIOLATED, "violated because it must hold exactly, though only by rounding: no sign of a"),
        (replace(VIOLATED, kind="rounding"), "rounding, no sign of a bug: one unit's sums are"),
        (ERROR, "error, the step does not work in this case"),
        (
            replace(VIOLATED, margin=1234.5, violation=replace(VIOLATION, rounding=None)),
            "violated, by 1.23e+03 times what rounding explains",
        ),
        (
            replace(VIOLATED, violation=replace(VIOLATION, rounding=None)),
            "violated, and rounding is no excuse: a sound step never does this",
        ),
        (
            replace(
                VIOLATED,
                about=named("training/loops"),
                violation=replace(VIOLATION, rounding=False),
            ),
            "violated, by more than rounding explains: the step depends on what must not matter",
        ),
    ],
)
def test_the_first_line_of_a_failure_says_what_it_means(verdict, meaning):
    assert detailed(verdict)[0].startswith(f"{verdict.invariant} in float32: {meaning}")


def test_an_error_shows_the_signature_that_is_expected():
    labels = [text.split()[0] for text in detailed(ERROR)[1:]]
    assert labels == ["expected", "found", "case", "again", "reproduce"]
    assert "step(x, y, w1, w2, lr) -> (w1, w2)" in detailed(ERROR)[1]


def test_a_step_that_depends_on_the_order_rightly_is_told_what_to_leave_out():
    lines = detailed(replace(VIOLATED, about=named("symmetry/samples")))
    (line_,) = (line for line in lines if line.startswith("  rightly"))
    assert "draws samples" in line_
    assert line_.endswith("--skip symmetry/samples leaves it out")
    assert not any(line.startswith("  rightly") for line in detailed(VIOLATED))


def test_rounding_is_told_in_short():
    labels = [text.split()[0] for text in detailed(replace(VIOLATED, kind="rounding"))[1:]]
    assert labels == ["found", "distance", "groups", "growth", "reproduce"]


def test_a_failure_that_does_not_repeat_has_no_command():
    once = replace(VIOLATED, failures=1)
    assert detailed(once)[-1] == "  again      not repeatable: failed in 1 of 3 more runs"
    assert command_for("numpy", once) is None


def test_a_step_without_a_name_has_its_case_instead_of_a_command():
    assert detailed(VIOLATED, "x:<lambda>")[-1] == f"  reproduce  with the case {CASE.to_json()}"


def test_what_is_allowed_and_by_how_much_it_is_exceeded():
    violation = replace(VIOLATION, allowed=7.4e-07)
    text = "\n".join(detailed(replace(VIOLATED, violation=violation, margin=1234.5)))
    assert "allowed    at most 7.4e-07: this is 1.23e+03 times as much" in text
    exact = replace(VIOLATED, violation=replace(violation, allowed=0.0), margin=float("inf"))
    assert "  allowed    at most 0" in detailed(exact)


@pytest.mark.parametrize("verdict", [HOLDS, VACUOUS, NOT_TAKEN, EXPECTED])
def test_there_are_no_details_of_what_did_not_fail_unexpectedly(verdict):
    assert detailed(verdict) == ()


def test_the_command_is_quoted_for_a_shell():
    violated = replace(VIOLATED, violation=replace(VIOLATION, rounding=False))
    assert command_for("numpy", violated) == COMMAND
    command = command_for("my dir/it's.py:step", violated)
    assert command is not None
    words = shlex.split(command)
    assert words[:3] == ["symmetry", "check", "my dir/it's.py:step"]
    assert words[-1] == CASE.to_json()


def test_the_command_is_exact_where_the_violation_is_by_rounding():
    assert command_for("numpy", VIOLATED) == COMMAND.replace("--only", "--exact --only")
    assert command_for("numpy", replace(VIOLATED, kind="rounding")) == COMMAND


@pytest.mark.parametrize("name", ["test_it:test.<locals>.step", "x:<lambda>", "__main__:step"])
def test_there_is_no_command_for_what_has_no_name(name):
    assert command_for(name, VIOLATED) is None


def test_there_is_no_command_without_a_failure():
    assert command_for("numpy", HOLDS) is None


def test_the_summary_counts_by_kind():
    verdicts = [HOLDS, VIOLATED, HOLDS, ERROR, VACUOUS, NOT_TAKEN, EXPECTED]
    assert summary(verdicts) == (
        "1 violated, 1 error, 1 expected failure, 2 hold, 1 vacuous, 1 not applicable"
    )
    assert last_line(Checked("numpy", 0, 100, (HOLDS, HOLDS))) == "sound (2 hold)"


CLONES = replace(VACUOUS, about=named("symmetry/clones"))


RANDOM = replace(VIOLATED, about=named("symmetry/repeatable"))


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([HOLDS, VACUOUS], "sound"),
        ([HOLDS, replace(VIOLATED, kind="rounding")], "sound"),
        ([HOLDS, EXPECTED], "sound but for 1 expected failure"),
        ([HOLDS, CLONES], "sound, but no equal units were checked"),
        ([VACUOUS, CLONES], "nothing was checked: nothing moved in 100 cases"),
        ([NOT_TAKEN], "nothing was checked: the step takes float32 only"),
        ([VIOLATED, HOLDS], "1 invariant violated: look at symmetry/w2-rows"),
        ([VIOLATED, RANDOM], "2 invariants violated: look at symmetry/repeatable first"),
        ([ERROR], "the target does not work: look at symmetry/pure"),
        ([STALE], "expected to fail, but not failing: symmetry/pure"),
    ],
)
def test_the_last_line_says_what_it_all_means(verdicts, text):
    assert conclusion(Checked("numpy", 0, 100, tuple(verdicts))) == text


LINE = SourceLine("/where/train.py", 24)
SCALED = Unequal("fc1", 16, 0, "constant", "aten.mul", LINE)
TIED = Unequal("v", 30, 10, "reshape", "aten.view", LINE)
GATE = Unequal("0", 2, 0, "place", "aten.slice", SourceLine("", 0))


DEAD = Dead("fc2", 16, "aten.relu_", LINE, ("fc1", "fc2"))


def of_layers(*layers, verdicts=(HOLDS,), idle=(), dead=()):
    lacking = {"without_units": layers, "without_gradient": idle, "dead": dead}
    coverage = Coverage("Net", (), (), (), **lacking)
    return Checked("train.py:train", 0, None, tuple(verdicts), coverage=coverage)


@pytest.mark.parametrize(
    ("verdicts", "layers", "text"),
    [
        ([HOLDS], [SCALED], "sound, but for 1 layer without equal units"),
        ([HOLDS], [SCALED, TIED], "sound, but for 2 layers without equal units"),
        (
            [HOLDS, replace(VIOLATED, kind="rounding")],
            [TIED],
            "sound, but for 1 layer without equal units",
        ),
        (
            [HOLDS, EXPECTED],
            [TIED],
            "sound but for 1 expected failure, and for 1 layer without equal units",
        ),
        ([VIOLATED], [TIED], "1 invariant violated: look at symmetry/w2-rows"),
        (
            [HOLDS, replace(CLONES, unproved=True)],
            [SCALED],
            (
                "no equal units were checked: fc1: 16 units, none equal: /where/train.py:24 "
                "multiplies each by a number of its own; --skip symmetry/clones lets it pass"
            ),
        ),
    ],
)
def test_layers_without_equal_units_are_counted_at_the_end(verdicts, layers, text):
    assert conclusion(of_layers(*layers, verdicts=verdicts)) == text


def test_what_errors_of_symmetry_itself_took_is_said_first():
    lost = replace(CLONES, own_error=True, message="it breaks")
    checked = of_layers(verdicts=[HOLDS, lost])
    text = "could not be checked: it breaks (1 of 2 checks are lost)"
    assert conclusion(checked) == text
    assert headline(checked, ()).startswith(f"train.py:train: {text}")
    assert conclusion(of_layers(verdicts=[VIOLATED, lost])).startswith("1 invariant violated")


def test_layers_without_equal_units_are_told_with_their_line():
    added = replace(SCALED, operation="aten.add_")
    others = [replace(SCALED, module=f"fc{n}", operation="aten.div") for n in range(2, 7)]
    assert remarks(of_layers(added, TIED, GATE, *others)) == (
        "fc1: 16 units, none equal: /where/train.py:24 adds a number of its own to each",
        "v: 30 units, only 10 equal: /where/train.py:24 ties entries of different units (view)",
        "layer 0: 2 units, none equal: takes them one by one (slice)",
        (
            "fc2, fc3, fc4 and 2 more: 16 units each, none equal: /where/train.py:24 has a number "
            "of its own for each (div)"
        ),
    )


def test_a_check_of_a_part_of_a_step_says_which_in_short_and_in_full():
    part = "its step is update, the body of a lax.scan that trains"
    found = replace(of_layers(), facts=RunFacts(part=part))
    assert part in remarks(found)
    assert limits(found) == (part,)


def test_modules_without_gradient_are_told():
    (line,) = remarks(of_layers(idle=("pool",)))
    assert line == "no gradient reaches pool in the first two steps"
    found = of_layers(idle=tuple("abcde"))
    assert remarks(found) == ("no gradient reaches a, b, c and 2 more in the first two steps",)
    assert recorded(found)["without_gradient"] == [*"abcde"]


def test_layers_whose_units_are_all_0_come_with_the_modules_that_they_silence():
    found = of_layers(SCALED, idle=("fc1", "fc2", "pool"), dead=(DEAD,))
    text, others, *_ = remarks(found)
    assert text == (
        "fc2: all 16 units are 0 for every sample of the first steps (dead ReLU, "
        "/where/train.py:24), so no gradient reaches fc1, fc2"
    )
    assert others == "no gradient reaches pool in the first two steps"
    exceptions = "1 layer without equal units and 1 layer whose units are all 0"
    assert conclusion(found) == f"sound, but for {exceptions}"
    without = of_layers(verdicts=[HOLDS, replace(CLONES, unproved=True)], dead=(DEAD,))
    assert conclusion(without).startswith(f"no equal units were checked: {DEAD.text}; ")
    (layer,) = recorded(found)["dead"]
    assert (layer["module"], layer["line"]) == ("fc2", 24)


def test_json_has_layers_without_equal_units():
    found = recorded(of_layers(SCALED))["without_units"]
    why = "/where/train.py:24 multiplies each by a number of its own"
    assert found == [
        {"module": "fc1", "units": 16, "why": why, "file": "/where/train.py", "line": 24}
    ]
    of_step = recorded(Checked("numpy", 0, 100, (HOLDS,)))
    assert (of_step["without_units"], of_step["without_gradient"]) == ([], [])


def test_json():
    checked = Checked("numpy", 0, 100, (VIOLATED, HOLDS, ERROR, EXPECTED))
    found = recorded(checked)
    assert {key: found[key] for key in ("trainer", "seed", "examples")} == {
        "trainer": "numpy",
        "seed": 0,
        "examples": 100,
    }
    assert {key: found[key] for key in ("schema", "version", "target", "verdict")} == {
        "schema": 1,
        "version": version("unit-symmetry"),
        "target": "numpy",
        "verdict": "problems",
    }
    assert (found["exit_status"], found["conclusion"]) == (1, conclusion(checked))
    violated, holds, error, expected = found["results"]
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
        "found": None,
        "file": None,
        "line": None,
        "command": COMMAND.replace("--only", "--exact --only"),
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
        "message": "97 of 100 cases could have failed; none did",
    }
    assert error["iteration"] is error["matrix"] is error["growth"] is None
    assert error["case"] == violated["case"]
    assert error["command"].endswith(f"--only symmetry/pure --case '{CASE.to_json()}'")
    assert expected["verdict"] == "expected failure"
    assert expected["message"].startswith("known, see #12: after step 3")
