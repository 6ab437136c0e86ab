"""The checker against the zoo of trainings: each fault is caught, no sound training is accused.

Their number by invariant is in reports/faults.md. The zoo of losses is judged in
``tests/invariants/loss/test_zoo.py``, which knows the lines.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from symmetry import find_units
from symmetry.finding.find import find
from symmetry.training.start import TrainingStart
from tests.catalogues import select_trainings
from tests.checking import check_target
from tests.conftest import few, needs
from tests.faulty.trainings import FAULTS, TOLD
from tests.invariants.loss.test_zoo import LAWS
from tests.sound.trainings import NEARLY, TARGETS, WITH_TIMM

pytestmark = pytest.mark.usefixtures("forking")

DEAR = {  # tests of the invariants have quick ones like them
    "validation_raises.py",
    "mean_of_each_micro_batch.py",
    "mean_by_hand_of_each_micro_batch.py",
    "compiled_in_16_bits",
    "epoch_counted.py",
    "distilled_without_gradients.py",
    "twin_critics.py",
    "advantages_in_micro_batches.py",
}
QUICK = {  # sound trainings; the others are slow
    "mlp_with_a_frozen_stage",
    "cnn_autocast",
    "gpt_adamw",
    "lstm_adam",
    "embedding_bag",
}


FAULTY = [fault for fault in FAULTS if not LAWS.keys() >= {*fault.caught_by}]
PROVOKING = [sound for sound in NEARLY if sound.invariant not in LAWS]


def sound() -> Iterator[ParameterSet]:
    for target in TARGETS:
        marks = [pytest.mark.slow] * (target.name not in QUICK)
        yield pytest.param(target, id=target.name, marks=marks)
    for target in WITH_TIMM:
        yield pytest.param(target, id=target.name, marks=needs("timm"))


@pytest.mark.parametrize(
    "fault", few(FAULTY, lambda fault: fault.name, lambda fault: fault.caught_by, dear=DEAR)
)
def test_a_fault_is_caught_by_what_is_meant_to_catch_it(fault):
    found = check_target(fault.target, only=fault.needed)
    caught = {verdict.invariant for verdict in found.verdicts if verdict.gates}
    assert caught >= set(fault.caught_by)


@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.name)
def test_what_makes_units_unequal_is_told(told):
    assert told.is_told(find_units(told.make))


@pytest.mark.parametrize("target", [*sound()])
def test_a_sound_training_is_not_accused(target):
    checked = check_target(target)
    assert [v for v in checked.verdicts if v.gates] == []
    assert checked.coverage is not None
    assert checked.coverage.groups
    assert checked.coverage.without_units == checked.coverage.without_gradient == ()
    judged = [v for v in checked.verdicts if v.invariant == "symmetry/permutation"]
    assert "holds" in {verdict.kind for verdict in judged}


@pytest.mark.parametrize(
    "sound",
    few(
        PROVOKING,
        lambda sound: sound.target.name,
        lambda sound: (sound.invariant, sound.kind),
        dear=DEAR,
    ),
)
def test_what_nearly_looks_broken_is_not_accused(sound):
    (invariant,) = select_trainings([sound.invariant])
    start = TrainingStart(sound.target, invariant.dtypes[-1])  # float64, if it is judged there
    if invariant.units:
        start = start.with_units(find(sound.target).groups)
    measured = invariant.measured(start)
    assert measured.violation is None or measured.violation.rounding
    assert measured.counted == (sound.kind == "holds")
    assert [note.name for note in measured.notes] == [sound.note] * bool(sound.note)


def test_the_zoo_is_in_order():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 30
    assert len(TARGETS) >= 20
    assert {target.name for target in TARGETS} >= QUICK
