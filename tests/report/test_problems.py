"""Verdicts of one cause are one problem, in plain words, at the line of the code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.checker.verdict import Verdict
from symmetry.report.problems import parted, problems
from symmetry.targets.kinds import invariants
from tests.report import verdicts as steps
from tests.report.checks import (
    ABOUT,
    EXPLAINED,
    HOLDS,
    LOGITS,
    NOTE,
    PERMUTED,
    RAISED,
    UNITS,
    checked,
)

ENDS = "Call train() before each epoch."


@pytest.mark.parametrize(
    ("text", "fact", "cure"),
    [
        ("this clips nothing: there is none. Clip later.", "this clips nothing: there is none", ""),
        (f"it is never undone: a.py:3 trains. {ENDS}", "it is never undone: a.py:3 trains", ENDS),
        ("it is given probabilities: give it the logits", "it is given probabilities", ""),
        ("two losses. If it is not meant, call train().", "two losses", ""),
        ("the loss is a sum, and a mean", "the loss is a sum, and a mean", None),
        ("a layer of 3. It has no gradient", "a layer of 3. It has no gradient", None),
    ],
)
def test_a_message_is_parted_into_its_fact_and_its_cure(text, fact, cure):
    found, end = parted(text)
    assert found == fact
    if cure is None:
        assert end == ""
    else:
        assert end
        assert end.lower().rstrip(".") in text.lower()
        assert cure in ("", end)


def test_all_laws_have_a_usual_cause_and_a_cure():
    laws = invariants()
    assert [law.name for law in laws if not (law.cause and law.cure)] == []
    assert all(law.cure.endswith(".") and not law.cause.endswith(".") for law in laws)


def test_what_tells_units_apart_is_one_problem_at_its_line() -> None:
    (problem,) = problems(checked(HOLDS, *UNITS), EXPLAINED)
    assert problem.sentence == "train.py:17 treats unit 7 of layer 0 differently from unit 0"
    assert problem.source == "parameter.grad[:-1].clamp_(-1, 1)"
    assert problem.invariants == ("symmetry/permutation", "symmetry/clones")
    assert problem.certainty == (
        "Renumbering these equal units changes the training 1.8 million times as far as rounding "
        "moves it (30 times is the limit)."
    )
    assert problem.facts == (("operation", "clamp_: it leaves out the last unit"),)
    assert problem.repeat == "symmetry check train.py --only symmetry/permutation"
    assert problem.more == "symmetry explain train.py"


@pytest.mark.parametrize(
    ("target", "repeat", "more"),
    [
        (
            "__main__:training",
            "check(training, only='symmetry/permutation')",
            "explain(training)",
        ),
        (
            "book:cell.<locals>.training",
            "check(..., only='symmetry/permutation')",
            "explain(...)",
        ),
        ("Sequential", "check_model(..., only='symmetry/permutation')", ""),
        ("tests/test_training.py::training", "", ""),
    ],
)
def test_a_target_that_no_command_line_finds_is_repeated_by_a_call(target, repeat, more) -> None:
    found = replace(checked(HOLDS, *UNITS), target=target)
    (problem,) = problems(found, EXPLAINED)
    assert (problem.repeat, problem.more) == (repeat, more)


def test_a_notebook_runs_the_command_for_the_meaning(monkeypatch) -> None:
    monkeypatch.setattr("builtins.get_ipython", object, raising=False)
    (problem,) = problems(checked(LOGITS))
    assert problem.more == "!symmetry check --about loss/inputs"


@pytest.mark.parametrize(
    ("units", "pair"),
    [
        ("layer 0 units", "unit 2 of layer 0 differently from unit 5"),
        ("layer 2 units", "unit 7 of layer 0 differently from unit 0"),
    ],
)
def test_the_units_are_those_of_the_operation_if_it_is_about_the_same_ones(units, pair) -> None:
    culprit = replace(EXPLAINED.culprits[0], pair=(2, 5))
    explained = replace(EXPLAINED, units=units, culprits=(culprit,))
    (problem,) = problems(checked(HOLDS, *UNITS), explained)
    assert problem.sentence == f"train.py:17 treats {pair}"


def test_without_an_explanation_the_training_is_the_subject() -> None:
    (problem,) = problems(checked(PERMUTED))
    assert problem.sentence == "the training treats layer 0 units differently"


def test_faults_at_other_lines_are_other_problems() -> None:
    found = problems(checked(LOGITS, replace(LOGITS, dtype="float32"), *UNITS), EXPLAINED)
    assert [p.place for p in found] == ["train.py:9", "train.py:17"]
    assert found[0].sentence == "train.py:9: cross_entropy is given probabilities"


def test_violations_of_one_mechanism_are_one_problem_at_the_first_line() -> None:
    def seen(line: int | None) -> Verdict:
        violation = replace(LOGITS.violation, file=line and "train.py", line=line, mechanism="one")
        return replace(LOGITS, violation=violation, message=f"at {line}")

    other = replace(seen(None), about=ABOUT["training/resume"])
    (problem,) = problems(checked(other, seen(9), replace(seen(4), dtype="float32")))
    assert problem.sentence == "train.py:9: at 9"
    assert problem.invariants == ("loss/inputs", "training/resume")
    assert ("see also", "train.py:4") in problem.facts


def test_a_problem_with_a_line_comes_before_one_without() -> None:
    found = problems(checked(PERMUTED, LOGITS))
    assert [p.place for p in found] == ["train.py:9", ""]


def test_a_failure_comes_first_and_without_a_line_too() -> None:
    dead = replace(RAISED, violation=None, message="it was killed")
    first, second = problems(checked(LOGITS, dead))
    assert (first.fails, first.sentence) == (True, "the training fails: it was killed")
    assert second.place == "train.py:9"
    late = replace(LOGITS, violation=RAISED.violation)
    assert [p.fails for p in problems(checked(LOGITS, late))] == [True, False]
    assert [p.invariants for p in problems(checked(RAISED, late))] == [
        ("symmetry/repeatable", "loss/inputs")
    ]


def test_the_only_precision_that_fails_is_named() -> None:
    sound = replace(PERMUTED, dtype="float64", kind="holds")
    assert problems(checked(PERMUTED, sound))[0].where == "only as written"
    assert problems(checked(PERMUTED))[0].where == ""


def test_an_error_is_at_its_line_once_for_all_invariants() -> None:
    other = replace(RAISED, about=PERMUTED.about)
    (problem,) = problems(checked(RAISED, other))
    assert (problem.file, problem.line) == ("my code/train.py", 7)
    assert problem.sentence.startswith("my code/train.py:7 raises ValueError: 100 %")
    assert problem.fails
    assert problem.invariants == ("symmetry/repeatable", "symmetry/permutation")


def test_an_expectation_that_is_not_met_is_a_problem() -> None:
    stale = replace(HOLDS, reason="known, see #12", stale=True)
    (problem,) = problems(checked(stale))
    assert "was expected to fail (known, see #12), but it does not" in problem.text


def test_a_note_is_a_problem_only_if_it_gates() -> None:
    assert problems(checked(HOLDS, notes=(NOTE,))) == ()
    (problem,) = problems(checked(HOLDS, notes=(NOTE,), gating=(NOTE,)))
    assert problem.sentence == "train.py:12: the loss is a sum, and a mean"


def test_a_step_names_its_units_and_its_case() -> None:
    (problem,) = problems(checked(steps.VIOLATED))
    assert problem.text == "the step treats hidden unit 1 differently from hidden unit 0"
    assert dict(problem.facts)["case"].startswith("8 samples, 1 input, 2 hidden units")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (45.25, "45.2 times"),
        (12345, "12,345 times"),
        (2.5e9, "2.5 billion times"),
        (3e13, "3e+13 times"),
        (float("inf"), "infinitely many times"),
    ],
)
def test_large_numbers_are_in_words(ratio: float, text: str) -> None:
    assert (
        f"training {text} as far" in problems(checked(replace(PERMUTED, ratio=ratio)))[0].certainty
    )
