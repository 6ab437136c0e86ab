"""What a comparison says, and with which exit status it ends."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from symmetry.comparison.outcome import (
    Compared,
    ComparedTraining,
    DtypeResult,
    FirstDifference,
    Whole,
)
from symmetry.report.compared import exit_code, headline, in_words, lines, to_json, unjudged

SAME = DtypeResult("float32", 2, "model.w", 0.5, 30.0, arrays=3, steps=2)
DIFFERS = DtypeResult("float64", 1, "model.b", 4e7, 1000.0, arrays=1, steps=2)
UNJUDGED = DtypeResult("float32", None, None, None, 30.0, note="nothing moves")
FIRST = FirstDifference("loss", None, "train.py", 7, 1, "the loss of step 1 differs")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (SAME, "at most 0.5 responses (limit 30) in 3 arrays over 2 steps: model.w"),
        (replace(SAME, ratio=0.0), "at most 0 responses (limit 30) in 3 arrays over 2 steps"),
        (replace(SAME, cases=9), "at most 0.5 responses (limit 30) in 9 cases: model.w"),
        (DIFFERS, "4e+07 responses (limit 1000): model.b after step 1"),
        (
            replace(DIFFERS, case="{}", note="a note"),
            "4e+07 responses (limit 1000): model.b after step 1 of the case {}; a note",
        ),
        (UNJUDGED, "nothing moves"),
    ],
)
def test_a_result_in_words(result, text):
    assert in_words(result) == text


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (ComparedTraining("b", True), "b is the same training as a, up to rounding"),
        (ComparedTraining("b", False), "b is another training than a"),
        (ComparedTraining("b", None), "b could not be compared with a"),
        (ComparedTraining("b", False, error="no such file"), "b does not run: no such file"),
    ],
)
def test_the_headline(other, text):
    assert headline("a", other) == text


def test_a_paragraph_for_each_of_the_others():
    names = tuple(f"model.{name}" for name in "pqrst")
    other = ComparedTraining("b", False, FIRST, (SAME, DIFFERS), names, (), ("a note",))
    text = [*lines(Compared("a", (other, ComparedTraining("c", True))))]
    assert text == [
        "train.py:7: b is another training than a",
        "  first    the loss of step 1 differs",
        f"  float32  {in_words(SAME)}",
        f"  float64  {in_words(DIFFERS)}",
        "  only in  a: model.p, model.q, model.r and 2 more",
        "  note     a note",
        "",
        "c is the same training as a, up to rounding",
    ]


WHOLE = Whole(
    same=True, updates=9, evaluated=1, numbers=80, ratio=0.5, threshold=30.0, ended="the end"
)


def test_the_headline_begins_with_the_line_in_each_script():
    first = replace(FIRST, reference_file="a.py", reference_line=5)
    text = headline("a.py", ComparedTraining("train.py", False, first))
    assert text == "train.py:7 (a.py:5 of the reference): train.py is another training than a.py"


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (
            ComparedTraining("b", True, results=(SAME,)),
            "2 steps compared; later steps, schedules and evaluations were not (--steps, --whole)",
        ),
        (
            ComparedTraining("b", True, results=(SAME,), whole=WHOLE),
            "in 80 numbers over 9 updates and 1 call for evaluation; ended: the end",
        ),
        (
            ComparedTraining("b", False, FIRST, (SAME,), whole=replace(WHOLE, same=False)),
            "  epochs   the same over 9 updates and 1 call for evaluation before that",
        ),
        (
            ComparedTraining(
                "b", None, whole=replace(WHOLE, same=None, ratio=None, note="it is too short")
            ),
            "  epochs   cannot judge: it is too short",
        ),
        (
            ComparedTraining("b", True, whole=replace(WHOLE, left_out="mse_loss at b.py:3")),
            "  left out mse_loss at b.py:3",
        ),
    ],
)
def test_how_far_it_looked(other, text):
    assert [*lines(Compared("a", (other,)))][-1].endswith(text)


def test_why_whole_epochs_could_not_be_compared():
    whole = replace(WHOLE, same=None, note="it is too short")
    assert (
        unjudged([ComparedTraining("b", None, results=(SAME,), whole=whole)])
        == "b: it is too short"
    )


@pytest.mark.parametrize(
    ("same", "status"), [([True, True], 0), ([True, None], 2), ([None, False], 1)]
)
def test_the_exit_status(same, status):
    assert exit_code(ComparedTraining("b", each) for each in same) == status


def test_why_one_could_not_be_compared():
    others = [
        ComparedTraining("b", True),
        ComparedTraining("c", None, results=(UNJUDGED, UNJUDGED)),
    ]
    assert unjudged(others) == "c: nothing moves; nothing moves"


def test_json_has_what_the_lines_say():
    infinite = replace(DIFFERS, ratio=float("inf"))
    found = json.loads(to_json(Compared("a", (ComparedTraining("b", False, FIRST, (infinite,)),))))
    (other,) = found["others"]
    assert (found["reference"], other["same"], other["error"]) == ("a", False, None)
    assert other["first"]["phase"] == "loss"
    assert other["results"][0]["ratio"] == "inf"
    assert other["results"][0]["case"] is None
    assert other["whole"] is None
    found = json.loads(to_json(Compared("a", (ComparedTraining("b", False, FIRST, whole=WHOLE),))))
    whole = found["others"][0]["whole"]
    assert (whole["updates"], whole["evaluated"], whole["ratio"]) == (9, 1, 0.5)
