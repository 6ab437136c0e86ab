"""When the updates of parameters of 16 bits are rounded away."""

from __future__ import annotations

import pytest

from symmetry.invariants.training.lost import lost
from symmetry.training.events import Rounded, RoundedTensor, Updated
from tests.invariants.loop.made import at, epochs, event


def tensor(kept, still, updates=4, name="1.weight", numbers=100):
    return RoundedTensor(
        name=name, dtype="bfloat16", numbers=numbers, kept=kept, still=still, updates=updates
    )


def judged(*tensors, numbers=100, rates=(1e-5, 1e-5), why=""):
    updates = [event(Updated, 9, n, rates=(rate,)) for n, rate in enumerate(rates)]
    optimizer = Rounded(optimizer=0, numbers=numbers, tensors=tensors, why=why)
    return lost(epochs(*updates, rounded=(optimizer,)))


def test_updates_that_are_lost_are_accused():
    (accusation,) = judged(tensor(0.03, 0.97)).accusations
    assert accusation.at == at(9)
    assert accusation.text == (
        "3% of the updates of parameters in bfloat16 is kept, and 97% of their entries do not "
        "move: the rest is rounded away. Keep the parameters in float32, and only compute in 16 "
        "bits."
    )


def test_a_part_that_is_lost_is_a_note():
    judgement = judged(tensor(0.3, 0.8))
    assert judgement.accusations == []
    (note,) = judgement.notes
    assert note.text == (
        "30% of the updates of parameters in bfloat16 is kept: the rest is rounded away. Keep the "
        "parameters in float32, and only compute in 16 bits."
    )


def test_a_parameter_that_stays_is_a_note():
    judgement = judged(tensor(0.0, 1.0, numbers=8), tensor(0.95, 0.5))
    assert judgement.accusations == []
    (note,) = judgement.notes
    assert note.text == (
        "no update moves 1 of 2 parameters in bfloat16 (the first is 1.weight): it is rounded "
        "away. Keep them in float32."
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"rates": (1e-7, 2e-7)}, "the learning rate rises, and is still too small for 16 bits"),
        ({"tensors": [(0.0, 1.0, 2)]}, "fewer than 3 updates of 16 bits are seen"),
        ({"tensors": [], "why": "a copy of an optimiser raises TypeError"}, None),
    ],
)
def test_it_cannot_judge(facts, why):
    tensors = facts.pop("tensors", [(0.0, 1.0)])
    judgement = judged(*(tensor(*each) for each in tensors), **facts)
    assert (judgement.accusations, judgement.notes) == ([], [])
    assert judgement.why == (why or "a copy of an optimiser raises TypeError")


def test_what_keeps_its_updates_or_is_a_small_part_is_not_accused():
    assert judged(tensor(0.9, 0.5)).accusations == []
    assert judged(tensor(0.0, 1.0), numbers=1000).accusations == []
    assert not lost(epochs(event(Updated))).applies
