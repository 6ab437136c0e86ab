"""When results with a gradient are computed and never used."""

from __future__ import annotations

import pytest

from symmetry.invariants.loss.unused import unused
from symmetry.training.events import Backward, Unused
from tests.invariants.loop.made import at, epochs, event


def line(function="", times=8, updates=4):
    return Unused(at=at(33), function=function, times=times, updates=updates)


def judged(*lines):
    return unused(epochs(event(Backward), unused=lines))


def test_a_function_whose_result_is_always_dropped_is_accused():
    judgement = judged(line("Scaled.apply"))
    (accusation,) = judgement.accusations
    assert accusation.at == at(33)
    assert accusation.text == (
        "the result of Scaled.apply is dropped at each of its 8 calls, so that its backward never "
        "runs, and the gradient that it makes is lost. Compute the loss from its result."
    )
    assert judgement.notes == []


def test_a_number_that_nothing_uses_is_a_note():
    judgement = judged(line())
    assert judgement.accusations == []
    (note,) = judgement.notes
    assert note.text == (
        "a number with a gradient is computed here 8 times, and nothing reads it, adds it to a "
        "loss or differentiates it. If it is a term of the loss, add it; otherwise leave it out."
    )


def test_a_result_that_is_dropped_now_and_then_is_not_judged():
    judgement = judged(line("Scaled.apply", updates=2), line(updates=1))
    assert judgement.applies
    assert (judgement.accusations, judgement.notes) == ([], [])


@pytest.mark.parametrize(
    ("events", "lines", "why"),
    [
        ([], (), "it calls no backward()"),
        ([event(Backward)], None, "the uses of results are not seen in PyTorch"),
    ],
)
def test_it_does_not_apply(events, lines, why):
    judgement = unused(epochs(*events, unused=lines))
    assert not judgement.applies
    assert judgement.why == why
