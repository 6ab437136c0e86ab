"""The zoo of losses: each law's faults are caught with their line, and no sound one is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.invariants.losses.inputs import inputs
from symmetry.invariants.losses.next_token import next_token
from symmetry.invariants.losses.pairs import pairs
from symmetry.invariants.losses.scaling import scaling
from tests.faulty.trainings import FAULTS, NOTED
from tests.invariants.losses.judging import kind, measured
from tests.sound.trainings.losses import LOSSES

LAWS = {
    "loss/inputs": inputs,
    "loss/pairs": pairs,
    "loss/next-token": next_token,
    "loss/scaling": scaling,
}
BROKEN = [fault for fault in FAULTS if fault.caught_by[0] in LAWS]
# What the laws say of the sound trainings that they could have accused.
NEAR = {
    "loss/inputs": 20,
    "loss/pairs": 20,
    "loss/next-token": 5,
    "loss/scaling": 5,
}


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name)
def test_a_fault_is_caught_with_its_line(fault):
    found = measured(LAWS[fault.caught_by[0]], fault.target)
    assert kind(found) == "violated"
    violation = found.violation
    source = Path(violation.file).read_text().splitlines()
    assert violation.line
    assert source[violation.line - 1].strip()


@pytest.mark.parametrize("target", NOTED, ids=lambda target: target.name)
def test_a_sum_beside_a_mean_is_noted(target):
    found = measured(scaling, target)
    assert kind(found) == "cannot judge"
    (note,) = found.notes
    assert note.name == "loss/scaling"
    line = Path(note.file).read_text().splitlines()[note.line - 1]
    assert "sum" in line or "measure(" in line


@pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)
def test_a_sound_loss_is_not_accused(make):
    for name, law in LAWS.items():
        found = measured(law, make)
        assert found.violation is None, name
        assert found.notes == ()


@pytest.mark.parametrize("name", LAWS)
def test_there_are_sound_losses_that_each_law_could_have_accused(name):
    held = [make for make in LOSSES.values() if kind(measured(LAWS[name], make)) == "holds"]
    assert len(held) >= NEAR[name]


def test_each_law_has_at_least_four_broken_trainings_and_two_scripts():
    for name in LAWS:
        targets = [fault.target for fault in BROKEN if name in fault.caught_by]
        targets += NOTED if name == "loss/scaling" else ()
        scripts = sum(target.sequential for target in targets)
        assert scripts >= 2
        assert len(targets) - scripts >= 4
