"""How a judgement becomes a measurement."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from symmetry.invariants import loop
from symmetry.invariants.loop.judgement import Judgement, as_measurement, measured
from symmetry.invariants.loop.modes import FROZEN
from symmetry.training.events import LoopWords, Updated
from tests.invariants.loop.made import at, epochs, event


def test_the_first_mistake_is_the_violation_and_names_the_lines_of_others():
    judgement = Judgement()
    judgement.accuse("it is wrong.", at(3))
    judgement.accuse("it is wrong.", at(3))
    judgement.accuse("it is wrong as well.", at(5))
    violation = as_measurement(judgement).violation
    assert violation is not None
    assert violation.message == "it is wrong. The same holds at train.py:5."
    assert (violation.file, violation.line) == ("train.py", 3)


def test_what_does_not_apply_is_no_proof():
    measured = as_measurement(Judgement(applies=False, why="there is no loader"))
    assert (measured.applies, measured.counted) == (False, False)
    assert measured.note == "there is no loader"


def test_what_cannot_be_judged_says_why():
    measured = as_measurement(Judgement(why="it is called twice"))
    assert (measured.applies, measured.counted) == (True, False)
    assert measured.note == "cannot judge: it is called twice"


def test_notes_stay_once_beside_a_sound_loop():
    judgement = Judgement()
    judgement.note(FROZEN, "it moves", at(2))
    judgement.note(FROZEN, "it moves", at(2))
    measured = as_measurement(judgement)
    assert measured.counted
    assert [(n.name, n.line) for n in measured.notes] == [("loop/frozen", 2)]


@pytest.mark.parametrize("is_wrong", [True, False])
def test_a_run_that_fails_proves_no_law_but_mistakes_before_that_stand(is_wrong):
    def law(_):
        judgement = Judgement()
        if is_wrong:
            judgement.accuse("it is wrong.", at(3))
        return judgement

    run = epochs(event(Updated), event(Updated), error="train.py raised KeyError: 'x'")
    target = SimpleNamespace(has_loop=True, epochs=lambda seed: run)
    found = measured(law)(SimpleNamespace(target=target, seed=0))
    assert (found.violation is not None, found.counted) == (is_wrong, is_wrong)
    if not is_wrong:
        assert found.note == (
            "cannot judge: after 2 updates it fails: train.py raised KeyError: 'x'"
        )


def test_every_word_of_a_template_is_one_that_frameworks_have():
    files = Path(loop.__path__[0]).glob("*.py")
    used = {name for file in files for name in re.findall(r"\{words\.(\w+)", file.read_text())}
    assert used
    assert used <= {field.name for field in fields(LoopWords)}
