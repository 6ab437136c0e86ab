"""The JSON that programs act on: short, with facts, causes and cures apart."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from symmetry.checker.verdict import Checked
from symmetry.report.brief import brief, failed, to_json
from symmetry.report.formats.formats import merge, render
from symmetry.training.run_facts import Covered, RunFacts
from tests.report.checks import (
    ABOUT,
    EXPLAINED,
    HOLDS,
    IDLE,
    LOGITS,
    NOTE,
    RAISED,
    UNITS,
    VACUOUS,
    checked,
)


def test_a_problem_keeps_the_fact_apart_from_its_cause_and_cure():
    found = brief(checked(HOLDS, *UNITS), EXPLAINED)
    (problem,) = found["problems"]
    assert (found["verdict"], found["exit_status"], found["schema"]) == ("broken", 1, 3)
    assert problem["check"] == "symmetry/permutation"
    assert problem["also"] == ["symmetry/clones"]
    assert (problem["file"], problem["line"]) == ("train.py", 17)
    assert "1.8 million times as far as rounding moves it" in problem["fact"]
    assert "treats unit 7" not in problem["fact"]
    assert problem["likely_cause"].startswith("this line treats unit 7 of layer 0")
    assert problem["cure"]["text"].startswith("Apply the operation to all units")
    assert problem["repeat"] == "symmetry check train.py --only symmetry/permutation"
    assert problem["about"] == "symmetry check --about symmetry/permutation"


def test_notes_come_behind_violations():
    found = brief(checked(LOGITS, notes=(NOTE,)))
    assert [(each["level"], each["check"]) for each in found["problems"]] == [
        ("violation", "loss/inputs"),
        ("note", "loss/scaling"),
    ]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (checked(HOLDS), "sound"),
        (checked(HOLDS, replace(IDLE, kind="not reached"), cut="within 60 s"), "sound-so-far"),
        (checked(VACUOUS), "cannot-judge"),
        (checked(RAISED), "broken"),
    ],
)
def test_the_verdict_is_one_of_four(found, verdict):
    assert brief(found)["verdict"] == verdict
    assert brief(found, status=130)["exit_status"] == 130


def many(kind, message):
    return [replace(IDLE, about=about, kind=kind, message=message(n)) for n, about in ABOUT.items()]


def test_the_json_of_a_sound_target_is_short():
    idle = many("not applicable", lambda name: f"{name} has nothing that it speaks about here")
    verdicts = [replace(v, kind="holds", counted=1) if n % 2 else v for n, v in enumerate(idle)]
    facts = RunFacts(covered=Covered(1, 9**9))
    text = to_json(Checked("path/to/train.py", 0, None, tuple(verdicts), facts=facts))
    assert len(text.encode()) <= 2000
    assert {*json.loads(text)["judged"]} | names(json.loads(text)) == {*ABOUT}


def names(found):
    return {name for each in found["not_judged"] for name in each["checks"]}


def test_what_is_not_judged_has_a_reason_and_what_would_let_it_be():
    found = brief(checked(HOLDS, VACUOUS, IDLE))
    first, last = found["not_judged"]
    assert (first["checks"], first["why"]) == (["training/moves"], "no optimiser stepped")
    assert first["judgeable"].startswith("a run that has ")
    assert last["checks"] == ["training/scale"]
    assert "--format json --verbose" in last["judgeable"]
    _, told = brief(checked(HOLDS, VACUOUS, IDLE), whole=True)["not_judged"]
    assert told["why"] == "no scaler"


def test_a_problem_takes_at_most_a_kilobyte():
    long = replace(LOGITS, message="x" * 5000, violation=replace(LOGITS.violation, message="x"))
    (problem,) = brief(checked(long))["problems"]
    assert len(json.dumps(problem)) <= 1000


def test_the_id_stays_if_lines_are_added_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "train.py"
    file.write_text("a = 1\n" * 8 + "loss = f(softmax(x), y)\n" * 2)
    one = brief(checked(LOGITS))["problems"][0]
    file.write_text("a = 1\n" * 9 + "loss = f(softmax(x), y)\n" * 2)
    moved = replace(LOGITS, violation=replace(LOGITS.violation, line=10))
    (other,) = brief(checked(moved))["problems"]
    assert (one["id"], one["line"] + 1) == (other["id"], other["line"])
    second = replace(moved, about=ABOUT["loss/pairs"])
    assert brief(checked(second))["problems"][0]["id"] != one["id"]


def test_problems_with_the_same_text_have_ids_of_their_own():
    again = replace(NOTE, line=13)
    ids = [each["id"] for each in brief(checked(HOLDS, notes=(NOTE, again)))["problems"]]
    assert len({*ids}) == 2


def test_several_targets_are_an_array():
    texts = [render("json", checked(HOLDS)), render("json", checked(LOGITS))]
    one, two, other = json.loads(merge("json", texts, [("other.py", "no such file")]))
    assert [each["verdict"] for each in (one, two, other)] == ["sound", "broken", "cannot-judge"]
    assert other == failed("other.py", "no such file")
