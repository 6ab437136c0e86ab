"""The zoo of losses: each law's faults are caught with their line, and no sound one is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.invariants.loss.inputs import inputs
from symmetry.invariants.loss.next_token import next_token
from symmetry.invariants.loss.padding import padding
from symmetry.invariants.loss.pairs import pairs
from symmetry.invariants.loss.scaling import scaling
from symmetry.training.script import ScriptTraining
from tests.conftest import few
from tests.faulty.trainings import FAULTS, NOTED
from tests.invariants.loss.judging import kind, measured
from tests.sound.trainings import NEARLY

LAWS = {
    "loss/inputs": inputs,
    "loss/pairs": pairs,
    "loss/next-token": next_token,
    "loss/padding": padding,
    "loss/scaling": scaling,
}
BROKEN = [fault for fault in FAULTS if fault.caught_by[0] in LAWS]
SOUND = [sound for sound in NEARLY if sound.invariant in LAWS]


@pytest.mark.parametrize("target", few(NOTED, lambda target: target.name, number=3))
def test_a_sum_beside_a_mean_is_noted(target):
    found = measured(scaling, target)
    assert kind(found) == "cannot judge"
    (note,) = found.notes
    assert note.name == "loss/scaling"
    line = Path(note.file).read_text().splitlines()[note.line - 1]
    assert any(word in line for word in ("sum", "measure(", "size_average=False"))


@pytest.mark.parametrize(
    "sound", few(SOUND, lambda sound: sound.target.name, lambda sound: sound.invariant, 2)
)
def test_a_sound_loss_is_accused_by_no_law(sound):
    for name, law in LAWS.items():
        found = measured(law, sound.target)
        assert found.violation is None, name
        assert found.notes == (), name
        if name == sound.invariant:
            assert found.counted == (sound.kind == "holds")


def test_the_zoo_has_enough_of_each_law():
    for name in LAWS:
        targets = [fault.target for fault in BROKEN if name in fault.caught_by]
        targets += NOTED if name == "loss/scaling" else ()
        scripts = sum(isinstance(target, ScriptTraining) for target in targets)
        assert scripts >= 2
        assert len(targets) - scripts >= 4
        assert sum(sound.invariant == name for sound in SOUND) >= 6
