"""Which backwards, clips and updates are accused or noted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from symmetry.invariants.loop.gradients import gradients
from symmetry.training.events import (
    Backward,
    Cleared,
    Clipped,
    Exhausted,
    SteppedOptimizer,
    Unfrozen,
    Updated,
)
from tests.invariants.loop.made import at, epochs, event


def lost(number, *between):
    return event(Backward, 6, number=number), *between, event(Cleared, 9, lost=(number,))


def test_backwards_that_are_cleared_unread_are_accused():
    (accusation,) = gradients(epochs(*lost(0), *lost(1), event(Backward, number=2))).accusations
    assert accusation.at == at(6)
    assert accusation.text.startswith(
        "the gradients of this backward() are cleared (train.py:9) before any update has read "
        "them, 2 times in 3 backwards"
    )
    assert not gradients(epochs(*lost(0))).accusations  # it may be a trial


def test_unfrozen_parameters_that_no_optimiser_holds_are_accused():
    left = Unfrozen(at=at(8), model="Net", names=("body.weight", "body.bias"), updates=2)
    run = epochs(event(Backward), event(Updated, 8))
    (accusation,) = gradients(replace(run, unfrozen=(left,))).accusations
    assert accusation.at == at(8)
    assert accusation.text.startswith(
        "body.weight and 1 more of Net were frozen at first, have gradients here, and no optimiser "
        "holds them"
    )
    assert not gradients(replace(run, unfrozen=(replace(left, updates=1),))).accusations


def test_an_update_that_finds_no_gradient_is_named():
    events = [*lost(0, event(Updated, 8)), *lost(1, event(Updated, 8))]
    (accusation,) = gradients(epochs(*events)).accusations
    assert accusation.at == at(6)
    assert "The update behind it (train.py:8) finds no gradient" in accusation.text


def test_a_window_that_the_end_of_an_epoch_leaves_open_has_a_note():
    judgement = gradients(epochs(*lost(0, event(Exhausted))))
    assert [note.name for note in judgement.notes] == ["loop/window"]
    cut = gradients(epochs(*lost(0, event(Exhausted, cut=True))))
    assert not judgement.accusations
    assert (cut.accusations, cut.notes) == ([], [])


def clips(read=(), **facts):
    steps = []
    for number in range(2):
        steps += [event(Backward, number=number), event(Clipped, 7, number=number, **facts)]
        steps += [event(Updated, clips=read)]
    return epochs(*steps)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "gradients are clipped after step()"),
        ({"gradients": 0}, "no parameter has a gradient yet"),
        ({"gradients": 0, "is_exhausted": True}, "was used up before"),
    ],
)
def test_clips_that_no_update_notices_are_accused(facts, text):
    (accusation,) = gradients(clips(**facts)).accusations
    assert accusation.at == at(7)
    assert text in accusation.text


def test_clips_that_are_read_or_only_measure_are_sound():
    assert not gradients(clips(read=(1,))).accusations
    assert not gradients(clips(limit=math.inf)).accusations


def accumulated(*, clips_of):
    """Two updates, each of two backwards, that are clipped where ``clips_of`` has a 1."""
    events, number = [], 0
    for _ in range(2):
        first = number
        for clips in clips_of:
            events += [event(Backward, 6, number=number)]
            events += [event(Clipped, 7, number=number)] * clips
            number += 1
        numbers = tuple(range(first, number))
        events += [event(Updated, backwards=numbers, clips=numbers)]
    return epochs(*events)


@pytest.mark.parametrize(
    ("clips_of", "names"), [((1, 1), ["loop/clips"]), ((0, 1), []), ((1,), []), ((1, 0), [])]
)
def test_clips_of_a_part_of_an_update_have_a_note(clips_of, names):
    judgement = gradients(accumulated(clips_of=clips_of))
    found = [note for note in judgement.notes if note.name == "loop/clips"]
    assert [note.name for note in found] == names
    assert not judgement.accusations
    assert all(note.line == 7 for note in found)


def test_updates_with_gradients_of_earlier_ones_are_accused():
    again = [event(Updated, 8, backwards=(0, 1), again=(0,))] * 2
    (accusation,) = gradients(
        epochs(event(Backward), event(Backward, number=1), *again)
    ).accusations
    assert accusation.at == at(8)
    assert "zero_grad() is missing" in accusation.text
    twice = [event(Updated, 8, backwards=(0,), again=(0,))] * 2  # two steps on one gradient
    assert not gradients(epochs(event(Backward), *twice)).accusations


def alternating(own=(0, 1, 2), leak=(0, 1, 2), *, cleared=True, lines=(5, 6)):
    """Return a run of two optimisers, each with a loss; their losses reach these parameters.

    The first one holds parameters 0 and 1, and its loss is the second one; the other holds 2.
    """
    events = []
    for n in range(0, 6, 2):
        events += [event(Backward, lines[0], number=n, reached=frozenset(leak))]
        events += [event(Updated, 7, optimizer=1, backwards=(n,))]
        events += [event(Backward, lines[1], number=n + 1, reached=frozenset(own))]
        numbers = (n, n + 1) if cleared else (*range(n + 2),)
        events += [event(Updated, 8, optimizer=0, backwards=numbers)]
    optimizers = tuple(
        SteppedOptimizer(number=n, kind="Adam", parameters=2, has_state=True, held=frozenset(held))
        for n, held in enumerate([(0, 1), (2,)])
    )
    return gradients(epochs(*events, optimizers=optimizers))


def test_an_update_that_also_reads_the_loss_of_another_optimiser_is_accused():
    (accusation,) = alternating().accusations
    assert accusation.at == at(8)
    assert accusation.text == (
        "this update also adds the gradients of another optimiser's loss (train.py:5) to those of "
        "its own loss (train.py:6), in 3 updates. detach() the input of that loss, or call "
        "zero_grad() before the own backward()."
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"own": (0, 1)},  # its own loss leaves the other one's parameters alone
        {"leak": (1, 2)},  # a part that both losses are meant to train
        {"lines": (5, 5)},  # one loss
    ],
)
def test_losses_that_share_parameters_may_be_meant(facts):
    assert not alternating(**facts).accusations


def test_layers_that_are_made_late_are_accused():
    late = Unfrozen(at=at(8), model="Net", names=("0.weight", "0.bias"), updates=2, is_new=True)
    (accusation,) = gradients(epochs(event(Backward), event(Updated), unfrozen=(late,))).accusations
    assert accusation.at == at(8)
    assert "0.weight and 1 more of Net were made after the first update" in accusation.text
