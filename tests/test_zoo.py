"""The checker against the zoo: each broken trainer is caught, no sound one is accused.

Each fault meets the invariants that are meant to catch it; reports/faults.md counts them.
"""

from __future__ import annotations

import pytest

from symmetry.steps.drawn_cases import draw_cases
from symmetry.targets.resolve import as_step_target
from tests.catalogues import STEPS, select
from tests.checking import check
from tests.conftest import few
from tests.faulty import FAULTY
from tests.faulty.fault import DEEPCRIME, OTHERS
from tests.sound import SOUND

FEW, SOME = 4, 20  # cases that a sound step runs through


@pytest.mark.parametrize(
    "fault", few(FAULTY, lambda fault: fault.name, lambda fault: fault.caught_by)
)
def test_a_fault_is_caught_by_what_is_meant_to_catch_it(fault):
    trainer = as_step_target(fault.trainer)
    cases = draw_cases(dtypes=trainer.dtypes)
    for name in fault.caught_by:
        verdicts = check(trainer, select([name]), cases, exact=True, shrinking=False)
        assert fault.kind in [verdict.kind for verdict in verdicts], name


def verdicts_on(sound, cases):
    step = as_step_target(sound.trainer)
    return check(step, select(sound.patterns), draw_cases(cases), exact=True, shrinking=False)


def is_expected(sound, verdict):
    return verdict.kind == sound.expected(verdict.invariant, verdict.dtype)


@pytest.mark.parametrize("sound", SOUND[::4], ids=lambda sound: sound.name)
def test_a_sound_step_is_not_accused(sound):
    verdicts = verdicts_on(sound, FEW)
    assert [v for v in verdicts if v.gates and not is_expected(sound, v)] == []
    assert sound.vacuous or "holds" in {v.kind for v in verdicts}


@pytest.mark.slow
@pytest.mark.parametrize("sound", SOUND, ids=lambda sound: sound.name)
def test_a_sound_step_has_the_verdicts_that_it_should(sound):
    assert [v for v in verdicts_on(sound, SOME) if not is_expected(sound, v)] == []


def test_the_zoo_is_in_order():
    invariants = {invariant.name for invariant in STEPS}
    for entries in (FAULTY, SOUND):
        assert len({entry.name for entry in entries}) == len(entries)
    assert {fault.operator for fault in FAULTY} == DEEPCRIME.keys() | OTHERS.keys()
    assert {name for fault in FAULTY for name in fault.caught_by} == invariants
    assert {name for sound in SOUND for name in (*sound.vacuous, *sound.violates)} < invariants
    assert len(SOUND) >= len(FAULTY) >= 30
