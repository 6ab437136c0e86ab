"""When a note that proves itself becomes a violation."""

from __future__ import annotations

import pytest

from symmetry.base.errors import TrainingError
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, Proof

NOTE = Note("loss/term", "A term trains nothing.", "train.py", 3)
OTHER = Note("loss/target", "A target moves.", "train.py", 5)


def raises(_):
    raise TrainingError("it cannot go on")


def measured(*proofs, **facts):
    return Measurement(counted=True, notes=(NOTE, OTHER), proofs=proofs, **facts).proved("a start")


def test_a_proof_that_succeeds_makes_its_note_the_violation():
    given = []
    found = measured(
        Proof(NOTE, "with the term the gradient moves", lambda s: given.append(s) or True)
    )
    assert given == ["a start"]
    assert found.violation == Violation(
        "A term trains nothing. Proved: with the term the gradient moves.",
        0,
        "",
        file="train.py",
        line=3,
        kind="loss/term",
    )
    assert (found.notes, found.proofs) == ((OTHER,), ())


@pytest.mark.parametrize("holds", [lambda _: False, raises])
def test_a_proof_that_fails_leaves_the_note(holds):
    found = measured(Proof(NOTE, "", holds))
    assert (found.violation, found.notes, found.proofs) == (None, (NOTE, OTHER), ())


def test_nothing_is_proved_beside_a_violation():
    violation = Violation("It is wrong.", 1, "x")
    found = measured(Proof(NOTE, "", raises), violation=violation)
    assert (found.violation, found.notes) == (violation, (NOTE, OTHER))


def test_only_the_first_that_succeeds_counts():
    proofs = [Proof(NOTE, "", lambda _: False), Proof(OTHER, "so", lambda _: True)]
    assert measured(*proofs, Proof(NOTE, "", raises)).violation.kind == "loss/target"
