"""When a model that is left in evaluation mode is accused, and when that may be meant."""

from __future__ import annotations

import pytest

from symmetry.invariants.loop.modes import modes
from symmetry.training.events import Backward, Called, Ratio, Switched, Updated
from tests.invariants.loop.made import at, epochs, event, model

TRAINED = (
    event(Called, 5, dropouts=("drop",), statistics=("norm",)),
    event(Backward, 6),
    event(Updated, 7),
)
QUIET = (event(Called, 5, training=False), event(Backward, 6), event(Updated, 7))
EVAL = event(Switched, 9, model=0, training=False)
EVALUATED = event(Called, 10, gradient=False, training=False, loader=1)


def test_an_evaluation_that_is_never_left_is_accused_at_eval():
    (accusation,) = modes(epochs(*TRAINED, EVAL, EVALUATED, *QUIET)).accusations
    assert accusation.at == at(9)
    assert accusation.text == (
        "eval() is never undone: train.py:5 trains Net in training mode at first, and in "
        "evaluation mode after the first evaluation, so that 1 dropout is off and running "
        "statistics of 2 modules stand still. Call train() before each epoch."
    )


def test_an_evaluation_that_comes_first_and_again_is_accused_at_its_eval():
    (accusation,) = modes(epochs(EVAL, EVALUATED, *QUIET, EVAL, EVALUATED, *QUIET)).accusations
    assert accusation.at == at(9)
    assert accusation.text.startswith(
        "eval() is never undone: train.py:5 trains Net in evaluation mode, since an evaluation "
        "comes first, so that 1 dropout is off"
    )
    assert not modes(epochs(EVAL, EVALUATED, *QUIET, EVAL, EVALUATED, *QUIET)).notes


BEFORE = event(Switched, 9, model=0, training=False, was_training=False)


@pytest.mark.parametrize(
    "events",
    [
        [EVAL, EVALUATED, *QUIET],  # once, as before a fine-tuning that is meant to be so
        [event(Switched, 3, model=0, training=False), EVAL, EVALUATED, *QUIET, EVAL, EVALUATED],
        [BEFORE, EVALUATED, *QUIET, EVAL, EVALUATED],
    ],
)
def test_evaluation_mode_that_was_there_before_an_evaluation_may_be_meant(events):
    assert not modes(epochs(*events, *QUIET)).accusations


def test_train_undoes_it():
    train = event(Switched, 11, model=0, training=True)
    assert not modes(epochs(*TRAINED, EVAL, EVALUATED, train, *TRAINED)).accusations


def test_eval_without_an_evaluation_behind_it_may_be_meant():
    assert not modes(epochs(*TRAINED, EVAL, *QUIET)).accusations


def test_another_line_may_train_in_evaluation_mode():
    other = (event(Called, 20, training=False), event(Updated, 21))
    assert not modes(epochs(*TRAINED, EVAL, EVALUATED, *other)).accusations


def test_a_frozen_part_alone_is_no_evaluation_mode():
    partial = (event(Called, 5, training=False, dropouts=("drop",)), event(Updated, 7))
    assert not modes(epochs(*TRAINED, EVAL, EVALUATED, *partial)).accusations


def test_a_model_that_is_never_in_training_mode_has_a_note():
    (note,) = modes(epochs(EVAL, *QUIET)).notes
    assert (note.name, note.line) == ("loop/eval-mode", 5)
    assert note.text.startswith("Net is trained in evaluation mode: 1 dropout is off")


OTHER = (
    event(Called, 20, training=False, loader=1, batch=9),
    event(Backward, 21, number=1),
    event(Updated, 22, backwards=(1,)),
)
READ = (*TRAINED[:2], event(Updated, 7, backwards=(0,)))


def test_updates_in_evaluation_mode_from_another_loader_have_a_note():
    judgement = modes(epochs(*READ, EVAL, *OTHER))
    (note,) = judgement.notes
    assert not judgement.accusations
    assert (note.name, note.line) == ("loop/eval-mode", 20)
    assert "with the loader made at train.py:91, and in training mode with another" in note.text


@pytest.mark.parametrize(
    "events",
    [
        [*READ, EVAL, *OTHER[:2]],  # an attack: no update reads its gradients
        [*READ, EVAL, event(Called, 20, training=False, batch=9), *OTHER[1:]],  # the same loader
        [EVAL, *OTHER],  # evaluation mode from the start
    ],
)
def test_other_gradients_in_evaluation_mode_have_none(events):
    found = modes(epochs(*events, models=(model(dropouts=0),)))
    assert [note.name for note in found.notes] == []


def test_the_last_evaluation_before_another_model_trains_has_none():
    last = event(Called, 20, training=False, loader=1, batch=9)
    update = event(Backward, 21, number=1, calls={5}), event(Updated, 22, backwards=(1,))
    events = *READ, EVAL, last, event(Called, 5, model=1, loader=0, batch=8), *update
    assert not modes(epochs(*events, models=(model(), model(number=1)))).notes


def test_frozen_statistics_that_move_have_a_note():
    drifting = model(drifting=("body.1", "body.4"), called=at(30))
    (note,) = modes(epochs(*TRAINED, models=(drifting,))).notes
    assert (note.name, note.line) == ("loop/frozen", 30)
    assert "the parameters of body.1 and 1 more in Net are frozen" in note.text


def ratios(reference=(), *, digest="a", gradient=False, largest=0.5):
    """Return the notes on a ratio of a policy that drops out and its reference."""
    calls = (
        event(Called, 5, gradient=gradient, dropouts=reference, digest=digest),
        event(Called, 6, dropouts=("drop", "more"), digest="a"),
    )
    ratio = Ratio(at=at(8), calls=(0, 1), largest=largest, size=20.0)
    return modes(epochs(*calls, event(Updated), ratios=(ratio,))).notes


def test_a_log_ratio_that_is_not_0_at_first_is_a_note():
    (note,) = ratios()
    assert (note.name, note.line) == ("loop/ratio", 8)
    assert note.text == (
        "this log-ratio is up to 0.5 before the first update, where it has to be 0: both models "
        "have the same parameters and inputs, but one drops out (train.py:6, 2 dropouts). Call "
        "eval() on both, or set the rates of all dropouts to 0."
    )


@pytest.mark.parametrize(
    "facts",
    [{"reference": ("drop",)}, {"digest": "b"}, {"gradient": True}, {"largest": 0.01}],
)
def test_a_log_ratio_of_other_calls_is_not_noted(facts):
    assert ratios(**facts) == []
